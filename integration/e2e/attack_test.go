package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/stack"
	"behalf.dev/behalf/shared/env"
)

// issuer is what the connector of these tests promises in each authorization response (RFC 9207).
const issuer = "https://shady.example"

const shadyConnector = `id: shady
name: Shady
description: A provider that misbehaves.
docs_url: https://shady.example/docs
hosts: {web: https://shady.example, api: https://api.shady.example, own: {capture: own_host, allow: ["*.customers.shady.example"]}}
auth: {mode: oauth2, client_auth: client_secret_basic, pkce: required}
authorize: {url: "{web}/authorize", issuer: "https://shady.example"}
token: {url: "{web}/token", capture: {own_host: own_host}}
scopes: {default: [orders], known: {orders: {description: Read your orders, effect: read}}}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{api}"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
identity:
  request: {method: GET, url: "%s/me"}
  map: {account_id: id, login: login}
`

const shadyTools = `- name: shady_me
  title: Me
  effect: read
  description: Tell who this is. Returns the id.
  scopes: {all_of: [orders]}
  input: {properties: {}}
  request: {method: GET, url: "{api}/me"}
  response: {keep: [id]}
`

// shady is a provider whose token endpoint and API a test scripts.
type shady struct {
	*httptest.Server
	f *e2e.Fixture
	// token and me answer the token endpoint and the identity call; nil answers well.
	token, me http.HandlerFunc
	tokens    atomic.Int32
	elsewhere atomic.Int32
}

// newShady starts the provider and a stack that knows it; identityHost is the named host of the identity call.
func newShady(t *testing.T, identityHost string) *shady {
	t.Helper()
	s, mux := &shady{}, http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		s.tokens.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if s.token != nil {
			s.token(w, r)
			return
		}
		_, _ = fmt.Fprint(w, `{"access_token":"shady-access-0123456789","token_type":"Bearer","expires_in":3600,"refresh_token":"shady-refresh-0123456789"}`)
	})
	mux.HandleFunc("/me", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if s.me != nil {
			s.me(w, r)
			return
		}
		_, _ = fmt.Fprint(w, `{"id":"1","login":"dora"}`)
	})
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { s.elsewhere.Add(1) })
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "shady"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"connector.yaml": fmt.Sprintf(shadyConnector, identityHost), "tools.yaml": shadyTools} {
		if err := os.WriteFile(filepath.Join(dir, "shady", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.f = e2e.Start(t, e2e.Options{Connectors: dir, Getenv: func(name string) string {
		if name == env.ConnectorHosts {
			return fmt.Sprintf(`{"shady":{"web":%q,"api":%q}}`, s.URL, s.URL)
		}
		return ""
	}})
	s.f.Back(t, "PUT", "/v1/connectors/shady/client", object{"client_id": "behalf", "client_secret": e2e.ClientSecret}).Want(t, 200)
	return s
}

// consented is a flow up to the provider's answer.
type consented struct {
	link    e2e.Answer
	browser *e2e.Browser
	state   string
}

func (s *shady) consent(t *testing.T, principal string) consented {
	t.Helper()
	c := consented{link: s.f.Link(t, "acme", principal, "shady", nil), browser: s.f.NewBrowser(t)}
	c.browser.Open(t, c.link.Text("url")).Want(t, 200)
	u, err := url.Parse(c.browser.Submit(t, c.link.Text("url"), nil).Want(t, 303).Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	c.state = u.Query().Get("state")
	return c
}

// answer is the callback address with these parameters beside the state.
func (s *shady) answer(c consented, pairs ...string) string {
	q := url.Values{"state": {c.state}}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	return s.f.URL + "/oauth/callback/shady?" + q.Encode()
}

// nothingLeft fails the test unless a link has ended, its code is gone, and its connection holds no token and is not in use.
// It reads the tables themselves.
func nothingLeft(t *testing.T, f *e2e.Fixture, link string) {
	t.Helper()
	for _, i := range scan(t, f, "vault", "T#acme#U#user_dora") {
		sk, doc := attr(i, "sk"), attr(i, "doc")
		switch {
		case strings.HasPrefix(sk, "G#"):
			t.Errorf("a grant is left: %s", sk)
		case strings.HasSuffix(sk, "#S0") || strings.HasSuffix(sk, "#S1"):
			t.Errorf("tokens are left: %s", sk)
		case strings.HasPrefix(sk, "C#"):
			var c struct{ Status string }
			if err := json.Unmarshal([]byte(doc), &c); err != nil || c.Status != "pending" && c.Status != "revoked" {
				t.Errorf("a connection is %q (%v)", c.Status, err)
			}
		}
	}
	for _, i := range scan(t, f, "flow", "") {
		var l struct {
			ID, Status, Reason string
			Code, Verifier     []byte
		}
		if err := json.Unmarshal([]byte(attr(i, "doc")), &l); err != nil || l.ID != link {
			continue
		}
		if l.Code != nil || l.Status != "failed" && l.Status != "denied" && l.Status != "user_mismatch" && l.Status != "started" {
			t.Errorf("the link is %s (%s), with a code: %v", l.Status, l.Reason, l.Code != nil)
		}
		if l.Status != "started" && l.Verifier != nil {
			t.Error("the verifier is left")
		}
	}
}

func attr(i map[string]types.AttributeValue, name string) string {
	s, _ := i[name].(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

// wantPage fails the test unless a person gets a page with a heading, advice and a reference id, and no secret of the request.
func wantPage(t *testing.T, a e2e.Answer, status int) {
	t.Helper()
	a.Want(t, status)
	for _, part := range []string{"<h1>", "What you can do", "req_"} {
		if !strings.Contains(a.Body, part) || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			t.Errorf("no page for a person (%s): %.900s", part, a.Body)
		}
	}
	if strings.Contains(a.Body, "shady-access") || strings.Contains(a.Body, "c0de") {
		t.Error("the page repeats a secret")
	}
}

// TestCallback_MixUp_IsRefused: answers that another provider could have caused (RFC 9207, section 2.4; RFC 9700, section 4.4).
func TestCallback_MixUp_IsRefused(t *testing.T) {
	t.Parallel()
	s := newShady(t, "{api}")
	for name, pairs := range map[string][]string{
		"another issuer":               {"code", "c0de", "iss", "https://evil.example"},
		"no issuer":                    {"code", "c0de"},
		"another issuer with an error": {"error", "access_denied", "iss", "https://evil.example"},
		"no issuer with an error":      {"error", "access_denied"},
		"two issuers":                  {"code", "c0de", "iss", issuer, "iss", "https://evil.example"},
		"two codes":                    {"code", "c0de", "code", "c0de-2", "iss", issuer},
		"code and another's state":     {"code", "c0de", "iss", issuer, "state", "acme." + strings.Repeat("a", 52)},
		"the issuer with a slash":      {"code", "c0de", "iss", issuer + "/"},
		"the issuer in capitals":       {"code", "c0de", "iss", strings.ToUpper(issuer)},
	} {
		c := s.consent(t, "user_dora")
		a := c.browser.Open(t, s.answer(c, pairs...))
		if a.Status != 400 && a.Status != 403 {
			t.Errorf("%s: %d", name, a.Status)
		}
		wantPage(t, a, a.Status)
		nothingLeft(t, s.f, c.link.Text("id"))
	}
	// At the shared address, and at another connector's, the right answer is refused too.
	c := s.consent(t, "user_dora")
	for _, path := range []string{"/oauth/callback", "/oauth/callback/github", "/oauth/callback/shady~acme", "/oauth/callback/SHADY"} {
		wantPage(t, c.browser.Open(t, strings.Replace(s.answer(c, "code", "c0de", "iss", issuer), "/oauth/callback/shady", path, 1)), 403)
	}
	c.browser.Open(t, s.answer(c, "code", "c0de", "iss", issuer)).Want(t, 303) // none of it cost the person the flow
	if n := s.tokens.Load(); n != 0 {
		t.Errorf("%d codes were redeemed", n)
	}
}

// TestCallback_CodeOfAnotherSession_IsRefusedByPKCE: Mallory injects her own code into Dora's flow; the provider knows it by
// its challenge. What is ours is that each flow has a verifier of its own and that a refusal leaves nothing.
func TestCallback_CodeOfAnotherSession_IsRefusedByPKCE(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	mallory, dora := f.NewBrowser(t), f.NewBrowser(t)
	stolen, err := url.Parse(mallory.Consent(t, f.Link(t, "acme", "user_mallory", "github", nil).Text("url"), "bob", "approve"))
	if err != nil {
		t.Fatal(err)
	}
	l := f.Link(t, "acme", "user_dora", "github", nil)
	own, err := url.Parse(dora.Consent(t, l.Text("url"), "alice", "approve"))
	if err != nil {
		t.Fatal(err)
	}
	q := own.Query()
	q.Set("code", stolen.Query().Get("code"))
	own.RawQuery = q.Encode()
	dora.Open(t, own.String()).Want(t, 303)
	f.Confirm(t, l.Text("id"), "user_dora").WantCode(t, "provider_error")
	nothingLeft(t, f, l.Text("id"))
	// Mallory's state with Dora's cookie, and without any.
	wantPage(t, dora.Open(t, stolen.String()), 403)
	wantPage(t, f.NewBrowser(t).Open(t, stolen.String()), 403)
}

// TestConfirm_ProviderMisbehaves_NothingIsLeft scripts what a broken or hostile provider may send.
func TestConfirm_ProviderMisbehaves_NothingIsLeft(t *testing.T) {
	t.Parallel()
	big := func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<16))
		_, _ = w.Write([]byte("{"))
		for range 160 { // 10 MB
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
		_, _ = w.Write([]byte(`"access_token":"shady-access-0123456789","token_type":"Bearer","id":"1"}`))
	}
	say := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	var s *shady
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.URL+"/elsewhere", http.StatusTemporaryRedirect)
	}
	s = newShady(t, "{api}")
	const good = `{"access_token":"shady-access-0123456789","token_type":"Bearer","expires_in":3600`
	for _, c := range []struct {
		name      string
		token, me http.HandlerFunc
	}{
		{"10 MB of token answer", big, nil},
		{"10 MB of identity", nil, big},
		{"the token endpoint redirects", redirect, nil},
		{"the identity endpoint redirects", nil, redirect},
		{"the token answer is a page", say(200, "<html>shady-access-0123456789</html>"), nil},
		{"the token answer is empty", say(200, ""), nil},
		{"no token in the answer", say(200, `{"token_type":"Bearer"}`), nil},
		{"a token of another type", say(200, `{"access_token":"shady-access-0123456789","token_type":"mac"}`), nil},
		{"an error with status 200", say(200, `{"error":"invalid_grant"}`), nil},
		{"status 500", say(500, "shady-access-0123456789"), nil},
		{"the identity is somebody without an id", nil, say(200, `{"login":"dora"}`)},
		{"the identity is refused", nil, say(401, `{}`)},
		{"the identity is no JSON", nil, say(200, "<html>")},
		{"a token that would break the header", say(200, `{"access_token":"shady-access\r\nX-Evil: 1","token_type":"Bearer"}`), nil},
		{"the customer's host is somebody else's", say(200, good+`,"own_host":"https://evil.example"}`), nil},
		{"the customer's host is an address inside", say(200, good+`,"own_host":"http://169.254.169.254"}`), nil},
		{"the customer's host hides another", say(200, good+`,"own_host":"https://evil.example#.customers.shady.example"}`), nil},
	} {
		s.token, s.me = c.token, c.me
		flow, before := s.consent(t, "user_dora"), s.tokens.Load()
		flow.browser.Open(t, s.answer(flow, "code", "c0de", "iss", issuer)).Want(t, 303)
		a := s.f.Confirm(t, flow.link.Text("id"), "user_dora")
		if a.Status < 400 || a.JSON["code"] == nil || a.JSON["code"] == "internal" || a.Text("request_id") == "" || strings.Contains(a.Body, "shady-access") {
			t.Errorf("%s: %d %.400s", c.name, a.Status, a.Body)
		}
		if got := s.f.Back(t, "GET", "/v1/connect-links/"+flow.link.Text("id"), nil).Want(t, 200); got.Text("status") != "failed" {
			t.Errorf("%s: the link is %s", c.name, got.Text("status"))
		}
		if n := s.tokens.Load() - before; n != 1 {
			t.Errorf("%s: the code was sent %d times", c.name, n)
		}
		nothingLeft(t, s.f, flow.link.Text("id"))
		s.f.Confirm(t, flow.link.Text("id"), "user_dora").WantCode(t, "conflict")
	}
	if n := s.elsewhere.Load(); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
}

// TestConfirm_ProviderHangs_FailsBeforeTheGatewayGivesUp waits for real, beside the other tests: 15 seconds.
func TestConfirm_ProviderHangs_FailsBeforeTheGatewayGivesUp(t *testing.T) {
	t.Parallel()
	s := newShady(t, "{api}")
	over := make(chan struct{})
	defer close(over)
	s.token = func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}
	flow := s.consent(t, "user_dora")
	flow.browser.Open(t, s.answer(flow, "code", "c0de", "iss", issuer)).Want(t, 303)
	began := time.Now()
	s.f.Confirm(t, flow.link.Text("id"), "user_dora").WantCode(t, "provider_error")
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("took %s, and API Gateway waits 29 s", took)
	}
	nothingLeft(t, s.f, flow.link.Text("id"))
}

// TestConfirm_ParallelWithTheWrongUser_NeverBoth: confirmations as two users at once; whichever is first, nobody but the
// link's own principal gets a connection.
func TestConfirm_ParallelWithTheWrongUser_NeverBoth(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	for range 5 {
		link := f.Parked(t, "acme", "user_dora", "github", "alice", nil)
		var all sync.WaitGroup
		var right, wrong atomic.Int32
		for i := range 6 {
			principal, won := "user_dora", &right
			if i%2 == 1 {
				principal, won = "user_bob", &wrong
			}
			all.Go(func() {
				a, err := f.Try(e2e.Request{Method: "POST", Path: "/v1/connect-links/" + link + "/confirm", Token: f.APIKey(), Body: object{"principal": principal}})
				if err != nil {
					t.Error(err)
				}
				if a.Status == 200 {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if right.Load() > 1 || wrong.Load() != 0 {
			t.Errorf("%d and %d confirmed", right.Load(), wrong.Load())
		}
	}
	if list := f.Back(t, "GET", "/v1/tenants/acme/connections?principal=user_bob", nil).Want(t, 200).List("connections"); len(list) != 0 {
		t.Errorf("bob has %v", list)
	}
}

// TestLink_ReturnURLTricks_AreRefused: the list is compared exactly, and without a list nothing is taken that browsers and we
// read differently.
func TestLink_ReturnURLTricks_AreRefused(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	const listed = "https://app.example/connected"
	f.Back(t, "PUT", "/v1/tenants/globex", object{"return_urls": []string{listed}}).Want(t, 200)
	tricks := []string{"", "/connected", "//app.example/connected", "https:/app.example", "https:app.example", "javascript:alert(1)//https://app.example/", "data:text/html,x", "http://app.example/connected",
		"https://app.example@evil.example/connected", "https://user:pw@app.example/connected", `https://evil.example\@app.example/connected`, `https://evil.example\.app.example/`, "https://app.example/connected#x", "https://app.example/connected#",
		"https://app.example/con nected", "https://app.example/\tconnected", "https://app.example/\r\nSet-Cookie:a=b", " https://app.example/connected", "https://ａｐｐ.example/connected", "https://аpp.example/connected", "https://app.example／connected", "https://app。example/connected",
		"https://[::1%25evil]/x", "https:///connected", "https://:443/x", "https://app.example:99999999/", "ftp://app.example/", "https://" + strings.Repeat("a", 2100) + ".example/"}
	near := []string{"https://app.example/connected/", "https://app.example/connected?x=1", "https://app.example/connected/../evil", "https://app.example/./connected", "https://app.example//connected", "https://APP.example/connected", "HTTPS://app.example/connected",
		"https://app.example:443/connected", "https://app.example./connected", "https://app.example/Connected", "https://app.example/%63onnected", "https://app.example.evil.example/connected", "https://evil.example/connected", "http://localhost/connected"}
	try := func(tenant, to string) {
		t.Helper()
		a := f.Back(t, "POST", "/v1/connect-links", object{"tenant": tenant, "principal": "user_dora", "connector": "github", "return_url": to})
		if a.Status != 400 || a.JSON["code"] != "invalid_input" || a.JSON["field"] != "/return_url" || a.Text("request_id") == "" {
			t.Errorf("%s %q: %d %.300s", tenant, to, a.Status, a.Body)
		}
	}
	for _, to := range tricks {
		try("acme", to)
		try("globex", to)
		if a := f.Back(t, "PUT", "/v1/tenants/acme", object{"return_urls": []string{listed, to}}); a.Status != 400 || a.JSON["field"] != "/return_urls/1" {
			t.Errorf("listing %q: %d %.300s", to, a.Status, a.Body)
		}
	}
	for _, to := range near {
		try("globex", to)
	}
	f.Back(t, "POST", "/v1/connect-links", object{"tenant": "globex", "principal": "user_dora", "connector": "github", "return_url": listed}).Want(t, 201)
}

// TestConnectorFolder_Malicious_IsNotLoaded: whoever adds a folder must not make Behalf send a code or a client's secret
// anywhere but to the hosts that the folder names in its one place.
func TestConnectorFolder_Malicious_IsNotLoaded(t *testing.T) {
	t.Parallel()
	good := fmt.Sprintf(shadyConnector, "{api}")
	for name, change := range map[string][2]string{
		"token endpoint elsewhere":        {`token: {url: "{web}/token"`, `token: {url: "https://evil.example/token"`},
		"token host continued":            {`token: {url: "{web}/token"`, `token: {url: "{web}.evil.example/token"`},
		"token host with user":            {`token: {url: "{web}/token"`, `token: {url: "{web}@evil.example/token"`},
		"token host unknown":              {`token: {url: "{web}/token"`, `token: {url: "{evil}/token"`},
		"token host not at the start":     {`token: {url: "{web}/token"`, `token: {url: "https://evil.example/{web}/token"`},
		"consent page elsewhere":          {`authorize: {url: "{web}/authorize"`, `authorize: {url: "//evil.example/authorize"`},
		"identity elsewhere":              {`url: "{api}/me"`, `url: "https://evil.example/me"`},
		"plain http":                      {`web: https://shady.example,`, `web: http://shady.example,`},
		"a host with user":                {`web: https://shady.example,`, `web: "https://shady.example@evil.example",`},
		"a host that any customer can be": {`allow: ["*.customers.shady.example"]`, `allow: ["*"]`},
		"a host of a whole ending":        {`allow: ["*.customers.shady.example"]`, `allow: ["*.com"]`},
		"another connector's id":          {"id: shady", "id: github"},
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "shady"), 0o755); err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(good, change[0], change[1], 1)
		if text == good {
			t.Fatalf("%s changes nothing", name)
		}
		for file, text := range map[string]string{"connector.yaml": text, "tools.yaml": shadyTools} {
			if err := os.WriteFile(filepath.Join(dir, "shady", file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := stack.Start(t.Context(), stack.Options{Connectors: dir})
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: the folder was loaded", name)
		}
	}
}
