package storetest

import (
	"context"
	"testing"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

// activateOver: the new grant and the row of the former account come together, or not at all.
func activateOver(t *testing.T, s Store) {
	ctx := context.Background()
	old := create(t, s, conn(scope(acme, "alice"), "github", 1))
	former := conn(scope(acme, "alice"), "github", 2).Revoke("account_replaced", epoch())
	kept := slot(1, 1, "former")
	now := update(t, s, old, func(c *connection.Connection) { c.Reason = "changed" })
	next, tokens, g := activation(old, "grant_2") // from a version that is old
	want(t, s.ActivateOver(ctx, next, tokens, g, former, kept), fault.Conflict)
	same(t, "the connection", read(t, s, old.Ref), now)
	if _, err := s.Connection(ctx, former.Ref); !fault.Is(err, fault.NotFound) {
		t.Errorf("the former account has a row: %v", err)
	}
	if _, err := s.FindConnection(ctx, acme, former.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("the former account is listed: %v", err)
	}
	next, tokens, g = activation(now, "grant_2")
	must(t, s.ActivateOver(ctx, next, tokens, g, former, kept))
	if got := read(t, s, old.Ref); got.Grant != "grant_2" || got.Refresh.Generation != 2 {
		t.Errorf("grant %s, generation %d", got.Grant, got.Refresh.Generation)
	}
	if got := read(t, s, former.Ref); got.Status != connection.Revoked || got.Version != 1 {
		t.Errorf("%+v", got)
	}
	have, ok, err := s.Slot(ctx, former.Ref, 1)
	if must(t, err); !ok {
		t.Fatal("the former tokens are gone")
	}
	same(t, "the former tokens", have, kept)
	if ref, err := s.FindConnection(ctx, acme, former.ID); err != nil || ref != former.Ref {
		t.Errorf("%v %v", ref, err)
	}
	again, tokens3, g := activation(read(t, s, old.Ref), "grant_3") // a row that exists is not written over
	want(t, s.ActivateOver(ctx, again, tokens3, g, former, kept), fault.Conflict)
	if got := read(t, s, old.Ref); got.Grant != "grant_2" {
		t.Errorf("grant %s", got.Grant)
	}
}
