package client

import (
	"context"
	"net/http"
	"time"
)

const issuerRoute = "/v1/tenants/{tenant}/issuer"

// IssuerSettings name a tenant's OpenID provider.
type IssuerSettings struct {
	// Issuer is the exact iss of its tokens; Audience what they are made for.
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	// PrincipalClaim is the claim that holds the principal; empty is "sub".
	PrincipalClaim string `json:"principal_claim,omitempty"`
	// JWKSURI is where its keys are; empty asks its discovery document.
	JWKSURI string `json:"jwks_uri,omitempty"`
}

// Issuer is a tenant's OpenID provider, as stored.
type Issuer struct {
	IssuerSettings
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// PutIssuer sets or replaces a tenant's OpenID provider; fault.InvalidInput when it does not publish what it must.
func (c *Client) PutIssuer(ctx context.Context, tenant string, s IssuerSettings) (Issuer, error) {
	return get[Issuer](ctx, c, call{method: http.MethodPut, route: issuerRoute, params: []string{tenant}, body: s})
}

// Issuer reads a tenant's OpenID provider; fault.NotFound when none is set.
func (c *Client) Issuer(ctx context.Context, tenant string) (Issuer, error) {
	return get[Issuer](ctx, c, call{method: http.MethodGet, route: issuerRoute, params: []string{tenant}})
}

// DeleteIssuer removes a tenant's OpenID provider: none of its tokens makes a session from now on.
func (c *Client) DeleteIssuer(ctx context.Context, tenant string) error {
	return c.do(ctx, call{method: http.MethodDelete, route: issuerRoute, params: []string{tenant}}, nil)
}
