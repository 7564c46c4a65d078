package keyring

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/vault"
)

// Sealer is the tenant's vault.
type Sealer interface {
	Seal(ctx context.Context, b connection.Binding, s secret.Text) ([]byte, error)
	Open(ctx context.Context, b connection.Binding, sealed []byte) (secret.Text, error)
	// Renew makes Seal use the newest version, whatever was cached.
	Renew(ctx context.Context, t tenant.ID, purposes ...connection.Purpose) error
}

// Keys lists and deletes wrapped keys.
type Keys interface {
	// Keys lists every version of every purpose, strongly.
	Keys(ctx context.Context, t tenant.ID) ([]vault.WrappedKey, error)
	// DeleteKey deletes one version for good; deleting what is not there is no error.
	DeleteKey(ctx context.Context, t tenant.ID, p connection.Purpose, version uint32) error
}

// Records are what a tenant has sealed.
type Records interface {
	// StoredSlots lists the slots of a page of a tenant's connections by id, behind the id after, strongly; next is empty at
	// the end.
	StoredSlots(ctx context.Context, t tenant.ID, after connection.ID, limit int) (slots []connection.StoredSlot, next connection.ID, err error)
	// ResealSlot replaces the sealed tokens of old, if exactly old is stored: fault.Conflict otherwise.
	ResealSlot(ctx context.Context, ref connection.Ref, old connection.Slot, access, refresh []byte) error
}

// Clients are the OAuth clients that a tenant owns.
type Clients interface {
	// StoredClients lists the clients of an owner, strongly.
	StoredClients(ctx context.Context, owner tenant.ID) ([]connection.StoredClient, error)
	// ResealClient replaces the sealed secret of old, if exactly old is stored: fault.Conflict otherwise.
	ResealClient(ctx context.Context, old connection.StoredClient, sealed []byte) error
}

// Webhooks are the webhook endpoints that a tenant owns, with their sealed signing secrets.
type Webhooks interface {
	// Endpoints lists all of one owner, strongly.
	Endpoints(ctx context.Context, owner tenant.ID) ([]notify.Endpoint, error)
	// PutEndpoint writes e if the stored version is e.Version: fault.Conflict otherwise.
	PutEndpoint(ctx context.Context, e notify.Endpoint) error
}

// Walks keeps one Walk for each tenant.
type Walks interface {
	// Walk reads it; the zero Walk when there is none.
	Walk(ctx context.Context, t tenant.ID) (Walk, error)
	// PutWalk writes w if the stored version is w's, and returns it with its new version; fault.Conflict otherwise.
	PutWalk(ctx context.Context, t tenant.ID, w Walk) (Walk, error)
}

// Deps are what a Keyring works with: everything under one tenant's credentials.
type Deps struct {
	Sealer   Sealer
	Keys     Keys
	Records  Records
	Clients  Clients
	Webhooks Webhooks
	Walks    Walks
	Recorder audit.Recorder
	Log      *slog.Logger
	Now      func() time.Time
	NewID    func(prefix string) string
}

// Keyring re-seals and retires for the tenant whose credentials its Deps hold.
type Keyring struct{ Deps }

// New returns a Keyring.
func New(d Deps) *Keyring { return &Keyring{d} }

// Purposes are the purposes that t has keys of. The deployment owns OAuth clients and webhooks, and no tokens.
func Purposes(t tenant.ID) []connection.Purpose {
	if t == tenant.Deployment {
		return []connection.Purpose{connection.ClientSecret, connection.WebhookSecret}
	}
	return append(Brought(), connection.WebhookSecret)
}

// Brought are the purposes whose keys a tenant's own KMS key wraps, if it brought one. Signing secrets of webhooks are not among
// them: they open no account, and their function unwraps by the deployment's key alone.
func Brought() []connection.Purpose {
	return []connection.Purpose{connection.AccessToken, connection.RefreshToken, connection.ClientSecret}
}

// Newest is the newest version of each purpose among keys.
func Newest(keys []vault.WrappedKey) map[connection.Purpose]vault.WrappedKey {
	out := map[connection.Purpose]vault.WrappedKey{}
	for _, k := range keys {
		if k.Version > out[k.Purpose].Version {
			out[k.Purpose] = k
		}
	}
	return out
}

// Overdue reports that t has a newest version that is older than age: it is time to rotate. A tenant that never sealed
// anything has nothing to rotate.
func Overdue(keys []vault.WrappedKey, now time.Time, age time.Duration) bool {
	for _, k := range Newest(keys) {
		if now.Sub(k.Created) > age {
			return true
		}
	}
	return false
}

// Several reports that some purpose has more than one version: there may be something to re-seal or to retire.
func Several(keys []vault.WrappedKey) bool { return len(keys) > len(Newest(keys)) }

// successor is the version that followed version of p, among keys that still exist.
func successor(keys []vault.WrappedKey, p connection.Purpose, version uint32) (next vault.WrappedKey, ok bool) {
	later := slices.DeleteFunc(slices.Clone(keys), func(k vault.WrappedKey) bool { return k.Purpose != p || k.Version <= version })
	if len(later) == 0 {
		return next, false
	}
	return slices.MinFunc(later, func(a, b vault.WrappedKey) int { return int(int64(a.Version) - int64(b.Version)) }), true
}
