package client

import (
	"context"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// Connector is a provider that the deployment knows.
type Connector struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	DocsURL     string `json:"docs_url,omitempty"`
	// Mode is what a connection is made of: "oauth2", "api_key", …; Fields are what the connect page asks for, or
	// ImportConnection gives.
	Mode   string           `json:"mode"`
	Fields []ConnectorField `json:"fields"`
	Scopes ConnectorScopes  `json:"scopes"`
	Tools  []ConnectorTool  `json:"tools"`
}

// ConnectorField is one value that somebody gives to connect an account. Kind is text, pem or json.
type ConnectorField struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Help     string `json:"help,omitempty"`
	Example  string `json:"example,omitempty"`
	Kind     string `json:"kind"`
	Secret   bool   `json:"secret"`
	Required bool   `json:"required"`
}

// ConnectorScopes are a connector's scopes: asked for by default, asked for always, and what each allows.
type ConnectorScopes struct {
	Default  []string          `json:"default"`
	Required []string          `json:"required,omitempty"`
	Known    map[string]string `json:"known"`
}

// ConnectorTool is a tool in the catalog. Effect is read, write or destructive.
type ConnectorTool struct {
	Name   string `json:"name"`
	Title  string `json:"title,omitempty"`
	Effect string `json:"effect"`
}

// OAuthClient is a stored OAuth client without its secret.
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

// Connectors lists the catalog.
func (c *Client) Connectors(ctx context.Context) ([]Connector, error) {
	out, err := get[struct {
		Connectors []Connector `json:"connectors"`
	}](ctx, c, call{method: http.MethodGet, route: "/v1/connectors"})
	return out.Connectors, err
}

// Connector reads one connector; fault.NotFound.
func (c *Client) Connector(ctx context.Context, connector string) (Connector, error) {
	return get[Connector](ctx, c, call{method: http.MethodGet, route: "/v1/connectors/{connector}", params: []string{connector}})
}

const (
	clientRoute       = "/v1/connectors/{connector}/client"
	tenantClientRoute = "/v1/tenants/{tenant}/connectors/{connector}/client"
)

func clientBody(id string, text secret.Text) any {
	return struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}{id, string(text.Reveal(reveal.Key{}))}
}

// PutOAuthClient stores the OAuth client that all tenants use with a connector.
func (c *Client) PutOAuthClient(ctx context.Context, connector, clientID string, clientSecret secret.Text) (OAuthClient, error) {
	return get[OAuthClient](ctx, c, call{method: http.MethodPut, route: clientRoute, params: []string{connector}, body: clientBody(clientID, clientSecret)})
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
func (c *Client) PutTenantOAuthClient(ctx context.Context, tenant, connector, clientID string, clientSecret secret.Text) (OAuthClient, error) {
	return get[OAuthClient](ctx, c, call{method: http.MethodPut, route: tenantClientRoute, params: []string{tenant, connector}, body: clientBody(clientID, clientSecret)})
}

// TenantOAuthClient reads a tenant's own OAuth client; fault.NotFound when it uses the deployment's.
func (c *Client) TenantOAuthClient(ctx context.Context, tenant, connector string) (OAuthClient, error) {
	return get[OAuthClient](ctx, c, call{method: http.MethodGet, route: tenantClientRoute, params: []string{tenant, connector}})
}

// DeleteTenantOAuthClient deletes a tenant's own OAuth client.
func (c *Client) DeleteTenantOAuthClient(ctx context.Context, tenant, connector string) error {
	return c.do(ctx, call{method: http.MethodDelete, route: tenantClientRoute, params: []string{tenant, connector}}, nil)
}
