package vault_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/vault"
)

func sealedAt(t *testing.T, v *vault.Vault, text string) ([]byte, uint32) {
	t.Helper()
	blob, err := v.Seal(t.Context(), bound, secret.FromString(text))
	if err != nil {
		t.Fatal(err)
	}
	ver, err := vault.VersionOf(blob, bound.Purpose)
	if err != nil {
		t.Fatal(err)
	}
	return blob, ver
}

func TestRotate_SealsWithTheNewVersion_AndOpensTheOld(t *testing.T) {
	t.Parallel()
	ks, k := &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{}
	v := newVault("prod", ks, k)
	old, ver := sealedAt(t, v, "old")
	if ver != 1 {
		t.Fatalf("first version %d", ver)
	}
	made, err := v.Rotate(t.Context(), "acme", "", connection.AccessToken, connection.RefreshToken)
	if err != nil || len(made) != 2 || made[0] != (vault.Rotation{Purpose: "at", Version: 2, KeyARN: "arn:key"}) || made[1].Version != 1 {
		t.Fatalf("%+v, %v", made, err)
	}
	if _, ver := sealedAt(t, v, "new"); ver != 2 {
		t.Errorf("sealed with version %d after the rotation", ver)
	}
	for _, reader := range []*vault.Vault{v, newVault("prod", ks, k)} {
		got, err := reader.Open(t.Context(), bound, old)
		if err != nil || string(got.Reveal(reveal.Key{})) != "old" {
			t.Errorf("the older version: %v", err)
		}
	}
	if bad, err := v.Open(t.Context(), bound, append([]byte("BV1a\x00\x00\x00\x02"), old[8:]...)); err == nil {
		t.Errorf("a value whose version was rewritten opened: %v", bad)
	}
}

func TestRotate_KMSKeyOfTheNewest_IsTheSetting(t *testing.T) {
	t.Parallel()
	ks, k := &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{}
	v := newVault("prod", ks, k)
	for i, step := range []struct{ ask, want string }{{"", "arn:key"}, {"arn:customer", "arn:customer"}, {"", "arn:customer"}, {"arn:key", "arn:key"}, {"", "arn:key"}} {
		made, err := v.Rotate(t.Context(), "acme", step.ask, connection.ClientSecret)
		if err != nil || made[0].KeyARN != step.want || made[0].Version != uint32(i+1) {
			t.Errorf("step %d: %+v, %v; want %s", i, made, err, step.want)
		}
	}
}

func TestRotateOlder_OncePerOldVersion_AndOnlyWhereThereIsOne(t *testing.T) {
	t.Parallel()
	now := clock()
	tick := func() time.Time { return now }
	ks, k := &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{}
	v := vault.New("prod", vault.NewCache(16, time.Minute, tick), ks, k, tick, nil)
	sealedAt(t, v, "x")
	for i, step := range []struct {
		ahead time.Duration
		made  int
	}{{time.Hour, 0}, {30 * 24 * time.Hour, 1}, {0, 0}, {time.Hour, 0}} {
		now = now.Add(step.ahead)
		made, err := v.RotateOlder(t.Context(), "acme", now.Add(-30*24*time.Hour), bound.Purpose, connection.ClientSecret)
		if err != nil || len(made) != step.made {
			t.Errorf("step %d: %+v, %v; want %d", i, made, err, step.made)
		}
	}
}

func TestRotate_OtherProcess_GoesOnWithWhatItKnows_UntilItsCacheForgets(t *testing.T) {
	t.Parallel()
	now := clock()
	tick := func() time.Time { return now }
	ks, k := &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{}
	other := vault.New("prod", vault.NewCache(16, 15*time.Minute, tick), ks, k, tick, nil)
	sealedAt(t, other, "x")
	if _, err := newVault("prod", ks, k).Rotate(t.Context(), "acme", "", bound.Purpose); err != nil {
		t.Fatal(err)
	}
	if _, ver := sealedAt(t, other, "x"); ver != 1 {
		t.Errorf("version %d: the cache was not used", ver)
	}
	now = now.Add(15 * time.Minute)
	if _, ver := sealedAt(t, other, "x"); ver != 2 {
		t.Errorf("version %d after the cache's life", ver)
	}
	if _, err := newVault("prod", ks, k).Rotate(t.Context(), "acme", "", bound.Purpose); err != nil {
		t.Fatal(err)
	}
	if err := other.Renew(t.Context(), "acme", bound.Purpose, connection.ClientSecret); err != nil {
		t.Fatal(err)
	}
	if _, ver := sealedAt(t, other, "x"); ver != 3 {
		t.Errorf("version %d after Renew", ver)
	}
}

func TestRotate_ManyAtOnce_EachVersionOnce(t *testing.T) {
	t.Parallel()
	ks, k := &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{}
	sealedAt(t, newVault("prod", ks, k), "x")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := newVault("prod", ks, k).Rotate(t.Context(), "acme", "", bound.Purpose); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	v := newVault("prod", ks, k)
	blob, _ := sealedAt(t, v, "x")
	if _, err := v.Open(t.Context(), bound, blob); err != nil {
		t.Error(err)
	}
}

// racing lets another rotation win the version that is about to be stored.
type racing struct {
	*keys
	first func()
}

func (r *racing) PutKey(ctx context.Context, t tenant.ID, w vault.WrappedKey) error {
	if r.first != nil {
		f := r.first
		r.first = nil
		f()
	}
	return r.keys.PutKey(ctx, t, w)
}

func TestRotate_SomebodyElseWinsWithAnotherKMSKey_Conflict(t *testing.T) {
	t.Parallel()
	ks, k := &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{}
	store := &racing{keys: ks}
	store.first = func() {
		if _, err := newVault("prod", ks, k).Rotate(t.Context(), "acme", "arn:other", bound.Purpose); err != nil {
			t.Error(err)
		}
	}
	v := vault.New("prod", vault.NewCache(16, time.Minute, clock), store, k, clock, nil)
	if made, err := v.Rotate(t.Context(), "acme", "arn:customer", bound.Purpose); !fault.Is(err, fault.Conflict) {
		t.Errorf("%+v, %v", made, err)
	}
}

func TestProbe_WrongPurposeOrTenant_DoesNotOpen(t *testing.T) {
	t.Parallel()
	k := &fakeKMS{}
	w, err := vault.MakeProbe(t.Context(), k, "prod", "arn:c", "acme", connection.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := vault.OpenProbe(t.Context(), k, "prod", "arn:c", "acme", connection.AccessToken, w); err != nil {
		t.Error(err)
	}
	if err := vault.OpenProbe(t.Context(), k, "prod", "arn:c", "acme", connection.RefreshToken, w); err == nil {
		t.Error("opened for another purpose")
	}
	if err := vault.OpenProbe(t.Context(), k, "prod", "arn:c", "globex", connection.AccessToken, w); err == nil {
		t.Error("opened for another tenant")
	}
}

func binding(t, p, r, u string, g uint64) connection.Binding {
	return connection.Binding{Tenant: tenant.ID(t), Principal: tenant.Principal(p), Record: r, Purpose: connection.Purpose(u), Generation: g}
}

// FuzzSwap seals for one binding and opens for another: only the same one opens, whatever the parts are.
func FuzzSwap(f *testing.F) {
	ks, k := &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{}
	v := newVault("prod", ks, k)
	f.Add("acme", "user_alice", "conn_1", "at", uint64(4), "acme", "user_alic", "econn_1", "at", uint64(4))
	f.Add("acme", "user_alice", "conn_1", "at", uint64(4), "acme", "user_alice", "conn_1", "rt", uint64(4))
	f.Add("a", "b", "c", "cs", uint64(0), "a", "b", "c", "cs", uint64(0))
	f.Fuzz(func(t *testing.T, t1, p1, r1, u1 string, g1 uint64, t2, p2, r2, u2 string, g2 uint64) {
		one, two := binding(t1, p1, r1, u1, g1), binding(t2, p2, r2, u2, g2)
		blob, err := v.Seal(t.Context(), one, secret.FromString("ghu_token"))
		if err != nil {
			return
		}
		if _, err := v.Open(t.Context(), one, blob); err != nil {
			t.Fatalf("%+v does not open what it sealed: %v", one, err)
		}
		// Tenants and principals are compared as their tags are: two texts with one tag are one owner.
		same := one.Tenant.Tag() == two.Tenant.Tag() && one.Principal.Tag() == two.Principal.Tag() && one.Record == two.Record && one.Purpose == two.Purpose && one.Generation == two.Generation
		if _, err := v.Open(t.Context(), two, blob); err == nil && !same {
			t.Fatalf("sealed for %+v, opened for %+v", one, two)
		}
	})
}

// FuzzFlip changes one byte of an envelope anywhere: nothing but the original opens.
func FuzzFlip(f *testing.F) {
	v := newVault("prod", &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{})
	f.Add("ghu_token", uint(0), byte(1))
	f.Add("", uint(7), byte(255))
	f.Add("x", uint(90), byte(128))
	f.Fuzz(func(t *testing.T, plain string, at uint, by byte) {
		blob, err := v.Seal(t.Context(), bound, secret.FromString(plain))
		if err != nil || by == 0 {
			return
		}
		blob[at%uint(len(blob))] ^= by
		if got, err := v.Open(t.Context(), bound, blob); err == nil {
			t.Fatalf("opened as %q with byte %d changed", got.Reveal(reveal.Key{}), at%uint(len(blob)))
		}
	})
}
