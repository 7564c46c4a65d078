package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

// racers is how many goroutines contend.
const racers = 100

// Contention is the third tier: what ConditionalWrites demands, with a hundred writers at once.
func Contention(t *testing.T, open func(t *testing.T) Store) {
	run(t, open, map[string]test{
		"Lease_OneWinnerPerGeneration":      leaseRace,
		"UpdateConnection_NoIncrementLost":  incrementRace,
		"Activate_OneWinsWhole":             activateRace,
		"ActivateAndFlip_OneGenerationEach": flipRace,
		"PutSlot_HighestFenceStays":         slotRace,
		"PutClaim_OneWins":                  claimRace,
		"PutClaim_Expired_OneTakesItsPlace": expiredClaimRace,
		"Link_ConsumedOnce":                 linkRace,
		"PutKey_OneWins":                    keyRace,
		"PutTenant_SettingsAndGateAgree":    tenantRace,
		"SetSuspended_OneChanges":           suspendRace,
		"Append_ChainWithoutGaps":           appendRace,
	})
}

// race runs f in many goroutines at once and returns their errors.
func race(f func(n int) error) []error {
	errs := make([]error, racers)
	start := make(chan struct{})
	var all sync.WaitGroup
	for n := range racers {
		all.Go(func() {
			<-start
			errs[n] = f(n)
		})
	}
	close(start)
	all.Wait()
	return errs
}

// winner checks that exactly one succeeded and the others failed as told, and returns who.
func winner(t *testing.T, errs []error, loses func(error) bool) int {
	t.Helper()
	who := -1
	for n, err := range errs {
		switch {
		case err == nil && who >= 0:
			t.Fatalf("both %d and %d won", who, n)
		case err == nil:
			who = n
		case !loses(err):
			t.Errorf("loser %d got %v", n, err)
		}
	}
	if who < 0 {
		t.Fatal("nobody won")
	}
	return who
}

func conflict(err error) bool { return fault.Is(err, fault.Conflict) }

var errHeld = errors.New("held by another")

func leaseRace(t *testing.T, s Store) {
	ctx := context.Background()
	c := conn(scope(acme, "alice"), "github", 1)
	c.Refresh = connection.RefreshState{Generation: 1}
	c = create(t, s, c)
	for g := uint64(1); g <= 3; g++ {
		won := winner(t, race(func(n int) error {
			_, err := s.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) {
				if x.Refresh.Generation != g || x.Refresh.LeaseOwner != "" {
					return x, errHeld
				}
				x.Refresh.Fence++
				x.Refresh.LeaseOwner = fmt.Sprint(n)
				return x, nil
			})
			return err
		}), func(err error) bool { return errors.Is(err, errHeld) })
		got := read(t, s, c.Ref)
		if got.Refresh.LeaseOwner != fmt.Sprint(won) || got.Refresh.Fence != g {
			t.Fatalf("generation %d: %d won, but the lease is %q at fence %d", g, won, got.Refresh.LeaseOwner, got.Refresh.Fence)
		}
		c = update(t, s, got, func(c *connection.Connection) { c.Refresh.Generation, c.Refresh.LeaseOwner = g+1, "" })
	}
}

func incrementRace(t *testing.T, s Store) {
	c := conn(scope(acme, "alice"), "github", 1)
	c.Refresh.Fence, c.Refresh.Fails = 0, 0
	c = create(t, s, c)
	var mu sync.Mutex
	fences := map[uint64]bool{}
	for _, err := range race(func(int) error {
		got, err := s.UpdateConnection(context.Background(), c, func(x connection.Connection) (connection.Connection, error) {
			x.Refresh.Fence++
			x.Refresh.Fails++
			return x, nil
		})
		mu.Lock()
		defer mu.Unlock()
		fences[got.Refresh.Fence] = true
		return err
	}) {
		must(t, err)
	}
	got := read(t, s, c.Ref)
	if got.Refresh.Fence != racers || got.Refresh.Fails != racers || got.Version != racers+1 {
		t.Errorf("fence %d, fails %d, version %d after %d increments", got.Refresh.Fence, got.Refresh.Fails, got.Version, racers)
	}
	for f := uint64(1); f <= racers; f++ {
		if !fences[f] {
			t.Errorf("nobody was given fence %d", f)
		}
	}
}

func activateRace(t *testing.T, s Store) {
	c := create(t, s, conn(scope(acme, "alice"), "github", 1))
	won := winner(t, race(func(n int) error {
		next, tokens, g := activation(c, connection.GrantID(fmt.Sprintf("grant_%d", n+2)))
		return s.Activate(context.Background(), next, tokens, g)
	}), conflict)
	got := read(t, s, c.Ref)
	have, ok, err := s.Slot(context.Background(), c.Ref, 2)
	must(t, err)
	grant := fmt.Sprintf("grant_%d", won+2)
	if string(got.Grant) != grant || !ok || string(have.Access) != "at "+grant || got.Refresh.Generation != 2 {
		t.Errorf("%s won; stored are grant %s, generation %d, tokens %q", grant, got.Grant, got.Refresh.Generation, have.Access)
	}
}

// flipRace mixes reconnects with a refresher's flip: each generation belongs to exactly one of them.
func flipRace(t *testing.T, s Store) {
	ctx := context.Background()
	c := create(t, s, conn(scope(acme, "alice"), "github", 1))
	must(t, s.PutSlot(ctx, c.Ref, slot(2, c.Refresh.Fence, "refreshed")))
	lost := func(err error) bool { return conflict(err) || errors.Is(err, errHeld) }
	won := winner(t, race(func(n int) error {
		if n%2 == 0 {
			next, tokens, g := activation(c, connection.GrantID(fmt.Sprintf("grant_%d", n+2)))
			return s.Activate(ctx, next, tokens, g)
		}
		_, err := s.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) {
			if x.Refresh.Generation != 1 || x.Refresh.Fence != c.Refresh.Fence {
				return x, errHeld
			}
			x.Refresh.Generation, x.Reason = 2, fmt.Sprint(n)
			return x, nil
		})
		return err
	}), lost)
	got := read(t, s, c.Ref)
	have, _, err := s.Slot(ctx, c.Ref, 2)
	must(t, err)
	wanted := "at refreshed"
	if won%2 == 0 {
		wanted = fmt.Sprintf("at grant_%d", won+2)
	}
	if got.Refresh.Generation != 2 || string(have.Access) != wanted {
		t.Errorf("%d won; generation %d with tokens %q, want %q", won, got.Refresh.Generation, have.Access, wanted)
	}
}

func slotRace(t *testing.T, s Store) {
	ref := conn(scope(acme, "alice"), "github", 1).Ref
	errs := race(func(n int) error { return s.PutSlot(context.Background(), ref, slot(2, uint64(n+1), fmt.Sprint(n))) })
	if errs[racers-1] != nil {
		t.Errorf("the highest fence was refused: %v", errs[racers-1])
	}
	for n, err := range errs {
		if err != nil && !conflict(err) {
			t.Errorf("fence %d got %v", n+1, err)
		}
	}
	got, _, err := s.Slot(context.Background(), ref, 2)
	must(t, err)
	same(t, "the slot", got, slot(2, racers, fmt.Sprint(racers-1)))
}
