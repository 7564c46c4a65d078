package toolcall_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// stated is what tools.yaml states about a tool, read by other code than the catalog's.
type stated struct {
	Name    string
	Request struct {
		Method  string
		URL     string
		Query   map[string]any
		Headers map[string]string
		Body    *struct {
			Format, Whole, Query string
			Fields, Variables    map[string]any
		}
	}
	Response struct {
		Select string
		Keep   []string
	}
	Pagination *struct{ Items, Input, From, Link, Path string }
}

// api is the part of a manifest that goes with every request.
type api struct {
	API struct {
		Query   map[string]any
		Headers map[string]string
		Auth    struct{ Header, Query string }
	}
}

// shooting is an executor over every shipped connector, a connection to each with all scopes, and a provider that is a function.
type shooting struct {
	exec   *toolcall.Executor
	tools  []stated
	apis   map[string]api
	mu     sync.Mutex
	sent   []*http.Request
	answer func(*http.Request) (egress.Response, error)
}

// metadata is what connections of the shipped connectors carry, all in one.
var metadata = map[string]string{"instance_url": "https://acme.my.salesforce.com", "subdomain": "acme", "account": "ACMEORG-ANALYTICS", "warehouse": "WH", "role": "R", "project": "acme-project", "project_id": "acme-project", "installation_id": "7"}

func newShooting(t testing.TB) *shooting {
	t.Helper()
	cat, err := connectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &shooting{apis: map[string]api{}}
	now := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	for _, c := range cat.Connectors() {
		s.read(t, c.ID)
	}
	st := stillState{cat, now()}
	s.exec = toolcall.New(toolcall.Deps{Tools: cat, State: st, Sealer: plainSealer{}, Provider: s, Recorder: forgetful{}, Log: slog.New(slog.DiscardHandler), Now: now, NewID: func(p string) string { return p + "_1" },
		Sleep: func(context.Context, time.Duration) error { return nil }})
	return s
}

// read reads the files of one connector as they stand.
func (s *shooting) read(t testing.TB, id string) {
	t.Helper()
	data, err := fs.ReadFile(connectors.Files(), id+"/tools.yaml")
	var tools []stated
	if err == nil {
		err = yaml.Unmarshal(data, &tools)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.tools = append(s.tools, tools...)
	var a api
	if data, err = fs.ReadFile(connectors.Files(), id+"/connector.yaml"); err == nil {
		err = yaml.Unmarshal(data, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.apis[id] = a
}

// Do implements toolcall.Provider.
func (s *shooting) Do(r *http.Request) (egress.Response, error) {
	s.mu.Lock()
	s.sent = append(s.sent, r)
	s.mu.Unlock()
	return s.answer(r)
}

func (s *shooting) run(c toolcall.Call) (toolcall.Result, []*http.Request, error) {
	s.sent = nil
	res, err := s.exec.Run(context.Background(), authn.Session{ID: "sess_1", Scope: alice}, c)
	return res, s.sent, err
}

// stillState gives alice one active connection at every connector.
type stillState struct {
	cat *catalog.Catalog
	now time.Time
}

func (s stillState) Snapshot(_ context.Context, who tenant.Scope, connector string) (toolcall.Snapshot, error) {
	c, err := s.cat.Connector(connector)
	if err != nil {
		return toolcall.Snapshot{}, err
	}
	var scopes []string
	for name := range c.Scopes.Known {
		scopes = append(scopes, name)
	}
	id := connection.ID("conn_00000000000000000000000001")
	h := toolcall.Held{Connection: connection.Connection{Ref: connection.Ref{Scope: who, Connector: connector, ID: id}, Status: connection.Active, Scopes: scopes, Metadata: metadata, Created: s.now}}
	h.Refresh.Generation, h.Slot = 1, connection.Slot{Generation: 1, Access: []byte(string(id) + "|" + accessToken)}
	return toolcall.Snapshot{Connections: []toolcall.Held{h}}, nil
}

func (s stillState) Connected(context.Context, tenant.Scope) (toolcall.Snapshot, error) {
	return toolcall.Snapshot{}, nil
}

type forgetful struct{}

func (forgetful) Record(context.Context, audit.Record) error { return nil }

// schemaOf is the tool's schema as an agent sees it.
func (s *shooting) schemaOf(t testing.TB, name string) (required []string, props map[string]prop) {
	t.Helper()
	_, tool, err := s.exec.Tools.Tool(name)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Required   []string
		Properties map[string]prop
	}
	if err := json.Unmarshal(tool.InputSchema, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Required, doc.Properties
}

type prop struct {
	Type       string
	Enum       []string
	Items      *prop
	Properties map[string]prop
	Required   []string
	Additional *bool `json:"additionalProperties"`
}

// value is a value of p's type made of texts and a number; the texts go where a schema lets them.
func (p prop) value(texts []string, n json.Number, depth int) any {
	pick := texts[depth%len(texts)]
	switch p.Type {
	case "string":
		if len(p.Enum) > 0 && len(pick)%2 == 0 {
			return p.Enum[len(pick)/2%len(p.Enum)]
		}
		return pick
	case "integer", "number":
		return n
	case "boolean":
		return len(pick)%2 == 0
	case "array":
		if p.Items == nil {
			return []any{pick}
		}
		return []any{p.Items.value(texts, n, depth+1), p.Items.value(texts, n, depth+2)}
	case "object":
		out := map[string]any{}
		for name, q := range p.Properties {
			out[name] = q.value(texts, n, depth+1)
		}
		if p.Additional != nil && *p.Additional {
			out[pick] = texts[(depth+1)%len(texts)]
		}
		return out
	}
	return nil
}

var hole = regexp.MustCompile(`\{[^}]*\}`)

// checkRequest holds what left against what the files state: nothing that an argument holds may change where a request goes,
// which path it has, which parameters and headers it carries.
func (s *shooting) checkRequest(t *testing.T, st stated, r *http.Request) {
	t.Helper()
	connector, _, _ := s.exec.Tools.Tool(st.Name)
	a := s.apis[connector.ID].API
	if r.Method != st.Request.Method {
		t.Fatalf("method %s, stated %s", r.Method, st.Request.Method)
	}
	base, err := connector.ProxyURL("", nil, metadata)
	if err != nil {
		t.Fatal(err)
	}
	want := base.Scheme + "://" + base.Host
	if got := r.URL.Scheme + "://" + r.URL.Host; got != want || r.Host != "" && r.Host != r.URL.Host || r.URL.User != nil || r.URL.Fragment != "" || r.URL.Opaque != "" {
		t.Fatalf("went to %s (Host %q), stated %s", r.URL, r.Host, want)
	}
	checkPath(t, st, r.URL)
	checkQuery(t, st, a.Query, a.Auth.Query, r.URL)
	checkHeaders(t, st, a.Headers, r.Header)
	checkBody(t, st, r.Header.Get("Content-Type"), checkWire(t, r))
}

// checkPath: as many segments as stated, the fixed ones as they are, and no segment that a server could resolve.
func checkPath(t *testing.T, st stated, u *url.URL) {
	t.Helper()
	_, path, _ := strings.Cut(st.Request.URL, "}")
	want, got := strings.Split(path, "/"), strings.Split(u.EscapedPath(), "/")
	if path == "" {
		want, got = nil, nil
		if p := u.EscapedPath(); p != "" && p != "/" {
			t.Fatalf("path %q, stated none", p)
		}
	}
	if len(want) != len(got) {
		t.Fatalf("path %q, stated %q", u.EscapedPath(), path)
	}
	for i := range want {
		plain, err := url.PathUnescape(got[i])
		if err != nil || strings.ContainsAny(plain, "/\\\r\n\x00") || i > 0 && (plain == "" || plain == "." || plain == "..") {
			t.Fatalf("segment %q of %q (%v)", got[i], u.EscapedPath(), err)
		}
		parts := hole.Split(want[i], -1)
		rest := plain
		for n, p := range parts {
			at := strings.Index(rest, p)
			if at < 0 || n == 0 && at != 0 {
				t.Fatalf("segment %q, stated %q", plain, want[i])
			}
			rest = rest[at+len(p):]
		}
		if len(parts) == 1 && rest != "" {
			t.Fatalf("segment %q, stated %q", plain, want[i])
		}
	}
}

func checkQuery(t *testing.T, st stated, shared map[string]any, auth string, u *url.URL) {
	t.Helper()
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || strings.ContainsAny(u.RawQuery, "\r\n #;") {
		t.Fatalf("query %q: %v", u.RawQuery, err)
	}
	for name, values := range q {
		_, own := st.Request.Query[name]
		_, all := shared[name]
		if !own && !all && name != auth || len(values) != 1 {
			t.Fatalf("parameter %q=%q is not stated", name, values)
		}
	}
}

func checkHeaders(t *testing.T, st stated, shared map[string]string, h http.Header) {
	t.Helper()
	stated := map[string]bool{"Accept": true, "Content-Type": true, "Authorization": true}
	for _, set := range []map[string]string{shared, st.Request.Headers} {
		for k := range set {
			stated[http.CanonicalHeaderKey(k)] = true
		}
	}
	for k, values := range h {
		if !stated[k] || len(values) != 1 || strings.ContainsAny(values[0], "\r\n\x00") {
			t.Fatalf("header %s: %q is not stated", k, values)
		}
		for _, set := range []map[string]string{shared, st.Request.Headers} {
			for name, v := range set {
				if http.CanonicalHeaderKey(name) == k && v != values[0] && st.Request.Headers[name] != values[0] {
					t.Fatalf("header %s: %q, stated %q", k, values[0], v)
				}
			}
		}
	}
}

// indexes gives places for the fuzzer to start from: each tool once.
func (s *shooting) indexes() []uint16 {
	out := make([]uint16, len(s.tools))
	for i := range out {
		out[i] = uint16(i)
	}
	return out
}
