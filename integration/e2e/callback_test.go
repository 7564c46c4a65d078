package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

// regionConnector takes the host of its token endpoint, and the company that a connection is for, from the answer to the browser.
const regionConnector = `id: region
name: Region
description: A provider with data centres and companies.
docs_url: https://region.example/docs
hosts:
  web: https://accounts.region.example
  accounts: {capture: accounts_server, allow: [accounts.region.example, accounts.region-eu.example], default: https://accounts.region.example}
  api: https://api.region.example
auth: {mode: oauth2, client_auth: client_secret_post, pkce: required}
authorize: {url: "{web}/authorize"}
callback:
  capture:
    accounts_server: {param: accounts-server, pattern: '^https?://[a-z0-9.:/-]+$'}
    company: {param: realmId, pattern: '^[0-9]{1,20}$', required: true}
token: {url: "{accounts}/token"}
scopes: {default: [read], known: {read: {description: Read things, effect: read}}}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{api}/company/{connection.company}"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
identity:
  request: {method: GET, url: "{api}/company/{connection.company}/info"}
  map: {account_id: owner}
  capture: {tenant_id: company}
revoke:
  method: POST
  url: "{accounts}/revoke"
  auth: none
  token: refresh
  param: token
  format: query
  success: {status: [200]}
  effect: grant
  blast_radius: grant
`

const regionTools = `- name: region_get_thing
  title: Get a thing
  effect: read
  description: Get one thing of the company that is connected. Returns its id and its company.
  scopes: {all_of: [read]}
  input: {required: [id], properties: {id: {type: string, description: The id.}}}
  request: {method: GET, url: "{api}/company/{connection.company}/things/{id}"}
`

func region(t *testing.T) (*ownProvider, *e2e.Fixture) {
	t.Helper()
	p := newProvider(t, "region")
	p.api = func(w http.ResponseWriter, r *http.Request) bool {
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		switch {
		case strings.HasSuffix(r.URL.Path, "/revoke"):
			p.end(r.URL.Query().Get("token"))
			reply(w, 200, object{})
		case !p.bearer(w, r):
		case len(parts) < 3 || parts[1] != "4711": // the account's only company
			reply(w, 403, object{})
		case parts[2] == "info":
			reply(w, 200, object{"owner": "o-1"})
		default:
			reply(w, 200, object{"id": parts[3], "company": parts[1]})
		}
		return true
	}
	return p, p.with(t, regionConnector, regionTools, map[string]string{"web": "/us", "accounts": "/dc", "api": ""})
}

func TestCallback_HostAndCompany_AreCapturedProvedAndKept(t *testing.T) {
	t.Parallel()
	p, f := region(t)
	p.back = func(q url.Values) {
		q.Set("accounts-server", p.URL+"/dc/eu")
		q.Set("realmId", "4711")
	}
	id := connectOwn(t, f, "region", nil)
	if p.count("POST /dc/eu/token") != 1 || p.count("POST /dc/token")+p.count("POST /us/token") != 0 {
		t.Errorf("the code went elsewhere: %v", p.asked)
	}
	session := f.Session(t, "acme", "user_alice", nil)
	if got := f.Execute(t, session, "region_get_thing", object{"id": "1"}, nil).Want(t, 200); !strings.Contains(got.Body, `"company":"4711"`) {
		t.Errorf("%s", got.Body)
	}
	p.expire()
	f.Execute(t, session, "region_get_thing", object{"id": "2"}, nil).Want(t, 200)
	if p.count("POST /dc/eu/token") != 2 {
		t.Errorf("the refresh went elsewhere: %v", p.asked)
	}
	if c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200); c.Text("account.tenant_id") != "4711" {
		t.Errorf("%s", c.Body)
	}
	f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	f.Settle(t)
	for _, s := range p.alive() {
		if strings.Contains(s, "-rt-") {
			t.Errorf("%s lives on", s)
		}
	}
	if p.count("POST /dc/eu/revoke?token=region-rt-") != 1 {
		t.Errorf("%v", p.asked)
	}
}

func TestCallback_NoServerNamed_TheDefaultHostGetsTheCode(t *testing.T) {
	t.Parallel()
	p, f := region(t)
	p.back = func(q url.Values) { q.Set("realmId", "4711") }
	connectOwn(t, f, "region", nil)
	if p.count("POST /dc/token") != 1 {
		t.Errorf("%v", p.asked)
	}
}

// TestCallback_ForgedParameters_SendNothingAnywhere plays the person at the browser, who can write anything into the address.
func TestCallback_ForgedParameters_SendNothingAnywhere(t *testing.T) {
	t.Parallel()
	p, f := region(t)
	evil := newProvider(t, "region")
	for name, change := range map[string]func(q url.Values){
		"another host":     func(q url.Values) { q.Set("accounts-server", evil.URL+"/dc") },
		"a host beside":    func(q url.Values) { q.Set("accounts-server", p.URL+"/dcx") },
		"dots":             func(q url.Values) { q.Set("accounts-server", p.URL+"/dc/../us") },
		"user information": func(q url.Values) { q.Set("accounts-server", strings.Replace(p.URL, "//", "//x@", 1)+"/dc") },
		"twice":            func(q url.Values) { q.Add("accounts-server", p.URL+"/dc"); q.Add("accounts-server", evil.URL) },
		"company twice":    func(q url.Values) { q.Add("realmId", "1") },
		"no company":       func(q url.Values) { q.Del("realmId") },
		"a path":           func(q url.Values) { q.Set("realmId", "4711/../1") },
		"long":             func(q url.Values) { q.Set("realmId", strings.Repeat("9", 600)) },
	} {
		p.back = func(q url.Values) { q.Set("realmId", "4711"); change(q) }
		l, b := f.Link(t, "acme", "user_alice", "region", nil), f.NewBrowser(t)
		b.Open(t, l.Text("url")).Want(t, 200)
		at := b.Submit(t, l.Text("url"), nil).Want(t, 303).Header.Get("Location")
		back := b.Open(t, at).Want(t, 302).Header.Get("Location")
		if a := b.Open(t, back); a.Status != 400 || !strings.Contains(a.Body, "The answer that came back") && !strings.Contains(name, "twice") {
			t.Errorf("%s: %d %.300s", name, a.Status, a.Body)
		}
		f.Confirm(t, l.Text("id"), "user_alice").WantCode(t, "conflict")
	}
	if n := p.count("POST "); n != 0 || evil.count("") != 0 {
		t.Errorf("%d requests with a code, %d at the forger", n, evil.count(""))
	}
	// A company that is somebody else's is well formed, and the account's own token does not open it.
	p.back = func(q url.Values) { q.Set("realmId", "9999") }
	l := f.Link(t, "acme", "user_alice", "region", nil)
	consent(t, f, f.NewBrowser(t), l)
	f.Confirm(t, l.Text("id"), "user_alice").WantCode(t, "provider_error")
	if c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+l.Text("connection_id"), nil).Want(t, 200); c.Text("status") != "pending" || c.Text("grant_id") != "" {
		t.Errorf("%s", c.Body)
	}
	noSlots(t, f, "region", l.Text("connection_id"))
}

// appConnector is installed on a page of the provider before anybody consents, as GitHub Apps are.
const appConnector = `id: app
name: App
description: A provider whose app is installed first.
docs_url: https://app.example/docs
hosts: {web: https://app.example, api: https://api.app.example}
auth: {mode: oauth2, client_auth: client_secret_post, pkce: required}
authorize: {url: "{web}/authorize"}
callback:
  capture: {installation_id: {param: installation_id, pattern: '^[1-9][0-9]{0,17}$', required: true}}
  setup: {url: "{web}/apps/ours/installations/new", param: setup_action, done: [install, update], pending: [request]}
token: {url: "{web}/token"}
scopes: {default: [read], known: {read: {description: Read things, effect: read}}}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{api}", headers: {X-Api: "1"}}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
post_connect:
  - request: {method: GET, url: "{api}/user/installations"}
    items: installations
    id: id
    choose: by_param
    param: installation_id
    capture: {installation: id, owner: account.login}
identity:
  request: {method: GET, url: "{api}/user"}
  map: {account_id: id, login: login}
  capture: {tenant_id: installation, tenant_name: owner}
revoke:
  method: DELETE
  url: "{api}/applications/{client_id}/grant"
  auth: client_basic
  token: access
  param: access_token
  format: json
  success: {status: [204]}
  effect: grant
  blast_radius: grant
`

const appTools = `- name: app_list_things
  title: List things
  effect: read
  description: List the things of the installation that is connected. Returns their names.
  scopes: {all_of: [read]}
  input: {properties: {}}
  request: {method: GET, url: "{api}/installations/{connection.installation}/things"}
`

// installing is the provider of appConnector; setup is what its installation page answers.
func installing(t *testing.T, setup func(q url.Values)) (*ownProvider, *e2e.Fixture) {
	t.Helper()
	p := newProvider(t, "app")
	p.api = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/apps/ours/installations/new":
			q := url.Values{"state": {r.FormValue("state")}}
			setup(q)
			http.Redirect(w, r, p.registered+"?"+q.Encode(), http.StatusFound)
		case r.Method == "DELETE" && r.URL.Path == "/applications/own/grant":
			if id, key, _ := r.BasicAuth(); id != "own" || key != "own-secret-0123456789" {
				reply(w, 401, object{})
				return true
			}
			for _, s := range p.alive() {
				p.end(s)
			}
			w.WriteHeader(204)
		case !p.bearer(w, r):
		case r.URL.Path == "/user/installations":
			reply(w, 200, object{"installations": []object{{"id": 11, "account": object{"login": "acme-inc"}}, {"id": 12, "account": object{"login": "alice"}}}})
		case r.URL.Path == "/user":
			reply(w, 200, object{"id": 7, "login": "alice"})
		default:
			reply(w, 200, object{"things": []string{strings.Split(r.URL.Path, "/")[2]}})
		}
		return true
	}
	return p, p.with(t, appConnector, appTools, map[string]string{"web": "", "api": ""})
}

func TestSetup_InstallationWithoutACode_IsProvedByTheUsersOwnToken(t *testing.T) {
	t.Parallel()
	p, f := installing(t, func(q url.Values) {
		q.Set("installation_id", "11")
		q.Set("setup_action", "install")
		q.Set("code", "a code that nobody asked for with PKCE")
	})
	p.registered = f.URL + "/oauth/callback/app"
	id := connectOwn(t, f, "app", nil)
	if p.count("POST /token") != 1 || p.count("GET /authorize") != 1 {
		t.Errorf("%v", p.asked)
	}
	c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	if c.Text("account.tenant_id") != "11" || c.Text("account.tenant_name") != "acme-inc" || c.Text("account.login") != "alice" {
		t.Errorf("%s", c.Body)
	}
	if got := f.Execute(t, f.Session(t, "acme", "user_alice", nil), "app_list_things", nil, nil).Want(t, 200); !strings.Contains(got.Body, `"11"`) {
		t.Errorf("%s", got.Body)
	}
	if again := connectOwn(t, f, "app", object{"connection": id}); again != id || p.count("GET /apps/ours/installations/new") != 1 {
		t.Errorf("%s, the installation page was opened %d times", again, p.count("GET /apps/ours/installations/new"))
	}
	f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	f.Settle(t)
	if left := p.alive(); len(left) != 0 || p.count("DELETE /applications/own/grant") != 1 {
		t.Errorf("%v", left)
	}
}

func TestSetup_SomebodyElsesInstallation_IsRefusedAndTheGrantGivenBack(t *testing.T) {
	t.Parallel()
	p, f := installing(t, func(q url.Values) {
		q.Set("installation_id", "666")
		q.Set("setup_action", "install")
	})
	p.registered = f.URL + "/oauth/callback/app"
	l := f.Link(t, "acme", "user_alice", "app", nil)
	consent(t, f, f.NewBrowser(t), l)
	if a := f.Confirm(t, l.Text("id"), "user_alice").WantCode(t, "forbidden"); a.Text("reason") != "not_yours" {
		t.Errorf("%s", a.Body)
	}
	if left := p.alive(); len(left) != 0 {
		t.Errorf("%v live on", left)
	}
	if c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+l.Text("connection_id"), nil).Want(t, 200); c.Text("status") != "pending" || c.Text("grant_id") != "" {
		t.Errorf("%s", c.Body)
	}
	noSlots(t, f, "app", l.Text("connection_id"))
}

func TestSetup_WaitsForAnOwnerOrIsForged_EndsOrIsRefused(t *testing.T) {
	t.Parallel()
	ask := "request"
	p, f := installing(t, func(q url.Values) { q.Set("setup_action", ask) })
	p.registered = f.URL + "/oauth/callback/app"
	for action, reason := range map[string]string{"request": "approval_requested", "": "provider_error", "remove": "provider_error"} {
		ask = action
		l := f.Link(t, "acme", "user_alice", "app", nil)
		if back := consent(t, f, f.NewBrowser(t), l); !strings.Contains(back, "status=denied") {
			t.Errorf("%q: %s", action, back)
		}
		if s := f.Back(t, "GET", "/v1/connect-links/"+url.PathEscape(l.Text("id")), nil).Want(t, 200); s.Text("reason") != reason {
			t.Errorf("%q: %s", action, s.Body)
		}
	}
	// The setup answer belongs to the browser and the state that it was asked with, once.
	ask = "install"
	l, b := f.Link(t, "acme", "user_alice", "app", nil), f.NewBrowser(t)
	b.Open(t, l.Text("url")).Want(t, 200)
	at := b.Submit(t, l.Text("url"), nil).Want(t, 303).Header.Get("Location")
	back := b.Open(t, at).Want(t, 302).Header.Get("Location") + "&installation_id=11"
	f.NewBrowser(t).Open(t, back).Want(t, 403)
	b.Open(t, strings.Replace(back, "state=", "state=x", 1)).Want(t, 400)
	b.Open(t, back).Want(t, 303)
	b.Open(t, back).Want(t, 409)
	if p.count("POST /token") != 0 {
		t.Errorf("%v", p.asked)
	}
}
