package scim_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/scim/scimtest"
	"behalf.dev/behalf/shared/tenant"
)

// told is a scim.Memberships that remembers, and fails where fail says so.
type told struct {
	mu     sync.Mutex
	groups map[tenant.Principal][]string
	calls  int
	fail   func(p tenant.Principal) error
}

func (m *told) SetGroups(_ context.Context, _ tenant.ID, p tenant.Principal, groups []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.fail != nil {
		if err := m.fail(p); err != nil {
			return err
		}
	}
	if m.groups == nil {
		m.groups = map[tenant.Principal][]string{}
	}
	m.groups[p] = slices.Clone(groups)
	return nil
}

func (m *told) of(p tenant.Principal) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.groups[p], ",")
}

// staff is a directory with users u0, u1, ... whose principals are p0, p1, ...
func staff(t *testing.T, users int) (*scim.Service, *scimtest.Memory, *told) {
	t.Helper()
	mem, m := scimtest.NewMemory(), &told{}
	n, mu := 0, sync.Mutex{}
	ids := func() string { mu.Lock(); defer mu.Unlock(); n++; return fmt.Sprintf("u%d", n-1) }
	now := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	s := scim.New(mem, &scimtest.Lifecycle{}, now, ids).WithGroups(mem).WithMemberships(m)
	for i := range users {
		if _, err := s.Create(ctx, acme, fmt.Appendf(nil, `{"userName":"n%d","externalId":"p%d"}`, i, i)); err != nil {
			t.Fatal(err)
		}
	}
	return s, mem, m
}

func body(name string, members ...string) []byte {
	list := make([]string, len(members))
	for i, m := range members {
		list[i] = `{"value":"` + m + `"}`
	}
	return fmt.Appendf(nil, `{"displayName":%q,"members":[%s]}`, name, strings.Join(list, ","))
}

func patchedGroup(t *testing.T, s *scim.Service, id, op string) scim.Group {
	t.Helper()
	g, err := s.PatchGroup(ctx, acme, id, ops(op), "")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestMemberships_EachChange_TellsWhomItTouches(t *testing.T) {
	t.Parallel()
	s, mem, m := staff(t, 3)
	want := func(when string, groups ...string) {
		t.Helper()
		for i, g := range groups {
			if got := m.of(tenant.Principal(fmt.Sprintf("p%d", i))); got != g {
				t.Errorf("%s: p%d is in %q, want %q", when, i, got, g)
			}
		}
	}
	fin, err := s.CreateGroup(ctx, acme, body("Finance", "u0", "nobody"))
	if err != nil {
		t.Fatal(err)
	}
	want("created", "Finance", "", "")
	all, err := s.CreateGroup(ctx, acme, body("All", "u0", "u1", "u2"))
	if err != nil {
		t.Fatal(err)
	}
	want("a second group", "All,Finance", "All", "All")
	patchedGroup(t, s, fin.ID, `{"op":"add","path":"members","value":[{"value":"u1"}]}`)
	want("member added", "All,Finance", "All,Finance", "All")
	patchedGroup(t, s, fin.ID, `{"op":"remove","path":"members[value eq \"u0\"]"}`)
	want("member removed", "All", "All,Finance", "All")
	patchedGroup(t, s, all.ID, `{"op":"replace","path":"displayName","value":"Everyone"}`)
	want("renamed", "Everyone", "Everyone,Finance", "Everyone")
	if _, err := s.Patch(ctx, acme, "u1", ops(`{"op":"replace","path":"externalId","value":"p9"}`), ""); err != nil {
		t.Fatal(err)
	}
	if m.of("p1") != "" || m.of("p9") != "Everyone,Finance" {
		t.Errorf("another principal: p1 %q, p9 %q", m.of("p1"), m.of("p9"))
	}
	if err := s.Delete(ctx, acme, "u2", ""); err != nil {
		t.Fatal(err)
	}
	want("user deleted", "Everyone", "", "")
	if err := s.DeleteGroup(ctx, acme, all.ID, ""); err != nil {
		t.Fatal(err)
	}
	if m.of("p0") != "" || m.of("p9") != "Finance" {
		t.Errorf("group deleted: p0 %q, p9 %q", m.of("p0"), m.of("p9"))
	}
	if g, err := mem.GetGroup(ctx, acme, fin.ID); err != nil || len(g.Unsettled) != 0 {
		t.Errorf("left unsettled: %v %v", g.Unsettled, err)
	}
}

// Whatever fails half-way fails the request, and the directory's retry, which changes nothing any more, completes it.
func TestMemberships_Failure_RequestFailsAndTheRetryCompletes(t *testing.T) {
	t.Parallel()
	type request func(s *scim.Service, id string) error
	patch := func(op string) request {
		return func(s *scim.Service, id string) error { _, err := s.PatchGroup(ctx, acme, id, ops(op), ""); return err }
	}
	get := func(s *scim.Service, id string) error { _, err := s.GetGroup(ctx, acme, id); return err }
	list := func(s *scim.Service, _ string) error {
		_, err := s.ListGroups(ctx, acme, scim.ListRequest{})
		return err
	}
	remove := func(s *scim.Service, id string) error {
		if err := s.DeleteGroup(ctx, acme, id, ""); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		return nil
	}
	for name, c := range map[string]struct {
		first, retry request
		broken       tenant.Principal
		p0, p1, p2   string
	}{
		"add":               {patch(`{"op":"add","path":"members","value":[{"value":"u2"}]}`), nil, "p2", "Ops", "Ops", "Ops"},
		"add, then read":    {patch(`{"op":"add","path":"members","value":[{"value":"u2"}]}`), get, "p2", "Ops", "Ops", "Ops"},
		"remove":            {patch(`{"op":"remove","path":"members[value eq \"u1\"]"}`), nil, "p1", "Ops", "", ""},
		"remove, then list": {patch(`{"op":"remove","path":"members[value eq \"u1\"]"}`), list, "p1", "Ops", "", ""},
		"rename":            {patch(`{"op":"replace","path":"displayName","value":"Dev"}`), nil, "p1", "Dev", "Dev", ""},
		"replace":           {patch(`{"op":"replace","path":"members","value":[{"value":"u2"}]}`), nil, "p0", "", "", "Ops"},
		"delete":            {remove, nil, "p1", "", "", ""},
		"remove, then add":  {patch(`{"op":"remove","path":"members[value eq \"u1\"]"}`), patch(`{"op":"add","path":"members","value":[{"value":"u2"}]}`), "p1", "Ops", "", "Ops"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _, m := staff(t, 3)
			g, err := s.CreateGroup(ctx, acme, body("Ops", "u0", "u1"))
			if err != nil {
				t.Fatal(err)
			}
			m.fail = func(p tenant.Principal) error {
				if p == c.broken {
					return errors.New("the table is away")
				}
				return nil
			}
			if err := c.first(s, g.ID); !fault.Is(err, fault.Internal) {
				t.Fatalf("half done, and the answer is %v", err)
			}
			m.fail = nil
			retry := c.retry
			if retry == nil {
				retry = c.first
			}
			if err := retry(s, g.ID); err != nil {
				t.Fatal(err)
			}
			if m.of("p0") != c.p0 || m.of("p1") != c.p1 || m.of("p2") != c.p2 {
				t.Errorf("p0 %q, p1 %q, p2 %q; want %q, %q, %q", m.of("p0"), m.of("p1"), m.of("p2"), c.p0, c.p1, c.p2)
			}
			before := m.calls
			if got, err := s.GetGroup(ctx, acme, g.ID); err == nil && (len(got.Unsettled) != 0 || m.calls != before) {
				t.Errorf("it is settled again and again: %v", got.Unsettled)
			}
		})
	}
}

// However requests about groups of one user interleave, what is told in the end is what the directory says in the end.
func TestMemberships_ManyWriters_AgreeInTheEnd(t *testing.T) {
	t.Parallel()
	for range 20 {
		s, mem, m := staff(t, 2)
		var groups []string
		for i := range 6 {
			g, err := s.CreateGroup(ctx, acme, body(fmt.Sprintf("G%d", i)))
			if err != nil {
				t.Fatal(err)
			}
			groups = append(groups, g.ID)
		}
		var all sync.WaitGroup
		for i, id := range groups {
			all.Go(func() {
				for _, op := range []string{`{"op":"add","path":"members","value":[{"value":"u0"},{"value":"u1"}]}`, `{"op":"remove","path":"members[value eq \"u0\"]"}`} {
					if i%2 == 1 && strings.Contains(op, "remove") {
						continue
					}
					if _, err := s.PatchGroup(ctx, acme, id, ops(op), ""); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		for i, want := range []string{"G1,G3,G5", "G0,G1,G2,G3,G4,G5"} {
			if got := m.of(tenant.Principal(fmt.Sprintf("p%d", i))); got != want {
				refs, _ := mem.GroupsOf(ctx, acme, fmt.Sprintf("u%d", i))
				t.Fatalf("p%d was told %q, want %q; the directory has %v", i, got, want, refs)
			}
		}
	}
}

// A group too large for one request comes to its end by repetition: what was told is noted on the way.
func TestMemberships_LargeGroup_RetryGoesOn(t *testing.T) {
	t.Parallel()
	s, mem, m := staff(t, 3)
	members := []string{"u0", "u1", "u2"}
	for i := range 600 { // ids that sort between u1 and u2, of no user
		members = append(members, fmt.Sprintf("u1x%03d", i))
	}
	m.fail = func(p tenant.Principal) error {
		if p == "p2" {
			return errors.New("out of time")
		}
		return nil
	}
	if _, err := s.CreateGroup(ctx, acme, body("All", members...)); !fault.Is(err, fault.Internal) {
		t.Fatalf("half done, and the answer is %v", err)
	}
	page, err := mem.ListGroups(ctx, acme, "", 1)
	if err != nil || len(page.Groups) != 1 || !strings.HasPrefix(page.Groups[0].Unsettled[0], "*u") {
		t.Fatalf("no progress is noted: %v %v", page.Groups, err)
	}
	m.fail, m.calls = nil, 0
	if _, err := s.GetGroup(ctx, acme, page.Groups[0].ID); err != nil {
		t.Fatal(err)
	}
	if m.calls != 1 || m.of("p0") != "All" || m.of("p2") != "All" {
		t.Errorf("the second time %d were told; p0 %q, p2 %q", m.calls, m.of("p0"), m.of("p2"))
	}
}
