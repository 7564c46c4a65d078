package apigw_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
)

// openapi is the document as its readers get it.
func openapi(t *testing.T) map[string]any {
	t.Helper()
	b, err := apigw.OpenAPI("https://behalf.acme.example/")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc.(map[string]any)
}

// at follows keys; nil where there is nothing.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

// resolve follows a $ref within doc.
func resolve(doc map[string]any, v any) map[string]any {
	for {
		m, _ := v.(map[string]any)
		ref, ok := m["$ref"].(string)
		if !ok {
			return m
		}
		v = at(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
}

var methods = []string{"get", "put", "post", "delete", "patch", "head", "options", "trace"}

// operations are the document's operations by "METHOD /path".
func operations(doc map[string]any) map[string]map[string]any {
	out := map[string]map[string]any{}
	for path, item := range at(doc, "paths").(map[string]any) {
		for _, m := range methods {
			if op, ok := at(item, m).(map[string]any); ok {
				out[strings.ToUpper(m)+" "+path] = op
			}
		}
	}
	return out
}

const scimProxy = "/scim/v2/{proxy+}"

// described are the operations that describe a route: the one of its name, or for a proxied request one for each method that is passed on.
func described(r apigw.Route) []string {
	if r.Path != "/v1/proxy/{connector}/{path+}" {
		return []string{r.Method + " " + r.Path}
	}
	var out []string
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		out = append(out, m+" /v1/proxy/{connector}/{path}")
	}
	return out
}

func TestOpenAPI_Routes_EachIsDescribedAndNothingElse(t *testing.T) {
	t.Parallel()
	ops := operations(openapi(t))
	want := map[string]bool{}
	for _, r := range apigw.Routes() {
		if r.Path == scimProxy {
			continue
		}
		for _, name := range described(r) {
			if strings.Contains(name, "+}") || strings.HasPrefix(name, "ANY") {
				t.Errorf("%s: say in this test how a proxy route is described", name)
			}
			want[name] = true
		}
	}
	scim := 0
	for op := range ops {
		if _, path, _ := strings.Cut(op, " "); strings.HasPrefix(path, "/scim/v2/") {
			scim++
		} else if !want[op] {
			t.Errorf("%s is described and is no route", op)
		}
	}
	for r := range want {
		if ops[r] == nil {
			t.Errorf("%s is a route and is not described", r)
		}
	}
	if scim == 0 {
		t.Error("nothing below the SCIM route is described")
	}
}

func TestOpenAPI_Operations_StateCallerAndPermission(t *testing.T) {
	t.Parallel()
	doc := openapi(t)
	ops := operations(doc)
	scheme := map[apigw.Auth]string{apigw.Key: "apiKey", apigw.Session: "session", apigw.SCIMKey: "scimToken"}
	check := func(name string, op map[string]any, r apigw.Route) {
		if got, _ := op["x-permission"].(string); got != r.Permission {
			t.Errorf("%s: x-permission %q, the route wants %q", name, got, r.Permission)
		}
		security, _ := op["security"].([]any)
		if r.Auth == apigw.None {
			if len(security) != 0 {
				t.Errorf("%s is open and asks for %v", name, security)
			}
			return
		}
		if len(security) != 1 || at(security[0], scheme[r.Auth]) == nil || len(security[0].(map[string]any)) != 1 {
			t.Errorf("%s: security %v, the route wants %s", name, security, scheme[r.Auth])
		}
		for _, status := range []string{"401", "429", "500"} {
			if at(op, "responses", status) == nil {
				t.Errorf("%s: answer %s is not described", name, status)
			}
		}
	}
	for _, r := range apigw.Routes() {
		if r.Path != scimProxy {
			for _, name := range described(r) {
				check(name, ops[name], r)
			}
			continue
		}
		for name, op := range ops {
			if strings.Contains(name, " /scim/v2/") {
				check(name, op, r)
			}
		}
	}
	for name := range at(doc, "components", "securitySchemes").(map[string]any) {
		if !slices.Contains(slices.Collect(maps.Values(scheme)), name) {
			t.Errorf("security scheme %s belongs to no kind of caller", name)
		}
	}
}

func TestOpenAPI_Operations_AreNamedAndExplained(t *testing.T) {
	t.Parallel()
	doc := openapi(t)
	seen := map[string]string{}
	known := map[string]bool{}
	for _, tag := range doc["tags"].([]any) {
		known[at(tag, "name").(string)] = true
	}
	for name, op := range operations(doc) {
		id, _ := op["operationId"].(string)
		if id == "" || seen[id] != "" {
			t.Errorf("%s: operationId %q is missing or that of %s", name, id, seen[id])
		}
		seen[id] = name
		if op["summary"] == nil {
			t.Errorf("%s has no summary", name)
		}
		if tags, _ := op["tags"].([]any); len(tags) != 1 || !known[fmt.Sprint(tags[0])] {
			t.Errorf("%s: tags %v", name, tags)
		}
	}
}

// Path parameters and the parameters in a path must be the same.
func TestOpenAPI_PathParameters_MatchThePath(t *testing.T) {
	t.Parallel()
	doc := openapi(t)
	name := regexp.MustCompile(`\{([a-z]+)\}`)
	for path, item := range at(doc, "paths").(map[string]any) {
		var want, got []string
		for _, m := range name.FindAllStringSubmatch(path, -1) {
			want = append(want, m[1])
		}
		list, _ := at(item, "parameters").([]any)
		for _, p := range list {
			if p := resolve(doc, p); p["in"] == "path" {
				got = append(got, p["name"].(string))
			}
		}
		if !slices.Equal(want, got) {
			t.Errorf("%s describes the path parameters %v", path, got)
		}
	}
}

func TestOpenAPI_ErrorCodes_AreTheClosedSetEachExplained(t *testing.T) {
	t.Parallel()
	schema := at(openapi(t), "components", "schemas", "ErrorCode")
	var want, got []string
	for _, c := range fault.Codes() {
		want = append(want, string(c))
	}
	for _, c := range at(schema, "enum").([]any) {
		got = append(got, c.(string))
	}
	if !slices.Equal(got, want) {
		t.Errorf("enum is %v, fault.Codes() is %v", got, want)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9]+) \\| \\S").FindAllStringSubmatch(at(schema, "description").(string), -1)
	if len(rows) != len(want) {
		t.Errorf("%d codes are explained, of %d", len(rows), len(want))
	}
	for _, row := range rows {
		if !slices.Contains(want, row[1]) || fmt.Sprint(fault.Code(row[1]).Status()) != row[2] {
			t.Errorf("%s is explained with status %s; it is %d", row[1], row[2], fault.Code(row[1]).Status())
		}
	}
}

func TestOpenAPI_Permissions_AreThoseOfKeys(t *testing.T) {
	t.Parallel()
	var got []string
	for _, p := range at(openapi(t), "components", "schemas", "Permission", "enum").([]any) {
		got = append(got, p.(string))
	}
	if want := append([]string{"*"}, authn.Permissions()...); !slices.Equal(got, want) {
		t.Errorf("described %v, in the code %v", got, want)
	}
}

// What fault.Problem writes is a Problem, for every code.
func TestOpenAPI_Problem_DescribesWhatFaultWrites(t *testing.T) {
	t.Parallel()
	schema := compile(t, openapi(t), "#/components/schemas/Problem")
	for _, c := range fault.Codes() {
		body, _ := fault.Problem(fault.New(c, "m").WithField("/x").WithRetryAfter(1), "req_1")
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", c, err)
		}
		for k := range v.(map[string]any) {
			if at(openapi(t), "components", "schemas", "Problem", "properties", k) == nil {
				t.Errorf("member %q of problem documents is not described", k)
			}
		}
	}
}

// compile compiles one schema of the document. The document itself is no schema, but its fragments are.
func compile(t *testing.T, doc map[string]any, pointer string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("https://behalf.test/openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("https://behalf.test/openapi.json" + pointer)
	if err != nil {
		t.Fatalf("%s: %v", pointer, err)
	}
	return s
}

func TestOpenAPI_Examples_AreValid(t *testing.T) {
	t.Parallel()
	doc := openapi(t)
	n := 0
	walk(doc, "#", func(pointer string, m map[string]any) {
		if list, ok := m["examples"].([]any); ok { // a schema's own
			s := compile(t, doc, pointer)
			for _, v := range list {
				n++
				if err := s.Validate(v); err != nil {
					t.Errorf("%s: %v", pointer, err)
				}
			}
		}
		if m["schema"] == nil { // not a media type, parameter or header
			return
		}
		values := []any{}
		if v, ok := m["example"]; ok {
			values = append(values, v)
		}
		named, _ := m["examples"].(map[string]any)
		for _, e := range named {
			values = append(values, at(e, "value"))
		}
		s := compile(t, doc, pointer+"/schema")
		for _, v := range values {
			n++
			if err := s.Validate(v); err != nil {
				t.Errorf("%s: %v", pointer, err)
			}
		}
	})
	if n < 40 {
		t.Errorf("only %d examples were found", n)
	}
}

// walk visits every object, with its JSON pointer as a URI fragment; examples are values and are not entered.
func walk(v any, pointer string, visit func(string, map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(pointer, v)
		for k, child := range v {
			if k != "example" && k != "examples" {
				walk(child, pointer+"/"+escape(k), visit)
			}
		}
	case []any:
		for i, child := range v {
			walk(child, fmt.Sprintf("%s/%d", pointer, i), visit)
		}
	}
}

func escape(s string) string {
	s = strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
	return strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D", " ", "%20", ";", "%3B", "=", "%3D").Replace(s)
}

func TestOpenAPI_References_PointToSomething(t *testing.T) {
	t.Parallel()
	doc := openapi(t)
	used := map[string]bool{}
	walk(doc, "#", func(pointer string, m map[string]any) {
		if ref, ok := m["$ref"].(string); ok {
			used[ref] = true
			if resolve(doc, m) == nil {
				t.Errorf("%s refers to %s, which does not exist", pointer, ref)
			}
		}
	})
	for kind, list := range doc["components"].(map[string]any) {
		for name := range list.(map[string]any) {
			if kind != "securitySchemes" && !used["#/components/"+kind+"/"+name] {
				t.Errorf("component %s/%s is not used", kind, name)
			}
		}
	}
}

func TestOpenAPI_Server_IsTheDeployment(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://a.example", "https://b.example/prod/"} {
		b, err := apigw.OpenAPI(url)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			OpenAPI string
			Servers []struct{ URL string }
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		if doc.OpenAPI != "3.1.0" || len(doc.Servers) != 1 || doc.Servers[0].URL != strings.TrimRight(url, "/") {
			t.Errorf("%+v for %s", doc, url)
		}
	}
}

func TestOpenAPI_StatusCodes_AreKnown(t *testing.T) {
	t.Parallel()
	for name, op := range operations(openapi(t)) {
		ok := false
		for status := range op["responses"].(map[string]any) {
			var n int
			if _, err := fmt.Sscan(status, &n); err != nil || http.StatusText(n) == "" {
				t.Errorf("%s: status %q", name, status)
			}
			ok = ok || n < 400
		}
		if !ok && at(op, "responses", "405") == nil { // MCP wants some methods answered with a 405
			t.Errorf("%s never succeeds", name)
		}
	}
}
