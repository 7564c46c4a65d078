package admin

import (
	"context"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

type narrowBody struct {
	Connectors []string `json:"connectors"`
	Tools      []string `json:"tools"`
	Agent      string   `json:"agent"`
	RunID      string   `json:"run_id"`
	TTL        int      `json:"ttl_seconds"`
}

// narrowSession makes a session of less for a sub-agent, from the session that asks (RFC 8693: the presented token is the
// subject). It works under the session's own credentials, so it can neither read nor record for anybody else.
func (f *Function) narrowSession(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	parent, creds, err := r.Session(f.deps.Now())
	if err != nil {
		return nil, err
	}
	ctx = awslambda.With(ctx, awslambda.Fields{Session: parent.ID})
	if err := r.Only(); err != nil {
		return nil, err
	}
	var b narrowBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	child, err := f.narrowed(parent, b)
	if err != nil {
		return nil, err
	}
	db := f.open.Open(creds).DB
	gates, err := db.Gates(ctx, parent.Scope)
	if err != nil {
		return nil, err
	}
	if err := gates.Admit(parent); err != nil {
		return nil, err
	}
	return f.mint(ctx, db, child, audit.Record{ID: f.deps.IDs.New("aud"), Kind: audit.SessionNarrowed, Time: f.deps.Now(), Tenant: child.Tenant, Principal: string(child.Principal),
		OnBehalfOf: string(child.OnBehalfOf), Session: child.ID, Parents: child.Parents, Agent: child.Agent, Run: child.Run, By: parent.ID, VerifiedBy: "session", Outcome: "succeeded", RequestID: r.ID()})
}

// narrowed checks the request and derives the session.
func (f *Function) narrowed(parent authn.Session, b narrowBody) (authn.Session, error) {
	// An empty list could mean nothing or all; here the difference would be a session that may do everything.
	if b.Connectors != nil && len(b.Connectors) == 0 {
		return parent, fault.Invalid("/connectors", "name at least one connector, or leave the list out to keep this session's")
	}
	if b.Tools != nil && len(b.Tools) == 0 {
		return parent, fault.Invalid("/tools", "name at least one tool, or leave the list out to keep this session's")
	}
	if err := f.checkLimits(b.Connectors, b.Tools, b.Agent, b.RunID); err != nil {
		return parent, err
	}
	var life time.Duration
	if b.TTL != 0 {
		var err error
		if life, err = authn.TTL("/ttl_seconds", b.TTL); err != nil {
			return parent, err
		}
	}
	return parent.Narrow(authn.NewSessionID(f.deps.IDs, parent.Scope), authn.Narrower{Connectors: b.Connectors, Tools: b.Tools, Agent: b.Agent, Run: b.RunID, Life: life, ConnectorOf: f.connectorOf}, f.deps.Now())
}

func (f *Function) connectorOf(tool string) string {
	c, err := f.catalog.Owner(tool)
	if err != nil {
		return ""
	}
	return c.ID
}

// deleteSession ends a session, and all that were narrowed from it, before their time. Sessions are not stored, so the
// caller says whose it is; the audit trail names both.
func (f *Function) deleteSession(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only("tenant", "principal"); err != nil {
		return nil, err
	}
	id, err := r.Path("session")
	if err != nil {
		return nil, err
	}
	var s tenant.Scope
	if s.Tenant, err = tenant.Parse("tenant", r.Query().Get("tenant")); err != nil {
		return nil, err
	}
	if err := by.MayTouch(s.Tenant); err != nil {
		return nil, err
	}
	if s.Principal, err = tenant.ParsePrincipal("principal", r.Query().Get("principal")); err != nil {
		return nil, err
	}
	if err := authn.CheckSessionID(id, s); err != nil {
		return nil, err
	}
	db, _, err := f.live(ctx, s.Tenant)
	if err != nil {
		return nil, err
	}
	if err := f.endSession(ctx, db, s, id, by.KeyID, r); err != nil {
		return nil, err
	}
	note := f.note(audit.SessionRevoked, s.Tenant, by)
	note.Principal, note.Session = string(s.Principal), id
	if err := db.Record(ctx, note); err != nil {
		return nil, err
	}
	return &apigw.Response{Status: http.StatusNoContent}, nil
}
