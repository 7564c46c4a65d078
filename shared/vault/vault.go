package vault

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// Vault seals and opens secrets with the credentials that its KeyStore and KMS were given. Making one is cheap: make it
// per request, over the process-wide Cache.
type Vault struct {
	environment string
	cache       *Cache
	store       KeyStore
	kms         KMS
	now         func() time.Time
	rand        io.Reader
}

// New returns a Vault for one deployment environment ("prod"). random nil means crypto/rand.
func New(environment string, cache *Cache, store KeyStore, kms KMS, now func() time.Time, random io.Reader) *Vault {
	if random == nil {
		random = rand.Reader
	}
	return &Vault{environment, cache, store, kms, now, random}
}

// Seal encrypts s under the newest key of b's tenant and purpose, making the tenant's first key if there is none.
func (v *Vault) Seal(ctx context.Context, b connection.Binding, s secret.Text) ([]byte, error) {
	if b.Tenant == "" || b.Principal == "" || b.Record == "" {
		return nil, fault.New(fault.Internal, "a secret cannot be sealed without an owner")
	}
	ver, key, err := v.newest(ctx, b.Tenant, b.Purpose)
	if err != nil {
		return nil, fmt.Errorf("seal %s of %s: %w", b.Purpose, b.Record, err)
	}
	defer clear(key)
	return seal(key, ver, v.environment, b, s.Reveal(reveal.Key{}), v.rand)
}

// Open decrypts what Seal made for the same binding. Any difference, and any damage, gives one and the same
// fault.Internal: a row was moved or altered, and no caller can repair that.
func (v *Vault) Open(ctx context.Context, b connection.Binding, sealed []byte) (secret.Text, error) {
	ver, err := version(sealed, b.Purpose)
	if err != nil {
		return secret.Text{}, unopened(b, err)
	}
	key, err := v.key(ctx, b.Tenant, b.Purpose, ver)
	if err != nil {
		return secret.Text{}, fmt.Errorf("open %s of %s: %w", b.Purpose, b.Record, err)
	}
	defer clear(key)
	plain, err := open(key, v.environment, b, sealed)
	if err != nil {
		return secret.Text{}, unopened(b, err)
	}
	return secret.New(plain), nil
}

// Warm fetches the keys that sealing and opening for t will need, so that nothing between a provider's answer and the
// write of its tokens waits for KMS.
func (v *Vault) Warm(ctx context.Context, t tenant.ID, purposes ...connection.Purpose) error {
	for _, p := range purposes {
		_, key, err := v.newest(ctx, t, p)
		if err != nil {
			return fmt.Errorf("fetch the %s key of %s: %w", p, t, err)
		}
		clear(key)
	}
	return nil
}

func unopened(b connection.Binding, err error) error {
	return fault.New(fault.Internal, "a stored credential could not be opened").WithCause(fmt.Errorf("%s of %s generation %d: %w", b.Purpose, b.Record, b.Generation, err))
}

// newest returns the newest version and key, creating version 1 when the tenant has none.
func (v *Vault) newest(ctx context.Context, t tenant.ID, p connection.Purpose) (uint32, []byte, error) {
	top := cacheKey{t, p, 0}
	if ver, ok := v.cache.newestVersion(top); ok {
		key, err := v.key(ctx, t, p, ver)
		return ver, key, err
	}
	k, ok, err := v.store.NewestKey(ctx, t, p)
	if err != nil {
		return 0, nil, err
	}
	if !ok {
		return v.create(ctx, t, p, 1, "")
	}
	v.cache.setNewest(top, k.Version)
	key, err := v.unwrap(ctx, t, k)
	return k.Version, key, err
}

// create makes version ver under the KMS key keyARN, empty for the deployment's. When another process made it first, that
// one counts.
func (v *Vault) create(ctx context.Context, t tenant.ID, p connection.Purpose, ver uint32, keyARN string) (uint32, []byte, error) {
	key, wrapped, arn, err := v.kms.GenerateDataKey(ctx, keyARN, encryptionContext(v.environment, t, p, ver))
	if err != nil {
		return 0, nil, err
	}
	err = v.store.PutKey(ctx, t, WrappedKey{Purpose: p, Version: ver, Wrapped: wrapped, KeyARN: arn, Created: v.now()})
	if fault.Is(err, fault.Conflict) {
		clear(key)
		if key, err = v.key(ctx, t, p, ver); err == nil {
			v.cache.setNewest(cacheKey{t, p, 0}, ver)
		}
		return ver, key, err
	}
	if err != nil {
		return 0, nil, err
	}
	v.cache.put(cacheKey{t, p, ver}, key)
	v.cache.setNewest(cacheKey{t, p, 0}, ver)
	return ver, key, nil
}

func (v *Vault) key(ctx context.Context, t tenant.ID, p connection.Purpose, ver uint32) ([]byte, error) {
	if key, ok := v.cache.get(cacheKey{t, p, ver}); ok {
		return key, nil
	}
	k, err := v.store.Key(ctx, t, p, ver)
	if err != nil {
		return nil, err
	}
	return v.unwrap(ctx, t, k)
}

func (v *Vault) unwrap(ctx context.Context, t tenant.ID, k WrappedKey) ([]byte, error) {
	ck := cacheKey{t, k.Purpose, k.Version}
	return v.cache.shared(ck, func() ([]byte, error) {
		return v.kms.Decrypt(ctx, k.Wrapped, k.KeyARN, encryptionContext(v.environment, t, k.Purpose, k.Version))
	})
}
