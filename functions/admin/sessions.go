package admin

import (
	"context"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

type sessionBody struct {
	Tenant     string   `json:"tenant"`
	Principal  string   `json:"principal"`
	Connectors []string `json:"connectors"`
	Tools      []string `json:"tools"`
	Agent      string   `json:"agent"`
	RunID      string   `json:"run_id"`
	TTL        int      `json:"ttl_seconds"`
}

// createSession mints a session token for one agent run.
func (f *Function) createSession(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	var b sessionBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	s, err := f.session(b)
	if err != nil {
		return nil, err
	}
	if err := by.MayTouch(s.Tenant); err != nil {
		return nil, err
	}
	db, err := f.tenantDB(ctx, s.Tenant)
	if err != nil {
		return nil, err
	}
	suspended, err := db.Suspended(ctx, s.Scope)
	if err != nil {
		return nil, err
	}
	if suspended {
		return nil, fault.New(fault.Revoked, "the directory deprovisioned this principal; no session is made for it").WithField("/principal").With("reason", "principal_suspended")
	}
	token, err := authn.Mint(ctx, f.signer, f.public, s, f.deps.Now())
	if err != nil {
		return nil, err
	}
	note := f.note(audit.SessionCreated, s.Tenant, by)
	note.Principal, note.Session, note.Agent, note.Run = string(s.Principal), s.ID, s.Agent, s.Run
	if err := db.Record(ctx, note); err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusCreated, map[string]any{"session_id": s.ID, "token": string(token.Reveal(reveal.Key{})), "token_type": "Bearer", "tenant": s.Tenant, "principal": s.Principal,
		"expires_at": s.Expires.UTC().Format(time.RFC3339), "expires_in": int(s.Expires.Sub(f.deps.Now()).Seconds())})
}

// session checks every field of a request; limits must name connectors and tools that exist.
func (f *Function) session(b sessionBody) (s authn.Session, err error) {
	if s.Tenant, err = tenant.Parse("/tenant", b.Tenant); err != nil {
		return s, err
	}
	if s.Principal, err = tenant.ParsePrincipal("/principal", b.Principal); err != nil {
		return s, err
	}
	if b.Agent == "" || len(b.Agent) > 100 {
		return s, fault.Invalid("/agent", "agent names the agent that will act, in 1 to 100 bytes; it appears in the audit trail")
	}
	if len(b.RunID) > 100 {
		return s, fault.Invalid("/run_id", "run_id is at most 100 bytes")
	}
	for _, c := range b.Connectors {
		if _, err := f.catalog.Connector(c); err != nil {
			return s, fault.From(err).WithField("/connectors")
		}
	}
	for _, name := range b.Tools {
		if _, _, err := f.catalog.Tool(name); err != nil {
			return s, fault.From(err).WithField("/tools")
		}
	}
	if len(b.Tools)+len(b.Connectors) > 100 {
		return s, fault.Invalid("/tools", "a session names at most 100 connectors and tools; leave them out to allow all")
	}
	ttl, err := authn.TTL("/ttl_seconds", b.TTL)
	if err != nil {
		return s, err
	}
	s.ID, s.Connectors, s.Tools, s.Agent, s.Run = f.deps.IDs.New("sess"), b.Connectors, b.Tools, b.Agent, b.RunID
	s.Expires = f.deps.Now().Add(ttl).Truncate(time.Second)
	return s, nil
}
