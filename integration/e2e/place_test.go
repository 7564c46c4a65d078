package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
)

const siteConnector = `id: site
name: Site
description: A provider whose accounts reach several sites.
docs_url: https://site.example/docs
hosts: {web: https://site.example, api: https://api.site.example}
auth: {mode: oauth2, client_auth: client_secret_post, pkce: required}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token"}
scopes: {default: [read], known: {read: {description: Read things, effect: read}}}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{api}/ex/{connection.cloud_id}"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
post_connect:
  - request: {method: GET, url: "{api}/resources"}
    items: .
    id: id
    label: name
    detail: url
    choose: one
    capture: {cloud_id: id, site_url: url}
identity:
  request: {method: GET, url: "{api}/ex/{connection.cloud_id}/me"}
  map: {account_id: account_id, name: name}
  capture: {tenant_id: cloud_id}
revoke:
  method: POST
  url: "{web}/revoke"
  auth: client_post
  token: both
  param: token
  format: form
  success: {status: [200]}
  effect: tokens
  blast_radius: token
`

const siteTools = `- name: site_get_thing
  title: Get a thing
  effect: read
  description: Get one thing of the chosen site by its id. Returns its id and its site.
  scopes: {all_of: [read]}
  input: {required: [id], properties: {id: {type: string, description: The id.}}}
  request: {method: GET, url: "{api}/ex/{connection.cloud_id}/things/{id}"}
  response: {keep: [id, site]}
`

// site is a provider whose account reaches the named sites.
func site(t *testing.T, sites *[]string) (*ownProvider, *e2e.Fixture) {
	t.Helper()
	p := newProvider(t, "site")
	p.api = func(w http.ResponseWriter, r *http.Request) bool {
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		switch {
		case r.URL.Path == "/revoke":
			if r.PostForm.Get("client_secret") != "own-secret-0123456789" {
				reply(w, 401, nil)
				return true
			}
			p.end(r.PostForm.Get("token"))
			reply(w, 200, object{})
		case !p.bearer(w, r):
		case r.URL.Path == "/resources":
			list := []object{}
			for _, s := range *sites {
				list = append(list, object{"id": s, "name": "Site <" + s + ">", "url": "https://" + s + ".site.example"})
			}
			reply(w, 200, list)
		case len(parts) == 3 && parts[2] == "me":
			reply(w, 200, object{"account_id": "u-1", "name": "Alice"})
		case len(parts) == 4 && parts[2] == "things":
			reply(w, 200, object{"id": parts[3], "site": parts[1], "internal": 1})
		default:
			return false
		}
		return true
	}
	return p, p.with(t, siteConnector, siteTools, map[string]string{"web": "", "api": ""})
}

// choosing walks up to the question; it returns the browser, the link and the address of the page.
func choosing(t *testing.T, f *e2e.Fixture, more object) (*e2e.Browser, e2e.Answer, string) {
	t.Helper()
	l, b := f.Link(t, "acme", "user_alice", "site", more), f.NewBrowser(t)
	consent(t, f, b, l)
	a := f.Confirm(t, l.Text("id"), "user_alice").Want(t, 202)
	if a.Text("status") != "choosing" || !strings.HasPrefix(a.Text("choose_url"), f.URL+"/connect/") {
		t.Fatalf("%s", a.Body)
	}
	if strings.Contains(a.Text("choose_url"), strings.TrimPrefix(l.Text("id"), "cl_")) {
		t.Error("the page's address gives the link's id away")
	}
	return b, l, a.Text("choose_url")
}

func pick(page e2e.Answer, id string) url.Values {
	return e2e.Form(page, map[string]string{"choice": id})
}

func TestPlace_Several_ThePersonChoosesInTheBrowserThatConsented(t *testing.T) {
	t.Parallel()
	sites := []string{"alpha", "beta"}
	p, f := site(t, &sites)
	b, l, at := choosing(t, f, nil)
	session := f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "site_get_thing", object{"id": "7"}, nil).WantCode(t, "connection_required") // nothing is active yet
	page := b.Open(t, at).Want(t, 200)
	for _, want := range []string{"Site &lt;alpha&gt;", "https://beta.site.example", `type="radio"`, "<legend>", "<fieldset"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page lacks %q: %s", want, page.Body)
		}
	}
	if strings.Contains(page.Body, "<alpha>") {
		t.Error("a label is not escaped")
	}
	thief := f.NewBrowser(t)
	thief.Open(t, at).Want(t, 403)
	thief.Submit(t, at, pick(page, "alpha")).Want(t, 403)
	thief.Open(t, f.Link(t, "acme", "user_alice", "site", nil).Text("url")).Want(t, 200) // has a cookie of its own now
	thief.Submit(t, at, pick(page, "alpha")).Want(t, 403)
	b.Submit(t, at, pick(e2e.Answer{}, "alpha")).Want(t, 403) // no proof
	b.Submit(t, at, pick(page, "gamma")).Want(t, 422)         // not of the list
	b.Submit(t, at, pick(page, "")).Want(t, 422)
	f.Confirm(t, l.Text("id"), "user_alice").WantCode(t, "conflict")
	back := b.Submit(t, at, pick(page, "beta")).Want(t, 303).Header.Get("Location")
	if !strings.HasPrefix(back, e2e.ReturnURL) || !strings.Contains(back, "status=confirmed") {
		t.Fatalf("%s", back)
	}
	if again := b.Submit(t, at, pick(page, "alpha")).Want(t, 303).Header.Get("Location"); again != back { // a second click changes nothing
		t.Errorf("%s", again)
	}
	got := f.Execute(t, session, "site_get_thing", object{"id": "7"}, nil).Want(t, 200)
	if !strings.Contains(got.Body, `"site":"beta"`) {
		t.Errorf("%s", got.Body)
	}
	c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+l.Text("connection_id"), nil).Want(t, 200)
	if c.Text("status") != "active" || c.Text("account.tenant_id") != "beta" || c.Text("account.id") != "u-1" {
		t.Errorf("%s", c.Body)
	}

	p.expire() // the chosen place survives a refresh
	if got := f.Execute(t, session, "site_get_thing", object{"id": "8"}, nil).Want(t, 200); !strings.Contains(got.Body, `"site":"beta"`) || p.count("GET /resources") != 1 {
		t.Errorf("%s", got.Body)
	}
	f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+l.Text("connection_id"), nil).Want(t, 200)
	f.Settle(t)
	if left := p.alive(); len(left) != 0 || p.count("POST /revoke") != 2 {
		t.Errorf("%v live after the revocation, %d calls", left, p.count("POST /revoke"))
	}
}

func TestPlace_OnlyOne_NobodyIsAsked_AndTwoPlacesAreTwoConnections(t *testing.T) {
	t.Parallel()
	sites := []string{"alpha"}
	_, f := site(t, &sites)
	first := connectOwn(t, f, "site", nil)
	sites = []string{"beta"}
	second := connectOwn(t, f, "site", nil)
	if first == second {
		t.Error("the second site took the first one's connection over")
	}
	// A reconnect stays with its place and asks nobody, however many there are by now.
	sites = []string{"beta", "alpha", "gamma"}
	if again := connectOwn(t, f, "site", object{"connection": first}); again != first {
		t.Errorf("%s", again)
	}
	if c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+first, nil).Want(t, 200); c.Text("account.tenant_id") != "alpha" {
		t.Errorf("%s", c.Body)
	}
	// An account that no longer reaches the place does not move the connection to another.
	for _, reach := range [][]string{{"beta"}, {"beta", "gamma"}} {
		sites = reach
		l := f.Link(t, "acme", "user_alice", "site", object{"connection": first})
		consent(t, f, f.NewBrowser(t), l)
		if a := f.Confirm(t, l.Text("id"), "user_alice").WantCode(t, "conflict"); a.Text("reason") != "account_mismatch" {
			t.Errorf("%v: %s", reach, a.Body)
		}
	}
	if c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+first, nil).Want(t, 200); c.Text("account.tenant_id") != "alpha" || c.Text("status") != "active" {
		t.Errorf("%s", c.Body)
	}
}

func TestPlace_NobodyChooses_TokensAreWithdrawnAndNothingRemains(t *testing.T) {
	t.Parallel()
	sites := []string{"alpha", "beta"}
	p, f := site(t, &sites)
	b, l, at := choosing(t, f, nil)
	page := b.Open(t, at).Want(t, 200)
	if len(p.alive()) != 2 {
		t.Fatalf("%v", p.alive())
	}
	f.Clock.Advance(7 * time.Minute)
	f.Account().FireSchedules()
	f.Settle(t)
	if left := p.alive(); len(left) != 0 {
		t.Errorf("%v live on at the provider", left)
	}
	b.Submit(t, at, pick(page, "alpha")).Want(t, 409)
	if s := f.Back(t, "GET", "/v1/connect-links/"+url.PathEscape(l.Text("id")), nil).Want(t, 200); s.Text("status") != "failed" || s.Text("reason") != "not_chosen" {
		t.Errorf("%s", s.Body)
	}
	c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+l.Text("connection_id"), nil).Want(t, 200)
	if c.Text("status") != "revoked" || c.Text("reason") != "not_chosen" || c.Text("revocation.provider") != "revoked" || c.Text("grant_id") != "" {
		t.Errorf("%s", c.Body)
	}
	noSlots(t, f, "site", l.Text("connection_id"))
}

func TestPlace_NothingToReach_FailsAndGivesTheTokensBack(t *testing.T) {
	t.Parallel()
	sites := []string{}
	p, f := site(t, &sites)
	l := f.Link(t, "acme", "user_alice", "site", nil)
	consent(t, f, f.NewBrowser(t), l)
	if a := f.Confirm(t, l.Text("id"), "user_alice").WantCode(t, "conflict"); a.Text("reason") != "nothing_to_connect" {
		t.Errorf("%s", a.Body)
	}
	if left := p.alive(); len(left) != 0 {
		t.Errorf("%v live on", left)
	}
}
