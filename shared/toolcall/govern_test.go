package toolcall_test

import (
	"errors"
	"testing"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

func (w *world) policy(d policy.Document) {
	w.t.Helper()
	if _, err := w.store.PutPolicy(w.t.Context(), "acme", d); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) last() audit.Record {
	w.t.Helper()
	records, _, err := w.store.Records(w.t.Context(), "acme", dynamo.AuditPage{From: w.now.Add(-48 * time.Hour), To: w.now.Add(48 * time.Hour), Limit: 1})
	if err != nil || len(records) == 0 {
		w.t.Fatalf("no records: %v", err)
	}
	return records[0]
}

func TestSwitches_OffAtAnyLevel_NothingIsSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of tenant.ID
		s  policy.Switches
	}{
		"the tenant": {"acme", policy.Switches{Tenant: true}}, "its agent": {"acme", policy.Switches{Agents: []string{"triage-bot"}}}, "the agent behind it": {"acme", policy.Switches{Agents: []string{"planner"}}},
		"a connector everywhere": {tenant.Deployment, policy.Switches{Connectors: []string{"github"}}}, "a tool": {"acme", policy.Switches{Tools: []string{"github_create_issue"}}}, "everything": {tenant.Deployment, policy.Switches{Tenant: true}},
	} {
		w := newWorld(t)
		if err := w.store.PutSwitches(t.Context(), c.of, c.s); err != nil {
			t.Fatal(err)
		}
		run := func() error {
			_, err := w.exec.Run(t.Context(), authn.Session{ID: "sess_1", Scope: alice, Agent: "triage-bot", Actors: []string{"planner"}}, toolcall.Call{Tool: "github_create_issue", Input: []byte(`{"owner":"a","repo":"b","title":"x"}`)})
			return err
		}
		err := run()
		wantCode(t, err, fault.PolicyDenied, "switched_off")
		if len(w.sent) != 0 {
			t.Errorf("%s: %d sent", name, len(w.sent))
		}
		if err := w.store.PutSwitches(t.Context(), c.of, policy.Switches{}); err != nil {
			t.Fatal(err)
		}
		if err := run(); err != nil {
			t.Errorf("%s, on again: %v", name, err)
		}
	}
}

func TestPolicy_Denied_IsOnRecordWithItsRule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy(policy.Document{Rules: []policy.Rule{{ID: "acme-only", Effect: policy.EffectDeny, When: policy.When{Effects: []string{"write"}}, Reason: "read only"}}})
	_, err := w.create("k")
	wantCode(t, err, fault.PolicyDenied, "policy")
	if r := w.last(); r.Kind != audit.ExecutionRefused || r.Rule != "acme-only" || r.Code != "policy_denied" || len(w.sent) != 0 {
		t.Errorf("%+v", r)
	}
	w.policy(policy.Document{Cedar: `permit(principal, action, resource) when { context.input.owner == "acme" };`})
	if _, err := w.create("k"); err != nil {
		t.Errorf("the next revision is not in force: %v", err)
	}
	_, err = w.run("github_create_issue", `{"owner":"evil","repo":"b","title":"x"}`, "")
	wantCode(t, err, fault.PolicyDenied, "policy")
	_, err = w.proxy(toolcall.ProxyCall{Connector: "github", Method: "POST", Path: "x", Body: []byte(`{"owner":"acme"}`)})
	wantCode(t, err, fault.PolicyDenied, "policy_error") // a proxied request has no input.owner: what cannot be decided is denied
}

func TestPolicy_CannotBeRead_NothingIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy(policy.Document{})
	w.store.Fault = func(op string) error {
		if op == "PolicyDocument" {
			return errors.New("down")
		}
		return nil
	}
	_, err := w.create("")
	wantCode(t, err, fault.Internal, "")
	if len(w.sent) != 0 || !fault.From(err).Retryable() {
		t.Errorf("%d sent, %v", len(w.sent), err)
	}
}

func TestBudget_UsedUp_SaysWhenItBeginsAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy(policy.Document{Budgets: []policy.Budget{{ID: "two-an-hour", Per: policy.PerPrincipal, Limit: 2, WindowSeconds: 3600, When: policy.When{Effects: []string{"write"}}}}})
	for _, key := range []string{"a", "a", "b"} { // the second is a replay, and no call
		if _, err := w.create(key); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.create("c")
	wantCode(t, err, fault.RateLimited, "budget")
	if d := fault.From(err).RetryAfter; d <= 0 || d > time.Hour || len(w.sent) != 2 {
		t.Errorf("wait %v, %d sent", d, len(w.sent))
	}
	if _, err := w.run("github_get_authenticated_user", `{}`, ""); err != nil {
		t.Errorf("a read counts: %v", err)
	}
	w.now = w.now.Add(time.Hour)
	w.renew = nil
	w.policy(policy.Document{Budgets: []policy.Budget{{ID: "none", Per: policy.PerTenant, Limit: 0, WindowSeconds: 60}}})
	_, err = w.create("c")
	wantCode(t, err, fault.RateLimited, "budget")
}

func (w *world) decide(approve bool) toolcall.Approval {
	w.t.Helper()
	all, _, err := w.store.ApprovalsOf(w.t.Context(), alice, "", 10)
	if err != nil || len(all) != 1 {
		w.t.Fatalf("%d approvals, %v", len(all), err)
	}
	a, err := all[0].Decide(approve, "boss@acme", "", w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	if a, err = w.store.PutApproval(w.t.Context(), a); err != nil {
		w.t.Fatal(err)
	}
	return a
}

func TestApproval_BoundToTheArguments_UsedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy(policy.Document{Rules: []policy.Rule{{ID: "four-eyes", Effect: policy.EffectApprove, When: policy.When{Effects: []string{"write"}}}}})
	for range 2 { // asking twice is one approval
		_, err := w.create("")
		wantCode(t, err, fault.ApprovalRequired, "")
		if fault.From(err).Detail["approval_id"] == nil || fault.From(err).Detail["approve"] == nil {
			t.Errorf("no way on: %v", fault.From(err).Detail)
		}
	}
	a := w.decide(true)
	_, err := w.run("github_create_issue", `{"owner":"acme","repo":"billing","title":"another"}`, "")
	wantCode(t, err, fault.ApprovalRequired, "")
	if len(w.sent) != 0 {
		t.Fatalf("%d sent", len(w.sent))
	}
	res, err := w.create("")
	if err != nil {
		t.Fatal(err)
	}
	if r := w.last(); r.Approval != a.ID || r.ApprovedBy != "boss@acme" || r.Rule != "four-eyes" {
		t.Errorf("on record: %+v", r)
	}
	used, err := w.store.Approval(t.Context(), alice, a.ID)
	if err != nil || used.Status != toolcall.ApprovalUsed || used.Execution != res.ExecutionID {
		t.Errorf("%+v %v", used, err)
	}
	_, err = w.create("")
	wantCode(t, err, fault.ApprovalRequired, "")
	if len(w.sent) != 1 {
		t.Errorf("%d sent", len(w.sent))
	}
}

func TestApproval_RefusedOrExpired_NothingIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy(policy.Document{Rules: []policy.Rule{{ID: "four-eyes", Effect: policy.EffectApprove}}})
	_, err := w.create("")
	wantCode(t, err, fault.ApprovalRequired, "")
	w.decide(false)
	_, err = w.create("")
	wantCode(t, err, fault.PolicyDenied, "approval_refused")
	w.now = w.now.Add(25 * time.Hour)
	_, err = w.create("")
	wantCode(t, err, fault.ApprovalRequired, "")
	w.decide(true)
	w.now = w.now.Add(61 * time.Minute)
	_, err = w.create("")
	wantCode(t, err, fault.ApprovalRequired, "")
	if len(w.sent) != 0 {
		t.Errorf("%d sent", len(w.sent))
	}
}

func TestApproval_TwoCallsAtOnce_OneGetsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy(policy.Document{Rules: []policy.Rule{{ID: "four-eyes", Effect: policy.EffectApprove}}})
	_, _ = w.create("")
	w.decide(true)
	inner := false
	w.store.Fault = func(op string) error {
		if op == "PutApproval" && !inner {
			inner = true
			if _, err := w.create(""); err != nil { // overtakes between reading and using the approval
				t.Error(err)
			}
		}
		return nil
	}
	_, err := w.create("")
	wantCode(t, err, fault.Conflict, "approval_used")
	if len(w.sent) != 1 {
		t.Errorf("%d sent", len(w.sent))
	}
}
