package oauthflow

import (
	"slices"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

// Change is what a reconnect may change of a connection that agents rely on, because the back end asked for just that.
type Change struct {
	// Account lets another account of the provider take the connection over.
	Account bool
	// Narrower lets a consent take scopes away. The link then asks for exactly what was asked of it.
	Narrower bool
}

// mayReplace fails when a reconnect would change what nobody asked to change: the account, or scopes that agents have. A
// connection whose grant has died has nothing to lose, so a narrower consent revives it.
func (l Link) mayReplace(old connection.Connection, account connection.Account, granted []string, spec *catalog.Connector) error {
	if !l.Reconnect {
		return nil
	}
	if old.Account.ID != "" && !old.Account.Same(account) && !l.Change.Account {
		return fault.New(fault.Conflict, "this connection belongs to another %s account (%s); sign in with that one, or connect this account as a new connection", spec.Name, old.Account.Login).With("reason", "account_mismatch")
	}
	alive := old.Status == connection.Active || old.Status == connection.Paused
	if lost := spec.Scopes.Missing(granted, old.Scopes); alive && len(lost) > 0 && old.Account.Same(account) && !l.Change.Narrower {
		slices.Sort(lost)
		return fault.New(fault.Conflict, "this consent is narrower than what the connection has; the connection stays as it was").With("reason", "narrower_consent").With("missing_scopes", lost)
	}
	return nil
}
