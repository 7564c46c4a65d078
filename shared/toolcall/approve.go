package toolcall

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
)

// ApprovalStatus is where an approval stands.
type ApprovalStatus string

// The statuses of an approval.
const (
	ApprovalPending ApprovalStatus = "pending"
	ApprovalGranted ApprovalStatus = "approved"
	ApprovalRefused ApprovalStatus = "refused"
	ApprovalUsed    ApprovalStatus = "used"
)

// How long an approval waits for a person, and how long the agent may then take to make the call.
const (
	approvalWait = 24 * time.Hour
	approvalTTL  = time.Hour
)

// Approval is one call that a person must agree to: this principal, this agent, this tool on this connection, with exactly
// these arguments, once. It is found by them, so an agent that was told to wait makes the same call again.
type Approval struct {
	tenant.Scope
	// ID is "apr_" and the digest of all that it is bound to.
	ID                  string
	Status              ApprovalStatus
	Connector, Tool     string
	Effect              catalog.Effect
	Connection          connection.ID
	Agent, Run, Session string
	Rule, Reason        string
	// Input are the sealed arguments, for the person to see; see ApprovalBinding.
	Input          []byte
	Asked, Expires time.Time
	// DecidedBy is whom the back end named; Note is theirs.
	DecidedBy, Note string
	Decided         time.Time
	// Execution is the call that used it.
	Execution string
	Version   uint64
}

// Approvals keeps approvals.
type Approvals interface {
	// Approval reads one strongly; fault.NotFound.
	Approval(ctx context.Context, s tenant.Scope, id string) (Approval, error)
	// PutApproval writes a if the stored version is a's (0: none stored); fault.Conflict otherwise.
	PutApproval(ctx context.Context, a Approval) (Approval, error)
}

// ApprovalBinding is what the arguments of an approval are sealed to.
func ApprovalBinding(a Approval) connection.Binding {
	return connection.Binding{Tenant: a.Tenant, Principal: a.Principal, Record: "approval:" + a.ID, Purpose: connection.AccessToken, Generation: uint64(a.Asked.Unix())}
}

// Live reports that a may still be decided or used.
func (a Approval) Live(now time.Time) bool {
	return (a.Status == ApprovalPending || a.Status == ApprovalGranted) && now.Before(a.Expires)
}

// Decide is the person's answer to a pending approval; fault.Conflict when there is nothing to decide any more.
func (a Approval) Decide(approve bool, by, note string, now time.Time) (Approval, error) {
	if a.Status != ApprovalPending || !now.Before(a.Expires) {
		return a, fault.New(fault.Conflict, "this approval is no longer pending (%s)", a.Shown(now)).With("approval_status", a.Shown(now))
	}
	a.Status, a.DecidedBy, a.Note, a.Decided = ApprovalRefused, by, note, now
	if approve {
		a.Status, a.Expires = ApprovalGranted, now.Add(approvalTTL)
	}
	return a, nil
}

// Shown is the status for people: "expired" once it is too late.
func (a Approval) Shown(now time.Time) string {
	if (a.Status == ApprovalPending || a.Status == ApprovalGranted) && !now.Before(a.Expires) {
		return "expired"
	}
	return string(a.Status)
}

func (e *Executor) approvalID(r *run) string {
	return "apr_" + digestOf(r.op.name, []any{r.bound(), r.held.ID, r.session.Agent})
}

// approved lets a call pass that a person approved, and asks for an approval otherwise. It is used up later, by use, when
// the call is about to be sent.
func (e *Executor) approved(ctx context.Context, r *run) error {
	id := e.approvalID(r)
	a, err := e.Approvals.Approval(ctx, r.session.Scope, id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return unreadable(err)
	}
	now := e.Now()
	switch {
	case a.Status == ApprovalGranted && now.Before(a.Expires):
		r.approval = a
		return nil
	case a.Status == ApprovalPending && now.Before(a.Expires):
		return e.approvalRequired(a)
	case a.Status == ApprovalRefused && now.Before(a.Expires):
		return fault.New(fault.PolicyDenied, "a person refused this call").With("reason", "approval_refused").With("approval_id", a.ID).With("rule", a.Rule)
	}
	return e.ask(ctx, r, Approval{Scope: r.session.Scope, ID: id, Version: a.Version})
}

// ask stores a pending approval, in the place of one that is over.
func (e *Executor) ask(ctx context.Context, r *run, a Approval) error {
	now := e.Now()
	a.Status, a.Connector, a.Tool, a.Effect, a.Connection = ApprovalPending, r.spec.ID, r.op.name, r.op.effect, r.held.ID
	a.Agent, a.Run, a.Session, a.Rule, a.Reason = r.session.Agent, r.session.Run, r.session.ID, r.decision.Approval, r.decision.Reason
	a.Asked, a.Expires = now, now.Add(approvalWait)
	input, err := json.Marshal(r.op.input)
	if err != nil {
		return unreadable(err)
	}
	if a.Input, err = e.Sealer.Seal(ctx, ApprovalBinding(a), secret.New(input)); err != nil {
		return unreadable(err)
	}
	_, err = e.Approvals.PutApproval(ctx, a)
	switch {
	case err == nil:
		r.asked = a.Asked
	case !fault.Is(err, fault.Conflict): // Conflict: asked at the same time
		return unreadable(err)
	}
	return e.approvalRequired(a)
}

func (e *Executor) approvalRequired(a Approval) error {
	text := "a person must approve this call first"
	if a.Reason != "" {
		text += " (" + a.Reason + ")"
	}
	path := "/v1/tenants/" + string(a.Tenant) + "/principals/" + url.PathEscape(string(a.Principal)) + "/approvals/" + a.ID
	return fault.New(fault.ApprovalRequired, "%s; once it is approved, make the same call with the same arguments again", text).
		With("approval_id", a.ID).With("rule", a.Rule).With("connector", a.Connector).With("expires_at", a.Expires.UTC().Format(time.RFC3339)).
		With("approve", map[string]any{"method": "POST", "path": path + "/link"})
}

// use takes the approval of a call that is about to be sent; of two calls, one gets it.
func (e *Executor) use(ctx context.Context, r *run) error {
	if r.approval.ID == "" {
		return nil
	}
	a := r.approval
	a.Status, a.Execution = ApprovalUsed, r.id
	_, err := e.Approvals.PutApproval(ctx, a)
	if fault.Is(err, fault.Conflict) {
		return fault.New(fault.Conflict, "the approval was used by another call at the same time").With("reason", "approval_used").With("approval_id", a.ID)
	}
	if err != nil {
		return unreadable(err)
	}
	return nil
}
