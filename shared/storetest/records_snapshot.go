package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/toolcall"
)

// shards is more than any store has; an index beyond the last shard is empty.
const shards = 64

func snapshot(t *testing.T, s Store, connector string) toolcall.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(context.Background(), scope(acme, "alice"), connector)
	must(t, err)
	return snap
}

func snapshotShadow(t *testing.T, s Store) {
	c := create(t, s, conn(scope(acme, "alice"), "github", 1))
	if got := snapshot(t, s, "github").Connections; len(got) != 1 || got[0].Slot.Access != nil {
		t.Errorf("a connection without tokens is seen as %v", got)
	}
	must(t, s.PutSlot(context.Background(), c.Ref, slot(1, 1, "one")))
	must(t, s.PutSlot(context.Background(), c.Ref, slot(2, 2, "two")))
	same(t, "the slot before the flip", snapshot(t, s, "github").Connections[0].Slot, slot(1, 1, "one"))
	c = update(t, s, c, func(c *connection.Connection) { c.Refresh.Generation = 2 })
	same(t, "the slot after the flip", snapshot(t, s, "github").Connections[0].Slot, slot(2, 2, "two"))
	must(t, s.PutSlot(context.Background(), c.Ref, slot(3, 3, "three"))) // overwrites generation 1
	got := snapshot(t, s, "github").Connections[0]
	same(t, "the slot while the next refresh runs", got.Slot, slot(2, 2, "two"))
	same(t, "the connection", got.Connection, c)
}

func snapshotOrder(t *testing.T, s Store) {
	for _, n := range []int{2, 3, 1} {
		c := create(t, s, conn(scope(acme, "alice"), "github", n))
		must(t, s.PutSlot(context.Background(), c.Ref, slot(1, 1, string(c.ID))))
	}
	create(t, s, conn(scope(acme, "alice"), "githubenterprise", 4))
	create(t, s, conn(scope(acme, "bob"), "github", 5))
	var got []connection.ID
	for _, h := range snapshot(t, s, "github").Connections {
		got = append(got, h.ID)
		if string(h.Slot.Access) != "at "+string(h.ID) {
			t.Errorf("%s is joined with tokens %q", h.ID, h.Slot.Access)
		}
	}
	same(t, "the connections", got, []connection.ID{connID(1), connID(2), connID(3)})
	all, err := s.Connected(context.Background(), scope(acme, "alice"))
	must(t, err)
	if len(all.Connections) != 4 {
		t.Errorf("alice has %d connections, want 4", len(all.Connections))
	}
}

func snapshotRevoked(t *testing.T, s Store) {
	c := create(t, s, conn(scope(acme, "alice"), "github", 1))
	must(t, s.PutSlot(context.Background(), c.Ref, slot(1, 1, "one")))
	update(t, s, c, func(c *connection.Connection) { *c = c.Revoke("asked", epoch()) })
	got := snapshot(t, s, "github").Connections
	if len(got) != 1 || got[0].Status != connection.Revoked || got[0].Slot.Access != nil || got[0].Slot.Refresh != nil {
		t.Errorf("a revoked connection is seen as %+v", got)
	}
}

func snapshotGates(t *testing.T, s Store) {
	gates := func(closed, suspended bool) {
		t.Helper()
		if got := snapshot(t, s, "github"); got.TenantClosed != closed || got.Suspended != suspended {
			t.Errorf("closed %v, suspended %v; want %v, %v", got.TenantClosed, got.Suspended, closed, suspended)
		}
	}
	gates(true, false) // a tenant that nobody created
	row := openTenant(t, s, acme)
	gates(false, false)
	_, err := s.SetSuspended(context.Background(), scope(acme, "alice"), true, "scim")
	must(t, err)
	gates(false, true)
	row.Deleted = epoch()
	_, err = s.PutTenant(context.Background(), row)
	must(t, err)
	gates(true, true)
}

func allDue(t *testing.T, s Store, now time.Time) (out []connection.Due) {
	t.Helper()
	for shard := range shards {
		page, err := s.Due(context.Background(), shard, now, connection.Due{}, 100)
		must(t, err)
		out = append(out, page...)
	}
	return out
}

// duePages reads a shard in small pages, over equal times too.
func duePages(t *testing.T, s Store) {
	for n := range 60 {
		c := conn(scope(acme, "alice"), "github", n)
		c.Refresh.DueAt = epoch().Add(time.Duration(n/20) * time.Second)
		create(t, s, c)
	}
	now, seen, later := epoch().Add(time.Hour), map[connection.Ref]time.Time{}, 0
	for shard := range shards {
		for after := (connection.Due{}); ; {
			page, err := s.Due(context.Background(), shard, now, after, 2)
			must(t, err)
			if len(page) > 2 {
				t.Fatalf("a page of %d", len(page))
			}
			if len(page) == 0 {
				break
			}
			for _, d := range page {
				if !seen[d.Ref].IsZero() || d.At.Before(after.At) {
					t.Errorf("%s comes twice, or late", d.ID)
				}
				seen[d.Ref], after = d.At, d
			}
		}
	}
	from := epoch().Truncate(time.Second).Add(time.Second)
	for shard := range shards {
		page, err := s.Due(context.Background(), shard, now, connection.Due{At: from}, 100)
		must(t, err)
		for ref, at := range seen {
			listed := slices.ContainsFunc(page, func(d connection.Due) bool { return d.Ref == ref })
			if listed && at.Before(from) {
				t.Errorf("%s was due before %v", ref.ID, from)
			}
		}
		later += len(page)
	}
	if none, err := s.Due(context.Background(), 0, now, connection.Due{At: now.Add(time.Hour)}, 100); err != nil || len(none) > 0 {
		t.Errorf("from after the end: %v, %v", none, err)
	}
	if later != 40 {
		t.Errorf("%d of 40 are due from the second second on", later)
	}
	for n := range 60 {
		c := conn(scope(acme, "alice"), "github", n)
		if want := epoch().Truncate(time.Second).Add(time.Duration(n/20) * time.Second); !seen[c.Ref].Equal(want) {
			t.Errorf("%s is due at %v, want %v", c.ID, seen[c.Ref], want)
		}
	}
}

func dueStatus(t *testing.T, s Store) {
	now := epoch()
	cases := []struct {
		status  connection.Status
		due     time.Time
		pending time.Time
		want    bool
	}{
		{connection.Active, now.Add(-time.Second), time.Time{}, true},
		{connection.Active, now, time.Time{}, true},
		{connection.Active, now.Add(2 * time.Second), time.Time{}, false},
		{connection.Active, time.Time{}, time.Time{}, false},
		{connection.Pending, time.Time{}, now.Add(-time.Second), true},
		{connection.Pending, now.Add(-time.Hour), now.Add(time.Hour), false},
		{connection.Paused, now.Add(-time.Hour), time.Time{}, false},
		{connection.ReauthorizationRequired, now.Add(-time.Hour), time.Time{}, false},
		{connection.Revoked, now.Add(-time.Hour), time.Time{}, false},
	}
	for n, x := range cases {
		c := create(t, s, conn(scope(acme, "alice"), "github", n))
		update(t, s, c, func(c *connection.Connection) {
			c.Status, c.Refresh.DueAt, c.PendingUntil = x.status, x.due, x.pending
		})
	}
	found := map[connection.ID]bool{}
	for _, ref := range allDue(t, s, now) {
		found[ref.ID] = true
	}
	for n, x := range cases {
		if found[connID(n)] != x.want {
			t.Errorf("%s, due %v after now, pending until %v after now: found %v", x.status, x.due.Sub(now), x.pending.Sub(now), found[connID(n)])
		}
	}
}

func dueOrder(t *testing.T, s Store) {
	at := map[connection.ID]time.Time{}
	for n := range 40 {
		c := conn(scope(acme, "alice"), "github", n)
		c.Refresh.DueAt = epoch().Add(-time.Duration((n*7)%40) * time.Minute)
		create(t, s, c)
		at[c.ID] = c.Refresh.DueAt
	}
	create(t, s, conn(scope(other, "bob"), "slack", 50))
	seen := map[connection.Ref]bool{}
	for shard := range shards {
		all, err := s.Due(context.Background(), shard, epoch().Add(time.Hour), connection.Due{}, 100)
		must(t, err)
		for i, ref := range all {
			if i > 0 && at[ref.ID].Before(at[all[i-1].ID]) && ref.Tenant == acme {
				t.Errorf("shard %d: %s comes after one that is due later", shard, ref.ID)
			}
			if seen[ref.Ref] {
				t.Errorf("%s is in two shards", ref.ID)
			}
			seen[ref.Ref] = true
		}
		few, err := s.Due(context.Background(), shard, epoch().Add(time.Hour), connection.Due{}, 1)
		must(t, err)
		if len(few) > 1 || len(all) > 0 && few[0] != all[0] {
			t.Errorf("shard %d: the first one is %v of %v", shard, few, all)
		}
	}
	if len(seen) != 41 || !seen[conn(scope(other, "bob"), "slack", 50).Ref] {
		t.Errorf("%d of 41 are found", len(seen))
	}
}
