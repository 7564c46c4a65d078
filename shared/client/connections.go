package client

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"time"
)

// Connection is one principal's account at one provider.
type Connection struct {
	ID        string `json:"id"`
	Tenant    string `json:"tenant"`
	Principal string `json:"principal"`
	Connector string `json:"connector"`
	// Status is pending, active, paused, reauthorization_required or revoked; Reason says why it is not active.
	Status  string   `json:"status"`
	Reason  string   `json:"reason,omitempty"`
	Account Account  `json:"account"`
	Scopes  []string `json:"scopes"`
	GrantID string   `json:"grant_id,omitempty"`
	// Client is "deployment" or "tenant": whose OAuth client was used; "none" when the credential is the account's own.
	Client string `json:"client"`
	// ExpiresAt is when the access token ends; zero when the provider did not say.
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	RefreshedAt time.Time `json:"refreshed_at,omitzero"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	// Refresh is how keeping it fresh goes; there while the connection is active.
	Refresh *RefreshState `json:"refresh,omitempty"`
	// Revocation is there once the connection is revoked.
	Revocation *Revocation `json:"revocation,omitempty"`
}

// RefreshState is how keeping a connection fresh goes.
type RefreshState struct {
	// DueAt is when the next refresh is planned; zero when none is.
	DueAt time.Time `json:"due_at,omitzero"`
	// Fails counts failures in a row; LastError names the last one ("transient: http_503").
	Fails     int    `json:"fails"`
	LastError string `json:"last_error,omitempty"`
	// NextTryAt is the earliest next attempt after a failure.
	NextTryAt time.Time `json:"next_try_at,omitzero"`
}

// DueConnection is a connection that wants attention, and since when.
type DueConnection struct {
	DueAt      time.Time  `json:"due_at"`
	Connection Connection `json:"connection"`
}

// DuePage is one page of what is due.
type DuePage struct {
	Due    []DueConnection `json:"due"`
	Cursor string          `json:"cursor,omitempty"`
}

// Account is who the provider says the credential belongs to.
type Account struct {
	ID         string `json:"id,omitempty"`
	Login      string `json:"login,omitempty"`
	Name       string `json:"name,omitempty"`
	Email      string `json:"email,omitempty"`
	TenantID   string `json:"tenant_id,omitempty"`
	TenantName string `json:"tenant_name,omitempty"`
}

// Revocation is what the provider answered.
type Revocation struct {
	// Provider is revoked, unsupported, kept_shared_grant, nothing_to_revoke, failed or pending.
	Provider  string    `json:"provider"`
	Answer    string    `json:"answer,omitempty"`
	Attempts  int       `json:"attempts"`
	RevokedAt time.Time `json:"revoked_at"`
}

// RevokedConnection reports what became of one connection.
type RevokedConnection struct {
	Connection
	// Erased tells that the sealed tokens are gone; false while the provider is still to be told.
	Erased bool `json:"erased"`
}

// PrincipalReport is what became of everything that a principal had.
type PrincipalReport struct {
	Tenant      string              `json:"tenant"`
	Principal   string              `json:"principal"`
	Connections []RevokedConnection `json:"connections"`
}

// Refreshed is how a refresh ended.
type Refreshed struct {
	// Result is refreshed, fresh, busy, delayed, needs_reauth or unavailable.
	Result string `json:"result"`
	Reason string `json:"reason,omitempty"`
	// RetryAfter is in seconds; zero when there is nothing to wait for.
	RetryAfter int        `json:"retry_after,omitempty"`
	Connection Connection `json:"connection"`
}

// ConnectionFilter narrows a list of connections; empty fields do not.
type ConnectionFilter struct{ Principal, Connector, Status string }

// ConnectionPage is one page of connections.
type ConnectionPage struct {
	Connections []Connection `json:"connections"`
	// Cursor continues the list; empty at its end.
	Cursor string `json:"cursor,omitempty"`
}

const connectionRoute = "/v1/tenants/{tenant}/connections/{connection}"

// Connections reads one page of a tenant's connections.
func (c *Client) Connections(ctx context.Context, tenant string, f ConnectionFilter, p Page) (ConnectionPage, error) {
	return get[ConnectionPage](ctx, c, call{method: http.MethodGet, route: "/v1/tenants/{tenant}/connections", params: []string{tenant},
		query: p.query("principal", f.Principal, "connector", f.Connector, "status", f.Status)})
}

// AllConnections yields every connection that f leaves, page by page. It stops after yielding an error.
func (c *Client) AllConnections(ctx context.Context, tenant string, f ConnectionFilter) iter.Seq2[Connection, error] {
	return each(func(cursor string) ([]Connection, string, error) {
		p, err := c.Connections(ctx, tenant, f, Page{Cursor: cursor})
		return p.Connections, p.Cursor, err
	})
}

// Connection reads one connection; fault.NotFound.
func (c *Client) Connection(ctx context.Context, tenant, connection string) (Connection, error) {
	return get[Connection](ctx, c, call{method: http.MethodGet, route: connectionRoute, params: []string{tenant, connection}})
}

// DeleteConnection revokes a connection. No execution starts with it once this returns without an error.
func (c *Client) DeleteConnection(ctx context.Context, tenant, connection string) (RevokedConnection, error) {
	return get[RevokedConnection](ctx, c, call{method: http.MethodDelete, route: connectionRoute, params: []string{tenant, connection}})
}

// RefreshConnection refreshes now, whether due or not; fault.Conflict unless the connection is active.
func (c *Client) RefreshConnection(ctx context.Context, tenant, connection string) (Refreshed, error) {
	return get[Refreshed](ctx, c, call{method: http.MethodPost, route: connectionRoute + "/refresh", params: []string{tenant, connection}})
}

// PauseConnection stops executions until ResumeConnection; fault.Conflict unless the connection is active or paused.
func (c *Client) PauseConnection(ctx context.Context, tenant, connection string) (Connection, error) {
	return get[Connection](ctx, c, call{method: http.MethodPost, route: connectionRoute + "/pause", params: []string{tenant, connection}})
}

// ResumeConnection ends a pause; fault.Conflict unless the connection is paused or active.
func (c *Client) ResumeConnection(ctx context.Context, tenant, connection string) (Connection, error) {
	return get[Connection](ctx, c, call{method: http.MethodPost, route: connectionRoute + "/resume", params: []string{tenant, connection}})
}

// Due reads one page of the connections of all tenants that are due for a refresh now or within a while, the longest overdue
// first. It needs a key that is not limited to a tenant; fault.Forbidden otherwise.
func (c *Client) Due(ctx context.Context, within time.Duration, p Page) (DuePage, error) {
	return get[DuePage](ctx, c, call{method: http.MethodGet, route: "/v1/refresh/due", query: p.query("within", strconv.Itoa(int(within.Seconds())))})
}

// AllDue yields everything that is due, page by page. It stops after yielding an error.
func (c *Client) AllDue(ctx context.Context, within time.Duration) iter.Seq2[DueConnection, error] {
	return each(func(cursor string) ([]DueConnection, string, error) {
		p, err := c.Due(ctx, within, Page{Limit: 200, Cursor: cursor})
		return p.Due, p.Cursor, err
	})
}

// DeletePrincipal revokes everything that a principal has.
func (c *Client) DeletePrincipal(ctx context.Context, tenant, principal string) (PrincipalReport, error) {
	return get[PrincipalReport](ctx, c, call{method: http.MethodDelete, route: "/v1/tenants/{tenant}/principals/{principal}", params: []string{tenant, principal}})
}

// Access is on whose behalf a connection of the tenant itself may be used: users, and groups by the display name that the
// directory gives them.
type Access struct {
	Principals []string `json:"principals"`
	Groups     []string `json:"groups"`
}

// ConnectionAccess reads the access list of a connection of "_org"; fault.Conflict for one of a user.
func (c *Client) ConnectionAccess(ctx context.Context, tenant, connection string) (Access, error) {
	return get[Access](ctx, c, call{method: http.MethodGet, route: connectionRoute + "/access", params: []string{tenant, connection}})
}

// SetConnectionAccess replaces the access list; calls go by it at once.
func (c *Client) SetConnectionAccess(ctx context.Context, tenant, connection string, a Access) (Access, error) {
	return get[Access](ctx, c, call{method: http.MethodPut, route: connectionRoute + "/access", params: []string{tenant, connection}, body: a})
}
