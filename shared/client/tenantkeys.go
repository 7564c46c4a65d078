package client

import (
	"context"
	"net/http"
	"time"
)

const kmsKeyRoute = "/v1/tenants/{tenant}/kms-key"

// Deployment, in the place of a tenant, names the keys of what belongs to no tenant: the deployment-wide OAuth clients. Only
// the methods of this file take it.
const Deployment = "_deployment"

// TenantKey is one version of a tenant's keys.
type TenantKey struct {
	// Purpose is "at" (access tokens), "rt" (refresh tokens) or "cs" (client secrets).
	Purpose string `json:"purpose"`
	Version uint32 `json:"version"`
	// KMSKeyARN is the KMS key that wraps it.
	KMSKeyARN string    `json:"kms_key_arn"`
	CreatedAt time.Time `json:"created_at"`
	// Newest tells that new secrets are sealed under it.
	Newest bool `json:"newest"`
}

// TenantKeys are all versions of a tenant's keys.
type TenantKeys struct {
	Tenant string `json:"tenant"`
	// KMSKeyARN is the KMS key that wraps the newest versions; OwnKMSKey tells that the tenant brought it.
	KMSKeyARN string      `json:"kms_key_arn"`
	OwnKMSKey bool        `json:"own_kms_key"`
	Keys      []TenantKey `json:"keys"`
}

// ResealRequest asks for one step of re-sealing.
type ResealRequest struct {
	// Cursor is that of the step before; empty begins a new walk.
	Cursor string `json:"cursor,omitempty"`
	// RetireAfterSeconds is how old a version's successor must be before the version is deleted; zero means 15 days.
	RetireAfterSeconds int64 `json:"retire_after_seconds,omitempty"`
}

// RetiredKey is a version that was deleted.
type RetiredKey struct {
	Purpose   string `json:"purpose"`
	Version   uint32 `json:"version"`
	KMSKeyARN string `json:"kms_key_arn"`
}

// ResealReport is what one step of re-sealing did.
type ResealReport struct {
	// Resealed counts records that were written again, Current those that needed nothing, Skipped those that somebody else wrote
	// at that moment, Unreadable those that do not open.
	Resealed   int          `json:"resealed"`
	Current    int          `json:"current"`
	Skipped    int          `json:"skipped"`
	Unreadable int          `json:"unreadable"`
	Retired    []RetiredKey `json:"retired"`
	// Cursor continues the walk; empty at its end.
	Cursor string `json:"cursor,omitempty"`
}

// TenantKeys lists every version of a tenant's keys.
func (c *Client) TenantKeys(ctx context.Context, tenant string) (TenantKeys, error) {
	return get[TenantKeys](ctx, c, call{method: http.MethodGet, route: "/v1/tenants/{tenant}/keys", params: []string{tenant}})
}

// RotateTenantKeys makes new versions of a tenant's keys, under the same KMS key.
func (c *Client) RotateTenantKeys(ctx context.Context, tenant string) (TenantKeys, error) {
	return get[TenantKeys](ctx, c, call{method: http.MethodPost, route: "/v1/tenants/{tenant}/keys/rotate", params: []string{tenant}})
}

// ResealTenantKeys takes one step of sealing again what is under older versions; call it with the answer's Cursor until that
// is empty.
func (c *Client) ResealTenantKeys(ctx context.Context, tenant string, r ResealRequest) (ResealReport, error) {
	return get[ResealReport](ctx, c, call{method: http.MethodPost, route: "/v1/tenants/{tenant}/keys/reseal", params: []string{tenant}, body: r})
}

// PutKMSKey moves a tenant to a KMS key of its own, by ARN. It returns fault.InvalidInput, with details "role", "action" and
// "purpose", when the key's policy lacks something.
func (c *Client) PutKMSKey(ctx context.Context, tenant, arn string) (TenantKeys, error) {
	body := struct {
		ARN string `json:"kms_key_arn"`
	}{arn}
	return get[TenantKeys](ctx, c, call{method: http.MethodPut, route: kmsKeyRoute, params: []string{tenant}, body: body})
}

// DeleteKMSKey moves a tenant back to the deployment's KMS key.
func (c *Client) DeleteKMSKey(ctx context.Context, tenant string) (TenantKeys, error) {
	return get[TenantKeys](ctx, c, call{method: http.MethodDelete, route: kmsKeyRoute, params: []string{tenant}})
}
