package vault

import (
	"context"
	"fmt"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Rotation is the new newest version of one purpose.
type Rotation struct {
	Purpose connection.Purpose
	Version uint32
	// KeyARN is the KMS key that wraps it.
	KeyARN string
}

// Rotate makes a new version for each purpose, wrapped by the KMS key keyARN, and seals with it from now on. With an empty
// keyARN it stays with the KMS key of the newest version: that key is the tenant's setting, so there is no other place that
// could disagree with it. A purpose without any version gets its first under the deployment's key.
//
// What is sealed already stays as it is. Other processes go on sealing with the version they know until their caches forget
// it (see Cache); both open everywhere. It returns what was made before an error; rotating again after one is harmless.
// When two rotate at once, each purpose gets one new version, and the one who comes second reports the winner's.
func (v *Vault) Rotate(ctx context.Context, t tenant.ID, keyARN string, purposes ...connection.Purpose) ([]Rotation, error) {
	out := make([]Rotation, 0, len(purposes))
	for _, p := range purposes {
		last, ok, err := v.store.NewestKey(ctx, t, p)
		if err != nil {
			return out, fmt.Errorf("find the newest %s key of %s: %w", p, t, err)
		}
		r, err := v.follow(ctx, t, p, keyARN, last, ok)
		if err != nil {
			return out, fmt.Errorf("rotate the %s key of %s: %w", p, t, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// RotateOlder is Rotate, under the same KMS key, of those purposes whose newest version was made before a time. Purposes
// without any version are left alone. However often it is called, and by how many at once, each old version gets one successor.
func (v *Vault) RotateOlder(ctx context.Context, t tenant.ID, before time.Time, purposes ...connection.Purpose) ([]Rotation, error) {
	var out []Rotation
	for _, p := range purposes {
		last, ok, err := v.store.NewestKey(ctx, t, p)
		if err != nil {
			return out, fmt.Errorf("find the newest %s key of %s: %w", p, t, err)
		}
		if !ok || !last.Created.Before(before) {
			continue
		}
		r, err := v.follow(ctx, t, p, "", last, ok)
		if err != nil {
			return out, fmt.Errorf("rotate the %s key of %s: %w", p, t, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// follow makes the version behind last.
func (v *Vault) follow(ctx context.Context, t tenant.ID, p connection.Purpose, keyARN string, last WrappedKey, ok bool) (Rotation, error) {
	if ok && keyARN == "" {
		keyARN = last.KeyARN
	}
	if last.Version == 1<<32-1 {
		return Rotation{}, fault.New(fault.Conflict, "the key versions are used up") // 4 billion rotations
	}
	ver, key, err := v.create(ctx, t, p, last.Version+1, keyARN)
	if err != nil {
		return Rotation{}, err
	}
	clear(key)
	k, err := v.store.Key(ctx, t, p, ver)
	if err != nil {
		return Rotation{}, err
	}
	if keyARN != "" && k.KeyARN != keyARN { // somebody else's version won, under another KMS key
		return Rotation{}, fault.New(fault.Conflict, "somebody else rotated these keys at the same moment; look at them and try again")
	}
	return Rotation{Purpose: p, Version: ver, KeyARN: k.KeyARN}, nil
}

// Renew reads which version is newest and seals with that from now on, whatever the cache held. Purposes without any
// version are left alone.
func (v *Vault) Renew(ctx context.Context, t tenant.ID, purposes ...connection.Purpose) error {
	for _, p := range purposes {
		k, ok, err := v.store.NewestKey(ctx, t, p)
		if err != nil {
			return fmt.Errorf("find the newest %s key of %s: %w", p, t, err)
		}
		if ok {
			v.cache.setNewest(cacheKey{t, p, 0}, k.Version)
		}
	}
	return nil
}
