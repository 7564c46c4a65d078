package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
)

// longConnector swaps its short token for a long one behind each answer, as Instagram and Salesforce's data cloud do.
const longConnector = `id: long
name: Long
description: A provider whose access token is good for something only after one more request.
docs_url: https://long.example/docs
hosts:
  web: https://long.example
  graph: https://graph.long.example
  tenant: {capture: tenant_url, allow: ["*.tenant.long.example"]}
auth: {mode: oauth2, client_auth: client_secret_post, pkce: required}
authorize: {url: "{web}/authorize"}
token:
  url: "{web}/token"
  extra_steps:
    - request:
        method: GET
        url: "{graph}/access_token"
        auth: none
        query: {grant_type: long_lived, client_secret: "{client.secret}", access_token: "{token.access}"}
      success: [{path: ok, is: true}]
      map: {access_token: data.token, expires_in: data.ttl}
      capture: {tenant_url: data.tenant_url, user_id: data.user}
scopes: {default: [read], known: {read: {description: Read things, effect: read}}}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{tenant}"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
identity:
  capture: {account_id: user_id}
  fixed: {user_id: ""}
revoke:
  method: DELETE
  url: "{graph}/tokens/{token}"
  auth: client_bearer
  token: both
  success: {status: [204]}
  already_gone: [{status: [404]}]
  effect: tokens
  blast_radius: token
`

const longTools = `- name: long_get_thing
  title: Get a thing
  effect: read
  description: Get the thing that is there. Returns its name, and nothing besides.
  scopes: {all_of: [read]}
  input: {properties: {}}
  request: {method: GET, url: "{tenant}/thing"}
`

type long struct {
	*ownProvider
	fail, user, secret string
}

func newLong(t *testing.T) (*long, *e2e.Fixture) {
	t.Helper()
	p := &long{ownProvider: newProvider(t, "long"), user: "u1"}
	p.answer = func(o *ownProvider, _ url.Values) object {
		return object{"access_token": o.mint("short"), "refresh_token": o.mint("rt"), "expires_in": 60}
	}
	p.api = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/graph/access_token":
			p.mu.Lock()
			defer p.mu.Unlock()
			p.secret = r.URL.Query().Get("client_secret")
			switch {
			case !p.live[r.URL.Query().Get("access_token")]:
				reply(w, 400, object{"error": "invalid_grant"})
			case p.fail == "page":
				_, _ = w.Write([]byte("<html>not today</html>"))
			case p.fail != "":
				reply(w, 400, object{"error": p.fail, "error_description": "no: " + r.URL.Query().Get("access_token")})
			default:
				p.live[r.URL.Query().Get("access_token")] = false
				reply(w, 200, object{"ok": true, "data": object{"token": p.mint("at"), "ttl": 7200, "tenant_url": p.URL + "/tenant/t1", "user": p.user}})
			}
		case r.Method == "DELETE":
			if r.Header.Get("Authorization") != "Bearer own-secret-0123456789" {
				reply(w, 401, nil)
			} else if p.end(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]) {
				w.WriteHeader(204)
			} else {
				w.WriteHeader(404)
			}
		case !p.bearer(w, r):
		default:
			reply(w, 200, object{"name": r.URL.Path})
		}
		return true
	}
	return p, p.with(t, longConnector, longTools, map[string]string{"web": "", "graph": "/graph", "tenant": "/tenant"})
}

func TestExtraSteps_BehindExchangeAndRefresh_TheLastTokenCounts(t *testing.T) {
	t.Parallel()
	p, f := newLong(t)
	id := connectOwn(t, f, "long", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	if a := f.Execute(t, session, "long_get_thing", nil, nil).Want(t, 200); !strings.Contains(a.Body, "/tenant/t1/thing") {
		t.Errorf("%s", a.Body)
	}
	c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	ends, err := time.Parse(time.RFC3339, c.Text("expires_at"))
	if err != nil || ends.Sub(f.Clock.Now()) < 110*time.Minute || c.Text("account.id") != "u1" || p.secret != "own-secret-0123456789" {
		t.Errorf("%s", c.Body)
	}
	p.expire()
	f.Execute(t, session, "long_get_thing", nil, nil).Want(t, 200)
	if p.count("GET /graph/access_token") != 2 {
		t.Errorf("%v", p.asked)
	}
	f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	f.Settle(t)
	if left := p.alive(); len(left) != 0 || p.count("DELETE /graph/tokens/") != 2 {
		t.Errorf("%v %v", left, p.asked)
	}
	// Nothing of a token or of the secret is in any answer of ours.
	for _, x := range f.Transcript() {
		if strings.Contains(x.Body, "long-at-") || strings.Contains(x.Body, "long-rt-") || strings.Contains(x.Body, "long-short-") || strings.Contains(x.Body, "own-secret") {
			t.Errorf("%s %s holds a secret", x.Method, x.Path)
		}
	}
}

func TestExtraSteps_FailBehindTheExchange_NothingIsConnectedAndTokensGoBack(t *testing.T) {
	t.Parallel()
	for _, fail := range []string{"invalid_grant", "server_error", "page", "odd"} {
		t.Run(fail, func(t *testing.T) {
			t.Parallel()
			p, f := newLong(t)
			p.fail = fail
			l := f.Link(t, "acme", "user_alice", "long", nil)
			consent(t, f, f.NewBrowser(t), l)
			a := f.Confirm(t, l.Text("id"), "user_alice")
			if a.Status < 400 || strings.Contains(a.Body, "long-short") {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			if left := p.alive(); len(left) != 0 {
				t.Errorf("%v live on", left)
			}
			noSlots(t, f, "long", l.Text("connection_id"))
		})
	}
}

// TestExtraSteps_FailBehindARefresh_TheNewRefreshTokenIsKept: the one before is used up, so a step that fails must not lose its successor,
// and must not end the grant either.
func TestExtraSteps_FailBehindARefresh_TheNewRefreshTokenIsKept(t *testing.T) {
	t.Parallel()
	p, f := newLong(t)
	id := connectOwn(t, f, "long", nil)
	p.expire()
	p.mu.Lock()
	p.fail = "invalid_grant"
	p.mu.Unlock()
	session := f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "long_get_thing", nil, nil).WantCode(t, "provider_error")
	if n := p.count("GET /tenant/"); n != 1 {
		t.Errorf("%d calls; a token that is of no use was sent to the API", n)
	}
	c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	if c.Text("status") != "active" {
		t.Fatalf("%s", c.Body)
	}
	p.mu.Lock()
	p.fail = ""
	p.mu.Unlock()
	f.Clock.Advance(30 * time.Second)
	f.Execute(t, session, "long_get_thing", nil, nil).Want(t, 200)
}

func TestExtraSteps_CapturesAnotherUserAtARefresh_IsAnAccountSwap(t *testing.T) {
	t.Parallel()
	p, f := newLong(t)
	id := connectOwn(t, f, "long", nil)
	p.expire()
	p.mu.Lock()
	p.user = "u2"
	p.mu.Unlock()
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "long_get_thing", nil, nil).WantCode(t, "reauthorization_required")
	if c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200); c.Text("reason") != "account_changed" {
		t.Errorf("%s", c.Body)
	}
}
