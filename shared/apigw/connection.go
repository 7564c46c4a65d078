package apigw

import (
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/tenant"
)

// Connection is a connection as the API shows it: everything but secrets and machinery.
type Connection struct {
	ID        string             `json:"id"`
	Tenant    string             `json:"tenant"`
	Principal string             `json:"principal"`
	Connector string             `json:"connector"`
	Status    connection.Status  `json:"status"`
	Reason    string             `json:"reason,omitempty"`
	Account   connection.Account `json:"account"`
	Scopes    []string           `json:"scopes"`
	GrantID   string             `json:"grant_id,omitempty"`
	// Client is "deployment" or "tenant": whose OAuth client was used.
	Client string `json:"client"`
	// ExpiresAt is when the access token ends; absent when the provider did not say.
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	RefreshedAt time.Time `json:"refreshed_at,omitzero"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	// Refresh is how keeping it fresh goes; there while the connection is active.
	Refresh *Refresh `json:"refresh,omitempty"`
	// Revocation is there once the connection is revoked.
	Revocation *Revocation `json:"revocation,omitempty"`
}

// Refresh is the state of keeping an active connection fresh.
type Refresh struct {
	// DueAt is when the next refresh is planned; absent when none is.
	DueAt time.Time `json:"due_at,omitzero"`
	// Fails counts failures in a row; LastError names the last one, NextTryAt is not before when the next attempt is made.
	Fails     int       `json:"fails"`
	LastError string    `json:"last_error,omitempty"`
	NextTryAt time.Time `json:"next_try_at,omitzero"`
}

// Revocation is what the provider answered.
type Revocation struct {
	// Provider is revoked, unsupported, kept_shared_grant, nothing_to_revoke, failed or pending.
	Provider  string    `json:"provider"`
	Answer    string    `json:"answer,omitempty"`
	Attempts  int       `json:"attempts"`
	RevokedAt time.Time `json:"revoked_at"`
}

// NewConnection shows c.
func NewConnection(c connection.Connection) Connection {
	out := Connection{ID: string(c.ID), Tenant: string(c.Tenant), Principal: string(c.Principal), Connector: c.Connector, Status: c.Status, Reason: c.Reason,
		Account: c.Account, Scopes: c.Scopes, GrantID: string(c.Grant), Client: "tenant", CreatedAt: c.Created.UTC(), UpdatedAt: c.Updated.UTC()}
	switch c.ClientOwner {
	case tenant.Deployment:
		out.Client = "deployment"
	case "":
		out.Client = "none"
	}
	if out.Scopes == nil {
		out.Scopes = []string{}
	}
	out.ExpiresAt, out.RefreshedAt = utc(c.ExpiresAt), utc(c.RefreshedAt)
	if c.Status == connection.Active {
		out.Refresh = &Refresh{utc(c.Refresh.DueAt), c.Refresh.Fails, c.Refresh.LastError, utc(c.Refresh.NextTry)}
	}
	if c.Status == connection.Revoked {
		r := c.Revocation
		out.Revocation = &Revocation{r.Provider, r.Answer, r.Attempts, r.At.UTC()}
	}
	return out
}

// utc keeps the zero time what it is.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
