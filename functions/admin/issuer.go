package admin

import (
	"context"
	"net/http"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
)

type issuerBody struct {
	Issuer         string `json:"issuer"`
	Audience       string `json:"audience"`
	PrincipalClaim string `json:"principal_claim"`
	JWKSURI        string `json:"jwks_uri"`
}

// putIssuer sets who may say, by signed tokens, which user of the tenant a session is for. The issuer is asked for its keys
// before anything is stored: a setting that cannot work is refused now, not when the first user comes.
func (f *Function) putIssuer(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	var b issuerBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	old, err := db.Issuer(ctx, t.ID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	next, err := f.issuers.Resolve(ctx, t.ID, authn.Issuer{Issuer: b.Issuer, Audience: b.Audience, PrincipalClaim: b.PrincipalClaim, JWKSURI: b.JWKSURI})
	if err != nil {
		return nil, err
	}
	status, now := http.StatusOK, f.deps.Now().UTC()
	if next.Created, next.Updated, next.Version = old.Created, now, old.Version; old.Version == 0 {
		status, next.Created = http.StatusCreated, now
	}
	note := f.note(audit.IssuerChanged, t.ID, by)
	note.Issuer, note.Reason = next.Issuer, "issuer_set"
	if err := db.Record(ctx, note); err != nil { // before the change: it decides whom the tenant's sessions are for
		return nil, err
	}
	if err := db.PutIssuer(ctx, t.ID, next); err != nil {
		return nil, err
	}
	return apigw.JSON(status, next)
}

func (f *Function) getIssuer(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	i, err := db.Issuer(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, i)
}

// deleteIssuer ends sessions from assertions. Those that were made live out their hour at most.
func (f *Function) deleteIssuer(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	i, err := db.Issuer(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	if t.RequireAssertion { // nobody could get a session any more
		return nil, fault.New(fault.Conflict, "this tenant takes sessions from this issuer only; switch require_assertion off with PUT /v1/tenants/%s first", t.ID)
	}
	note := f.note(audit.IssuerChanged, t.ID, by)
	note.Issuer, note.Reason = i.Issuer, "issuer_deleted"
	if err := db.Record(ctx, note); err != nil {
		return nil, err
	}
	if err := db.DeleteIssuer(ctx, t.ID); err != nil {
		return nil, err
	}
	return &apigw.Response{Status: http.StatusNoContent}, nil
}
