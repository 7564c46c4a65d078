package scimtest

import (
	"context"
	"fmt"
	"testing"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/scim"
)

// RunGroupStore checks that a store keeps the contract of scim.GroupStore, as RunStore does for users.
func RunGroupStore(t *testing.T, newStore func(t *testing.T) scim.GroupStore) {
	t.Helper()
	tests := map[string]func(*testing.T, scim.GroupStore){
		"Group_CreateReplaceDelete_OnVersion": groupCycle,
		"Group_ExternalID_Unique":             groupUnique,
		"GroupsOf_FollowsMembership":          groupsOf,
		"Group_ReplacedAtOnce_OneWins":        groupRace,
		"ListGroups_PagesInOrderOfID":         groupList,
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, newStore(t))
		})
	}
}

func group(id, externalID string, members ...string) scim.Group {
	g := scim.Group{ID: id, ExternalID: externalID, DisplayName: "Group " + id, Meta: user("", "", "").Meta}
	for _, m := range members {
		g.Members = append(g.Members, scim.Reference{Value: m, Display: "Member " + m})
	}
	return g
}

func bumpedGroup(g scim.Group) scim.Group {
	g.Meta.Version++
	return g
}

func groupCycle(t *testing.T, s scim.GroupStore) {
	v1 := group("g1", "E1", "u1", "u2")
	v1.Extra = map[string]any{"urn:x:1.0:Group": map[string]any{"k": "v"}}
	must(t, s.CreateGroup(context.Background(), acme, v1))
	got, err := s.GetGroup(context.Background(), acme, "g1")
	must(t, err)
	a, _ := got.Record()
	b, _ := v1.Record()
	if string(a) != string(b) {
		t.Errorf("GetGroup gives\n%s\nwant\n%s", a, b)
	}
	v2 := bumpedGroup(v1)
	must(t, s.ReplaceGroup(context.Background(), acme, v1, v2))
	if err := s.ReplaceGroup(context.Background(), acme, v1, v2); !scim.IsStale(err) {
		t.Errorf("a replace from an old version gives %v, want Stale", err)
	}
	if err := s.DeleteGroup(context.Background(), acme, v1); !scim.IsStale(err) {
		t.Errorf("a delete of an old version gives %v, want Stale", err)
	}
	_, err = s.GetGroup(context.Background(), other, "g1")
	wantCode(t, err, fault.NotFound)
	wantCode(t, s.DeleteGroup(context.Background(), other, v2), fault.NotFound)
	must(t, s.DeleteGroup(context.Background(), acme, v2))
	_, err = s.GetGroup(context.Background(), acme, "g1")
	wantCode(t, err, fault.NotFound)
}

func groupUnique(t *testing.T, s scim.GroupStore) {
	a := group("g1", "E1")
	must(t, s.CreateGroup(context.Background(), acme, a))
	wantTaken(t, s.CreateGroup(context.Background(), acme, group("g2", "E1")), "externalId")
	must(t, s.CreateGroup(context.Background(), acme, group("g3", "")))
	must(t, s.CreateGroup(context.Background(), acme, group("g4", "")))
	must(t, s.DeleteGroup(context.Background(), acme, a))
	must(t, s.CreateGroup(context.Background(), acme, group("g2", "E1")))
}

func groupsOf(t *testing.T, s scim.GroupStore) {
	g1 := group("g1", "", "u1", "u2")
	must(t, s.CreateGroup(context.Background(), acme, g1))
	must(t, s.CreateGroup(context.Background(), acme, group("g2", "", "u1")))
	wantGroups(t, s, "u1", "[g1 g2]")
	wantGroups(t, s, "u2", "[g1]")
	next := bumpedGroup(g1)
	next.Members = next.Members[:1]
	must(t, s.ReplaceGroup(context.Background(), acme, g1, next))
	wantGroups(t, s, "u2", "[]")
	must(t, s.DeleteGroup(context.Background(), acme, next))
	wantGroups(t, s, "u1", "[g2]")
}

func wantGroups(t *testing.T, s scim.GroupStore, member, want string) {
	t.Helper()
	refs, err := s.GroupsOf(context.Background(), acme, member)
	must(t, err)
	ids := []string{}
	for _, r := range refs {
		ids = append(ids, r.Value)
	}
	if fmt.Sprint(ids) != want {
		t.Errorf("GroupsOf(%s) gives %v, want %s", member, ids, want)
	}
}

func groupRace(t *testing.T, s scim.GroupStore) {
	old := group("g1", "")
	must(t, s.CreateGroup(context.Background(), acme, old))
	oneWins(t, scim.Precondition, func(i int) error {
		next := bumpedGroup(old)
		next.DisplayName = fmt.Sprint(i)
		return s.ReplaceGroup(context.Background(), acme, old, next)
	})
}

func groupList(t *testing.T, s scim.GroupStore) {
	for _, i := range []int{3, 1, 4, 2} {
		must(t, s.CreateGroup(context.Background(), acme, group(fmt.Sprintf("g%d", i), "")))
	}
	first, err := s.ListGroups(context.Background(), acme, "", 3)
	must(t, err)
	rest, err := s.ListGroups(context.Background(), acme, first.Next, 3)
	must(t, err)
	var got []string
	for _, g := range append(first.Groups, rest.Groups...) {
		got = append(got, g.ID)
	}
	if fmt.Sprint(got) != "[g1 g2 g3 g4]" || rest.Next != "" {
		t.Errorf("ListGroups gives %v, then cursor %q", got, rest.Next)
	}
}
