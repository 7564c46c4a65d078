package callback

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/approval"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
	"behalf.dev/behalf/shared/workspace"
)

// approvalView is an approval for the back end. Input comes with a single one only.
type approvalView struct {
	ID         string          `json:"id"`
	Tenant     string          `json:"tenant"`
	Principal  string          `json:"principal"`
	Status     string          `json:"status"`
	Connector  string          `json:"connector"`
	Tool       string          `json:"tool"`
	Effect     string          `json:"effect"`
	Connection string          `json:"connection_id"`
	Agent      string          `json:"agent,omitempty"`
	Run        string          `json:"run_id,omitempty"`
	Session    string          `json:"session_id"`
	Rule       string          `json:"rule"`
	Reason     string          `json:"reason,omitempty"`
	Asked      time.Time       `json:"requested_at"`
	Expires    time.Time       `json:"expires_at"`
	Approver   string          `json:"approver,omitempty"`
	Note       string          `json:"note,omitempty"`
	Decided    time.Time       `json:"decided_at,omitzero"`
	Execution  string          `json:"execution_id,omitempty"`
	Input      json.RawMessage `json:"input,omitempty"`
}

func newApprovalView(a toolcall.Approval, now time.Time) approvalView {
	return approvalView{ID: a.ID, Tenant: string(a.Tenant), Principal: string(a.Principal), Status: a.Shown(now), Connector: a.Connector, Tool: a.Tool, Effect: string(a.Effect),
		Connection: string(a.Connection), Agent: a.Agent, Run: a.Run, Session: a.Session, Rule: a.Rule, Reason: a.Reason, Asked: a.Asked.UTC(), Expires: a.Expires.UTC(),
		Approver: a.DecidedBy, Note: a.Note, Decided: a.Decided, Execution: a.Execution}
}

// desk is where one principal's approvals are decided, under credentials for that principal.
func (f *Function) desk(w workspace.Workspace) *approval.Desk {
	return approval.New(approval.Deps{Approvals: w.DB, Links: w.DB, Principals: w.DB, Opener: w.Vault, Recorder: w.DB, Events: f.bus, Log: f.deps.Log, Now: f.deps.Now,
		NewID: f.deps.IDs.New, NewSecret: f.deps.IDs.Secret, PublicURL: f.public})
}

// scoped reads tenant and principal of the path, and opens their workspace. The tenant must not be deleted.
func (f *Function) scoped(ctx context.Context, r *apigw.Request, by authn.Caller) (s tenant.Scope, w workspace.Workspace, err error) {
	if s.Tenant, err = r.Tenant(by); err != nil {
		return s, w, err
	}
	p, err := r.Path("principal")
	if err != nil {
		return s, w, err
	}
	if s.Principal, err = tenant.ParsePrincipal("principal", p); err != nil {
		return s, w, err
	}
	if w, err = f.workspaceFor(ctx, s); err != nil {
		return s, w, err
	}
	_, err = w.DB.LiveTenant(ctx, s.Tenant)
	return s, w, err
}

// named is scoped, with the approval's id.
func (f *Function) named(ctx context.Context, r *apigw.Request, by authn.Caller) (s tenant.Scope, d *approval.Desk, id string, err error) {
	if err = r.Only(); err != nil {
		return s, d, id, err
	}
	if id, err = r.Path("approval"); err != nil {
		return s, d, id, err
	}
	s, w, err := f.scoped(ctx, r, by)
	return s, f.desk(w), id, err
}

func (f *Function) listApprovals(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only("status", "limit", "cursor"); err != nil {
		return nil, err
	}
	known := []string{"pending", "approved", "refused", "used", "expired"}
	status := r.Query().Get("status")
	if status != "" && !slices.Contains(known, status) {
		return nil, fault.Invalid("status", "unknown status %.40q; known are %s", status, strings.Join(known, ", "))
	}
	limit, err := r.Limit(50, 200)
	if err != nil {
		return nil, err
	}
	after, err := r.Position()
	if err != nil {
		return nil, err
	}
	s, w, err := f.scoped(ctx, r, by)
	if err != nil {
		return nil, err
	}
	out := []approvalView{}
	for {
		page, next, err := w.DB.ApprovalsOf(ctx, s, after, 100)
		if err != nil {
			return nil, err
		}
		for _, a := range page {
			v := newApprovalView(a, f.deps.Now())
			if status != "" && v.Status != status {
				continue
			}
			if len(out) == limit { // the cursor continues behind the last one that was returned
				return apigw.JSON(http.StatusOK, map[string]any{"approvals": out, "cursor": apigw.Cursor(out[limit-1].ID)})
			}
			out = append(out, v)
		}
		if after = next; after == "" {
			return apigw.JSON(http.StatusOK, map[string]any{"approvals": out})
		}
	}
}

func (f *Function) getApproval(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	s, d, id, err := f.named(ctx, r, by)
	if err != nil {
		return nil, err
	}
	a, err := d.Get(ctx, s, id)
	if err != nil {
		return nil, err
	}
	v := newApprovalView(a, f.deps.Now())
	if v.Input, err = d.Arguments(ctx, a); err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, v)
}

type decisionBody struct {
	Decision string    `json:"decision"`
	Approver string    `json:"approver"`
	Note     string    `json:"note"`
	Asked    time.Time `json:"requested_at"`
}

func (f *Function) decideApproval(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	var b decisionBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	if b.Decision != "approve" && b.Decision != "refuse" {
		return nil, fault.Invalid("/decision", "decision is approve or refuse")
	}
	if err := approval.CheckApprover("/approver", b.Approver); err != nil {
		return nil, err
	}
	if err := approval.CheckNote("/note", b.Note); err != nil {
		return nil, err
	}
	s, d, id, err := f.named(ctx, r, by)
	if err != nil {
		return nil, err
	}
	a, err := d.Decide(ctx, s, id, approval.Decision{Approve: b.Decision == "approve", Approver: b.Approver, Note: b.Note, Asked: b.Asked, By: by.KeyID})
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, newApprovalView(a, f.deps.Now()))
}

type approvalLinkBody struct {
	Approver string `json:"approver"`
}

func (f *Function) createApprovalLink(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	var b approvalLinkBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	if err := approval.CheckApprover("/approver", b.Approver); err != nil {
		return nil, err
	}
	s, d, id, err := f.named(ctx, r, by)
	if err != nil {
		return nil, err
	}
	url, l, err := d.CreateLink(ctx, s, id, b.Approver, by.KeyID)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusCreated, map[string]any{"url": url, "approval_id": l.Approval, "approver": l.Approver, "expires_at": l.Expires.UTC()})
}
