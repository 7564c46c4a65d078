package portal

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/webpage"
	"behalf.dev/behalf/shared/workspace"
)

// How long a link waits to be opened, and how long the visit behind it lasts.
const (
	linkLife  = 10 * time.Minute
	visitLife = 30 * time.Minute
)

type portalLinkBody struct {
	Tenant    string `json:"tenant"`
	Principal string `json:"principal"`
	ReturnURL string `json:"return_url"`
}

func (f *Function) createLink(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	var b portalLinkBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	s, err := scopeOf(b.Tenant, b.Principal, by)
	if err != nil {
		return nil, err
	}
	db, err := f.db(ctx, s)
	if err != nil {
		return nil, err
	}
	t, err := db.LiveTenant(ctx, s.Tenant)
	if err != nil {
		return nil, err
	}
	if b.ReturnURL != "" {
		if err := oauthflow.CheckListedURL("/return_url", b.ReturnURL, t.ReturnURLs); err != nil {
			return nil, err
		}
	}
	if err := f.present(ctx, db, s); err != nil {
		return nil, err
	}
	token := s.Tenant.Tag() + "." + f.deps.IDs.Secret()
	v, err := db.PutVisit(ctx, digest(token), dynamo.Visit{Scope: s, ReturnURL: b.ReturnURL, Expires: f.deps.Now().Add(linkLife)})
	if err != nil {
		return nil, err
	}
	if err := db.Record(ctx, audit.Record{ID: f.deps.IDs.New("aud"), Kind: audit.PortalLinkCreated, Time: f.deps.Now(), Tenant: s.Tenant, Principal: string(s.Principal), By: by.KeyID, Outcome: "succeeded"}); err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusCreated, map[string]any{"tenant": s.Tenant, "principal": s.Principal, "return_url": b.ReturnURL, "url": f.public + "/portal/" + token, "expires_at": v.Expires.UTC().Format(time.RFC3339)})
}

// present fails for somebody whom the directory suspended.
func (f *Function) present(ctx context.Context, db *dynamo.DB, s tenant.Scope) error {
	suspended, err := db.Suspended(ctx, s)
	if err == nil && suspended {
		err = fault.New(fault.Revoked, "the directory suspended this principal")
	}
	return err
}

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// find reads the visit behind a secret.
func (f *Function) find(ctx context.Context, token string) (*dynamo.DB, dynamo.Visit, error) {
	t, err := oauthflow.TenantOf(token)
	if err != nil {
		return nil, dynamo.Visit{}, err
	}
	db, err := f.db(ctx, tenant.Scope{Tenant: t, Principal: nobody})
	if err != nil {
		return nil, dynamo.Visit{}, err
	}
	v, err := db.Visit(ctx, t, digest(token))
	return db, v, err
}

// enter uses a link up and begins a visit in this browser. The visit has a secret of its own, so that the address, which stays
// in histories, opens nothing any more. Opening it again in the same browser leads to the visit that it began.
func (f *Function) enter(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	if strings.Contains(r.Header("Sec-Purpose"), "prefetch") || strings.Contains(r.Header("Purpose"), "prefetch") {
		return nil, fault.New(fault.Forbidden, "this link opens once, and not ahead of time")
	}
	token, err := r.Path("link")
	if err != nil {
		return nil, err
	}
	db, v, err := f.find(ctx, token)
	if err != nil {
		return nil, err
	}
	if v.Guard != "" { // the secret of a visit is no link
		return nil, fault.New(fault.NotFound, "this link does not exist or has expired; ask for a new one")
	}
	if v.Opened {
		if own, err := f.visiting(ctx, r); err == nil && own.Scope == v.Scope {
			return webpage.SeeOther(f.public + "/portal"), nil
		}
		return nil, f.knowing(ctx, db, v, fault.New(fault.Conflict, "this link was already opened; each opens once").With("reason", "link_used"))
	}
	if !f.deps.Now().Before(v.Expires) {
		return nil, f.knowing(ctx, db, v, fault.New(fault.NotFound, "this link has expired").With("reason", "link_expired"))
	}
	v.Opened = true
	if _, err := db.PutVisit(ctx, digest(token), v); err != nil {
		return nil, err
	}
	secret := v.Tenant.Tag() + "." + f.deps.IDs.Secret()
	_, err = db.PutVisit(ctx, digest(secret), dynamo.Visit{Scope: v.Scope, ReturnURL: v.ReturnURL, Guard: f.deps.IDs.Secret(), Expires: f.deps.Now().Add(visitLife)})
	if err != nil {
		return nil, err
	}
	res := webpage.SeeOther(f.public + "/portal")
	res.Header.Set("Set-Cookie", f.cookie(secret, int(visitLife.Seconds())).String())
	return res, nil
}

func (f *Function) secure() bool { return strings.HasPrefix(f.public, "https://") }

// cookieName is bound to our host, the whole path and TLS by its prefix (RFC 6265bis, section 4.1.3.2); plain HTTP exists only
// on the local stack, where browsers refuse that prefix.
func (f *Function) cookieName() string {
	if f.secure() {
		return "__Host-behalf_portal"
	}
	return "behalf_portal"
}

// visiting is the visit that this browser is in.
func (f *Function) visiting(ctx context.Context, r *apigw.Request) (dynamo.Visit, error) {
	none := fault.New(fault.Unauthenticated, "nobody is signed in here").With("reason", "not_signed_in")
	cookie := r.Cookie(f.cookieName())
	if cookie == "" {
		return dynamo.Visit{}, none
	}
	db, v, err := f.find(ctx, cookie)
	if fault.Is(err, fault.NotFound) || err == nil && v.Guard == "" {
		return dynamo.Visit{}, none
	}
	if err != nil {
		return dynamo.Visit{}, err
	}
	if !f.deps.Now().Before(v.Expires) {
		return v, f.knowing(ctx, db, v, fault.New(fault.Unauthenticated, "this visit has ended").With("reason", "portal_expired"))
	}
	return v, nil
}

// room is where a visitor's request is answered: the store under the visitor's own credentials, and the tenant's looks.
type room struct {
	dynamo.Visit
	db    *dynamo.DB
	brand webpage.Brand
}

// admit lets a visitor in, while tenant and principal are what they were.
func (f *Function) admit(ctx context.Context, r *apigw.Request) (room, error) {
	if err := r.Only(); err != nil {
		return room{}, err
	}
	v, err := f.visiting(ctx, r)
	if err != nil {
		return room{}, err
	}
	db, err := f.db(ctx, v.Scope)
	if err != nil {
		return room{}, err
	}
	if err := f.present(ctx, db, v.Scope); err != nil {
		return room{}, f.knowing(ctx, db, v, err)
	}
	b, err := brand(ctx, db, v.Tenant)
	return room{v, db, b}, err
}

// knowing adds to an error where the person came from.
func (f *Function) knowing(ctx context.Context, db *dynamo.DB, v dynamo.Visit, err error) error {
	failed := &webpage.Failed{Err: err, Back: v.ReturnURL}
	if b, berr := brand(ctx, db, v.Tenant); berr == nil {
		failed.Brand = b
	}
	return failed
}

func brand(ctx context.Context, db *dynamo.DB, id tenant.ID) (webpage.Brand, error) {
	t, err := db.LiveTenant(ctx, id)
	if err != nil {
		return webpage.Brand{}, err
	}
	return workspace.Brand(ctx, db, t)
}

// guarded fails on a form that this visit did not show: the token is the visit's own, and browsers name the sender's site.
func (v room) guarded(r *apigw.Request, given string) error {
	if err := r.SameSite(); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(v.Guard)) != 1 {
		return fault.New(fault.Forbidden, "this form does not belong to this visit").With("reason", "form_expired")
	}
	return nil
}

// scopeOf is the person that a body names, if the caller may name people of that tenant.
func scopeOf(tenantText, principalText string, by authn.Caller) (s tenant.Scope, err error) {
	if s.Tenant, err = tenant.Parse("/tenant", tenantText); err != nil {
		return s, err
	}
	if s.Principal, err = tenant.ParsePrincipal("/principal", principalText); err != nil {
		return s, err
	}
	return s, by.MayTouch(s.Tenant)
}
