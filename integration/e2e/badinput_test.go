package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

// bad is one request that must be refused, and how.
type bad struct {
	name string
	e2e.Request
	code  string
	field string // "" when none is checked
}

func TestBadInput_EachIsAProblemThatSaysWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, b := range w.rows() {
		t.Run(b.name, func(t *testing.T) {
			a := w.f.Do(t, b.Request)
			wantProblem(t, a, b.code, b.field)
		})
	}
	if n := len(w.rows()); n < 60 {
		t.Errorf("%d rows", n)
	}
	// Nothing of this did any harm.
	w.f.Execute(t, w.session, "github_get_authenticated_user", nil, nil).Want(t, 200)
}

// wantProblem checks a problem document (RFC 9457) in full.
func wantProblem(t *testing.T, a e2e.Answer, code, field string) {
	t.Helper()
	if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("content type %q: %d %.300s", ct, a.Status, a.Body)
		return
	}
	if a.Text("code") != code || a.JSON["status"] != float64(a.Status) || a.Status < 400 {
		t.Errorf("code %q status %v (HTTP %d), want %q: %.300s", a.Text("code"), a.JSON["status"], a.Status, code, a.Body)
	}
	if a.Text("detail") == "" || a.Text("title") == "" || !strings.HasSuffix(a.Text("type"), "/"+code) || a.Text("request_id") == "" {
		t.Errorf("incomplete: %s", a.Body)
	}
	if field != "" && a.Text("field") != field {
		t.Errorf("field %q, want %q: %s", a.Text("field"), field, a.Body)
	}
	if code == "internal" || a.Status == 401 && a.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}
}

// world is what the rows refer to: acme with alice, and globex.
type world struct {
	f                               *e2e.Fixture
	session, expired, limited, scim string
	conn, carols, tenantKey, noKey  string
	spent, late, openLink           e2e.Answer
	spentCallback                   string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	f := e2e.New(t)
	w := &world{f: f}
	w.late = f.Link(t, "acme", "user_alice", "github", nil)
	w.expired = f.Session(t, "acme", "user_alice", object{"ttl_seconds": 60})
	f.Clock.Advance(16 * time.Minute)
	w.conn = f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	w.carols = f.Connect(t, "globex", "user_carol", "github", "carol", nil)
	w.session = f.Session(t, "acme", "user_alice", nil)
	w.limited = f.Session(t, "acme", "user_alice", object{"connectors": []string{"slack"}})
	w.scim = scimToken(t, f, "acme")
	w.tenantKey = f.Back(t, "POST", "/v1/api-keys", object{"name": "acme only", "permissions": []string{"*"}, "tenant": "acme"}).Want(t, 201).Text("key")
	w.noKey = f.Back(t, "POST", "/v1/api-keys", object{"name": "reader", "permissions": []string{"tenants:read"}}).Want(t, 201).Text("key")
	w.openLink = f.Link(t, "acme", "user_alice", "github", nil)
	w.spent = f.Link(t, "acme", "user_alice", "github", nil)
	b := f.NewBrowser(t)
	w.spentCallback = b.Consent(t, w.spent.Text("url"), "alice", "approve")
	b.Open(t, w.spentCallback).Want(t, 303)
	return w
}

func (w *world) back(name, method, path string, body any, code, field string) bad {
	return bad{name, e2e.Request{Method: method, Path: path, Token: w.f.APIKey(), Body: body}, code, field}
}

func (w *world) agent(name string, body any, code, field string) bad {
	return bad{name, e2e.Request{Method: "POST", Path: "/v1/execute", Token: w.session, Body: body}, code, field}
}

// anyone is a request with an Authorization header as given; none at all if it is empty.
func anyone(name, method, path, authorization, code string) bad {
	r := e2e.Request{Method: method, Path: path, Header: http.Header{}}
	if authorization != "" {
		r.Header["Authorization"] = []string{authorization}
	}
	return bad{name, r, code, ""}
}

func (w *world) rows() []bad {
	var out []bad
	for _, part := range [][]bad{w.tenantRows(), w.bodyRows(), w.sessionRows(), w.executeRows(), w.queryRows(), w.linkRows(), w.callerRows(), w.pathRows()} {
		out = append(out, part...)
	}
	return out
}

func (w *world) tenantRows() []bad {
	const long = "a123456789012345678901234567890123456789012345678901234567890123456789"
	return []bad{
		w.back("unknown tenant", "GET", "/v1/tenants/nowhere", nil, "not_found", ""),
		w.back("unknown tenant's connections", "GET", "/v1/tenants/nowhere/connections", nil, "not_found", ""),
		w.back("unknown tenant's audit", "GET", "/v1/tenants/nowhere/audit", nil, "not_found", ""),
		w.back("unknown tenant's principal", "DELETE", "/v1/tenants/nowhere/principals/x", nil, "not_found", ""),
		w.back("unknown tenant's scim tokens", "POST", "/v1/tenants/nowhere/scim-tokens", object{}, "not_found", ""),
		w.back("unknown tenant's client", "PUT", "/v1/tenants/nowhere/connectors/github/client", object{"client_id": "a", "client_secret": "b"}, "not_found", ""),
		w.back("delete an unknown tenant", "DELETE", "/v1/tenants/nowhere", nil, "not_found", ""),
		w.back("tenant in upper case", "PUT", "/v1/tenants/ACME", object{}, "invalid_input", "tenant"),
		w.back("tenant too short", "PUT", "/v1/tenants/a", object{}, "invalid_input", "tenant"),
		w.back("tenant too long", "PUT", "/v1/tenants/"+long, object{}, "invalid_input", "tenant"),
		w.back("tenant of the deployment", "PUT", "/v1/tenants/_deployment", object{}, "invalid_input", "tenant"),
		w.back("tenant with an unknown mapping", "PUT", "/v1/tenants/acme", object{"principal_mapping": "shoe size"}, "invalid_input", "/principal_mapping"),
		w.back("principal that is reserved", "DELETE", "/v1/tenants/acme/principals/_flow", nil, "invalid_input", "principal"),
		w.back("principal with control characters", "DELETE", "/v1/tenants/acme/principals/a%00b", nil, "invalid_input", "principal"),
		w.back("principal too long", "DELETE", "/v1/tenants/acme/principals/"+long+long, nil, "invalid_input", "principal"),
		w.back("connection that is none", "GET", "/v1/tenants/acme/connections/x", nil, "invalid_input", "connection"),
		w.back("connection that does not exist", "GET", "/v1/tenants/acme/connections/conn_00000000000000000000000000", nil, "not_found", ""),
		w.back("connection of another tenant", "GET", "/v1/tenants/acme/connections/"+w.carols, nil, "not_found", ""),
		w.back("delete the connection of another tenant", "DELETE", "/v1/tenants/acme/connections/"+w.carols, nil, "not_found", ""),
		w.back("scim token that does not exist", "DELETE", "/v1/tenants/acme/scim-tokens/x", nil, "not_found", ""),
		w.back("webhook that does not exist", "GET", "/v1/webhooks/wh_00000000000000000000000000", nil, "not_found", ""),
		w.back("webhook of a tenant that does not exist", "GET", "/v1/webhooks?tenant=nobody", nil, "not_found", ""),
		w.back("webhook with a malformed id", "DELETE", "/v1/webhooks/x", nil, "invalid_input", "webhook"),
		w.back("webhook without a url", "POST", "/v1/webhooks", object{"events": []string{"*"}}, "invalid_input", "/url"),
		w.back("webhook without events", "POST", "/v1/webhooks", object{"url": "https://hooks.example"}, "invalid_input", "/events"),
		w.back("webhook with an unknown event", "POST", "/v1/webhooks", object{"url": "https://hooks.example", "events": []string{"x"}}, "invalid_input", "/events"),
		w.back("api key that does not exist", "DELETE", "/v1/api-keys/x", nil, "not_found", ""),
		w.back("unknown connector", "GET", "/v1/connectors/fax", nil, "not_found", ""),
		w.back("unknown connector's client", "PUT", "/v1/connectors/fax/client", object{"client_id": "a", "client_secret": "b"}, "not_found", ""),
		w.back("client without an id", "PUT", "/v1/connectors/github/client", object{"client_secret": "b"}, "invalid_input", "/client_id"),
		w.back("client without a secret", "PUT", "/v1/connectors/github/client", object{"client_id": "a"}, "invalid_input", "/client_secret"),
		w.back("client that is not registered", "GET", "/v1/tenants/acme/connectors/github/client", nil, "not_found", ""),
	}
}

func (w *world) bodyRows() []bad {
	session := func(name string, body any, field string) bad {
		return w.back(name, "POST", "/v1/sessions", body, "invalid_input", field)
	}
	return []bad{
		session("no body", nil, ""), session("body of blanks", "  \n", ""), session("body that is no JSON", "{", ""), session("body that is a list", "[]", ""), session("body that is null", "null", ""),
		session("two bodies", `{"tenant":"acme","principal":"u","agent":"x"}{}`, ""),
		session("duplicate field", `{"tenant":"acme","tenant":"globex","principal":"u","agent":"x"}`, "/tenant"),
		session("duplicate field in another case", `{"tenant":"acme","Tenant":"globex","principal":"u","agent":"x"}`, "/tenant"),
		session("unknown field", object{"tenant": "acme", "principal": "u", "agent": "x", "admin": true}, "/admin"),
		session("wrong type", object{"tenant": "acme", "principal": "u", "agent": "x", "ttl_seconds": "60"}, "/ttl_seconds"),
		session("wrong type within a list", object{"tenant": "acme", "principal": "u", "agent": "x", "tools": []any{1}}, "/tools"),
		session("bytes that are no UTF-8", "{\"tenant\":\"ac\xffme\",\"principal\":\"u\",\"agent\":\"x\"}", ""),
		session("huge body", `{"tenant":"`+strings.Repeat("a", 2<<20)+`"}`, ""),
		session("deep body", strings.Repeat(`{"tenant":`, 20000)+"1"+strings.Repeat("}", 20000), ""),
	}
}

func (w *world) sessionRows() []bad {
	session := func(name, code, field string, change object) bad {
		body := object{"tenant": "acme", "principal": "user_alice", "agent": "x"}
		for k, v := range change {
			body[k] = v
		}
		return w.back(name, "POST", "/v1/sessions", body, code, field)
	}
	return []bad{
		session("session without a tenant", "invalid_input", "/tenant", object{"tenant": ""}),
		session("session of an unknown tenant", "not_found", "", object{"tenant": "nowhere"}),
		session("session without a principal", "invalid_input", "/principal", object{"principal": ""}),
		session("session for a reserved principal", "invalid_input", "/principal", object{"principal": "_flow"}),
		session("session without an agent", "invalid_input", "/agent", object{"agent": ""}),
		session("session that lasts too long", "invalid_input", "/ttl_seconds", object{"ttl_seconds": 3601}),
		session("session that ends before it starts", "invalid_input", "/ttl_seconds", object{"ttl_seconds": -1}),
		session("session for an unknown connector", "not_found", "/connectors", object{"connectors": []string{"fax"}}),
		session("session for an unknown tool", "not_found", "/tools", object{"tools": []string{"github_rm_rf"}}),
		session("session with a run id too long", "invalid_input", "/run_id", object{"run_id": strings.Repeat("r", 101)}),
		w.back("key without permissions", "POST", "/v1/api-keys", object{"name": "x"}, "invalid_input", "/permissions"),
		w.back("key with an unknown permission", "POST", "/v1/api-keys", object{"name": "x", "permissions": []string{"root"}}, "invalid_input", "/permissions"),
		w.back("key without a name", "POST", "/v1/api-keys", object{"permissions": []string{"*"}}, "invalid_input", "/name"),
	}
}

func (w *world) executeRows() []bad {
	return []bad{
		w.agent("no tool", object{}, "invalid_input", "/tool"),
		w.agent("unknown tool", object{"tool": "github_rm_rf"}, "not_found", "/tool"),
		w.agent("unknown member", object{"tool": "github_get_authenticated_user", "tenant": "globex"}, "invalid_input", "/tenant"),
		w.agent("missing required input", object{"tool": "github_list_issues", "input": object{"owner": "acme"}}, "invalid_input", "/input/repo"),
		w.agent("input of the wrong type", object{"tool": "github_list_issues", "input": object{"owner": "acme", "repo": 7}}, "invalid_input", "/input/repo"),
		w.agent("input outside the enumeration", object{"tool": "github_list_issues", "input": object{"owner": "acme", "repo": "billing", "state": "lost"}}, "invalid_input", "/input/state"),
		w.agent("unknown input", object{"tool": "github_list_issues", "input": object{"owner": "acme", "repo": "billing", "host": "evil.example"}}, "invalid_input", ""),
		w.agent("input that is a list", object{"tool": "github_list_issues", "input": []string{"a"}}, "invalid_input", ""),
		w.agent("input that is null", `{"tool":"github_list_issues","input":null}`, "invalid_input", ""),
		w.agent("input with a duplicate member", `{"tool":"github_list_issues","input":{"owner":"acme","owner":"globex","repo":"billing"}}`, "invalid_input", "/input/owner"),
		w.agent("connection that is none", object{"tool": "github_get_authenticated_user", "connection": "x"}, "invalid_input", "/connection"),
		w.agent("connection of somebody else", object{"tool": "github_get_authenticated_user", "connection": w.carols}, "not_found", "/connection"),
		w.agent("connection at another connector", object{"tool": "slack_auth_test", "connection": w.conn}, "not_found", "/connection"),
		w.agent("nothing connected", object{"tool": "slack_auth_test"}, "connection_required", ""),
		w.agent("idempotency key too long", object{"tool": "github_get_authenticated_user", "idempotency_key": strings.Repeat("k", 256)}, "invalid_input", "/idempotency_key"),
		{"outside the session", e2e.Request{Method: "POST", Path: "/v1/execute", Token: w.limited, Body: object{"tool": "github_get_authenticated_user"}}, "forbidden", "/tool"},
		{"unknown format of tools", e2e.Request{Method: "GET", Path: "/v1/tools?format=cobol", Token: w.session}, "invalid_input", "format"},
		{"unknown parameter of tools", e2e.Request{Method: "GET", Path: "/v1/tools?tenant=globex", Token: w.session}, "invalid_input", "tenant"},
		{"parameter of execute", e2e.Request{Method: "POST", Path: "/v1/execute?as=bob", Token: w.session, Body: object{"tool": "github_get_authenticated_user"}}, "invalid_input", "as"},
	}
}

func (w *world) queryRows() []bad {
	list := func(name, query, field string) bad {
		return w.back(name, "GET", "/v1/tenants/acme/connections?"+query, nil, "invalid_input", field)
	}
	trail := func(name, query, field string) bad {
		return w.back(name, "GET", "/v1/tenants/acme/audit?"+query, nil, "invalid_input", field)
	}
	return []bad{
		list("unknown filter", "owner=x", "owner"), list("filter given twice", "status=active&status=paused", "status"), list("unknown status", "status=lost", "status"),
		list("cursor of somebody else", "cursor=abc", "cursor"), list("cursor that is no base64", "cursor=%25", "cursor"), list("limit of nothing", "limit=0", "limit"),
		list("limit of too much", "limit=201", "limit"), list("limit that is no number", "limit=many", "limit"),
		trail("unknown filter of the trail", "secret=x", "secret"), trail("time that is none", "from=yesterday", "from"), trail("from after to", "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
		trail("unknown include", "include=everything", "include"), trail("cursor of another list", "cursor="+cursorOf("x"), "cursor"), trail("limit of too much of the trail", "limit=1001", "limit"),
		w.back("parameter where none is taken", "GET", "/v1/tenants/acme?verbose=1", nil, "invalid_input", "verbose"),
		w.back("cursor of tenants that is none", "GET", "/v1/tenants?cursor=!!", nil, "invalid_input", "cursor"),
	}
}

func cursorOf(position string) string { return "MX" + strings.Repeat("g", len(position)) }

func (w *world) linkRows() []bad {
	link := func(name, code, field string, change object) bad {
		body := object{"tenant": "acme", "principal": "user_alice", "connector": "github", "return_url": e2e.ReturnURL}
		for k, v := range change {
			body[k] = v
		}
		return w.back(name, "POST", "/v1/connect-links", body, code, field)
	}
	confirm := func(name, id, code string) bad {
		return w.back(name, "POST", "/v1/connect-links/"+url.PathEscape(id)+"/confirm", object{"principal": "user_alice"}, code, "")
	}
	json := http.Header{"Accept": {"application/json"}}
	browser := func(name, method, address, code string) bad {
		return bad{name, e2e.Request{Method: method, Path: address, Header: json}, code, ""}
	}
	const madeUp = "acme.0123456789abcdefghjkmnpqrstvwxyz0123456789abcdefghjk"
	return []bad{
		link("link for an unknown connector", "not_found", "/connector", object{"connector": "fax"}), link("link without a connector", "invalid_input", "/connector", object{"connector": ""}),
		link("link for an unknown tenant", "not_found", "", object{"tenant": "nowhere"}), link("link without a return URL", "invalid_input", "/return_url", object{"return_url": ""}),
		link("link back to a script", "invalid_input", "/return_url", object{"return_url": "javascript:alert(1)"}), link("link back without TLS", "invalid_input", "/return_url", object{"return_url": "http://app.example/"}),
		link("link for somebody else's connection", "not_found", "", object{"connection": w.carols}), link("link for a connection at another connector", "not_found", "/connection", object{"connector": "slack", "connection": w.conn}),
		confirm("confirm an unknown link", "cl_"+madeUp, "not_found"), confirm("confirm what is no link", "x", "not_found"), confirm("confirm before consent", w.openLink.Text("id"), "conflict"),
		confirm("confirm an expired link", w.late.Text("id"), "not_found"),
		browser("expired link", "GET", w.late.Text("url"), "not_found"), browser("start an expired link", "POST", w.late.Text("url"), "not_found"),
		browser("reused link", "GET", w.spent.Text("url"), "conflict"), browser("start a reused link", "POST", w.spent.Text("url"), "conflict"),
		browser("made-up link", "GET", "/connect/"+madeUp, "not_found"), browser("link that is none", "GET", "/connect/x", "not_found"), browser("id in place of a link", "GET", "/connect/"+w.openLink.Text("id"), "not_found"),
		browser("callback without anything", "GET", "/oauth/callback/github", "invalid_input"), browser("callback with a made-up state", "GET", "/oauth/callback/github?code=x&state="+madeUp, "invalid_input"),
		browser("second use of a state", "GET", w.spentCallback, "conflict"), browser("state given twice", "GET", w.spentCallback+"&state=x", "invalid_input"),
	}
}

func (w *world) callerRows() []bad {
	const path = "/v1/tenants/acme"
	key := w.f.APIKey()
	jwt := strings.Split(w.session, ".")
	return []bad{
		anyone("no credential", "GET", path, "", "unauthenticated"), anyone("empty credential", "GET", path, "Bearer ", "unauthenticated"), anyone("basic credential", "GET", path, "Basic YTpi", "unauthenticated"),
		anyone("no scheme", "GET", path, key, "unauthenticated"), anyone("garbage", "GET", path, "Bearer ÄÖÜ", "unauthenticated"), anyone("two credentials in one", "GET", path, "Bearer "+key+", Bearer x", "unauthenticated"),
		anyone("key with another secret", "GET", path, "Bearer "+key[:len(key)-4]+"0000", "unauthenticated"), anyone("key in upper case", "GET", path, "Bearer "+strings.ToUpper(key), "unauthenticated"),
		{"two Authorization headers", e2e.Request{Method: "GET", Path: path, Header: http.Header{"Authorization": {"Bearer " + key, "Bearer " + key}}}, "unauthenticated", ""},
		anyone("expired session", "GET", "/v1/tools", "Bearer "+w.expired, "unauthenticated"), anyone("session without its signature", "GET", "/v1/tools", "Bearer "+jwt[0]+"."+jwt[1]+".", "unauthenticated"),
		anyone("session with another payload", "GET", "/v1/tools", "Bearer "+jwt[0]+"."+jwt[1]+"A."+jwt[2], "unauthenticated"),
		anyone("session without an algorithm", "GET", "/v1/tools", "Bearer eyJhbGciOiJub25lIn0."+jwt[1]+".", "unauthenticated"),
		anyone("API key on an agent route", "GET", "/v1/tools", "Bearer "+key, "unauthenticated"), anyone("session on a back-end route", "GET", path, "Bearer "+w.session, "unauthenticated"),
		anyone("SCIM token on a back-end route", "GET", path, "Bearer "+w.scim, "unauthenticated"), anyone("SCIM token on an agent route", "GET", "/v1/tools", "Bearer "+w.scim, "unauthenticated"),
		anyone("API key on SCIM", "GET", "/scim/v2/Users", "Bearer "+key, "unauthenticated"), anyone("session on SCIM", "GET", "/scim/v2/Users", "Bearer "+w.session, "unauthenticated"),
		anyone("key of one tenant at another", "GET", "/v1/tenants/globex", "Bearer "+w.tenantKey, "forbidden"),
		{"key of one tenant makes a session of another", e2e.Request{Method: "POST", Path: "/v1/sessions", Token: w.tenantKey, Body: object{"tenant": "globex", "principal": "user_carol", "agent": "x"}}, "forbidden", ""},
		{"key of one tenant makes a link of another", e2e.Request{Method: "POST", Path: "/v1/connect-links", Token: w.tenantKey, Body: object{"tenant": "globex", "principal": "user_carol", "connector": "github", "return_url": e2e.ReturnURL}}, "forbidden", ""},
		{"key of one tenant sets the deployment's client", e2e.Request{Method: "PUT", Path: "/v1/connectors/github/client", Token: w.tenantKey, Body: object{"client_id": "a", "client_secret": "b"}}, "forbidden", ""},
		{"key of one tenant makes a wider key", e2e.Request{Method: "POST", Path: "/v1/api-keys", Token: w.tenantKey, Body: object{"name": "x", "permissions": []string{"*"}, "tenant": "globex"}}, "forbidden", ""},
		{"key without the permission", e2e.Request{Method: "DELETE", Path: path, Token: w.noKey}, "forbidden", ""},
		{"key makes a mightier key", e2e.Request{Method: "POST", Path: "/v1/api-keys", Token: w.noKey, Body: object{"name": "x", "permissions": []string{"*"}}}, "forbidden", ""},
	}
}

func (w *world) pathRows() []bad {
	get := func(name, path, code string) bad { return w.back(name, "GET", path, nil, code, "") }
	return []bad{
		get("unknown route", "/v1/secrets", "not_found"), get("no route", "/v2", "not_found"), get("trailing slash", "/v1/tenants/acme/", "not_found"), get("double slash", "/v1//tenants/acme", "not_found"),
		get("dots", "/v1/tenants/acme/../globex", "not_found"), get("escaped dots", "/v1/tenants/..%2fglobex", "invalid_input"), get("escaped dots twice", "/v1/tenants/..%252fglobex", "invalid_input"),
		get("escaped slash", "/v1/tenants/acme%2fconnections", "invalid_input"), get("escaped hash", "/v1/tenants/acme%23U%23user_alice", "invalid_input"), get("wildcard", "/v1/tenants/*", "invalid_input"),
		get("wildcard of a connection", "/v1/tenants/acme/connections/*", "invalid_input"), get("empty segment", "/v1/tenants//connections", "not_found"), get("upper case", "/V1/tenants/acme", "not_found"),
		w.back("wrong method", "PATCH", "/v1/tenants/acme", object{}, "not_found", ""), w.back("wrong method of execute", "GET", "/v1/execute", nil, "not_found", ""),
		w.back("made-up method", "BREW", "/v1/tenants/acme", nil, "not_found", ""),
	}
}

func TestBadInput_BrowserGetsAPageWithAReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.f.NewBrowser(t)
	for name, address := range map[string]string{"expired": w.late.Text("url"), "state": w.spentCallback, "none": w.f.URL + "/connect/x"} {
		a := b.Open(t, address)
		if a.Status < 400 || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || !strings.Contains(a.Body, "req_") || !strings.Contains(a.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d %v %.200s", name, a.Status, a.Header, a.Body)
		}
	}
}

func TestBadInput_SCIMHasItsOwnErrors(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	token := scimToken(t, f, "acme")
	for name, r := range map[string]struct {
		method, path string
		body         any
		status       int
	}{
		"no user": {"GET", "/Users/usr_x", nil, 404}, "bad filter": {"GET", "/Users?filter=" + url.QueryEscape("userName eq"), nil, 400}, "unknown parameter": {"GET", "/Users?tenant=globex", nil, 400},
		"no body": {"POST", "/Users", nil, 400}, "no JSON": {"POST", "/Users", "{", 400}, "no user name": {"POST", "/Users", object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}}, 400},
		"unknown resource": {"GET", "/Printers", nil, 404}, "wrong method": {"PUT", "/Users", object{}, 404}, "count": {"GET", "/Users?count=x", nil, 400}, "path trick": {"GET", "/Users/..%2f..%2fv1", nil, 404},
	} {
		a := f.SCIM(t, token, r.method, r.path, r.body)
		if a.Status != r.status || a.Header.Get("Content-Type") != "application/scim+json" || a.Text("status") != fmt.Sprint(r.status) || a.Text("detail") == "" {
			t.Errorf("%s: %d %s %s", name, a.Status, a.Header.Get("Content-Type"), a.Body)
		}
	}
}

func TestBadInput_ProviderIsDown_IsAProviderError(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	for _, mode := range []emulator.Mode{emulator.ModeDropBefore, "status:500", "status:503"} {
		f.Fail(t, "github", emulator.Fault{Kind: emulator.KindAPI, Mode: mode, Times: 9})
		wantProblem(t, f.Execute(t, session, "github_get_authenticated_user", nil, nil), "provider_error", "")
	}
	f.Fail(t, "github")
	if _, err := f.Emulator.Expire("github", "alice"); err != nil {
		t.Fatal(err)
	}
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindRefresh, Mode: "status:503", Times: 9})
	wantProblem(t, f.Execute(t, session, "github_get_authenticated_user", nil, nil), "provider_error", "")
}

// TestBadInput_RawRequests sends what no HTTP library would.
func TestBadInput_RawRequests(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	host := strings.TrimPrefix(f.URL, "http://")
	for name, raw := range map[string]string{
		"path out of the tree": "GET /v1/tenants/../../v1/tenants/acme HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + f.APIKey() + "\r\nConnection: close\r\n\r\n",
		"invalid escape":       "GET /v1/tenants/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"absolute target":      "GET http://elsewhere.example/v1/tenants/acme HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"huge header":          "GET /v1/tenants/acme HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + strings.Repeat("a", 100<<10) + "\r\nConnection: close\r\n\r\n",
	} {
		c, err := net.DialTimeout("tcp", host, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(c, raw) // the server may hang up before it has read everything
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
		c.Close()
	}
}
