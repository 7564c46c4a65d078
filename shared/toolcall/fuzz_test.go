package toolcall_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

// hostile are texts that change a request where a mapping is careless.
var hostile = []string{"x", "", "a b", "a/../b", "..", ".", "%2e%2e", "%2f", `..\`, "a\r\nX-Evil: 1", "a\x00b", "?a=b", "#f", "@evil.example", "//evil.example", "é\u202e", "\xff", "{owner}", "{connection.instance_url}", "a&b=c", "a;b", `"}],"x":1`, "\u2028", "2026-01-01T00:00:00Z", "001xx0000001aBC", "a,b"}

// FuzzMapping: whatever the arguments of a tool are, the request that leaves goes to the stated host by the stated method, has the
// stated path with each argument inside its segment, and no parameter, header or member of the body that is not stated.
func FuzzMapping(f *testing.F) {
	s := newShooting(f)
	s.answer = func(*http.Request) (egress.Response, error) {
		return egress.Response{Status: 200, Header: http.Header{}, Body: []byte(`{"ok":true}`)}, nil
	}
	for _, i := range s.indexes() {
		f.Add(i, "octocat", "hello-world", "", "5", "")
		for n, h := range hostile {
			f.Add(i, h, hostile[(n+7)%len(hostile)], "", "1", "")
		}
	}
	for _, raw := range []string{`{}`, `[]`, `{"a":1}{}`, `{"owner":"a","owner":"b/../c"}`, `null`, "", `{"owner":"\ud800"}`, `{"n":1e999999999}`} {
		f.Add(uint16(3), "", "", raw, "1", "eyJ0IjoiZ2l0aHViX2xpc3RfaXNzdWVzIn0")
	}
	f.Fuzz(func(t *testing.T, i uint16, a, b, raw, n, cursor string) {
		st := s.tools[int(i)%len(s.tools)]
		c := toolcall.Call{Tool: st.Name, Input: json.RawMessage(raw), Cursor: cursor}
		if raw == "" && cursor == "" {
			c.Input = s.arguments(t, st, []string{a, b}, n)
		}
		res, sent, err := s.run(c)
		if err == nil && !json.Valid(res.Data) {
			t.Fatalf("answer %q", res.Data)
		}
		if err != nil && fault.Is(err, fault.Internal) {
			t.Fatalf("%s with %s: %v", st.Name, c.Input, err)
		}
		for _, r := range sent {
			s.checkRequest(t, st, r)
		}
	})
}

// arguments fits texts and a number into the tool's schema, in the order of its names.
func (s *shooting) arguments(t *testing.T, st stated, texts []string, n string) json.RawMessage {
	t.Helper()
	num := json.Number(n)
	if _, err := num.Float64(); err != nil || !json.Valid([]byte(n)) {
		num = "1"
	}
	_, props := s.schemaOf(t, st.Name)
	in, depth := map[string]any{}, 0
	for name, p := range props {
		if page := st.Pagination; page != nil && name == page.Input && len(texts[0])%2 == 0 {
			continue
		}
		in[name] = p.value(texts, num, depth+len(name))
	}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkWire writes the request as net/http sends it and reads it as a server does: it must be that one request and no more.
func checkWire(t *testing.T, r *http.Request) []byte {
	t.Helper()
	var body []byte
	if r.GetBody != nil {
		rc, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		body, _ = io.ReadAll(rc)
	}
	c := r.Clone(r.Context())
	c.Body = io.NopCloser(bytes.NewReader(body))
	var wire bytes.Buffer
	if err := c.Write(&wire); err != nil {
		t.Fatalf("%s cannot be sent: %v", r.URL, err)
	}
	in := bufio.NewReader(&wire)
	got, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("%s is not read back: %v", r.URL, err)
	}
	read, err := io.ReadAll(got.Body)
	rest, _ := io.ReadAll(in)
	if err != nil || !bytes.Equal(read, body) || len(rest) > 0 || got.Method != r.Method || got.Host != r.URL.Host || got.URL.EscapedPath() != "" && r.URL.EscapedPath() != "" && got.URL.EscapedPath() != r.URL.EscapedPath() || len(got.Header) > len(r.Header)+2 {
		t.Fatalf("%s %s became %s %s%s (%v, %d bytes behind it)", r.Method, r.URL, got.Method, got.Host, got.URL, err, len(rest))
	}
	if bytes.Contains(body, []byte(accessToken)) {
		t.Fatalf("the token is in the body: %s", body)
	}
	return body
}

// checkBody holds the body's members against those stated.
func checkBody(t *testing.T, st stated, kind string, body []byte) {
	t.Helper()
	b := st.Request.Body
	switch {
	case b == nil:
		if len(body) > 0 {
			t.Fatalf("a body %q, stated none", body)
		}
	case b.Format == "form":
		q, err := url.ParseQuery(string(body))
		if err != nil || kind != "application/x-www-form-urlencoded" {
			t.Fatalf("%s %q: %v", kind, body, err)
		}
		for name, v := range q {
			if _, ok := b.Fields[name]; !ok || len(v) != 1 {
				t.Fatalf("field %q=%q is not stated", name, v)
			}
		}
	default:
		checkJSONBody(t, st, kind, body)
	}
}

func checkJSONBody(t *testing.T, st stated, kind string, body []byte) {
	t.Helper()
	if !json.Valid(body) || kind != "application/json" {
		t.Fatalf("%s %q", kind, body)
	}
	if st.Request.Body.Whole != "" {
		return
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	for name := range doc {
		_, ok := st.Request.Body.Fields[name]
		if !ok && (st.Request.Body.Query == "" || name != "query" && name != "variables") {
			t.Fatalf("member %q is not stated: %s", name, body)
		}
	}
	if q := st.Request.Body.Query; q != "" {
		var text string
		if err := json.Unmarshal(doc["query"], &text); err != nil || text != q {
			t.Fatalf("query %q, stated %q", text, q)
		}
	}
}

// FuzzShaping: whatever a provider answers, the caller gets JSON that fits, or an error; and what is left out is reachable: the
// cursor leads through the rest to the end, and nothing is given twice.
func FuzzShaping(f *testing.F) {
	s := newShooting(f)
	for _, i := range s.indexes() {
		f.Add(i, []byte(`{"ok":true,"id":"1"}`), uint8(0), uint16(0), uint32(0), "2")
		f.Add(i, []byte(`a<b`), uint8(30), uint16(90), uint32(1024), "2")
		f.Add(i, []byte{}, uint8(3), uint16(600), uint32(1500), "x")
		f.Add(i, []byte{}, uint8(3), uint16(6), uint32(0), "two")
		f.Add(i, []byte{}, uint8(3), uint16(6), uint32(0), "7]")
		f.Add(i, []byte{}, uint8(38), uint16(290), uint32(9000), "x")
	}
	for _, body := range []string{"", "null", "[]", "{", `"text"`, "\xff\xfe", `{"a":1}{"b":2}`, `{"items":[1,2,3]}`, `[1e999,{"a":"\ud800"}]`, `{"a":"` + strings.Repeat("x", 2000) + `"}`, strings.Repeat("[", 9000), "<html>"} {
		f.Add(uint16(2), []byte(body), uint8(0), uint16(0), uint32(1024), `"`)
	}
	f.Fuzz(func(t *testing.T, i uint16, body []byte, items uint8, width uint16, limit uint32, next string) {
		st := s.tools[int(i)%len(s.tools)]
		p := pages{st: st, next: next, width: int(width % 900), text: string(body)}
		if items > 0 && st.Pagination != nil {
			p.perPage, p.count = int(items%40)+1, 3
		} else {
			p.raw = body
		}
		s.answer = p.answer
		c := toolcall.Call{Tool: st.Name, Input: s.arguments(t, st, []string{"abcd", "2026-01-01"}, "3")}
		if limit > 0 {
			c.MaxBytes = 1024 + int(limit%(64<<10))
		}
		p.follow(t, s, c)
	})
}

// pages is a provider that answers a tool's list on several pages, or always the same bytes.
type pages struct {
	st             stated
	raw            []byte
	count, perPage int
	width          int
	text, next     string
	page           int
}

func (p *pages) answer(r *http.Request) (egress.Response, error) {
	h := http.Header{"Content-Type": {"application/json"}}
	if p.raw != nil || p.count == 0 {
		return egress.Response{Status: 200, Header: h, Body: p.raw}, nil
	}
	p.page = p.at(r)
	list := make([]any, p.perPage)
	for n := range list {
		list[n] = map[string]any{"id": fmt.Sprintf("%d-%d", p.page, n), "number": p.page*1000 + n, "name": p.text + strings.Repeat("<", p.width)}
	}
	var doc any = list
	if name := p.st.Pagination.Items; name != "" {
		doc = map[string]any{name: list, "ok": true}
	}
	if p.page+1 < p.count {
		next := fmt.Sprint(p.page + 2) // pages are told from 1
		if p.strange() {
			next = p.next
		}
		switch {
		case p.st.Pagination.Link != "":
			h.Set("Link", fmt.Sprintf(`<https://x.example/?%s=%s>; rel="next"`, p.st.Pagination.Link, url.QueryEscape(next)))
		case p.st.Pagination.From != "":
			put(doc, p.st.Pagination.From, next)
		default:
			put(doc, p.st.Pagination.Path, strings.SplitN(r.URL.Path, "/p", 2)[0]+"/p"+next)
		}
	}
	b, err := json.Marshal(doc)
	return egress.Response{Status: 200, Header: h, Body: b}, err
}

// at is the page that r asks for, from 0; the first one asks for none, or for 1.
func (p *pages) at(r *http.Request) (n int) {
	text := ""
	if p.st.Pagination.Path != "" {
		_, text, _ = strings.Cut(r.URL.Path, "/query/p")
	}
	for name, v := range p.st.Request.Query {
		if v == "{"+p.st.Pagination.Input+"}" {
			text = r.URL.Query().Get(name)
		}
	}
	if b := p.st.Request.Body; b != nil && text == "" {
		text = p.inBody(r, b.Format, b.Fields)
	}
	if _, err := fmt.Sscan(text, &n); err != nil || n < 1 || n > p.count {
		return 0
	}
	return n - 1
}

func (p *pages) inBody(r *http.Request, format string, fields map[string]any) string {
	rc, err := r.GetBody()
	if err != nil {
		return ""
	}
	body, _ := io.ReadAll(rc)
	for name, v := range fields {
		if v != "{"+p.st.Pagination.Input+"}" {
			continue
		}
		if format == "form" {
			q, _ := url.ParseQuery(string(body))
			return q.Get(name)
		}
		var doc map[string]any
		_ = json.Unmarshal(body, &doc)
		return fmt.Sprint(doc[name])
	}
	return ""
}

// strange tells that the provider's next page is whatever the fuzzer made of it.
func (p *pages) strange() bool { return len(p.next) != 1 }

func put(doc any, path string, v any) {
	m, ok := doc.(map[string]any)
	for ok {
		head, rest, more := strings.Cut(path, ".")
		if !more {
			m[head] = v
			return
		}
		sub := map[string]any{}
		m[head] = sub
		m, path = sub, rest
	}
}

// follow calls until no cursor is left.
func (p *pages) follow(t *testing.T, s *shooting, c toolcall.Call) {
	t.Helper()
	limit := c.MaxBytes
	if limit == 0 {
		limit = toolcall.DefaultMaxBytes
	}
	var got []string
	for n := 0; ; n++ {
		res, _, err := s.run(c)
		if err != nil {
			if fault.Is(err, fault.Internal) {
				t.Fatalf("%s: %v", p.st.Name, err)
			}
			if p.raw == nil && fault.Is(err, fault.ProviderError) && (p.width+len(p.text))*6 < limit/4 {
				t.Fatalf("%s: a list whose items fit is an error: %v", p.st.Name, err)
			}
			return
		}
		if !json.Valid(res.Data) || len(res.Data) > limit {
			t.Fatalf("%s: %d bytes of %d: %.300q", p.st.Name, len(res.Data), limit, res.Data)
		}
		if (res.Cursor == "") != (res.Stopped == "") {
			t.Fatalf("%s: stopped %q with the cursor %q", p.st.Name, res.Stopped, res.Cursor)
		}
		got = append(got, p.ids(res.Data)...)
		if res.Cursor == "" {
			break
		}
		if n > 500 || res.Cursor == c.Cursor {
			t.Fatalf("%s: the cursor stands still behind %d items", p.st.Name, len(got))
		}
		if p.strange() {
			return
		}
		c.Input, c.Cursor = nil, res.Cursor
	}
	if p.strange() {
		if p.count > 0 && p.next != "" {
			t.Fatalf("%s: the next page %q was lost", p.st.Name, p.next)
		}
		return
	}
	p.complete(t, got)
}

// ids are the items of an answer, by their ids.
func (p *pages) ids(data json.RawMessage) (out []string) {
	if p.raw != nil || p.count == 0 {
		return nil
	}
	if name := p.st.Pagination.Items; name != "" {
		var doc map[string]json.RawMessage
		_ = json.Unmarshal(data, &doc)
		data = doc[name]
	}
	var list []map[string]any
	_ = json.Unmarshal(data, &list)
	for _, item := range list {
		out = append(out, fmt.Sprint(item["number"], item["id"]))
	}
	return out
}

// complete: nothing was lost and nothing came twice. Some tools leave out every member that an item has here; those cannot be
// told apart, but they can be counted.
func (p *pages) complete(t *testing.T, got []string) {
	t.Helper()
	if p.count == 0 {
		return
	}
	if want := p.perPage * p.count; len(got) != want {
		t.Fatalf("%s: %d items of %d", p.st.Name, len(got), want)
	}
	distinct := slices.Clone(got)
	slices.Sort(distinct)
	if distinct = slices.Compact(distinct); len(distinct) != 1 && len(distinct) != len(got) {
		t.Fatalf("%s: %d items, %d of them distinct", p.st.Name, len(got), len(distinct))
	}
}
