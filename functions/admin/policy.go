package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/tenant"
)

type policyBody struct {
	Default string          `json:"default"`
	Rules   []policy.Rule   `json:"rules"`
	Budgets []policy.Budget `json:"budgets"`
	Cedar   string          `json:"cedar"`
}

// policyView is a tenant's policy and its revision; 0 means that none was ever set.
type policyView struct {
	Revision uint64 `json:"revision"`
	policy.Document
}

func (f *Function) getPolicy(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	v, err := policyOf(ctx, db, t.ID)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, v)
}

func policyOf(ctx context.Context, db *dynamo.DB, t tenant.ID) (v policyView, err error) {
	if _, v.Revision, err = db.Rules(ctx, t); err == nil && v.Revision > 0 {
		v.Document, err = db.PolicyDocument(ctx, t, v.Revision)
	}
	return v, err
}

// putPolicy puts a policy in force. It is compiled first: what executions could not apply would stop them all.
func (f *Function) putPolicy(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	var b policyBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	doc := policy.Document{Default: b.Default, Rules: b.Rules, Budgets: b.Budgets, Cedar: b.Cedar}
	if _, err := policy.Compile(doc); err != nil {
		return nil, err
	}
	if err := db.Record(ctx, f.note(audit.PolicyChanged, t.ID, by)); err != nil { // before the change
		return nil, err
	}
	revision, err := db.PutPolicy(ctx, t.ID, doc)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, policyView{revision, doc})
}

type decideBody struct {
	Principal  string          `json:"principal"`
	Groups     []string        `json:"groups"`
	Agent      string          `json:"agent"`
	Tool       string          `json:"tool"`
	Connection string          `json:"connection"`
	Input      json.RawMessage `json:"input"`
	// Policy is tried in the place of the one in force.
	Policy *policyBody `json:"policy"`
}

// decision is what the policy says about a call that is not made.
type decision struct {
	Decision string   `json:"decision"`
	Rule     string   `json:"rule,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Budgets  []string `json:"budgets,omitempty"`
}

// decidePolicy tells what a policy, in force or about to be, says about a call. Nothing is counted and nobody is asked.
func (f *Function) decidePolicy(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	var b decideBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	call, err := f.hypothetical(b)
	if err != nil {
		return nil, err
	}
	v, err := policyOf(ctx, db, t.ID)
	if err != nil {
		return nil, err
	}
	if b.Policy != nil {
		v.Document = policy.Document{Default: b.Policy.Default, Rules: b.Policy.Rules, Budgets: b.Policy.Budgets, Cedar: b.Policy.Cedar}
	}
	p, err := policy.Compile(v.Document)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, shown(p.Decide(call)))
}

func (f *Function) hypothetical(b decideBody) (policy.Call, error) {
	if _, err := tenant.ParsePrincipal("/principal", b.Principal); err != nil {
		return policy.Call{}, err
	}
	spec, tool, err := f.catalog.Tool(b.Tool)
	if err != nil {
		return policy.Call{}, fault.From(err).WithField("/tool")
	}
	c := policy.Call{Principal: b.Principal, Groups: b.Groups, Agent: b.Agent, Connector: spec.ID, Tool: tool.Name, Effect: string(tool.Effect), Connection: b.Connection}
	if len(b.Input) > 0 {
		d := json.NewDecoder(bytes.NewReader(b.Input))
		d.UseNumber()
		if err := d.Decode(&c.Input); err != nil {
			return c, fault.Invalid("/input", "input is a JSON object with the tool's parameters").WithCause(err)
		}
	}
	return c, nil
}

func shown(d policy.Decision) decision {
	out := decision{Decision: "allow", Rule: d.Approval, Reason: d.Reason}
	for _, b := range d.Budgets {
		out.Budgets = append(out.Budgets, b.ID)
	}
	switch {
	case d.Denied != nil:
		out.Decision, out.Reason = "deny", d.Denied.Message
		out.Rule, _ = d.Denied.Detail["rule"].(string)
	case d.Approval != "":
		out.Decision = "require_approval"
	}
	return out
}

type switchesBody struct {
	Tenant     bool     `json:"tenant"`
	Agents     []string `json:"agents"`
	Connectors []string `json:"connectors"`
	Tools      []string `json:"tools"`
	Reason     string   `json:"reason"`
}

func (f *Function) getSwitches(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	return readSwitches(ctx, r, db, t.ID)
}

func readSwitches(ctx context.Context, r *apigw.Request, db *dynamo.DB, t tenant.ID) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	s, _, err := db.Rules(ctx, t)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, s)
}

// putSwitches replaces what is switched off for a tenant. Executions that begin after the answer obey it.
func (f *Function) putSwitches(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	return f.setSwitches(ctx, r, by, db, t.ID)
}

func (f *Function) getDeploymentSwitches(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	db, err := f.deployment(ctx, by)
	if err != nil {
		return nil, err
	}
	return readSwitches(ctx, r, db, tenant.Deployment)
}

// putDeploymentSwitches replaces what is switched off for all tenants.
func (f *Function) putDeploymentSwitches(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	db, err := f.deployment(ctx, by)
	if err != nil {
		return nil, err
	}
	return f.setSwitches(ctx, r, by, db, tenant.Deployment)
}

// deployment is the store for rows of the whole deployment, which a key of one tenant has no business with.
func (f *Function) deployment(ctx context.Context, by authn.Caller) (*dynamo.DB, error) {
	if err := by.MayTouch(tenant.Deployment); err != nil {
		return nil, err
	}
	return f.tenantDB(ctx, tenant.Deployment)
}

func (f *Function) setSwitches(ctx context.Context, r *apigw.Request, by authn.Caller, db *dynamo.DB, t tenant.ID) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	var b switchesBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	s := policy.Switches{Tenant: b.Tenant, Agents: b.Agents, Connectors: b.Connectors, Tools: b.Tools, Reason: b.Reason}
	if err := s.Check(); err != nil {
		return nil, err
	}
	if err := db.PutSwitches(ctx, t, s); err != nil {
		return nil, err
	}
	if err := db.Record(ctx, f.note(audit.SwitchesChanged, t, by)); err != nil { // after the change: stopping comes first
		return nil, err
	}
	return apigw.JSON(http.StatusOK, s)
}
