package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

func tools(t *testing.T, f *e2e.Fixture, token, query string) e2e.Answer {
	t.Helper()
	return f.Do(t, e2e.Request{Method: "GET", Path: "/v1/tools" + query, Token: token})
}

func names(list []object) (out []string) {
	for _, x := range list {
		name, _ := x["name"].(string)
		out = append(out, name)
	}
	return out
}

func TestTools_Search_FindsTheRestAndSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", object{"scopes": []string{"read:user"}})
	token := f.Session(t, "acme", "user_alice", object{"connectors": []string{"github", "slack"}})

	all := tools(t, f, token, "").Want(t, 200)
	if got := names(all.List("tools")); !slices.Equal(got, []string{"github_get_authenticated_user"}) || all.JSON["not_callable"] != nil {
		t.Errorf("callable: %v, rest %v", got, all.JSON["not_callable"])
	}
	found := tools(t, f, token, "?q=list+issues").Want(t, 200)
	rest := found.List("not_callable")
	if len(found.List("tools")) != 0 || !slices.Contains(names(rest), "github_list_issues") {
		t.Fatalf("%s", found.Body)
	}
	for _, x := range rest {
		if x["code"] != "scope_missing" || x["missing_scopes"] == nil || x["connect"] == nil {
			t.Errorf("%v", x)
		}
	}
	for _, x := range tools(t, f, token, "?q=slack+message").Want(t, 200).List("not_callable") {
		if x["code"] != "connection_required" || x["connector"] != "slack" {
			t.Errorf("%v", x)
		}
	}
	if a := tools(t, f, token, "?q=salesforce").Want(t, 200); len(a.List("not_callable"))+len(a.List("tools")) != 0 {
		t.Errorf("what the session may not use is found: %s", a.Body)
	}
}

func TestTools_InPages_NoneLostOrRepeated(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	token := f.Session(t, "acme", "user_alice", nil)
	for _, query := range []string{"", "&q=issue"} {
		whole := names(tools(t, f, token, "?limit=500"+query).Want(t, 200).List("tools"))
		var paged []string
		cursor := ""
		for {
			a := tools(t, f, token, "?limit=1"+query+cursor).Want(t, 200)
			paged = append(paged, names(a.List("tools"))...)
			if a.Text("cursor") == "" {
				break
			}
			cursor = "&cursor=" + a.Text("cursor")
		}
		if len(whole) < 3 || !slices.Equal(whole, paged) {
			t.Errorf("%q: whole %v, in pages %v", query, whole, paged)
		}
	}
	for _, bad := range []string{"?cursor=nonsense", "?limit=0", "?limit=501", "?format=xml", "?page=2"} {
		tools(t, f, token, bad).WantCode(t, "invalid_input")
	}
}

func TestTools_IfNoneMatch_AnswersOnceUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	token := f.Session(t, "acme", "user_alice", nil)
	first := tools(t, f, token, "").Want(t, 200)
	tag := first.Header.Get("ETag")
	ask := func(tag string) e2e.Answer {
		return f.Do(t, e2e.Request{Method: "GET", Path: "/v1/tools", Token: token, Header: http.Header{"If-None-Match": {tag}}})
	}
	for _, known := range []string{tag, `"other", W/` + tag, "*"} {
		if a := ask(known).Want(t, 304); a.Body != "" || a.Header.Get("ETag") != tag {
			t.Errorf("%q: %q %v", known, a.Body, a.Header)
		}
	}
	ask(`"other"`).Want(t, 200)
	f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/pause", nil).Want(t, 200)
	if a := ask(tag).Want(t, 200); len(a.List("tools")) != 0 {
		t.Errorf("%s", a.Body)
	}
}

func TestTools_UnderPolicy_WhatIsForbiddenIsNotOffered(t *testing.T) {
	t.Parallel()
	f, token := alice(t, "github", nil)
	f.Back(t, "PUT", "/v1/tenants/acme/policy", object{"rules": []object{{"id": "no-lists", "effect": "deny", "when": object{"tools": []string{"github_list_*"}}},
		{"id": "four-eyes", "effect": "require_approval", "when": object{"effects": []string{"write"}}}}}).Want(t, 200)
	for _, x := range tools(t, f, token, "").Want(t, 200).List("tools") {
		name, _ := x["name"].(string)
		meta, _ := x["_meta"].(object)
		if strings.HasPrefix(name, "github_list_") || name == "github_create_issue" && meta["behalf.dev/approval_rule"] != "four-eyes" || name == "github_get_authenticated_user" && meta != nil {
			t.Errorf("offered: %v", x)
		}
	}
	a := tools(t, f, token, "?q=list+issues").Want(t, 200)
	for _, name := range append(names(a.List("tools")), names(a.List("not_callable"))...) {
		if strings.HasPrefix(name, "github_list_") {
			t.Errorf("found: %s", name)
		}
	}
	f.Back(t, "PUT", "/v1/switches", object{"agents": []string{"e2e"}}).Want(t, 200)
	if got := tools(t, f, token, "").Want(t, 200).List("tools"); len(got) != 0 {
		t.Errorf("an agent that was switched off is offered %v", names(got))
	}
}
