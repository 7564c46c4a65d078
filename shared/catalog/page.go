package catalog

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"behalf.dev/behalf/shared/fault"
)

// pageSpec tells how a tool's list goes on. Exactly one of From, Link, Path and Count is set.
type pageSpec struct {
	// Items is the member of the tool's answer that is the list; empty when the answer is the list.
	Items string `yaml:"items"`
	// Input is the input that chooses the page, where From or Link give its next value.
	Input string `yaml:"input"`
	// From is where the provider's answer holds the next value: a cursor. Absent, null and "" mean the last page.
	From string `yaml:"from"`
	// Link is the query parameter of the provider's rel="next" link (RFC 8288) that holds the next value.
	Link string `yaml:"link"`
	// Path is where the provider's answer holds the path of the next page, on the same host and below the tool's own path.
	Path string `yaml:"path"`
	// Count tells that the provider answers without a word about the next page, and what the input counts. Size is the input that
	// says how many items a page has, if there is one: a page with fewer is the last, as an empty one is.
	Count string `yaml:"count"`
	Size  string `yaml:"size"`
}

// Page is where a tool's list goes on: a value for one input, or a path. The zero value is the first page.
type Page struct {
	Value json.RawMessage `json:"v,omitempty"`
	Path  string          `json:"p,omitempty"`
}

// Pages reports whether the tool's answer is a list that can go on, and where in the answer the list is.
func (t *Tool) Pages() (items string, ok bool) {
	if t.spec.Pagination == nil {
		return "", false
	}
	return t.spec.Pagination.Items, true
}

// NextPage reads from a provider's answer where its list goes on; false on the last page.
func (t *Tool) NextPage(header http.Header, body []byte) (Page, bool) {
	p := t.spec.Pagination
	if p == nil || p.Count != "" {
		return Page{}, false
	}
	if p.Link != "" {
		v := nextLink(header, p.Link)
		return t.pageOf(v), v != ""
	}
	doc, err := decodeJSON(body)
	if err != nil {
		return Page{}, false
	}
	v, _ := lookupText(doc, p.From+p.Path)
	if p.Path != "" {
		return Page{Path: v}, v != ""
	}
	return t.pageOf(v), v != ""
}

// pageOf writes v as the type of the page input.
func (t *Tool) pageOf(v string) Page {
	if kind := t.spec.Input.Properties[t.spec.Pagination.Input].Type; kind == "integer" || kind == "number" {
		return Page{Value: json.RawMessage(v)}
	}
	b, _ := json.Marshal(v) // text always marshals
	return Page{Value: b}
}

var (
	linkValue = regexp.MustCompile(`<([^>]*)>([^,<]*)`)
	relNext   = regexp.MustCompile(`(?i);\s*rel\s*=\s*"?(?:[^"]*\s)?next(?:\s[^"]*)?"?\s*(?:;|$)`)
)

// nextLink is a query parameter of the link whose relation is next.
func nextLink(h http.Header, param string) string {
	for _, line := range h.Values("Link") {
		for _, m := range linkValue.FindAllStringSubmatch(line, -1) {
			if !relNext.MatchString(strings.TrimRight(m[2], ", ")) {
				continue
			}
			if u, err := url.Parse(m[1]); err == nil {
				return u.Query().Get(param)
			}
		}
	}
	return ""
}

// BindPage is Bind for one page of a list. A page came from a cursor that a caller holds, so it is checked like any
// input: fault.InvalidInput about /cursor.
func (t *Tool) BindPage(input map[string]any, p Page, meta map[string]string) (Request, error) {
	spec := t.spec.Pagination
	switch {
	case len(p.Value) == 0 && p.Path == "":
		return t.Bind(input, meta)
	case spec == nil || (p.Path != "") != (spec.Path != ""):
		return Request{}, badCursor()
	case p.Path != "":
		return t.bindPath(input, p.Path, meta)
	}
	merged := map[string]any{}
	for k, v := range input {
		merged[k] = v
	}
	merged[spec.Input] = p.Value
	raw, err := json.Marshal(merged)
	if err != nil {
		return Request{}, badCursor()
	}
	checked, err := t.ValidateInput(raw)
	if err != nil {
		return Request{}, badCursor().WithCause(err)
	}
	return t.Bind(checked, meta)
}

func badCursor() *fault.Error {
	return fault.Invalid("/cursor", "this cursor is not one of this tool's; leave it out to start over")
}

// bindPath replaces path and query of the tool's request. The path must lie below the tool's own.
func (t *Tool) bindPath(input map[string]any, path string, meta map[string]string) (Request, error) {
	r, err := t.Bind(input, meta)
	if err != nil {
		return r, err
	}
	base, err := t.connector.hosts[t.url.host].resolve(meta)
	if err != nil {
		return r, err
	}
	own := strings.TrimPrefix(r.URL.EscapedPath(), strings.TrimSuffix(base.EscapedPath(), "/"))
	path, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil || !strings.HasPrefix(path, own+"/") && path != own {
		return r, badCursor()
	}
	u := *base
	if err := appendPath(&u, path); err != nil {
		return r, badCursor().WithCause(err)
	}
	u.RawQuery = values.Encode()
	r.URL = &u
	return r, nil
}

// checkPages reports what is wrong with a tool's pagination.
func checkPages(s *source, field string, t toolSpec) {
	p := t.Pagination
	if p == nil {
		return
	}
	set := 0
	for _, v := range []string{p.From, p.Link, p.Path, p.Count} {
		if v != "" {
			set++
		}
	}
	if set != 1 {
		s.add(field, "one of from, link, path and count says where the next page is")
	}
	if t.Effect != EffectRead {
		s.add(field, "only a read can be followed over pages")
	}
	if strings.Contains(p.Items, ".") {
		s.add(field+".items", "%q is the name of a member; let response.select lead to what holds it", p.Items)
	}
	checkPath(s, field+".items", p.Items, true)
	checkPath(s, field+".from", p.From, true)
	checkPath(s, field+".path", p.Path, true)
	if _, ok := t.Input.Properties[p.Input]; ok == (p.Path != "") {
		s.add(field+".input", "%q: from, link and count need an input of the tool, path needs none", p.Input)
	}
	checkCount(s, field, t)
}
