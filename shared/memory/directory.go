package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
)

func noTenant(t tenant.ID) error {
	return fault.New(fault.NotFound, "there is no tenant %q; create it with PUT /v1/tenants/%s", t, t).WithField("/tenant")
}

// Tenant reads one; fault.NotFound when it never existed. A deleted tenant is returned with Deleted set.
func (s *Store) Tenant(ctx context.Context, id tenant.ID) (t dynamo.Tenant, err error) {
	err = s.do(ctx, "Tenant", func() (err error) {
		t, err = s.tenant(id)
		return err
	})
	return t, err
}

func (s *Store) tenant(id tenant.ID) (t dynamo.Tenant, err error) {
	r, ok := s.tenants[id]
	if !ok {
		return t, noTenant(id)
	}
	err = r.decode(&t)
	t.Version = r.version
	return t, err
}

// PutTenant writes settings if the stored version is t's (0: a new tenant); fault.Conflict otherwise.
func (s *Store) PutTenant(ctx context.Context, t dynamo.Tenant) (dynamo.Tenant, error) {
	next := t
	next.Version++
	err := s.do(ctx, "PutTenant", func() error {
		if s.tenants[t.ID].version != t.Version {
			return errLost
		}
		r, err := encode(next, next.Version)
		if err == nil {
			s.tenants[t.ID] = r
		}
		return err
	})
	return next, err
}

// Logo reads the tenant's logo; empty when there is none.
func (s *Store) Logo(ctx context.Context, t tenant.ID) (logo string, err error) {
	err = s.do(ctx, "Logo", func() error {
		logo = s.logos[t]
		return nil
	})
	return logo, err
}

// PutLogo replaces the tenant's logo; an empty one removes it.
func (s *Store) PutLogo(ctx context.Context, t tenant.ID, logo string) error {
	return s.do(ctx, "PutLogo", func() error {
		s.logos[t] = logo
		return nil
	})
}

// ListTenant notes a tenant in the deployment's list.
func (s *Store) ListTenant(ctx context.Context, id tenant.ID, deleted bool) error {
	return s.do(ctx, "ListTenant", func() error {
		s.deployed[id] = !deleted
		return nil
	})
}

// Tenants lists a page of tenant ids that are not deleted, behind after; next is empty at the end.
func (s *Store) Tenants(ctx context.Context, after tenant.ID, limit int) (ids []tenant.ID, next tenant.ID, err error) {
	err = s.do(ctx, "Tenants", func() error {
		for _, id := range slices.Sorted(maps.Keys(s.deployed)) {
			if id <= after || !s.deployed[id] {
				continue
			}
			if len(ids) == limit {
				next = ids[limit-1]
				return nil
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids, next, err
}

// SetSuspended suspends or restores a principal; changed tells whether it was otherwise before.
func (s *Store) SetSuspended(ctx context.Context, scope tenant.Scope, suspended bool, _ string) (changed bool, err error) {
	err = s.do(ctx, "SetSuspended", func() error {
		changed = s.suspended[scope] != suspended
		s.suspended[scope] = suspended
		return nil
	})
	return changed && err == nil, err
}

// closed reports that a tenant was deleted or never existed; the caller holds the lock.
func (s *Store) closed(id tenant.ID) (bool, error) {
	t, err := s.tenant(id)
	if fault.Is(err, fault.NotFound) {
		return true, nil
	}
	return !t.Deleted.IsZero(), err
}

// Suspended reports whether the directory suspended the principal; fault.NotFound when the tenant does not exist or was
// deleted.
func (s *Store) Suspended(ctx context.Context, scope tenant.Scope) (suspended bool, err error) {
	err = s.do(ctx, "Suspended", func() error {
		closed, err := s.closed(scope.Tenant)
		if err == nil && closed {
			err = noTenant(scope.Tenant)
		}
		suspended = s.suspended[scope]
		return err
	})
	return suspended, err
}

type recordKey struct {
	kind  authn.KeyKind
	owner tenant.ID
	id    string
}

// keyAt is where a key lives: API keys are the deployment's, even those limited to a tenant.
func keyAt(kind authn.KeyKind, t tenant.ID, id string) recordKey {
	if kind == authn.APIKey {
		t = tenant.Deployment
	}
	return recordKey{kind, t, id}
}

// PutKeyRecord stores a new API key or SCIM token; fault.Conflict if the id exists.
func (s *Store) PutKeyRecord(ctx context.Context, k authn.Key) error {
	return s.do(ctx, "PutKeyRecord", func() error {
		at := keyAt(k.Kind, k.Tenant, k.ID)
		if _, taken := s.keys[at]; taken {
			return errLost
		}
		r, err := encode(k, 1)
		if err == nil {
			s.keys[at] = r
		}
		return err
	})
}

// KeyRecord reads the key that a presented text refers to; fault.Unauthenticated when there is none.
func (s *Store) KeyRecord(ctx context.Context, ref authn.KeyRef) (k authn.Key, err error) {
	err = s.do(ctx, "KeyRecord", func() error {
		r, ok := s.keys[keyAt(ref.Kind, ref.Tenant, ref.ID)]
		if !ok {
			return fault.New(fault.Unauthenticated, "the key is not valid or was deleted")
		}
		return r.decode(&k)
	})
	return k, err
}

// KeyRecords lists the keys of one kind: a tenant's SCIM tokens, or the deployment's API keys.
func (s *Store) KeyRecords(ctx context.Context, kind authn.KeyKind, t tenant.ID) (out []authn.Key, err error) {
	err = s.do(ctx, "KeyRecords", func() error {
		for at, r := range s.keys {
			if at != keyAt(kind, t, at.id) {
				continue
			}
			var k authn.Key
			if err := r.decode(&k); err != nil {
				return err
			}
			out = append(out, k)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b authn.Key) int { return cmp.Compare(a.ID, b.ID) })
	return out, err
}

// DeleteKeyRecord removes a key. Deleting what is not there is no error.
func (s *Store) DeleteKeyRecord(ctx context.Context, kind authn.KeyKind, t tenant.ID, id string) error {
	return s.do(ctx, "DeleteKeyRecord", func() error {
		delete(s.keys, keyAt(kind, t, id))
		return nil
	})
}

var _ oauthflow.Principals = (*Store)(nil)
