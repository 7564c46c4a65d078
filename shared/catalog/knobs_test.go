package catalog_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/secret"
)

// TestManifest_DangerousKnobs_AreRefusedWithTheirPath edits the plain manifest into something that must not load.
func TestManifest_DangerousKnobs_AreRefusedWithTheirPath(t *testing.T) {
	t.Parallel()
	const authorize, token, auth, scopes = `authorize: {url: "{web}/authorize"`, `token: {url: "{web}/token"`, "client_auth: client_secret_basic, pkce: use}", "scopes: {known"
	post := strings.Replace(plain, "client_secret_basic", "client_secret_post", 1)
	for want, tc := range map[string]struct{ in, old, with string }{
		"authorize.param_renames.state:":             {plain, authorize, authorize + ", param_renames: {state: s}"},
		"authorize.param_renames.nonsense:":          {plain, authorize, authorize + ", param_renames: {nonsense: s}"},
		"authorize.param_renames.client_id:":         {plain, authorize, authorize + ", param_renames: {client_id: state}"},
		"authorize.param_renames.redirect_uri:":      {plain, authorize, authorize + `, param_renames: {redirect_uri: ""}`},
		"authorize.param_renames.code_challenge:":    {plain, authorize, authorize + ", param_renames: {code_challenge: scope}"},
		"authorize.params.app_id:":                   {plain, authorize, authorize + ", param_renames: {client_id: app_id}, params: {app_id: x}"},
		"authorize.params.site:":                     {plain, authorize, authorize + `, params: {site: "{connection.site}"}`},
		"authorize.params.team:":                     {plain, authorize, authorize + `, params: {team: "{team}"}`},
		"authorize.params.state:":                    {plain, authorize, authorize + `, params: {state: x}`},
		"authorize.code_param:":                      {plain, authorize, authorize + ", code_param: state"},
		"authorize.fragment_route:":                  {plain, authorize, authorize + `, fragment_route: "/a?b"`},
		"authorize.unencoded_scope:":                 {edit(t, plain, scopes, "scopes: {mode: fixed, known"), authorize, authorize + ", unencoded_scope: true"},
		"token.method:":                              {plain, token, token + ", method: PUT"},
		"token.format: a GET":                        {plain, token, token + ", method: GET"},
		`token.format: "xml"`:                        {plain, token, token + ", format: xml"},
		"token.omit:":                                {plain, token, token + ", omit: [code_verifier]"},
		"token.param_renames.client_secret:":         {plain, token, token + ", param_renames: {client_secret: key}"},
		"token.param_renames.code:":                  {plain, token, token + ", param_renames: {code: client_id}"},
		"token.param_renames.client_id:":             {plain, token, token + ", params: {app: x}, param_renames: {client_id: app}"},
		"token.params.client_assertion:":             {plain, token, token + ", params: {client_assertion: x}"},
		"token.params.x:":                            {plain, token, token + `, params: {x: "{connection.later}"}, capture: {later: id}`},
		"token.headers.X-A:":                         {plain, token, token + `, headers: {X-A: "{secret}"}`},
		"token.capture:":                             {plain, token, token + `, capture: {redirect_uri: id}`},
		"refresh.kind:":                              {plain, token, "refresh: {kind: magic}\n" + token},
		"refresh.token_param: kind":                  {plain, token, "refresh: {kind: reexchange_access_token}\n" + token},
		"refresh.token_param: \"client_id\"":         {plain, token, "refresh: {kind: reexchange_access_token, token_param: client_id}\n" + token},
		"refresh.grant_type:":                        {plain, token, "refresh: {grant_type: x}\n" + token},
		"refresh.include:":                           {plain, token, "refresh: {include: [access_token]}\n" + token},
		"refresh.omit: \"refresh_token\"":            {post, token, "refresh: {omit: [refresh_token]}\n" + token},
		"refresh.omit: only":                         {plain, token, "refresh: {omit: [client_secret]}\n" + token},
		"refresh.params.refresh_token:":              {plain, token, "refresh: {params: {refresh_token: x}}\n" + token},
		"refresh.params.x:":                          {plain, token, "refresh: {params: {x: \"{connection.none}\"}}\n" + token},
		"rotation.class: what":                       {edit(t, plain, "class: static", "class: strict"), token, "refresh: {kind: client_credentials}\n" + token},
		"expires.mode: a token":                      {edit(t, plain, "expires: {mode: field}", "expires: {mode: never}"), token, "refresh: {kind: client_credentials}\n" + token},
		"expires.refresh_format:":                    {plain, "expires: {mode: field}", "expires: {mode: field, refresh_format: weeks}"},
		"scopes.lists[0].param:":                     {plain, scopes, "scopes: {lists: [{param: scope, prefix: \"u:\"}], known"},
		"scopes.lists[0]: state":                     {plain, scopes, "scopes: {lists: [{param: user_scope}], known"},
		"scopes.lists[0].members:":                   {plain, scopes, "scopes: {lists: [{param: user_scope, members: [none]}], known"},
		"auth.client_assertion: is":                  {plain, auth, "client_auth: client_secret_basic, pkce: use, client_assertion: {aud: x}}"},
		"auth.client_assertion.aud:":                 {plain, auth, `client_auth: private_key_jwt, pkce: use, client_assertion: {aud: "{web}"}}`},
		"auth.mtls: client_auth":                     {plain, auth, "client_auth: tls_client_auth, pkce: use}"},
		"auth.mtls: \"all\"":                         {plain, auth, "client_auth: client_secret_basic, pkce: use, mtls: [all]}"},
		"auth.mtls: the certificate is the register": {plain, auth, "client_auth: private_key_jwt, pkce: use, mtls: [token]}"},
		"api.headers.X-Site:":                        {plain, `api: {base: "{web}/api"`, `api: {base: "{web}/api", headers: {X-Site: "{connection.none}"}`},
		"api.base:":                                  {plain, `api: {base: "{web}/api"`, `api: {base: "{web}/api/{connection.none}"`},
	} {
		_, err := catalog.Load(tree(edit(t, tc.in, tc.old, tc.with), ""))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "plain/connector.yaml:") {
			t.Errorf("%s\n  got %v", want, err)
		}
	}
}

func TestAuthorizeURL_Templates_AreFilledInAndEmptyOnesDropped(t *testing.T) {
	t.Parallel()
	m := edit(t, plain, `authorize: {url: "{web}/authorize"}`, `fields: [{name: site, label: Site}, {name: realm, label: Realm, required: true}]
authorize: {url: "{web}/{realm}/authorize", drop_empty_params: true, params: {resource: "https://{connection.site}/x&y", realm: "{connection.realm}", none: ""}}`)
	c := mustLoad(t, m, "")
	for _, site := range []string{"a", ""} {
		got, err := c.AuthorizeURL(map[string]string{"site": site, "realm": "r1"}, catalog.AuthorizeRequest{ClientID: "c", State: "s", CodeChallenge: "x"})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(got)
		if err != nil || u.Path != "/r1/authorize" || u.Query().Get("realm") != "r1" || u.Query().Has("none") || u.Query().Has("resource") != (site != "") {
			t.Errorf("%q: %s %v", site, got, err)
		}
		if site != "" && u.Query().Get("resource") != "https://a/x&y" {
			t.Error(got)
		}
	}
	if _, err := c.AuthorizeURL(map[string]string{}, catalog.AuthorizeRequest{CodeChallenge: "x"}); err == nil {
		t.Error("a path without its value")
	}
}

// TestAuthorizeURL_UnencodedScope_NeverBeginsAnotherParameter: scopes come back from providers, and a reconnect asks for them again.
func TestAuthorizeURL_UnencodedScope_NeverBeginsAnotherParameter(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, edit(t, plain, `authorize: {url: "{web}/authorize"}`, `authorize: {url: "{web}/authorize", unencoded_scope: true}`), "")
	got, err := c.AuthorizeURL(nil, catalog.AuthorizeRequest{State: "s", CodeChallenge: "x", Scopes: []string{"a:b/c", "x&state=evil", "y#z%26?="}})
	if err != nil || !strings.HasSuffix(got, "&scope=a:b/c%20x%26state%3Devil%20y%23z%2526%3F%3D") {
		t.Error(got, err)
	}
}

func TestParseToken_XML_IsReadLikeJSONAndNothingOutsideOfIt(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, edit(t, plain, `token: {url: "{web}/token"}`, `token: {url: "{web}/token", roots: [auth.tokens]}`), "")
	h := http.Header{"Content-Type": {"text/xml; charset=utf-8"}}
	ok := `<?xml version="1.0"?><r xmlns:a="b"><auth><tokens><a:access_token>at &amp; x</a:access_token><access_token>second</access_token><expires_in>60</expires_in></tokens></auth></r>`
	got, err := c.ParseTokenBody(200, h, []byte(ok), time.Now())
	if err != nil || !got.AccessToken.Equal(secret.FromString("at & x")) || got.ExpiresAt.IsZero() {
		t.Error(got, err)
	}
	for name, bad := range map[string]string{
		"entity": `<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><auth><tokens><access_token>&x;</access_token></tokens></auth></r>`,
		"cut":    `<r><auth><tokens><access_token>a`, "two": ok[21:] + `<r/>`, "text": "hello", "empty": "", "deep": strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000),
	} {
		if got, err := c.ParseTokenBody(200, h, []byte(bad), time.Now()); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, err := c.ParseTokenBody(200, h, []byte(`<r><error>invalid_grant</error></r>`), time.Now()); err == nil || !strings.Contains(err.Error(), "no longer accepts") {
		t.Error(err)
	}
}

func TestHosts_NamedByAField_AreHeldToTheList(t *testing.T) {
	t.Parallel()
	hosts := `hosts: {web: {field: domain, allow: ["*.plain.example", "login.other.example"]}}
fields: [{name: domain, label: Domain, required: true}]`
	c := mustLoad(t, edit(t, plain, "hosts: {web: https://plain.example}", hosts), "")
	for domain, want := range map[string]string{"a.plain.example": "a.plain.example", "https://B.plain.example": "b.plain.example", "login.other.example": "login.other.example",
		"plain.example": "", "a.plain.example.evil.example": "", "evil.example/a.plain.example": "", "a.plain.example@evil.example": "", "evil.example#.plain.example": "",
		"a.plain.example:8443": "", "http://a.plain.example": "", "127.0.0.1": "", "": ""} {
		u, err := c.ProxyURL("/x", nil, map[string]string{"domain": domain})
		if (err == nil) != (want != "") || err == nil && u.Host != want {
			t.Errorf("%q: %v %v", domain, u, err)
		}
	}
	any := edit(t, plain, "hosts: {web: https://plain.example}", `hosts: {web: {field: domain, allow: ["*"]}}
fields: [{name: domain, label: Domain, required: true, vouched: true}]`)
	c = mustLoad(t, any, "")
	if u, err := c.ProxyURL("/x", nil, map[string]string{"domain": "git.acme.example"}); err != nil || u.Host != "git.acme.example" {
		t.Error(u, err)
	}
	if _, err := c.ProxyURL("/x", nil, map[string]string{"domain": "169.254.169.254"}); err == nil {
		t.Error("an address is no host name")
	}
	for want, m := range map[string]string{
		"hosts.web.allow: any host": edit(t, any, ", vouched: true", ""),
		"hosts.web.field:":          edit(t, any, "field: domain", "field: none"),
		`allow "*"`:                 edit(t, edit(t, plain, "hosts: {web: https://plain.example}", `hosts: {web: {capture: domain, allow: ["*"]}}`), `token: {url: "{web}/token"`, `token: {url: "{web}/token", capture: {domain: d}`),
	} {
		if _, err := catalog.Load(tree(m, "")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
