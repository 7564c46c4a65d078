package storetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/ident"
	"behalf.dev/behalf/shared/tenant"
)

func tenantWhole(t *testing.T, s Store) {
	_, err := s.Tenant(context.Background(), acme)
	want(t, err, fault.NotFound)
	put := openTenant(t, s, acme)
	got, err := s.Tenant(context.Background(), acme)
	must(t, err)
	same(t, "the tenant", got, put)
	if got.Version != 1 || put.Version != 1 {
		t.Errorf("versions %d and %d, want 1", got.Version, put.Version)
	}
	_, err = s.Tenant(context.Background(), other)
	want(t, err, fault.NotFound)
}

func tenantLogo(t *testing.T, s Store) {
	ctx := context.Background()
	expect := func(id tenant.ID, want string) {
		t.Helper()
		got, err := s.Logo(ctx, id)
		must(t, err)
		same(t, "the logo", got, want)
	}
	expect(acme, "")
	big := "data:image/png;base64," + strings.Repeat("A", 88<<10)
	for _, logo := range []string{"data:image/png;base64,eA==", big, "", big} {
		must(t, s.PutLogo(ctx, acme, logo))
		expect(acme, logo)
	}
	must(t, s.PutLogo(ctx, other, ""))
	expect(other, "")
}

func tenantList(t *testing.T, s Store) {
	ctx := context.Background()
	for _, id := range []tenant.ID{"t3", "t1", "t5", "t2", "t4", "t6"} {
		must(t, s.ListTenant(ctx, id, false))
	}
	must(t, s.ListTenant(ctx, "t4", true))
	for _, limit := range []int{1, 2, 3, 6, 9} {
		var got []tenant.ID
		after := tenant.ID("")
		for range 20 {
			page, next, err := s.Tenants(ctx, after, limit)
			must(t, err)
			got = append(got, page...)
			if after = next; next == "" {
				break
			}
		}
		same(t, "the list", got, []tenant.ID{"t1", "t2", "t3", "t5", "t6"})
	}
}

func suspended(t *testing.T, s Store) {
	ctx, alice := context.Background(), scope(acme, "alice")
	_, err := s.Suspended(ctx, alice)
	want(t, err, fault.NotFound) // no such tenant
	row := openTenant(t, s, acme)
	for _, x := range []struct{ to, changed bool }{{false, false}, {true, true}, {true, false}, {false, true}, {true, true}} {
		changed, err := s.SetSuspended(ctx, alice, x.to, "scim")
		must(t, err)
		got, err := s.Suspended(ctx, alice)
		must(t, err)
		if changed != x.changed || got != x.to {
			t.Errorf("set to %v: changed %v, now %v", x.to, changed, got)
		}
	}
	if bob, err := s.Suspended(ctx, scope(acme, "bob")); bob || err != nil {
		t.Errorf("bob is suspended with alice (%v)", err)
	}
	row.Deleted = epoch()
	_, err = s.PutTenant(ctx, row)
	must(t, err)
	_, err = s.Suspended(ctx, scope(acme, "bob"))
	want(t, err, fault.NotFound)
}

func auditPages(t *testing.T, s Store) {
	ctx := context.Background()
	var all []audit.Record
	for n := range 9 {
		r := record(acme, n)
		r.Time = r.Time.Add(time.Duration(n*20) * time.Minute) // over several hours
		all = append(all, r)
		must(t, s.Record(ctx, r))
	}
	must(t, s.Record(ctx, record(other, 20)))
	_, err := s.Append(ctx, acme, all) // makes their hours known
	must(t, err)
	ask := dynamo.AuditPage{From: all[1].Time, To: all[8].Time, Limit: 2}
	var got []audit.Record
	for range 10 {
		page, more, err := s.Records(ctx, acme, ask)
		must(t, err)
		if len(page) > 2 {
			t.Fatalf("a page of 2 holds %d", len(page))
		}
		got = append(got, page...)
		if !more {
			break
		}
		last := page[len(page)-1]
		ask.Before, ask.BeforeID = last.Time, last.ID
	}
	wanted := slices.Clone(all[1:8])
	slices.Reverse(wanted)
	same(t, "the records", got, wanted)
	even, _, err := s.Records(ctx, acme, dynamo.AuditPage{From: all[0].Time, To: epoch().Add(24 * time.Hour), Limit: 50, Keep: func(r audit.Record) bool { return r.Generation%2 == 0 }})
	must(t, err)
	if len(even) != 5 {
		t.Errorf("%d of 5 are kept", len(even))
	}
}

func segments(t *testing.T, s Store) {
	ctx := context.Background()
	for n := range 12 {
		seg, err := s.Append(ctx, acme, []audit.Record{record(acme, n)})
		must(t, err)
		if seg.Seq != uint64(n+1) {
			t.Errorf("segment %d is numbered %d", n+1, seg.Seq)
		}
	}
	all, err := s.Segments(ctx, acme)
	must(t, err)
	if len(all) != 12 || all[11].Seq != 12 {
		t.Fatalf("%d segments, want 12 in order", len(all))
	}
	none, err := s.Segments(ctx, other)
	must(t, err)
	if len(none) != 0 {
		t.Error("another tenant has segments")
	}
}

func execution(t *testing.T, s Store) {
	ctx := context.Background()
	at := epoch().Truncate(time.Hour).Add(time.Hour - 5*time.Millisecond)
	ids := ident.NewSource(func() time.Time { return at }, nil)
	id, foreign := ids.New("exec"), ids.New("exec")
	for n, r := range []audit.Record{{Execution: id, Kind: audit.ExecutionIntent}, {Execution: foreign, Kind: audit.ExecutionIntent}, {Execution: id, Kind: audit.ExecutionOutcome}} {
		r.Tenant, r.Time = acme, at.Add(time.Duration(n)*3*time.Second) // the last ones in the next hour
		later := ident.NewSource(func() time.Time { return r.Time }, nil)
		r.ID = later.New("aud")
		must(t, s.Record(ctx, r))
	}
	got, err := s.Execution(ctx, acme, id, at)
	must(t, err)
	if len(got) != 2 || got[0].Kind != audit.ExecutionIntent || got[1].Kind != audit.ExecutionOutcome {
		t.Errorf("%+v", got)
	}
	none, err := s.Execution(ctx, other, id, at)
	must(t, err)
	if len(none) != 0 {
		t.Errorf("another tenant sees %+v", none)
	}
}

func appendAgain(t *testing.T, s Store) {
	ctx := context.Background()
	batch := []audit.Record{record(acme, 1), record(acme, 2)}
	for _, again := range [][]audit.Record{batch, batch, batch[:1], batch[1:]} {
		seg, err := s.Append(ctx, acme, again)
		must(t, err)
		if seg.Seq != 1 || len(seg.Records) != 2 {
			t.Errorf("%d of 2 records again: segment %d of %d", len(again), seg.Seq, len(seg.Records))
		}
	}
	seg, err := s.Append(ctx, acme, append(batch, record(acme, 3)))
	must(t, err)
	if seg.Seq != 2 {
		t.Error("a record that was not sealed yet was dropped")
	}
}

func unkept(t *testing.T, s Store) {
	ctx := context.Background()
	for n := range 5 {
		_, err := s.Append(ctx, acme, []audit.Record{record(acme, n)})
		must(t, err)
	}
	_, err := s.Append(ctx, other, []audit.Record{record(other, 9)})
	must(t, err)
	first, mark, err := s.Unkept(ctx, acme, 2)
	must(t, err)
	if len(first) != 2 || first[0].Seq != 1 || mark.Seq != 0 {
		t.Fatalf("%d segments behind %d", len(first), mark.Seq)
	}
	must(t, s.SetKept(ctx, acme, mark, 2))
	must(t, s.SetKept(ctx, acme, mark, 1)) // another sealer that started with the same mark, and was slower
	rest, mark, err := s.Unkept(ctx, acme, 100)
	must(t, err)
	if len(rest) != 3 || rest[0].Seq != 3 || mark.Seq != 2 {
		t.Fatalf("%d segments behind %d", len(rest), mark.Seq)
	}
	must(t, s.SetKept(ctx, acme, mark, 5))
	none, _, err := s.Unkept(ctx, acme, 100)
	must(t, err)
	if len(none) != 0 {
		t.Errorf("%d segments are left", len(none))
	}
}
