package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// MCPClient is an interactive MCP client with a metadata document on this machine.
type MCPClient struct {
	// ID is its client id, Redirect its redirect URI. Nothing listens there: a Browser shows redirects.
	ID, Redirect string
	// Document is what is served at ID; change it before the first login.
	Document Object
	// Fetched counts how often the document was asked for.
	Fetched  atomic.Int64
	Verifier string
}

// NewMCPClient serves a client's document until the test's end.
func NewMCPClient(t testing.TB) *MCPClient {
	t.Helper()
	c := &MCPClient{Redirect: "http://127.0.0.1/callback", Verifier: rand.Text() + rand.Text()}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c.Fetched.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(c.Document)
	}))
	t.Cleanup(s.Close)
	c.ID = s.URL + "/client.json"
	c.Document = Object{"client_id": c.ID, "client_name": "Test client", "redirect_uris": []string{c.Redirect}, "grant_types": []string{"authorization_code", "refresh_token"}, "token_endpoint_auth_method": "none"}
	return c
}

// Challenge is the S256 challenge of the client's verifier.
func (c *MCPClient) Challenge() string {
	h := sha256.Sum256([]byte(c.Verifier))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// Query is an authorization request that is right in all.
func (c *MCPClient) Query(f *Fixture) url.Values {
	return url.Values{"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {c.Redirect}, "state": {"st-1"}, "resource": {f.URL + "/mcp"}, "code_challenge": {c.Challenge()}, "code_challenge_method": {"S256"}}
}

// Begin opens an authorization request in a browser, and returns the reference that the login page is given.
func (f *Fixture) Begin(t testing.TB, b *Browser, c *MCPClient) string {
	t.Helper()
	to, err := url.Parse(b.Open(t, f.URL+"/oauth/authorize?"+c.Query(f).Encode()).Want(t, 303).Header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), f.URL+"/dev/login?") {
		t.Fatalf("the browser was sent to %v (%v)", to, err)
	}
	return to.Query().Get("mcp_login")
}

// ConfirmLogin is the back end's word on who is signed in; more adds to the body ("connectors").
func (f *Fixture) ConfirmLogin(t testing.TB, reference, tenant, principal string, more Object) Answer {
	t.Helper()
	body := Object{"mcp_login": reference, "tenant": tenant, "principal": principal}
	for k, v := range more {
		body[k] = v
	}
	return f.Back(t, "POST", "/v1/mcp-logins", body)
}

var guardOf = regexp.MustCompile(`name="guard" value="([^"]+)"`)

// Guard is the hidden token of a page's form.
func Guard(a Answer) string {
	if m := guardOf.FindStringSubmatch(a.Body); m != nil {
		return m[1]
	}
	return ""
}

// Code walks through a login up to the code.
func (f *Fixture) Code(t testing.TB, c *MCPClient, tenant, principal string, more Object) string {
	t.Helper()
	b := f.NewBrowser(t)
	page := f.ConfirmLogin(t, f.Begin(t, b, c), tenant, principal, more).Want(t, 201).Text("continue_url")
	guard := Guard(b.Open(t, page).Want(t, 200))
	back, err := url.Parse(b.Submit(t, page, url.Values{"guard": {guard}, "decision": {"allow"}}).Want(t, 303).Header.Get("Location"))
	if err != nil || back.Query().Get("state") != "st-1" || back.Query().Get("iss") != f.URL || !strings.HasPrefix(back.String(), c.Redirect+"?") {
		t.Fatalf("the browser was sent to %v (%v)", back, err)
	}
	return back.Query().Get("code")
}

// Token sends a form to the token endpoint, or another.
func (f *Fixture) Token(t testing.TB, path string, form url.Values) Answer {
	t.Helper()
	return f.Do(t, Request{Method: "POST", Path: path, Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: form.Encode()})
}

// Exchange is the form that takes a code.
func (c *MCPClient) Exchange(f *Fixture, code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "client_id": {c.ID}, "redirect_uri": {c.Redirect}, "code_verifier": {c.Verifier}, "resource": {f.URL + "/mcp"}}
}

// Renewal is the form that takes a refresh token.
func (c *MCPClient) Renewal(refresh string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {c.ID}}
}
