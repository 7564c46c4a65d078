package vault_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
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

// fixedReader gives the bytes 0, 1, 2, … for test vectors.
type fixedReader struct{ n byte }

func (r *fixedReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.n
		r.n++
	}
	return len(p), nil
}

type keys struct {
	mu sync.Mutex
	m  map[string]vault.WrappedKey
}

func keyName(t tenant.ID, p connection.Purpose, v uint32) string {
	return string(t) + "/" + string(p) + "/" + string(rune('0'+v))
}

func (k *keys) NewestKey(_ context.Context, t tenant.ID, p connection.Purpose) (vault.WrappedKey, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for v := uint32(9); v > 0; v-- {
		if w, ok := k.m[keyName(t, p, v)]; ok {
			return w, true, nil
		}
	}
	return vault.WrappedKey{}, false, nil
}

func (k *keys) Key(_ context.Context, t tenant.ID, p connection.Purpose, v uint32) (vault.WrappedKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w, ok := k.m[keyName(t, p, v)]
	if !ok {
		return w, fault.New(fault.NotFound, "no key")
	}
	return w, nil
}

func (k *keys) PutKey(_ context.Context, t tenant.ID, w vault.WrappedKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := keyName(t, w.Purpose, w.Version)
	if _, ok := k.m[n]; ok {
		return fault.New(fault.Conflict, "exists")
	}
	k.m[n] = w
	return nil
}

// fakeKMS wraps by remembering: the wrapped form is an index, the context must be equal to unwrap.
type fakeKMS struct {
	mu    sync.Mutex
	made  []map[string]string
	keys  [][]byte
	calls int
	fixed bool
}

func (f *fakeKMS) GenerateDataKey(_ context.Context, arn string, ec map[string]string) ([]byte, []byte, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	key := bytes.Repeat([]byte{byte(len(f.keys) + 1)}, 32)
	if f.fixed {
		key = []byte("0123456789abcdef0123456789abcdef")
	}
	f.made, f.keys = append(f.made, maps.Clone(ec)), append(f.keys, bytes.Clone(key))
	if arn == "" {
		arn = "arn:key"
	}
	return key, binary.BigEndian.AppendUint32(nil, uint32(len(f.keys)-1)), arn, nil
}

func (f *fakeKMS) Decrypt(_ context.Context, w []byte, _ string, ec map[string]string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	n := binary.BigEndian.Uint32(w)
	if !maps.Equal(f.made[n], ec) {
		return nil, errors.New("InvalidCiphertextException")
	}
	return bytes.Clone(f.keys[n]), nil
}

var clock = func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func newVault(env string, ks *keys, k *fakeKMS) *vault.Vault {
	return vault.New(env, vault.NewCache(16, 15*time.Minute, clock), ks, k, clock, nil)
}

var bound = connection.Binding{Tenant: "acme", Principal: "user_alice", Record: "conn_1", Purpose: connection.AccessToken, Generation: 4}

func TestVault_SealOpen_RoundTrip(t *testing.T) {
	t.Parallel()
	ks, k := &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{}
	v := newVault("prod", ks, k)
	for _, plain := range []string{"x", "ghu_token", string(make([]byte, 8192))} {
		blob, err := v.Seal(t.Context(), bound, secret.FromString(plain))
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Open(t.Context(), bound, blob)
		if err != nil || string(got.Reveal(reveal.Key{})) != plain {
			t.Fatalf("%v %v", got, err)
		}
		if len(plain) > 4 && bytes.Contains(blob, []byte(plain)) {
			t.Error("the plaintext stands in the envelope")
		}
	}
	if k.calls != 1 {
		t.Errorf("%d KMS calls for six operations, want 1", k.calls)
	}
}

func TestVault_EverySwap_IsRefused(t *testing.T) {
	t.Parallel()
	ks, k := &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{}
	v := newVault("prod", ks, k)
	blob, err := v.Seal(t.Context(), bound, secret.FromString("ghu_token"))
	if err != nil {
		t.Fatal(err)
	}
	swaps := map[string]func(*connection.Binding){
		"tenant":           func(b *connection.Binding) { b.Tenant = "globex" },
		"principal":        func(b *connection.Binding) { b.Principal = "user_bob" },
		"connection":       func(b *connection.Binding) { b.Record = "conn_2" },
		"purpose":          func(b *connection.Binding) { b.Purpose = connection.RefreshToken },
		"older generation": func(b *connection.Binding) { b.Generation = 3 },
		"newer generation": func(b *connection.Binding) { b.Generation = 5 },
		"shifted border":   func(b *connection.Binding) { b.Principal, b.Record = "user_alic", "econn_1" },
		"unknown purpose":  func(b *connection.Binding) { b.Purpose = "zz" },
	}
	for name, swap := range swaps {
		b := bound
		swap(&b)
		if _, err := v.Seal(t.Context(), connection.Binding{Tenant: b.Tenant, Principal: "p", Record: "r", Purpose: connection.AccessToken}, secret.FromString("x")); err != nil {
			t.Fatal(err)
		}
		if got, err := v.Open(t.Context(), b, blob); err == nil {
			t.Errorf("%s: opened as %q", name, got.Reveal(reveal.Key{}))
		}
	}
	if _, err := newVault("staging", ks, k).Open(t.Context(), bound, blob); err == nil {
		t.Error("opened in another environment")
	}
}

func TestVault_EveryBitFlip_IsRefused(t *testing.T) {
	t.Parallel()
	v := newVault("prod", &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{})
	blob, err := v.Seal(t.Context(), bound, secret.FromString("ghu_token"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(blob) * 8 {
		bad := bytes.Clone(blob)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := v.Open(t.Context(), bound, bad); err == nil {
			t.Fatalf("opened with bit %d flipped", i)
		}
	}
	for n := range len(blob) {
		if _, err := v.Open(t.Context(), bound, blob[:n]); err == nil {
			t.Fatalf("opened when cut to %d bytes", n)
		}
	}
}

func TestVault_Shredded_NeverOpens(t *testing.T) {
	t.Parallel()
	ks, k := &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{}
	cache := vault.NewCache(16, time.Hour, clock)
	v := vault.New("prod", cache, ks, k, clock, nil)
	blob, err := v.Seal(t.Context(), bound, secret.FromString("x"))
	if err != nil {
		t.Fatal(err)
	}
	clear(ks.m)
	cache.Forget("acme")
	if _, err := v.Open(t.Context(), bound, blob); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
}

func TestVault_TwoCreateTheFirstKey_OneCounts(t *testing.T) {
	t.Parallel()
	ks, k := &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{}
	blobs := make([][]byte, 50)
	var wg sync.WaitGroup
	for i := range blobs {
		wg.Go(func() {
			b, err := newVault("prod", ks, k).Seal(t.Context(), bound, secret.FromString("x"))
			if err != nil {
				t.Error(err)
			}
			blobs[i] = b
		})
	}
	wg.Wait()
	for i, b := range blobs {
		if _, err := newVault("prod", ks, k).Open(t.Context(), bound, b); err != nil {
			t.Errorf("blob %d: %v", i, err)
		}
	}
}

func TestCache_Expired_AsksKMSAgain(t *testing.T) {
	t.Parallel()
	now := clock()
	ks, k := &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{}
	tick := func() time.Time { return now }
	v := vault.New("prod", vault.NewCache(1, 15*time.Minute, tick), ks, k, tick, nil)
	blob, _ := v.Seal(t.Context(), bound, secret.FromString("x"))
	now = now.Add(16 * time.Minute)
	if _, err := v.Open(t.Context(), bound, blob); err != nil || k.calls != 2 {
		t.Errorf("%v, %d calls", err, k.calls)
	}
}

// TestVector pins the byte layout: a change of format must be a new magic, never a silent difference.
func TestVector(t *testing.T) {
	t.Parallel()
	var vec struct{ Environment, Plaintext, Sealed string }
	raw, err := os.ReadFile("testdata/bv1.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &vec); err != nil {
		t.Fatal(err)
	}
	ks := &keys{m: map[string]vault.WrappedKey{}}
	v := vault.New(vec.Environment, vault.NewCache(4, time.Hour, clock), ks, &fakeKMS{fixed: true}, clock, &fixedReader{})
	blob, err := v.Seal(t.Context(), bound, secret.FromString(vec.Plaintext))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(blob); got != vec.Sealed {
		t.Errorf("sealed bytes changed:\n got %s\nwant %s", got, vec.Sealed)
	}
}

func FuzzOpen(f *testing.F) {
	v := newVault("prod", &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{})
	blob, err := v.Seal(f.Context(), bound, secret.FromString("ghu_token"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob, "acme", "user_alice", "conn_1", uint64(4))
	f.Add([]byte("BV1a"), "acme", "", "", uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, ten, prin, rec string, gen uint64) {
		in := connection.Binding{Tenant: tenant.ID(ten), Principal: tenant.Principal(prin), Record: rec, Purpose: connection.AccessToken, Generation: gen}
		if _, err := v.Open(context.Background(), in, b); err == nil && (!bytes.Equal(b, blob) || in != bound) {
			t.Fatalf("opened %x for %+v", b, in)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	v := newVault("prod", &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{})
	s := secret.New(make([]byte, 1024))
	b.ReportAllocs()
	b.SetBytes(1024)
	for b.Loop() {
		if _, err := v.Seal(b.Context(), bound, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	v := newVault("prod", &keys{m: map[string]vault.WrappedKey{}}, &fakeKMS{})
	blob, err := v.Seal(b.Context(), bound, secret.New(make([]byte, 1024)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(1024)
	for b.Loop() {
		if _, err := v.Open(b.Context(), bound, blob); err != nil {
			b.Fatal(err)
		}
	}
}
