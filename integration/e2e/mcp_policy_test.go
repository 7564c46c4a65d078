package e2e_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
)

// Over MCP a refusal must say in its text what refused, and what the model is to do, in both revisions.
func TestMCPPolicy_EachRefusal_IsSaidInText(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		f.Connect(t, "acme", "user_alice", "github", "alice", nil)
		alice := as(f.Session(t, "acme", "user_alice", nil))
		write := func() e2e.ToolResult { return f.CallMCP(t, alice, "github_create_issue", issue("x"), nil) }
		policy := func(p object) { f.Back(t, "PUT", "/v1/tenants/acme/policy", p).Want(t, 200) }

		policy(object{"rules": []object{{"id": "ro", "effect": "deny", "when": object{"effects": []string{"write"}}, "reason": "read only today"}}})
		wantFailure(t, write(), "policy_denied", "read only today", "Rule: ro", "do not repeat")
		for _, n := range toolNames(t, f, alice) {
			if n == "github_create_issue" {
				t.Error("a tool that a rule denies is listed")
			}
		}
		policy(object{"cedar": `permit(principal, action, resource) when { context.input.owner == "globex" };`})
		wantFailure(t, write(), "policy_denied", "do not repeat")
		policy(object{"budgets": []object{{"id": "few", "per": "agent", "limit": 0, "window_seconds": 60}}})
		wantFailure(t, write(), "rate_limited", `"few"`, "seconds and make the same call again")
		policy(object{"budgets": []object{{"id": "monthly", "per": "agent", "limit": 0, "window_seconds": 2678400}}})
		if res := write(); strings.Contains(res.Text, "What to do: wait") { // nobody waits for weeks
			t.Errorf("%s", res.Text)
		} else {
			wantFailure(t, res, "rate_limited", "stop, and tell the user")
		}
		policy(object{})
		for _, off := range []object{{"tools": []string{"github_create_issue"}}, {"connectors": []string{"github"}}, {"agents": []string{"e2e"}}, {"tenant": true}} {
			off["reason"] = "incident 7"
			for _, path := range []string{"/v1/switches", "/v1/tenants/acme/switches"} {
				f.Back(t, "PUT", path, off).Want(t, 200)
				wantFailure(t, write(), "policy_denied", "switched_off", "incident 7")
				f.Back(t, "PUT", path, object{}).Want(t, 200)
			}
		}
		if n := posts(t, f, "github"); n != 0 {
			t.Errorf("%d writes reached the provider", n)
		}
		if res := write(); res.IsError {
			t.Errorf("%+v", res)
		}
	})
}

// A model needs no ticket: it makes the same call again, and the approval is found by what was called. Order and spelling of the
// arguments' JSON do not matter, other values do.
func TestMCPApproval_ModelCallsAgain_PassesOnce(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		f.Connect(t, "acme", "user_alice", "github", "alice", nil)
		alice := as(f.Session(t, "acme", "user_alice", nil))
		f.Back(t, "PUT", "/v1/tenants/acme/policy", object{"rules": []object{{"id": "four-eyes", "effect": "require_approval", "when": object{"effects": []string{"write"}}, "reason": "writes are looked at"}}}).Want(t, 200)
		write := func(r e2e.RPC, title string) e2e.ToolResult {
			return f.CallMCP(t, r, "github_create_issue", issue(title), nil)
		}
		res := write(alice, "x")
		approve, _ := res.Structured["approve"].(object)
		path, _ := approve["path"].(string)
		wantFailure(t, res, "approval_required", "writes are looked at", "Rule: four-eyes", "POST "+f.URL+path, "make the same call again", "stop, and tell the user")
		wantFailure(t, write(alice, "x"), "approval_required") // a model that does not stop gets no further

		link := f.Back(t, "POST", path, object{"approver": "carol"}).Want(t, 201).Text("url")
		if !strings.HasPrefix(link, f.URL+"/approve/") {
			t.Fatalf("the link is %q", link)
		}
		f.Back(t, "POST", strings.TrimSuffix(path, "/link")+"/decision", object{"decision": "approve", "approver": "carol"}).Want(t, 200)

		wantFailure(t, write(alice, "y"), "approval_required")                                                            // other arguments
		wantFailure(t, write(as(f.Session(t, "acme", "user_alice", object{"agent": "other"})), "x"), "approval_required") // another agent
		again := as(f.Session(t, "acme", "user_alice", nil))                                                              // the run goes on in a session of its own, an hour later
		if res := write(again, "x"); res.IsError {
			t.Fatalf("%+v", res)
		}
		wantFailure(t, write(again, "x"), "approval_required") // once
		if n := posts(t, f, "github"); n != 1 {
			t.Errorf("%d writes", n)
		}
	})
}

func TestMCPApproval_Refused_TheModelIsToldToStop(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		f.Connect(t, "acme", "user_alice", "github", "alice", nil)
		alice := as(f.Session(t, "acme", "user_alice", nil))
		f.Back(t, "PUT", "/v1/tenants/acme/policy", object{"rules": []object{{"id": "four-eyes", "effect": "require_approval"}}}).Want(t, 200)
		call := func() e2e.ToolResult { return f.CallMCP(t, alice, "github_create_issue", issue("x"), nil) }
		res := call()
		path, _ := res.Structured["approve"].(object)["path"].(string)
		f.Back(t, "POST", strings.TrimSuffix(path, "/link")+"/decision", object{"decision": "refuse", "approver": "carol"}).Want(t, 200)
		wantFailure(t, call(), "policy_denied", "a person refused this call", "do not repeat the call")
	})
}

// What the trail says of the same tool called in each way.
func TestAudit_EachChannel_IsOnRecord(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	f.Back(t, "PUT", "/v1/tenants/acme/mcp-views/support", object{"connectors": []string{"github"}}).Want(t, 201)
	const tool = "github_get_authenticated_user"
	agent := http.Header{"User-Agent": {"bot/1.0\t(é)"}}
	send := func(path string, body object) {
		t.Helper()
		f.Do(t, e2e.Request{Method: "POST", Path: path, Token: session, Body: body, Header: agent}).Want(t, 200)
	}
	send("/v1/execute", object{"tool": tool})
	send("/v1/execute/batch", object{"calls": []object{{"tool": tool}}})
	f.Do(t, e2e.Request{Method: "GET", Path: "/v1/proxy/github/user", Token: session, Header: agent}).Want(t, 200)
	f.CallMCP(t, e2e.RPC{Token: session, Revision: e2e.Revision2026, Header: agent}, tool, nil, nil)
	f.CallMCP(t, e2e.RPC{Token: session, Revision: e2e.Revision2025, Header: agent, Path: "/mcp/support"}, tool, nil, nil)

	got := f.Audit(t, "acme", "kind=execution.outcome") // newest first
	want := []object{{"channel": "mcp", "mcp_view": "support", "client": "bot/1.0 ( )"}, {"channel": "mcp", "mcp_view": nil, "client": "e2e/1"},
		{"channel": "proxy", "client": "bot/1.0 ( )"}, {"channel": "batch", "client": "bot/1.0 ( )"}, {"channel": "http", "client": "bot/1.0 ( )"}}
	if len(got) != len(want) {
		t.Fatalf("%d outcomes", len(got))
	}
	for i, w := range want {
		for k, v := range w {
			if got[i][k] != v || got[i]["agent"] != "e2e" || got[i]["format"] != 1.0 {
				t.Errorf("record %d: %s is %v, want %v", i, k, got[i][k], v)
			}
		}
	}
	id, _ := got[1]["execution_id"].(string)
	if a := f.Do(t, e2e.Request{Method: "GET", Path: "/v1/executions/" + id, Token: session}).Want(t, 200); a.Text("channel") != "mcp" {
		t.Errorf("%s", a.Body)
	}
}

// "At once": no call that begins after the switch was answered gets through, however many are under way, over HTTP and MCP.
func TestSwitches_UnderLoad_NoCallAfterTheAnswer(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	const tool, callers, each = "github_get_authenticated_user", 8, 3
	overHTTP := func() bool {
		a, err := f.TryExecute(session, tool, object{}, nil)
		return err == nil && a.Status == 200
	}
	overMCP := func() bool {
		a, err := f.TryMCP(e2e.RPC{Token: session, Revision: e2e.Revision2026, Method: "tools/call", Params: object{"name": tool, "arguments": object{}}})
		return err == nil && strings.Contains(a.Body, `"login"`)
	}
	var off atomic.Bool
	var late, before atomic.Int64
	var warm, all sync.WaitGroup
	warm.Add(callers)
	for i := range callers {
		all.Go(func() {
			call := overHTTP
			if i%2 == 0 {
				call = overMCP
			}
			for n, after := 0, 0; after < each; n++ {
				if n == each {
					warm.Done()
				}
				begunAfter := off.Load()
				through := call()
				switch {
				case begunAfter:
					after++
					if through {
						late.Add(1)
					}
				case through:
					before.Add(1)
				}
			}
		})
	}
	warm.Wait()
	began := time.Now()
	f.Back(t, "PUT", "/v1/tenants/acme/switches", object{"connectors": []string{"github"}}).Want(t, 200)
	off.Store(true)
	answered := time.Since(began)
	f.Execute(t, session, tool, object{}, nil).WantCode(t, "policy_denied")
	first := time.Since(began)
	all.Wait()
	if late.Load() > 0 || before.Load() < callers*each {
		t.Errorf("%d calls got through that began after the switch was answered; %d before", late.Load(), before.Load())
	}
	t.Logf("answered after %v with %d callers at work; the next call was refused %v after the switch was sent", answered, callers, first)
}

// Revision 2026-07-28 requires resultType of every result, of those too that are failures; before it there was no such member.
func TestMCP_ResultType_IsOfItsRevision(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		f.Connect(t, "acme", "user_alice", "github", "alice", nil)
		r := as(f.Session(t, "acme", "user_alice", nil))
		for tool, failed := range map[string]any{"github_get_authenticated_user": nil, "slack_auth_test": true} {
			r.Method, r.Params = "tools/call", object{"name": tool, "arguments": object{}}
			res, _ := f.MCP(t, r).Want(t, 200).JSON["result"].(object)
			var want any
			if r.Revision == e2e.Revision2026 {
				want = "complete"
			}
			if res["resultType"] != want || res["isError"] != failed {
				t.Errorf("%s: %v", tool, res)
			}
		}
	})
}
