package dynamo

import (
	"context"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/vault"
)

// NewestKey returns the highest version of a tenant's wrapped key, or ok=false when there is none.
func (db *DB) NewestKey(ctx context.Context, t tenant.ID, p connection.Purpose) (k vault.WrappedKey, ok bool, err error) {
	items, _, err := db.query(ctx, db.names.Vault, page{pk: tenantKeysPartition(t), prefix: tenantKeyPrefix(p), limit: 1, backward: true, strong: true})
	if err != nil || len(items) == 0 {
		return k, false, err
	}
	return k, true, decode(items[0], &k)
}

// Key returns one version; fault.NotFound when it does not exist: the tenant was shredded.
func (db *DB) Key(ctx context.Context, t tenant.ID, p connection.Purpose, version uint32) (k vault.WrappedKey, err error) {
	i, err := db.get(ctx, db.names.Vault, tenantKeyKey(t, p, version))
	if err != nil {
		return k, err
	}
	if i == nil {
		return k, fault.New(fault.NotFound, "the tenant's keys were destroyed")
	}
	return k, decode(i, &k)
}

// PutKey stores a new version; fault.Conflict when that version exists.
func (db *DB) PutKey(ctx context.Context, t tenant.ID, k vault.WrappedKey) error {
	i, err := document(tenantKeyKey(t, k.Purpose, k.Version), 1, k)
	if err != nil {
		return err
	}
	_, err = db.put(ctx, db.names.Vault, i, 0)
	return err
}

// DestroyKeys deletes every wrapped key of a tenant: what was sealed under them can never be opened again.
// Point-in-time recovery keeps copies for up to 35 days.
func (db *DB) DestroyKeys(ctx context.Context, t tenant.ID) error {
	items, _, err := db.query(ctx, db.names.Vault, page{pk: tenantKeysPartition(t), strong: true})
	if err != nil {
		return err
	}
	for _, i := range items {
		if err := db.delete(ctx, db.names.Vault, key{text(i, attrPK), text(i, attrSK)}); err != nil {
			return err
		}
	}
	return nil
}

// StoredClient reads an OAuth client; fault.NotFound.
func (db *DB) StoredClient(ctx context.Context, owner tenant.ID, connector string) (c connection.StoredClient, err error) {
	i, err := db.get(ctx, db.names.Vault, clientKey(owner, connector))
	if err != nil {
		return c, err
	}
	if i == nil {
		return c, fault.New(fault.NotFound, "no OAuth client is registered for %s", connector)
	}
	return c, decode(i, &c)
}

// PutClient writes c if the stored revision is c.Revision-1 (0: none stored); fault.Conflict otherwise.
func (db *DB) PutClient(ctx context.Context, c connection.StoredClient) error {
	i, err := document(clientKey(c.Owner, c.Connector), c.Revision, c)
	if err != nil {
		return err
	}
	_, err = db.put(ctx, db.names.Vault, i, c.Revision-1)
	return err
}

// DeleteClient removes an OAuth client; deleting what is not there is no error.
func (db *DB) DeleteClient(ctx context.Context, owner tenant.ID, connector string) error {
	return db.delete(ctx, db.names.Vault, clientKey(owner, connector))
}

func noTenant(t tenant.ID) error {
	return fault.New(fault.NotFound, "there is no tenant %q: it was never created with PUT /v1/tenants/%s, or it was deleted for good", t, t).WithField("/tenant")
}

var _ vault.KeyStore = (*DB)(nil)
