package stack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"behalf.dev/behalf/integration/stack"
	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

// asked is one request that an odd provider got.
type asked struct {
	method, path string
	query, form  url.Values
	header       http.Header
}

// odd is a provider with habits. Its requests are kept; token says what each token request is answered with.
type odd struct {
	manifest string
	// code is the parameter of its answer that holds the code.
	code string
	// stale is an access token that its API does not accept any more.
	stale string
	token func(t *testing.T, n int, a asked) (media, body string)

	mu   sync.Mutex
	got  []asked
	toks int
}

// serve is the provider at /<id>: authorize, token, renew and api.
func (o *odd) serve(t *testing.T, id string, w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a := asked{method: r.Method, path: strings.TrimPrefix(r.URL.Path, "/"+id), query: r.URL.Query(), header: r.Header}
	body, _ := io.ReadAll(r.Body) // a cut body shows as a missing field
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		fields := map[string]string{}
		if err := json.Unmarshal(body, &fields); err != nil {
			t.Errorf("%s: %s", id, body)
		}
		a.form = url.Values{}
		for k, v := range fields {
			a.form.Set(k, v)
		}
	} else {
		a.form, _ = url.ParseQuery(string(body))
	}
	o.got = append(o.got, a)
	if strings.HasPrefix(a.path, "/api/") {
		if o.stale != "" && strings.HasSuffix(a.header.Get("Authorization"), o.stale) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"u1"}`)
		return
	}
	o.toks++
	media, answer := o.token(t, o.toks, a)
	w.Header().Set("Content-Type", media)
	_, _ = io.WriteString(w, answer)
}

// all are the requests to path.
func (o *odd) all(path string) (out []asked) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.got {
		if a.path == path {
			out = append(out, a)
		}
	}
	return out
}

const oddHead = `id: ID
name: Odd
description: A provider with habits.
docs_url: https://odd.example/docs
hosts: {web: https://odd.example}
identity: {request: {method: GET, url: "{web}/api/me"}, map: {account_id: id}}
`

const oddTail = `
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
`

const asJSON = "application/json"

// want is what the n-th token request must hold; "" means that the parameter must be absent.
func want(t *testing.T, a asked, in url.Values, fields map[string]string) {
	t.Helper()
	for name, v := range fields {
		if in.Get(name) != v || v == "" && in.Has(name) {
			t.Errorf("%s %s: %s is %q, want %q in %v", a.method, a.path, name, in.Get(name), v, in)
		}
	}
}

// odds are emulated providers, each with several of the habits that a manifest can state.
func odds() map[string]*odd {
	return map[string]*odd{
		// TikTok-like: other names, one more token URL, the answer in an object, commas.
		"renamed": {manifest: `auth: {mode: oauth2, client_auth: client_secret_post, pkce: use}
authorize: {url: "{web}/authorize", param_renames: {client_id: client_key, code_challenge: challenge}, params: {app: "{client_id}"}}
token: {url: "{web}/token", roots: [data], param_renames: {client_id: client_key, code_verifier: verifier}, headers: {X-Request: "{request_id}"}}
refresh: {url: "{web}/renew", params: {again: "1"}}
scopes: {separator: ",", required: [base], default: [list], known: {base: {description: B., effect: read}, list: {description: L., effect: read}}}
expires: {mode: field, format: milliseconds, refresh_format: epoch_seconds}
rotation: {class: strict}
api: {base: "{web}/api", auth: {header: X-Token, format: "{token}"}, headers: {X-Version: "7"}}`,
			code: "code", token: func(_ *testing.T, n int, _ asked) (string, string) {
				return asJSON, fmt.Sprintf(`{"data":{"access_token":"renamed-access-%d","refresh_token":"renamed-refresh-%d","expires_in":3600000,"refresh_token_expires_in":4102444800,"scope":"base,list"}}`, n, n)
			}},
		// Bullhorn- and Apollo-like: everything in the address, XML, a page behind "#", bare scopes, the code under another name.
		"bare": {manifest: `auth: {mode: oauth2, client_auth: client_secret_post, pkce: never}
authorize: {url: "{web}", fragment_route: /oauth/authorize, unencoded_scope: true, drop_empty_params: true, code_param: oauth_code, param_renames: {response_type: ""}, params: {empty: ""}}
token: {url: "{web}/token", method: GET, format: query, omit: [grant_type], success: [{path: result, is: ["0000"]}]}
scopes: {separator: "+", default: ["a:r", "b:r"], known: {"a:r": {description: A., effect: read}, "b:r": {description: B., effect: read}}}
expires: {mode: field, format: rfc3339}
rotation: {class: strict}
api: {base: "{web}/api", auth: {in: query, param: BhRestToken}, query: {v: 2}}`,
			code: "oauth_code", token: func(_ *testing.T, n int, _ asked) (string, string) {
				return "text/xml", fmt.Sprintf(`<?xml version="1.0"?><r><result>0000</result><access_token>bare-access-%d</access_token><refresh_token>bare-refresh-%d</refresh_token><expires_in>2099-01-01T00:00:00Z</expires_in></r>`, n, n)
			}},
		// Stripe-Apps- and GitLab-like: the secret as user name; a refresh that repeats the redirect URI; two lists of scopes.
		"lists": {manifest: `auth: {mode: oauth2, client_auth: client_secret_as_username, pkce: required}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token", format: json}
refresh: {include: [redirect_uri]}
scopes:
  default: [read, "user:read", extra]
  lists: [{param: user_scope, prefix: "user:", path: authed.scope}, {param: optional_scope, members: [extra]}]
  known: {read: {description: R., effect: read}, "user:read": {description: U., effect: read}, extra: {description: E., effect: read}}
expires: {mode: fixed, seconds: 3600}
rotation: {class: static}
api: {base: "{web}/api"}`,
			code: "code", token: func(_ *testing.T, n int, _ asked) (string, string) {
				return asJSON, fmt.Sprintf(`{"access_token":"lists-access-%d","refresh_token":"lists-refresh-000","scope":"read extra","authed":{"scope":"read"}}`, n)
			}},
		// Instagram-like: the access token is traded for the next one, without client.
		"traded": {manifest: `auth: {mode: oauth2, client_auth: client_secret_post, pkce: use}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token"}
refresh: {kind: reexchange_access_token, url: "{web}/renew", method: GET, format: query, grant_type: ig_refresh_token, token_param: access_token, omit: [client_id, client_secret]}
scopes: {mode: fixed, default: [basic], known: {basic: {description: B., effect: read}}}
expires: {mode: field}
rotation: {class: static}
api: {base: "{web}/api"}`,
			code: "code", token: func(_ *testing.T, n int, _ asked) (string, string) {
				return asJSON, fmt.Sprintf(`{"access_token":"traded-access-%d","expires_in":5184000}`, n)
			}},
		// Notion-like: no expiry is told, and a 401 is the sign; form-encoded answers.
		"quiet": {manifest: `auth: {mode: oauth2, client_auth: client_secret_basic, pkce: use}
authorize: {url: "{web}/authorize/"}
token: {url: "{web}/token/", format: json, headers: {Accept: application/x-www-form-urlencoded, X-Version: "2025-09-03"}}
scopes: {mode: fixed, default: [basic], known: {basic: {description: B., effect: read}}}
expires: {mode: on_401}
rotation: {class: strict}
api: {base: "{web}/api"}`,
			code: "code", stale: "quiet-access-2", token: func(_ *testing.T, n int, _ asked) (string, string) {
				return "application/x-www-form-urlencoded", fmt.Sprintf(`access_token=quiet-access-%d&refresh_token=quiet-refresh-%d`, n, n)
			}},
		// Vercel-like: the consent names an installation, tokens come from the client's own credentials.
		"installed": {manifest: `auth: {mode: oauth2, client_auth: client_secret_basic, pkce: use}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token", capture: {installation: installation_id, site: site}}
refresh: {kind: client_credentials, params: {installation: "{connection.installation}"}}
scopes: {mode: fixed, default: [basic], known: {basic: {description: B., effect: read}}}
expires: {mode: field}
rotation: {class: static}
api: {base: "{web}/api/{connection.site}", headers: {X-Site: "{connection.site}"}}`,
			code: "code", token: func(_ *testing.T, n int, _ asked) (string, string) {
				return asJSON, fmt.Sprintf(`{"access_token":"installed-access-%d","expires_in":3600,"installation_id":"inst_1","site":"s1"}`, n)
			}},
	}
}

// oddStack runs all of them behind one stack.
func oddStack(t *testing.T, all map[string]*odd, log io.Writer) (*stack.Stack, *client.Client) {
	t.Helper()
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		all[id].serve(t, id, w, r)
	}))
	t.Cleanup(provider.Close)
	dir, hosts := t.TempDir(), map[string]map[string]string{}
	for id, o := range all {
		if err := os.MkdirAll(filepath.Join(dir, id), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, id, "connector.yaml"), []byte(strings.Replace(oddHead, "ID", id, 1)+o.manifest+oddTail), 0o600); err != nil {
			t.Fatal(err)
		}
		hosts[id] = map[string]string{"web": provider.URL + "/" + id}
	}
	overrides, err := json.Marshal(hosts)
	if err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) string {
		if name == env.ConnectorHosts {
			return string(overrides)
		}
		return ""
	}
	s, err := stack.Start(t.Context(), stack.Options{Connectors: dir, Getenv: getenv, Log: logTo(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	c, err := client.New(s.URL, client.WithAPIKey(secret.FromString(s.APIKey())))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutTenant(t.Context(), "acme", client.TenantSettings{}); err != nil {
		t.Fatal(err)
	}
	return s, c
}

// consent walks a browser to the consent page, whose address it returns, and back with the code.
func consent(t *testing.T, s *stack.Stack, c *client.Client, id, codeParam string) (address string, conn client.Connection) {
	t.Helper()
	link, err := c.CreateConnectLink(t.Context(), client.ConnectLinkRequest{Tenant: "acme", Principal: "user_dora", Connector: id, ReturnURL: s.URL + "/healthz"})
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	open := func(method, to string) string {
		req, err := http.NewRequestWithContext(t.Context(), method, to, nil)
		if err != nil {
			t.Fatal(err)
		}
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body) // only for the message below
		_ = res.Body.Close()
		if method == http.MethodPost && res.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", id, res.StatusCode, body)
		}
		return res.Header.Get("Location")
	}
	open(http.MethodGet, link.URL)
	address = open(http.MethodPost, link.URL)
	_, query, _ := strings.Cut(address, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	open(http.MethodGet, q.Get("redirect_uri")+"?"+url.Values{codeParam: {"the-code"}, "state": {q.Get("state")}}.Encode())
	got, err := c.ConfirmConnectLink(t.Context(), link.ID, "user_dora")
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	conn, err = c.Connection(t.Context(), "acme", got.ConnectionID)
	if err != nil {
		t.Fatal(err)
	}
	return address, conn
}

// TestKnobs_ProvidersWithHabits_ConnectRefreshAndCall drives each habit over HTTP: consent, exchange, refresh, call.
func TestKnobs_ProvidersWithHabits_ConnectRefreshAndCall(t *testing.T) {
	t.Parallel()
	all := odds()
	var log lines
	s, c := oddStack(t, all, &log)
	addresses, granted := map[string]string{}, map[string][]string{}
	for id, o := range all {
		if _, err := c.PutOAuthClient(t.Context(), id, "own", secret.FromString("own-secret-0123")); err != nil {
			t.Fatal(err)
		}
		address, conn := consent(t, s, c, id, o.code)
		addresses[id], granted[id] = address, conn.Scopes
		if r, err := c.RefreshConnection(t.Context(), "acme", conn.ID); err != nil || r.Result != "refreshed" {
			t.Errorf("%s: %+v %v", id, r, err)
		}
		session, err := c.CreateSession(t.Context(), client.SessionRequest{Tenant: "acme", Principal: "user_dora", Agent: "test"})
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Client{Transport: c.Session(session.Token).Transport(id)}).Get("https://odd.example/thing?x=1")
		if err != nil || res.StatusCode != 200 {
			t.Errorf("%s: %v %v", id, res, err)
			continue
		}
		_ = res.Body.Close()
	}
	importOdd(t, c, all)
	for id, check := range knobChecks() {
		t.Run(id, func(t *testing.T) { check(t, all[id], addresses[id], granted[id]) })
	}
	if text := log.String(); strings.Contains(text, "-access-") || strings.Contains(text, "-refresh-") || strings.Contains(text, "own-secret") || strings.Contains(text, "the-code") {
		t.Errorf("a credential is in the log:\n%s", text)
	}
}

// importOdd takes over credentials: an access token where that is what is renewed, with the redirect URI where it is repeated.
func importOdd(t *testing.T, c *client.Client, all map[string]*odd) {
	t.Helper()
	for id, member := range map[string]string{"traded": "access_token", "lists": "refresh_token", "installed": "access_token"} {
		got, err := c.ImportConnection(t.Context(), "acme", client.ImportRequest{Principal: "user_erin", Connector: id, Credential: map[string]secret.Text{member: secret.FromString("imported-credential-0123")}})
		if id == "installed" {
			if !fault.Is(err, fault.InvalidInput) {
				t.Errorf("%s: %v", id, err)
			}
			continue
		}
		if err != nil || got.Status != "active" {
			t.Errorf("%s: %+v %v", id, got, err)
		}
	}
	renew, tokens := all["traded"].all("/renew"), all["lists"].all("/token")
	want(t, renew[1], renew[1].query, map[string]string{"access_token": "imported-credential-0123"})
	want(t, tokens[2], tokens[2].form, map[string]string{"refresh_token": "imported-credential-0123"})
}

func knobChecks() map[string]func(t *testing.T, o *odd, address string, scopes []string) {
	return map[string]func(t *testing.T, o *odd, address string, scopes []string){
		"renamed": checkRenamed, "bare": checkBare, "lists": checkLists,
		"quiet": func(t *testing.T, o *odd, address string, _ []string) {
			tokens, calls := o.all("/token/"), o.all("/api/thing")
			if len(tokens) != 3 || len(calls) != 2 || calls[1].header.Get("Authorization") != "Bearer quiet-access-3" || !strings.Contains(address, "/authorize/?") {
				t.Fatalf("%d token requests, %d calls, %s", len(tokens), len(calls), address)
			}
			want(t, tokens[2], tokens[2].form, map[string]string{"refresh_token": "quiet-refresh-2", "grant_type": "refresh_token"})
			if tokens[0].header.Get("Accept") != "application/x-www-form-urlencoded" || tokens[2].header.Get("X-Version") != "2025-09-03" || tokens[2].header.Get("Content-Type") != asJSON {
				t.Errorf("%v", tokens[2].header)
			}
		},
		"traded": func(t *testing.T, o *odd, _ string, _ []string) {
			renew := o.all("/renew")
			if len(renew) != 2 || renew[0].method != http.MethodGet {
				t.Fatalf("%+v", renew)
			}
			want(t, renew[0], renew[0].query, map[string]string{"grant_type": "ig_refresh_token", "access_token": "traded-access-1", "client_id": "", "client_secret": "", "refresh_token": ""})
			if calls := o.all("/api/thing"); calls[0].header.Get("Authorization") != "Bearer traded-access-2" {
				t.Errorf("%v", calls[0].header)
			}
		},
		"installed": func(t *testing.T, o *odd, _ string, _ []string) {
			tokens := o.all("/token")
			id, sec, _ := (&http.Request{Header: tokens[1].header}).BasicAuth()
			want(t, tokens[1], tokens[1].form, map[string]string{"grant_type": "client_credentials", "installation": "inst_1", "code": "", "refresh_token": ""})
			calls := o.all("/api/s1/thing")
			if id != "own" || sec != "own-secret-0123" || len(calls) != 1 || calls[0].header.Get("X-Site") != "s1" || calls[0].header.Get("Authorization") != "Bearer installed-access-2" {
				t.Errorf("%s %+v", id, calls)
			}
		},
	}
}

func checkRenamed(t *testing.T, o *odd, address string, scopes []string) {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	want(t, asked{path: address}, u.Query(), map[string]string{"client_key": "own", "app": "own", "client_id": "", "code_challenge": "", "code_challenge_method": "S256", "scope": "base,list"})
	tokens, renew := o.all("/token"), o.all("/renew")
	if len(tokens) != 1 || len(renew) != 1 || len(u.Query().Get("challenge")) != 43 {
		t.Fatalf("%d exchanges, %d refreshes, %s", len(tokens), len(renew), address)
	}
	want(t, tokens[0], tokens[0].form, map[string]string{"client_key": "own", "client_id": "", "client_secret": "own-secret-0123", "code": "the-code", "code_verifier": "", "again": ""})
	want(t, renew[0], renew[0].form, map[string]string{"client_key": "own", "client_id": "", "refresh_token": "renamed-refresh-1", "again": "1", "grant_type": "refresh_token"})
	if len(tokens[0].form.Get("verifier")) < 43 || tokens[0].header.Get("X-Request") == "" || tokens[0].header.Get("X-Request") == renew[0].header.Get("X-Request") {
		t.Errorf("%v %v", tokens[0].form, tokens[0].header)
	}
	call := o.all("/api/thing")[0]
	if call.header.Get("X-Token") != "renamed-access-2" || call.header.Get("Authorization") != "" || call.header.Get("X-Version") != "7" || !slices.Equal(scopes, []string{"base", "list"}) {
		t.Errorf("%v %v", call.header, scopes)
	}
}

func checkBare(t *testing.T, o *odd, address string, _ []string) {
	if !strings.Contains(address, "#/oauth/authorize?") || !strings.HasSuffix(address, "&scope=a:r+b:r") || strings.Contains(address, "response_type") || strings.Contains(address, "empty") {
		t.Error(address)
	}
	tokens := o.all("/token")
	if len(tokens) != 2 || tokens[0].method != http.MethodGet || tokens[0].header.Get("Content-Type") != "" || len(tokens[0].form) != 0 {
		t.Fatalf("%+v", tokens)
	}
	want(t, tokens[0], tokens[0].query, map[string]string{"code": "the-code", "client_id": "own", "client_secret": "own-secret-0123", "grant_type": ""})
	want(t, tokens[1], tokens[1].query, map[string]string{"refresh_token": "bare-refresh-1", "grant_type": ""})
	call := o.all("/api/thing")[0]
	want(t, call, call.query, map[string]string{"BhRestToken": "bare-access-2", "v": "2", "x": "1"})
	if call.header.Get("Authorization") != "" {
		t.Error(call.header)
	}
}

func checkLists(t *testing.T, o *odd, address string, scopes []string) {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	want(t, asked{path: address}, u.Query(), map[string]string{"scope": "read", "user_scope": "read", "optional_scope": "extra"})
	if !slices.Equal(scopes, []string{"extra", "read", "user:read"}) {
		t.Error(scopes)
	}
	tokens := o.all("/token")
	for _, a := range tokens {
		user, password, ok := (&http.Request{Header: a.header}).BasicAuth()
		if !ok || user != "own-secret-0123" || password != "" || a.header.Get("Content-Type") != asJSON {
			t.Errorf("%s %s %v", user, password, a.header)
		}
		want(t, a, a.form, map[string]string{"client_id": "", "client_secret": "", "redirect_uri": u.Query().Get("redirect_uri")})
	}
	want(t, tokens[1], tokens[1].form, map[string]string{"grant_type": "refresh_token", "refresh_token": "lists-refresh-000"})
}
