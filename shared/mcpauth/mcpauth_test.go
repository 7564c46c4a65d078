package mcpauth_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/mcpauth"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

const (
	public   = "https://behalf.example/prod"
	clientID = "https://client.example/client.json"
	redirect = "https://client.example/cb"
)

// store is everything in maps, with the versions of the real one.
type store struct {
	logins map[string]mcpauth.Login
	grants map[string]mcpauth.Grant
	ended  []string
	gates  toolcall.Gates
	notes  []string
	now    time.Time
	n      int
}

var lost = fault.New(fault.Conflict, "somebody else wrote first")

func (s *store) PutLogin(_ context.Context, hash string, l mcpauth.Login) (mcpauth.Login, error) {
	if s.logins[hash].Version != l.Version {
		return l, lost
	}
	l.Version++
	s.logins[hash] = l
	return l, nil
}

func (s *store) Login(_ context.Context, _ tenant.ID, hash string) (mcpauth.Login, error) {
	l, ok := s.logins[hash]
	if !ok {
		return l, fault.New(fault.NotFound, "none")
	}
	return l, nil
}

func (s *store) PutGrant(_ context.Context, g mcpauth.Grant) (mcpauth.Grant, error) {
	if s.grants[g.Session].Version != g.Version {
		return g, lost
	}
	g.Version++
	s.grants[g.Session] = g
	return g, nil
}

func (s *store) Grant(_ context.Context, _ tenant.Scope, session string) (mcpauth.Grant, error) {
	g, ok := s.grants[session]
	if !ok {
		return g, fault.New(fault.NotFound, "none")
	}
	return g, nil
}

func (s *store) EndSession(_ context.Context, _ tenant.Scope, session string, _ time.Time) error {
	s.ended = append(s.ended, session)
	return nil
}

func (s *store) Standing(context.Context, tenant.Scope) (toolcall.Gates, error) { return s.gates, nil }

func (s *store) secret() string {
	s.n++
	return fmt.Sprintf("secret-%044d", s.n)
}

func newStore() *store {
	return &store{logins: map[string]mcpauth.Login{}, grants: map[string]mcpauth.Grant{}, now: time.Unix(1_800_000_000, 0)}
}

func (s *store) tokens() *mcpauth.Tokens {
	return &mcpauth.Tokens{Logins: s, Grants: s, Standing: s, Issuer: public, Now: func() time.Time { return s.now }, NewSecret: s.secret,
		NewSession: func(tenant.Scope) string { return "sess_1" },
		Ended: func(_ context.Context, _ mcpauth.Grant, reason string) error {
			s.notes = append(s.notes, reason)
			return nil
		}}
}

var verifier = strings.Repeat("v", 43)

func challenge() string {
	h := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// coded puts a code into the store.
func (s *store) coded(refresh bool) string {
	code := "acme." + s.secret()
	s.logins[mcpauth.Digest(code)] = mcpauth.Login{Request: mcpauth.Request{ClientID: clientID, RedirectURI: redirect, Challenge: challenge(), Resource: "/mcp"}, Scope: tenant.Scope{Tenant: "acme", Principal: "alice"},
		Refresh: refresh, Status: mcpauth.Allowed, Expires: s.now.Add(mcpauth.CodeLife), Version: 1}
	return code
}

func exchange(code string) url.Values {
	return url.Values{"code": {code}, "client_id": {clientID}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
}

func renewal(refresh string) url.Values {
	return url.Values{"refresh_token": {refresh}, "client_id": {clientID}}
}

func TestGrant_HasAnEnd_HoweverOftenItIsRenewed(t *testing.T) {
	t.Parallel()
	s := newStore()
	got, err := s.tokens().Exchange(t.Context(), "acme", exchange(s.coded(true)))
	if err != nil {
		t.Fatal(err)
	}
	began := s.now
	for {
		s.now = s.now.Add(mcpauth.IdleLife - 10*time.Minute)
		next, err := s.tokens().Renew(t.Context(), "acme", renewal(got.Refresh))
		if over := s.now.Sub(began) >= mcpauth.GrantLife; over != (err != nil) {
			t.Fatalf("after %v: %v", s.now.Sub(began), err)
		}
		if err != nil {
			return
		}
		if end := began.Add(mcpauth.GrantLife); next.Session.Expires.After(end) {
			t.Fatalf("an access token lives until %v, the login until %v", next.Session.Expires, end)
		}
		got = next
	}
}

func TestGrant_WithoutRefreshTokens_EndsWithItsSession(t *testing.T) {
	t.Parallel()
	s := newStore()
	got, err := s.tokens().Exchange(t.Context(), "acme", exchange(s.coded(false)))
	if err != nil || got.Refresh != "" || !got.Grant.Ends.Equal(got.Session.Expires) || len(s.logins) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
}

// Whoever lost a race for the code may find the grant not written yet; then it must never come to be.
func TestExchange_ReplayBeforeTheGrantIsWritten_KeepsItFromBeing(t *testing.T) {
	t.Parallel()
	s := newStore()
	code := s.coded(true)
	l := s.logins[mcpauth.Digest(code)]
	l.Status, l.Session, l.Version = mcpauth.Exchanged, "sess_1", 2 // the winner has come this far
	s.logins[mcpauth.Digest(code)] = l
	if _, err := s.tokens().Exchange(t.Context(), "acme", exchange(code)); fault.From(err).Detail["reason"] != "invalid_grant" {
		t.Fatal(err)
	}
	if g := s.grants["sess_1"]; g.Ended != "code_reused" || g.Live(s.now) || len(s.ended) != 1 || len(s.notes) != 1 {
		t.Errorf("%+v, sessions ended %v, noted %v", g, s.ended, s.notes)
	}
	if _, err := s.PutGrant(t.Context(), mcpauth.Grant{Session: "sess_1"}); err == nil {
		t.Error("the winner writes the grant all the same")
	}
}

func TestRenew_TwoAtOnceWithOneToken_EndTheLogin(t *testing.T) {
	t.Parallel()
	s := newStore()
	got, err := s.tokens().Exchange(t.Context(), "acme", exchange(s.coded(true)))
	if err != nil {
		t.Fatal(err)
	}
	racing := s.tokens()
	racing.NewSecret = func() string { // while the first is on its way, the second comes and goes
		racing.NewSecret = s.secret
		if _, err := s.tokens().Renew(t.Context(), "acme", renewal(got.Refresh)); err != nil {
			t.Error(err)
		}
		return s.secret()
	}
	if _, err := racing.Renew(t.Context(), "acme", renewal(got.Refresh)); err == nil || s.grants["sess_1"].Ended != "refresh_token_reused" {
		t.Errorf("%v %+v", err, s.grants["sess_1"])
	}
}

func TestTokens_NobodyWhoMayNotAct_GetsAny(t *testing.T) {
	t.Parallel()
	for name, gates := range map[string]toolcall.Gates{"closed": {TenantClosed: true}, "suspended": {Suspended: true}, "switched off": {Switches: []policy.Switches{{Tenant: true}}},
		"client switched off": {Switches: []policy.Switches{{}, {Agents: []string{clientID}}}}, "all sessions ended": {Ended: authn.Ended{Through: 1_800_000_000}}} {
		s := newStore()
		got, err := s.tokens().Exchange(t.Context(), "acme", exchange(s.coded(true)))
		if err != nil {
			t.Fatal(err)
		}
		s.gates = gates
		if _, err := s.tokens().Renew(t.Context(), "acme", renewal(got.Refresh)); err == nil {
			t.Errorf("%s: renewed", name)
		}
		s.gates = toolcall.Gates{}
		if _, err := s.tokens().Renew(t.Context(), "acme", renewal(got.Refresh)); err == nil {
			t.Errorf("%s: it comes back when that is over", name)
		}
	}
	s := newStore()
	s.gates = toolcall.Gates{Suspended: true}
	if _, err := s.tokens().Exchange(t.Context(), "acme", exchange(s.coded(true))); err == nil || len(s.grants) != 0 {
		t.Errorf("exchanged: %v", err)
	}
}

// A ticket opens a page and is no code, a code is no refresh token, and the other way round.
func TestSecrets_OfOneKind_AreNoneOfAnother(t *testing.T) {
	t.Parallel()
	s := newStore()
	code := s.coded(true)
	ticket := "acme." + s.secret()
	l := s.logins[mcpauth.Digest(code)]
	l.Guard, l.Browser = "guard", mcpauth.Digest("cookie")
	s.logins[mcpauth.Digest(ticket)] = l // as a ticket is after the answer
	f := &mcpauth.Front{Now: func() time.Time { return s.now }}
	if _, err := s.tokens().Exchange(t.Context(), "acme", exchange(ticket)); err == nil {
		t.Error("a ticket was taken for a code")
	}
	if _, err := f.Open(t.Context(), s, code, ""); err == nil {
		t.Error("a code was taken for a ticket")
	}
	if _, err := s.tokens().Renew(t.Context(), "acme", renewal(code+".x")); err == nil {
		t.Error("a code was taken for a refresh token")
	}
	got, err := s.tokens().Exchange(t.Context(), "acme", exchange(code))
	if err != nil {
		t.Fatal(err)
	}
	family := got.Refresh[:strings.LastIndexByte(got.Refresh, '.')]
	if _, err := s.tokens().Exchange(t.Context(), "acme", exchange(family)); err == nil {
		t.Error("half a refresh token was taken for a code")
	}
	if _, err := f.Open(t.Context(), s, family, ""); err == nil {
		t.Error("half a refresh token was taken for a ticket")
	}
	if s.grants["sess_1"].Ended != "" {
		t.Error("that ended the login")
	}
}

func TestRegistered_OnlyThePortOfThisComputerIsFree(t *testing.T) {
	t.Parallel()
	list := []string{"https://client.example/cb", "http://127.0.0.1/cb", "http://localhost:3000/cb", "http://[::1]:9/cb"}
	for uri, want := range map[string]bool{
		"https://client.example/cb": true, "https://client.example:443/cb": false, "https://client.example/cb/": false, "https://CLIENT.example/cb": false,
		"http://127.0.0.1/cb": true, "http://127.0.0.1:1/cb": true, "http://127.0.0.1:65535/cb": true, "http://127.0.0.1:1/cb?x": false, "http://127.0.0.2/cb": false, "http://127.0.0.1:1/other": false,
		"http://localhost/cb": true, "http://localhost:1/cb": true, "https://localhost:1/cb": false, "http://[::1]:1/cb": true, "http://[::1]/cb": true, "http://[::2]/cb": false, "http://LOCALHOST/cb": false,
	} {
		if got := mcpauth.Registered(list, uri); got != want {
			t.Errorf("%s: %v", uri, got)
		}
	}
}

func TestParseResource(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{public + "/mcp": "/mcp", public + "/mcp/": "/mcp", "HTTPS://BEHALF.example/prod/mcp": "/mcp", public + "/mcp/support": "/mcp/support",
		public: "", "https://behalf.example/mcp": "", "https://behalf.example/prod/mcp?x=1": "", public + "/mcp#x": "", public + "/MCP": "", public + "/mcp/a/b": "", public + "/mcp/%73upport": "", "": "", "/mcp": "", "https://behalf.example.evil/prod/mcp": "",
		"http://behalf.example/prod/mcp": "", "https://behalf.example:444/prod/mcp": "", "https://x@behalf.example/prod/mcp": "", public + "//mcp": ""} {
		got, err := mcpauth.ParseResource(s, public)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q %v", s, got, err)
		}
	}
}

func TestCheckClientID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{clientID: true, "https://client.example:8443/a/b.json": true, "https://client.example": false, "https://client.example/": false, "http://client.example/c": false, "https://client.example/c#f": false,
		"https://client.example/c?x=1": false, "https://u:p@client.example/c": false, "https://client.example/a/../c": false, "https://client.example/./c": false, "https://client.example/%2e%2e/c": false, "https://CLIENT.example/c": false,
		"https://10.0.0.1/c": false, "https://[::1]/c": false, "https://localhost/c": false, "http://127.0.0.1:1/c": false, "https://client.example/" + strings.Repeat("x", 100): false, "https://clïent.example/c": false,
		"https:client.example/c": false, "//client.example/c": false, "some-client": false, "": false, "https://client.example\\@evil.example/c": false} {
		if err := mcpauth.CheckClientID(id, false); (err == nil) != want {
			t.Errorf("%s: %v", id, err)
		}
	}
	if mcpauth.CheckClientID("http://127.0.0.1:1/c", true) != nil || mcpauth.CheckClientID("http://client.example/c", true) == nil {
		t.Error("the local stack takes this machine over http, and nothing else")
	}
}

// documents serves whatever makes it answer, behind TLS, and counts.
func documents(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s
}

// Outside of the local stack the guard refuses every address that is not public, whatever its name; nothing of ours is asked.
func TestClients_PrivateAddresses_AreNotAsked(t *testing.T) {
	t.Parallel()
	asked := 0
	s := documents(t, func(http.ResponseWriter, *http.Request) { asked++ })
	c := mcpauth.NewClients(egress.New(egress.Options{MaxResponse: mcpauth.MaxDocument}), true, time.Now) // takes the id; the guard must not
	if _, err := c.Find(t.Context(), s.URL+"/c"); err == nil || strings.Contains(fault.From(err).Message, "public") {
		t.Errorf("%v", err)
	}
	if asked != 0 {
		t.Errorf("asked %d times", asked)
	}
}

func TestClients_KeepsWhatItFound_WithinBounds(t *testing.T) {
	t.Parallel()
	now, asked, control := time.Unix(1_800_000_000, 0), 0, "max-age=120"
	var s *httptest.Server
	s = documents(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", control)
		_, _ = fmt.Fprintf(w, `{"client_id":%q,"client_name":"  A\tclient \u202e","redirect_uris":[%q]}`, s.URL+r.URL.Path, redirect)
	})
	c := mcpauth.NewClients(egress.New(egress.Options{AllowPrivate: true, MaxResponse: mcpauth.MaxDocument}), true, func() time.Time { return now })
	find := func(path string) mcpauth.Client {
		t.Helper()
		got, err := c.Find(t.Context(), s.URL+path)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := find("/c"); got.Name != "A client" || !got.Refresh || len(got.Redirects) != 1 {
		t.Errorf("%+v", got)
	}
	for _, step := range []struct {
		ahead time.Duration
		want  int
	}{{119 * time.Second, 1}, {2 * time.Second, 2}} {
		now = now.Add(step.ahead)
		if find("/c"); asked != step.want {
			t.Errorf("asked %d times, want %d", asked, step.want)
		}
	}
	control = "max-age=31536000"
	find("/d")
	now = now.Add(61 * time.Minute)
	if find("/d"); asked != 4 {
		t.Errorf("kept for longer than an hour: asked %d times", asked)
	}
	control = "no-store"
	find("/e")
	if find("/e"); asked != 5 {
		t.Errorf("no-store made each request a fetch: asked %d times", asked)
	}
	for i := range 300 { // a flood empties what is kept, and grows nothing
		find(fmt.Sprintf("/flood%d", i))
	}
}

func TestForm_ClientAuthenticationAndRepetition_AreRefused(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{"client_id=a&code=1": "", "code=1": "invalid_client", "client_id=a&client_secret=b": "invalid_client", "client_id=a&client_assertion=b": "invalid_client", "client_id=a&client_id=a": "invalid_request", "client_id=a&x=%zz": "invalid_request"} {
		_, err := mcpauth.Form([]byte(body))
		got := ""
		if err != nil {
			got, _ = fault.From(err).Detail["reason"].(string)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// FuzzParseRequest: whatever is accepted is safe to keep, to show and to send back to.
func FuzzParseRequest(f *testing.F) {
	good := url.Values{"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirect}, "state": {"s"}, "resource": {public + "/mcp"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"}}
	f.Add(good.Encode())
	f.Add(strings.Replace(good.Encode(), "https%3A%2F%2Fclient.example%2Fcb", "http%3A%2F%2F%5B%3A%3A1%5D%3A1%2Fcb", 1))
	f.Add(good.Encode() + "&redirect_uri=https%3A%2F%2Fevil.example")
	f.Add(good.Encode() + "&scope=a&prompt=none")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		r, err := mcpauth.ParseRequest(q, public)
		if err != nil {
			if fault.From(err).Code != fault.InvalidInput {
				t.Fatalf("%v", err)
			}
			return
		}
		u, err := url.Parse(r.RedirectURI)
		if err != nil || u.Scheme != "https" && !mcpauth.Loopback(r.RedirectURI) || u.User != nil || u.Fragment != "" || u.Hostname() == "" || strings.ContainsAny(r.RedirectURI+r.State, "\r\n\x00") {
			t.Fatalf("redirect %q, state %q", r.RedirectURI, r.State)
		}
		if r.Resource != "/mcp" && !strings.HasPrefix(r.Resource, "/mcp/") || len(r.Challenge) != 43 || len(q["redirect_uri"]) != 1 || len(q["code_challenge"]) != 1 {
			t.Fatalf("%+v", r)
		}
	})
}
