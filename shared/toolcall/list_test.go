package toolcall_test

import (
	"slices"
	"testing"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/toolcall"
)

func (w *world) list(want toolcall.Want) (names []string, l toolcall.Listing) {
	w.t.Helper()
	l, err := w.exec.List(w.t.Context(), authn.Session{ID: "sess_1", Scope: alice}, want)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, t := range l.Tools {
		names = append(names, t.Tool.Name)
	}
	return names, l
}

func TestList_Query_BestMatchesFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ query, first string }{
		{"create issue", "github_create_issue"}, {"ISSUE Create", "github_create_issue"}, {"repositories", "github_list_repositories"}, {"github user", "github_get_authenticated_user"},
	} {
		if names, _ := w.list(toolcall.Want{Query: c.query}); len(names) == 0 || names[0] != c.first {
			t.Errorf("%q finds %v", c.query, names)
		}
	}
	if names, _ := w.list(toolcall.Want{Query: "issue nosuchword"}); len(names) != 0 {
		t.Errorf("one of two words finds %v", names)
	}
}

func TestList_View_NarrowsAndRunAgrees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, v := range []*toolcall.View{{Connectors: []string{"slack"}}, {Tools: []string{"github_list_issues"}}, {Effects: []catalog.Effect{catalog.EffectRead}}, nil} {
		names, _ := w.list(toolcall.Want{View: v})
		for _, n := range names {
			if n == "github_create_issue" && v != nil {
				t.Errorf("%+v shows %v", v, names)
			}
		}
		_, err := w.exec.Run(w.t.Context(), authn.Session{ID: "sess_1", Scope: alice}, toolcall.Call{Tool: "github_create_issue", Input: []byte(`{"owner":"a","repo":"b","title":"x"}`), View: v})
		if v == nil && err != nil || v != nil && (!fault.Is(err, fault.Forbidden) || fault.From(err).Detail["reason"] != "outside_view") {
			t.Errorf("%+v: %v", v, err)
		}
	}
}

func TestView_Check_RefusesWhatItCannotMean(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		view  toolcall.View
		field string
		ok    bool
	}{
		{toolcall.View{}, "", false},
		{toolcall.View{Connectors: []string{"nosuch"}}, "/connectors", false},
		{toolcall.View{Tools: []string{"github_nosuch"}}, "/tools", false},
		{toolcall.View{Connectors: []string{"slack"}, Tools: []string{"github_list_issues"}}, "/tools", false},
		{toolcall.View{Effects: []catalog.Effect{"look"}}, "/effects", false},
		{toolcall.View{Connectors: []string{"github"}, Tools: []string{"github_list_issues"}, Effects: []catalog.Effect{catalog.EffectRead}}, "", true},
	} {
		err := c.view.Check(w.exec.Tools)
		if c.ok != (err == nil) || !c.ok && (!fault.Is(err, fault.InvalidInput) || fault.From(err).Field != c.field) {
			t.Errorf("%+v: %v", c.view, err)
		}
	}
	for name, ok := range map[string]bool{"support": true, "a": true, "1-b": true, "": false, "-a": false, "A": false, "a/b": false, "a#b": false} {
		if _, err := toolcall.ParseViewName("view", name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestList_PolicyAndSwitches_LeaveOutWhatTheyForbid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const create, read = "github_create_issue", "github_list_issues"
	when := func(tools ...string) policy.When { return policy.When{Tools: tools} }
	for name, c := range map[string]struct {
		off          policy.Switches
		rules        policy.Document
		shows, hides string
		approval     string
	}{
		"nothing":           {shows: create},
		"deny":              {rules: policy.Document{Rules: []policy.Rule{{ID: "d", Effect: policy.EffectDeny, When: when(create)}}}, shows: read, hides: create},
		"deny by default":   {rules: policy.Document{Default: "deny", Rules: []policy.Rule{{ID: "a", Effect: policy.EffectAllow, When: when(read)}}}, shows: read, hides: create},
		"approval":          {rules: policy.Document{Rules: []policy.Rule{{ID: "ask", Effect: policy.EffectApprove, When: when(create)}}}, shows: create, approval: "ask"},
		"Cedar knows more":  {rules: policy.Document{Cedar: `forbid(principal, action, resource);`}, shows: create},
		"tool off":          {off: policy.Switches{Tools: []string{create}}, shows: read, hides: create},
		"connector off":     {off: policy.Switches{Connectors: []string{"github"}}, hides: read},
		"everything off":    {off: policy.Switches{Tenant: true}, hides: read},
		"group of somebody": {rules: policy.Document{Rules: []policy.Rule{{ID: "d", Effect: policy.EffectDeny, When: policy.When{Groups: []string{"Interns"}}}}}, shows: create},
	} {
		if err := w.store.PutSwitches(t.Context(), "acme", c.off); err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.PutPolicy(t.Context(), "acme", c.rules); err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{"", "issue"} {
			got, l := w.list(toolcall.Want{Query: query})
			if c.shows != "" && !slices.Contains(got, c.shows) || c.hides != "" && slices.Contains(got, c.hides) {
				t.Errorf("%s, query %q: %v", name, query, got)
			}
			for _, x := range l.Tools {
				if want := c.approval; x.Tool.Name == create && (x.Approval != want || (x.Meta() != nil) != (want != "")) {
					t.Errorf("%s: marked %q, want %q", name, x.Approval, want)
				}
			}
		}
	}
}
