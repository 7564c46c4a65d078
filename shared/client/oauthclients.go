package client

import (
	"context"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

const (
	clientRoute       = "/v1/connectors/{connector}/client"
	tenantClientRoute = "/v1/tenants/{tenant}/connectors/{connector}/client"
)

// OAuthClient is a stored OAuth client without what it proves itself with.
type OAuthClient struct {
	Connector string    `json:"connector"`
	ClientID  string    `json:"client_id"`
	UpdatedAt time.Time `json:"updated_at"`
	// Params are fields of the connector that are fixed for connections made with it.
	Params map[string]string `json:"params,omitempty"`
	// RedirectURI is what to register at the provider, exactly as it is.
	RedirectURI string `json:"redirect_uri"`
	// Certificate is what the client shows when it connects, where the connector wants one.
	Certificate *ClientCertificate `json:"certificate,omitempty"`
}

// ClientCertificate tells a certificate from others, and when to replace it.
type ClientCertificate struct {
	// SHA256 is its fingerprint in hex.
	SHA256   string    `json:"sha256"`
	NotAfter time.Time `json:"not_after"`
}

// OAuthClientSettings are an OAuth client as the provider registered it: its id, and what it proves itself with.
type OAuthClientSettings struct {
	ClientID string
	// ClientSecret is of clients that send one; empty for those that sign.
	ClientSecret secret.Text
	// PrivateKey is of clients that sign (a GitHub App): a key as PEM. Others have none, and giving one is
	// fault.InvalidInput.
	PrivateKey secret.Text
	// Certificate is of clients that show one when they connect: PEM, with its chain; PrivateKey is its key.
	Certificate string
	// Params are fields of the connector that are fixed for connections made with this client (a customer's own GitHub App,
	// installed once: {"installation_id": "41234567"}).
	Params map[string]string
}

// body is s as it is sent, and nowhere else.
func (s OAuthClientSettings) body() any {
	return struct {
		ID          string            `json:"client_id"`
		Secret      string            `json:"client_secret,omitempty"`
		PrivateKey  string            `json:"private_key,omitempty"`
		Certificate string            `json:"certificate,omitempty"`
		Params      map[string]string `json:"params,omitempty"`
	}{s.ClientID, string(s.ClientSecret.Reveal(reveal.Key{})), string(s.PrivateKey.Reveal(reveal.Key{})), s.Certificate, s.Params}
}

// PutOAuthClient stores the OAuth client that all tenants use with a connector. What it proves itself with is sealed, and
// never given out again.
func (c *Client) PutOAuthClient(ctx context.Context, connector string, s OAuthClientSettings) (OAuthClient, error) {
	return get[OAuthClient](ctx, c, call{method: http.MethodPut, route: clientRoute, params: []string{connector}, body: s.body()})
}

// OAuthClient reads the deployment's OAuth client; fault.NotFound when there is none.
func (c *Client) OAuthClient(ctx context.Context, connector string) (OAuthClient, error) {
	return get[OAuthClient](ctx, c, call{method: http.MethodGet, route: clientRoute, params: []string{connector}})
}

// DeleteOAuthClient deletes the deployment's OAuth client. Connections made with it can no longer be refreshed.
func (c *Client) DeleteOAuthClient(ctx context.Context, connector string) error {
	return c.do(ctx, call{method: http.MethodDelete, route: clientRoute, params: []string{connector}}, nil)
}

// PutTenantOAuthClient stores a tenant's own OAuth client.
func (c *Client) PutTenantOAuthClient(ctx context.Context, tenant, connector string, s OAuthClientSettings) (OAuthClient, error) {
	return get[OAuthClient](ctx, c, call{method: http.MethodPut, route: tenantClientRoute, params: []string{tenant, connector}, body: s.body()})
}

// TenantOAuthClient reads a tenant's own OAuth client; fault.NotFound when it uses the deployment's.
func (c *Client) TenantOAuthClient(ctx context.Context, tenant, connector string) (OAuthClient, error) {
	return get[OAuthClient](ctx, c, call{method: http.MethodGet, route: tenantClientRoute, params: []string{tenant, connector}})
}

// DeleteTenantOAuthClient deletes a tenant's own OAuth client.
func (c *Client) DeleteTenantOAuthClient(ctx context.Context, tenant, connector string) error {
	return c.do(ctx, call{method: http.MethodDelete, route: tenantClientRoute, params: []string{tenant, connector}}, nil)
}
