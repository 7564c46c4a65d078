package dynamo

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Tenant is one customer's settings.
type Tenant struct {
	ID tenant.ID `json:"id"`
	// Name is shown to end users; empty shows the id.
	Name string `json:"name,omitempty"`
	// PrincipalMapping says which SCIM attribute is the principal: externalId, userName or primaryEmail.
	PrincipalMapping string `json:"principal_mapping"`
	// ReturnURLs are the only return URLs that connect links may name; empty leaves them open.
	ReturnURLs []string `json:"return_urls,omitempty"`
	// RequireAssertion refuses sessions for a principal that only the back end names: its issuer must have named it.
	RequireAssertion bool `json:"require_assertion"`
	// Accent is the colour of buttons on its pages, #rrggbb; empty keeps ours.
	Accent string `json:"accent,omitempty"`
	// HasLogo tells that there is a logo. It is an item of its own: settings are read often, and it may have 90 KB.
	HasLogo bool      `json:"has_logo,omitempty"`
	Created time.Time `json:"created_at"`
	Updated time.Time `json:"updated_at"`
	// Deleted is set for good: a tenant id is never used again.
	Deleted time.Time `json:"deleted_at,omitzero"`
	// Version is the store's.
	Version uint64 `json:"-"`
}

// Tenant reads one; fault.NotFound when it never existed. A deleted tenant is returned with Deleted set.
func (db *DB) Tenant(ctx context.Context, id tenant.ID) (t Tenant, err error) {
	i, err := db.get(ctx, db.names.Directory, tenantKey(id))
	if err != nil {
		return t, err
	}
	if i == nil {
		return t, noTenant(id)
	}
	if err := decode(i, &t); err != nil {
		return t, err
	}
	t.Version = number(i, attrVersion)
	return t, nil
}

// LiveTenant is Tenant for one that must not be deleted: fault.NotFound otherwise too.
func (db *DB) LiveTenant(ctx context.Context, id tenant.ID) (Tenant, error) {
	t, err := db.Tenant(ctx, id)
	if err == nil && !t.Deleted.IsZero() {
		err = TenantDeleted(id)
	}
	return t, err
}

// TenantDeleted is the error of asking for something of a deleted tenant.
func TenantDeleted(id tenant.ID) error {
	return fault.New(fault.NotFound, "tenant %q was deleted; tenant ids are never used again", id).WithField("tenant").With("reason", "tenant_deleted")
}

// PutTenant writes settings if the stored version is t's (0: a new tenant); fault.Conflict otherwise. The state row that
// executions read changes in the same transaction: two writers at once must not leave a deleted tenant open.
func (db *DB) PutTenant(ctx context.Context, t Tenant) (Tenant, error) {
	next := t
	next.Version++
	i, err := document(tenantKey(t.ID), next.Version, next)
	if err != nil {
		return t, err
	}
	state, err := document(tenantStateKey(t.ID), 1, tenantState{Closed: !t.Deleted.IsZero()})
	if err != nil {
		return t, err
	}
	open := types.TransactWriteItem{Put: &types.Put{TableName: &db.names.Vault, Item: state}}
	if err := db.transact(ctx, db.putWrite(db.names.Directory, i, t.Version), open); err != nil {
		return t, err
	}
	return next, nil
}

// Logo reads the tenant's logo, a data URL; empty when there is none.
func (db *DB) Logo(ctx context.Context, t tenant.ID) (string, error) {
	i, err := db.get(ctx, db.names.Directory, logoKey(t))
	if err != nil || i == nil {
		return "", err
	}
	return text(i, "logo"), nil
}

// PutLogo replaces the tenant's logo; an empty one removes it. Tenant.HasLogo is the caller's to keep.
func (db *DB) PutLogo(ctx context.Context, t tenant.ID, logo string) error {
	if logo == "" {
		return db.delete(ctx, db.names.Directory, logoKey(t))
	}
	i := logoKey(t).item()
	i["logo"] = str(logo)
	return db.transact(ctx, types.TransactWriteItem{Put: &types.Put{TableName: &db.names.Directory, Item: i}})
}

// ListTenant notes a tenant in the deployment's list; it is written with deployment-wide credentials.
func (db *DB) ListTenant(ctx context.Context, id tenant.ID, deleted bool) error {
	i, err := document(tenantListKey(id), 1, map[string]bool{"deleted": deleted})
	if err != nil {
		return err
	}
	return db.transact(ctx, types.TransactWriteItem{Put: &types.Put{TableName: &db.names.Directory, Item: i}})
}

// Tenants lists a page of tenant ids that are not deleted, behind after; next is empty at the end.
func (db *DB) Tenants(ctx context.Context, after tenant.ID, limit int) (ids []tenant.ID, next tenant.ID, err error) {
	p := page{pk: tenantsPartition(), prefix: "TENANT#", limit: int32(limit)}
	if after != "" {
		p.after = tenantListKey(after).sk
	}
	items, more, err := db.query(ctx, db.names.Directory, p)
	if err != nil {
		return nil, "", err
	}
	for _, i := range items {
		var st struct{ Deleted bool }
		if err := decode(i, &st); err != nil {
			return nil, "", err
		}
		if !st.Deleted {
			ids = append(ids, tenant.ID(strings.TrimPrefix(text(i, attrSK), "TENANT#")))
		}
	}
	return ids, tenant.ID(strings.TrimPrefix(more, "TENANT#")), nil
}

// storedKey is authn.Key with its digest as text.
type storedKey struct {
	authn.Key
	Digest string
}

// partitionOwner is whose AUTH partition a key lives in: API keys are the deployment's, even those limited to a tenant.
func partitionOwner(k authn.KeyKind, t tenant.ID) tenant.ID {
	if k == authn.APIKey {
		return tenant.Deployment
	}
	return t
}

// PutKeyRecord stores a new API key or SCIM token; fault.Conflict if the id exists.
func (db *DB) PutKeyRecord(ctx context.Context, k authn.Key) error {
	i, err := document(authKey(partitionOwner(k.Kind, k.Tenant), string(k.Kind), k.ID), 1, storedKey{k, hex.EncodeToString(k.Digest[:])})
	if err != nil {
		return err
	}
	_, err = db.put(ctx, db.names.Directory, i, 0)
	return err
}

// KeyRecord reads the key that a presented text refers to; fault.Unauthenticated when there is none.
func (db *DB) KeyRecord(ctx context.Context, ref authn.KeyRef) (authn.Key, error) {
	i, err := db.get(ctx, db.names.Directory, authKey(partitionOwner(ref.Kind, ref.Tenant), string(ref.Kind), ref.ID))
	if err != nil {
		return authn.Key{}, err
	}
	if i == nil {
		return authn.Key{}, fault.New(fault.Unauthenticated, "the key is not valid or was deleted")
	}
	return readKey(i)
}

func readKey(i item) (authn.Key, error) {
	var s storedKey
	if err := decode(i, &s); err != nil {
		return authn.Key{}, err
	}
	d, err := hex.DecodeString(s.Digest)
	if err != nil || len(d) != len(s.Key.Digest) {
		return authn.Key{}, errors.New("a stored key's digest is damaged")
	}
	copy(s.Key.Digest[:], d)
	return s.Key, nil
}

// KeyRecords lists the keys of one kind: a tenant's SCIM tokens, or the deployment's API keys.
func (db *DB) KeyRecords(ctx context.Context, kind authn.KeyKind, t tenant.ID) ([]authn.Key, error) {
	items, _, err := db.query(ctx, db.names.Directory, page{pk: authPartition(partitionOwner(kind, t)), prefix: part(string(kind)) + "#", strong: true})
	if err != nil {
		return nil, err
	}
	out := make([]authn.Key, 0, len(items))
	for _, i := range items {
		k, err := readKey(i)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// DeleteKeyRecord removes a key; the next request with it is refused. Deleting what is not there is no error.
func (db *DB) DeleteKeyRecord(ctx context.Context, kind authn.KeyKind, t tenant.ID, id string) error {
	return db.delete(ctx, db.names.Directory, authKey(partitionOwner(kind, t), string(kind), id))
}
