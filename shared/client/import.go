package client

import (
	"context"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// ImportRequest is a credential that the SaaS has already.
type ImportRequest struct {
	Principal string
	Connector string
	// Credential holds the connector's fields by name; for OAuth connectors "refresh_token", or "access_token" where there
	// are no refresh tokens.
	Credential map[string]secret.Text
	// Params are fields that are not secret.
	Params map[string]string
	// Scopes are those granted, where the provider does not say; empty means the connector's defaults.
	Scopes []string
	// ExpiresAt is when an access token without refresh token ends; zero when nobody knows.
	ExpiresAt time.Time
}

// ImportConnection takes over a credential. It is proved at the provider before it counts: fault.Conflict with reason
// credential_rejected leaves nothing behind. A refresh token that the provider replaces is used up by this call.
func (c *Client) ImportConnection(ctx context.Context, tenant string, r ImportRequest) (Connection, error) {
	body := struct {
		Principal  string            `json:"principal"`
		Connector  string            `json:"connector"`
		Credential map[string]string `json:"credential"`
		Params     map[string]string `json:"params,omitempty"`
		Scopes     []string          `json:"scopes,omitempty"`
		ExpiresAt  time.Time         `json:"expires_at,omitzero"`
	}{r.Principal, r.Connector, map[string]string{}, r.Params, r.Scopes, r.ExpiresAt}
	for name, v := range r.Credential {
		body.Credential[name] = string(v.Reveal(reveal.Key{}))
	}
	return get[Connection](ctx, c, call{method: http.MethodPost, route: "/v1/tenants/{tenant}/connections", params: []string{tenant}, body: body})
}
