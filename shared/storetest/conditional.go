package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

// ConditionalWrites is the second tier: a write that must lose does, and leaves no trace.
func ConditionalWrites(t *testing.T, open func(t *testing.T) Store) {
	run(t, open, map[string]test{
		"CreateConnection_Twice_KeepsTheFirst":          createTwice,
		"UpdateConnection_FromOldVersion_ChangesTheNew": updateStale,
		"UpdateConnection_ChangeRefuses_NothingWritten": updateRefused,
		"UpdateConnection_OfNothing_NotFound":           updateMissing,
		"PutSlot_GenerationAndFence_Decide":             putSlotRules,
		"EraseSlots_ThenALateWrite_StaysErased":         eraseSlots,
		"Activate_FromOldVersion_LeavesNoTrace":         activateStale,
		"Activate_KnownGrant_LeavesNoTrace":             activateTwice,
		"Activate_OverAShadow_ReplacesIt":               activateOverShadow,
		"ActivateOver_BothOrNeither":                    activateOver,
		"Activate_WithParts_AllOrNothing":               activateParts,
		"Due_LooseTokens_UntilTheyAreErased":            looseConnections,
		"Link_UpdatedFromOldVersion_Conflict":           linkConsumed,
		"Link_KnownHash_LeavesNoTrace":                  linkHashTaken,
		"PutClaim_EachState":                            claimStates,
		"PutClaim_OfAnotherPrincipal_IsAnotherClaim":    claimIsolated,
		"ResealSlot_OnlyExactlyWhatWasRead":             resealSlot,
		"ResealSlot_Erased_StaysErased":                 resealErased,
		"ResealClient_OnlyExactlyWhatWasRead":           resealClient,
		"PutWalk_FromOldVersion_Conflict":               walkStale,
		"PutClient_RevisionsWithoutGaps":                clientRevisions,
		"PutEndpoint_FromOldVersion_ChangesNothing":     webhookStale,
		"PutKey_KnownVersion_Conflict":                  keyOnce,
		"PutKeyRecord_KnownID_Conflict":                 keyRecordOnce,
		"PutTenant_FromOldVersion_ChangesNothing":       tenantStale,
		"Record_KnownID_KeepsTheFirst":                  recordOnce,
	})
}

func createTwice(t *testing.T, s Store) {
	first := create(t, s, conn(scope(acme, "alice"), "github", 1))
	second := first
	second.Reason = "second"
	want(t, s.CreateConnection(context.Background(), second), fault.Conflict)
	elsewhere := conn(scope(acme, "bob"), "slack", 1) // ids are unique in a tenant
	want(t, s.CreateConnection(context.Background(), elsewhere), fault.Conflict)
	_, err := s.Connection(context.Background(), elsewhere.Ref)
	want(t, err, fault.NotFound)
	same(t, "the connection", read(t, s, first.Ref), first)
	must(t, s.CreateConnection(context.Background(), conn(scope(other, "alice"), "github", 1)))
}

func updateStale(t *testing.T, s Store) {
	old := create(t, s, conn(scope(acme, "alice"), "github", 1))
	update(t, s, old, func(c *connection.Connection) { c.Refresh.Fence = 100 })
	var seen []uint64
	got, err := s.UpdateConnection(context.Background(), old, func(c connection.Connection) (connection.Connection, error) {
		seen = append(seen, c.Refresh.Fence)
		c.Refresh.Fence++
		return c, nil
	})
	must(t, err)
	same(t, "what change saw", seen, []uint64{3, 100})
	if got.Refresh.Fence != 101 || got.Version != 3 || read(t, s, old.Ref).Refresh.Fence != 101 {
		t.Errorf("fence %d at version %d, want 101 at 3", got.Refresh.Fence, got.Version)
	}
}

func updateRefused(t *testing.T, s Store) {
	old := create(t, s, conn(scope(acme, "alice"), "github", 1))
	now := update(t, s, old, func(c *connection.Connection) { c.Status = connection.Paused })
	no := errors.New("no")
	got, err := s.UpdateConnection(context.Background(), old, func(c connection.Connection) (connection.Connection, error) {
		c.Reason = "written"
		if c.Status == connection.Paused {
			return c, no
		}
		return c, nil
	})
	if !errors.Is(err, no) {
		t.Errorf("got %v, want change's error", err)
	}
	same(t, "what is returned", got, now) // what change saw, not what it made
	same(t, "what is stored", read(t, s, old.Ref), now)
}

func updateMissing(t *testing.T, s Store) {
	_, err := s.UpdateConnection(context.Background(), conn(scope(acme, "alice"), "github", 1), func(c connection.Connection) (connection.Connection, error) { return c, nil })
	want(t, err, fault.NotFound)
}

func putSlotRules(t *testing.T, s Store) {
	ctx, ref := context.Background(), conn(scope(acme, "alice"), "github", 1).Ref
	steps := []struct {
		generation, fence uint64
		text              string
		ok                bool
	}{
		{1, 5, "first", true},
		{1, 5, "first", true},  // the same write again: its answer was lost
		{1, 4, "older", false}, // a holder whose lease was taken over
		{1, 6, "newer", true},  // the one who took it over
		{3, 2, "third", true},  // a newer generation wins whatever the fence
		{1, 99, "late", false}, // and an older one loses
		{2, 1, "other slot", true},
		{3, 2, "again", true},
		{3, 1, "older", false},
	}
	stored := map[uint64]string{}
	for _, x := range steps {
		err := s.PutSlot(ctx, ref, slot(x.generation, x.fence, x.text))
		if x.ok {
			stored[x.generation%2] = x.text
			must(t, err)
		} else {
			want(t, err, fault.Conflict)
		}
		got, _, err := s.Slot(ctx, ref, x.generation)
		must(t, err)
		if string(got.Access) != "at "+stored[x.generation%2] {
			t.Errorf("after generation %d, fence %d the slot holds %q, want %q", x.generation, x.fence, got.Access, stored[x.generation%2])
		}
	}
}

func eraseSlots(t *testing.T, s Store) {
	ctx, ref := context.Background(), conn(scope(acme, "alice"), "github", 1).Ref
	must(t, s.PutSlot(ctx, ref, slot(4, 7, "current")))
	must(t, s.PutSlot(ctx, ref, slot(5, 8, "shadow")))
	must(t, s.EraseSlots(ctx, ref, 4))
	must(t, s.EraseSlots(ctx, ref, 4))
	for _, late := range []connection.Slot{slot(4, 9, "late"), slot(5, 9, "late")} {
		want(t, s.PutSlot(ctx, ref, late), fault.Conflict)
		got, _, err := s.Slot(ctx, ref, late.Generation)
		must(t, err)
		if got.Access != nil || got.Refresh != nil {
			t.Errorf("generation %d is there again", late.Generation)
		}
	}
}

// activation is what oauthflow stores when a grant comes into force.
func activation(c connection.Connection, id connection.GrantID) (connection.Connection, connection.Slot, connection.Grant) {
	g := connection.Grant{ID: id, Connection: c.ID, At: epoch()}
	next, err := c.Activate(connection.Activated{Grant: g, ExpiresAt: epoch().Add(time.Hour)}, epoch())
	if err != nil {
		panic(err) // fixtures are never revoked
	}
	return next, slot(next.Refresh.Generation, next.Refresh.Fence, string(id)), g
}

func activateStale(t *testing.T, s Store) {
	old := create(t, s, conn(scope(acme, "alice"), "github", 1))
	now := update(t, s, old, func(c *connection.Connection) { c.Reason = "changed" })
	next, tokens, g := activation(old, "grant_2")
	want(t, s.Activate(context.Background(), next, tokens, g), fault.Conflict)
	same(t, "the connection", read(t, s, old.Ref), now)
	if _, ok, err := s.Slot(context.Background(), old.Ref, 2); ok || err != nil {
		t.Errorf("the tokens are there: %v", err)
	}
	next, tokens, g = activation(now, "grant_2") // nor was the grant stored
	must(t, s.Activate(context.Background(), next, tokens, g))
	got := read(t, s, old.Ref)
	if got.Grant != "grant_2" || got.Version != now.Version+1 || got.Refresh.Generation != 2 {
		t.Errorf("grant %s, version %d, generation %d", got.Grant, got.Version, got.Refresh.Generation)
	}
	have, _, err := s.Slot(context.Background(), old.Ref, 2)
	must(t, err)
	same(t, "the slot", have, tokens)
}

func activateTwice(t *testing.T, s Store) {
	next, tokens, g := activation(create(t, s, conn(scope(acme, "alice"), "github", 1)), "grant_2")
	must(t, s.Activate(context.Background(), next, tokens, g))
	now := read(t, s, next.Ref)
	again, tokens3, g := activation(now, "grant_2")
	want(t, s.Activate(context.Background(), again, tokens3, g), fault.Conflict)
	same(t, "the connection", read(t, s, next.Ref), now)
	if got, ok, err := s.Slot(context.Background(), next.Ref, 3); ok && got.Generation == 3 || err != nil {
		t.Errorf("the tokens are there: %v", err)
	}
}

func activateOverShadow(t *testing.T, s Store) {
	c := create(t, s, conn(scope(acme, "alice"), "github", 1))
	must(t, s.PutSlot(context.Background(), c.Ref, slot(2, 3, "of a refresh under way")))
	next, tokens, g := activation(c, "grant_2")
	must(t, s.Activate(context.Background(), next, tokens, g))
	want(t, s.PutSlot(context.Background(), c.Ref, slot(2, 3, "once more")), fault.Conflict)
	got, _, err := s.Slot(context.Background(), c.Ref, 2)
	must(t, err)
	same(t, "the slot", got, tokens)
}
