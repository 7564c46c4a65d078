package vault

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/tenant"
)

// WrappedKey is a tenant key as it is stored: only KMS can unwrap it.
type WrappedKey struct {
	Purpose connection.Purpose
	Version uint32
	Wrapped []byte
	// KeyARN is the KMS key that wraps it.
	KeyARN  string
	Created time.Time
}

// KeyStore keeps wrapped tenant keys.
type KeyStore interface {
	// NewestKey returns the highest version, or ok=false when the tenant has none for the purpose.
	NewestKey(ctx context.Context, t tenant.ID, p connection.Purpose) (k WrappedKey, ok bool, err error)
	// Key returns one version; fault.NotFound when it does not exist (the tenant was shredded).
	Key(ctx context.Context, t tenant.ID, p connection.Purpose, version uint32) (WrappedKey, error)
	// PutKey stores a new version; fault.Conflict when that version exists.
	PutKey(ctx context.Context, t tenant.ID, k WrappedKey) error
}

// KMS wraps and unwraps tenant keys. The encryption context is checked by IAM and authenticated by KMS.
type KMS interface {
	// GenerateDataKey makes a key wrapped by the KMS key keyARN; empty means the deployment's own.
	GenerateDataKey(ctx context.Context, keyARN string, encryptionContext map[string]string) (plaintext, wrapped []byte, usedARN string, err error)
	Decrypt(ctx context.Context, wrapped []byte, keyARN string, encryptionContext map[string]string) (plaintext []byte, err error)
}

// encryptionContext is visible in CloudTrail: ids only, never a name or an address.
func encryptionContext(environment string, t tenant.ID, p connection.Purpose, version uint32) map[string]string {
	return map[string]string{"app": "behalf", "env": environment, "tenant": t.Tag(), "purpose": string(p), "ver": strconv.FormatUint(uint64(version), 10)}
}

// Cache keeps unwrapped tenant keys in memory for a while, so that a warm call needs no KMS request. One Cache serves a
// process; a Vault gives it the tenant's own credentials to fill it with.
type Cache struct {
	ttl   time.Duration
	limit int
	now   func() time.Time

	mu     sync.Mutex
	keys   map[cacheKey]*entry
	newest map[cacheKey]newest // keyed with version 0
	flight singleflight.Group
}

type cacheKey struct {
	tenant  tenant.ID
	purpose connection.Purpose
	version uint32
}

type entry struct {
	key  []byte
	used time.Time
	ends time.Time
}

type newest struct {
	version uint32
	ends    time.Time
}

// NewCache returns a Cache of at most limit keys, each kept for at most ttl. Evicted keys are overwritten.
func NewCache(limit int, ttl time.Duration, now func() time.Time) *Cache {
	return &Cache{ttl: ttl, limit: limit, now: now, keys: map[cacheKey]*entry{}, newest: map[cacheKey]newest{}}
}

// get returns a copy of a cached key: an eviction may overwrite the cached bytes at any moment.
func (c *Cache) get(k cacheKey) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.keys[k]
	if !ok {
		return nil, false
	}
	if !c.now().Before(e.ends) {
		c.drop(k)
		return nil, false
	}
	e.used = c.now()
	return append([]byte(nil), e.key...), true
}

func (c *Cache) put(k cacheKey, key []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.keys[k]; !ok && len(c.keys) >= c.limit {
		var oldest cacheKey
		var at time.Time
		for ck, e := range c.keys {
			if at.IsZero() || e.used.Before(at) {
				oldest, at = ck, e.used
			}
		}
		c.drop(oldest)
	}
	now := c.now()
	c.keys[k] = &entry{key: append([]byte(nil), key...), used: now, ends: now.Add(c.ttl)}
}

func (c *Cache) drop(k cacheKey) {
	if e, ok := c.keys[k]; ok {
		clear(e.key)
		delete(c.keys, k)
	}
}

func (c *Cache) newestVersion(k cacheKey) (uint32, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.newest[k]
	return n.version, ok && c.now().Before(n.ends)
}

func (c *Cache) setNewest(k cacheKey, v uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest[k] = newest{v, c.now().Add(c.ttl)}
}

// Forget drops every key of a tenant: its keys were destroyed.
func (c *Cache) Forget(t tenant.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.keys {
		if k.tenant == t {
			c.drop(k)
		}
	}
	for k := range c.newest {
		if k.tenant == t {
			delete(c.newest, k)
		}
	}
}

// shared runs fill once for all concurrent callers that want the same key.
func (c *Cache) shared(k cacheKey, fill func() ([]byte, error)) ([]byte, error) {
	name := fmt.Sprintf("%s/%s/%d", k.tenant, k.purpose, k.version)
	v, err, _ := c.flight.Do(name, func() (any, error) {
		if key, ok := c.get(k); ok {
			return key, nil
		}
		key, err := fill()
		if err == nil {
			c.put(k, key)
		}
		return key, err
	})
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), v.([]byte)...), nil
}
