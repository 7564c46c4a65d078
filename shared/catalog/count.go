package catalog

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// The ways to count: the next page begins behind the items so far, or has the next number.
const (
	countItems = "items"
	countPages = "pages"
)

// PageAfter is NextPage for the answer to the page at of a list with input; some providers leave the counting to the caller.
func (t *Tool) PageAfter(input map[string]any, at Page, header http.Header, body []byte) (Page, bool) {
	p := t.spec.Pagination
	if p == nil || p.Count == "" {
		return t.NextPage(header, body)
	}
	n := t.itemsIn(body)
	if n == 0 {
		return Page{}, false
	}
	if size, ok := whole(input[p.Size]); ok && n < size { // fewer than were asked for: there are no more
		return Page{}, false
	}
	now, ok := whole(input[p.Input])
	if len(at.Value) > 0 {
		now, ok = whole(json.Number(at.Value))
	}
	switch {
	case p.Count == countItems:
		now += n
	case ok:
		now++
	default: // the first page, of which nobody said that it is
		now = 2
	}
	return t.pageOf(strconv.Itoa(now)), true
}

// itemsIn counts the items of a provider's answer.
func (t *Tool) itemsIn(body []byte) int {
	doc, err := decodeJSON(body)
	if err != nil {
		return 0
	}
	found, _ := lookup(doc, strings.Trim(t.spec.Response.Select+"."+t.spec.Pagination.Items, "."))
	list, _ := found.([]any)
	return len(list)
}

// whole is an input that is a whole number.
func whole(v any) (int, bool) {
	text, ok := scalar(v)
	n, err := strconv.Atoi(text)
	return n, ok && err == nil && n >= 0
}

// checkCount checks a list that the caller counts.
func checkCount(s *source, field string, t toolSpec) {
	p := t.Pagination
	if p.Count == "" {
		if p.Size != "" {
			s.add(field+".size", "is for count")
		}
		return
	}
	oneOf(s, field+".count", p.Count, countItems, countPages)
	if t.Input.Properties[p.Input].Type != "integer" {
		s.add(field+".input", "%q: count needs an input of type integer", p.Input)
	}
	if p.Size != "" && t.Input.Properties[p.Size].Type != "integer" {
		s.add(field+".size", "%q: want the input of type integer that says how many a page has", p.Size)
	}
}
