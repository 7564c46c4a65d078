package client

import (
	"context"
	"net/http"
	"time"
)

// ConnectLinkRequest asks for a link with which a person connects an account.
type ConnectLinkRequest struct {
	Tenant    string `json:"tenant"`
	Principal string `json:"principal"`
	Connector string `json:"connector"`
	// Scopes is what to ask for; empty asks for the connector's defaults.
	Scopes []string `json:"scopes,omitempty"`
	// Connection reconnects an existing one; empty makes a new one.
	Connection string `json:"connection,omitempty"`
	// ReturnURL is the page of the SaaS that confirms.
	ReturnURL string `json:"return_url"`
	// Params are fields of the connector that are known already ("subdomain"); the page asks for the others.
	Params map[string]string `json:"params,omitempty"`
	// AllowOtherAccount lets a reconnect change the account, AllowFewerScopes lets it take scopes away.
	AllowOtherAccount bool `json:"allow_other_account,omitempty"`
	AllowFewerScopes  bool `json:"allow_fewer_scopes,omitempty"`
}

// ConnectLink is one attempt to connect an account.
type ConnectLink struct {
	// ID is what ConfirmConnectLink wants. Keep it in the back end.
	ID           string   `json:"id"`
	Tenant       string   `json:"tenant"`
	Principal    string   `json:"principal"`
	Connector    string   `json:"connector"`
	ConnectionID string   `json:"connection_id"`
	Scopes       []string `json:"scopes"`
	// Status is open, started, consented, confirming, choosing, confirmed, denied, user_mismatch or failed.
	Status    string    `json:"status"`
	Reason    string    `json:"reason,omitempty"`
	ReturnURL string    `json:"return_url"`
	ExpiresAt time.Time `json:"expires_at"`
	// Params are fields that are fixed for this link.
	Params map[string]string `json:"params,omitempty"`
	// URL is where to send the browser; only a new link has it. Do not log it.
	URL string `json:"url,omitempty"`
}

// Confirmation is a connection that just became active; or one that waits for its person's choice.
type Confirmation struct {
	// ChooseURL is where to send the person's browser when Status is "choosing": the account reaches several places, and one has to be
	// chosen. The browser comes back to the return URL with status=confirmed; do not confirm again. Empty otherwise. Do not log it.
	ChooseURL    string     `json:"choose_url,omitempty"`
	Status       string     `json:"status"`
	ConnectionID string     `json:"connection_id"`
	GrantID      string     `json:"grant_id"`
	Connection   Connection `json:"connection"`
}

// CreateConnectLink makes a link.
func (c *Client) CreateConnectLink(ctx context.Context, r ConnectLinkRequest) (ConnectLink, error) {
	return get[ConnectLink](ctx, c, call{method: http.MethodPost, route: "/v1/connect-links", body: r})
}

// ConnectLink reads a link by its ID.
func (c *Client) ConnectLink(ctx context.Context, id string) (ConnectLink, error) {
	return get[ConnectLink](ctx, c, call{method: http.MethodGet, route: "/v1/connect-links/{link}", params: []string{id}})
}

// ConfirmConnectLink says who is signed in at the SaaS. principal comes from the SaaS's own session, never from the
// request that came back. fault.Forbidden with reason user_mismatch: somebody else consented, and nothing was connected.
func (c *Client) ConfirmConnectLink(ctx context.Context, id, principal string) (Confirmation, error) {
	body := struct {
		Principal string `json:"principal"`
	}{principal}
	return get[Confirmation](ctx, c, call{method: http.MethodPost, route: "/v1/connect-links/{link}/confirm", params: []string{id}, body: body})
}

// PortalLinkRequest asks for a link to a person's own connections.
type PortalLinkRequest struct {
	Tenant    string `json:"tenant"`
	Principal string `json:"principal"`
	// ReturnURL is where the page's way back leads; empty shows none.
	ReturnURL string `json:"return_url,omitempty"`
}

// PortalLink opens once, until ExpiresAt.
type PortalLink struct {
	Tenant    string    `json:"tenant"`
	Principal string    `json:"principal"`
	ReturnURL string    `json:"return_url"`
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// CreatePortalLink makes a link to the page where a person sees and ends what agents may do. Redirect the signed-in person's
// browser to URL at once.
func (c *Client) CreatePortalLink(ctx context.Context, r PortalLinkRequest) (PortalLink, error) {
	return get[PortalLink](ctx, c, call{method: http.MethodPost, route: "/v1/portal-links", body: r})
}

// MCPLoginRequest says who is logging an interactive MCP client in.
type MCPLoginRequest struct {
	// MCPLogin is the parameter mcp_login that your login page was given.
	MCPLogin  string `json:"mcp_login"`
	Tenant    string `json:"tenant"`
	Principal string `json:"principal"`
	// Connectors and Tools are the only ones that the client may use; empty means all.
	Connectors []string `json:"connectors,omitempty"`
	Tools      []string `json:"tools,omitempty"`
}

// MCPLogin is a login that waits for its user's consent, until ExpiresAt.
type MCPLogin struct {
	Tenant    string `json:"tenant"`
	Principal string `json:"principal"`
	// ClientID is the address of the client's metadata document; ClientName is its own word.
	ClientID   string `json:"client_id"`
	ClientName string `json:"client_name"`
	// ContinueURL is where to send the browser of this principal, and nobody else's. Do not log it.
	ContinueURL string    `json:"continue_url"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// ConfirmMCPLogin says who the user is that an MCP client sent to your login page. Never confirm for anybody but the user of the very
// request that brought mcp_login; redirect that browser to ContinueURL at once.
func (c *Client) ConfirmMCPLogin(ctx context.Context, r MCPLoginRequest) (MCPLogin, error) {
	return get[MCPLogin](ctx, c, call{method: http.MethodPost, route: "/v1/mcp-logins", body: r})
}
