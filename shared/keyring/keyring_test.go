package keyring_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/keyring"
	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/oauthclient"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/vault"
)

// fakeKMS wraps by remembering: the wrapped form is an index, the context must be equal to unwrap.
type fakeKMS struct {
	mu   sync.Mutex
	made []map[string]string
	down error
}

func (f *fakeKMS) GenerateDataKey(_ context.Context, _ string, ec map[string]string) ([]byte, []byte, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return nil, nil, "", f.down
	}
	f.made = append(f.made, maps.Clone(ec))
	return bytes.Repeat([]byte{byte(len(f.made))}, 32), binary.BigEndian.AppendUint32(nil, uint32(len(f.made)-1)), "arn:key", nil
}

func (f *fakeKMS) Decrypt(_ context.Context, w []byte, _ string, ec map[string]string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := binary.BigEndian.Uint32(w)
	if f.down != nil {
		return nil, f.down
	}
	if !maps.Equal(f.made[n], ec) {
		return nil, errors.New("InvalidCiphertextException")
	}
	return bytes.Repeat([]byte{byte(n + 1)}, 32), nil
}

// world is one tenant with a clock that stands still until it is moved.
type world struct {
	t     *testing.T
	now   time.Time
	store *memory.Store
	kms   *fakeKMS
	vault *vault.Vault
	ring  *keyring.Keyring
	ids   int
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), kms: &fakeKMS{}}
	clock := func() time.Time { return w.now }
	w.store = memory.New(clock)
	w.vault = w.process()
	newID := func(prefix string) string { w.ids++; return fmt.Sprintf("%s_%d", prefix, w.ids) }
	w.ring = keyring.New(keyring.Deps{Sealer: w.vault, Keys: w.store, Records: w.store, Clients: w.store, Webhooks: w.store, Walks: w.store, Recorder: w.store,
		Log: slog.New(slog.DiscardHandler), Now: clock, NewID: newID})
	return w
}

// process is the vault of another process: its cache is its own.
func (w *world) process() *vault.Vault {
	clock := func() time.Time { return w.now }
	return vault.New("prod", vault.NewCache(64, 15*time.Minute, clock), w.store, w.kms, clock, nil)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func refOf(n int) connection.Ref {
	return connection.Ref{Scope: tenant.Scope{Tenant: "acme", Principal: "alice"}, Connector: "github", ID: connection.ID(fmt.Sprintf("conn_%026d", n))}
}

// slot makes generation g of connection n, sealed by v.
func (w *world) slot(v *vault.Vault, n int, g, fence uint64) connection.Slot {
	w.t.Helper()
	s := connection.Slot{Generation: g, Fence: fence, Facts: connection.TokenFacts{ExpiresAt: w.now}}
	var err error
	s.Access, err = v.Seal(w.t.Context(), refOf(n).Binding(connection.AccessToken, g), secret.FromString(fmt.Sprint("at", n, g)))
	w.must(err)
	s.Refresh, err = v.Seal(w.t.Context(), refOf(n).Binding(connection.RefreshToken, g), secret.FromString(fmt.Sprint("rt", n, g)))
	w.must(err)
	return s
}

// connect stores connections 1 to n, with both slots, an OAuth client, and a webhook with two secrets.
func (w *world) connect(n int) {
	w.t.Helper()
	for i := 1; i <= n; i++ {
		w.must(w.store.CreateConnection(w.t.Context(), connection.Connection{Ref: refOf(i), Status: connection.Active}))
		w.must(w.store.PutSlot(w.t.Context(), refOf(i), w.slot(w.vault, i, 1, 1)))
		w.must(w.store.PutSlot(w.t.Context(), refOf(i), w.slot(w.vault, i, 2, 2)))
	}
	w.must(w.store.PutEndpoint(w.t.Context(), w.endpoint("acme", 2)))
	_, err := w.clients().Put(w.t.Context(), "acme", "github", oauthclient.Registration{ID: "id", Secret: secret.FromString("hush")})
	w.must(err)
}

// endpoint makes a webhook with n secrets, the newest first.
func (w *world) endpoint(owner tenant.ID, n uint64) notify.Endpoint {
	w.t.Helper()
	e := notify.Endpoint{ID: "wh_1", Owner: owner, URL: "https://hooks.example", Status: notify.Active}
	for i := n; i > 0; i-- {
		sealed, err := w.vault.Seal(w.t.Context(), notify.Binding(e, i), secret.FromString(fmt.Sprint("whsec", i)))
		w.must(err)
		e.Secrets = append(e.Secrets, notify.Secret{Number: i, Sealed: sealed})
	}
	return e
}

// signs checks that the webhook's secrets are those that it was made with, under no version but want.
func (w *world) signs(owner tenant.ID, want uint32) {
	w.t.Helper()
	e, err := w.store.Endpoint(w.t.Context(), owner, "wh_1")
	w.must(err)
	for _, x := range e.Secrets {
		v, err := vault.VersionOf(x.Sealed, connection.WebhookSecret)
		w.must(err)
		got, err := w.process().Open(w.t.Context(), notify.Binding(e, x.Number), x.Sealed)
		if err != nil || string(got.Reveal(reveal.Key{})) != fmt.Sprint("whsec", x.Number) || v != want {
			w.t.Errorf("secret %d is under version %d, want %d: %v", x.Number, v, want, err)
		}
	}
}

func (w *world) clients() *oauthclient.Registry {
	return oauthclient.New(w.store, w.vault, func() time.Time { return w.now })
}

func (w *world) rotate() {
	w.t.Helper()
	_, err := w.vault.Rotate(w.t.Context(), "acme", "", keyring.Purposes("acme")...)
	w.must(err)
}

// reseal takes all steps of a walk, changing nothing between them.
func (w *world) reseal(o keyring.Order) (sum keyring.Report) {
	w.t.Helper()
	o.Tenant, o.By = "acme", "key_1"
	for {
		r, err := w.ring.Reseal(w.t.Context(), o)
		w.must(err)
		sum.Resealed, sum.Current, sum.Skipped, sum.Unreadable = sum.Resealed+r.Resealed, sum.Current+r.Current, sum.Skipped+r.Skipped, sum.Unreadable+r.Unreadable
		sum.Retired = append(sum.Retired, r.Retired...)
		if o.Cursor = r.Cursor; o.Cursor == "" {
			return sum
		}
	}
}

// opens checks that every slot of connections 1 to n holds its tokens, with nothing cached.
func (w *world) opens(n int) {
	w.t.Helper()
	fresh := w.process()
	for i := 1; i <= n; i++ {
		for g := uint64(1); g <= 2; g++ {
			s, ok, err := w.store.Slot(w.t.Context(), refOf(i), g)
			w.must(err)
			at, err := fresh.Open(w.t.Context(), refOf(i).Binding(connection.AccessToken, s.Generation), s.Access)
			if !ok || err != nil || string(at.Reveal(reveal.Key{})) != fmt.Sprint("at", i, s.Generation) {
				w.t.Errorf("connection %d, generation %d: %v", i, s.Generation, err)
			}
			rt, err := fresh.Open(w.t.Context(), refOf(i).Binding(connection.RefreshToken, s.Generation), s.Refresh)
			if err != nil || string(rt.Reveal(reveal.Key{})) != fmt.Sprint("rt", i, s.Generation) {
				w.t.Errorf("connection %d, generation %d: %v", i, s.Generation, err)
			}
		}
	}
}

// versions are the versions that exist, by purpose.
func (w *world) versions() map[connection.Purpose][]uint32 {
	w.t.Helper()
	keys, err := w.store.Keys(w.t.Context(), "acme")
	w.must(err)
	out := map[connection.Purpose][]uint32{}
	for _, k := range keys {
		out[k.Purpose] = append(out[k.Purpose], k.Version)
	}
	return out
}

func (w *world) wantVersions(want ...uint32) {
	w.t.Helper()
	got := w.versions()
	for _, p := range keyring.Purposes("acme") {
		if fmt.Sprint(got[p]) != fmt.Sprint(want) {
			w.t.Errorf("versions of %s are %v, want %v", p, got[p], want)
		}
	}
}

func TestReseal_WholeTenant_ThenTheOldVersionsAreRetired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(3)
	w.rotate()
	if r := w.reseal(keyring.Order{}); r.Resealed != 8 || r.Current != 0 || len(r.Retired) != 0 {
		t.Errorf("%+v, want both slots of three connections, one client and one webhook", r)
	}
	w.opens(3)
	if r := w.reseal(keyring.Order{}); r.Resealed != 0 || r.Current != 8 || len(r.Retired) != 0 {
		t.Errorf("%+v, want nothing to do", r)
	}
	w.wantVersions(1, 2)
	w.now = w.now.Add(keyring.RetireAfter)
	if r := w.reseal(keyring.Order{}); len(r.Retired) != 4 {
		t.Errorf("%+v, want four versions retired", r)
	}
	w.wantVersions(2)
	w.opens(3)
	c, err := w.clients().Client(t.Context(), "acme", "github")
	if err != nil || string(c.Secret.Reveal(reveal.Key{})) != "hush" {
		t.Errorf("the client: %v", err)
	}
	records, _, err := w.store.Records(t.Context(), "acme", dynamo.AuditPage{From: w.now.Add(-time.Hour), To: w.now.Add(time.Hour), Limit: 10})
	if err != nil || len(records) != 4 || records[0].Kind != audit.KeyRetired || records[0].By != "key_1" || records[0].Reason == "" {
		t.Errorf("%+v, %v", records, err)
	}
}

func TestReseal_StepsOfAnySize_MeetEverything_AndTheLastRetires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(120)
	w.rotate()
	w.now = w.now.Add(keyring.RetireAfter)
	steps := keyring.Order{Limit: 1}
	if r := w.reseal(steps); r.Resealed != 242 || len(r.Retired) != 0 {
		t.Errorf("%+v: the first step met the old version, so this walk retires nothing", r)
	}
	w.now = w.now.Add(time.Hour)
	if r := w.reseal(steps); r.Current != 242 || len(r.Retired) != 4 {
		t.Errorf("%+v", r)
	}
	w.opens(120)
}

func TestReseal_SecondRotation_RetiresOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(1)
	w.rotate()
	w.reseal(keyring.Order{})
	w.now = w.now.Add(keyring.RetireAfter - time.Hour)
	w.rotate()
	w.now = w.now.Add(2 * time.Hour)
	w.reseal(keyring.Order{})
	w.wantVersions(2, 3)
	w.now = w.now.Add(keyring.RetireAfter)
	w.reseal(keyring.Order{})
	w.wantVersions(3)
	w.opens(1)
}

// A version may be needed by somebody else for a while; each guard of retirement is the only one in the way.
func TestRetire_TooEarly_IsKept(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		after, ahead time.Duration
		retired      int
	}{
		"younger than asked":              {2 * time.Hour, 2*time.Hour - time.Second, 0},
		"as old as asked":                 {2 * time.Hour, 2 * time.Hour, 4},
		"default":                         {0, keyring.RetireAfter - time.Second, 0},
		"default reached":                 {0, keyring.RetireAfter, 4},
		"the least":                       {keyring.MinRetireAfter, keyring.MinRetireAfter, 4},
		"the least, but not yet that old": {keyring.MinRetireAfter, keyring.MinRetireAfter - 1, 0},
	} {
		w := newWorld(t)
		w.connect(1)
		w.rotate()
		w.reseal(keyring.Order{})
		w.now = w.now.Add(x.ahead)
		if r := w.reseal(keyring.Order{RetireAfter: x.after}); len(r.Retired) != x.retired {
			t.Errorf("%s: %d versions retired, want %d", name, len(r.Retired), x.retired)
		}
	}
}

func TestRetire_WalkBeganBeforeTheCachesForgot_IsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(60) // two pages
	w.rotate()
	w.reseal(keyring.Order{})
	w.now = w.now.Add(20 * time.Minute)
	first, err := w.ring.Reseal(t.Context(), keyring.Order{Tenant: "acme", Limit: 1})
	if err != nil || first.Cursor == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	// Behind the walk's back somebody seals with what its cache held.
	w.now = w.now.Add(keyring.RetireAfter)
	if r := w.reseal(keyring.Order{Cursor: first.Cursor}); len(r.Retired) != 0 {
		t.Errorf("retired %v in a walk that began 20 minutes after the rotation", r.Retired)
	}
}

func TestReseal_ARefreshWritesBackWhatItRead_VersionIsNotRetiredUnderIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(1)
	read, _, err := w.store.Slot(t.Context(), refOf(1), 1) // a refresher reads, and is slow
	w.must(err)
	w.rotate()
	w.now = w.now.Add(keyring.RetireAfter)
	w.reseal(keyring.Order{})
	w.now = w.now.Add(time.Minute)
	if r := w.reseal(keyring.Order{}); len(r.Retired) != 0 {
		t.Fatalf("retired %v a minute after it was seen", r.Retired)
	}
	read.Fence = 9 // it completes the refresh of somebody who died, under its own fence
	w.must(w.store.PutSlot(t.Context(), refOf(1), read))
	w.opens(1)
	w.now = w.now.Add(time.Hour)
	if r := w.reseal(keyring.Order{}); r.Resealed != 1 || len(r.Retired) != 2 || r.Retired[0].Purpose != connection.ClientSecret || r.Retired[1].Purpose != connection.WebhookSecret {
		t.Errorf("%+v: at and rt were met again", r)
	}
	w.now = w.now.Add(time.Hour)
	w.reseal(keyring.Order{})
	w.wantVersions(2)
	w.opens(1)
}

func TestReseal_ErasedOrRenewedInBetween_StaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(2)
	w.rotate()
	newer := w.slot(w.vault, 2, 3, 5)
	meddled := false
	w.store.Fault = func(op string) error {
		if op == "ResealSlot" && !meddled {
			meddled = true
			w.must(w.store.EraseSlots(t.Context(), refOf(1), 2))
			w.must(w.store.PutSlot(t.Context(), refOf(2), newer)) // into the slot of generation 1
		}
		return nil
	}
	if r := w.reseal(keyring.Order{}); r.Skipped != 3 || r.Resealed != 3 {
		t.Errorf("%+v, want the erased two and the renewed one skipped", r)
	}
	for g := uint64(2); g <= 3; g++ {
		if s, _, err := w.store.Slot(t.Context(), refOf(1), g); err != nil || s.Access != nil || s.Refresh != nil {
			t.Errorf("an erased slot is back: %+v, %v", s, err)
		}
	}
	if s, _, err := w.store.Slot(t.Context(), refOf(2), 3); err != nil || s.Generation != 3 || !bytes.Equal(s.Access, newer.Access) {
		t.Errorf("the newer generation: %+v, %v", s, err)
	}
}

func TestReseal_Cursor_OnlyThatOfTheWalkUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(120)
	w.rotate()
	step := func(o keyring.Order) (keyring.Report, error) {
		o.Tenant, o.Limit = "acme", 1
		return w.ring.Reseal(t.Context(), o)
	}
	if _, err := step(keyring.Order{Cursor: "walk_99"}); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("a made-up cursor: %v", err)
	}
	first, err := step(keyring.Order{})
	w.must(err)
	second, err := step(keyring.Order{Cursor: first.Cursor})
	w.must(err)
	if _, err := step(keyring.Order{Cursor: first.Cursor}); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("a step taken twice: %v", err)
	}
	// The schedule goes on where a person stopped, and the person's cursor is then of no use.
	last, err := step(keyring.Order{Resume: true})
	w.must(err)
	if last.Cursor != "" || first.Resealed+second.Resealed+last.Resealed != 242 {
		t.Errorf("%+v %+v %+v", first, second, last)
	}
	if _, err := step(keyring.Order{Cursor: second.Cursor}); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("a cursor of a walk that is over: %v", err)
	}
	if _, err := step(keyring.Order{RetireAfter: time.Minute}); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("retiring after a minute: %v", err)
	}
}

func TestReseal_TwoWalkersAtOnce_OneGivesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(1)
	w.rotate()
	w.now = w.now.Add(keyring.RetireAfter)
	w.reseal(keyring.Order{})
	w.now = w.now.Add(time.Hour)
	other := false
	w.store.Fault = func(op string) error {
		if op == "PutWalk" && !other {
			other = true
			w.reseal(keyring.Order{})
		}
		return nil
	}
	if r, err := w.ring.Reseal(t.Context(), keyring.Order{Tenant: "acme"}); !fault.Is(err, fault.Conflict) {
		t.Errorf("%+v, %v", r, err)
	}
	w.wantVersions(2)
}

func TestReseal_DamagedRecord_IsCounted_AndItsVersionKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(2)
	s, _, err := w.store.Slot(t.Context(), refOf(1), 1)
	w.must(err)
	s.Access[len(s.Access)-1] ^= 1
	w.must(w.store.PutSlot(t.Context(), refOf(1), s))
	w.rotate()
	w.now = w.now.Add(keyring.RetireAfter)
	if r := w.reseal(keyring.Order{}); r.Unreadable != 1 || r.Resealed != 5 {
		t.Errorf("%+v", r)
	}
	w.now = w.now.Add(time.Hour)
	for _, gone := range w.reseal(keyring.Order{}).Retired {
		if gone.Purpose == connection.AccessToken {
			t.Error("a version that a record names was retired")
		}
	}
}

func TestReseal_KMSIsDown_NothingIsLostAndTheNextWalkGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(2)
	w.rotate()
	w.now = w.now.Add(keyring.RetireAfter) // the cache has forgotten
	w.kms.down = errors.New("ThrottlingException")
	if r, err := w.ring.Reseal(t.Context(), keyring.Order{Tenant: "acme"}); err == nil || r.Unreadable > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	w.kms.down = nil
	if r := w.reseal(keyring.Order{}); r.Resealed != 6 || len(r.Retired) != 0 {
		t.Errorf("%+v", r)
	}
	w.opens(2)
}

// A step that dies behind its first write leaves the version on record as seen.
func TestReseal_DiesInTheMiddle_VersionStillCountsAsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(1)
	w.rotate()
	w.now = w.now.Add(keyring.RetireAfter)
	died := false
	w.store.Fault = func(op string) error {
		if op == "ResealSlot"+memory.After && !died {
			died = true
			return errors.New("the process died")
		}
		return nil
	}
	if _, err := w.ring.Reseal(t.Context(), keyring.Order{Tenant: "acme"}); err == nil {
		t.Fatal("it lived")
	}
	w.now = w.now.Add(time.Minute)
	w.reseal(keyring.Order{})
	w.now = w.now.Add(time.Minute)
	if r := w.reseal(keyring.Order{}); len(r.Retired) != 0 {
		t.Errorf("retired %v two minutes after it was seen", r.Retired)
	}
	w.now = w.now.Add(time.Hour)
	w.reseal(keyring.Order{})
	w.wantVersions(2)
	w.opens(1)
}

func TestOverdueAndSeveral(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	k := func(p connection.Purpose, v uint32, made time.Time) vault.WrappedKey {
		return vault.WrappedKey{Purpose: p, Version: v, Created: made}
	}
	for name, x := range map[string]struct {
		keys             []vault.WrappedKey
		overdue, several bool
	}{
		"none":          {nil, false, false},
		"young":         {[]vault.WrappedKey{k("at", 1, at.Add(-time.Hour))}, false, false},
		"old":           {[]vault.WrappedKey{k("at", 1, at.Add(-time.Hour)), k("cs", 1, at.Add(-25*time.Hour))}, true, false},
		"old and newer": {[]vault.WrappedKey{k("at", 1, at.Add(-99*time.Hour)), k("at", 2, at)}, false, true},
	} {
		if got := keyring.Overdue(x.keys, at, 24*time.Hour); got != x.overdue {
			t.Errorf("%s: overdue %v", name, got)
		}
		if got := keyring.Several(x.keys); got != x.several {
			t.Errorf("%s: several %v", name, got)
		}
	}
}
