package client

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// TenantSettings is what can be set on a tenant; what is left out goes back to its default.
type TenantSettings struct {
	// Name is shown to end users on the connect page.
	Name string `json:"name,omitempty"`
	// PrincipalMapping says which SCIM attribute is the principal: externalId (the default), userName or primaryEmail.
	PrincipalMapping string `json:"principal_mapping,omitempty"`
	// ReturnURLs are the only return URLs that connect links may name; empty allows any.
	ReturnURLs []string `json:"return_urls,omitempty"`
	// RequireAssertion refuses sessions for a principal that only the caller names; it needs an issuer. nil leaves it as it is.
	RequireAssertion *bool `json:"require_assertion,omitempty"`
	// Logo is a data URL of a PNG, JPEG or WebP image of at most 64 KiB, shown on pages; empty shows none.
	Logo string `json:"logo,omitempty"`
	// Accent is the colour of buttons on pages, #rrggbb, visible on white; empty keeps Behalf's.
	Accent string `json:"accent,omitempty"`
}

// Tenant is one customer.
type Tenant struct {
	ID               string    `json:"id"`
	Name             string    `json:"name,omitempty"`
	PrincipalMapping string    `json:"principal_mapping"`
	ReturnURLs       []string  `json:"return_urls,omitempty"`
	RequireAssertion bool      `json:"require_assertion"`
	Logo             string    `json:"logo,omitempty"`
	Accent           string    `json:"accent,omitempty"`
	CreatedAt        time.Time `json:"created_at"`
	UpdatedAt        time.Time `json:"updated_at"`
	// DeletedAt is zero while the tenant lives.
	DeletedAt time.Time `json:"deleted_at,omitzero"`
}

// TenantPage is one page of tenant ids.
type TenantPage struct {
	Tenants []struct {
		ID string `json:"id"`
	} `json:"tenants"`
	// Cursor continues the list; empty at its end.
	Cursor string `json:"cursor,omitempty"`
}

// DeletedTenant reports what deleting a tenant did.
type DeletedTenant struct {
	Tenant      string              `json:"tenant"`
	Deleted     bool                `json:"deleted"`
	Connections []RevokedConnection `json:"connections"`
	// KeysDestroyed is false while a provider could not be told yet: delete again later.
	KeysDestroyed bool `json:"keys_destroyed"`
}

// PutTenant creates a tenant or replaces its settings.
func (c *Client) PutTenant(ctx context.Context, tenant string, s TenantSettings) (Tenant, error) {
	return get[Tenant](ctx, c, call{method: http.MethodPut, route: "/v1/tenants/{tenant}", params: []string{tenant}, body: s})
}

// Tenant reads a tenant; fault.NotFound when there is none or it was deleted.
func (c *Client) Tenant(ctx context.Context, tenant string) (Tenant, error) {
	return get[Tenant](ctx, c, call{method: http.MethodGet, route: "/v1/tenants/{tenant}", params: []string{tenant}})
}

// Tenants reads one page of tenants.
func (c *Client) Tenants(ctx context.Context, p Page) (TenantPage, error) {
	return get[TenantPage](ctx, c, call{method: http.MethodGet, route: "/v1/tenants", query: p.query()})
}

// AllTenants yields every tenant's id, page by page. It stops after yielding an error.
func (c *Client) AllTenants(ctx context.Context) iter.Seq2[string, error] {
	return each(func(cursor string) ([]string, string, error) {
		p, err := c.Tenants(ctx, Page{Cursor: cursor})
		ids := make([]string, len(p.Tenants))
		for i, t := range p.Tenants {
			ids[i] = t.ID
		}
		return ids, p.Cursor, err
	})
}

// DeleteTenant closes a tenant for good, revokes what it has and destroys its keys.
func (c *Client) DeleteTenant(ctx context.Context, tenant string) (DeletedTenant, error) {
	return get[DeletedTenant](ctx, c, call{method: http.MethodDelete, route: "/v1/tenants/{tenant}", params: []string{tenant}})
}

// each yields the items of all pages of a list.
func each[T any](page func(cursor string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			items, next, err := page(cursor)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, x := range items {
				if !yield(x, nil) {
					return
				}
			}
			if next == "" || next == cursor { // a list that does not advance would never end
				return
			}
			cursor = next
		}
	}
}
