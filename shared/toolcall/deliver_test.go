package toolcall_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

// pagesOf answers GitHub's list of issues: n pages of size issues each, with a title of width bytes.
func (w *world) pagesOf(n, size, width int) {
	w.answer = func(r *http.Request) (egress.Response, error) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		list := []map[string]any{}
		for i := range size {
			list = append(list, map[string]any{"number": (page-1)*size + i, "title": strings.Repeat("<", width)})
		}
		body, _ := json.Marshal(list)
		h := http.Header{}
		if page < n {
			h.Add("Link", fmt.Sprintf(`<https://api.github.com/x?page=1>; rel="prev", <https://api.github.com/x?a=b&page=%d>; rel="next"`, page+1))
		}
		return egress.Response{Status: 200, Header: h, Body: body}, nil
	}
}

func (w *world) issues(c toolcall.Call) (toolcall.Result, error) {
	c.Tool = "github_list_issues"
	if c.Cursor == "" {
		c.Input = json.RawMessage(`{"owner":"acme","repo":"billing"}`)
	}
	return w.exec.Run(w.t.Context(), authn.Session{ID: "sess_1", Scope: alice}, c)
}

// all follows the cursor to the end.
func (w *world) all(c toolcall.Call) (numbers []int, stops []string) {
	w.t.Helper()
	for range 100 {
		res, err := w.issues(c)
		if err != nil {
			w.t.Fatal(err)
		}
		var list []struct{ Number int }
		if err := json.Unmarshal(res.Data, &list); err != nil {
			w.t.Fatalf("%v: %s", err, res.Data)
		}
		for _, i := range list {
			numbers = append(numbers, i.Number)
		}
		if stops = append(stops, res.Stopped); res.Cursor == "" {
			return numbers, stops
		}
		c.Cursor = res.Cursor
	}
	w.t.Fatal("the cursor never ends")
	return nil, nil
}

func TestRun_List_NothingIsLostOrRepeated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages, size, width int
		call               toolcall.Call
		stops              string
		requests           int
	}{
		"one page":                    {1, 3, 1, toolcall.Call{}, `[""]`, 1},
		"page by page":                {3, 2, 1, toolcall.Call{}, `["pages" "pages" ""]`, 3},
		"two at a time":               {3, 2, 1, toolcall.Call{Pages: 2}, `["pages" ""]`, 3},
		"more pages than there are":   {3, 2, 1, toolcall.Call{Pages: 10}, `[""]`, 3},
		"cut in the middle of a page": {2, 3, 400, toolcall.Call{Pages: 10, MaxBytes: 1024}, `["max_bytes" "max_bytes" ""]`, 4},
		"empty":                       {1, 0, 1, toolcall.Call{}, `[""]`, 1},
	} {
		w := newWorld(t)
		w.pagesOf(c.pages, c.size, c.width)
		got, stops := w.all(c.call)
		want := []int{}
		for i := range c.pages * c.size {
			want = append(want, i)
		}
		if !slices.Equal(got, want) || fmt.Sprintf("%q", stops) != c.stops || len(w.sent) != c.requests {
			t.Errorf("%s: %v, stopped %q, %d requests", name, got, stops, len(w.sent))
		}
	}
}

func TestRun_SecondPageFails_FirstIsGivenWithACursor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pagesOf(3, 2, 1)
	good := w.answer
	w.answer = func(r *http.Request) (egress.Response, error) {
		if len(w.sent) == 2 {
			return egress.Response{Status: 500, Header: http.Header{}, Body: []byte(`{}`)}, nil
		}
		return good(r)
	}
	res, err := w.issues(toolcall.Call{Pages: 3})
	if err != nil || res.Stopped != string(fault.ProviderError) || res.Cursor == "" || string(res.Data) != `[{"number":0,"title":"<"},{"number":1,"title":"<"}]` {
		t.Fatalf("%+v %v", res, err)
	}
	rest, _ := w.all(toolcall.Call{Pages: 3, Cursor: res.Cursor})
	if !slices.Equal(rest, []int{2, 3, 4, 5}) {
		t.Errorf("the rest is %v", rest)
	}
}

func TestRun_AnswerTooLarge_IsAnErrorAndNotCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pagesOf(1, 2, 2000)
	_, err := w.issues(toolcall.Call{MaxBytes: 1024})
	wantCode(t, err, fault.ProviderError, "response_too_large")
	w.answer = ok(`{"title":"` + strings.Repeat("x", toolcall.DefaultMaxBytes) + `"}`)
	_, err = w.create("")
	wantCode(t, err, fault.ProviderError, "response_too_large")
}

func TestRun_Cursor_ForgedOrMisused_Refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pagesOf(2, 1, 1)
	res, err := w.issues(toolcall.Call{})
	if err != nil {
		t.Fatal(err)
	}
	session := authn.Session{ID: "sess_1", Scope: alice}
	before := len(w.sent)
	for name, c := range map[string]toolcall.Call{
		"garbage":              {Tool: "github_list_issues", Cursor: "%%%"},
		"of another tool":      {Tool: "github_list_repositories", Cursor: res.Cursor},
		"with an input":        {Tool: "github_list_issues", Cursor: res.Cursor, Input: json.RawMessage(`{"owner":"a","repo":"b"}`)},
		"of a tool without":    {Tool: "github_get_authenticated_user", Cursor: forged(`{"t":"github_get_authenticated_user","i":{},"p":{}}`)},
		"bad input within":     {Tool: "github_list_issues", Cursor: forged(`{"t":"github_list_issues","i":{"owner":"a"},"p":{"v":2}}`)},
		"page of another type": {Tool: "github_list_issues", Cursor: forged(`{"t":"github_list_issues","i":{"owner":"a","repo":"b"},"p":{"v":"x"}}`)},
		"page out of range":    {Tool: "github_list_issues", Cursor: forged(`{"t":"github_list_issues","i":{"owner":"a","repo":"b"},"p":{"v":-1}}`)},
		"a path for a value":   {Tool: "github_list_issues", Cursor: forged(`{"t":"github_list_issues","i":{"owner":"a","repo":"b"},"p":{"p":"/user/keys"}}`)},
		"negative skip":        {Tool: "github_list_issues", Cursor: forged(`{"t":"github_list_issues","i":{"owner":"a","repo":"b"},"p":{},"s":-1}`)},
		"too many pages":       {Tool: "github_list_issues", Input: json.RawMessage(`{"owner":"a","repo":"b"}`), Pages: 11},
		"too many bytes":       {Tool: "github_list_issues", Input: json.RawMessage(`{"owner":"a","repo":"b"}`), MaxBytes: 1 << 30},
		"pages of no list":     {Tool: "github_get_authenticated_user", Pages: 2},
	} {
		if _, err := w.exec.Run(t.Context(), session, c); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(w.sent) != before {
		t.Errorf("%d requests were sent", len(w.sent)-before)
	}
}

func forged(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
