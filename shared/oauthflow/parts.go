package oauthflow

import (
	"context"
	"maps"
	"slices"
	"time"

	"behalf.dev/behalf/shared/connection"
)

// parts makes the further tokens of a grant connections of their own, behind main: each has slots, a lease and a refresh of its
// own, so that there is one refresh at a time for each refresh token, as everywhere. A part that was there before gets the new
// tokens. One that this grant brings no token for stays only with the same account.
func (f *Flow) parts(ctx context.Context, a activation, main connection.Connection, g connection.Grant) (connection.Connection, []connection.PartActivation, error) {
	if len(a.spec.TokenSets()) == 0 {
		return main, nil, nil
	}
	old, err := f.partsOf(ctx, main)
	if err != nil {
		return main, nil, err
	}
	var out []connection.PartActivation
	for _, name := range slices.Sorted(maps.Keys(a.tokens.Sets)) {
		p, err := f.part(ctx, a, main, old[name], name, g)
		if err != nil {
			return main, nil, err
		}
		delete(old, name)
		out = append(out, p)
	}
	main.TokenSets = slices.Sorted(maps.Keys(a.tokens.Sets))
	for name, c := range old {
		if a.old.Account.Same(a.account) {
			main.TokenSets = append(main.TokenSets, name)
			continue
		}
		if _, err := f.Siblings.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) {
			return x.Revoke("account_changed", f.Now()), nil
		}); err != nil {
			return main, nil, err
		}
	}
	slices.Sort(main.TokenSets)
	return main, out, nil
}

// partsOf are the live parts of a connection, by the name of their token.
func (f *Flow) partsOf(ctx context.Context, main connection.Connection) (map[string]connection.Connection, error) {
	all, err := f.Siblings.ConnectionsOf(ctx, main.Scope)
	out := map[string]connection.Connection{}
	for _, c := range all {
		if c.Main == main.ID && c.Status != connection.Revoked {
			out[c.TokenSet] = c
		}
	}
	return out, err
}

func (f *Flow) part(ctx context.Context, a activation, main, before connection.Connection, name string, g connection.Grant) (connection.PartActivation, error) {
	now, res := f.Now(), a.tokens.Sets[name]
	if before.ID == "" {
		before = connection.Connection{Ref: connection.Ref{Scope: main.Scope, Connector: main.Connector, ID: connection.ID(f.NewID("conn"))}, Status: connection.Pending,
			Main: main.ID, TokenSet: name, Created: now}
	}
	if res.Facts.Scopes != nil {
		g.ScopesGranted = res.Facts.Scopes
	}
	next, err := before.Activate(connection.Activated{Grant: g, Metadata: main.Metadata, ExpiresAt: res.Facts.ExpiresAt, RefreshExpiresAt: res.Facts.RefreshExpiresAt,
		DueAt: connection.DueAt(now, res.Facts.ExpiresAt, time.Duration(a.spec.Rotation.KeepAliveSeconds)*time.Second, f.Jitter())}, now)
	if err != nil {
		return connection.PartActivation{}, err
	}
	slot, err := f.sealTokens(ctx, next, res)
	return connection.PartActivation{Connection: next, Slot: slot}, err
}
