package catalog_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret/reveal"
)

// keyed is a provider with a pasted user and password, on a host per customer.
const keyed = `id: plain
name: Plain
description: A provider by key.
docs_url: https://plain.example/docs
hosts: {api: {url: "https://{sub}.plain.example", params: {sub: '^[a-z0-9-]{1,20}$'}}}
fields:
  - {name: sub, label: Subdomain, required: true, pattern: '^[a-z0-9-]{1,20}$'}
  - {name: user, label: User, required: true}
  - {name: password, label: Password, secret: true, required: true}
auth: {mode: basic}
credential: {value: "{user}:{password}", encode: base64}
api: {base: "{api}/v1"}
errors: {api: {dialect: status}}
identity: {request: {method: GET, url: "{api}/me"}, map: {account_id: id}}
`

// signing is a provider that takes a signed assertion.
const signing = `id: plain
name: Plain
description: A provider by assertion.
docs_url: https://plain.example/docs
hosts: {api: https://plain.example}
fields:
  - {name: file, label: File, kind: json, secret: true, required: true, capture: {mail: email}}
auth: {mode: jwt_bearer}
assertion: {alg: RS256, key: "{file.private_key}", iss: "{file.email}", aud: https://plain.example/token, ttl_seconds: 600}
token: {url: "{api}/token"}
expires: {mode: field}
api: {base: "{api}/v1"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
identity: {capture: {account_id: mail}}
`

func TestLoad_BrokenKind_SaysWhereAndWhat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, base, old, with, want string }{
		{"unknown mode", keyed, "mode: basic", "mode: oauth1", `plain/connector.yaml:10: auth.mode: "oauth1" is not one of oauth2, client_credentials`},
		{"unknown knob", keyed, "mode: basic", "mode: basic, realm: x", `plain/connector.yaml:10:21: unknown field "realm"`},
		{"unknown field knob", keyed, "label: User", "label: User, private: true", `plain/connector.yaml:8:31: unknown field "private"`},
		{"token endpoint of a key", keyed, "api: {base", "token: {url: \"{api}/t\"}\napi: {base", "ask no token endpoint"},
		{"consent page of a key", keyed, "api: {base", "authorize: {url: \"{api}/a\"}\napi: {base", "only mode oauth2 has a consent page"},
		{"no credential", keyed, "credential: {value: \"{user}:{password}\", encode: base64}\n", "", "credential: is missing"},
		{"credential of OAuth", plain, "rotation:", "credential: {value: x}\nrotation:", "it is for modes api_key, basic and bearer"},
		{"basic not encoded", keyed, ", encode: base64", "", "credential.encode: must be stated: base64"},
		{"unknown reference", keyed, "{user}:{password}", "{user}:{secret}", "{secret} is not a field; known are sub, user, password"},
		{"half a reference", keyed, "{user}:{password}", "{user}:{password", "a reference is {name}"},
		{"optional in a credential", keyed, "label: User, required: true", "label: User", "{user} must be a required field"},
		{"key without proof", keyed, "identity: {request: {method: GET, url: \"{api}/me\"}, map: {account_id: id}}\n", "", "is proved by identity.request"},
		{"key that expires", keyed, "api: {base", "expires: {mode: fixed, seconds: 5}\napi: {base", "never expires by itself"},
		{"key with pkce", keyed, "mode: basic", "mode: basic, pkce: use", "auth.pkce: only mode oauth2 has it"},
		{"key with client", keyed, "mode: basic", "mode: basic, client_auth: client_secret_post", `auth.client_auth: "client_secret_post" is not one of none`},
		{"revoking a customer's key", keyed, "api: {base", "revoke: {method: DELETE, url: \"{api}/k\", auth: bearer, token: access, success: {status: [204]}, blast_radius: token}\napi: {base", "belongs to the customer"},
		{"field twice", keyed, "name: user", "name: sub", "plain/connector.yaml:8: fields[1].name"},
		{"field without label", keyed, "label: User, ", "", "fields[1].label: is missing"},
		{"open pattern", keyed, "label: User,", "label: User, pattern: '[a-z]+',", "so that it speaks of the whole value"},
		{"secret of OAuth", plain, "auth:", "fields: [{name: key, label: Key, secret: true}]\nauth:", "mode oauth2 asks nobody for a secret"},
		{"key that is not secret", keyed, "label: User, required: true", "label: User, required: true, kind: pem", "is secret"},
		{"host parameter without pattern", keyed, "params: {sub: '^[a-z0-9-]{1,20}$'}", "params: {}", "{sub} has no pattern"},
		{"host parameter that is secret", keyed, "label: Subdomain,", "label: Subdomain, secret: true,", "must be a required field of kind text that is not secret"},
		{"host parameter that is no field", keyed, "name: sub,", "name: other,", "must be a required field of kind text that is not secret"},
		{"host with allow", keyed, "params: {sub:", "allow: [x.example], params: {sub:", "url with params, or capture or field with allow, not both"},
		{"dotted host pattern", keyed, "sub: '^[a-z0-9-]{1,20}$'", "sub: '^[a-z0-9.-]{1,20}$'", `lets '.' through`},
		{"host pattern for anything", keyed, "sub: '^[a-z0-9-]{1,20}$'", "sub: '^.+$'", "could name another host"},
		{"host pattern without end", keyed, "sub: '^[a-z0-9-]{1,20}$'", "sub: '^[a-z0-9-]{1,20}'", "want a pattern ^…$"},
		{"host pattern by lines", keyed, "sub: '^[a-z0-9-]{1,20}$'", "sub: '(?m)^[a-z]+$'", "want a pattern ^…$"},
		{"port in a host", keyed, ".plain.example\"", ".plain.example:8443\"", "without port and path"},
		{"key in the query without param", keyed, "api: {base: \"{api}/v1\"", "api: {base: \"{api}/v1\", auth: {in: query}", "in: query and param need each other"},
		{"key in a cookie", keyed, "api: {base: \"{api}/v1\"", "api: {base: \"{api}/v1\", auth: {in: cookie}", `"cookie" is not one of header, query`},
		{"no assertion", signing, "assertion: {alg: RS256, key: \"{file.private_key}\", iss: \"{file.email}\", aud: https://plain.example/token, ttl_seconds: 600}\n", "", "assertion: is missing"},
		{"whole file as key", signing, "key: \"{file.private_key}\"", "key: \"{file}\"", "is used by its members"},
		{"the client's key", signing, "key: \"{file.private_key}\"", "key: client", "mode app_jwt signs with the key of the registered client"},
		{"long assertion", signing, "ttl_seconds: 600", "ttl_seconds: 86400", "assertion.ttl_seconds: want 60 to 3600"},
		{"weak algorithm", signing, "alg: RS256", "alg: HS256", `assertion.alg: "HS256" is not one of RS256, ES256`},
		{"claim that is set", signing, "ttl_seconds: 600", "ttl_seconds: 600, claims: {exp: x}", "is set by the fields above or by the time"},
		{"captured private key", signing, "capture: {mail: email}", "capture: {mail: email, pk: private_key}", "is the private key; metadata is not secret"},
		{"minting that rotates", signing, "expires: {mode: field}", "expires: {mode: field}\nrotation: {class: strict}", "a mode that mints is static"},
		{"sending the key away", signing, "api: {base", "revoke: {method: POST, url: \"{api}/r\", auth: none, token: refresh, param: token, format: form, success: {status: [200]}, blast_radius: token}\napi: {base", "belongs to the customer"},
		{"secret of a client that signs", plain, "client_auth: client_secret_basic, pkce: use}", "client_auth: private_key_jwt, pkce: use}\nrevoke: {method: POST, url: \"{web}/r\", auth: client_basic, token: refresh, param: token, format: form, success: {status: [200]}, blast_radius: grant}", "this client has no secret"},
		{"token constant that is ours", signing, `token: {url: "{api}/token"}`, `token: {url: "{api}/token", params: {assertion: x}}`, "is set by the grant"},
		{"unknown expiry format", signing, "expires: {mode: field}", "expires: {mode: field, format: minutes}", `"minutes" is not one of seconds`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := catalog.Load(tree(edit(t, tc.base, tc.old, tc.with), ""))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "plain/connector.yaml:") {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func values(t testing.TB, c *catalog.Connector, raw map[string]string) catalog.Values {
	t.Helper()
	v, problems := c.ReadValues(raw)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return v
}

func TestValues_NoPrinterShowsThem(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, keyed, "")
	v := values(t, c, map[string]string{"sub": "acme", "user": "jane", "password": "hunter22-hunter22"})
	seed := catalog.Seed{Values: v}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "values", v, "seed", seed)
	j, err := json.Marshal(map[string]any{"seed": catalog.Seed{}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := seed.Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{log.String(), string(j), fmt.Sprintf("%v %+v %#v %s", v, seed, seed, []any{v, &seed}), text.String()} {
		if strings.Contains(out, "hunter") {
			t.Error(out)
		}
	}
	back, err := catalog.ReadSeed(text.Reveal(reveal.Key{}))
	if err != nil {
		t.Fatal(err)
	}
	if m := c.Metadata(back.Values); m["sub"] != "acme" || m["user"] != "jane" || m["password"] != "" || len(m) != 2 {
		t.Errorf("%v", m)
	}
	if _, err := catalog.ReadSeed([]byte(`{"x":1}`)); !fault.Is(err, fault.Internal) {
		t.Error(err)
	}
}

func TestHosts_Parameter_ChoosesAmongTheProvidersOnly(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, keyed, "")
	if u, err := c.ProxyURL("/x", nil, map[string]string{"sub": "acme"}); err != nil || u.String() != "https://acme.plain.example/v1/x" {
		t.Error(u, err)
	}
	for _, evil := range []string{"", "a.b", "a/b", "a#", "a?", "a:1", "a@b", "a%2f", "a\\b", "a b", "a\n", "a\x00", "ä", "A_b", "evil.example/", "a\u2024b", "127.0.0.1", "[::1]"} {
		if u, err := c.ProxyURL("/x", nil, map[string]string{"sub": evil}); err == nil {
			t.Errorf("%q gives %s", evil, u)
		}
	}
	local := mustLoad(t, keyed, "", catalog.WithHosts(catalog.Hosts{"plain": {"api": "http://127.0.0.1:1/plain/{sub}"}}))
	if u, err := local.ProxyURL("/x", nil, map[string]string{"sub": "acme"}); err != nil || u.String() != "http://127.0.0.1:1/plain/acme/v1/x" {
		t.Error(u, err)
	}
	if _, err := catalog.Load(tree(keyed, ""), catalog.WithHosts(catalog.Hosts{"plain": {"api": "http://127.0.0.1:1/{password}"}})); err == nil {
		t.Error("an override may name any field")
	}
}

func TestAuthHeader_Query_CarriesTheKeyThere(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, edit(t, edit(t, keyed, "mode: basic", "mode: api_key"), `api: {base: "{api}/v1"`, `api: {base: "{api}/v1", auth: {in: query, param: key}`), "")
	r := httptest.NewRequest(http.MethodGet, "https://acme.plain.example/me?a=b", nil)
	c.APIAuth.Base64 = false
	c.APIAuth.Put(r, []byte("s3cret&x=y"))
	if r.URL.RawQuery != "a=b&key=s3cret%26x%3Dy" || r.Header.Get("Authorization") != "" {
		t.Error(r.URL.RawQuery, r.Header)
	}
	basic := catalog.AuthHeader{Name: "Authorization", Format: "Basic {token}", Base64: true}
	if parts := basic.Parts([]byte("jane:pass:word")); len(parts) != 2 || string(parts[1]) != "pass:word" {
		t.Errorf("%q", parts)
	}
}

func TestExpiry_Formats(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	hour := now.Add(time.Hour)
	for format, v := range map[string]string{"seconds": `3600`, "milliseconds": `3600000`, "epoch_seconds": fmt.Sprint(hour.Unix()), "epoch_milliseconds": fmt.Sprint(hour.UnixMilli()), "rfc3339": `"2026-01-01T01:00:00Z"`} {
		c := mustLoad(t, edit(t, signing, "{mode: field}", "{mode: field, format: "+format+"}"), "")
		got, err := c.ParseTokenBody(200, http.Header{"Content-Type": {"application/json"}}, []byte(`{"access_token":"a","expires_in":`+v+`}`), now)
		if err != nil || !got.ExpiresAt.Equal(hour) {
			t.Errorf("%s: %v %v", format, got.ExpiresAt, err)
		}
		for _, bad := range []string{`"soon"`, `-5`, `0`, `1e300`, `null`, `99999999999999999999`} {
			got, err := c.ParseTokenBody(200, http.Header{"Content-Type": {"application/json"}}, []byte(`{"access_token":"a","expires_in":`+bad+`}`), now)
			if err != nil || !got.ExpiresAt.IsZero() {
				t.Errorf("%s %s: %v %v", format, bad, got.ExpiresAt, err)
			}
		}
	}
}

const graphTools = `- name: plain_find
  title: Find
  effect: read
  description: Find issues by title. Use it when the number is not known. Returns ids.
  input:
    required: [title]
    properties:
      title: {type: string, description: Title.}
      team: {type: string, description: Team.}
  request:
    method: POST
    url: "{api}/graphql"
    body:
      format: graphql
      query: "query($f: Filter) { issues(filter: $f) { id } }"
      variables: {f: {title: {contains: "{title}"}, team: {eq: "{team}"}, host: "{connection.sub}"}, first: 5}
`

func TestBind_GraphQL_TextIsFixedAndVariablesAreMapped(t *testing.T) {
	t.Parallel()
	tools, err := mustLoad(t, keyed, graphTools).Tools()
	if err != nil {
		t.Fatal(err)
	}
	in, err := tools[0].ValidateInput(json.RawMessage(`{"title":"\"} } mutation { drop"}`))
	if err != nil {
		t.Fatal(err)
	}
	r, err := tools[0].Bind(in, map[string]string{"sub": "acme"})
	want := `{"query":"query($f: Filter) { issues(filter: $f) { id } }","variables":{"f":{"host":"acme","title":{"contains":"\"} } mutation { drop"}},"first":5}}`
	if err != nil || string(r.Body) != want || r.ContentType != "application/json" {
		t.Errorf("%v\n%s\n%s", err, r.Body, want)
	}
	for name, tc := range map[string][2]string{
		"secret in a request":    {"{connection.sub}", "{connection.password}"},
		"unknown metadata":       {"{connection.sub}", "{connection.nothing}"},
		"variables without text": {`      query: "query($f: Filter) { issues(filter: $f) { id } }"` + "\n", ""},
		"text in a variable":     {`"{team}"`, `"x {team}"`},
	} {
		if c, err := catalog.Load(tree(keyed, edit(t, graphTools, tc[0], tc[1]))); err != nil || c.Verify() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzReadValues looks for a form that breaks the reader, or gets something past it: whatever it takes leaves the host where
// it belongs and is within its bounds.
func FuzzReadValues(f *testing.F) {
	c := mustLoad(f, keyed, "")
	for _, s := range []string{"sub=acme&user=jane&password=hunter22x", "sub=a.b&user=&password=%00", "sub=acme%0a&x=y", "sub=%ff&user=%e2%80%a8"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		raw := map[string]string{}
		for k := range form {
			raw[k] = form.Get(k)
		}
		v, problems := c.ReadValues(raw)
		for _, p := range problems {
			if strings.Contains(p.Message, raw["password"]) && len(raw["password"]) >= 8 && !strings.Contains("Password is too short to be one: at least 8 characters. Password holds a character that cannot be part of it. Copy it again. too long 512", raw["password"]) {
				t.Errorf("a problem repeats the secret: %s", p.Message)
			}
		}
		if len(problems) > 0 {
			return
		}
		u, err := c.ProxyURL("/me", nil, c.Metadata(v))
		if err != nil || !strings.HasSuffix(u.Host, ".plain.example") || strings.Count(u.Host, ".") != 2 || u.Path != "/v1/me" {
			t.Errorf("%q: %v %v", body, u, err)
		}
		token, err := c.Credential(v)
		if err != nil || strings.ContainsAny(c.APIAuth.Value(token.Reveal(reveal.Key{})), "\r\n") {
			t.Errorf("%q: %v", body, err)
		}
	})
}

func TestManifest_ProviderHabits_AreData(t *testing.T) {
	t.Parallel()
	m := edit(t, plain, `token: {url: "{web}/token"}`, `token: {url: "{web}/token", capture: {team_id: team.id}}
refresh: {url: "{web}/renew", params: {again: "1"}}`)
	m = edit(t, edit(t, m, "scopes: {known", "scopes: {mode: fixed, default: [items], known"), `api: {base: "{web}/api"}`, `api: {base: "{web}/api", query: {team: "{connection.team_id}", v: 2}}`)
	c := mustLoad(t, m, plainTools)
	shape, serr := c.TokenShape(catalog.TokenCallOf{Renews: true})
	if u, err := c.RefreshURL(nil); err != nil || serr != nil || u != "https://plain.example/renew" || shape.Fields(nil).Get("again") != "1" {
		t.Error(u, err)
	}
	if u, err := c.AuthorizeURL(nil, catalog.AuthorizeRequest{CodeChallenge: "x", Scopes: []string{"items"}}); err != nil || strings.Contains(u, "scope") {
		t.Error(u, err)
	}
	if u, err := c.ProxyURL("/x", url.Values{"v": {"3"}}, map[string]string{"team_id": "T1"}); err != nil || u.RawQuery != "team=T1&v=3" {
		t.Error(u, err)
	}
	got, err := c.ParseTokenBody(200, http.Header{"Content-Type": {"application/json"}}, []byte(`{"access_token":"a","scope":["b","a"]}`), time.Now())
	if err != nil || fmt.Sprint(got.Scopes) != "[a b]" {
		t.Error(got.Scopes, err)
	}
	for _, bad := range []string{"query: {team: \"{connection.none}\"}", "query: {team: \"{team}\"}", "query: {team: {a: b}}"} {
		if _, err := catalog.Load(tree(edit(t, plain, `api: {base: "{web}/api"}`, `api: {base: "{web}/api", `+bad+"}"), "")); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
}
