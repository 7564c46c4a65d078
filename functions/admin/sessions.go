package admin

import (
	"context"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

type sessionBody struct {
	Tenant           string   `json:"tenant"`
	Principal        string   `json:"principal"`
	OnBehalfOf       string   `json:"on_behalf_of"`
	SubjectToken     string   `json:"subject_token"`
	SubjectTokenType string   `json:"subject_token_type"`
	Connectors       []string `json:"connectors"`
	Tools            []string `json:"tools"`
	Agent            string   `json:"agent"`
	RunID            string   `json:"run_id"`
	TTL              int      `json:"ttl_seconds"`
}

// createSession mints a session token for one agent run: for the principal that the back end names, or for the one that a
// token of the tenant's issuer names (RFC 8693). With principal "_org" that token names on whose behalf.
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
	if s.Principal == tenant.Org && s.OnBehalfOf == "" && b.SubjectToken == "" {
		if err := by.Require("sessions:org"); err != nil {
			return nil, err
		}
	}
	note := f.note(audit.SessionCreated, s.Tenant, by)
	note.Agent, note.Run, note.VerifiedBy = s.Agent, s.Run, "api_key"
	db, t, err := f.live(ctx, s.Tenant)
	if err != nil {
		return nil, err
	}
	if b.SubjectToken == "" && t.RequireAssertion {
		return nil, f.refuse(ctx, db, note, s, assertionRequired(s))
	}
	if b.SubjectToken != "" {
		note.VerifiedBy = "oidc"
		if s, note.Issuer, err = f.subject(ctx, db, s, b); err != nil {
			return nil, f.refuse(ctx, db, note, s, err)
		}
	}
	if err := mayStart(ctx, db, s.Scope); err != nil {
		return nil, err
	}
	if user, ok := s.Behalf(); ok {
		if err := mayStart(ctx, db, user); err != nil {
			return nil, fault.From(err).WithField("/on_behalf_of")
		}
	}
	s.ID = authn.NewSessionID(f.deps.IDs, s.Scope)
	note.Principal, note.OnBehalfOf, note.Session = string(s.Principal), string(s.OnBehalfOf), s.ID
	return f.mint(ctx, db, s, note)
}

// assertionRequired says what to send to a tenant whose users are known by their issuer's tokens only.
func assertionRequired(s authn.Session) error {
	say := "send the user's signed token of its issuer as subject_token in place of principal"
	if s.Principal == tenant.Org {
		say = "send the signed token of the user on whose behalf the session acts as subject_token; a session of _org for nobody in particular has no user who could vouch for it"
	}
	return fault.New(fault.Forbidden, "this tenant takes sessions from assertions only; %s", say).WithField("/subject_token").With("reason", "assertion_required")
}

// subject completes s with the user whom the subject token names, and returns its issuer. That is the principal, or whom
// "_org" acts on behalf of. A user named beside it must be the same: the back end that names it may have mixed up two of its
// users.
func (f *Function) subject(ctx context.Context, db *dynamo.DB, s authn.Session, b sessionBody) (authn.Session, string, error) {
	i, err := db.Issuer(ctx, s.Tenant)
	if fault.Is(err, fault.NotFound) {
		err = fault.Invalid("/subject_token", "%s", fault.From(err).Message).With("reason", "no_issuer")
	}
	if err != nil {
		return s, "", err
	}
	p, err := f.issuers.Verify(ctx, s.Tenant, i, authn.Assertion{Token: secret.FromString(b.SubjectToken), Type: b.SubjectTokenType})
	if err != nil {
		return s, i.Issuer, err
	}
	user, member := &s.Principal, "principal"
	if s.Principal == tenant.Org {
		user, member = &s.OnBehalfOf, "on_behalf_of"
	}
	if *user != "" && *user != p {
		return s, i.Issuer, fault.New(fault.Forbidden, "subject_token is of another user than %s names; leave %s out, or send the token of that user", member, member).WithField("/"+member).With("reason", "principal_mismatch")
	}
	*user = p
	return s, i.Issuer, nil
}

// refuse puts on record that a session was not made, for its subject token or for want of one, and returns why. An issuer that does not answer decides
// nothing.
func (f *Function) refuse(ctx context.Context, db *dynamo.DB, note audit.Record, s authn.Session, why error) error {
	if fault.Is(why, fault.ProviderError) || fault.Is(why, fault.Internal) {
		return why
	}
	note.Kind, note.Outcome, note.Code = audit.SessionRefused, "failed", string(fault.From(why).Code)
	note.Principal, note.OnBehalfOf = string(s.Principal), string(s.OnBehalfOf)
	note.Reason, _ = fault.From(why).Detail["reason"].(string)
	if err := db.Record(ctx, note); err != nil {
		return err
	}
	return why
}

func mayStart(ctx context.Context, db *dynamo.DB, s tenant.Scope) error {
	suspended, err := db.Suspended(ctx, s)
	if err == nil && suspended {
		err = fault.New(fault.Revoked, "the directory deprovisioned this principal; no session is made for it").WithField("/principal").With("reason", "principal_suspended")
	}
	return err
}

// mint signs the token, puts the session on record and only then hands it over.
func (f *Function) mint(ctx context.Context, db *dynamo.DB, s authn.Session, note audit.Record) (*apigw.Response, error) {
	token, err := authn.Mint(ctx, f.signer, f.public, s, f.deps.Now())
	if err != nil {
		return nil, err
	}
	if err := db.Record(ctx, note); err != nil {
		return nil, err
	}
	out := map[string]any{"session_id": s.ID, "token": string(token.Reveal(reveal.Key{})), "token_type": "Bearer", "tenant": s.Tenant, "principal": s.Principal,
		"expires_at": s.Expires.UTC().Format(time.RFC3339), "expires_in": int(s.Expires.Sub(f.deps.Now()).Seconds())}
	if s.OnBehalfOf != "" {
		out["on_behalf_of"] = s.OnBehalfOf
	}
	return apigw.JSON(http.StatusCreated, out)
}

// session checks every field of a request; limits must name connectors and tools that exist.
func (f *Function) session(b sessionBody) (s authn.Session, err error) {
	if s.Tenant, err = tenant.Parse("/tenant", b.Tenant); err != nil {
		return s, err
	}
	if b.SubjectToken == "" && b.SubjectTokenType != "" {
		return s, fault.Invalid("/subject_token", "subject_token_type is given without a subject_token")
	}
	if b.SubjectToken == "" || b.Principal != "" {
		if s.Principal, err = tenant.ParsePrincipal("/principal", b.Principal); err != nil {
			return s, err
		}
	}
	if s.OnBehalfOf, err = authn.ParseBehalf("/on_behalf_of", s.Principal, b.OnBehalfOf); err != nil {
		return s, err
	}
	if err := f.checkLimits(b.Connectors, b.Tools, b.Agent, b.RunID); err != nil {
		return s, err
	}
	ttl, err := authn.TTL("/ttl_seconds", b.TTL)
	if err != nil {
		return s, err
	}
	s.Connectors, s.Tools, s.Agent, s.Run = b.Connectors, b.Tools, b.Agent, b.RunID
	s.Issued = f.deps.Now()
	s.Expires = s.Issued.Add(ttl).Truncate(time.Second)
	return s, nil
}

func (f *Function) checkLimits(connectors, tools []string, agent, run string) error {
	if agent == "" || len(agent) > 100 {
		return fault.Invalid("/agent", "agent names the agent that will act, in 1 to 100 bytes; it appears in the audit trail")
	}
	if len(run) > 100 {
		return fault.Invalid("/run_id", "run_id is at most 100 bytes")
	}
	for _, c := range connectors {
		if _, err := f.catalog.Connector(c); err != nil {
			return fault.From(err).WithField("/connectors")
		}
	}
	for _, name := range tools {
		if _, err := f.catalog.Owner(name); err != nil {
			return fault.From(err).WithField("/tools")
		}
	}
	if len(tools)+len(connectors) > 100 {
		return fault.Invalid("/tools", "a session names at most 100 connectors and tools; leave them out to allow all")
	}
	return nil
}
