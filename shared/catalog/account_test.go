package catalog_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret/reveal"
)

// full uses every knob around a grant; each test below breaks one of them.
const full = `id: plain
name: Plain
description: A provider by the book.
docs_url: https://plain.example/docs
hosts:
  web: https://plain.example
  dc: {capture: server, allow: [eu.plain.example, us.plain.example], default: https://us.plain.example}
  org: {capture: base, allow: ["*.my.plain.example"]}
auth: {mode: oauth2, client_auth: client_secret_basic, pkce: use}
authorize: {url: "{web}/authorize"}
callback:
  capture:
    server: {param: accounts-server, pattern: '^https://[a-z.]+$'}
    installation_id: {param: installation_id, pattern: '^[0-9]{1,18}$', required: true}
  setup: {url: "{web}/install", param: setup_action, done: [install], pending: [request]}
token:
  url: "{dc}/token"
  extra_steps:
    - request: {method: POST, url: "{dc}/swap", auth: none, headers: {X-A: b}, body: {secret: "{client.secret}", t: "{token.access}", r: "{token.refresh}", site: "{connection.server}"}, format: form}
      success: [{path: ok, is: true}]
      map: {access_token: data.token, expires_in: data.ttl}
      capture: {base: data.base}
scopes: {known: {items: {description: Read items, effect: read}}}
expires: {mode: field}
rotation: {class: static}
api: {base: "{web}/api"}
errors:
  token:
    dialect: rfc6749
    rules:
      - {on: [refresh], when: [{path: error, is: invalid_grant}, {path: error_description, contains: being processed}], outcome: transient}
      - {on: [step], when: [{path: error, is: not_ready}], outcome: transient}
  api:
    dialect: json
    code: code
    rules:
      - {status: [401], when: [{header: WWW-Authenticate, contains: insufficient_scope}], outcome: scope, needed: {header: WWW-Authenticate, param: scope, separator: " "}}
      - {status: [403], when: [{path: code, is: NEEDS}], outcome: scope, needed: {path: needed, separator: ","}}
post_connect:
  - request: {method: GET, url: "{web}/user/installations"}
    items: installations
    id: id
    label: name
    choose: by_param
    param: installation_id
    capture: {installation: id}
identity:
  request: {method: GET, url: "{org}/me"}
  map: {account_id: id}
  capture: {tenant_id: installation}
revoke:
  method: DELETE
  url: "{web}/tokens/{token}"
  auth: client_basic
  token: both
  success: {status: [204]}
  effect: tokens
  blast_radius: token
`

func TestLoad_EveryKnobAroundAGrant_IsTaken(t *testing.T) {
	t.Parallel()
	mustLoad(t, full, "")
}

// TestLoad_MaliciousOrUnclearManifest_IsRefusedWithTheField breaks the manifest in one place each.
func TestLoad_MaliciousOrUnclearManifest_IsRefusedWithTheField(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, with, field string }{
		"host from the browser, any below a domain":       {"allow: [eu.plain.example, us.plain.example]", `allow: ["*.plain.example", us.plain.example]`, "hosts.dc.allow: a host that comes through a browser"},
		"host from the browser without a list":            {"{capture: server, allow: [eu.plain.example, us.plain.example], default: https://us.plain.example}", "{capture: server}", "hosts.dc"},
		"default outside of the list":                     {"default: https://us.plain.example", "default: https://evil.example", "hosts.dc.default"},
		"secret to any host below a domain":               {`url: "{dc}/swap"`, `url: "{org}/swap"`, "token.extra_steps[0].request.url: {org} may be any host"},
		"code to any host below a domain":                 {`url: "{dc}/token"`, `url: "{org}/token"`, "token.url: {org} may be any host"},
		"a step to a host of its own":                     {`url: "{dc}/swap"`, `url: "https://evil.example/swap"`, "token.extra_steps[0].request.url"},
		"a step to a host that is not named":              {`url: "{dc}/swap"`, `url: "{evil}/swap"`, "token.extra_steps[0].request.url: host {evil} is not in hosts"},
		"a step that asks for something unknown":          {"{client.secret}", "{client.key}", "token.extra_steps[0].request.body.secret"},
		"a step that sends another's metadata":            {"{connection.server}", "{connection.nothing}", "token.extra_steps[0].request.body.site"},
		"a step that sets Authorization":                  {"headers: {X-A: b}", "headers: {Authorization: b}", "token.extra_steps[0].request.headers"},
		"a step without purpose":                          {"      map: {access_token: data.token, expires_in: data.ttl}\n      capture: {base: data.base}\n", "", "token.extra_steps[0]: brings nothing"},
		"a value from the browser that nothing proves":    {"    choose: by_param\n    param: installation_id\n", "    choose: first\n", "callback.capture.installation_id: comes through a browser and nothing proves it"},
		"a pattern that does not speak of the whole":      {"'^[0-9]{1,18}$'", "'[0-9]+'", "callback.capture.installation_id.pattern"},
		"a capture that is OAuth's":                       {"param: installation_id, pattern", "param: state, pattern", "callback.capture.installation_id.param"},
		"two captures of one parameter":                   {"param: installation_id, pattern", "param: accounts-server, pattern", "callback.capture."},
		"a setup page that never goes on":                 {"done: [install], ", "", "callback.setup.done"},
		"a setup answer that is both":                     {"pending: [request]", "pending: [install]", "callback.setup.pending"},
		"a choice that a reconnect cannot find again":     {"capture: {installation: id}", "capture: {installation: name}", "post_connect[0].capture: must take the id"},
		"a choice that two connections share":             {"  capture: {tenant_id: installation}\n", "", "post_connect[0].capture: the place's id"},
		"a choice by something unknown":                   {"param: installation_id\n", "param: nothing\n", "post_connect[0].param"},
		"a choice of a list that is not named":            {"    items: installations\n", "", "post_connect[0].items"},
		"metadata with two sources":                       {"capture: {installation: id}", "capture: {installation: id, server: url}", "post_connect[0].capture.server"},
		"an account that a refresh never tells":           {"  capture: {tenant_id: installation}\n", "  capture: {tenant_id: installation}\n  fixed: {installation: \"\"}\n", "identity.fixed.installation"},
		"token sets and a step that swaps tokens":         {"scopes: {known", "tokens: {user: {root: authed_user}}\nscopes: {known", "tokens: cannot be combined"},
		"a person who is asked twice":                     {"identity:\n  request: {method: GET, url: \"{org}/me\"}", "  - {request: {method: GET, url: \"{web}/a\"}, items: a, id: id, label: n, choose: one, capture: {a: id}}\n  - {request: {method: GET, url: \"{web}/b\"}, items: b, id: id, label: n, choose: one, capture: {b: id}}\nidentity:\n  request: {method: GET, url: \"{org}/me\"}", "post_connect: a person is asked once"},
		"an effect that contradicts the radius":           {"effect: tokens", "effect: grant", "revoke.blast_radius"},
		"an unknown effect":                               {"effect: tokens", "effect: all", "revoke.effect"},
		"no token and no account":                         {"token: both", "token: none", "revoke.token"},
		"a rule for something that is not asked":          {"on: [refresh]", "on: [consent]", "errors.token.rules[0].on"},
		"needed scopes in the parameter of no header":     {"needed: {path: needed,", "needed: {path: needed, param: x,", "errors.api.rules[1].needed.param"},
		"manual beside a call":                            {"  effect: tokens\n", "  manual: {text: Remove it there.}\n", "revoke.manual"},
		"a host override of the browser's in the address": {`setup: {url: "{web}/install"`, `setup: {url: "{web}/install?x=1"`, "callback.setup.url"},
	} {
		m := edit(t, full, c.old, c.with)
		if _, err := catalog.Load(fstest.MapFS{"plain/connector.yaml": {Data: []byte(m)}}); err == nil || !strings.Contains(err.Error(), c.field) {
			t.Errorf("%s: %v", name, err)
		} else if !strings.Contains(err.Error(), "connector.yaml:") {
			t.Errorf("%s: no line: %v", name, err)
		}
	}
}

func TestCallbackMetadata_HostOutsideTheList_IsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, full, "")
	ok, err := c.CallbackMetadata(url.Values{"accounts-server": {"https://eu.plain.example"}, "installation_id": {"1"}}, nil, true)
	if err != nil || ok["server"] != "https://eu.plain.example" {
		t.Fatal(ok, err)
	}
	if to, err := c.TokenURL(ok); err != nil || to != "https://eu.plain.example/token" {
		t.Error(to, err)
	}
	if to, err := c.TokenURL(nil); err != nil || to != "https://us.plain.example/token" {
		t.Error(to, err)
	}
	for _, bad := range []string{"https://evil.example", "https://eu.plain.example.evil.example", "https://xeu.plain.example", "https://x.eu.plain.example", "http://eu.plain.example", "https://plain.example"} {
		if _, err := c.CallbackMetadata(url.Values{"accounts-server": {bad}, "installation_id": {"1"}}, nil, true); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: %v", bad, err)
		}
		if _, err := c.TokenURL(map[string]string{"server": bad}); err == nil { // also of what is stored
			t.Errorf("%s was stored and is used", bad)
		}
	}
	if _, err := c.CallbackMetadata(url.Values{}, nil, true); !fault.Is(err, fault.InvalidInput) {
		t.Error(err)
	}
	if _, err := c.CallbackMetadata(url.Values{}, map[string]string{"installation_id": "1"}, true); err != nil { // an earlier answer had it
		t.Error(err)
	}
}

func TestParseStep_NamesAHostOutsideTheList_IsRefused(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, full, "")
	now := time.Unix(1e9, 0)
	for base, good := range map[string]bool{"https://a.my.plain.example": true, "https://evil.example": false, "https://my.plain.example.evil.example": false} {
		got, err := c.ParseStep(0, 200, http.Header{"Content-Type": {"application/json"}}, []byte(`{"ok":true,"data":{"token":"t2","ttl":60,"base":"`+base+`"}}`), catalog.TokenResponse{}, now)
		if good != (err == nil) || good && (string(got.AccessToken.Reveal(reveal.Key{})) != "t2" || !got.ExpiresAt.Equal(now.Add(time.Minute))) {
			t.Errorf("%s: %+v %v", base, got, err)
		}
	}
	if _, err := c.ParseStep(0, 200, nil, []byte(`{"ok":false}`), catalog.TokenResponse{}, now); err == nil {
		t.Error("a step whose answer is no success was taken")
	}
}

func TestRules_OnAndHeaderParameters(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, full, "")
	json := http.Header{"Content-Type": {"application/json"}}
	body := []byte(`{"error":"invalid_grant","error_description":"token request is already being processed"}`)
	kind := func(err error) catalog.OutcomeKind {
		var p *catalog.ProviderFailure
		if f := fault.From(err); f == nil || !asFailure(err, &p) {
			return ""
		}
		return p.Outcome.Kind
	}
	if _, err := c.ParseRefreshBody(400, json, body, time.Now()); kind(err) != catalog.OutcomeTransient {
		t.Error(err)
	}
	if _, err := c.ParseTokenBody(400, json, body, time.Now()); kind(err) != catalog.OutcomeDead {
		t.Error(err)
	}
	for header, want := range map[string]string{
		`Bearer error="insufficient_scope", scope="a b"`:     "a b",
		`Bearer realm="xscope=1", scope=a, error="x"`:        "a",
		`Bearer error="insufficient_scope", noscope="c"`:     "",
		`Bearer error="insufficient_scope"`:                  "",
		`Bearer SCOPE="q", x_scope="z" insufficient_scope=1`: "q",
	} {
		o := c.ClassifyAPIResponse(401, http.Header{"Www-Authenticate": {header + " insufficient_scope"}}, nil)
		if o.Kind != catalog.OutcomeScope || strings.Join(o.MissingScopes, " ") != want {
			t.Errorf("%s: %+v", header, o)
		}
	}
	if o := c.ClassifyAPIResponse(403, json, []byte(`{"code":"NEEDS","needed":["x","y"]}`)); strings.Join(o.MissingScopes, " ") != "x y" {
		t.Errorf("%+v", o)
	}
}

// TestRevokeRequest_EachShape is the table of what providers want.
func TestRevokeRequest_EachShape(t *testing.T) {
	t.Parallel()

	shapes := map[string]struct{ spec, method, url, auth, body string }{
		"RFC 7009, post":  {`POST, url: "{web}/revoke", auth: client_post, token: refresh, param: token, format: form, params: {token_type_hint: refresh_token}`, "POST", "https://plain.example/revoke", "", "client_id=id&client_secret=se%2Fcret&token=t%2Fok&token_type_hint=refresh_token"},
		"RFC 7009, basic": {`POST, url: "{web}/revoke", auth: client_basic, token: access, param: token, format: form`, "POST", "https://plain.example/revoke", "Basic", "token=t%2Fok"},
		"DELETE, basic":   {`DELETE, url: "{web}/applications/{client_id}/grant", auth: client_basic, token: access, param: access_token, format: json`, "DELETE", "https://plain.example/applications/id/grant", "Basic", `{"access_token":"t/ok"}`},
		"bearer":          {`POST, url: "{web}/auth.revoke", auth: bearer, token: access`, "POST", "https://plain.example/auth.revoke", "Bearer bear", ""},
		"in the path":     {`DELETE, url: "{web}/refresh-tokens/{token}", auth: none, token: refresh`, "DELETE", "https://plain.example/refresh-tokens/t%2Fok", "", ""},
		"in the query":    {`POST, url: "{web}/revoke", auth: none, token: refresh, param: token, format: query`, "POST", "https://plain.example/revoke?token=t%2Fok", "", ""},
		"by account":      {`POST, url: "{web}/deauthorize", auth: client_bearer, token: none, format: form, params: {client_id: "x", stripe_user_id: "{account_id}"}`, "", "", "", ""},
		"by account id":   {`POST, url: "{web}/deauthorize", auth: client_bearer, token: none, format: form, params: {app: "{client_id}", stripe_user_id: "{account_id}"}`, "POST", "https://plain.example/deauthorize", "Bearer se/cret", "app=id&stripe_user_id=acct%261"},
	}
	for name, s := range shapes {
		text := strings.Replace(plain, "api: {base", "revoke: {method: "+s.spec+", success: {status: [200]}, blast_radius: token}\napi: {base", 1)
		loaded, err := catalog.Load(tree(text, ""))
		if s.method == "" {
			if err == nil {
				t.Errorf("%s: a constant in the place of the client's id was taken", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c := loaded.Connectors()[0]
		call, ok, err := c.RevokeRequest(catalog.WithAccount(nil, "acct&1"), "id")
		if err != nil || !ok {
			t.Fatal(name, err)
		}
		r, err := call.HTTP(t.Context(), c.APIAuth, []byte("se/cret"), []byte("bear"), []byte("t/ok"))
		if err != nil {
			t.Fatal(name, err)
		}
		body := make([]byte, 200)
		n, _ := r.Body.Read(body)
		if r.Method != s.method || r.URL.String() != s.url || !strings.HasPrefix(r.Header.Get("Authorization"), s.auth) || s.auth == "" && r.Header.Get("Authorization") != "" || strings.TrimSpace(string(body[:n])) != s.body {
			t.Errorf("%s: %s %s %q %s", name, r.Method, r.URL, r.Header.Get("Authorization"), body[:n])
		}
	}

}

func TestManual_NoCall_SaysWhatThePersonDoes(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, strings.Replace(plain, "api: {base", "revoke: {manual: {text: Remove Plain under Apps., url: \"https://plain.example/apps\"}}\napi: {base", 1), "")
	if _, ok, err := c.RevokeRequest(nil, "id"); ok || err != nil {
		t.Error(ok, err)
	}
	if text, at := c.Manual(); text != "Remove Plain under Apps." || at != "https://plain.example/apps" {
		t.Error(text, at)
	}
}

func asFailure(err error, p **catalog.ProviderFailure) bool { return errors.As(err, p) }
