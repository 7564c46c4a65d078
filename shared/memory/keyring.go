package memory

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/keyring"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/vault"
)

// Keys lists every version of every purpose of a tenant.
func (s *Store) Keys(ctx context.Context, t tenant.ID) (out []vault.WrappedKey, err error) {
	err = s.do(ctx, "Keys", func() error {
		for at, r := range s.wrapped {
			if at.tenant != t {
				continue
			}
			var k vault.WrappedKey
			if err := r.decode(&k); err != nil {
				return err
			}
			out = append(out, k)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b vault.WrappedKey) int {
		return cmp.Or(cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Version, b.Version))
	})
	return out, err
}

// DeleteKey deletes one version; deleting what is not there is no error.
func (s *Store) DeleteKey(ctx context.Context, t tenant.ID, p connection.Purpose, version uint32) error {
	return s.do(ctx, "DeleteKey", func() error {
		delete(s.wrapped, wrappedKey{t, p, version})
		return nil
	})
}

// StoredSlots lists the slots of a page of a tenant's connections by id, behind the id after; next is empty at the end.
func (s *Store) StoredSlots(ctx context.Context, t tenant.ID, after connection.ID, limit int) (out []connection.StoredSlot, next connection.ID, err error) {
	err = s.do(ctx, "StoredSlots", func() error {
		n, last := 0, connection.ID("")
		for _, id := range slices.Sorted(maps.Keys(s.listed[t])) {
			if id <= after {
				continue
			}
			if n == limit {
				next = last
				return nil
			}
			n, last = n+1, id
			ref := s.listed[t][id]
			for g := range uint64(2) {
				slot, ok, err := s.slot(ref, g)
				if err != nil {
					return err
				}
				if ok {
					out = append(out, connection.StoredSlot{Ref: ref, Slot: slot})
				}
			}
		}
		return nil
	})
	return out, next, err
}

// ResealSlot replaces the sealed tokens of old, if exactly old is stored: fault.Conflict otherwise.
func (s *Store) ResealSlot(ctx context.Context, ref connection.Ref, old connection.Slot, access, refresh []byte) error {
	return s.do(ctx, "ResealSlot", func() error {
		now, ok, err := s.slot(ref, old.Generation)
		if err != nil {
			return err
		}
		if !ok || now.Generation != old.Generation || now.Fence != old.Fence || !sameBytes(now.Access, old.Access) || !sameBytes(now.Refresh, old.Refresh) {
			return errLost
		}
		if old.Access == nil && old.Refresh == nil {
			return errLost
		}
		if old.Access != nil {
			now.Access = access
		}
		if old.Refresh != nil {
			now.Refresh = refresh
		}
		return s.setSlot(ref, now)
	})
}

func sameBytes(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// StoredClients lists the OAuth clients of an owner.
func (s *Store) StoredClients(ctx context.Context, owner tenant.ID) (out []connection.StoredClient, err error) {
	err = s.do(ctx, "StoredClients", func() error {
		for at, r := range s.clients {
			if at.owner != owner {
				continue
			}
			var c connection.StoredClient
			if err := r.decode(&c); err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b connection.StoredClient) int { return cmp.Compare(a.Connector, b.Connector) })
	return out, err
}

// ResealClient replaces the sealed secret of old, if exactly old is stored: fault.Conflict otherwise.
func (s *Store) ResealClient(ctx context.Context, old connection.StoredClient, sealed []byte) error {
	return s.do(ctx, "ResealClient", func() error {
		at := clientKey{old.Owner, old.Connector}
		was, err := encode(old, 0)
		if err != nil {
			return err
		}
		now, ok := s.clients[at]
		if !ok || !bytes.Equal(now.doc, was.doc) {
			return errLost
		}
		next := old
		next.Sealed = sealed
		r, err := encode(next, now.version)
		if err == nil {
			s.clients[at] = r
		}
		return err
	})
}

// Walk reads how far re-sealing came for a tenant; the zero Walk when there is none.
func (s *Store) Walk(ctx context.Context, t tenant.ID) (w keyring.Walk, err error) {
	err = s.do(ctx, "Walk", func() error {
		r, ok := s.walks[t]
		if !ok {
			return nil
		}
		w.Version = r.version
		return r.decode(&w)
	})
	return w, err
}

// PutWalk writes w if the stored version is w's, and returns it with its new version; fault.Conflict otherwise.
func (s *Store) PutWalk(ctx context.Context, t tenant.ID, w keyring.Walk) (keyring.Walk, error) {
	next := w
	next.Version++
	err := s.do(ctx, "PutWalk", func() error {
		if s.walks[t].version != w.Version {
			return errLost
		}
		r, err := encode(next, next.Version)
		if err == nil {
			s.walks[t] = r
		}
		return err
	})
	if err != nil {
		return w, err
	}
	return next, nil
}

var (
	_ keyring.Keys    = (*Store)(nil)
	_ keyring.Records = (*Store)(nil)
	_ keyring.Clients = (*Store)(nil)
	_ keyring.Walks   = (*Store)(nil)
)
