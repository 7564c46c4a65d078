package connection

import (
	"time"

	"behalf.dev/behalf/shared/fault"
)

// Activated is what a new grant brings to a connection.
type Activated struct {
	Grant            Grant
	Metadata         map[string]string
	ExpiresAt        time.Time
	RefreshExpiresAt time.Time
	DueAt            time.Time
	Rotates          bool
}

// Activate puts a new grant in force and starts the next generation. It is refused for a revoked connection: revoked is
// terminal, a new link makes a new connection.
func (c Connection) Activate(a Activated, now time.Time) (Connection, error) {
	if c.Status == Revoked {
		return c, fault.New(fault.Revoked, "connection %s was revoked; make a new connect link for a new connection", c.ID)
	}
	c.Status, c.Reason, c.Choosing = Active, "", false
	c.Grant, c.Account, c.Scopes = a.Grant.ID, a.Grant.Account, a.Grant.ScopesGranted
	c.ClientOwner, c.Metadata = a.Grant.ClientOwner, a.Metadata
	c.ExpiresAt, c.RefreshExpiresAt, c.PendingUntil = a.ExpiresAt, a.RefreshExpiresAt, time.Time{}
	c.Updated, c.RefreshedAt = now, now
	c.Refresh = RefreshState{Generation: c.Refresh.Generation + 1, Fence: c.Refresh.Fence + 1, Rotates: a.Rotates, DueAt: a.DueAt}
	return c, nil
}

// Pause stops executions until Resume. Only an active connection can be paused; pausing twice changes nothing.
func (c Connection) Pause(now time.Time) (Connection, error) {
	switch c.Status {
	case Paused:
		return c, nil
	case Active:
		c.Status, c.Updated = Paused, now
		return c, nil
	}
	return c, fault.New(fault.Conflict, "only an active connection can be paused; this one is %s", c.Status).With("status_now", string(c.Status))
}

// Resume undoes Pause; resuming an active connection changes nothing.
func (c Connection) Resume(now time.Time) (Connection, error) {
	switch c.Status {
	case Active:
		return c, nil
	case Paused:
		c.Status, c.Updated = Active, now
		return c, nil
	}
	return c, fault.New(fault.Conflict, "only a paused connection can be resumed; this one is %s", c.Status).With("status_now", string(c.Status))
}

// RequireReauthorization says that the grant died at the provider. A revoked connection stays revoked.
func (c Connection) RequireReauthorization(reason string, now time.Time) Connection {
	if c.Status == Revoked {
		return c
	}
	c.Status, c.Reason, c.Updated = ReauthorizationRequired, reason, now
	c.Refresh.DueAt, c.Refresh.LeaseOwner, c.Refresh.LeaseUntil = time.Time{}, "", time.Time{}
	c.Refresh.IntentGeneration, c.Refresh.IntentAt = 0, time.Time{}
	return c
}

// Revoke ends the connection for good. The fence grows, so that a refresh under way cannot store its result. Revoking
// twice changes nothing.
func (c Connection) Revoke(reason string, now time.Time) Connection {
	if c.Status == Revoked {
		return c
	}
	c.Status, c.Reason, c.Updated = Revoked, reason, now
	c.Refresh.Fence++
	c.Refresh.LeaseOwner, c.Refresh.LeaseUntil, c.Refresh.DueAt = "", time.Time{}, time.Time{}
	c.Revocation = Revocation{At: now, Provider: "pending"}
	if c.Refresh.Generation == 0 && !c.Choosing {
		c.Revocation.Provider, c.Revocation.Erased = "nothing_to_revoke", true
	}
	return c
}
