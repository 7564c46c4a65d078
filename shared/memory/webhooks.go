package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/tenant"
)

// Endpoints lists the webhook endpoints of one owner, oldest first.
func (s *Store) Endpoints(ctx context.Context, owner tenant.ID) (out []notify.Endpoint, err error) {
	err = s.do(ctx, "Endpoints", func() error {
		out = []notify.Endpoint{}
		for _, k := range slices.SortedFunc(maps.Keys(s.webhooks), func(a, b idKey) int { return cmp.Compare(a.id, b.id) }) {
			if k.tenant != owner {
				continue
			}
			e, err := readEndpoint(s.webhooks[k])
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return nil
	})
	return out, err
}

// Endpoint reads one; fault.NotFound.
func (s *Store) Endpoint(ctx context.Context, owner tenant.ID, id string) (e notify.Endpoint, err error) {
	err = s.do(ctx, "Endpoint", func() error {
		r, ok := s.webhooks[idKey{owner, id}]
		if !ok {
			return fault.New(fault.NotFound, "there is no webhook %.40q", id)
		}
		e, err = readEndpoint(r)
		return err
	})
	return e, err
}

func readEndpoint(r row) (e notify.Endpoint, err error) {
	err = r.decode(&e)
	e.Version = r.version
	return e, err
}

// PutEndpoint writes e if the stored version is e.Version (0: none stored); fault.Conflict otherwise.
func (s *Store) PutEndpoint(ctx context.Context, e notify.Endpoint) error {
	return s.do(ctx, "PutEndpoint", func() error {
		k := idKey{e.Owner, e.ID}
		if s.webhooks[k].version != e.Version {
			return errLost
		}
		r, err := encode(e, e.Version+1)
		if err == nil {
			s.webhooks[k] = r
		}
		return err
	})
}

// DeleteEndpoint removes an endpoint and its trail; removing what is not there is no error.
func (s *Store) DeleteEndpoint(ctx context.Context, owner tenant.ID, id string) error {
	return s.do(ctx, "DeleteEndpoint", func() error {
		delete(s.webhooks, idKey{owner, id})
		delete(s.tries, idKey{owner, id})
		return nil
	})
}

// DeleteEndpoints removes all endpoints of a tenant, and their trails.
func (s *Store) DeleteEndpoints(ctx context.Context, owner tenant.ID) error {
	return s.do(ctx, "DeleteEndpoints", func() error {
		of := func(k idKey, _ row) bool { return k.tenant == owner }
		maps.DeleteFunc(s.webhooks, of)
		maps.DeleteFunc(s.tries, of)
		return nil
	})
}

// Tries lists the last tries, newest first.
func (s *Store) Tries(ctx context.Context, owner tenant.ID, endpoint string) (out []notify.Try, err error) {
	err = s.do(ctx, "Tries", func() error {
		r, ok := s.tries[idKey{owner, endpoint}]
		if !ok {
			return nil
		}
		return r.decode(&out)
	})
	return out, err
}

// AddTries puts tries before those that are there and forgets all beyond the newest.
func (s *Store) AddTries(ctx context.Context, owner tenant.ID, endpoint string, tries []notify.Try) error {
	return s.do(ctx, "AddTries", func() error {
		k := idKey{owner, endpoint}
		var old []notify.Try
		if r, ok := s.tries[k]; ok {
			if err := r.decode(&old); err != nil {
				return err
			}
		}
		r, err := encode(notify.Newest(tries, old), s.tries[k].version+1)
		if err == nil {
			s.tries[k] = r
		}
		return err
	})
}

var (
	_ notify.Endpoints = (*Store)(nil)
	_ notify.Remover   = (*Store)(nil)
	_ notify.Trail     = (*Store)(nil)
)
