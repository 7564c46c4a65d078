package kms

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
	"behalf.dev/behalf/integration/localaws/iam"
)

// Key specs that are supported.
const (
	Symmetric = "SYMMETRIC_DEFAULT"
	P256      = "ECC_NIST_P256"
)

// key is one key; guarded by Store.mu.
type key struct {
	id       [16]byte
	arn      string
	spec     string
	state    string // Enabled, Disabled, PendingDeletion
	material []byte // AES key or PKCS #8
	signer   *ecdsa.PrivateKey
	policy   *iam.Policy
	document string
	created  time.Time
	deletion time.Time
	note     string
	account  string // whose it is, when that is another account; empty otherwise
}

// Options configure a Store.
type Options struct {
	Now             func() time.Time
	Region, Account string
	Journal         func(kind string, record any) // nil for none; called under the lock
}

// Store is a set of keys and aliases. It is safe for concurrent use.
type Store struct {
	opt     Options
	mu      sync.RWMutex
	keys    map[[16]byte]*key
	aliases map[string][16]byte // "alias/name"
	labels  map[string][16]byte // template resources, so that a restart finds its keys again
}

// New returns an empty store.
func New(o Options) *Store {
	if o.Journal == nil {
		o.Journal = func(string, any) {}
	}
	return &Store{opt: o, keys: map[[16]byte]*key{}, aliases: map[string][16]byte{}, labels: map[string][16]byte{}}
}

func idText(id [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// find resolves a key id, key ARN, alias name or alias ARN; the caller holds the lock.
func (s *Store) find(ref string) (*key, error) {
	name := ref
	if i := strings.Index(ref, ":alias/"); i >= 0 {
		name = ref[i+1:]
	}
	if strings.HasPrefix(name, "alias/") {
		if id, ok := s.aliases[name]; ok {
			return s.keys[id], nil
		}
		return nil, awserr.New("NotFoundException", "Alias %s is not found.", s.arn(name))
	}
	if i := strings.LastIndex(name, "key/"); i >= 0 {
		name = name[i+4:]
	}
	if raw, err := hex.DecodeString(strings.ReplaceAll(name, "-", "")); err == nil && len(raw) == 16 {
		if k := s.keys[[16]byte(raw)]; k != nil {
			return k, nil
		}
	}
	return nil, awserr.New("NotFoundException", "Key '%s' does not exist", s.arn("key/"+name))
}

func (s *Store) arn(resource string) string {
	return "arn:aws:kms:" + s.opt.Region + ":" + s.opt.Account + ":" + resource
}

// defaultPolicy is what KMS gives a key that is created without a policy: IAM decides.
func (s *Store) defaultPolicy() string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + s.opt.Account + `:root"},"Action":"kms:*","Resource":"*"}]}`
}

// create makes a key; the caller holds the lock.
func (s *Store) create(spec, policy, note string) (*key, error) {
	k := &key{spec: spec, state: "Enabled", created: s.opt.Now(), note: note}
	rand.Read(k.id[:])
	k.id[6], k.id[8] = k.id[6]&0x0f|0x40, k.id[8]&0x3f|0x80
	k.arn = s.arn("key/" + idText(k.id))
	switch spec {
	case Symmetric:
		k.material = make([]byte, 32)
		rand.Read(k.material)
	case P256:
		signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("generate P-256 key: %w", err)
		}
		if k.material, err = x509.MarshalPKCS8PrivateKey(signer); err != nil {
			return nil, fmt.Errorf("encode P-256 key: %w", err)
		}
		k.signer = signer
	default:
		return nil, awserr.Unknown("kms KeySpec " + spec)
	}
	if policy == "" {
		policy = s.defaultPolicy()
	}
	if err := k.setPolicy(policy); err != nil {
		return nil, err
	}
	s.keys[k.id] = k
	s.save(k)
	return k, nil
}

func (k *key) setPolicy(document string) error {
	p, err := iam.Parse("key policy of "+k.arn, []byte(document))
	if err != nil {
		return awserr.New("MalformedPolicyDocumentException", "%v", err)
	}
	k.policy, k.document = p, document
	return nil
}

// record is the journal form of a key.
type record struct {
	ID                  []byte
	Spec, State, Policy string
	Material            []byte
	Created, Deletion   int64  // Unix seconds
	Note, Alias, Label  string `json:",omitempty"`
	Account             string `json:",omitempty"`
}

func (k *key) record() record {
	r := record{ID: k.id[:], Spec: k.spec, State: k.state, Policy: k.document, Material: k.material, Created: k.created.Unix(), Note: k.note, Account: k.account}
	if !k.deletion.IsZero() {
		r.Deletion = k.deletion.Unix()
	}
	return r
}

func (s *Store) save(k *key) { s.opt.Journal("key", k.record()) }

// Restore applies one journal record.
func (s *Store) Restore(kind string, data []byte) error {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("restore %s: %w", kind, err)
	}
	id := [16]byte(r.ID)
	switch kind {
	case "alias":
		s.aliases[r.Alias] = id
		return nil
	case "label":
		s.labels[r.Label] = id
		return nil
	}
	k := &key{id: id, arn: s.arn("key/" + idText(id)), spec: r.Spec, state: r.State, material: r.Material, created: time.Unix(r.Created, 0), note: r.Note}
	k.belong(s, r.Account)
	if r.Deletion != 0 {
		k.deletion = time.Unix(r.Deletion, 0)
	}
	if r.Spec == P256 {
		p, err := x509.ParsePKCS8PrivateKey(r.Material)
		if err != nil {
			return fmt.Errorf("restore signing key: %w", err)
		}
		k.signer = p.(*ecdsa.PrivateKey)
	}
	if err := k.setPolicy(r.Policy); err != nil {
		return err
	}
	s.keys[id] = k
	return nil
}

// Snapshot emits records that restore the present state.
func (s *Store) Snapshot(emit func(kind string, record any)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range s.keys {
		emit("key", k.record())
	}
	for name, id := range s.aliases {
		emit("alias", record{ID: id[:], Alias: name})
	}
	for name, id := range s.labels {
		emit("label", record{ID: id[:], Label: name})
	}
}

// Ensure creates the key of a template resource, or finds the one of an earlier start and
// replaces its policy. It returns the ARN and the key id.
func (s *Store) Ensure(label, spec, policy, note string) (arn, id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.labels[label]; ok {
		k := s.keys[old]
		if policy != "" {
			if err := k.setPolicy(policy); err != nil {
				return "", "", err
			}
			s.save(k)
		}
		return k.arn, idText(k.id), nil
	}
	k, err := s.create(spec, policy, note)
	if err != nil {
		return "", "", err
	}
	s.labels[label] = k.id
	s.opt.Journal("label", record{ID: k.id[:], Label: label})
	return k.arn, idText(k.id), nil
}

// belong makes a key one of another account; empty is this one's.
func (k *key) belong(s *Store, account string) {
	if k.account = account; account != "" {
		k.arn = "arn:aws:kms:" + s.opt.Region + ":" + account + ":key/" + idText(k.id)
	}
}

// CreateForeign makes a symmetric key of another account: what this account's roles may do with it, their own policies and
// the key's have to allow both.
func (s *Store) CreateForeign(account, policy string) (arn string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.create(Symmetric, policy, "of account "+account)
	if err != nil {
		return "", err
	}
	k.belong(s, account)
	s.save(k)
	return k.arn, nil
}

// SetPolicy replaces the policy of a key.
func (s *Store) SetPolicy(ref, document string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.find(ref)
	if err != nil {
		return err
	}
	if err := k.setPolicy(document); err != nil {
		return err
	}
	s.save(k)
	return nil
}

// SetAlias points an alias ("alias/name") at a key.
func (s *Store) SetAlias(alias, ref string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.find(ref)
	if err != nil {
		return err
	}
	s.aliases[alias] = k.id
	s.opt.Journal("alias", record{ID: k.id[:], Alias: alias})
	return nil
}
