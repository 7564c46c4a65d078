package emulator

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configures a Server. The zero value works: wall clock, crypto/rand,
// the base URL taken from each request, nothing kept on disk.
type Options struct {
	// Now is the clock for every lifetime; nil means time.Now.
	Now func() time.Time
	// Rand makes tokens and codes; nil means crypto/rand. It need not be safe
	// for concurrent use.
	Rand io.Reader
	// BaseURL is where the server is reached, e.g. http://127.0.0.1:8788, without
	// a final slash. Empty: "http://" and the request's Host.
	BaseURL string
	// Dir, if set, keeps clients and grants as JSON (hashes only, mode 0600), one
	// file per provider, and New restores them.
	Dir string
	// Logger receives operational trouble, never a token; nil discards.
	Logger *slog.Logger
	// Clients are registered at New and again at Reset, by provider name.
	Clients map[string][]ClientRegistration
}

// Server is every emulated provider behind one http.Handler. It is safe for
// concurrent use.
//
// The fault modes lost_reply and drop_before panic with http.ErrAbortHandler,
// which net/http turns into a cut connection; a caller that invokes ServeHTTP
// without net/http has to recover it.
type Server struct {
	opts  Options
	base  atomic.Pointer[string]
	admin http.Handler

	mu        sync.RWMutex
	providers map[string]*provider
}

// ErrUnknownProvider is returned for a provider name that is not emulated.
var ErrUnknownProvider = errors.New("unknown provider")

// ErrUnknownPerson is returned for a login that the provider does not know.
var ErrUnknownPerson = errors.New("unknown person")

// New builds a server and restores what Options.Dir holds. It fails when a kept
// file cannot be read or a client of Options.Clients is invalid.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Rand = &lockedReader{r: o.Rand}
	s := &Server{opts: o}
	s.SetBaseURL(o.BaseURL)
	s.admin = s.adminHandler()
	built, err := s.build(true)
	if err != nil {
		return nil, err
	}
	s.providers = built
	return s, nil
}

// build makes a fresh provider per dialect, restored from disk if asked.
func (s *Server) build(restore bool) (map[string]*provider, error) {
	built := map[string]*provider{}
	for _, d := range dialects() {
		p := newProvider(s, d)
		if restore {
			if err := p.restore(); err != nil {
				return nil, fmt.Errorf("restore %s: %w", p.name(), err)
			}
		}
		for _, reg := range s.opts.Clients[p.name()] {
			if err := p.register(reg); err != nil {
				return nil, fmt.Errorf("register client at %s: %w", p.name(), err)
			}
		}
		built[p.name()] = p
	}
	return built, nil
}

// ServeHTTP routes by the first path segment: a provider's name or _emulator.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if first == "_emulator" {
		s.admin.ServeHTTP(w, r)
		return
	}
	p, err := s.provider(first)
	if err != nil {
		http.Error(w, "no such provider; see /_emulator/providers", http.StatusNotFound)
		return
	}
	p.mux.ServeHTTP(w, r)
}

// SetBaseURL says where the server is reached, once the port is known.
func (s *Server) SetBaseURL(u string) {
	u = strings.TrimSuffix(u, "/")
	s.base.Store(&u)
}

// baseURL falls back to the request's Host because tests learn their port late.
func (s *Server) baseURL(r *http.Request) string {
	if u := *s.base.Load(); u != "" {
		return u
	}
	return "http://" + r.Host
}

// Close writes clients and grants a last time and reports the first write that
// failed since New. The server must not be used afterwards.
func (s *Server) Close() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var errs []error
	for _, p := range s.providers {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// Reset forgets grants, calls, counters, settings and API data of every
// provider, on disk too. Clients of Options.Clients are registered again;
// others stay only if keepClients is set.
func (s *Server) Reset(keepClients bool) error {
	fresh, err := s.build(false)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, old := range s.providers {
		clients := old.retire()
		if keepClients {
			fresh[name].adopt(clients)
		}
		fresh[name].save()
	}
	s.providers = fresh
	return nil
}

func (s *Server) provider(name string) (*provider, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.providers[name]
	if !ok {
		return nil, fmt.Errorf("%w %q", ErrUnknownProvider, name)
	}
	return p, nil
}

// lockedReader serialises a reader that several providers share.
type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return io.ReadFull(l.r, p)
}
