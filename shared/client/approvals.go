package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Approval is one call that a person must agree to before it is made.
type Approval struct {
	ID        string `json:"id"`
	Tenant    string `json:"tenant"`
	Principal string `json:"principal"`
	// Status is pending, approved, refused, used or expired.
	Status       string    `json:"status"`
	Connector    string    `json:"connector"`
	Tool         string    `json:"tool"`
	Effect       string    `json:"effect"`
	ConnectionID string    `json:"connection_id"`
	Agent        string    `json:"agent,omitempty"`
	RunID        string    `json:"run_id,omitempty"`
	SessionID    string    `json:"session_id"`
	Rule         string    `json:"rule"`
	Reason       string    `json:"reason,omitempty"`
	RequestedAt  time.Time `json:"requested_at"`
	ExpiresAt    time.Time `json:"expires_at"`
	Approver     string    `json:"approver,omitempty"`
	Note         string    `json:"note,omitempty"`
	DecidedAt    time.Time `json:"decided_at,omitzero"`
	ExecutionID  string    `json:"execution_id,omitempty"`
	// Input are the arguments of the call; only Client.Approval has them.
	Input json.RawMessage `json:"input,omitempty"`
}

// ApprovalPage is part of a list. Cursor is empty on the last one.
type ApprovalPage struct {
	Approvals []Approval `json:"approvals"`
	Cursor    string     `json:"cursor,omitempty"`
}

// ApprovalDecision is a person's answer.
type ApprovalDecision struct {
	// Decision is "approve" or "refuse".
	Decision string `json:"decision"`
	// Approver is who decided, as the SaaS knows them; at most 200 bytes.
	Approver string `json:"approver"`
	// Note is theirs; at most 1000 bytes.
	Note string `json:"note,omitempty"`
	// RequestedAt is that of the Approval that the person was shown; another request for the same call is then left alone.
	RequestedAt time.Time `json:"requested_at,omitzero"`
}

// ApprovalLink is a one-time address of the page where one approver decides. Do not log URL.
type ApprovalLink struct {
	URL        string    `json:"url"`
	ApprovalID string    `json:"approval_id"`
	Approver   string    `json:"approver"`
	ExpiresAt  time.Time `json:"expires_at"`
}

const approvalsRoute = "/v1/tenants/{tenant}/principals/{principal}/approvals"

// Approvals reads one page of a principal's approvals, those of one status if status is not empty. Their order means nothing.
func (c *Client) Approvals(ctx context.Context, tenant, principal, status string, p Page) (ApprovalPage, error) {
	return get[ApprovalPage](ctx, c, call{method: http.MethodGet, route: approvalsRoute, params: []string{tenant, principal}, query: p.query("status", status)})
}

// Approval reads one approval with the arguments of its call; fault.NotFound.
func (c *Client) Approval(ctx context.Context, tenant, principal, id string) (Approval, error) {
	return get[Approval](ctx, c, call{method: http.MethodGet, route: approvalsRoute + "/{approval}", params: []string{tenant, principal, id}})
}

// DecideApproval brings a person's answer. fault.Conflict: there is nothing to decide any more.
func (c *Client) DecideApproval(ctx context.Context, tenant, principal, id string, d ApprovalDecision) (Approval, error) {
	return get[Approval](ctx, c, call{method: http.MethodPost, route: approvalsRoute + "/{approval}/decision", params: []string{tenant, principal, id}, body: d})
}

// CreateApprovalLink makes a link for one approver to a pending approval.
func (c *Client) CreateApprovalLink(ctx context.Context, tenant, principal, id, approver string) (ApprovalLink, error) {
	body := struct {
		Approver string `json:"approver"`
	}{approver}
	return get[ApprovalLink](ctx, c, call{method: http.MethodPost, route: approvalsRoute + "/{approval}/link", params: []string{tenant, principal, id}, body: body})
}
