package admin

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/webpage"
)

type tenantBody struct {
	Name             string   `json:"name"`
	PrincipalMapping string   `json:"principal_mapping"`
	ReturnURLs       []string `json:"return_urls"`
	// RequireAssertion unlike the rest stays as it is when it is left out: provisioning that does not know it must not switch it off.
	RequireAssertion *bool  `json:"require_assertion"`
	Logo             string `json:"logo"`
	Accent           string `json:"accent"`
}

func (b tenantBody) check() error {
	if len(b.Name) > 100 || strings.ContainsFunc(b.Name, unicode.IsControl) {
		return fault.Invalid("/name", "a name is at most 100 bytes, without control characters")
	}
	if len(b.ReturnURLs) > 100 {
		return fault.Invalid("/return_urls", "at most 100 return URLs can be listed")
	}
	known := []string{string(scim.MapExternalID), string(scim.MapUserName), string(scim.MapPrimaryEmail)}
	if b.PrincipalMapping != "" && !slices.Contains(known, b.PrincipalMapping) {
		return fault.Invalid("/principal_mapping", "principal_mapping is one of %s", strings.Join(known, ", "))
	}
	for i, u := range b.ReturnURLs {
		if err := oauthflow.CheckReturnURL("/return_urls/"+strconv.Itoa(i), u); err != nil {
			return err
		}
	}
	if err := webpage.CheckAccent("/accent", b.Accent); err != nil {
		return err
	}
	return webpage.CheckLogo("/logo", b.Logo)
}

// tenantView is a tenant as the API shows it: all that PUT takes, so that what was read can be changed and written.
type tenantView struct {
	ID               tenant.ID `json:"id"`
	Name             string    `json:"name,omitempty"`
	PrincipalMapping string    `json:"principal_mapping"`
	ReturnURLs       []string  `json:"return_urls,omitempty"`
	Logo             string    `json:"logo,omitempty"`
	Accent           string    `json:"accent,omitempty"`
	RequireAssertion bool      `json:"require_assertion"`
	Created          time.Time `json:"created_at"`
	Updated          time.Time `json:"updated_at"`
	Deleted          time.Time `json:"deleted_at,omitzero"`
}

func viewOf(t dynamo.Tenant, logo string) tenantView {
	return tenantView{t.ID, t.Name, t.PrincipalMapping, t.ReturnURLs, logo, t.Accent, t.RequireAssertion, t.Created, t.Updated, t.Deleted}
}

// putTenant creates a tenant or replaces its settings. Doing it again with the same body changes nothing.
func (f *Function) putTenant(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	id, err := r.Tenant(by)
	if err != nil {
		return nil, err
	}
	var b tenantBody
	if raw, berr := r.Body(); berr == nil && len(raw) > 0 {
		if err := r.JSON(&b); err != nil {
			return nil, err
		}
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	db, err := f.tenantDB(ctx, id)
	if err != nil {
		return nil, err
	}
	t, err := db.Tenant(ctx, id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	if !t.Deleted.IsZero() {
		return nil, dynamo.TenantDeleted(id)
	}
	return f.saveTenant(ctx, db, t, id, b, by)
}

func (f *Function) saveTenant(ctx context.Context, db *dynamo.DB, t dynamo.Tenant, id tenant.ID, b tenantBody, by authn.Caller) (*apigw.Response, error) {
	status, now := http.StatusOK, f.deps.Now().UTC()
	if t.Version == 0 {
		status, t.ID, t.Created = http.StatusCreated, id, now
	}
	if err := f.demand(ctx, db, &t, b, by); err != nil {
		return nil, err
	}
	t.Name, t.PrincipalMapping, t.ReturnURLs, t.Accent, t.HasLogo, t.Updated = b.Name, b.PrincipalMapping, b.ReturnURLs, b.Accent, b.Logo != "", now
	if t.PrincipalMapping == "" {
		t.PrincipalMapping = string(scim.MapExternalID)
	}
	if err := db.PutLogo(ctx, id, b.Logo); err != nil {
		return nil, err
	}
	saved, err := db.PutTenant(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := f.deploy.ListTenant(ctx, id, false); err != nil {
		return nil, err
	}
	if status == http.StatusCreated {
		if err := db.Record(ctx, f.note(audit.TenantCreated, id, by)); err != nil {
			return nil, err
		}
	}
	return apigw.JSON(status, viewOf(saved, b.Logo))
}

// demand switches on or off that sessions need an assertion. Like the issuer it decides whom sessions are for, so it is on record
// before it is in force.
func (f *Function) demand(ctx context.Context, db *dynamo.DB, t *dynamo.Tenant, b tenantBody, by authn.Caller) error {
	if b.RequireAssertion == nil || *b.RequireAssertion == t.RequireAssertion {
		return nil
	}
	note := f.note(audit.TenantChanged, t.ID, by)
	note.Reason = "assertion_optional"
	if *b.RequireAssertion {
		i, err := db.Issuer(ctx, t.ID)
		if fault.Is(err, fault.NotFound) {
			return fault.New(fault.Conflict, "require_assertion needs an issuer to believe; set one with PUT /v1/tenants/%s/issuer first", t.ID).WithField("/require_assertion")
		}
		if err != nil {
			return err
		}
		note.Reason, note.Issuer = "assertion_required", i.Issuer
	}
	t.RequireAssertion = *b.RequireAssertion
	return db.Record(ctx, note)
}

func (f *Function) note(kind audit.Kind, t tenant.ID, by authn.Caller) audit.Record {
	return audit.Record{ID: f.deps.IDs.New("aud"), Kind: kind, Time: f.deps.Now(), Tenant: t, By: by.KeyID, Outcome: "succeeded"}
}

func (f *Function) getTenant(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	logo := ""
	if t.HasLogo {
		if logo, err = db.Logo(ctx, t.ID); err != nil {
			return nil, err
		}
	}
	return apigw.JSON(http.StatusOK, viewOf(t, logo))
}

func (f *Function) listTenants(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only("limit", "cursor"); err != nil {
		return nil, err
	}
	limit, err := r.Limit(100, 500)
	if err != nil {
		return nil, err
	}
	after, err := r.Position()
	if err != nil {
		return nil, err
	}
	ids, next, err := f.deploy.Tenants(ctx, tenant.ID(after), limit)
	if err != nil {
		return nil, err
	}
	out := []map[string]string{}
	for _, id := range ids {
		if by.MayTouch(id) == nil {
			out = append(out, map[string]string{"id": string(id)})
		}
	}
	return apigw.JSON(http.StatusOK, list("tenants", out, string(next)))
}

// list is the body of every list: the items and, when there are more, a cursor.
func list(name string, items any, next string) map[string]any {
	out := map[string]any{name: items}
	if next != "" {
		out["cursor"] = apigw.Cursor(next)
	}
	return out
}

type deletedTenant struct {
	Tenant      tenant.ID           `json:"tenant"`
	Deleted     bool                `json:"deleted"`
	Connections []revokedConnection `json:"connections"`
	// KeysDestroyed tells that nothing sealed for the tenant can be opened again, from the tables. Point-in-time
	// recovery keeps wrapped keys for up to 35 days.
	KeysDestroyed bool `json:"keys_destroyed"`
}

// deleteTenant closes the tenant first, so that nothing starts any more; then revokes everything, then destroys the
// keys. Providers that could not be told keep their queued message, but once the keys are gone the tokens cannot be
// opened to tell them; so the keys go only when every provider has answered, and a repeated DELETE completes it.
func (f *Function) deleteTenant(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	id, err := r.Tenant(by)
	if err != nil {
		return nil, err
	}
	db, err := f.tenantDB(ctx, id)
	if err != nil {
		return nil, err
	}
	t, err := db.Tenant(ctx, id)
	if err != nil {
		return nil, err
	}
	if t.Deleted.IsZero() {
		t.Deleted = f.deps.Now().UTC()
		if _, err := db.PutTenant(ctx, t); err != nil {
			return nil, err
		}
		if err := db.Record(ctx, f.note(audit.TenantDeleted, id, by)); err != nil {
			return nil, err
		}
	}
	report, err := f.revokeTenant(ctx, db, id, by)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, report)
}

func (f *Function) revokeTenant(ctx context.Context, db *dynamo.DB, id tenant.ID, by authn.Caller) (deletedTenant, error) {
	report := deletedTenant{Tenant: id, Deleted: true, Connections: []revokedConnection{}, KeysDestroyed: true}
	var after connection.ID
	for {
		page, next, err := db.TenantConnections(ctx, id, after, 100)
		if err != nil {
			return report, err
		}
		for _, c := range page {
			done, err := f.end(ctx, db, c, "tenant_deleted", by)
			if err != nil {
				return report, err
			}
			if !c.Part() {
				report.Connections = append(report.Connections, done)
			}
			report.KeysDestroyed = report.KeysDestroyed && done.Erased
		}
		if after = next; after == "" {
			break
		}
	}
	if report.KeysDestroyed {
		if err := f.shred(ctx, db, id); err != nil {
			return report, err
		}
	}
	return report, f.deploy.ListTenant(ctx, id, true)
}

// shred removes what nothing needs any more: the tenant's own OAuth clients, its SCIM tokens, its issuer, its webhooks, and last the keys, so that
// a crash in between leaves nothing that a repeated DELETE would miss.
func (f *Function) shred(ctx context.Context, db *dynamo.DB, id tenant.ID) error {
	for _, c := range f.catalog.Connectors() {
		if err := db.DeleteClient(ctx, id, c.ID); err != nil {
			return err
		}
	}
	tokens, err := db.KeyRecords(ctx, authn.SCIMKey, id)
	if err != nil {
		return err
	}
	for _, k := range tokens {
		if err := db.DeleteKeyRecord(ctx, authn.SCIMKey, id, k.ID); err != nil {
			return err
		}
	}
	if err := db.DeleteIssuer(ctx, id); err != nil {
		return err
	}
	if err := db.DeleteEndpoints(ctx, id); err != nil {
		return err
	}
	return db.DestroyKeys(ctx, id)
}
