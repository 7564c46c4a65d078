package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

func proxied(f *e2e.Fixture, t *testing.T, session, method, path string, body any, header http.Header) e2e.Answer {
	t.Helper()
	return f.Do(t, e2e.Request{Method: method, Path: "/v1/proxy/" + path, Token: session, Body: body, Header: header})
}

func TestProxy_OwnAccount_AnswerOfTheProvider(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	a := proxied(f, t, session, "GET", "github/user", nil, nil).Want(t, 200)
	if a.Text("login") != "alice" || a.Header.Get("Behalf-Provider-Status") != "200" || !strings.HasPrefix(a.Header.Get("Behalf-Execution"), "exec_") || a.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%s %v", a.Body, a.Header)
	}
	a = proxied(f, t, session, "GET", "github/repos/acme/nowhere", nil, nil)
	if a.Status != 404 || a.Header.Get("Behalf-Provider-Status") != "404" || a.Text("message") == "" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	proxied(f, t, session, "POST", "github/repos/acme/billing/issues", object{"title": "by proxy"}, http.Header{"Idempotency-Key": {"k-1"}}).Want(t, 201)
	again := proxied(f, t, session, "POST", "github/repos/acme/billing/issues", object{"title": "by proxy"}, http.Header{"Idempotency-Key": {"k-1"}}).Want(t, 201)
	if again.Header.Get("Idempotent-Replayed") != "true" || posts(t, f, "github") != 1 {
		t.Errorf("%v, %d writes", again.Header, posts(t, f, "github"))
	}
	f.Settle(t)
	for _, r := range f.Audit(t, "acme", "tool=github_proxy&execution="+again.Header.Get("Behalf-Execution")) {
		if r["method"] != "POST" || r["path"] != "/repos/acme/billing/issues" || r["effect"] != "write" {
			t.Errorf("%v", r)
		}
	}
}

func TestProxy_NotTheCallers_Refused(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	before := len(f.Calls(t, "github", emulator.KindAPI))
	proxied(f, t, session, "GET", "slack/auth.test", nil, nil).WantCode(t, "connection_required")
	proxied(f, t, session, "GET", "nope/x", nil, nil).WantCode(t, "not_found")
	proxied(f, t, session, "GET", "github/a%2f..%2fb", nil, nil).WantCode(t, "invalid_input")
	proxied(f, t, f.Session(t, "acme", "user_alice", object{"tools": []string{"github_list_issues"}}), "GET", "github/user", nil, nil).WantCode(t, "forbidden")
	proxied(f, t, f.Session(t, "acme", "user_bob", nil), "GET", "github/user", nil, nil).WantCode(t, "connection_required")
	if n := len(f.Calls(t, "github", emulator.KindAPI)); n != before {
		t.Errorf("%d calls reached the provider", n-before)
	}
	proxied(f, t, f.Session(t, "acme", "user_alice", object{"tools": []string{"github_proxy"}}), "GET", "github/user", nil, nil).Want(t, 200)
}

func TestBatch_EachCallStandsAlone(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	calls := []object{{"tool": "github_get_authenticated_user"}, {"tool": "github_create_issue", "input": object{"owner": "acme"}}, {"tool": "slack_auth_test"},
		{"tool": "github_create_issue", "input": issue("in a batch")}, {"tool": "nope"}, {}}
	a := f.Do(t, e2e.Request{Method: "POST", Path: "/v1/execute/batch", Token: session, Body: object{"calls": calls}}).Want(t, 200)
	results := a.List("results")
	if len(results) != len(calls) || a.JSON["failed"] != 4.0 {
		t.Fatalf("%s", a.Body)
	}
	for i, want := range []string{"", "invalid_input", "", "", "not_found", "invalid_input"} {
		problem, _ := results[i]["error"].(map[string]any)
		if i == 2 {
			if problem == nil {
				t.Errorf("call %d succeeded: %v", i, results[i])
			}
			continue
		}
		if want == "" && results[i]["result"] == nil || want != "" && problem["code"] != want {
			t.Errorf("call %d: %v, want %s", i, results[i], want)
		}
	}
	f.Do(t, e2e.Request{Method: "POST", Path: "/v1/execute/batch", Token: session, Body: object{"calls": []object{}}}).WantCode(t, "invalid_input")
	f.Do(t, e2e.Request{Method: "POST", Path: "/v1/execute/batch", Token: session, Body: object{"calls": make([]object, 21)}}).WantCode(t, "invalid_input")
}

func TestExecution_LostAnswer_CanBeLookedUpByItsPrincipalOnly(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	get := func(session, id string) e2e.Answer {
		return f.Do(t, e2e.Request{Method: "GET", Path: "/v1/executions/" + id, Token: session})
	}
	good := f.Execute(t, session, "github_create_issue", issue("one"), nil).Want(t, 200).Text("execution_id")
	a := get(session, good).Want(t, 200)
	if a.Text("state") != "succeeded" || a.Text("tool") != "github_create_issue" || a.JSON["provider_status"] != 201.0 || a.Text("started_at") == "" || a.Text("ended_at") == "" {
		t.Errorf("%s", a.Body)
	}
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindAPI, Mode: emulator.ModeLostReply})
	lost := f.Execute(t, session, "github_create_issue", issue("two"), nil).WantCode(t, "outcome_unknown").Text("execution_id")
	if a := get(session, lost).Want(t, 200); a.Text("state") != "unknown" || a.Text("code") != "outcome_unknown" {
		t.Errorf("%s", a.Body)
	}
	refused := f.Execute(t, session, "slack_auth_test", object{}, nil).Text("execution_id")
	if refused != "" {
		if a := get(session, refused).Want(t, 200); a.Text("state") != "refused" {
			t.Errorf("%s", a.Body)
		}
	}
	get(f.Session(t, "acme", "user_bob", nil), good).WantCode(t, "not_found")
	get(session, "exec_01kar0d5f7j1k3m5n7p9r2t4v6").WantCode(t, "not_found")
	get(session, "conn_1").WantCode(t, "invalid_input")
}

func TestExecute_List_IsFollowedOnRequestAndNeverCutSilently(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	for range 5 {
		f.Execute(t, session, "github_create_issue", issue("one of many"), nil).Want(t, 200)
	}
	input := object{"owner": "acme", "repo": "billing", "per_page": 2}
	first := f.Execute(t, session, "github_list_issues", input, nil).Want(t, 200)
	if first.Text("cursor") == "" || first.Text("stopped") != "pages" {
		t.Fatalf("%s", first.Body)
	}
	all := f.Execute(t, session, "github_list_issues", input, object{"pages": 10}).Want(t, 200)
	joined, _ := all.JSON["data"].([]any)
	if all.Text("cursor") != "" || all.Text("stopped") != "" || len(joined) < 5 {
		t.Errorf("%d issues: %s", len(joined), all.Body)
	}
	seen := 0
	for page := first; ; {
		list, _ := page.JSON["data"].([]any)
		seen += len(list)
		next := page.Text("cursor")
		if next == "" {
			break
		}
		page = f.Do(t, e2e.Request{Method: "POST", Path: "/v1/execute", Token: session, Body: object{"tool": "github_list_issues", "cursor": next}}).Want(t, 200)
	}
	if seen != len(joined) {
		t.Errorf("%d by cursor, %d at once", seen, len(joined))
	}
}
