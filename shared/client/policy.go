package client

import (
	"context"
	"net/http"

	"behalf.dev/behalf/shared/policy"
)

// Policy is a tenant's policy and its revision; 0 means that none was ever set.
type Policy struct {
	Revision uint64 `json:"revision"`
	policy.Document
}

// Policy reads the tenant's policy.
func (c *Client) Policy(ctx context.Context, tenant string) (Policy, error) {
	return get[Policy](ctx, c, call{method: http.MethodGet, route: "/v1/tenants/{tenant}/policy", params: []string{tenant}})
}

// PutPolicy puts a policy in force, at once. fault.InvalidInput names what is wrong with it.
func (c *Client) PutPolicy(ctx context.Context, tenant string, d policy.Document) (Policy, error) {
	return get[Policy](ctx, c, call{method: http.MethodPut, route: "/v1/tenants/{tenant}/policy", params: []string{tenant}, body: d})
}

// PolicyQuestion is a call that is not made.
type PolicyQuestion struct {
	Principal  string   `json:"principal"`
	Groups     []string `json:"groups,omitempty"`
	Agent      string   `json:"agent,omitempty"`
	Tool       string   `json:"tool"`
	Connection string   `json:"connection,omitempty"`
	Input      any      `json:"input,omitempty"`
	// Policy is tried in the place of the one in force; nil asks that.
	Policy *policy.Document `json:"policy,omitempty"`
}

// PolicyDecision is what a policy says: allow, deny or require_approval.
type PolicyDecision struct {
	Decision string   `json:"decision"`
	Rule     string   `json:"rule,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Budgets  []string `json:"budgets,omitempty"`
}

// DecidePolicy asks what a policy says about a call. Nothing is called, counted or asked of anybody.
func (c *Client) DecidePolicy(ctx context.Context, tenant string, q PolicyQuestion) (PolicyDecision, error) {
	return get[PolicyDecision](ctx, c, call{method: http.MethodPost, route: "/v1/tenants/{tenant}/policy/decide", params: []string{tenant}, body: q})
}

// Switches reads what is switched off for a tenant.
func (c *Client) Switches(ctx context.Context, tenant string) (policy.Switches, error) {
	return get[policy.Switches](ctx, c, call{method: http.MethodGet, route: "/v1/tenants/{tenant}/switches", params: []string{tenant}})
}

// PutSwitches replaces what is switched off for a tenant. Executions that begin after it returns obey.
func (c *Client) PutSwitches(ctx context.Context, tenant string, s policy.Switches) (policy.Switches, error) {
	return get[policy.Switches](ctx, c, call{method: http.MethodPut, route: "/v1/tenants/{tenant}/switches", params: []string{tenant}, body: s})
}

// DeploymentSwitches reads what is switched off for all tenants.
func (c *Client) DeploymentSwitches(ctx context.Context) (policy.Switches, error) {
	return get[policy.Switches](ctx, c, call{method: http.MethodGet, route: "/v1/switches"})
}

// PutDeploymentSwitches replaces what is switched off for all tenants.
func (c *Client) PutDeploymentSwitches(ctx context.Context, s policy.Switches) (policy.Switches, error) {
	return get[policy.Switches](ctx, c, call{method: http.MethodPut, route: "/v1/switches", body: s})
}
