package emulator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"behalf.dev/behalf/integration/emulator"
)

const (
	clientID     = "app-1"
	clientSecret = "s3cret/with=signs"
	callback     = "http://127.0.0.1:9/oauth/callback"
)

// clock is moved by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// rig is a running emulator with one registered app at every provider.
type rig struct {
	*testing.T
	srv    *emulator.Server
	http   *httptest.Server
	admin  emulator.Client
	clock  *clock
	issued *secrets
}

// secrets remembers every token seen, for the leak test.
type secrets struct {
	mu   sync.Mutex
	list []string
}

func (s *secrets) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if v != "" {
			s.list = append(s.list, v)
		}
	}
}

func start(t *testing.T) *rig {
	t.Helper()
	return startWith(t, emulator.Options{})
}

func startWith(t *testing.T, o emulator.Options) *rig {
	t.Helper()
	r := &rig{T: t, clock: &clock{t: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}, issued: &secrets{}}
	o.Now = r.clock.now
	o.Clients = map[string][]emulator.ClientRegistration{}
	for _, name := range []string{"github", "slack", "salesforce"} {
		o.Clients[name] = []emulator.ClientRegistration{{ClientID: clientID, ClientSecret: clientSecret, Name: "Acme Agent", RedirectURIs: []string{callback}}}
	}
	srv, err := emulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.srv, r.http = srv, httptest.NewServer(srv)
	t.Cleanup(r.http.Close)
	srv.SetBaseURL(r.http.URL)
	r.admin = emulator.Client{BaseURL: r.http.URL, HTTP: r.http.Client()}
	return r
}

// config is what an app would hold for the provider.
func (r *rig) config(provider string, scopes ...string) *oauth2.Config {
	paths := map[string][2]string{
		"github":     {"/login/oauth/authorize", "/login/oauth/access_token"},
		"slack":      {"/oauth/v2/authorize", "/api/oauth.v2.access"},
		"salesforce": {"/services/oauth2/authorize", "/services/oauth2/token"},
	}[provider]
	base := r.http.URL + "/" + provider
	return &oauth2.Config{ClientID: clientID, ClientSecret: clientSecret, RedirectURL: callback, Scopes: scopes,
		Endpoint: oauth2.Endpoint{AuthURL: base + paths[0], TokenURL: base + paths[1], AuthStyle: oauth2.AuthStyleInParams}}
}

// web makes x/oauth2 use this server's own connections: closing any httptest
// server closes the idle connections of the default transport, which parallel
// tests would share.
func (r *rig) web() context.Context {
	return context.WithValue(r.Context(), oauth2.HTTPClient, r.http.Client())
}

// signIn runs the whole flow with PKCE.
func (r *rig) signIn(cfg *oauth2.Config, login string) *oauth2.Token {
	r.Helper()
	verifier := oauth2.GenerateVerifier()
	code := r.code(cfg, login, oauth2.S256ChallengeOption(verifier))
	tok, err := cfg.Exchange(r.web(), code, oauth2.VerifierOption(verifier))
	if err != nil {
		r.Fatalf("exchange for %s: %v", login, err)
	}
	r.issued.add(tok.AccessToken, tok.RefreshToken)
	return tok
}

// code approves and returns the code, having checked the state.
func (r *rig) code(cfg *oauth2.Config, login string, opts ...oauth2.AuthCodeOption) string {
	r.Helper()
	to, err := r.admin.Approve(r.Context(), cfg.AuthCodeURL("state-"+login, opts...), login)
	if err != nil {
		r.Fatalf("approve as %s: %v", login, err)
	}
	if got := to.Query().Get("state"); got != "state-"+login {
		r.Fatalf("state = %q", got)
	}
	if !strings.HasPrefix(to.String(), callback+"?") {
		r.Fatalf("redirect to %s", to)
	}
	code := to.Query().Get("code")
	r.issued.add(code)
	return code
}

// answer is a response with its decoded body.
type answer struct {
	status int
	header http.Header
	text   string
}

func (a answer) object() map[string]any {
	var v map[string]any
	_ = json.Unmarshal([]byte(a.text), &v)
	return v
}

func (a answer) at(path string) string {
	var v any
	_ = json.Unmarshal([]byte(a.text), &v)
	for _, key := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(x) {
				return "<none>"
			}
			v = x[i]
		default:
			return "<none>"
		}
	}
	if f, ok := v.(float64); ok {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprint(v)
}

// send makes one request; body is a form when it is url.Values, else JSON.
func (r *rig) send(method, target, bearer string, body any, edit ...func(*http.Request)) (answer, error) {
	var in io.Reader = http.NoBody
	ct := ""
	switch b := body.(type) {
	case nil:
	case url.Values:
		in, ct = strings.NewReader(b.Encode()), "application/x-www-form-urlencoded"
	default:
		data, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		in, ct = strings.NewReader(string(data)), "application/json"
	}
	if strings.HasPrefix(target, "/") {
		target = r.http.URL + target
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), method, target, in)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", ct)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	for _, e := range edit {
		e(req)
	}
	resp, err := r.http.Client().Transport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text)}, err
}

func (r *rig) do(method, target, bearer string, body any, edit ...func(*http.Request)) answer {
	r.Helper()
	a, err := r.send(method, target, bearer, body, edit...)
	if err != nil {
		r.Fatalf("%s %s: %v", method, target, err)
	}
	return a
}

// refresh makes a bare refresh request and remembers what comes back.
func (r *rig) refresh(provider, token string) (answer, error) {
	a, err := r.send("POST", r.config(provider).Endpoint.TokenURL, "", url.Values{"grant_type": {"refresh_token"},
		"refresh_token": {token}, "client_id": {clientID}, "client_secret": {clientSecret}}, wantJSON)
	if o := a.object(); o != nil {
		for _, k := range []string{"access_token", "refresh_token"} {
			v, _ := o[k].(string)
			r.issued.add(v)
		}
	}
	return a, err
}

func (r *rig) mustRefresh(provider, token string) answer {
	r.Helper()
	a, err := r.refresh(provider, token)
	if err != nil {
		r.Fatal(err)
	}
	return a
}

func wantJSON(req *http.Request) { req.Header.Set("Accept", "application/json") }

func (r *rig) change(provider string, ch emulator.SettingsChange) {
	r.Helper()
	if _, err := r.srv.ChangeSettings(provider, ch); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) want(a answer, status int, path, value string) {
	r.Helper()
	if a.status != status {
		r.Errorf("status = %d, want %d: %s", a.status, status, a.text)
	}
	if path != "" && a.at(path) != value {
		r.Errorf("%s = %q, want %q: %s", path, a.at(path), value, a.text)
	}
}

func basicAuth(req *http.Request) { req.SetBasicAuth(clientID, url.QueryEscape(clientSecret)) }
