package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
)

func claimRace(t *testing.T, s Store) {
	seen := make([]string, racers)
	won := winner(t, race(func(n int) error {
		got, err := s.PutClaim(context.Background(), claim("alice", fmt.Sprint(n)), epoch())
		seen[n] = got.Execution
		return err
	}), conflict)
	for n, who := range seen {
		if who != fmt.Sprint(won) {
			t.Errorf("%d won, but %d was told %s", won, n, who)
		}
	}
}

func expiredClaimRace(t *testing.T, s Store) {
	_, err := s.PutClaim(context.Background(), claim("alice", "old"), epoch())
	must(t, err)
	later := epoch().Add(2 * time.Hour)
	winner(t, race(func(n int) error {
		c := claim("alice", fmt.Sprint(n))
		c.Claimed, c.Expires = later, later.Add(time.Hour)
		_, err := s.PutClaim(context.Background(), c, later)
		return err
	}), conflict)
}

func linkRace(t *testing.T, s Store) {
	must(t, s.CreateLink(context.Background(), link(acme, "cl_1"), "h"))
	l, err := s.Link(context.Background(), acme, "cl_1")
	must(t, err)
	l.Status = oauthflow.LinkConfirmed
	won := winner(t, race(func(n int) error {
		mine := l
		mine.Reason = fmt.Sprint(n)
		_, err := s.UpdateLink(context.Background(), mine)
		return err
	}), conflict)
	got, err := s.Link(context.Background(), acme, "cl_1")
	must(t, err)
	if got.Reason != fmt.Sprint(won) || got.Version != 2 {
		t.Errorf("%d won, but the link says %s at version %d", won, got.Reason, got.Version)
	}
}

func keyRace(t *testing.T, s Store) {
	won := winner(t, race(func(n int) error {
		k := wrapped(connection.AccessToken, 1)
		k.Wrapped = fmt.Append(nil, n)
		return s.PutKey(context.Background(), acme, k)
	}), conflict)
	got, ok, err := s.NewestKey(context.Background(), acme, connection.AccessToken)
	must(t, err)
	if !ok || string(got.Wrapped) != fmt.Sprint(won) {
		t.Errorf("%d won, but the key is %q", won, got.Wrapped)
	}
}

// tenantRace lets renamers and one kind of deleter write from the same version: what executions read must follow the
// settings that were stored.
func tenantRace(t *testing.T, s Store) {
	row := openTenant(t, s, acme)
	winner(t, race(func(n int) error {
		mine := row
		if n%2 == 0 {
			mine.Deleted = epoch()
		}
		_, err := s.PutTenant(context.Background(), mine)
		return err
	}), conflict)
	got, err := s.Tenant(context.Background(), acme)
	must(t, err)
	if closed := snapshot(t, s, "github").TenantClosed; closed == got.Deleted.IsZero() {
		t.Errorf("deleted at %v, but closed is %v", got.Deleted, closed)
	}
	_, err = s.PutTenant(context.Background(), dynamo.Tenant{ID: acme, Version: 1})
	want(t, err, fault.Conflict)
}

func suspendRace(t *testing.T, s Store) {
	openTenant(t, s, acme)
	var mu sync.Mutex
	changes := 0
	for _, err := range race(func(int) error {
		changed, err := s.SetSuspended(context.Background(), scope(acme, "alice"), true, "scim")
		mu.Lock()
		defer mu.Unlock()
		if changed {
			changes++
		}
		return err
	}) {
		must(t, err)
	}
	if changes != 1 {
		t.Errorf("%d callers changed it, want 1", changes)
	}
}

func appendRace(t *testing.T, s Store) {
	ctx := context.Background()
	for _, err := range race(func(n int) error {
		r := record(acme, n)
		if err := s.Record(ctx, r); err != nil {
			return err
		}
		_, err := s.Append(ctx, acme, []audit.Record{r})
		return err
	}) {
		must(t, err)
	}
	all, err := s.Segments(ctx, acme)
	must(t, err)
	records, more, err := s.Records(ctx, acme, dynamo.AuditPage{From: epoch().Add(-time.Hour), To: epoch().Add(time.Hour), Limit: 2 * racers})
	must(t, err)
	report := audit.Verify(records, all, epoch().Add(time.Hour), 0)
	if !report.OK() || report.Segments != racers || report.Records != racers || more {
		t.Errorf("%d segments over %d records (more: %v): %v", report.Segments, report.Records, more, report.Problems)
	}
}
