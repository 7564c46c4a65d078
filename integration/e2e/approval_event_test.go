package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/webhook"
)

// told reads what a receiver was told about approvals, in the order of its arrival.
func told(t *testing.T, f *e2e.Fixture, r *e2e.Receiver, secret string) (types []events.Type, out []events.Approval) {
	t.Helper()
	f.Settle(t)
	for _, h := range r.Hooks() {
		if err := webhook.Verify(h.Header, h.Body, f.Clock.Now(), secret); err != nil {
			t.Fatal(err)
		}
		var b struct {
			Type events.Type
			Data events.Approval
		}
		if err := json.Unmarshal(h.Body, &b); err != nil {
			t.Fatal(err)
		}
		types, out = append(types, b.Type), append(out, b.Data)
		if strings.Contains(string(h.Body), "billing") {
			t.Errorf("the arguments are in the event: %s", h.Body)
		}
	}
	return types, out
}

func TestApprovalEvents_OncePerAsking_AndWhatWasDecided(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	r, foreign := e2e.NewReceiver(t), e2e.NewReceiver(t)
	_, secret := f.Webhook(t, r, []string{"approval.requested", "approval.decided"}, e2e.Object{"tenant": "acme"})
	f.Webhook(t, foreign, []string{"*"}, e2e.Object{"tenant": "globex"})
	f.Back(t, "PUT", "/v1/tenants/acme/policy", object{"rules": []object{{"id": "four-eyes", "effect": "require_approval", "when": object{"effects": []string{"write"}}}}}).Want(t, 200)
	write := func() e2e.Answer { return f.Execute(t, session, "github_create_issue", issue("x"), nil) }

	asked := write().WantCode(t, "approval_required")
	write().WantCode(t, "approval_required") // an agent that does not wait: nobody is told twice
	path := strings.TrimSuffix(asked.Text("approve.path"), "/link")
	types, got := told(t, f, r, secret)
	if len(got) != 1 || types[0] != events.ApprovalRequested {
		t.Fatalf("%v %+v", types, got)
	}
	shown := f.Back(t, "GET", path, nil).Want(t, 200)
	x := got[0]
	if x.Approval != asked.Text("approval_id") || x.RequestedAt.Format(time.RFC3339Nano) != shown.Text("requested_at") || x.Status != "pending" || x.Tenant != "acme" || x.Principal != "user_alice" ||
		x.Tool != "github_create_issue" || x.Effect != "write" || x.Agent != "e2e" || x.Rule != "four-eyes" || x.Connection == "" || x.Connector != "github" || x.Run == "" {
		t.Errorf("%+v", x)
	}
	// What the event says is enough to decide: the id, and the moment that keeps it from being taken for another asking.
	f.Back(t, "POST", path+"/decision", object{"decision": "approve", "approver": "carol", "requested_at": x.RequestedAt}).Want(t, 200)
	write().Want(t, 200)
	write().WantCode(t, "approval_required") // used up: asked anew
	f.Back(t, "POST", path+"/decision", object{"decision": "refuse", "approver": "dave"}).Want(t, 200)
	types, got = told(t, f, r, secret)
	count := map[string]int{}
	ids := map[string]bool{}
	for i, k := range types {
		count[string(k)+" "+got[i].Status+" "+got[i].Approver]++
		ids[got[i].ID] = true
	}
	if len(ids) != 4 || count["approval.requested pending "] != 2 || count["approval.decided approved carol"] != 1 || count["approval.decided refused dave"] != 1 {
		t.Errorf("%v", count)
	}
	if n := len(foreign.Hooks()); n > 0 {
		t.Errorf("another tenant was told %d times", n)
	}
}

// A decision that lost, or was about another asking, is no event.
func TestApprovalEvents_DecisionThatFails_IsNone(t *testing.T) {
	t.Parallel()
	h := hold(t)
	r := e2e.NewReceiver(t)
	_, secret := h.Webhook(t, r, []string{"approval.decided"}, nil)
	h.Back(t, "POST", h.path+"/decision", object{"decision": "approve", "approver": "carol", "requested_at": "2026-01-01T00:00:00Z"}).WantCode(t, "conflict")
	h.decide(t, "refuse").Want(t, 200)
	h.decide(t, "approve").WantCode(t, "conflict")
	if _, got := told(t, h.Fixture, r, secret); len(got) != 1 || got[0].Status != "refused" {
		t.Errorf("%+v", got)
	}
}
