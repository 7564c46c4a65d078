package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

func hasEnded(t *testing.T, s Store, who tenant.Scope, session string, parents ...string) bool {
	t.Helper()
	g, err := s.Gates(context.Background(), who)
	must(t, err)
	return g.Ended.Has(authn.Session{ID: session, Parents: parents, Issued: epoch()})
}

func endSession(t *testing.T, s Store) {
	ctx, alice, bob := context.Background(), scope(acme, "alice"), scope(acme, "bob")
	openTenant(t, s, acme)
	if hasEnded(t, s, alice, "sess_1") {
		t.Error("a session has ended that nobody ended")
	}
	must(t, s.EndSession(ctx, alice, "sess_1", epoch()))
	must(t, s.EndSession(ctx, alice, "sess_1", epoch()))
	for _, suspend := range []bool{true, false} {
		changed, err := s.SetSuspended(ctx, alice, suspend, "scim")
		must(t, err)
		if g, _ := s.Gates(ctx, alice); !changed || g.Suspended != suspend {
			t.Errorf("suspended %v, want %v", g.Suspended, suspend)
		}
		if !hasEnded(t, s, alice, "sess_1") || !hasEnded(t, s, alice, "sess_2", "sess_0", "sess_1") {
			t.Error("an ended session, or one made from it, lives")
		}
	}
	if !snapshot(t, s, "github").Ended.Has(authn.Session{ID: "sess_1"}) {
		t.Error("the snapshot does not tell")
	}
	if hasEnded(t, s, alice, "sess_2") || hasEnded(t, s, bob, "sess_1") || hasEnded(t, s, scope(other, "alice"), "sess_1") {
		t.Error("another session has ended too")
	}
	must(t, s.EndSession(ctx, alice, "sess_3", epoch().Add(2*authn.MaxSessionTTL)))
	if hasEnded(t, s, alice, "sess_1") || !hasEnded(t, s, alice, "sess_3") {
		t.Error("what has long expired is still kept, or what has not is not")
	}
}

func endSessions(t *testing.T, s Store) {
	ctx, alice := context.Background(), scope(acme, "alice")
	openTenant(t, s, acme)
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for again := range 50 {
				err := s.EndSession(ctx, alice, fmt.Sprintf("sess_%d", n), epoch())
				if err == nil {
					return
				}
				if !fault.Is(err, fault.RateLimited) || again == 49 {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	for n := range 4 {
		if !hasEnded(t, s, alice, fmt.Sprintf("sess_%d", n)) {
			t.Errorf("session %d lives", n)
		}
	}
}

func issuerCycle(t *testing.T, s Store) {
	ctx := context.Background()
	_, err := s.Issuer(ctx, acme)
	want(t, err, fault.NotFound)
	x := authn.Issuer{Issuer: "https://idp.example", Audience: "app", PrincipalClaim: "sub", JWKSURI: "https://idp.example/keys", Created: epoch(), Updated: epoch().Add(time.Hour)}
	must(t, s.PutIssuer(ctx, acme, x))
	want(t, s.PutIssuer(ctx, acme, x), fault.Conflict)
	got, err := s.Issuer(ctx, acme)
	must(t, err)
	if got.Version != 1 {
		t.Errorf("a new issuer has version %d", got.Version)
	}
	same(t, "the issuer", got, x)
	got.Audience = "other"
	must(t, s.PutIssuer(ctx, acme, got))
	_, err = s.Issuer(ctx, other)
	want(t, err, fault.NotFound)
	if again, err := s.Issuer(ctx, acme); err != nil || again.Version != 2 || again.Audience != "other" {
		t.Errorf("%+v, %v", again, err)
	}
	must(t, s.DeleteIssuer(ctx, acme))
	must(t, s.DeleteIssuer(ctx, acme))
	_, err = s.Issuer(ctx, acme)
	want(t, err, fault.NotFound)
}
