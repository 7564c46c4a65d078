package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"behalf.dev/behalf/functions/refresh"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/tenant"
)

// stocked is a store with n connections that fell due in the last seconds, several in each.
func stocked(t *testing.T, n int) *memory.Store {
	t.Helper()
	s := memory.New(noon)
	for i := range n {
		ref := connection.Ref{Scope: tenant.Scope{Tenant: tenant.ID(fmt.Sprintf("tenant-%d", i%7)), Principal: "alice"}, Connector: "github", ID: connection.ID(fmt.Sprintf("conn_%026d", i))}
		err := s.CreateConnection(t.Context(), connection.Connection{Ref: ref, Status: connection.Active, Refresh: connection.RefreshState{Generation: 1, DueAt: noon().Add(-time.Duration(i/40) * time.Second)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestListDue_InPages_EachOnceAndTheOldestFirst(t *testing.T) {
	t.Parallel()
	s := stocked(t, 400)
	for _, limit := range []int{1, 3, 50, 400, 1000} {
		seen := map[string]bool{}
		var last time.Time
		after, pages := "", 0
		for {
			a, err := refresh.ListDue(t.Context(), s, noon(), after, limit)
			if err != nil {
				t.Fatal(err)
			}
			pages++
			for _, d := range a.Due {
				if seen[d.Connection] || d.At.Before(last) {
					t.Fatalf("limit %d: %s comes twice, or late", limit, d.Connection)
				}
				seen[d.Connection], last = true, d.At
			}
			if after = a.Next; after == "" {
				break
			}
		}
		if len(seen) != 400 || pages != (400+limit-1)/limit {
			t.Errorf("limit %d: %d connections in %d pages", limit, len(seen), pages)
		}
	}
	if a, err := refresh.ListDue(t.Context(), s, noon().Add(-5*time.Second), "", 400); err != nil || len(a.Due) != 200 {
		t.Errorf("%d were due five seconds before, %v", len(a.Due), err)
	}
}

func TestListDue_CursorOfSomebodyElse_IsRefused(t *testing.T) {
	t.Parallel()
	for _, after := range []string{"x", "{}", `{"at":-1}`, `{"at":1,"shard":16}`, `{"at":1,"shard":0,"ref":{"tenant":"#"}}`} {
		if _, err := refresh.ListDue(t.Context(), stocked(t, 1), noon(), after, 10); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: %v", after, err)
		}
	}
}

type dumb struct{}

// Due implements refresh.Due.
func (dumb) Due(context.Context, int, time.Time, connection.Due, int) ([]connection.Due, error) {
	return nil, errors.New("no answer")
}

func TestListDue_IndexFails_IsSaid(t *testing.T) {
	t.Parallel()
	if _, err := refresh.ListDue(t.Context(), dumb{}, noon(), "", 10); err == nil {
		t.Error("no error")
	}
}
