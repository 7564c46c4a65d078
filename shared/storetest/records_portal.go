package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
)

func visits(t *testing.T, s Store) {
	ctx := context.Background()
	v := dynamo.Visit{Scope: scope(acme, "alice"), ReturnURL: "https://app.example/", Guard: "g", Expires: epoch().Add(time.Hour)}
	_, err := s.Visit(ctx, acme, "h1")
	want(t, err, fault.NotFound)
	made, err := s.PutVisit(ctx, "h1", v)
	must(t, err)
	_, err = s.PutVisit(ctx, "h1", v)
	want(t, err, fault.Conflict)
	got, err := s.Visit(ctx, acme, "h1")
	must(t, err)
	same(t, "the visit", got, made)
	_, err = s.Visit(ctx, other, "h1")
	want(t, err, fault.NotFound)
	made.Opened = true
	_, err = s.PutVisit(ctx, "h1", made)
	must(t, err)
	_, err = s.PutVisit(ctx, "h1", made) // of two that open it, one does
	want(t, err, fault.Conflict)
}

func activities(t *testing.T, s Store) {
	ctx, alice := context.Background(), scope(acme, "alice")
	none, err := s.Activities(ctx, alice)
	must(t, err)
	if len(none) != 0 {
		t.Errorf("%v before anything was done", none)
	}
	entry := func(n int) audit.Activity {
		return audit.Activity{ID: fmt.Sprintf("aud_%03d", n), Time: epoch().Add(time.Duration(n) * time.Second), Connector: "github", Connection: "conn_1", Tool: "t", Outcome: "succeeded"}
	}
	for n := range audit.RecentActivities + 5 {
		must(t, s.AddActivities(ctx, alice, []audit.Activity{entry(n ^ 1), entry(n)}))
	}
	got, err := s.Activities(ctx, alice)
	must(t, err)
	if len(got) != audit.RecentActivities || got[0].ID != entry(audit.RecentActivities+5).ID || got[1].ID != entry(audit.RecentActivities+4).ID {
		t.Errorf("%d entries, newest %v", len(got), got[:2])
	}
	for i := 1; i < len(got); i++ {
		if !got[i].Time.Before(got[i-1].Time) {
			t.Errorf("%s stands behind %s", got[i].ID, got[i-1].ID)
		}
	}
	bob, err := s.Activities(ctx, scope(acme, "bob"))
	must(t, err)
	if len(bob) != 0 {
		t.Errorf("bob is shown %v", bob)
	}
}
