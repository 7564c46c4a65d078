package storetest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

func rulesCycle(t *testing.T, s Store) {
	ctx := context.Background()
	_, err := s.PutTenant(ctx, dynamo.Tenant{ID: acme, Created: epoch()})
	must(t, err)
	must(t, s.PutSwitches(ctx, acme, policy.Switches{Agents: []string{"a"}}))
	must(t, s.PutSwitches(ctx, tenant.Deployment, policy.Switches{Connectors: []string{"slack"}}))
	first := policy.Document{Default: "deny", Rules: []policy.Rule{{ID: "r", Effect: policy.EffectAllow}}}
	one, err := s.PutPolicy(ctx, acme, first)
	must(t, err)
	two, err := s.PutPolicy(ctx, acme, policy.Document{})
	must(t, err)
	must(t, s.SetGroups(ctx, scope(acme, "alice"), []string{"Finance"}))
	got, err := s.PolicyDocument(ctx, acme, one)
	must(t, err)
	same(t, "the first revision", got, first)
	_, err = s.PolicyDocument(ctx, acme, two+1)
	want(t, err, fault.NotFound)
	_, err = s.PolicyDocument(ctx, other, one)
	want(t, err, fault.NotFound)
	g, err := s.Gates(ctx, scope(acme, "alice"))
	must(t, err)
	if one != 1 || two != 2 || g.Policy != 2 || len(g.Groups) != 1 || g.TenantClosed || g.Suspended {
		t.Errorf("revisions %d and %d, gates %+v", one, two, g)
	}
	off := 0
	for _, sw := range g.Switches {
		off += len(sw.Agents) + len(sw.Connectors)
	}
	if off != 2 {
		t.Errorf("switches %+v, want the tenant's and the deployment's", g.Switches)
	}
	bob, err := s.Gates(ctx, scope(other, "bob"))
	must(t, err)
	if bob.Policy != 0 || len(bob.Groups) != 0 {
		t.Errorf("another tenant has %+v", bob)
	}
	sw, revision, err := s.Rules(ctx, acme)
	must(t, err)
	if revision != 2 || len(sw.Agents) != 1 {
		t.Errorf("%+v, revision %d: a policy took the switches along", sw, revision)
	}
}

func budgets(t *testing.T, s Store) {
	ctx := context.Background()
	use := func(per policy.Per, agent string, window int64) toolcall.BudgetUse {
		return toolcall.BudgetUse{Budget: policy.Budget{ID: "b", Per: per, Limit: 2}, Agent: agent, Window: window, Ends: epoch().Add(time.Hour)}
	}
	count := func(who tenant.Scope, u toolcall.BudgetUse) bool {
		ok, err := s.CountCall(ctx, who, u)
		must(t, err)
		return ok
	}
	alice, bob := scope(acme, "alice"), scope(acme, "bob")
	for _, per := range []policy.Per{policy.PerTenant, policy.PerPrincipal, policy.PerAgent} {
		u := use(per, "x", 1)
		for call, want := range []bool{true, true, false} {
			if got := count(alice, u); got != want {
				t.Errorf("%s: call %d of a budget of 2 passes is %v", per, call+1, got)
			}
		}
		if got := count(bob, u); got != (per == policy.PerPrincipal) {
			t.Errorf("%s: bob may call is %v", per, got)
		}
		if got := count(alice, use(per, "y", 1)); got != (per == policy.PerAgent) {
			t.Errorf("%s: another agent may call is %v", per, got)
		}
		if !count(alice, use(per, "x", 2)) || !count(scope(other, "alice"), u) {
			t.Errorf("%s: the next window or another tenant has no budget", per)
		}
	}
	var passed atomic.Int64
	var all sync.WaitGroup
	u := use(policy.PerTenant, "x", 9)
	u.Limit = 5
	for range 12 {
		all.Go(func() {
			if ok, err := s.CountCall(ctx, alice, u); err == nil && ok {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	if passed.Load() != 5 {
		t.Errorf("12 at once: %d passed a budget of 5", passed.Load())
	}
}

func approvals(t *testing.T, s Store) {
	ctx := context.Background()
	a := toolcall.Approval{Scope: scope(acme, "alice"), ID: "apr_1", Status: toolcall.ApprovalPending, Tool: "github_create_issue", Connection: "conn_1", Input: []byte{1, 2}, Asked: epoch(), Expires: epoch().Add(time.Hour)}
	_, err := s.Approval(ctx, a.Scope, a.ID)
	want(t, err, fault.NotFound)
	put, err := s.PutApproval(ctx, a)
	must(t, err)
	got, err := s.Approval(ctx, a.Scope, a.ID)
	must(t, err)
	same(t, "the approval", got, put)
	_, err = s.PutApproval(ctx, a)
	want(t, err, fault.Conflict)
	put.Status = toolcall.ApprovalGranted
	_, err = s.PutApproval(ctx, put)
	must(t, err)
	_, err = s.PutApproval(ctx, put)
	want(t, err, fault.Conflict)
	_, err = s.Approval(ctx, scope(acme, "bob"), a.ID)
	want(t, err, fault.NotFound)
	for _, id := range []string{"apr_2", "apr_3"} {
		a.ID, a.Version = id, 0
		_, err = s.PutApproval(ctx, a)
		must(t, err)
	}
	var ids []string
	for after, n := "", 0; n < 5; n++ {
		page, next, err := s.ApprovalsOf(ctx, a.Scope, after, 2)
		must(t, err)
		for _, x := range page {
			ids = append(ids, x.ID)
		}
		if after = next; next == "" {
			break
		}
	}
	if len(ids) != 3 || ids[0] != "apr_1" || ids[2] != "apr_3" {
		t.Errorf("listed %v", ids)
	}
}
