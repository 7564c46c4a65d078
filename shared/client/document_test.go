package client_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/secret"
)

const (
	apiKey  = "bhf_key_canary"
	session = "session.canary"
)

// double answers as the OpenAPI document says, and fails the test on a request that the document does not allow.
type double struct {
	t   *testing.T
	doc map[string]any
	mux *http.ServeMux
	mu  sync.Mutex
	// seen are the routes that were called.
	seen map[string]bool
}

func newDouble(t *testing.T) (*double, *httptest.Server) {
	t.Helper()
	b, err := apigw.OpenAPI("https://behalf.acme.example")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	d := &double{t: t, doc: v.(map[string]any), mux: http.NewServeMux(), seen: map[string]bool{}}
	for _, r := range apigw.Routes() {
		if r.Method != "ANY" && r.Path != "/connect/{link}" && !strings.HasPrefix(r.Path, "/oauth/") {
			d.mux.HandleFunc(r.Method+" "+r.Path, func(w http.ResponseWriter, req *http.Request) { d.answer(w, req, r) })
		}
	}
	srv := httptest.NewServer(d.mux)
	t.Cleanup(srv.Close)
	return d, srv
}

func (d *double) get(v any, keys ...string) any {
	for _, k := range keys {
		m, _ := d.resolve(v).(map[string]any)
		v = m[k]
	}
	return d.resolve(v)
}

func (d *double) resolve(v any) any {
	for {
		m, _ := v.(map[string]any)
		ref, ok := m["$ref"].(string)
		if !ok {
			return v
		}
		v = d.doc
		for _, k := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			v = v.(map[string]any)[k]
		}
	}
}

// success is the lowest 2xx of an operation and its schema, nil without one.
func (d *double) success(op any) (status int, mediaType string, schema any) {
	responses := d.get(op, "responses").(map[string]any)
	code := slices.Sorted(maps.Keys(responses))[0]
	content, _ := d.get(op, "responses", code, "content").(map[string]any)
	for mt, c := range content {
		mediaType, schema = mt, d.get(c, "schema")
	}
	status = map[string]int{"200": 200, "201": 201, "204": 204}[code]
	return status, mediaType, schema
}

func (d *double) operation(r apigw.Route) any {
	return d.get(d.doc, "paths", r.Path, strings.ToLower(r.Method))
}

func (d *double) answer(w http.ResponseWriter, req *http.Request, r apigw.Route) {
	d.mu.Lock()
	d.seen[r.Method+" "+r.Path] = true
	d.mu.Unlock()
	op := d.operation(r)
	want := map[apigw.Auth]string{apigw.Key: "Bearer " + apiKey, apigw.Session: "Bearer " + session, apigw.None: ""}[r.Auth]
	if got := req.Header.Get("Authorization"); got != want {
		d.t.Errorf("%s %s was sent with the credential %q", r.Method, r.Path, got)
	}
	d.checkQuery(req, op)
	d.checkBody(req, r, op)
	status, mediaType, schema := d.success(op)
	if schema == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(d.sample(schema))
}

func (d *double) checkQuery(req *http.Request, op any) {
	known := []string{}
	list, _ := d.get(op, "parameters").([]any)
	for _, p := range list {
		known = append(known, d.get(p, "name").(string))
	}
	for k := range req.URL.Query() {
		if !slices.Contains(known, k) {
			d.t.Errorf("%s %s has the unknown parameter %q", req.Method, req.URL.Path, k)
		}
	}
}

func (d *double) checkBody(req *http.Request, r apigw.Route, op any) {
	b, err := io.ReadAll(req.Body)
	if err != nil {
		d.t.Error(err)
	}
	described := d.get(op, "requestBody") != nil
	if len(b) == 0 || !described {
		if (len(b) > 0) != described {
			d.t.Errorf("%s %s: a body of %d bytes, described: %v", r.Method, r.Path, len(b), described)
		}
		return
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		d.t.Error(err)
		return
	}
	ref := d.get(op, "requestBody", "content", "application/json").(map[string]any)["schema"].(map[string]any)["$ref"].(string)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("https://behalf.test/openapi.json", d.doc); err != nil {
		d.t.Error(err)
		return
	}
	s, err := c.Compile("https://behalf.test/openapi.json" + ref)
	if err != nil {
		d.t.Error(err)
		return
	}
	if err := s.Validate(v); err != nil {
		d.t.Errorf("%s %s: %v", r.Method, r.Path, err)
	}
}

// sample is a value with every member that the schema describes.
func (d *double) sample(schema any) any {
	m, _ := d.resolve(schema).(map[string]any)
	if c, ok := m["const"]; ok {
		return c
	}
	if e, ok := m["enum"].([]any); ok {
		return e[0]
	}
	for _, of := range []string{"anyOf", "allOf"} {
		if list, ok := m[of].([]any); ok && m["properties"] == nil {
			return d.sample(list[0])
		}
	}
	kind, _ := m["type"].(string)
	if list, ok := m["type"].([]any); ok {
		kind = list[0].(string)
	}
	switch {
	case kind == "array":
		return []any{d.sample(m["items"])}
	case kind == "integer":
		return 60
	case kind == "boolean":
		return true
	case kind == "string" && m["format"] == "date-time":
		return "2026-11-22T12:00:00Z"
	case kind == "string" && m["pattern"] != nil && strings.HasPrefix(m["pattern"].(string), "^conn_"):
		return "conn_01kaqz3v9x7m2c4d5e6f8g9hjk"
	case kind == "string":
		return "acme"
	}
	return d.object(m)
}

func (d *double) object(m map[string]any) map[string]any {
	out := map[string]any{}
	all, _ := m["allOf"].([]any)
	for _, part := range all {
		maps.Copy(out, d.object(d.resolve(part).(map[string]any)))
	}
	props, _ := m["properties"].(map[string]any)
	for k, p := range props {
		out[k] = d.sample(p)
	}
	if more, ok := m["additionalProperties"].(map[string]any); ok {
		out["any"] = d.sample(more)
	}
	return out
}

func newClient(t *testing.T, url string, opts ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(url, append([]client.Option{client.WithAPIKey(secret.FromString(apiKey))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
