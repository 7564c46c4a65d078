package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

type grantKey struct {
	ref connection.Ref
	id  connection.GrantID
}

func noConnection(id connection.ID) error {
	return fault.New(fault.NotFound, "there is no connection %s", id)
}

// load reads a connection; the caller holds the lock.
func (s *Store) load(ref connection.Ref) (connection.Connection, error) {
	r, ok := s.connections[ref]
	if !ok {
		return connection.Connection{}, noConnection(ref.ID)
	}
	c := r.read
	c.Scopes, c.Metadata, c.TokenSets = slices.Clone(c.Scopes), maps.Clone(c.Metadata), slices.Clone(c.TokenSets)
	c.Access.Principals, c.Access.Groups = slices.Clone(c.Access.Principals), slices.Clone(c.Access.Groups)
	c.Version = r.version
	return c, nil
}

// connectionRow is a connection as it comes back from its document. It is decoded when it is written, since it is read
// many times as often.
type connectionRow struct {
	read    connection.Connection
	version uint64
}

func encodeConnection(c connection.Connection, version uint64) (connectionRow, error) {
	r, err := encode(c, version)
	if err != nil {
		return connectionRow{}, err
	}
	out := connectionRow{version: version}
	return out, r.decode(&out.read)
}

// Connection reads one; fault.NotFound.
func (s *Store) Connection(ctx context.Context, ref connection.Ref) (c connection.Connection, err error) {
	err = s.do(ctx, "Connection", func() (err error) {
		c, err = s.load(ref)
		return err
	})
	return c, err
}

// CreateConnection stores a new connection and lists it under its tenant; fault.Conflict if the id exists.
func (s *Store) CreateConnection(ctx context.Context, c connection.Connection) error {
	return s.do(ctx, "CreateConnection", func() error {
		if _, taken := s.listed[c.Tenant][c.ID]; taken {
			return errLost
		}
		r, err := encodeConnection(c, 1)
		if err != nil {
			return err
		}
		if s.listed[c.Tenant] == nil {
			s.listed[c.Tenant] = map[connection.ID]connection.Ref{}
		}
		s.connections[c.Ref], s.listed[c.Tenant][c.ID] = r, c.Ref
		return nil
	})
}

// UpdateConnection writes what change makes of c, if the stored version is still c's; otherwise it calls change again
// with what is stored. change must be pure; its error ends the update, with the connection that it saw.
func (s *Store) UpdateConnection(ctx context.Context, c connection.Connection, change func(connection.Connection) (connection.Connection, error)) (connection.Connection, error) {
	for {
		next, err := change(c)
		if err != nil {
			return c, err
		}
		next.Version = c.Version + 1
		stored, lost, err := s.swap(ctx, c, next)
		if err != nil {
			return c, err
		}
		if !lost {
			return next, nil
		}
		c = stored
	}
}

// swap writes next if the stored version is old's; otherwise it returns what is stored.
func (s *Store) swap(ctx context.Context, old, next connection.Connection) (stored connection.Connection, lost bool, err error) {
	err = s.do(ctx, "UpdateConnection", func() error {
		if stored, err = s.load(old.Ref); err != nil {
			return err
		}
		if lost = stored.Version != old.Version; lost {
			return nil
		}
		r, err := encodeConnection(next, next.Version)
		if err != nil {
			return err
		}
		s.connections[next.Ref] = r
		return nil
	})
	return stored, lost, err
}

// Activate stores grant, slot and connection at once, if the stored version is c's and the grant is new; fault.Conflict
// otherwise.
func (s *Store) Activate(ctx context.Context, c connection.Connection, slot connection.Slot, g connection.Grant, parts ...connection.PartActivation) error {
	return s.do(ctx, "Activate", func() error { return s.activate(c, slot, g, parts) })
}

// activate is Activate for a caller who holds the lock: all of it or nothing.
func (s *Store) activate(c connection.Connection, slot connection.Slot, g connection.Grant, parts []connection.PartActivation) error {
	for _, p := range parts {
		if s.connections[p.Connection.Ref].version != p.Connection.Version {
			return errLost
		}
	}
	_, known := s.grants[grantKey{c.Ref, g.ID}]
	if s.connections[c.Ref].version != c.Version || known {
		return errLost
	}
	cr, err := encodeConnection(c, c.Version+1)
	if err != nil {
		return err
	}
	gr, err := encode(g, 1)
	if err != nil {
		return err
	}
	sr, err := encode(slot, 0)
	if err != nil {
		return err
	}
	s.connections[c.Ref], s.grants[grantKey{c.Ref, g.ID}], s.slots[slotOf(c.Ref, slot.Generation)] = cr, gr, sr
	for _, p := range parts {
		if err := s.setPart(p); err != nil {
			return err
		}
	}
	return nil
}

// setPart writes a part of an activation; the caller holds the lock.
func (s *Store) setPart(p connection.PartActivation) error {
	c := p.Connection
	r, err := encodeConnection(c, c.Version+1)
	if err != nil {
		return err
	}
	s.connections[c.Ref] = r
	if s.listed[c.Tenant] == nil {
		s.listed[c.Tenant] = map[connection.ID]connection.Ref{}
	}
	s.listed[c.Tenant][c.ID] = c.Ref
	return s.setSlot(c.Ref, p.Slot)
}

// FindConnection returns where a connection is; fault.NotFound.
func (s *Store) FindConnection(ctx context.Context, t tenant.ID, id connection.ID) (ref connection.Ref, err error) {
	err = s.do(ctx, "FindConnection", func() error {
		var ok bool
		if ref, ok = s.listed[t][id]; !ok {
			return noConnection(id)
		}
		return nil
	})
	return ref, err
}

// ConnectionsOf lists all connections of a principal, in any status, by connector and id.
func (s *Store) ConnectionsOf(ctx context.Context, scope tenant.Scope) (out []connection.Connection, err error) {
	err = s.do(ctx, "ConnectionsOf", func() (err error) {
		out, err = s.of(scope, "")
		return err
	})
	return out, err
}

// of lists a scope's connections at one connector, or at all; the caller holds the lock.
func (s *Store) of(scope tenant.Scope, connector string) ([]connection.Connection, error) {
	var out []connection.Connection
	for ref := range s.connections {
		if ref.Scope != scope || connector != "" && ref.Connector != connector {
			continue
		}
		c, err := s.load(ref)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b connection.Connection) int {
		return cmp.Or(cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// TenantConnections lists a page of a tenant's connections by id, behind the id after; next is empty at the end.
func (s *Store) TenantConnections(ctx context.Context, t tenant.ID, after connection.ID, limit int) (out []connection.Connection, next connection.ID, err error) {
	err = s.do(ctx, "TenantConnections", func() error {
		for _, id := range slices.Sorted(maps.Keys(s.listed[t])) {
			if id <= after {
				continue
			}
			if len(out) == limit {
				next = out[limit-1].ID
				return nil
			}
			c, err := s.load(s.listed[t][id])
			if err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	})
	return out, next, err
}
