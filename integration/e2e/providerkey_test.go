package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

// charges are the calls that a Stripe account was sent, and the keys they came with.
func charges(t *testing.T, f *e2e.Fixture) (n int, keys map[string]bool) {
	t.Helper()
	keys = map[string]bool{}
	for _, c := range f.Calls(t, "stripe", emulator.KindAPI) {
		if c.Method == "POST" {
			n++
			keys[c.Idempotency["Idempotency-Key"]] = true
		}
	}
	return n, keys
}

// customers counts what really happened.
func customers(t *testing.T, f *e2e.Fixture, session, email string) int {
	t.Helper()
	a := f.Execute(t, session, "stripe_search_customers", object{"query": "email:'" + email + "'"}, nil).Want(t, 200)
	return strings.Count(a.Body, `"cus_`)
}

// The answer of a call is cut, as often as we ask for it; the caller repeats it with the same key, and gets the answer of
// the one charge.
func TestProviderKey_AnswerIsCut_SameKeyAgainIsOneCharge(t *testing.T) {
	t.Parallel()
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Idempotency-Key": {"order-1"}}
	for name, once := range map[string]func(f *e2e.Fixture, session string) e2e.Answer{
		"tool": func(f *e2e.Fixture, session string) e2e.Answer {
			return f.Execute(t, session, "stripe_create_customer", object{"email": "one@x.example"}, object{"idempotency_key": "order-1"})
		},
		"proxy": func(f *e2e.Fixture, session string) e2e.Answer {
			return proxied(f, t, session, "POST", "stripe/customers", "email=one@x.example", form)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			f.Confirm(t, f.Filled(t, "acme", "user_alice", "stripe", f.Key(t, "stripe", "alice"), nil), "user_alice").Want(t, 200)
			session := f.Session(t, "acme", "user_alice", nil)

			f.Fail(t, "stripe", emulator.Fault{Kind: emulator.KindAPI, Mode: emulator.ModeLostReply, Times: 1})
			once(f, session).Want(t, 200) // a call that the provider knows by its key is repeated by us
			if n := customers(t, f, session, "one@x.example"); n != 1 {
				t.Fatalf("%d customers", n)
			}
			f2 := e2e.New(t)
			f2.Confirm(t, f2.Filled(t, "acme", "user_alice", "stripe", f2.Key(t, "stripe", "alice"), nil), "user_alice").Want(t, 200)
			session = f2.Session(t, "acme", "user_alice", nil)
			f2.Fail(t, "stripe", emulator.Fault{Kind: emulator.KindAPI, Mode: emulator.ModeLostReply, Times: 99})
			once(f2, session).WantCode(t, "outcome_unknown")
			f2.Fail(t, "stripe")
			got := once(f2, session).Want(t, 200)
			if n := customers(t, f2, session, "one@x.example"); n != 1 || !strings.Contains(got.Body, "cus_") {
				t.Errorf("%d customers: %s", n, got.Body)
			}
			sent, keys := charges(t, f2)
			if sent < 2 || len(keys) != 1 || keys[""] || keys["order-1"] {
				t.Errorf("%d requests with the keys %v", sent, keys)
			}
			again := once(f2, session).Want(t, 200)
			if after, _ := charges(t, f2); after != sent || again.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%d requests after %d, %v", after, sent, again.Header)
			}
		})
	}
}

// One Stripe account, connected by two principals and by another tenant: the same key of each is a call of each.
func TestProviderKey_SameKeyOfOthers_IsAnotherCall(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	var last string
	for _, who := range [][2]string{{"acme", "user_alice"}, {"acme", "user_bob"}, {"globex", "user_alice"}} {
		f.Confirm(t, f.Filled(t, who[0], who[1], "stripe", f.Key(t, "stripe", "alice"), nil), who[1]).Want(t, 200)
		last = f.Session(t, who[0], who[1], nil)
		a := proxied(f, t, last, "POST", "stripe/customers", "email=same@x.example", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Idempotency-Key": {"order-1"}}).Want(t, 200)
		if a.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%v was given another's answer", who)
		}
	}
	if n := customers(t, f, last, "same@x.example"); n != 3 {
		t.Errorf("%d customers, want 3", n)
	}
	if _, keys := charges(t, f); len(keys) != 3 {
		t.Errorf("keys %v", keys)
	}
}
