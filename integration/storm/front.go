package storm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Act is what happens to one refresh request on its way; the zero value lets it pass.
type Act struct {
	// Before and After hold the request before the server gets it, and the answer before the caller gets it.
	Before, After time.Duration
	// Arrived and Answered are called before Before and After, with the number of the process that asks.
	Arrived, Answered func(worker int)
	// Drop closes the connection instead of asking the server; Cut asks it and then closes the connection.
	Drop, Cut bool
	// Status answers instead of the server, with RetryAfter in seconds if it is not zero.
	Status, RetryAfter int
}

// Ask is one refresh request that came.
type Ask struct {
	// Token is a hash of the refresh token, Worker the process that asked.
	Token  string
	Worker int
	// Began and Ended are when it came and when its answer, of Status, was on its way; Status is 0 while there is none.
	Began, Ended time.Time
	Status       int
}

// Front stands before the OAuth server and is the API of the resource that it protects. It is safe for concurrent use.
type Front struct {
	secret string
	// Log is called for each refresh request.
	Log func(format string, args ...any)

	mu      sync.Mutex
	target  *url.URL
	proxy   *httputil.ReverseProxy
	owner   map[string]string // hash of refresh token to account
	acts    map[string][]Act
	asks    map[string][]*Ask
	served  map[string]int // API calls that succeeded, by account
	refused int            // API calls with a token that the server does not take
	client  *http.Client
}

// NewFront returns a Front that answers nothing until Target was called. secret is that of the API at the server.
func NewFront(secret string) *Front {
	return &Front{secret: secret, Log: func(string, ...any) {}, owner: map[string]string{}, acts: map[string][]Act{}, asks: map[string][]*Ask{}, served: map[string]int{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// Target is where the server listens.
func (f *Front) Target(base string) error {
	u, err := url.Parse(base)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.target = u
	f.proxy = &httputil.ReverseProxy{Transport: f.client.Transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Host = r.In.Host // the server makes its addresses from it
	}}
	return nil
}

// Plan says what happens to the next refresh requests of an account, one by one.
func (f *Front) Plan(account string, acts ...Act) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acts[account] = acts
}

// Asks are the refresh requests of an account so far.
func (f *Front) Asks(account string) []Ask {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Ask, len(f.asks[account]))
	for i, a := range f.asks[account] {
		out[i] = *a
	}
	return out
}

// Served is how many API calls succeeded for an account, and how many were refused in all.
func (f *Front) Served(account string) (ok, refused int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.served[account], f.refused
}

// ServeHTTP implements http.Handler. "/w3/..." is the server as process 3 sees it.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	worker := -1
	if rest, ok := strings.CutPrefix(r.URL.Path, "/w"); ok {
		number, path, _ := strings.Cut(rest, "/")
		if n, err := strconv.Atoi(number); err == nil {
			worker, r.URL.Path = n, "/"+path
		}
	}
	f.mu.Lock()
	proxy := f.proxy
	f.mu.Unlock()
	switch {
	case proxy == nil:
		http.Error(w, "not yet", http.StatusServiceUnavailable)
	case strings.HasPrefix(r.URL.Path, "/api/"):
		f.api(w, r)
	case r.URL.Path == "/token":
		f.token(w, r, worker)
	default:
		proxy.ServeHTTP(w, r)
	}
}

// api is the protected resource: it asks the server about each token (RFC 7662).
func (f *Front) api(w http.ResponseWriter, r *http.Request) {
	form := url.Values{"token": {strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")}}
	res, body, err := f.ask(r, "/token/introspection", form.Encode(), func(q *http.Request) { q.SetBasicAuth("api", f.secret) })
	var said struct {
		Active bool   `json:"active"`
		Sub    string `json:"sub"`
	}
	if err == nil && res.StatusCode == http.StatusOK {
		err = json.Unmarshal(body, &said)
	}
	if err != nil || res.StatusCode != http.StatusOK {
		http.Error(w, "the OAuth server does not answer", http.StatusBadGateway)
		return
	}
	f.mu.Lock()
	if said.Active {
		f.served[said.Sub]++
	} else {
		f.refused++
	}
	f.mu.Unlock()
	if !said.Active {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"number":%q,"buyer":%q}`, strings.TrimPrefix(r.URL.Path, "/api/orders/"), said.Sub)
}

// ask sends one request to the server itself.
func (f *Front) ask(r *http.Request, path, form string, prepare func(*http.Request)) (*http.Response, []byte, error) {
	q, err := http.NewRequestWithContext(r.Context(), http.MethodPost, f.target.String()+path, strings.NewReader(form))
	if err != nil {
		return nil, nil, err
	}
	q.Host = r.Host
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	prepare(q)
	res, err := f.client.Do(q)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(res.Body)
	return res, body, errors.Join(err, res.Body.Close())
}

// token is the token endpoint, with what was planned for it.
func (f *Front) token(w http.ResponseWriter, r *http.Request, worker int) {
	form, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	values, err := url.ParseQuery(string(form))
	if err != nil {
		http.Error(w, "form", http.StatusBadRequest)
		return
	}
	act, done := f.arrive(values, worker)
	if act.Arrived != nil {
		act.Arrived(worker)
	}
	time.Sleep(act.Before)
	if act.Drop {
		done(0)
		drop(w)
		return
	}
	if act.Status != 0 {
		if act.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(act.RetryAfter))
		}
		done(act.Status)
		w.WriteHeader(act.Status)
		return
	}
	// A server goes on with what it was asked, whoever hangs up.
	res, body, err := f.ask(r.WithContext(context.WithoutCancel(r.Context())), "/token", string(form), func(q *http.Request) { q.Header = r.Header.Clone() })
	if err != nil {
		done(0)
		drop(w)
		return
	}
	f.learn(body)
	if act.Answered != nil {
		act.Answered(worker)
	}
	time.Sleep(act.After)
	if act.Cut {
		done(0)
		drop(w)
		return
	}
	done(res.StatusCode)
	for _, h := range []string{"Content-Type", "Cache-Control", "Www-Authenticate"} {
		w.Header().Set(h, res.Header.Get(h))
	}
	w.WriteHeader(res.StatusCode)
	_, _ = w.Write(body) // whoever does not wait for the answer goes without
}

// arrive notes a refresh request and finds what happens to it; other requests just pass.
func (f *Front) arrive(form url.Values, worker int) (act Act, done func(status int)) {
	if form.Get("grant_type") != "refresh_token" {
		return Act{}, func(int) {}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	ask := &Ask{Token: hash(form.Get("refresh_token")), Worker: worker, Began: time.Now()}
	who := f.owner[ask.Token]
	f.asks[who] = append(f.asks[who], ask)
	if list := f.acts[who]; len(list) > 0 {
		act, f.acts[who] = list[0], list[1:]
	}
	f.Log("refresh request %d of %q from process %d, token %s", len(f.asks[who]), who, worker, ask.Token[:8])
	return act, func(status int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		ask.Status, ask.Ended = status, time.Now()
	}
}

// learn notes whose a refresh token is: the identity token beside it says so.
func (f *Front) learn(body []byte) {
	var got struct {
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
	}
	var claims struct {
		Sub string `json:"sub"`
	}
	if json.Unmarshal(body, &got) != nil || got.Refresh == "" {
		return
	}
	if parts := strings.Split(got.ID, "."); len(parts) == 3 {
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || json.NewDecoder(bytes.NewReader(raw)).Decode(&claims) != nil {
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owner[hash(got.Refresh)] = claims.Sub
}

func hash(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

// drop closes the connection under a request without an answer.
func drop(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, as a broken network gives
	}
	_ = c.Close()
}
