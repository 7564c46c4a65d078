package catalog_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
)

func TestValidateInput_Violations_AreAllListedByPointer(t *testing.T) {
	t.Parallel()
	tool := mustTool(t, "plain_get_item")
	for _, tc := range []struct {
		in   string
		want map[string]string
	}{
		{`{"id":1}`, map[string]string{"/input/shelf": "is required but missing"}},
		{``, map[string]string{"/input/id": "is required", "/input/shelf": "is required"}},
		{`{"shelf":"a","id":"1","q":"too long","order":"side","Shelf":1,"a/b~":2}`, map[string]string{
			"/input/id": "must be of type integer, not string", "/input/q": "at most 5 characters, not 8", "/input/order": `one of "up", "down"`,
			"/input/Shelf": "is not a parameter; the parameters are id, order, q, shelf", "/input/a~1b~0": "is not a parameter"}},
		{`{"shelf":"a","id":1.5}`, map[string]string{"/input/id": "must be of type integer"}},
		{`{"shelf":"a","id":1e999999999}`, map[string]string{"/input/id": "too large"}},
		{`{"shelf":"a","id":1e-999999999}`, map[string]string{"/input/id": "too large"}},
		{`{"shelf":"a","id":` + strings.Repeat("9", 41) + `}`, map[string]string{"/input/id": "too long"}},
		{`{"shelf":null,"id":1}`, map[string]string{"/input/shelf": "must be of type string, not null"}},
		{`[1]`, map[string]string{"/input": "must be a JSON object"}},
		{`null`, map[string]string{"/input": "must be a JSON object"}},
	} {
		_, err := tool.ValidateInput(json.RawMessage(tc.in))
		f := fault.From(err)
		if !fault.Is(err, fault.InvalidInput) {
			t.Fatalf("%s: %v", tc.in, err)
		}
		list := f.Detail["errors"].([]catalog.Violation)
		if len(list) != len(tc.want) || f.Field != list[0].Field {
			t.Errorf("%s: %+v", tc.in, list)
		}
		for _, v := range list {
			if w, ok := tc.want[v.Field]; !ok || !strings.Contains(v.Message, w) || !strings.Contains(f.Message, v.Message) {
				t.Errorf("%s: %+v, message %s", tc.in, v, f.Message)
			}
		}
	}
	for _, bad := range []string{`{`, `{} {}`, `{"shelf":"a","id":1}x`} {
		if _, err := tool.ValidateInput(json.RawMessage(bad)); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestValidateInput_Defaults_AreFilledIn(t *testing.T) {
	t.Parallel()
	tool := mustTool(t, "plain_get_item")
	for in, want := range map[string]string{`{"shelf":"a","id":1}`: "up", `{"shelf":"a","id":1,"order":"down"}`: "down"} {
		got, err := tool.ValidateInput(json.RawMessage(in))
		if err != nil || got["order"] != want {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
}

func TestBind_HostileValues_StayInTheirPlace(t *testing.T) {
	t.Parallel()
	tool := mustTool(t, "plain_get_item")
	for shelf, want := range map[string]string{
		"a b": "a%20b", "a?b=c": "a%3Fb=c", "a#b": "a%23b", "a%2fb": "a%252fb", "%2e%2e": "%252e%252e", "...": "...", "é": "%C3%A9", "a;b": "a%3Bb",
		"@evil.example": "@evil.example", "a:b": "a:b", "http:": "http:", "a&b=c": "a&b=c",
	} {
		r, err := tool.Bind(map[string]any{"shelf": shelf, "id": json.Number("7"), "q": "x&order=down#f"}, nil)
		if err != nil || r.URL.String() != "https://plain.example/api/shelves/"+want+"/items/7?q=x%26order%3Ddown%23f" {
			t.Errorf("%q: %v %v", shelf, r.URL, err)
		}
	}
	for _, bad := range []any{"", ".", "..", "a/b", "../x", "/", `a\b`, `..\x`, "a\nb", "a\x00", "a\x7f", "\xff", "a\xc0\xafb", []any{"a"}, map[string]any{}, nil} {
		r, err := tool.Bind(map[string]any{"shelf": bad, "id": 7}, nil)
		if !fault.Is(err, fault.InvalidInput) || fault.From(err).Field != "/input/shelf" {
			t.Errorf("%q accepted: %v %v", bad, r.URL, err)
		}
	}
	if r, err := mustTool(t, "plain_put_item").Bind(map[string]any{"shelf": "."}, nil); err != nil || r.URL.Path != "/api/shelves/..json" {
		t.Errorf("%v %v", r.URL, err)
	}
}

func TestBind_FormBody_EscapesAndJoins(t *testing.T) {
	t.Parallel()
	tool := mustTool(t, "plain_put_item")
	r, err := tool.Bind(map[string]any{"shelf": "a", "note": "x&v=3\r\nHost: evil", "tags": []any{"p", "q,r"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(string(r.Body))
	if err != nil || form.Get("note") != "x&v=3\r\nHost: evil" || form.Get("v") != "2" || form.Get("tags") != "p,q,r" || len(form) != 3 {
		t.Errorf("%s %v", r.Body, err)
	}
	req, err := r.HTTP(context.Background())
	if err != nil || req.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || req.Header.Get("X-Kind") != "item" || req.GetBody == nil {
		t.Errorf("%v %v", req.Header, err)
	}
	if _, err := tool.Bind(map[string]any{"shelf": "a", "data": map[string]any{"x": 1}}, nil); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("an object went into a form: %v", err)
	}
}

func FuzzBind(f *testing.F) {
	tool := mustTool(f, "plain_get_item")
	for _, s := range []string{"a", "..", "a/b", "%2e%2e", "//evil.example", "a?b#c", "\\", "\u2028", "a\r\nb", "ａ／ｂ"} {
		f.Add(s, s, int64(1))
	}
	f.Fuzz(func(t *testing.T, shelf, q string, id int64) {
		r, err := tool.Bind(map[string]any{"shelf": shelf, "q": q, "id": id}, nil)
		if err != nil {
			if !fault.Is(err, fault.InvalidInput) {
				t.Fatal(err)
			}
			return
		}
		req, err := r.HTTP(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(req.URL.String())
		if err != nil || u.Scheme != "https" || u.Host != "plain.example" || u.User != nil || u.Fragment != "" {
			t.Fatalf("%q left the host: %v %v", shelf, u, err)
		}
		segments := strings.Split(u.EscapedPath(), "/")
		if len(segments) != 6 || !slices.Equal(segments[:3], []string{"", "api", "shelves"}) || segments[4] != "items" {
			t.Fatalf("%q changed the path: %v", shelf, segments)
		}
		if back, err := url.PathUnescape(segments[3]); err != nil || back != shelf || back == ".." || back == "." {
			t.Fatalf("%q became %q", shelf, back)
		}
		values, err := url.ParseQuery(u.RawQuery)
		if err != nil || len(values) != 1 || values.Get("q") != q {
			t.Fatalf("%q changed the query: %v", q, u.RawQuery)
		}
		if !utf8.ValidString(u.Path) {
			t.Fatalf("%q is not UTF-8", u.Path)
		}
	})
}

func TestMissingScopes_ImpliedAndAnyOf(t *testing.T) {
	t.Parallel()
	get, put := mustTool(t, "plain_get_item"), mustTool(t, "plain_put_item")
	for _, tc := range []struct {
		tool    *catalog.Tool
		granted []string
		want    string
	}{
		{get, nil, "items"}, {get, []string{"items"}, ""}, {get, []string{"admin"}, ""}, {get, []string{"ITEMS", "x"}, "items"},
		{put, nil, "items"}, {put, []string{"admin"}, ""},
	} {
		if got := strings.Join(tc.tool.MissingScopes(tc.granted), " "); got != tc.want {
			t.Errorf("%s %v: %q, want %q", tc.tool.Name, tc.granted, got, tc.want)
		}
	}
}

func TestShape_WhatIsNotThere_IsNotEmptyData(t *testing.T) {
	t.Parallel()
	tool := mustTool(t, "plain_get_item")
	for _, tc := range []struct {
		status     int
		body, want string
	}{
		{200, `{"item":{"n":12345678901234567890,"h":"<a>&"}}`, `{"h":"<a>&","n":12345678901234567890}`},
		{200, `{"item":[]}`, `[]`}, {204, ``, `{}`}, {200, "  \n", `{}`}, {200, `<p>hi</p>`, `{"text":"<p>hi</p>"}`},
	} {
		if got, err := tool.Shape(tc.status, []byte(tc.body)); err != nil || string(got) != tc.want {
			t.Errorf("%s: %s %v", tc.body, got, err)
		}
	}
	for _, body := range []string{`{"items":[]}`, `{"item":null}`, `[]`, `7`} {
		if got, err := tool.Shape(200, []byte(body)); !fault.Is(err, fault.ProviderError) {
			t.Errorf("%s: %s", body, got)
		}
	}
}

func TestDefinition_EachFormat_HasItsShape(t *testing.T) {
	t.Parallel()
	tool := mustTool(t, "plain_put_item")
	for format, want := range map[string]string{
		"mcp":       `{"name":"plain_put_item","title":"Put an item","description":"D","inputSchema":S,"annotations":{"title":"Put an item","readOnlyHint":false,"destructiveHint":false,"idempotentHint":false,"openWorldHint":true}}`,
		"openai":    `{"type":"function","function":{"name":"plain_put_item","description":"D","parameters":S}}`,
		"anthropic": `{"name":"plain_put_item","description":"D","input_schema":S}`,
		"gemini":    `{"name":"plain_put_item","description":"D","parametersJsonSchema":S}`,
	} {
		got, err := json.Marshal(tool.Definition(format))
		want = strings.NewReplacer("S}", string(tool.InputSchema)+"}", "S,", string(tool.InputSchema)+",", `"D"`, `"`+tool.Description+`"`).Replace(want)
		if err != nil || string(got) != want {
			t.Errorf("%s:\n got %s\nwant %s", format, got, want)
		}
	}
	destroy := edit(t, plainTools, "effect: write", "effect: destructive")
	tools, err := mustLoad(t, plain, destroy).Tools()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(tools[1].Definition("mcp")); err != nil || !strings.Contains(string(b), `"readOnlyHint":false,"destructiveHint":true`) {
		t.Errorf("%s %v", b, err)
	}
	if b, err := json.Marshal(tools[0].Definition("mcp")); err != nil || !strings.Contains(string(b), `"readOnlyHint":true,"destructiveHint":false,"idempotentHint":true`) {
		t.Errorf("%s %v", b, err)
	}
	if tool.IdempotencyHeader != "Idempotency-Key" {
		t.Error(tool.IdempotencyHeader)
	}
	if tool.Definition("yaml") != nil || len(catalog.Formats()) != 4 {
		t.Error("unknown format")
	}
	if !strings.Contains(string(tool.InputSchema), `"data":{"type":"object","description":"Anything.","additionalProperties":true}`) {
		t.Error(string(tool.InputSchema))
	}
}

func TestRequest_HTTP_CanBeSentTwice(t *testing.T) {
	t.Parallel()
	r := catalog.Request{Method: http.MethodPost, URL: &url.URL{Scheme: "https", Host: "x.example"}, Header: http.Header{}, Body: []byte("b")}
	req, err := r.HTTP(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	body, err := req.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(body); string(b) != "b" {
		t.Errorf("%s", b)
	}
}
