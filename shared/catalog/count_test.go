package catalog_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/catalog"
)

const countedTools = `- name: plain_list_items
  title: List items
  effect: read
  description: List items of the account, a page at a time, in the order in which they were made.
  scopes: {all_of: [items]}
  input: {properties: {start: {type: integer, description: Where.}, limit: {type: integer, default: 3, description: How many.}}}
  request: {method: GET, url: "{web}/api/items", query: {start: "{start}", limit: "{limit}"}}
  response: {select: data}
  pagination: {items: rows, input: start, count: COUNT, size: limit}
`

// TestPagination_Counted_ReadsEveryItemOnce follows a list of seven to its end over HTTP, by offset and by number of page.
func TestPagination_Counted_ReadsEveryItemOnce(t *testing.T) {
	t.Parallel()
	for count, first := range map[string]int{"items": 0, "pages": 1} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start, err := strconv.Atoi(r.FormValue("start"))
			if err != nil {
				start = first
			}
			limit, err := strconv.Atoi(r.FormValue("limit"))
			if err != nil {
				t.Error(err)
			}
			if count == "pages" {
				start = (start - 1) * limit
			}
			rows := []int{}
			for i := start; i < min(7, start+limit); i++ {
				rows = append(rows, i)
			}
			b, _ := json.Marshal(rows) // integers always marshal
			_, _ = fmt.Fprintf(w, `{"data":{"rows":%s}}`, b)
		}))
		defer srv.Close()
		c := mustLoad(t, plain, strings.Replace(countedTools, "COUNT", count, 1), catalog.WithHosts(catalog.Hosts{"plain": {"web": srv.URL}}))
		tools, err := c.Tools()
		if err != nil {
			t.Fatal(err)
		}
		for _, limit := range []int{3, 7} { // a last page with fewer, and one that is empty
			input, err := tools[0].ValidateInput(json.RawMessage(fmt.Sprintf(`{"limit":%d}`, limit)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			at, more, requests := catalog.Page{}, true, 0
			for ; more && requests < 9; requests++ {
				r, err := tools[0].BindPage(input, at, nil)
				if err != nil {
					t.Fatal(err)
				}
				res, err := http.Get(r.URL.String())
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(body))
				at, more = tools[0].PageAfter(input, at, res.Header, body)
			}
			want := map[int]int{3: 3, 7: 2}[limit]
			if requests != want || !strings.Contains(strings.Join(got, ""), "6") {
				t.Errorf("%s by %d: %d requests: %v", count, limit, requests, got)
			}
		}
	}
}

func TestPagination_CountWithoutNumbers_IsRefused(t *testing.T) {
	t.Parallel()
	good := strings.Replace(countedTools, "COUNT", "items", 1)
	for want, tools := range map[string]string{
		"[0].pagination.count":    strings.Replace(good, "count: items", "count: weeks", 1),
		"[0].pagination.input":    strings.Replace(good, "start: {type: integer", "start: {type: string", 1),
		"[0].pagination.size":     strings.Replace(good, "size: limit", "size: none", 1),
		"[0].pagination.size: is": strings.Replace(good, "count: items, size", "from: next, size", 1),
		"[0].pagination: one of":  strings.Replace(good, "count: items", "count: items, from: next", 1),
	} {
		c, err := catalog.Load(tree(plain, tools))
		if err == nil {
			err = c.Verify()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
