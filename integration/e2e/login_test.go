package e2e_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
)

// loggedIn logs a client in and returns what the token endpoint gave.
func loggedIn(t *testing.T, f *e2e.Fixture, c *e2e.MCPClient, more object) e2e.Answer {
	t.Helper()
	return f.Token(t, "/oauth/token", c.Exchange(f, f.Code(t, c, "acme", "user_alice", more))).Want(t, 200)
}

// works reports whether an access token is good for a call now.
func works(t *testing.T, f *e2e.Fixture, token string) bool {
	t.Helper()
	a := f.MCP(t, e2e.RPC{Token: token, Revision: e2e.Revision2026, Method: "tools/call", Params: object{"name": "github_get_authenticated_user", "arguments": object{}}})
	return a.Status == 200 && strings.Contains(a.Body, `"isError":false`) || a.Status == 200 && !strings.Contains(a.Body, `"isError"`)
}

// wantOAuth fails unless the token endpoint refused with an OAuth error.
func wantOAuth(t *testing.T, a e2e.Answer, code string) {
	t.Helper()
	if a.Status != 400 && a.Status != 401 || a.Text("error") != code || a.Text("access_token") != "" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("answered %d, want %s: %.300s", a.Status, code, a.Body)
	}
}

func TestLogin_TokensAreForTheResourceTheLimitsAndTheAudit(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	c := e2e.NewMCPClient(t)
	got := loggedIn(t, f, c, object{"tools": []string{"github_get_authenticated_user"}})
	token := got.Text("access_token")
	if !works(t, f, token) || got.Text("refresh_token") == "" || got.Text("token_type") != "Bearer" || got.JSON["expires_in"].(float64) < 890 {
		t.Fatalf("%s", got.Body)
	}
	for _, path := range []string{"/v1/tools", "/v1/execute", "/v1/sessions/narrow", "/v1/tenants", "/v1/proxy/github/user"} {
		for _, method := range []string{"GET", "POST"} {
			if a := f.Do(t, e2e.Request{Method: method, Path: path, Token: token}); a.Status != 401 && a.Status != 404 {
				t.Errorf("%s %s answers %d", method, path, a.Status)
			}
		}
	}
	if a := f.MCP(t, e2e.RPC{Token: token, Revision: e2e.Revision2026, Method: "tools/list"}); !strings.Contains(a.Body, "github_get_authenticated_user") || strings.Contains(a.Body, "github_create_issue") {
		t.Errorf("the login's limits do not hold: %.400s", a.Body)
	}
	f.Settle(t)
	for kind, by := range map[string]string{"mcp_login.confirmed": "", "mcp_login.answered": "", "session.created": "mcp_login"} {
		list := f.Audit(t, "acme", "kind="+kind)
		if len(list) != 1 || list[0]["agent"] != c.ID || list[0]["principal"] != "user_alice" || by != "" && list[0]["verified_by"] != by {
			t.Errorf("%s: %v", kind, list)
		}
	}
	if list := f.Audit(t, "acme", "kind=execution.outcome"); len(list) == 0 || list[0]["agent"] != c.ID {
		t.Errorf("%v", list)
	}
}

func TestLogin_AuthorizationRequests_WrongInOneThing_AreShownAndNeverRedirected(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	c := e2e.NewMCPClient(t)
	c.Document["redirect_uris"] = []string{c.Redirect, "https://client.example/cb"}
	for name, change := range map[string]url.Values{
		"no PKCE": {"code_challenge": nil}, "no method": {"code_challenge_method": nil}, "plain": {"code_challenge_method": {"plain"}}, "short challenge": {"code_challenge": {"abc"}},
		"padded challenge": {"code_challenge": {c.Challenge() + "="}}, "no resource": {"resource": nil}, "another resource": {"resource": {"https://evil.example/mcp"}}, "our root": {"resource": {f.URL}},
		"another path": {"resource": {f.URL + "/v1/execute"}}, "resource by prefix": {"resource": {f.URL + "/mcpx"}}, "resource with dots": {"resource": {f.URL + "/mcp/../v1"}}, "resource with user": {"resource": {strings.Replace(f.URL, "//", "//a@", 1) + "/mcp"}},
		"two resources": {"resource": {f.URL + "/mcp", f.URL + "/mcp"}}, "implicit": {"response_type": {"token"}}, "hybrid": {"response_type": {"code id_token"}}, "fragment mode": {"response_mode": {"fragment"}},
		"no redirect": {"redirect_uri": nil}, "two redirects": {"redirect_uri": {c.Redirect, "https://evil.example/cb"}}, "another host": {"redirect_uri": {"https://evil.example/cb"}},
		"longer path": {"redirect_uri": {"https://client.example/cb/../x"}}, "by prefix": {"redirect_uri": {"https://client.example/cb.evil"}}, "port of a host": {"redirect_uri": {"https://client.example:8443/cb"}}, "query added": {"redirect_uri": {"https://client.example/cb?x=1"}},
		"case": {"redirect_uri": {"https://client.example/CB"}}, "user": {"redirect_uri": {"https://client.example@evil.example/cb"}}, "fragment": {"redirect_uri": {"https://client.example/cb#x"}}, "backslash": {"redirect_uri": {`https://evil.example\@client.example/cb`}},
		"script": {"redirect_uri": {"javascript:alert(1)"}}, "plain http": {"redirect_uri": {"http://client.example/cb"}}, "loopback by another name": {"redirect_uri": {"http://127.0.0.1.evil.example/callback"}}, "other loopback": {"redirect_uri": {"http://localhost/callback"}},
		"loopback and user": {"redirect_uri": {"http://127.0.0.1:80@evil.example/callback"}}, "loopback, other path": {"redirect_uri": {"http://127.0.0.1:4000/other"}},
		"no client": {"client_id": nil}, "client of another host": {"client_id": {"https://169.254.169.254/latest/meta-data/"}}, "client without path": {"client_id": {"https://client.example"}}, "client with dots": {"client_id": {c.ID + "/../x.json"}},
		"client with a query": {"client_id": {c.ID + "?x=1"}}, "client that is plain": {"client_id": {"some-client"}}, "plain http client": {"client_id": {"http://client.example/client.json"}}, "long state": {"state": {strings.Repeat("s", 2000)}},
		"control characters": {"state": {"a\r\nSet-Cookie: x=y"}}, "request object": {"request": {"ey"}}, "request by reference": {"request_uri": {"https://evil.example"}},
	} {
		q := c.Query(f)
		maps.Copy(q, change)
		a := f.NewBrowser(t).Open(t, f.URL+"/oauth/authorize?"+q.Encode())
		if a.Status != 400 || a.Header.Get("Location") != "" || a.Header.Get("Set-Cookie") != "" || !strings.Contains(a.Header.Get("Content-Type"), "text/html") || strings.Contains(a.Body, "Something went wrong on our side") {
			t.Errorf("%s: %d %s %.200s", name, a.Status, a.Header.Get("Location"), a.Body)
		}
	}
	q := c.Query(f)
	q.Set("redirect_uri", "http://127.0.0.1:50123/callback")
	q.Set("unknown", "ignored")
	f.NewBrowser(t).Open(t, f.URL+"/oauth/authorize?"+q.Encode()).Want(t, 303)
}

// Documents that prove nothing, or cost too much, or point elsewhere.
func TestLogin_ClientDocuments_ThatCannotBeUsed_AreRefusedAndAskedForOnce(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	var mu sync.Mutex
	asked := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		mu.Unlock()
		own := "http://" + r.Host + r.URL.Path
		w.Header().Set("Content-Type", "application/json")
		good := `{"client_id":"` + own + `","client_name":"x","redirect_uris":["http://127.0.0.1/callback"]`
		switch r.URL.Path {
		case "/big":
			_, _ = w.Write([]byte(good + `,"x":"` + strings.Repeat("x", 10<<20) + `"}`))
		case "/redirect":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/other":
			_, _ = w.Write([]byte(strings.Replace(good, own, "https://client.example/x", 1) + "}"))
		case "/html":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(good + "}"))
		case "/missing":
			w.WriteHeader(404)
			_, _ = w.Write([]byte(good + "}"))
		case "/secret":
			_, _ = w.Write([]byte(good + `,"client_secret":"x"}`))
		case "/confidential":
			_, _ = w.Write([]byte(good + `,"token_endpoint_auth_method":"client_secret_post"}`))
		case "/script":
			_, _ = w.Write([]byte(strings.Replace(good, "http://127.0.0.1/callback", "javascript:alert(1)", 1) + "}"))
		case "/nameless":
			_, _ = w.Write([]byte(strings.Replace(good, `"x"`, `"\u202e\u200b"`, 1) + "}"))
		default:
			_, _ = w.Write([]byte(good + "}"))
		}
	}))
	defer s.Close()
	c := e2e.NewMCPClient(t)
	for _, path := range []string{"/big", "/redirect", "/other", "/html", "/missing", "/secret", "/confidential", "/script", "/nameless"} {
		q := c.Query(f)
		q.Set("client_id", s.URL+path)
		for range 3 {
			if a := f.NewBrowser(t).Open(t, f.URL+"/oauth/authorize?"+q.Encode()); a.Status != 400 || !strings.Contains(a.Body, "We do not know this program") {
				t.Errorf("%s: %d %.300s", path, a.Status, a.Body)
			}
		}
		if asked[path] != 1 {
			t.Errorf("%s was asked for %d times", path, asked[path])
		}
	}
	if asked["/good"] != 0 {
		t.Error("a redirect was followed")
	}
	q := c.Query(f)
	q.Set("client_id", s.URL+"/good")
	f.NewBrowser(t).Open(t, f.URL+"/oauth/authorize?"+q.Encode()).Want(t, 303)
}

// A link that somebody else began, or a reference that somebody else saw, opens nothing.
func TestLogin_Consent_NeedsTheBrowserThatBeganAndTheTicket(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	c := e2e.NewMCPClient(t)
	attacker, victim := f.NewBrowser(t), f.NewBrowser(t)
	reference := f.Begin(t, attacker, c) // forwarded to the victim, who is signed in at the application
	page := f.ConfirmLogin(t, reference, "acme", "user_alice", nil).Want(t, 201).Text("continue_url")
	if a := victim.Open(t, page); a.Status != 403 || !strings.Contains(a.Body, "another browser") || e2e.Guard(a) != "" {
		t.Errorf("%d %.300s", a.Status, a.Body)
	}
	if a := victim.Submit(t, page, url.Values{"guard": {"x"}, "decision": {"allow"}}); a.Status != 403 {
		t.Errorf("%d", a.Status)
	}
	f.Begin(t, victim, c) // the victim's own cookie, of another login
	if a := victim.Open(t, page); a.Status != 403 {
		t.Errorf("%d", a.Status)
	}
	for _, guess := range []string{reference, "acme." + reference, "globex" + page[strings.LastIndex(page, "."):]} { // what the attacker knows
		if a := attacker.Open(t, f.URL+"/oauth/consent/"+guess); a.Status != 404 {
			t.Errorf("%s: %d", guess, a.Status)
		}
	}
	if a := f.ConfirmLogin(t, reference, "acme", "user_bob", nil); a.Status != 404 {
		t.Errorf("confirmed twice: %d", a.Status)
	}
}

func TestLogin_ConsentForm_FromElsewhereTwiceOrLate_CountsForNothing(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	c := e2e.NewMCPClient(t)
	b := f.NewBrowser(t)
	page := f.ConfirmLogin(t, f.Begin(t, b, c), "acme", "user_alice", nil).Want(t, 201).Text("continue_url")
	shown := b.Open(t, page).Want(t, 200)
	guard := e2e.Guard(shown)
	if csp := shown.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src 'none'") || shown.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("headers %v", shown.Header)
	}
	if !strings.Contains(shown.Body, strings.TrimPrefix(strings.TrimSuffix(c.ID, "/client.json"), "http://")) || !strings.Contains(shown.Body, "Only if you started this yourself") || !strings.Contains(shown.Body, "user_alice") {
		t.Errorf("the page does not say who asks: %s", shown.Body)
	}
	for name, form := range map[string]url.Values{"no guard": {"decision": {"allow"}}, "wrong guard": {"guard": {"x"}, "decision": {"allow"}}, "no decision": {"guard": {guard}}, "both": {"guard": {guard}, "decision": {"allow", "refuse"}}, "other": {"guard": {guard}, "decision": {"yes"}}} {
		if a := b.Submit(t, page, form); a.Status != 403 && a.Status != 400 {
			t.Errorf("%s: %d", name, a.Status)
		}
	}
	back := b.Submit(t, page, url.Values{"guard": {guard}, "decision": {"refuse"}}).Want(t, 303).Header.Get("Location")
	if u, _ := url.Parse(back); u.Query().Get("error") != "access_denied" || u.Query().Get("iss") != f.URL || u.Query().Get("state") != "st-1" || u.Query().Has("code") {
		t.Error(back)
	}
	if a := b.Submit(t, page, url.Values{"guard": {guard}, "decision": {"allow"}}); a.Status != 409 {
		t.Errorf("allowed after refused: %d", a.Status)
	}
	page = f.ConfirmLogin(t, f.Begin(t, b, c), "acme", "user_alice", nil).Want(t, 201).Text("continue_url")
	guard = e2e.Guard(b.Open(t, page).Want(t, 200))
	f.Clock.Advance(11 * time.Minute)
	if a := b.Submit(t, page, url.Values{"guard": {guard}, "decision": {"allow"}}); a.Status != 404 {
		t.Errorf("allowed too late: %d", a.Status)
	}
	late := f.Begin(t, b, c)
	f.Clock.Advance(11 * time.Minute)
	f.ConfirmLogin(t, late, "acme", "user_alice", nil).WantCode(t, "not_found")
}

func TestLogin_Confirmation_OnlyByKeysThatMay(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	c := e2e.NewMCPClient(t)
	reference := f.Begin(t, f.NewBrowser(t), c)
	key := func(body object) string {
		return f.Back(t, "POST", "/v1/api-keys", body).Want(t, 201).Text("key")
	}
	body := object{"mcp_login": reference, "tenant": "acme", "principal": "user_alice"}
	for name, k := range map[string]string{"another tenant's": key(object{"name": "g", "tenant": "globex", "permissions": []string{"logins:write"}}), "without the permission": key(object{"name": "s", "permissions": []string{"sessions:write", "connections:write"}})} {
		f.Do(t, e2e.Request{Method: "POST", Path: "/v1/mcp-logins", Token: k, Body: body}).WantCode(t, "forbidden")
		t.Log(name)
	}
	f.Do(t, e2e.Request{Method: "POST", Path: "/v1/mcp-logins", Token: f.Session(t, "acme", "user_alice", nil), Body: body}).Want(t, 401)
	for field, wrong := range map[string]object{"/principal": {"principal": "_org"}, "/connectors": {"connectors": []string{"nosuch"}}, "/tools": {"tools": []string{"nosuch"}}} {
		b := maps.Clone(body)
		maps.Copy(b, wrong)
		if a := f.Back(t, "POST", "/v1/mcp-logins", b); a.Status < 400 || a.JSON["field"] != field {
			t.Errorf("%s: %d %s", field, a.Status, a.Body)
		}
	}
	if a := f.ConfirmLogin(t, reference, "acme", "user_alice", object{"connectors": []string{}}); a.Status != 400 {
		t.Errorf("an empty list: %d", a.Status)
	}
	f.ConfirmLogin(t, reference, "acme", "user_alice", nil).Want(t, 201) // none of that used it up
}

func TestLogin_Codes_WrongInOneThing_GiveNothingAndStayGood(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	c, other := e2e.NewMCPClient(t), e2e.NewMCPClient(t)
	code := f.Code(t, c, "acme", "user_alice", nil)
	for name, w := range map[string]struct {
		change url.Values
		code   string
	}{
		"no verifier": {url.Values{"code_verifier": nil}, "invalid_grant"}, "another verifier": {url.Values{"code_verifier": {other.Verifier}}, "invalid_grant"}, "the challenge as verifier": {url.Values{"code_verifier": {c.Challenge()}}, "invalid_grant"},
		"another client": {url.Values{"client_id": {other.ID}}, "invalid_grant"}, "no client": {url.Values{"client_id": nil}, "invalid_client"}, "a secret": {url.Values{"client_secret": {"x"}}, "invalid_client"},
		"another redirect": {url.Values{"redirect_uri": {"http://127.0.0.1:1/callback"}}, "invalid_grant"}, "no redirect": {url.Values{"redirect_uri": nil}, "invalid_grant"}, "another resource": {url.Values{"resource": {f.URL + "/mcp/readers"}}, "invalid_target"},
		"twice": {url.Values{"code": {code, code}}, "invalid_request"}, "another grant type": {url.Values{"grant_type": {"password"}}, "unsupported_grant_type"}, "as refresh token": {url.Values{"grant_type": {"refresh_token"}, "refresh_token": {code}}, "invalid_grant"},
		"another tenant": {url.Values{"code": {"globex" + code[4:]}}, "invalid_grant"}, "no tenant": {url.Values{"code": {"x"}}, "invalid_grant"},
	} {
		form := c.Exchange(f, code)
		maps.Copy(form, w.change)
		if a := f.Token(t, "/oauth/token", form); a.Text("error") != w.code {
			t.Errorf("%s: %d %s, want %s", name, a.Status, a.Body, w.code)
		} else {
			wantOAuth(t, a, w.code)
		}
	}
	basic := f.Do(t, e2e.Request{Method: "POST", Path: "/oauth/token", Body: c.Exchange(f, code).Encode(), Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {"Basic eDo="}}})
	if basic.Status != 401 || basic.Text("error") != "invalid_client" || basic.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("Basic: %d %s", basic.Status, basic.Body)
	}
	if a := f.Token(t, "/oauth/token?"+c.Exchange(f, code).Encode(), url.Values{}); a.Text("error") != "invalid_request" {
		t.Errorf("in the address: %s", a.Body)
	}
	f.Token(t, "/oauth/token", c.Exchange(f, code)).Want(t, 200)
	late := f.Code(t, c, "acme", "user_alice", nil)
	f.Clock.Advance(61 * time.Second)
	wantOAuth(t, f.Token(t, "/oauth/token", c.Exchange(f, late)), "invalid_grant")
}

func TestLogin_CodeUsedAgain_EndsWhatItLedTo(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	c := e2e.NewMCPClient(t)
	code := f.Code(t, c, "acme", "user_alice", nil)
	got := f.Token(t, "/oauth/token", c.Exchange(f, code)).Want(t, 200)
	if !works(t, f, got.Text("access_token")) {
		t.Fatal("the token does not work")
	}
	wantOAuth(t, f.Token(t, "/oauth/token", c.Exchange(f, code)), "invalid_grant")
	if list := f.Audit(t, "acme", "kind=mcp_login.ended"); len(list) != 1 || list[0]["reason"] != "code_reused" {
		t.Errorf("on record is %v", list)
	}
	if works(t, f, got.Text("access_token")) {
		t.Error("the access token lives on")
	}
	wantOAuth(t, f.Token(t, "/oauth/token", c.Renewal(got.Text("refresh_token"))), "invalid_grant")
}

func TestLogin_OneCodeManyAtOnce_AtMostOneTokenAndNoneThatLives(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	c := e2e.NewMCPClient(t)
	code := f.Code(t, c, "acme", "user_alice", nil)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var given []string
	for range 8 {
		wg.Go(func() {
			a, err := f.Try(e2e.Request{Method: "POST", Path: "/oauth/token", Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: c.Exchange(f, code).Encode()})
			mu.Lock()
			defer mu.Unlock()
			if err != nil || a.Status != 200 && a.Status != 400 {
				t.Errorf("%d %v %s", a.Status, err, a.Body)
			}
			if a.Status == 200 {
				given = append(given, a.Text("access_token"))
			}
		})
	}
	wg.Wait()
	if len(given) > 1 {
		t.Fatalf("%d tokens for one code", len(given))
	}
	for _, token := range given {
		if works(t, f, token) {
			t.Error("a token of a code that was used eight times lives")
		}
	}
}

func TestLogin_RefreshTokens_RotateAndOneUsedTwiceEndsTheLogin(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	c, other := e2e.NewMCPClient(t), e2e.NewMCPClient(t)
	first := loggedIn(t, f, c, nil)
	wantOAuth(t, f.Token(t, "/oauth/token", other.Renewal(first.Text("refresh_token"))), "invalid_grant")
	second := f.Token(t, "/oauth/token", c.Renewal(first.Text("refresh_token"))).Want(t, 200)
	if second.Text("refresh_token") == first.Text("refresh_token") || !works(t, f, second.Text("access_token")) {
		t.Fatal("nothing was rotated")
	}
	wrong := c.Renewal(second.Text("refresh_token"))
	wrong.Set("resource", f.URL+"/mcp/other")
	wantOAuth(t, f.Token(t, "/oauth/token", wrong), "invalid_target")
	wantOAuth(t, f.Token(t, "/oauth/token", c.Renewal(first.Text("refresh_token"))), "invalid_grant")  // stolen, or the next one was
	wantOAuth(t, f.Token(t, "/oauth/token", c.Renewal(second.Text("refresh_token"))), "invalid_grant") // so the whole login is over
	if list := f.Audit(t, "acme", "kind=mcp_login.ended"); len(list) != 1 || list[0]["reason"] != "refresh_token_reused" || list[0]["agent"] != c.ID {
		t.Errorf("on record is %v", list)
	}
	if works(t, f, second.Text("access_token")) || works(t, f, first.Text("access_token")) {
		t.Error("an access token lives on")
	}
}

func TestLogin_RefreshTokens_EndWithoutUseAndForGood(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	c := e2e.NewMCPClient(t)
	idle, used := loggedIn(t, f, c, nil).Text("refresh_token"), loggedIn(t, f, c, nil).Text("refresh_token")
	for range 3 {
		f.Clock.Advance(29 * 24 * time.Hour)
		used = f.Token(t, "/oauth/token", c.Renewal(used)).Want(t, 200).Text("refresh_token")
	}
	wantOAuth(t, f.Token(t, "/oauth/token", c.Renewal(idle)), "invalid_grant")
}

// Whatever ends a person's access ends the logins of their clients, for good.
func TestLogin_Ends_WithWhateverEndsAccess(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	c := e2e.NewMCPClient(t)
	scim := f.Back(t, "POST", "/v1/tenants/acme/scim-tokens", object{"name": "idp"}).Want(t, 201).Text("token")
	user := f.SCIM(t, scim, "POST", "/Users", object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "user_alice", "externalId": "user_alice", "active": true}).Want(t, 201).Text("id")
	active := func(on bool) {
		f.SCIM(t, scim, "PATCH", "/Users/"+user, object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []object{{"op": "replace", "path": "active", "value": on}}})
		f.Settle(t)
	}
	session := func() string {
		list := f.Audit(t, "acme", "kind=session.created")
		return list[0]["session_id"].(string)
	}
	for name, end := range map[string]func(refresh string){
		"revoked by the client": func(refresh string) {
			f.Token(t, "/oauth/revoke", url.Values{"token": {refresh}, "client_id": {c.ID}}).Want(t, 200)
		},
		"session ended by the back end": func(string) {
			f.Back(t, "DELETE", "/v1/sessions/"+session()+"?tenant=acme&principal=user_alice", nil).Want(t, 204)
			f.Clock.Advance(2 * time.Hour) // when the list of ended sessions has forgotten it
		},
		"suspended and restored": func(string) { active(false); active(true) },
		"client switched off": func(refresh string) {
			f.Back(t, "PUT", "/v1/tenants/acme/switches", object{"agents": []string{c.ID}}).Want(t, 200)
			wantOAuth(t, f.Token(t, "/oauth/token", c.Renewal(refresh)), "invalid_grant")
			f.Back(t, "PUT", "/v1/tenants/acme/switches", object{}).Want(t, 200)
		},
		"everything switched off": func(refresh string) {
			f.Back(t, "PUT", "/v1/switches", object{"tenant": true}).Want(t, 200)
			wantOAuth(t, f.Token(t, "/oauth/token", c.Renewal(refresh)), "invalid_grant")
			f.Back(t, "PUT", "/v1/switches", object{}).Want(t, 200)
		},
		"principal deleted": func(string) {
			f.Back(t, "DELETE", "/v1/tenants/acme/principals/user_alice", nil).Want(t, 200)
		},
	} {
		got := loggedIn(t, f, c, nil)
		end(got.Text("refresh_token"))
		if a := f.Token(t, "/oauth/token", c.Renewal(got.Text("refresh_token"))); a.Text("error") != "invalid_grant" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	f.Token(t, "/oauth/revoke", url.Values{"token": {"acme.unknown-unknown-unknown.x"}, "client_id": {c.ID}}).Want(t, 200)
	last := loggedIn(t, f, c, nil).Text("refresh_token")
	f.Back(t, "DELETE", "/v1/tenants/acme", nil)
	wantOAuth(t, f.Token(t, "/oauth/token", c.Renewal(last)), "invalid_grant")
}

func TestLogin_Metadata_IsWhatClientsLookFor(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		a := f.Do(t, e2e.Request{Method: "GET", Path: path}).Want(t, 200)
		if a.Text("issuer") != f.URL || a.Text("token_endpoint") != f.URL+"/oauth/token" || a.JSON["client_id_metadata_document_supported"] != true || a.JSON["registration_endpoint"] != nil {
			t.Errorf("%s: %s", path, a.Body)
		}
	}
	for path, names := range map[string]bool{"": false, "/mcp": true, "/mcp/support": true} {
		a := f.Do(t, e2e.Request{Method: "GET", Path: "/.well-known/oauth-protected-resource" + path}).Want(t, 200)
		if list, _ := a.JSON["authorization_servers"].([]any); a.Text("resource") != f.URL+path || names != (len(list) == 1 && list[0] == f.URL) {
			t.Errorf("%s: %s", path, a.Body)
		}
	}
}

// People see which clients they logged in, and log them out: their own, by the form of their own visit.
func TestLogin_Portal_ListsAndEndsOwnLogins(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	c := e2e.NewMCPClient(t)
	got := loggedIn(t, f, c, nil)
	session := f.Audit(t, "acme", "kind=session.created")[0]["session_id"].(string)
	own, bobs := visit(t, f, portalLink(t, f, "user_alice")), visit(t, f, portalLink(t, f, "user_bob"))
	page, other := own.Open(t, f.URL+"/portal").Want(t, 200), bobs.Open(t, f.URL+"/portal").Want(t, 200)
	if !strings.Contains(page.Body, "Programs you logged in") || !strings.Contains(page.Body, session) || strings.Contains(other.Body, "Programs you logged in") {
		t.Errorf("%s", page.Body)
	}
	end := f.URL + "/portal/logins/" + session
	if a := bobs.Submit(t, end, url.Values{"guard": {e2e.Guard(bobs.Open(t, f.URL+"/portal"))}}); a.Status == 303 {
		t.Error("somebody else ended it")
	}
	if a := own.Submit(t, end, url.Values{"guard": {"x"}}); a.Status != 403 || !works(t, f, got.Text("access_token")) {
		t.Errorf("ended without the form's token: %d", a.Status)
	}
	for range 2 {
		own.Submit(t, end, url.Values{"guard": {e2e.Guard(page)}}).Want(t, 303)
	}
	if works(t, f, got.Text("access_token")) || len(f.Audit(t, "acme", "kind=mcp_login.ended")) != 1 || strings.Contains(own.Open(t, f.URL+"/portal").Body, session) {
		t.Error("the login lives on")
	}
	wantOAuth(t, f.Token(t, "/oauth/token", c.Renewal(got.Text("refresh_token"))), "invalid_grant")
}
