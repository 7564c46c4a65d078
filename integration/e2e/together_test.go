package e2e_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// togetherConnector has knobs of the requests and knobs around the grant at once, as marketplaces have them: the code under another name,
// the shop beside it, a long token made of a short one, and that one traded for the next.
const togetherConnector = `id: together
name: Together
description: A provider with many habits.
docs_url: https://together.example/docs
hosts: {web: https://together.example}
auth: {mode: oauth2, client_auth: client_secret_post, pkce: required}
authorize: {url: "{web}/authorize", code_param: shop_code}
callback: {capture: {shop: {param: shopId, pattern: '^[0-9]{1,9}$', required: true}}}
token:
  url: "{web}/token"
  params: {shop: "{connection.shop}"}
  extra_steps:
    - on: [exchange]
      request: {method: GET, url: "{web}/long", auth: none, query: {secret: "{client.secret}", t: "{token.access}"}}
      map: {access_token: access_token, expires_in: expires_in}
refresh: {kind: reexchange_access_token, url: "{web}/renew", method: GET, format: query, token_param: t, omit: [client_id, client_secret], params: {shop: "{connection.shop}"}}
scopes: {default: [read], known: {read: {description: Read things, effect: read}}}
expires: {mode: field}
rotation: {class: static}
api: {base: "{web}/{connection.shop}", headers: {X-Shop: "{connection.shop}"}}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
identity: {request: {method: GET, url: "{web}/shops/{connection.shop}"}, map: {name: name}, capture: {account_id: shop}}
revoke: {method: DELETE, url: "{web}/tokens/{token}", auth: bearer, token: access, success: {status: [204]}, blast_radius: token}
`

const togetherTools = `- name: together_get_thing
  title: Get a thing
  effect: read
  description: Get the thing that is there. Returns its name, and nothing besides.
  scopes: {all_of: [read]}
  input: {properties: {}}
  request: {method: GET, url: "{web}/thing"}
`

// TestKnobs_OfRequestsAndAroundTheGrant_WorkTogether: consent, exchange, step, trade, call and revocation over HTTP.
func TestKnobs_OfRequestsAndAroundTheGrant_WorkTogether(t *testing.T) {
	t.Parallel()
	p := newProvider(t, "together")
	var shops []string
	p.answer = func(o *ownProvider, form url.Values) object {
		shops = append(shops, form.Get("shop"))
		return object{"access_token": o.mint("short"), "expires_in": 60}
	}
	p.back = func(q url.Values) {
		q.Set("shop_code", q.Get("code"))
		q.Set("shopId", "77")
		q.Del("code")
	}
	p.api = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/long" || r.URL.Path == "/renew":
			old := r.URL.Query().Get("t")
			if !p.end(old) || strings.Contains(old, "-short-") != (r.URL.Path == "/long") || r.URL.Query().Has("client_secret") {
				reply(w, 400, object{"error": "invalid_grant"})
				return true
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			shops = append(shops, r.URL.Query().Get("shop"))
			reply(w, 200, object{"access_token": p.mint("at"), "expires_in": 7200})
		case !p.bearer(w, r):
		case r.Method == http.MethodDelete:
			p.end(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
			w.WriteHeader(204)
		case r.URL.Path == "/shops/77" || r.Header.Get("X-Shop") == "77":
			reply(w, 200, object{"name": "Shop " + r.Header.Get("X-Shop")})
		default:
			reply(w, 403, object{"error": "not_yours"})
		}
		return true
	}
	f := p.with(t, togetherConnector, togetherTools, map[string]string{"web": ""})
	id := connectOwn(t, f, "together", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "together_get_thing", nil, nil).Want(t, 200)
	c := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	if c.Text("account.id") != "77" || c.Text("account.name") != "Shop 77" {
		t.Errorf("%s", c.Body)
	}
	f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil).Want(t, 200)
	f.Execute(t, session, "together_get_thing", nil, nil).Want(t, 200)
	if p.count("GET /long") != 1 || p.count("GET /renew") != 1 || !slices.Equal(shops, []string{"77", "", "77"}) {
		t.Errorf("%v %v", p.asked, shops)
	}
	f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	f.Settle(t)
	if left := p.alive(); len(left) != 0 {
		t.Errorf("%v live on", left)
	}
	for _, x := range f.Transcript() {
		if strings.Contains(x.Body, "together-at-") || strings.Contains(x.Body, "together-short-") || strings.Contains(x.Body, "own-secret") {
			t.Errorf("%s %s holds a secret", x.Method, x.Path)
		}
	}
}

// TestKnobs_ForgedShopBesideTheCode_ConnectsNothing: the account's own token does not open it, and is given back.
func TestKnobs_ForgedShopBesideTheCode_ConnectsNothing(t *testing.T) {
	t.Parallel()
	p := newProvider(t, "together")
	p.answer = func(o *ownProvider, _ url.Values) object {
		return object{"access_token": o.mint("short"), "expires_in": 60}
	}
	p.back = func(q url.Values) {
		q.Set("shop_code", q.Get("code"))
		q.Set("shopId", "78")
	}
	p.api = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/long":
			p.end(r.URL.Query().Get("t"))
			p.mu.Lock()
			defer p.mu.Unlock()
			reply(w, 200, object{"access_token": p.mint("at"), "expires_in": 7200})
		case r.Method == http.MethodDelete:
			p.end(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
			w.WriteHeader(204)
		default:
			reply(w, 403, object{"error": "not_yours"})
		}
		return true
	}
	f := p.with(t, togetherConnector, togetherTools, map[string]string{"web": ""})
	l := f.Link(t, "acme", "user_alice", "together", nil)
	consent(t, f, f.NewBrowser(t), l)
	if a := f.Confirm(t, l.Text("id"), "user_alice"); a.Status < 400 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if left := p.alive(); len(left) != 0 {
		t.Errorf("%v live on", left)
	}
	noSlots(t, f, "together", l.Text("connection_id"))
}
