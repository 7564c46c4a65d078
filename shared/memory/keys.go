package memory

import (
	"context"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthclient"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/vault"
)

type wrappedKey struct {
	tenant  tenant.ID
	purpose connection.Purpose
	version uint32
}

// NewestKey returns the highest version of a tenant's wrapped key, or ok=false when there is none.
func (s *Store) NewestKey(ctx context.Context, t tenant.ID, p connection.Purpose) (k vault.WrappedKey, ok bool, err error) {
	err = s.do(ctx, "NewestKey", func() error {
		best := wrappedKey{tenant: t, purpose: p}
		for w := range s.wrapped {
			if w.tenant == t && w.purpose == p && (!ok || w.version > best.version) {
				best, ok = w, true
			}
		}
		if !ok {
			return nil
		}
		return s.wrapped[best].decode(&k)
	})
	return k, ok && err == nil, err
}

// Key returns one version; fault.NotFound when it does not exist.
func (s *Store) Key(ctx context.Context, t tenant.ID, p connection.Purpose, version uint32) (k vault.WrappedKey, err error) {
	err = s.do(ctx, "Key", func() error {
		r, ok := s.wrapped[wrappedKey{t, p, version}]
		if !ok {
			return fault.New(fault.NotFound, "the tenant's keys were destroyed")
		}
		return r.decode(&k)
	})
	return k, err
}

// PutKey stores a new version; fault.Conflict when that version exists.
func (s *Store) PutKey(ctx context.Context, t tenant.ID, k vault.WrappedKey) error {
	return s.do(ctx, "PutKey", func() error {
		at := wrappedKey{t, k.Purpose, k.Version}
		if _, taken := s.wrapped[at]; taken {
			return errLost
		}
		r, err := encode(k, 1)
		if err == nil {
			s.wrapped[at] = r
		}
		return err
	})
}

// DestroyKeys deletes every wrapped key of a tenant.
func (s *Store) DestroyKeys(ctx context.Context, t tenant.ID) error {
	return s.do(ctx, "DestroyKeys", func() error {
		for w := range s.wrapped {
			if w.tenant == t {
				delete(s.wrapped, w)
			}
		}
		delete(s.walks, t)
		return nil
	})
}

type clientKey struct {
	owner     tenant.ID
	connector string
}

// StoredClient reads an OAuth client; fault.NotFound.
func (s *Store) StoredClient(ctx context.Context, owner tenant.ID, connector string) (c connection.StoredClient, err error) {
	err = s.do(ctx, "StoredClient", func() error {
		r, ok := s.clients[clientKey{owner, connector}]
		if !ok {
			return fault.New(fault.NotFound, "no OAuth client is registered for %s", connector)
		}
		return r.decode(&c)
	})
	return c, err
}

// PutClient writes c if the stored revision is c.Revision-1 (0: none stored); fault.Conflict otherwise.
func (s *Store) PutClient(ctx context.Context, c connection.StoredClient) error {
	return s.do(ctx, "PutClient", func() error {
		k := clientKey{c.Owner, c.Connector}
		if s.clients[k].version != c.Revision-1 {
			return errLost
		}
		r, err := encode(c, c.Revision)
		if err == nil {
			s.clients[k] = r
		}
		return err
	})
}

// DeleteClient removes an OAuth client; deleting what is not there is no error.
func (s *Store) DeleteClient(ctx context.Context, owner tenant.ID, connector string) error {
	return s.do(ctx, "DeleteClient", func() error {
		delete(s.clients, clientKey{owner, connector})
		return nil
	})
}

var (
	_ vault.KeyStore    = (*Store)(nil)
	_ oauthclient.Store = (*Store)(nil)
)
