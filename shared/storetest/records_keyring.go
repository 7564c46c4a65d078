package storetest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/keyring"
	"behalf.dev/behalf/shared/vault"
)

func keysListed(t *testing.T, s Store) {
	ctx := context.Background()
	if got, err := s.Keys(ctx, acme); err != nil || len(got) > 0 {
		t.Errorf("a tenant without keys has %v, %v", got, err)
	}
	made := []vault.WrappedKey{wrapped(connection.AccessToken, 1), wrapped(connection.AccessToken, 2), wrapped(connection.ClientSecret, 1), wrapped(connection.RefreshToken, 1)}
	for _, k := range made {
		must(t, s.PutKey(ctx, acme, k))
	}
	must(t, s.PutKey(ctx, other, wrapped(connection.AccessToken, 3)))
	_, err := s.PutWalk(ctx, acme, keyring.Walk{Next: "walk_1"}) // lives beside the keys and is none
	must(t, err)
	got, err := s.Keys(ctx, acme)
	must(t, err)
	same(t, "the keys", got, made)
	must(t, s.DeleteKey(ctx, acme, connection.AccessToken, 1))
	must(t, s.DeleteKey(ctx, acme, connection.AccessToken, 1))
	_, err = s.Key(ctx, acme, connection.AccessToken, 1)
	want(t, err, fault.NotFound)
	got, err = s.Keys(ctx, acme)
	must(t, err)
	same(t, "the keys that are left", got, made[1:])
	must(t, s.DestroyKeys(ctx, acme))
	w, err := s.Walk(ctx, acme)
	must(t, err)
	same(t, "the walk of a shredded tenant", w, keyring.Walk{})
}

func storedSlots(t *testing.T, s Store) {
	ctx := context.Background()
	wanted := map[string]bool{}
	for n := 1; n <= 5; n++ {
		c := create(t, s, conn(scope(acme, "alice"), "github", n))
		for g := uint64(1); g <= uint64(n%3); g++ { // none, one or both
			must(t, s.PutSlot(ctx, c.Ref, slot(g, 1, string(c.ID))))
			wanted[string(c.ID)+string(rune('0'+g))] = true
		}
	}
	foreign := create(t, s, conn(scope(other, "alice"), "github", 6))
	must(t, s.PutSlot(ctx, foreign.Ref, slot(1, 1, "foreign")))
	after, pages := connection.ID(""), 0
	for {
		got, next, err := s.StoredSlots(ctx, acme, after, 2)
		must(t, err)
		for _, x := range got {
			name := string(x.Ref.ID) + string(rune('0'+x.Slot.Generation))
			if !wanted[name] || string(x.Slot.Access) != "at "+string(x.Ref.ID) || x.Ref.Principal != "alice" || x.Ref.Connector != "github" {
				t.Errorf("unexpected, or twice: %+v", x)
			}
			delete(wanted, name)
		}
		if pages++; next == "" || pages > 5 {
			break
		}
		after = next
	}
	if len(wanted) > 0 || pages < 3 {
		t.Errorf("after %d pages these are missing: %v", pages, wanted)
	}
}

func storedClients(t *testing.T, s Store) {
	ctx := context.Background()
	made := []connection.StoredClient{
		{Owner: acme, Connector: "github", ID: "1", Sealed: []byte{1}, Revision: 1, Updated: epoch()},
		{Owner: acme, Connector: "slack", ID: "2", Sealed: []byte{2}, Revision: 1, Updated: epoch()},
	}
	for _, c := range made {
		must(t, s.PutClient(ctx, c))
	}
	must(t, s.PutClient(ctx, connection.StoredClient{Owner: other, Connector: "github", ID: "3", Revision: 1}))
	got, err := s.StoredClients(ctx, acme)
	must(t, err)
	same(t, "the clients", got, made)
}

func resealSlot(t *testing.T, s Store) {
	ctx, ref := context.Background(), conn(scope(acme, "alice"), "github", 1).Ref
	old := slot(4, 7, "old")
	want(t, s.ResealSlot(ctx, ref, old, []byte("a"), []byte("r")), fault.Conflict) // nothing there
	must(t, s.PutSlot(ctx, ref, old))
	for name, change := range map[string]func(x *connection.Slot){
		"access":          func(x *connection.Slot) { x.Access = []byte("at other") },
		"refresh":         func(x *connection.Slot) { x.Refresh = []byte("rt other") },
		"no refresh":      func(x *connection.Slot) { x.Refresh = nil },
		"fence":           func(x *connection.Slot) { x.Fence = 8 },
		"generation":      func(x *connection.Slot) { x.Generation = 2 },
		"nothing was old": func(x *connection.Slot) { x.Access, x.Refresh = nil, nil },
	} {
		read := old
		change(&read)
		if err := s.ResealSlot(ctx, ref, read, []byte("a"), []byte("r")); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s differs, and %v", name, err)
		}
	}
	must(t, s.ResealSlot(ctx, ref, old, []byte("at new"), []byte("rt new")))
	want(t, s.ResealSlot(ctx, ref, old, []byte("a"), []byte("r")), fault.Conflict) // a second walker
	got, ok, err := s.Slot(ctx, ref, 4)
	must(t, err)
	wanted := old
	wanted.Access, wanted.Refresh = []byte("at new"), []byte("rt new")
	if !ok {
		t.Error("the slot is gone")
	}
	same(t, "the slot", got, wanted)
	noRefresh := slot(5, 1, "x")
	noRefresh.Refresh = nil
	must(t, s.PutSlot(ctx, ref, noRefresh))
	must(t, s.ResealSlot(ctx, ref, noRefresh, []byte("at new"), nil))
	if got, _, err = s.Slot(ctx, ref, 5); err != nil || got.Refresh != nil || !bytes.Equal(got.Access, []byte("at new")) {
		t.Errorf("%+v, %v", got, err)
	}
}

func resealErased(t *testing.T, s Store) {
	ctx, ref := context.Background(), conn(scope(acme, "alice"), "github", 1).Ref
	old := slot(4, 7, "old")
	must(t, s.PutSlot(ctx, ref, old))
	must(t, s.EraseSlots(ctx, ref, 4))
	want(t, s.ResealSlot(ctx, ref, old, []byte("a"), []byte("r")), fault.Conflict)
	erased, _, err := s.Slot(ctx, ref, 4)
	must(t, err)
	want(t, s.ResealSlot(ctx, ref, erased, []byte("a"), []byte("r")), fault.Conflict)
	for g := uint64(4); g <= 5; g++ {
		if got, _, err := s.Slot(ctx, ref, g); err != nil || got.Access != nil || got.Refresh != nil {
			t.Errorf("generation %d is there again: %+v, %v", g, got, err)
		}
	}
}

func resealClient(t *testing.T, s Store) {
	ctx := context.Background()
	old := connection.StoredClient{Owner: acme, Connector: "github", ID: "id", Sealed: []byte{1}, Revision: 1, Updated: epoch()}
	want(t, s.ResealClient(ctx, old, []byte{2}), fault.Conflict)
	must(t, s.PutClient(ctx, old))
	must(t, s.ResealClient(ctx, old, []byte{2}))
	want(t, s.ResealClient(ctx, old, []byte{3}), fault.Conflict)
	got, err := s.StoredClient(ctx, acme, "github")
	must(t, err)
	wanted := old
	wanted.Sealed = []byte{2}
	same(t, "the client", got, wanted)
	replaced := connection.StoredClient{Owner: acme, Connector: "github", ID: "new", Sealed: []byte{9}, Revision: 2, Updated: epoch().Add(time.Hour)}
	must(t, s.PutClient(ctx, replaced)) // its revision is still what the one before was stored with
	want(t, s.ResealClient(ctx, got, []byte{3}), fault.Conflict)
	must(t, s.DeleteClient(ctx, acme, "github"))
	again := old
	again.Sealed = []byte{7}
	must(t, s.PutClient(ctx, again)) // the first revision, once more
	want(t, s.ResealClient(ctx, old, []byte{3}), fault.Conflict)
	got, err = s.StoredClient(ctx, acme, "github")
	must(t, err)
	same(t, "the client", got, again)
}

func walkStale(t *testing.T, s Store) {
	ctx := context.Background()
	w, err := s.Walk(ctx, acme)
	must(t, err)
	same(t, "no walk", w, keyring.Walk{})
	w.Next, w.Started, w.After, w.Clients, w.Seen = "walk_1", epoch(), connID(3), true, map[string]time.Time{"at/1": epoch()}
	now, err := s.PutWalk(ctx, acme, w)
	must(t, err)
	_, err = s.PutWalk(ctx, acme, w)
	want(t, err, fault.Conflict)
	got, err := s.Walk(ctx, acme)
	must(t, err)
	if got.Version != now.Version || now.Version == 0 {
		t.Errorf("version %d is stored, %d was returned", got.Version, now.Version)
	}
	same(t, "the walk", got, w)
	now.Next = ""
	_, err = s.PutWalk(ctx, acme, now)
	must(t, err)
	got, err = s.Walk(ctx, other)
	must(t, err)
	same(t, "another tenant's walk", got, keyring.Walk{})
}
