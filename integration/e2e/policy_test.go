package e2e_test

import (
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

func TestPolicy_PutInForce_DecidesTheNextExecution(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	write := func() e2e.Answer { return f.Execute(t, session, "github_create_issue", issue("x"), nil) }
	write().Want(t, 200)
	p := f.Back(t, "PUT", "/v1/tenants/acme/policy", object{"rules": []object{{"id": "ro", "effect": "deny", "when": object{"effects": []string{"write"}}, "reason": "read only today"}}}).Want(t, 200)
	if p.JSON["revision"] != 1.0 {
		t.Errorf("%s", p.Body)
	}
	if a := write().WantCode(t, "policy_denied"); a.Text("rule") != "ro" {
		t.Errorf("%s", a.Body)
	}
	f.Execute(t, session, "github_list_issues", object{"owner": "acme", "repo": "billing"}, nil).Want(t, 200)
	d := f.Back(t, "POST", "/v1/tenants/acme/policy/decide", object{"principal": "user_alice", "tool": "github_create_issue", "input": issue("x"),
		"policy": object{"cedar": `permit(principal, action, resource) when { context.input.owner == "acme" };`}}).Want(t, 200)
	if d.Text("decision") != "allow" {
		t.Errorf("%s", d.Body)
	}
	if d := f.Back(t, "POST", "/v1/tenants/acme/policy/decide", object{"principal": "user_alice", "tool": "github_create_issue"}).Want(t, 200); d.Text("decision") != "deny" || d.Text("rule") != "ro" {
		t.Errorf("%s", d.Body)
	}
	f.Back(t, "PUT", "/v1/tenants/acme/policy", object{"cedar": "permit("}).WantCode(t, "invalid_input")
	f.Back(t, "PUT", "/v1/tenants/acme/policy", object{"rulez": 1}).WantCode(t, "invalid_input")
	f.Back(t, "PUT", "/v1/tenants/acme/policy", object{}).Want(t, 200)
	write().Want(t, 200)
	if got := f.Back(t, "GET", "/v1/tenants/acme/policy", nil).Want(t, 200); got.JSON["revision"] != 2.0 {
		t.Errorf("%s", got.Body)
	}
}

func TestSwitches_OffAndOn_AtOnce(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	read := func() e2e.Answer {
		return f.Execute(t, session, "github_list_issues", object{"owner": "acme", "repo": "billing"}, nil)
	}
	for _, path := range []string{"/v1/switches", "/v1/tenants/acme/switches"} {
		f.Back(t, "PUT", path, object{"connectors": []string{"github"}, "reason": "incident"}).Want(t, 200)
		if a := read().WantCode(t, "policy_denied"); a.Text("reason") != "switched_off" {
			t.Errorf("%s: %s", path, a.Body)
		}
		f.Do(t, e2e.Request{Method: "GET", Path: "/v1/proxy/github/user", Token: session}).WantCode(t, "policy_denied")
		f.Back(t, "PUT", path, object{}).Want(t, 200)
		read().Want(t, 200)
	}
	key := f.Back(t, "POST", "/v1/api-keys", object{"name": "one tenant", "tenant": "acme", "permissions": []string{"*"}}).Want(t, 201).Text("key")
	f.Do(t, e2e.Request{Method: "PUT", Path: "/v1/switches", Token: key, Body: object{}}).WantCode(t, "forbidden")
	f.Do(t, e2e.Request{Method: "PUT", Path: "/v1/tenants/acme/switches", Token: key, Body: object{"tenant": true}}).Want(t, 200)
	read().WantCode(t, "policy_denied")
}

func TestBudget_OverTheAPI_RateLimited(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	for _, per := range []string{"tenant", "principal", "agent"} {
		f.Back(t, "PUT", "/v1/tenants/acme/policy", object{"budgets": []object{{"id": "b-" + per, "per": per, "limit": 1, "window_seconds": 2678400}}}).Want(t, 200)
		f.Execute(t, session, "github_get_authenticated_user", object{}, nil).Want(t, 200)
		if a := f.Execute(t, session, "github_get_authenticated_user", object{}, nil).WantCode(t, "rate_limited"); a.Text("budget") != "b-"+per || a.JSON["retry_after"] == nil {
			t.Errorf("%s", a.Body)
		}
	}
}

func TestApproval_Required_SaysHow(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	f.Back(t, "PUT", "/v1/tenants/acme/policy", object{"rules": []object{{"id": "four-eyes", "effect": "require_approval", "when": object{"effects": []string{"write"}}}}}).Want(t, 200)
	a := f.Execute(t, session, "github_create_issue", issue("x"), nil).WantCode(t, "approval_required")
	if a.Text("approval_id") == "" || a.Text("approve.path") == "" {
		t.Errorf("%s", a.Body)
	}
	if posts(t, f, "github") != 0 {
		t.Error("it was sent")
	}
}
