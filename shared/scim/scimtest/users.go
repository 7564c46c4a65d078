package scimtest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/tenant"
)

const (
	acme  tenant.ID = "acme"
	other tenant.ID = "other"
	racer           = 100
)

// RunStore checks that a store keeps the contract of scim.Store. newStore gives a store without users in the tenants
// "acme" and "other"; it is called once for each test.
func RunStore(t *testing.T, newStore func(t *testing.T) scim.Store) {
	t.Helper()
	tests := map[string]func(*testing.T, scim.Store){
		"Create_ThenGet_GivesAllBack":               createGet,
		"Create_TakenValue_Conflict":                createTaken,
		"Create_SameUserNameAtOnce_OneWins":         createRace,
		"Create_SameExternalIDAtOnce_OneWins":       createExternalRace,
		"Find_ByEachAttribute_FollowsItsCaseRule":   find,
		"Replace_ChangedVersion_Stale":              replaceStale,
		"Replace_FreesOldAndChecksNewValues":        replaceUnique,
		"Replace_AtOnceFromOneVersion_OneWins":      replaceRace,
		"Delete_FreesValuesAndChecksVersion":        deleteUser,
		"List_PagesInOrderOfID_WithoutLossOrRepeat": list,
		"Tenants_SeeNothingOfEachOther":             tenants,
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, newStore(t))
		})
	}
}

func user(id, userName, externalID string) scim.User {
	at := time.Date(2030, 1, 2, 3, 4, 5, 6000000, time.UTC)
	return scim.User{ID: id, UserName: userName, ExternalID: externalID, Active: true,
		Meta: scim.Meta{Created: at, LastModified: at.Add(time.Second), Version: 1}}
}

func bumped(u scim.User) scim.User {
	u.Meta.Version++
	return u
}

func createGet(t *testing.T, s scim.Store) {
	want := user("u1", "Alice@Example.com", "ext-1")
	want.Restoring, want.Title, want.Locale, want.DisplayName = true, "CEO", "de-CH", "Alice Ä"
	want.Name = scim.Name{GivenName: "Alice", Extra: map[string]any{"middleName": "B."}}
	want.Emails = []scim.Email{{Value: "a@example.com", Type: "work", Primary: true, Extra: map[string]any{"display": "A"}}}
	want.Extra = map[string]any{"nickName": "Al", "x": json.Number("9007199254740993"),
		scim.EnterpriseUserSchema: map[string]any{"department": "R&D", "manager": map[string]any{"value": "u0"}}}
	must(t, s.CreateUser(context.Background(), acme, want))
	got, err := s.GetUser(context.Background(), acme, "u1")
	must(t, err)
	if a, b := recordOf(t, got), recordOf(t, want); a != b {
		t.Errorf("GetUser gives\n%s\nwant\n%s", a, b)
	}
	_, err = s.GetUser(context.Background(), acme, "nobody")
	wantCode(t, err, fault.NotFound)
}

func createTaken(t *testing.T, s scim.Store) {
	must(t, s.CreateUser(context.Background(), acme, user("u1", "alice", "E1")))
	wantTaken(t, s.CreateUser(context.Background(), acme, user("u2", "ALICE", "E2")), "userName")
	wantTaken(t, s.CreateUser(context.Background(), acme, user("u2", "bob", "E1")), "externalId")
	must(t, s.CreateUser(context.Background(), acme, user("u2", "bob", "e1"))) // externalId is case exact
	must(t, s.CreateUser(context.Background(), acme, user("u3", "carol", "")))
	must(t, s.CreateUser(context.Background(), acme, user("u4", "dave", ""))) // none is not a value
	_, err := s.FindUser(context.Background(), acme, scim.ByExternalID, "E2") // a refused create leaves no trace
	wantCode(t, err, fault.NotFound)
}

func createRace(t *testing.T, s scim.Store) {
	oneWins(t, scim.Uniqueness, func(i int) error {
		return s.CreateUser(context.Background(), acme, user(fmt.Sprintf("u%03d", i), "alice", fmt.Sprintf("e%d", i)))
	})
	page, err := s.ListUsers(context.Background(), acme, "", racer)
	must(t, err)
	if len(page.Users) != 1 {
		t.Errorf("%d users exist, want 1", len(page.Users))
	}
}

func createExternalRace(t *testing.T, s scim.Store) {
	oneWins(t, scim.Uniqueness, func(i int) error {
		return s.CreateUser(context.Background(), acme, user(fmt.Sprintf("u%03d", i), fmt.Sprintf("n%d", i), "same"))
	})
}

func replaceRace(t *testing.T, s scim.Store) {
	old := user("u1", "alice", "E1")
	must(t, s.CreateUser(context.Background(), acme, old))
	oneWins(t, scim.Precondition, func(i int) error {
		next := bumped(old)
		next.Title = fmt.Sprint(i)
		return s.ReplaceUser(context.Background(), acme, old, next)
	})
}

// oneWins runs f in many goroutines at once; exactly one may succeed, the others must fail with lose.
func oneWins(t *testing.T, lose scim.Type, f func(i int) error) {
	t.Helper()
	var wins atomic.Int32
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range racer {
		wg.Go(func() {
			<-start
			if err := f(i); err == nil {
				wins.Add(1)
			} else if scim.TypeOf(err) != lose {
				t.Errorf("a loser got %v, want a %s failure", err, lose)
			}
		})
	}
	close(start)
	wg.Wait()
	if n := wins.Load(); n != 1 {
		t.Errorf("%d of %d won, want exactly 1", n, racer)
	}
}

func find(t *testing.T, s scim.Store) {
	must(t, s.CreateUser(context.Background(), acme, user("u1", "Alice", "E1")))
	for _, c := range []struct {
		by    scim.Lookup
		value string
		found bool
	}{{scim.ByUserName, "aLICE", true}, {scim.ByUserName, "alic", false}, {scim.ByExternalID, "E1", true},
		{scim.ByExternalID, "e1", false}, {scim.ByExternalID, "", false}, {scim.ByUserName, "E1", false}} {
		u, err := s.FindUser(context.Background(), acme, c.by, c.value)
		if c.found {
			must(t, err)
			if u.ID != "u1" {
				t.Errorf("FindUser(%s, %q) gives %q", c.by, c.value, u.ID)
			}
			continue
		}
		wantCode(t, err, fault.NotFound)
	}
}

func replaceStale(t *testing.T, s scim.Store) {
	v1 := user("u1", "alice", "E1")
	must(t, s.CreateUser(context.Background(), acme, v1))
	v2 := bumped(v1)
	v2.Active = false
	must(t, s.ReplaceUser(context.Background(), acme, v1, v2))
	if err := s.ReplaceUser(context.Background(), acme, v1, v2); !scim.IsStale(err) {
		t.Errorf("a replace from an old version gives %v, want Stale", err)
	}
	got, err := s.GetUser(context.Background(), acme, "u1")
	must(t, err)
	if got.Active || got.Meta.Version != 2 {
		t.Errorf("after the replace: active %v, version %d", got.Active, got.Meta.Version)
	}
	gone := user("gone", "nobody", "")
	wantCode(t, s.ReplaceUser(context.Background(), acme, gone, bumped(gone)), fault.NotFound)
}

func replaceUnique(t *testing.T, s scim.Store) {
	a, b := user("u1", "alice", "E1"), user("u2", "bob", "E2")
	must(t, s.CreateUser(context.Background(), acme, a))
	must(t, s.CreateUser(context.Background(), acme, b))
	next := bumped(a)
	next.UserName = "Bob"
	wantTaken(t, s.ReplaceUser(context.Background(), acme, a, next), "userName")
	next.UserName, next.ExternalID = "alice", "E2"
	wantTaken(t, s.ReplaceUser(context.Background(), acme, a, next), "externalId")
	next.UserName, next.ExternalID = "ALICE", "E1" // only the spelling
	must(t, s.ReplaceUser(context.Background(), acme, a, next))
	moved := bumped(next)
	moved.UserName, moved.ExternalID = "alice2", ""
	must(t, s.ReplaceUser(context.Background(), acme, next, moved))
	must(t, s.CreateUser(context.Background(), acme, user("u3", "alice", "E1"))) // both are free again
}

func deleteUser(t *testing.T, s scim.Store) {
	v1 := user("u1", "alice", "E1")
	must(t, s.CreateUser(context.Background(), acme, v1))
	v2 := bumped(v1)
	must(t, s.ReplaceUser(context.Background(), acme, v1, v2))
	if err := s.DeleteUser(context.Background(), acme, v1); !scim.IsStale(err) {
		t.Errorf("a delete of an old version gives %v, want Stale", err)
	}
	must(t, s.DeleteUser(context.Background(), acme, v2))
	wantCode(t, s.DeleteUser(context.Background(), acme, v2), fault.NotFound)
	_, err := s.FindUser(context.Background(), acme, scim.ByUserName, "alice")
	wantCode(t, err, fault.NotFound)
	must(t, s.CreateUser(context.Background(), acme, user("u2", "alice", "E1")))
}

func list(t *testing.T, s scim.Store) {
	for _, i := range []int{3, 1, 5, 2, 4, 7, 6} {
		must(t, s.CreateUser(context.Background(), acme, user(fmt.Sprintf("u%d", i), fmt.Sprintf("n%d", i), "")))
	}
	var got []string
	for cursor := ""; ; {
		page, err := s.ListUsers(context.Background(), acme, cursor, 3)
		must(t, err)
		if len(page.Users) > 3 {
			t.Fatalf("a page of 3 holds %d", len(page.Users))
		}
		for _, u := range page.Users {
			got = append(got, u.ID)
		}
		if cursor = page.Next; cursor == "" || len(got) > 7 {
			break
		}
	}
	if fmt.Sprint(got) != "[u1 u2 u3 u4 u5 u6 u7]" {
		t.Errorf("ListUsers gives %v", got)
	}
}

func tenants(t *testing.T, s scim.Store) {
	u := user("u1", "alice", "E1")
	must(t, s.CreateUser(context.Background(), acme, u))
	_, err := s.GetUser(context.Background(), other, "u1")
	wantCode(t, err, fault.NotFound)
	_, err = s.FindUser(context.Background(), other, scim.ByUserName, "alice")
	wantCode(t, err, fault.NotFound)
	wantCode(t, s.DeleteUser(context.Background(), other, u), fault.NotFound)
	wantCode(t, s.ReplaceUser(context.Background(), other, u, bumped(u)), fault.NotFound)
	page, err := s.ListUsers(context.Background(), other, "", 10)
	must(t, err)
	if len(page.Users) != 0 {
		t.Errorf("another tenant lists %d users", len(page.Users))
	}
	must(t, s.CreateUser(context.Background(), other, u))
}

func recordOf(t *testing.T, u scim.User) string {
	t.Helper()
	b, err := u.Record()
	must(t, err)
	return string(b)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

func wantTaken(t *testing.T, err error, attribute string) {
	t.Helper()
	if scim.TypeOf(err) != scim.Uniqueness || fault.From(err).Detail["attribute"] != attribute {
		t.Errorf("got %v, want a uniqueness failure of %s", err, attribute)
	}
}
