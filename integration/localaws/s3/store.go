package s3

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
	"behalf.dev/behalf/integration/localaws/iam"
)

// Object Lock modes.
const (
	Governance = "GOVERNANCE"
	Compliance = "COMPLIANCE"
)

// Lock is Object Lock with the default retention of a bucket.
type Lock struct {
	Enabled bool
	Mode    string // "" for no default retention
	Days    int
}

// Options configure a Store.
type Options struct {
	Now     func() time.Time
	Journal func(kind string, record any) // nil for none; called under the lock
}

// Store is a set of buckets. It is safe for concurrent use.
type Store struct {
	opt     Options
	mu      sync.RWMutex
	buckets map[string]*bucket
}

type bucket struct {
	lock   Lock
	policy *iam.Policy
	keys   map[string][]version // oldest first
}

// version is one version of an object, also in the journal.
type version struct {
	Bucket, Key, ID string
	Marker          bool // a delete marker
	Body            []byte
	SHA256          string // as sent, base64
	Time            time.Time
	Mode            string
	Until           time.Time // retention
}

// New returns an empty store.
func New(o Options) *Store {
	if o.Journal == nil {
		o.Journal = func(string, any) {}
	}
	return &Store{opt: o, buckets: map[string]*bucket{}}
}

// Ensure makes a bucket, or changes the lock of one that exists; what is stored stays locked as it was. created is false for a
// bucket that was there.
func (s *Store) Ensure(name string, l Lock) (created bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	if b == nil {
		b, created = &bucket{keys: map[string][]version{}}, true
		s.buckets[name] = b
	}
	b.lock = l
	return created
}

// SetPolicy replaces the policy of a bucket. Errors are those of iam.Parse, and NoSuchBucket.
func (s *Store) SetPolicy(name, document string) error {
	p, err := iam.Parse("policy of bucket "+name, []byte(document))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bucket(name)
	if err == nil {
		b.policy = p
	}
	return err
}

// bucket finds a bucket; the caller holds the lock.
func (s *Store) bucket(name string) (*bucket, error) {
	if b := s.buckets[name]; b != nil {
		return b, nil
	}
	return nil, &awserr.Error{Code: "NoSuchBucket", Message: "The specified bucket does not exist", Status: 404}
}

// newest is the version that a read without a version sees.
func (b *bucket) newest(key string) (version, bool) {
	all := b.keys[key]
	if len(all) == 0 || all[len(all)-1].Marker {
		return version{}, false
	}
	return all[len(all)-1], true
}

func (s *Store) add(v version) {
	if b := s.buckets[v.Bucket]; b != nil {
		b.keys[v.Key] = append(b.keys[v.Key], v)
	}
}

// remove drops one version; the caller holds the lock.
func (s *Store) remove(name, key, id string) {
	if b := s.buckets[name]; b != nil {
		b.keys[key] = slices.DeleteFunc(b.keys[key], func(v version) bool { return v.ID == id })
	}
}

// removed is the journal form of a deleted version.
type removed struct{ Bucket, Key, ID string }

// Restore applies one journal record. Buckets come back with their first object; LoadTemplates sets lock and policy.
func (s *Store) Restore(kind string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind == "removed" {
		var r removed
		err := json.Unmarshal(data, &r)
		s.remove(r.Bucket, r.Key, r.ID)
		return err
	}
	var v version
	err := json.Unmarshal(data, &v)
	if s.buckets[v.Bucket] == nil {
		s.buckets[v.Bucket] = &bucket{keys: map[string][]version{}}
	}
	s.add(v)
	return err
}

// Snapshot emits all versions.
func (s *Store) Snapshot(emit func(kind string, record any)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, b := range s.buckets {
		for _, versions := range b.keys {
			for _, v := range versions {
				emit("version", v)
			}
		}
	}
}

// list returns the newest versions under a prefix, behind a key, in order.
func (b *bucket) list(prefix, after string) []version {
	var out []version
	for key := range b.keys {
		if v, ok := b.newest(key); ok && strings.HasPrefix(key, prefix) && key > after {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b version) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
