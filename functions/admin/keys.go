package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// keyView is a key as it is listed: never its text.
type keyView struct {
	ID          string    `json:"id"`
	Name        string    `json:"name,omitempty"`
	Tenant      string    `json:"tenant,omitempty"`
	Permissions []string  `json:"permissions,omitempty"`
	Created     time.Time `json:"created_at"`
	Expires     time.Time `json:"expires_at,omitzero"`
}

func view(k authn.Key) keyView {
	v := keyView{ID: k.ID, Name: k.Name, Permissions: k.Permissions, Created: k.Created.UTC(), Expires: k.Expires}
	if k.Tenant != tenant.Deployment {
		v.Tenant = string(k.Tenant)
	}
	return v
}

// shownOnce is a new key with its text, the only time that the text leaves.
func shownOnce(k authn.Key, text secret.Text, field string) (*apigw.Response, error) {
	return apigw.JSON(http.StatusCreated, map[string]any{"id": k.ID, "name": k.Name, "created_at": k.Created.UTC(), field: string(text.Reveal(reveal.Key{}))})
}

type keyBody struct {
	Name        string   `json:"name"`
	Permissions []string `json:"permissions"`
	Tenant      string   `json:"tenant"`
}

// createKey makes an API key. It can hold no permission that its maker lacks, and stays within its maker's tenant.
func (f *Function) createKey(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	var b keyBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	if b.Name == "" || len(b.Name) > 100 {
		return nil, fault.Invalid("/name", "name says what the key is for, in 1 to 100 bytes")
	}
	if len(b.Permissions) == 0 {
		return nil, fault.Invalid("/permissions", "permissions lists what the key may do, of: %s", strings.Join(authn.Permissions(), ", "))
	}
	for _, p := range b.Permissions {
		if p != "*" && !slices.Contains(authn.Permissions(), p) {
			return nil, fault.Invalid("/permissions", "unknown permission %q; known are %s", p, strings.Join(authn.Permissions(), ", "))
		}
		if err := by.Require(p); err != nil {
			return nil, err
		}
	}
	owner := by.Tenant
	if b.Tenant != "" {
		t, err := tenant.Parse("/tenant", b.Tenant)
		if err != nil {
			return nil, err
		}
		if err := by.MayTouch(t); err != nil {
			return nil, err
		}
		owner = t
	}
	k, text := authn.NewKey(f.deps.IDs, authn.APIKey, owner, b.Name, b.Permissions, f.deps.Now())
	if err := f.deploy.PutKeyRecord(ctx, k); err != nil {
		return nil, err
	}
	return shownOnce(k, text, "key")
}

func (f *Function) listKeys(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	keys, err := f.deploy.KeyRecords(ctx, authn.APIKey, tenant.Deployment)
	if err != nil {
		return nil, err
	}
	out := []keyView{}
	for _, k := range keys {
		if by.MayTouch(k.Tenant) == nil {
			out = append(out, view(k))
		}
	}
	return apigw.JSON(http.StatusOK, list("keys", out, ""))
}

func (f *Function) deleteKey(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	id, err := r.Path("key")
	if err != nil {
		return nil, err
	}
	k, err := f.deploy.KeyRecord(ctx, authn.KeyRef{Kind: authn.APIKey, Tenant: tenant.Deployment, ID: id})
	if fault.Is(err, fault.Unauthenticated) {
		return nil, fault.New(fault.NotFound, "there is no API key %q", id)
	}
	if err != nil {
		return nil, err
	}
	if err := by.MayTouch(k.Tenant); err != nil {
		return nil, err
	}
	if err := f.deploy.DeleteKeyRecord(ctx, authn.APIKey, tenant.Deployment, id); err != nil {
		return nil, err
	}
	return &apigw.Response{Status: http.StatusNoContent}, nil
}

type scimTokenBody struct {
	Name string `json:"name"`
}

func (f *Function) createSCIMToken(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	var b scimTokenBody
	if raw, berr := r.Body(); berr == nil && len(raw) > 0 {
		if err := r.JSON(&b); err != nil {
			return nil, err
		}
	}
	if len(b.Name) > 100 {
		return nil, fault.Invalid("/name", "a name is at most 100 bytes")
	}
	k, text := authn.NewKey(f.deps.IDs, authn.SCIMKey, t.ID, b.Name, nil, f.deps.Now())
	if err := db.PutKeyRecord(ctx, k); err != nil {
		return nil, err
	}
	return shownOnce(k, text, "token")
}

func (f *Function) listSCIMTokens(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	keys, err := db.KeyRecords(ctx, authn.SCIMKey, t.ID)
	if err != nil {
		return nil, err
	}
	out := []keyView{}
	for _, k := range keys {
		out = append(out, view(k))
	}
	return apigw.JSON(http.StatusOK, list("scim_tokens", out, ""))
}

func (f *Function) deleteSCIMToken(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	db, t, err := f.existing(ctx, r, by)
	if err != nil {
		return nil, err
	}
	id, err := r.Path("token")
	if err != nil {
		return nil, err
	}
	if _, err := db.KeyRecord(ctx, authn.KeyRef{Kind: authn.SCIMKey, Tenant: t.ID, ID: id}); fault.Is(err, fault.Unauthenticated) {
		return nil, fault.New(fault.NotFound, "there is no SCIM token %q", id)
	} else if err != nil {
		return nil, err
	}
	if err := db.DeleteKeyRecord(ctx, authn.SCIMKey, t.ID, id); err != nil {
		return nil, err
	}
	return &apigw.Response{Status: http.StatusNoContent}, nil
}
