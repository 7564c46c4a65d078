package catalog_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
)

func TestLoad_BrokenManifest_SaysWhereAndWhat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, old, with, want string }{
		{"unknown field", "expires: {mode: field}", "expires: {mode: field}\nretries: 3", `plain/connector.yaml:11:1: unknown field "retries"`},
		{"unknown nested field", "rotation: {class: static}", "rotation:\n  class: static\n  grace: 3", `plain/connector.yaml:13:3: unknown field "grace"`},
		{"unknown field of a captured host", "{web: https://plain.example}", "{web: {capture: x, permit: [a]}}", `unknown field "permit"`},
		{"repeated field", "rotation: {class: static}", "rotation: {class: static}\nname: Again", `plain/connector.yaml:12:1: mapping key "name" already defined`},
		{"wrong type", "{mode: field}", "{mode: field, seconds: soon}", "plain/connector.yaml:10:33: "},
		{"id is not the folder", "id: plain", "id: other", `plain/connector.yaml:1: id: "other" must be the name of the folder`},
		{"no client auth", "client_auth: client_secret_basic, ", "", "plain/connector.yaml:6: auth.client_auth: must be stated"},
		{"unknown client auth", "client_secret_basic", "basic", `auth.client_auth: "basic" is not one of`},
		{"no pkce", ", pkce: use", "", "auth.pkce: must be stated: required, use, never"},
		{"public client without pkce", "client_secret_basic, pkce: use", "none, pkce: never", "a client without secret must use PKCE"},
		{"no rotation", "rotation: {class: static}\n", "", "rotation.class: must be stated"},
		{"grace without seconds", "class: static", "class: grace", "plain/connector.yaml:11: rotation.grace_seconds: class grace needs it"},
		{"seconds without grace", "class: static", "class: strict, grace_seconds: 5", "rotation.grace_seconds"},
		{"keep-alive without refresh token", "class: static", "class: none, keepalive_seconds: 5", "nothing to keep alive"},
		{"no expiry", "expires: {mode: field}\n", "", "expires.mode: must be stated"},
		{"fixed without seconds", "mode: field", "mode: fixed", "expires.seconds: modes fixed and introspect need it"},
		{"introspect without request", "mode: field", "mode: introspect, seconds: 5", "introspect and the introspect request need each other"},
		{"no token dialect", "token: {dialect: rfc6749}, ", "", "errors.token.dialect: must be stated"},
		{"no api dialect", ", api: {dialect: status}", "", "errors.api.dialect: must be stated"},
		{"custom without code", "dialect: rfc6749", "dialect: custom", "errors.token.code: dialect custom needs"},
		{"rule that matches all", "dialect: rfc6749", "dialect: rfc6749, rules: [{outcome: dead}]", "errors.token.rules[0]: matches everything"},
		{"rule with ok", "dialect: rfc6749", "dialect: rfc6749, rules: [{status: [400], outcome: ok}]", `"ok" is not one of expired`},
		{"condition without test", "dialect: rfc6749", "dialect: rfc6749, rules: [{when: [{path: a}], outcome: dead}]", "state one of is, contains, present"},
		{"condition on both", "dialect: rfc6749", "dialect: rfc6749, rules: [{when: [{path: a, header: b, is: c}], outcome: dead}]", "state either path or header"},
		{"no hosts", "hosts: {web: https://plain.example}\n", "", "token.url: host {web} is not in hosts"},
		{"http host", "web: https://", "web: http://", "hosts.web: "},
		{"host with path", "plain.example}", "plain.example/x}", "without port and path"},
		{"host with port", "plain.example}", "plain.example:8443}", "without port and path"},
		{"host with user", "https://plain.example}", "https://a@plain.example}", "without user information"},
		{"captured host without capture", "{web: https://plain.example}", "{web: {capture: base, allow: [a.example]}}", `capture "base" is not in token.capture`},
		{"captured host without allow", "{web: https://plain.example}", "{web: {capture: base}}", "needs an allow list"},
		{"allow list for all", "{web: https://plain.example}", `{web: {capture: base, allow: ["*.com"]}}`, `allow "*.com"`},
		{"address without host", `{url: "{web}/token"}`, `{url: "https://evil.example/token"}`, "want {host}/path"},
		{"address with dots", `{url: "{web}/token"}`, `{url: "{web}/../token"}`, "dot segment"},
		{"address with query", `{url: "{web}/token"}`, `{url: "{web}/token?a=b"}`, "needs escaping"},
		{"address with unknown variable", `{url: "{web}/token"}`, `{url: "{web}/{tenant}/token"}`, "{tenant} is not known here"},
		{"issuer that is no URL", `{url: "{web}/authorize"}`, `{url: "{web}/authorize", issuer: acme}`, "an https URL"},
		{"authorize constant that is ours", `{url: "{web}/authorize"}`, `{url: "{web}/authorize", params: {state: x}}`, "is set by the connect flow"},
		{"unknown default scope", "scopes: {known", "scopes: {default: [itmes], known", `scope "itmes" is not in scopes.known`},
		{"credential header", `base: "{web}/api"`, `base: "{web}/api", headers: {Authorization: x}`, "credentials are not headers"},
		{"host header", `base: "{web}/api"`, `base: "{web}/api", headers: {host: x}`, "cannot be set by a connector"},
		{"api auth without token", `base: "{web}/api"`, `base: "{web}/api", auth: {format: Bearer}`, "must hold {token} once"},
		{"identity without account", "api: {base", "identity: {request: {method: GET, url: \"{web}/me\"}, map: {email: email}}\napi: {base", "account_id must be in map or capture"},
		{"revoke without token", "api: {base", "revoke: {method: POST, url: \"{web}/r\", auth: none, token: refresh, success: {status: [200]}, blast_radius: token}\napi: {base", "revoke.param: must be stated"},
		{"account of an unknown capture", "api: {base", "identity: {request: {method: GET, url: \"{web}/me\"}, map: {account_id: id}, fixed: {nobody: \"\"}}\napi: {base", "identity.fixed.nobody: \"nobody\" is not in token.capture"},
		{"account by a pattern without a group", "api: {base", "identity: {request: {method: GET, url: \"{web}/me\"}, map: {account_id: id}, fixed: {nobody: \"x\"}}\napi: {base", "with a group"},
		{"revoke without radius", "api: {base", "revoke: {method: POST, url: \"{web}/r\", auth: bearer, token: access, success: {status: [200]}}\napi: {base", "revoke.blast_radius: must be stated"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := catalog.Load(tree(edit(t, plain, tc.old, tc.with), ""))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestTools_BrokenFile_SaysWhereAndWhat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, old, with, want string }{
		{"unknown field", "  response: {select: item}", "  respones: {select: item}", `plain/tools.yaml:14:3: unknown field "respones"`},
		{"combinator", "{type: string, description: Shelf.}", "{oneOf: [], description: Shelf.}", `unknown field "oneOf"`},
		{"reference", "{type: string, description: Shelf.}", "{$ref: x, description: Shelf.}", `unknown field "$ref"`},
		{"type union", "{type: string, description: Shelf.}", "{type: [string], description: Shelf.}", "plain/tools.yaml:9:"},
		{"foreign name", "plain_get_item", "other_get_item", "must be plain_ and then"},
		{"long name", "plain_get_item", "plain_" + strings.Repeat("x", 59), "at most 64"},
		{"name twice", "plain_put_item", "plain_get_item", "plain/tools.yaml:15: [1].name: plain_get_item is there twice"},
		{"short description", "Get one item by shelf and id. Use it when both are known. Returns the item.", "Get it.", "40 to 1024"},
		{"no effect", "  effect: read\n", "", "[0].effect: must be stated"},
		{"read that deletes", "method: GET", "method: DELETE", "read does not fit method DELETE"},
		{"unknown scope", "all_of: [items]", "all_of: [itmes]", `scope "itmes" is not in scopes.known`},
		{"property without description", "{type: string, description: Shelf.}", "{type: string}", "plain/tools.yaml:9: [0].input.properties.shelf: has no description"},
		{"optional path input", "required: [shelf, id]", "required: [shelf]", "{id} must be a required string or integer"},
		{"unknown path input", "/items/{id}", "/items/{id}/{part}", "{part} is not a property of input"},
		{"unused input", `query: {q: "{q}", `, `query: {`, "properties.q: is not used"},
		{"unknown query input", `q: "{q}"`, `q: "{query}"`, "{query} is not a property"},
		{"mixed text", `q: "{q}"`, `q: "x {q}"`, "a constant or exactly one {input}"},
		{"unknown host", `"{web}/api/shelves/{shelf}/items`, `"{api}/api/shelves/{shelf}/items`, "host {api} is not in hosts"},
		{"other host", `"{web}/api/shelves/{shelf}/items/{id}"`, `"https://{shelf}.example/{id}"`, "want {host}/path"},
		{"body of a GET", `query: {q: "{q}"`, `body: {format: json, fields: {}}, query: {q: "{q}"`, "a GET has no body"},
		{"object that is open and closed", "free_form: true, ", "", "an object needs either properties or free_form"},
		{"array without items", "items: {type: string}, ", "", "type array and items need each other"},
		{"bad pattern", "maxLength: 5", `pattern: "["`, "missing closing ]"},
		{"bad select", "select: item", "select: $.item", "is not a path"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, err := catalog.Load(tree(plain, edit(t, plainTools, tc.old, tc.with)))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Verify(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestLoad_ManyProblems_AreAllReported(t *testing.T) {
	t.Parallel()
	bad := edit(t, edit(t, plain, ", pkce: use", ""), "class: static", "class: often")
	_, err := catalog.Load(tree(bad, ""))
	if err == nil || !strings.Contains(err.Error(), "auth.pkce") || !strings.Contains(err.Error(), "rotation.class") {
		t.Error(err)
	}
}

func TestLoad_ShippedSample_StaysShort(t *testing.T) {
	t.Parallel()
	if n := strings.Count(plain, "\n"); n > 13 {
		t.Errorf("a plain provider takes %d lines", n)
	}
	c := mustLoad(t, plain, "")
	if tools, err := c.Tools(); err != nil || len(tools) != 0 {
		t.Errorf("%v %v", tools, err)
	}
}

// opened records which files are read.
type opened struct {
	fs.FS
	names map[string]int
}

func (o opened) Open(name string) (fs.File, error) {
	o.names[name]++
	return o.FS.Open(name)
}

func TestLoad_Tools_AreReadAtFirstUseAndOnce(t *testing.T) {
	t.Parallel()
	files := opened{tree(plain, plainTools), map[string]int{}}
	c, err := catalog.Load(files)
	if err != nil || files.names["plain/tools.yaml"] != 0 {
		t.Fatalf("%v %v", files.names, err)
	}
	for range 3 {
		if _, tool, err := c.Tool("plain_get_item"); err != nil || tool.Connector().ID != "plain" {
			t.Fatal(err)
		}
	}
	if files.names["plain/tools.yaml"] != 1 {
		t.Error(files.names)
	}
}

func TestCatalog_UnknownNames_AreNotFound(t *testing.T) {
	t.Parallel()
	c, err := catalog.Load(tree(plain, plainTools))
	if err != nil {
		t.Fatal(err)
	}
	_, e1 := c.Connector("jira")
	_, _, e2 := c.Tool("plain_drop_item")
	_, _, e3 := c.Tool("jira_get")
	_, _, e4 := c.Tool("")
	for i, err := range []error{e1, e2, e3, e4} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if !strings.Contains(e1.Error(), `"jira"`) || !strings.Contains(e1.Error(), "plain") {
		t.Error(e1)
	}
}

func TestMerge_SameID_IsRefused(t *testing.T) {
	t.Parallel()
	a, err := catalog.Load(tree(plain, ""))
	if err != nil {
		t.Fatal(err)
	}
	own := edit(t, plain, "id: plain", "id: own")
	b, err := catalog.Load(fstest.MapFS{"own/connector.yaml": {Data: []byte(own)}, "README.md": {}, "notes/x.txt": {}})
	if err != nil {
		t.Fatal(err)
	}
	both, err := catalog.Merge(a, b)
	if err != nil || len(both.Connectors()) != 2 || both.Connectors()[0].ID != "own" {
		t.Fatalf("%v %v", both, err)
	}
	if _, err := catalog.Merge(both, a); err == nil || !strings.Contains(err.Error(), `"plain"`) {
		t.Error(err)
	}
	if len(a.Connectors()) != 1 {
		t.Error("Merge changed its input")
	}
}

// A lazily loaded catalog reads a connector when it is asked for, says what is wrong with it then, and is whole for Verify.
func TestLoad_Lazily_ReadsWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	files := tree(plain, plainTools)
	files["broken/connector.yaml"] = &fstest.MapFile{Data: []byte("id: broken\nnope: 1\n")}
	if _, err := catalog.Load(files); err == nil {
		t.Fatal("a broken manifest is loaded")
	}
	c, err := catalog.Load(files, catalog.Lazily())
	if err != nil {
		t.Fatal(err)
	}
	if conn, err := c.Connector("plain"); err != nil || conn.ID != "plain" {
		t.Errorf("%v %v", conn, err)
	}
	if again, _ := c.Connector("plain"); len(c.Connectors()) != 1 || c.Connectors()[0] != again {
		t.Error("a connector was read twice, or a broken one is listed")
	}
	if _, _, err := c.Tool("plain_get_item"); err != nil {
		t.Error(err)
	}
	_, ferr := c.Connector("broken")
	_, _, terr := c.Tool("broken_x")
	for name, err := range map[string]error{"by id": ferr, "by tool": terr, "verify": c.Verify()} {
		if err == nil || !strings.Contains(err.Error(), "broken/connector.yaml") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := catalog.Load(files, catalog.Lazily(), catalog.WithHosts(catalog.Hosts{"plain": {"nope": "http://localhost:1"}})); err == nil {
		t.Error("a wrong override is told too late")
	}
}
