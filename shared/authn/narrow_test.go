package authn_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/ident"
	"behalf.dev/behalf/shared/tenant"
)

// connectorOf: tools are called "connector_n".
func connectorOf(tool string) string { c, _, _ := strings.Cut(tool, "_"); return c }

func TestNarrow_Subset_KeepsTheChain(t *testing.T) {
	t.Parallel()
	k, root := newKey(t), session()
	root.Issued = t0
	child, err := root.Narrow("sess_2", authn.Narrower{Connectors: []string{"github"}, Agent: "reader", Life: 2 * time.Minute, ConnectorOf: connectorOf}, t0.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	grandchild, err := child.Narrow("sess_3", authn.Narrower{Agent: "leaf", Run: "run_2", ConnectorOf: connectorOf}, t0.Add(2*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := authn.Mint(t.Context(), k, "https://b.example", grandchild, t0.Add(2*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	got, err := verifier(k, t0.Add(150*time.Second)).Verify(tok)
	if err != nil {
		t.Fatal(err)
	}
	if got.Scope != root.Scope || got.Agent != "leaf" || got.Run != "run_2" || !slices.Equal(got.Actors, []string{"reader", "triage"}) || !slices.Equal(got.Parents, []string{"sess_2", "sess_1"}) {
		t.Errorf("%+v", got)
	}
	if !got.Expires.Equal(t0.Add(3*time.Minute)) || !slices.Equal(got.Tools, root.Tools) || !slices.Equal(got.Connectors, root.Connectors) {
		t.Errorf("%+v", got)
	}
}

func TestNarrow_EachWidening_IsNamed(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		change func(s *authn.Session, n *authn.Narrower)
		field  string
		names  string
	}{
		"a connector":      {func(_ *authn.Session, n *authn.Narrower) { n.Connectors = []string{"github", "slack"} }, "/connectors", "slack"},
		"a tool":           {func(_ *authn.Session, n *authn.Narrower) { n.Tools = []string{"github_create_issue"} }, "/tools", "github_create_issue"},
		"a tool elsewhere": {func(s *authn.Session, n *authn.Narrower) { s.Tools = nil; n.Tools = []string{"slack_1"} }, "/tools", "slack_1"},
		"a longer life":    {func(_ *authn.Session, n *authn.Narrower) { n.Life = time.Hour }, "/ttl_seconds", "12:15:00"},
		"a fifth agent": {func(s *authn.Session, _ *authn.Narrower) {
			s.Parents, s.Actors = []string{"3", "2", "1"}, []string{"c", "b", "a"}
		}, "/agent", "4 agents"},
		"a tool of no one else": {func(s *authn.Session, n *authn.Narrower) {
			s.Connectors = []string{"slack"}
			s.Tools = nil
			n.Tools = []string{"nothing"}
		}, "/tools", "nothing"},
	} {
		s, n := session(), authn.Narrower{Agent: "sub", ConnectorOf: connectorOf}
		x.change(&s, &n)
		_, err := s.Narrow("sess_2", n, t0)
		if !fault.Is(err, fault.Forbidden) || fault.From(err).Field != x.field || !strings.Contains(fault.From(err).Message, x.names) || !strings.HasPrefix(reason(err), "wider_") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever chain of requests is made, no session allows what one above it did not, or lives longer.
func TestNarrow_AnyChain_NeverAllowsMoreThanAnyAbove(t *testing.T) {
	t.Parallel()
	connectors := []string{"github", "slack", "salesforce"}
	var tools []string
	for _, c := range connectors {
		for n := range 3 {
			tools = append(tools, fmt.Sprintf("%s_%d", c, n))
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	some := func(all []string) (out []string) {
		if rng.IntN(3) == 0 {
			return nil
		}
		for _, x := range all {
			if rng.IntN(2) == 0 {
				out = append(out, x)
			}
		}
		return out
	}
	made, deep := 0, 0
	for range 20_000 {
		now := t0
		chain := []authn.Session{{ID: "0", Scope: tenant.Scope{Tenant: "acme", Principal: "p"}, Connectors: some(connectors), Tools: some(tools), Agent: "0", Issued: now, Expires: now.Add(time.Duration(1+rng.IntN(3600)) * time.Second)}}
		for depth := 1; depth < 8; depth++ {
			now = now.Add(time.Duration(rng.IntN(100)) * time.Second)
			n := authn.Narrower{Connectors: some(connectors), Tools: some(tools), Agent: fmt.Sprint(depth), Life: time.Duration(rng.IntN(5)*60) * time.Second, ConnectorOf: connectorOf}
			child, err := chain[len(chain)-1].Narrow(fmt.Sprint(depth), n, now)
			if err != nil {
				continue
			}
			chain = append(chain, child)
			made++
		}
		deep = max(deep, len(chain))
		last := chain[len(chain)-1]
		for _, above := range chain {
			if last.Expires.After(above.Expires) || last.Scope != above.Scope {
				t.Fatalf("%+v outgrows %+v", last, above)
			}
			for _, tool := range tools {
				if last.Allows(connectorOf(tool), tool) && !above.Allows(connectorOf(tool), tool) {
					t.Fatalf("%+v allows %s, and %+v does not", last, tool, above)
				}
			}
		}
	}
	if made < 10_000 || deep != authn.MaxActors {
		t.Errorf("%d sessions were made, at most %d deep", made, deep)
	}
}

func TestVerify_ChainOfActors_IsHeldToItsLimits(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	for name, change := range map[string]func(s *authn.Session){
		"too deep": func(s *authn.Session) {
			s.Parents, s.Actors = []string{"4", "3", "2", "1"}, []string{"d", "c", "b", "a"}
		},
		"actor, no session":  func(s *authn.Session) { s.Actors = []string{"a"} },
		"session, no actor":  func(s *authn.Session) { s.Parents = []string{"1"} },
		"far too deep":       func(s *authn.Session) { s.Actors = slices.Repeat([]string{"a"}, 100) },
		"parents, no actors": func(s *authn.Session) { s.Parents = []string{"1", "2"}; s.Actors = []string{"a"} },
	} {
		s := session()
		change(&s)
		tok, err := authn.Mint(t.Context(), k, "https://b.example", s, t0)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := verifier(k, t0).Verify(tok); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestMint_LimitsThatFitNoHeader_AreRefused(t *testing.T) {
	t.Parallel()
	s := session()
	s.Tools = slices.Repeat([]string{strings.Repeat("x", 90)}, 100)
	if _, err := authn.Mint(t.Context(), newKey(t), "https://b.example", s, t0); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("%v", err)
	}
}

func TestEnded_SessionItsChildrenAndNobodyElse(t *testing.T) {
	t.Parallel()
	var none authn.Ended
	s := authn.Session{ID: "a", Issued: t0}
	child := authn.Session{ID: "c", Parents: []string{"b", "a"}, Issued: t0}
	if none.Has(s) || none.Has(child) {
		t.Error("the zero value ends something")
	}
	one := none.With("a", t0)
	if !one.Has(s) || !one.Has(child) || one.Has(authn.Session{ID: "b", Issued: t0}) || none.Has(s) {
		t.Error("wrong ones have ended")
	}
	if later := one.With("z", t0.Add(authn.MaxSessionTTL)); !later.Has(s) {
		t.Error("forgotten while its token may live")
	}
	if later := one.With("z", t0.Add(authn.MaxSessionTTL+6*time.Minute)); later.Has(s) || len(later.Sessions) != 1 {
		t.Error("kept for ever")
	}
}

func TestEnded_TooManyToName_EndsAllThatWereMade(t *testing.T) {
	t.Parallel()
	var e authn.Ended
	for n := range 1001 {
		e = e.With(fmt.Sprint(n), t0)
	}
	if len(e.Sessions) != 0 || !e.Has(authn.Session{ID: "0", Issued: t0.Add(-time.Minute)}) || !e.Has(authn.Session{ID: "other", Issued: t0}) {
		t.Errorf("%d are named", len(e.Sessions))
	}
	if e.Has(authn.Session{ID: "new", Issued: t0.Add(time.Second)}) {
		t.Error("sessions that are made later are ended too")
	}
	if e = e.With("new", t0.Add(2*time.Second)); !e.Has(authn.Session{ID: "0", Issued: t0}) || !e.Has(authn.Session{ID: "new", Issued: t0.Add(time.Second)}) {
		t.Error("one more forgets the others")
	}
}

func TestSessionID_OfAnotherOwner_IsNotFound(t *testing.T) {
	t.Parallel()
	mine := tenant.Scope{Tenant: "acme", Principal: "user_alice"}
	id := authn.NewSessionID(ident.NewSource(nil, nil), mine)
	if err := authn.CheckSessionID(id, mine); err != nil {
		t.Error(err)
	}
	for _, x := range []tenant.Scope{{Tenant: "acme", Principal: "user_bob"}, {Tenant: "globex", Principal: "user_alice"}, {}} {
		if err := authn.CheckSessionID(id, x); !fault.Is(err, fault.NotFound) {
			t.Errorf("%+v: %v", x, err)
		}
	}
	for _, bad := range []string{"", "sess_", id + "0", id[:len(id)-1], strings.Repeat("x", len(id))} {
		if err := authn.CheckSessionID(bad, mine); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
