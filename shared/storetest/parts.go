package storetest

import (
	"context"
	"testing"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

// activateParts: a further token comes into force with its main connection, or neither does.
func activateParts(t *testing.T, s Store) {
	ctx := context.Background()
	main := create(t, s, conn(scope(acme, "alice"), "github", 1))
	part := connection.Connection{Ref: connection.Ref{Scope: main.Scope, Connector: main.Connector, ID: conn(main.Scope, "github", 2).ID}, Main: main.ID, TokenSet: "user", Created: epoch()}
	g := connection.Grant{ID: "grant_parts", Connection: main.ID, At: epoch()}
	next := func(c connection.Connection) connection.Connection {
		out, err := c.Activate(connection.Activated{Grant: g, ExpiresAt: epoch().Add(time.Hour)}, epoch())
		must(t, err)
		return out
	}
	slot := connection.Slot{Generation: 1, Fence: 1, Access: []byte("a"), Refresh: []byte("r")}
	part.Status = connection.Pending
	stale := next(main)
	stale.Version++
	want(t, s.Activate(ctx, stale, slot, g, connection.PartActivation{Connection: next(part), Slot: slot}), fault.Conflict)
	if _, err := s.Connection(ctx, part.Ref); !fault.Is(err, fault.NotFound) {
		t.Errorf("a part without its main: %v", err)
	}
	active := next(main)
	active.TokenSets = []string{"user"}
	must(t, s.Activate(ctx, active, slot, g, connection.PartActivation{Connection: next(part), Slot: slot}))
	got, err := s.Connection(ctx, part.Ref)
	must(t, err)
	if got.Main != main.ID || got.TokenSet != "user" || got.Version != 1 || !got.Part() || got.Shown() != main.ID {
		t.Errorf("%+v", got)
	}
	if held, ok, err := s.Slot(ctx, part.Ref, 1); err != nil || !ok || string(held.Refresh) != "r" {
		t.Errorf("%+v %v %v", held, ok, err)
	}
	if ref, err := s.FindConnection(ctx, main.Tenant, part.ID); err != nil || ref != part.Ref { // keys are renewed by this list
		t.Errorf("%+v %v", ref, err)
	}
	// Again, from the stored versions; a version that is not theirs changes neither.
	main, err = s.Connection(ctx, main.Ref)
	must(t, err)
	g.ID = "grant_parts2"
	late := next(got)
	late.Version = 0
	want(t, s.Activate(ctx, next(main), slot, g, connection.PartActivation{Connection: late, Slot: slot}), fault.Conflict)
	must(t, s.Activate(ctx, next(main), slot, g, connection.PartActivation{Connection: next(got), Slot: slot}))
	if got, err = s.Connection(ctx, part.Ref); err != nil || got.Refresh.Generation != 2 {
		t.Errorf("%+v %v", got, err)
	}
}

// looseConnections: tokens that nobody else ends at the provider are due for the sweep until they are erased.
func looseConnections(t *testing.T, s Store) {
	ctx := context.Background()
	c := create(t, s, conn(scope(acme, "alice"), "github", 1))
	c, err := s.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) {
		x.Choosing = true
		return x.Revoke("not_chosen", epoch()), nil
	})
	must(t, err)
	if due := allDue(t, s, epoch().Add(time.Hour)); len(due) != 1 || due[0].Ref != c.Ref {
		t.Errorf("%+v is not due: %v", c, due)
	}
	c, err = s.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) {
		x.Revocation.Erased = true
		return x, nil
	})
	must(t, err)
	if due := allDue(t, s, epoch().Add(time.Hour)); len(due) != 0 || !c.DueAt().IsZero() {
		t.Errorf("still due after it was erased: %v", due)
	}
}
