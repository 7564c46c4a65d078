package client

import (
	"context"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/secret"
)

// Key is an API key or SCIM token without its text.
type Key struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Tenant is the tenant that the key belongs or is limited to; empty for the whole deployment.
	Tenant      string    `json:"tenant,omitempty"`
	Permissions []string  `json:"permissions,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	// ExpiresAt is zero for a key without an end.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// NewKey is a key that was just made. Text is the credential: it cannot be read again.
type NewKey struct {
	ID        string
	Name      string
	CreatedAt time.Time
	Text      secret.Text
}

// APIKeyRequest asks for an API key.
type APIKeyRequest struct {
	// Name says what the key is for.
	Name        string   `json:"name"`
	Permissions []string `json:"permissions"`
	// Tenant limits the key to one tenant; empty: it reaches as far as the key that makes it.
	Tenant string `json:"tenant,omitempty"`
}

func (c *Client) newKey(ctx context.Context, k call) (NewKey, error) {
	var out struct {
		ID        string    `json:"id"`
		Name      string    `json:"name"`
		CreatedAt time.Time `json:"created_at"`
		Key       string    `json:"key"`
		Token     string    `json:"token"`
	}
	err := c.do(ctx, k, &out)
	return NewKey{out.ID, out.Name, out.CreatedAt, secret.FromString(out.Key + out.Token)}, err // one of the two is there
}

// CreateAPIKey makes an API key.
func (c *Client) CreateAPIKey(ctx context.Context, r APIKeyRequest) (NewKey, error) {
	return c.newKey(ctx, call{method: http.MethodPost, route: "/v1/api-keys", body: r})
}

// APIKeys lists the API keys that the caller may see.
func (c *Client) APIKeys(ctx context.Context) ([]Key, error) {
	out, err := get[struct {
		Keys []Key `json:"keys"`
	}](ctx, c, call{method: http.MethodGet, route: "/v1/api-keys"})
	return out.Keys, err
}

// DeleteAPIKey ends an API key, by its ID.
func (c *Client) DeleteAPIKey(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, route: "/v1/api-keys/{key}", params: []string{id}}, nil)
}

// CreateSCIMToken makes a token for the tenant's identity provider. name may be empty.
func (c *Client) CreateSCIMToken(ctx context.Context, tenant, name string) (NewKey, error) {
	body := struct {
		Name string `json:"name,omitempty"`
	}{name}
	return c.newKey(ctx, call{method: http.MethodPost, route: "/v1/tenants/{tenant}/scim-tokens", params: []string{tenant}, body: body})
}

// SCIMTokens lists the tenant's SCIM tokens.
func (c *Client) SCIMTokens(ctx context.Context, tenant string) ([]Key, error) {
	out, err := get[struct {
		Tokens []Key `json:"scim_tokens"`
	}](ctx, c, call{method: http.MethodGet, route: "/v1/tenants/{tenant}/scim-tokens", params: []string{tenant}})
	return out.Tokens, err
}

// DeleteSCIMToken ends a SCIM token, by its ID.
func (c *Client) DeleteSCIMToken(ctx context.Context, tenant, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, route: "/v1/tenants/{tenant}/scim-tokens/{token}", params: []string{tenant, id}}, nil)
}
