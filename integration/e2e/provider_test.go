package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/tenant"
)

// ownProvider is a provider over real HTTP whose answers a test writes. It hands out single-use codes and rotating refresh tokens, knows which of its
// tokens live, and keeps what it was asked.
type ownProvider struct {
	*httptest.Server
	t  *testing.T
	id string

	mu    sync.Mutex
	n     int
	live  map[string]bool // access and refresh tokens
	codes map[string]url.Values
	asked []string // "METHOD path?query"

	// back adds to the answer to the browser; answer makes the answer of the token endpoint.
	back   func(q url.Values)
	answer func(p *ownProvider, form url.Values) object
	// registered is where an app sends browsers that it was not told a redirect URI for.
	registered string
	// api answers what is neither authorize nor token.
	api func(w http.ResponseWriter, r *http.Request) bool
}

func newProvider(t *testing.T, id string) *ownProvider {
	t.Helper()
	p := &ownProvider{t: t, id: id, live: map[string]bool{}, codes: map[string]url.Values{}}
	p.answer = func(p *ownProvider, _ url.Values) object {
		return object{"access_token": p.mint("at"), "refresh_token": p.mint("rt"), "expires_in": 3600, "token_type": "Bearer"}
	}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

// mint makes a live token. The caller holds the lock, as answer does.
func (p *ownProvider) mint(kind string) string {
	p.n++
	s := fmt.Sprintf("%s-%s-%06d-0123456789abcdef", p.id, kind, p.n)
	p.live[s] = true
	return s
}

func (p *ownProvider) serve(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.URL.RequestURI())
	p.mu.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/authorize"):
		p.authorize(w, r)
	case strings.HasSuffix(r.URL.Path, "/token"):
		p.token(w, r)
	case p.api != nil && p.api(w, r):
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (p *ownProvider) authorize(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.n++
	code := fmt.Sprintf("code-%d", p.n)
	p.codes[code] = r.Form
	p.mu.Unlock()
	q := url.Values{"code": {code}, "state": {r.FormValue("state")}}
	if p.back != nil {
		p.back(q)
	}
	http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+q.Encode(), http.StatusFound)
}

func (p *ownProvider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	form := r.PostForm
	switch form.Get("grant_type") {
	case "authorization_code":
		if p.codes[form.Get("code")] == nil || form.Get("code_verifier") == "" {
			reply(w, 400, object{"error": "invalid_grant"})
			return
		}
		delete(p.codes, form.Get("code"))
	case "refresh_token":
		old := form.Get("refresh_token")
		if !p.live[old] {
			reply(w, 400, object{"error": "invalid_grant"})
			return
		}
		p.live[old] = false
	}
	reply(w, 200, p.answer(p, form))
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// bearer reports that the request carries a live token.
func (p *ownProvider) bearer(w http.ResponseWriter, r *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")] {
		return true
	}
	reply(w, 401, object{"error": "expired"})
	return false
}

// end makes a token dead, as a revocation does, and reports that it lived.
func (p *ownProvider) end(token string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.live[token]
	p.live[token] = false
	return was
}

// alive are the tokens that still work.
func (p *ownProvider) alive() (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s, ok := range p.live {
		if ok {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// expire makes the access tokens dead that are out.
func (p *ownProvider) expire() {
	for _, s := range p.alive() {
		if strings.Contains(s, "-at-") {
			p.end(s)
		}
	}
}

// count is how many requests began with prefix ("POST /token").
func (p *ownProvider) count(prefix string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.asked {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

// with starts a stack with the provider's connector, whose hosts all lead to the provider, and a client.
func (p *ownProvider) with(t *testing.T, manifest, tools string, hosts map[string]string) *e2e.Fixture {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, p.id), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"connector.yaml": manifest, "tools.yaml": tools} {
		if err := os.WriteFile(filepath.Join(dir, p.id, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]string{}
	for name, path := range hosts {
		all[name] = p.URL + path
	}
	over, err := json.Marshal(map[string]map[string]string{p.id: all})
	if err != nil {
		t.Fatal(err)
	}
	f := e2e.Start(t, e2e.Options{Connectors: dir, Getenv: func(name string) string {
		if name == env.ConnectorHosts {
			return string(over)
		}
		return ""
	}})
	f.Back(t, "PUT", "/v1/connectors/"+p.id+"/client", object{"client_id": "own", "client_secret": "own-secret-0123456789"}).Want(t, 200)
	return f
}

// consent walks a browser from a link to the return to the SaaS, through whatever the provider puts in between.
func consent(t *testing.T, f *e2e.Fixture, b *e2e.Browser, link e2e.Answer) string {
	t.Helper()
	b.Open(t, link.Text("url")).Want(t, 200)
	next := b.Submit(t, link.Text("url"), nil).Want(t, 303).Header.Get("Location")
	for range 8 {
		if strings.HasPrefix(next, e2e.ReturnURL) {
			return next
		}
		a := b.Open(t, next)
		if a.Status != 302 && a.Status != 303 {
			t.Fatalf("%s answered %d: %.400s", next, a.Status, a.Body)
		}
		next = a.Header.Get("Location")
	}
	t.Fatal("the browser goes round in circles")
	return ""
}

// connectOwn connects for user_alice of acme, and returns the connection's id.
func connectOwn(t *testing.T, f *e2e.Fixture, connector string, more object) string {
	t.Helper()
	l := f.Link(t, "acme", "user_alice", connector, more)
	consent(t, f, f.NewBrowser(t), l)
	return f.Confirm(t, l.Text("id"), "user_alice").Want(t, 200).Text("connection_id")
}

// merged is a copy of a with b over it.
func merged(a, b object) object {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// noSlots fails the test if the tables hold tokens of a connection.
func noSlots(t *testing.T, f *e2e.Fixture, connector, id string) {
	t.Helper()
	w := open(t, f, "refresh", "refresh", tenant.Scope{Tenant: "acme"})
	ref := connection.Ref{Scope: tenant.Scope{Tenant: "acme", Principal: "user_alice"}, Connector: connector, ID: connection.ID(id)}
	for g := range uint64(4) {
		s, ok, err := w.DB.Slot(t.Context(), ref, g)
		if err != nil || ok && (s.Access != nil || s.Refresh != nil) {
			t.Errorf("the tables still hold tokens of %s: %v", id, err)
		}
	}
}

// sealedTokens counts the slots of a principal's connections that hold tokens, parts included.
func sealedTokens(t *testing.T, f *e2e.Fixture, id tenant.ID, p tenant.Principal) (n int) {
	t.Helper()
	w := open(t, f, "refresh", "refresh", tenant.Scope{Tenant: id})
	all, err := w.DB.ConnectionsOf(t.Context(), tenant.Scope{Tenant: id, Principal: p})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		for g := range uint64(2) {
			s, ok, err := w.DB.Slot(t.Context(), c.Ref, g)
			if err != nil {
				t.Fatal(err)
			}
			if ok && s.Access != nil {
				n++
			}
		}
	}
	return n
}
