package dynamo

import (
	"context"
	"errors"

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

// principalState is the row that step 1 of every execution reads.
type principalState struct {
	Suspended bool   `json:"suspended"`
	Reason    string `json:"reason,omitempty"`
	// Epoch counts suspensions.
	Epoch uint64 `json:"epoch"`
}

// SetSuspended suspends or restores a principal; changed tells whether it was otherwise before. Principals that never
// connected anything get their row too, so that a later connection meets it.
func (db *DB) SetSuspended(ctx context.Context, s tenant.Scope, suspended bool, reason string) (changed bool, err error) {
	k := principalStateKey(s)
	for range maxRaces {
		i, err := db.get(ctx, db.names.Vault, k)
		if err != nil {
			return false, err
		}
		var st principalState
		if i != nil {
			if err := decode(i, &st); err != nil {
				return false, err
			}
		}
		if st.Suspended == suspended {
			return false, nil
		}
		st.Suspended, st.Reason = suspended, reason
		if suspended {
			st.Epoch++
		}
		old := number(i, attrVersion)
		doc, err := document(k, old+1, st)
		if err != nil {
			return false, err
		}
		if _, err = db.put(ctx, db.names.Vault, doc, old); err == nil {
			return true, nil
		} else if !errors.Is(err, errLost) {
			return false, err
		}
	}
	return false, fault.New(fault.RateLimited, "the principal's state changes too often; try again")
}

// tenantState is what every execution reads about the tenant.
type tenantState struct {
	Closed bool `json:"closed"`
}

// gates reads tenant and principal state in one strong request. A tenant without a state row does not exist: closed.
func (db *DB) gates(ctx context.Context, s tenant.Scope) (closed, suspended bool, err error) {
	items, err := db.batchGet(ctx, db.names.Vault, []item{tenantStateKey(s.Tenant).item(), principalStateKey(s).item()})
	if err != nil {
		return true, true, err
	}
	return readGates(items)
}

// readGates reads state rows. What cannot be read counts as closed and suspended.
func readGates(items []item) (closed, suspended bool, err error) {
	closed = true
	for _, i := range items {
		switch text(i, attrSK) {
		case "STATE":
			var st tenantState
			if err := decode(i, &st); err != nil {
				return true, true, err
			}
			closed = st.Closed
		case "A":
			var st principalState
			if err := decode(i, &st); err != nil {
				return true, true, err
			}
			suspended = st.Suspended
		}
	}
	return closed, suspended, nil
}

// Suspended reports whether the directory suspended the principal; fault.NotFound when the tenant does not exist or was
// deleted.
func (db *DB) Suspended(ctx context.Context, s tenant.Scope) (bool, error) {
	var items []item
	// Two reads, not gates' one batch: the connect role may read both rows, but by different statements, and IAM wants
	// one statement to cover all keys of a batch.
	for _, k := range []key{tenantStateKey(s.Tenant), principalStateKey(s)} {
		i, err := db.get(ctx, db.names.Vault, k)
		if err != nil {
			return true, err
		}
		if i != nil {
			items = append(items, i)
		}
	}
	closed, suspended, err := readGates(items)
	if err == nil && closed {
		err = noTenant(s.Tenant)
	}
	return suspended, err
}

func noTenant(t tenant.ID) error {
	return fault.New(fault.NotFound, "there is no tenant %q: it was never created with PUT /v1/tenants/%s, or it was deleted for good", t, t).WithField("/tenant")
}

var _ vault.KeyStore = (*DB)(nil)
