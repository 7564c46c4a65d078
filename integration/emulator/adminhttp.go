package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// adminHandler serves /_emulator/. It listens to this machine only: the peer
// must be loopback, the Host header too (against DNS rebinding), and a browser
// must not send it from another origin.
func (s *Server) adminHandler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, do func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := do(r)
			answer(w, v, err)
		})
	}
	handle("GET /_emulator/providers", func(*http.Request) (any, error) {
		return object{"providers": s.Providers()}, nil
	})
	handle("POST /_emulator/reset", s.httpReset)
	handle("POST /_emulator/{provider}/clients", s.httpRegister)
	handle("GET /_emulator/{provider}/calls", s.httpCalls)
	handle("GET /_emulator/{provider}/counters", func(r *http.Request) (any, error) {
		return s.Counters(r.PathValue("provider"))
	})
	handle("GET /_emulator/{provider}/tokens", func(r *http.Request) (any, error) {
		grants, err := s.Tokens(r.PathValue("provider"))
		return object{"grants": grants}, err
	})
	handle("GET /_emulator/{provider}/settings", func(r *http.Request) (any, error) {
		return s.Settings(r.PathValue("provider"))
	})
	handle("POST /_emulator/{provider}/settings", s.httpSettings)
	handle("POST /_emulator/{provider}/credential", s.httpCredential)
	handle("POST /_emulator/{provider}/expire", s.httpPerson("expired", s.Expire))
	handle("POST /_emulator/{provider}/revoke", s.httpPerson("revoked", s.RevokeGrant))
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.RemoteAddr) || !s.ownHost(r.Host) {
			answer(w, nil, errForbidden)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

var errForbidden = errors.New("the observation API answers this machine only")

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// ownHost accepts loopback names and the host of the base URL.
func (s *Server) ownHost(host string) bool {
	u, err := url.Parse(*s.base.Load())
	return isLoopback(host) || (err == nil && u.Host != "" && u.Host == host)
}

func (s *Server) httpRegister(r *http.Request) (any, error) {
	var reg ClientRegistration
	if err := readJSON(r, &reg); err != nil {
		return nil, err
	}
	return object{"client_id": reg.ClientID}, s.RegisterClient(r.PathValue("provider"), reg)
}

func (s *Server) httpCalls(r *http.Request) (any, error) {
	since := 0
	if raw := r.URL.Query().Get("since"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil {
			return nil, fmt.Errorf("since: must be a number")
		}
		since = n
	}
	return s.Calls(r.PathValue("provider"), since)
}

func (s *Server) httpSettings(r *http.Request) (any, error) {
	var ch SettingsChange
	if err := readJSON(r, &ch); err != nil {
		return nil, err
	}
	return s.ChangeSettings(r.PathValue("provider"), ch)
}

func (s *Server) httpReset(r *http.Request) (any, error) {
	var in struct {
		KeepClients bool `json:"keep_clients"`
	}
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	return object{"reset": true}, s.Reset(in.KeepClients)
}

// httpPerson wraps an act on one person that answers with a count.
func (s *Server) httpPerson(field string, act func(provider, login string) (int, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var in struct {
			Login string `json:"login"`
		}
		if err := readJSON(r, &in); err != nil {
			return nil, err
		}
		n, err := act(r.PathValue("provider"), in.Login)
		return object{field: n}, err
	}
}

// readJSON refuses unknown fields; an empty body means no fields.
func readJSON(r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read body: %w", err)
	}
	return nil
}

// answer writes JSON; errors of the admin API carry no secrets, so their text
// is shown.
func answer(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	switch {
	case errors.Is(err, errForbidden):
		status = http.StatusForbidden
	case errors.Is(err, ErrUnknownProvider), errors.Is(err, ErrUnknownPerson):
		status = http.StatusNotFound
	case err != nil:
		status = http.StatusBadRequest
	}
	if err != nil {
		v = object{"error": err.Error()}
	}
	jsonReply(status, v).write(w)
}
