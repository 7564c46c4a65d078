package oauthflow

import (
	"context"
	"fmt"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/secret"
)

// Replacements is the store's view of a connection that another account takes over.
type Replacements interface {
	Slot(ctx context.Context, ref connection.Ref, g uint64) (s connection.Slot, ok bool, err error)
	// ActivateOver is Connections.Activate, and in the same transaction former, which is new, gets a row of its own with its
	// tokens: either both happen or neither.
	ActivateOver(ctx context.Context, c connection.Connection, s connection.Slot, g connection.Grant, former connection.Connection, kept connection.Slot, parts ...connection.PartActivation) error
}

// Retirements gets revoked connections ended at their providers, for as long as that takes.
type Retirements interface {
	// Retire queues ref, to be looked at after delay. A connection that does not exist then, or is not revoked, is left alone.
	Retire(ctx context.Context, ref connection.Ref, by string, delay time.Duration) error
}

// ReasonAccountReplaced is why the connection of a former account is revoked.
const ReasonAccountReplaced = "account_replaced"

// replaceDelay is how long the queue waits for the transaction that it is told of before; longer than Confirm can take.
const replaceDelay = time.Minute

// replaces reports that a reconnect takes a connection from one account to another.
func (a activation) replaces() bool {
	return a.link.Reconnect && a.old.Account.ID != "" && a.old.Refresh.Generation > 0 && !a.old.Account.Same(a.account)
}

// former is what becomes of the account that a.old had: a revoked connection of its own, which holds its tokens until the
// provider has ended them. So they go the way of all revocations, which is repeated, is on record, and spares a grant that
// other connections share. ok is false when there are no tokens.
func (f *Flow) former(ctx context.Context, a activation, now time.Time) (c connection.Connection, kept connection.Slot, ok bool, err error) {
	g := a.old.Refresh.Generation
	had, ok, err := f.Replacements.Slot(ctx, a.old.Ref, g)
	if err != nil || !ok || had.Generation != g || had.Access == nil {
		return c, kept, false, err
	}
	c = a.old
	c.ID, c.Access, c.Version, c.Created = connection.ID(f.NewID("conn")), connection.Access{}, 0, now
	c.Refresh = connection.RefreshState{Generation: 1, Fence: 1, Rotates: a.old.Refresh.Rotates, UsedAt: a.old.Refresh.UsedAt}
	c.Status = connection.Active
	c = c.Revoke(ReasonAccountReplaced, now)
	kept = connection.Slot{Generation: 1, Fence: 1, Facts: had.Facts}
	if kept.Access, err = f.rebind(ctx, a.old.Ref.Binding(connection.AccessToken, g), c.Ref.Binding(connection.AccessToken, 1), had.Access); err != nil {
		return c, kept, false, err
	}
	kept.Refresh, err = f.rebind(ctx, a.old.Ref.Binding(connection.RefreshToken, g), c.Ref.Binding(connection.RefreshToken, 1), had.Refresh)
	return c, kept, true, err
}

// rebind seals for one record what was sealed for another.
func (f *Flow) rebind(ctx context.Context, from, to connection.Binding, sealed []byte) ([]byte, error) {
	if sealed == nil {
		return nil, nil
	}
	var text secret.Text
	text, err := f.Sealer.Open(ctx, from, sealed)
	if err != nil {
		return nil, fmt.Errorf("open the tokens of the account before: %w", err)
	}
	return f.Sealer.Seal(ctx, to, text)
}

// replace stores a grant of another account than before. The queue is told first: a message about a connection that never came
// to be does nothing, while a connection that nobody was told of would keep its tokens alive.
func (f *Flow) replace(ctx context.Context, a activation, next connection.Connection, slot connection.Slot, g connection.Grant, parts ...connection.PartActivation) error {
	former, kept, ok, err := f.former(ctx, a, g.At)
	if err != nil {
		return err
	}
	if !ok {
		return f.Connections.Activate(ctx, next, slot, g, parts...)
	}
	if err := f.Retirements.Retire(ctx, former.Ref, "reconnect", replaceDelay); err != nil {
		return err
	}
	if err := f.Replacements.ActivateOver(ctx, next, slot, g, former, kept, parts...); err != nil {
		return err
	}
	l := a.link
	l.Connection = former.ID
	f.audit(ctx, l, audit.ConnectionRevoked, audit.Record{Grant: string(former.Grant), Scopes: former.Scopes, Reason: ReasonAccountReplaced, By: a.by, Outcome: "succeeded"})
	return nil
}
