package dynamo_test

import (
	"fmt"
	"testing"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/scim/scimtest"
	"behalf.dev/behalf/shared/tenant"
)

func TestSCIMStore_Users(t *testing.T) {
	t.Parallel()
	scimtest.RunStore(t, func(t *testing.T) scim.Store {
		db, _ := embedded(t)
		return db
	})
}

func TestSCIMStore_Groups(t *testing.T) {
	t.Parallel()
	scimtest.RunGroupStore(t, func(t *testing.T) scim.GroupStore {
		db, _ := embedded(t)
		return db
	})
}

const acme tenant.ID = "acme"

func group(version int64, members ...string) scim.Group {
	g := scim.Group{ID: "g1", DisplayName: "All", Meta: scim.Meta{Created: clock(), LastModified: clock().Add(time.Duration(version) * time.Second), Version: version}}
	for _, m := range members {
		g.Members = append(g.Members, scim.Reference{Value: m})
	}
	return g
}

func many(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("user-%04d", i)
	}
	return out
}

func TestReplaceGroup_MoreMembersThanATransactionHolds_AllFound(t *testing.T) {
	t.Parallel()
	db, _ := embedded(t)
	v1, v2 := group(1), group(2, many(250)...)
	if err := db.CreateGroup(t.Context(), acme, v1); err != nil {
		t.Fatal(err)
	}
	if err := db.ReplaceGroup(t.Context(), acme, v1, v2); err != nil {
		t.Fatal(err)
	}
	wantGroups(t, db, "user-0000", 1)
	wantGroups(t, db, "user-0249", 1)
	if err := db.ReplaceGroup(t.Context(), acme, v2, group(3, many(1)...)); err != nil {
		t.Fatal(err)
	}
	wantGroups(t, db, "user-0000", 1)
	wantGroups(t, db, "user-0249", 0)
}

// A writer that dies or loses between the rows and the record leaves rows too many; nobody may see them.
func TestGroupsOf_RowsOfARefusedWrite_AreNotSeen(t *testing.T) {
	t.Parallel()
	db, _ := embedded(t)
	v1 := group(1, "u1")
	if err := db.CreateGroup(t.Context(), acme, v1); err != nil {
		t.Fatal(err)
	}
	if err := db.ReplaceGroup(t.Context(), acme, v1, group(2, "u1")); err != nil {
		t.Fatal(err)
	}
	if err := db.ReplaceGroup(t.Context(), acme, v1, group(2, "u1", "u2")); !scim.IsStale(err) {
		t.Fatalf("a stale replace gives %v", err)
	}
	wantGroups(t, db, "u2", 0)
	wantGroups(t, db, "u1", 1)
}

// The slow half of a removal must not take away the row of a member who was added again meanwhile.
func TestReplaceGroup_LateCleanUpAfterANewerWrite_KeepsTheMember(t *testing.T) {
	t.Parallel()
	db, a := embedded(t)
	v1, v2, v3 := group(1, "u1"), group(2), group(3, "u1")
	if err := db.CreateGroup(t.Context(), acme, v1); err != nil {
		t.Fatal(err)
	}
	a.Faults().Hook("dynamodb:DeleteItem", 1, nil, func() {
		if err := db.ReplaceGroup(t.Context(), acme, v2, v3); err != nil {
			t.Error(err)
		}
	})
	if err := db.ReplaceGroup(t.Context(), acme, v1, v2); err != nil {
		t.Fatal(err)
	}
	wantGroups(t, db, "u1", 1)
}

func TestCreateUser_TooLarge_Refused(t *testing.T) {
	t.Parallel()
	db, _ := embedded(t)
	u := scim.User{ID: "u1", UserName: "u1", Title: string(make([]byte, 400<<10)), Meta: scim.Meta{Created: clock(), LastModified: clock(), Version: 1}}
	if err := db.CreateUser(t.Context(), acme, u); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("got %v, want invalid_input", err)
	}
}

func wantGroups(t *testing.T, s scim.GroupReader, member string, n int) {
	t.Helper()
	refs, err := s.GroupsOf(t.Context(), acme, member)
	if err != nil {
		t.Fatal(err)
	}
	if len(refs) != n {
		t.Errorf("%s is in %v, want %d groups", member, refs, n)
	}
}
