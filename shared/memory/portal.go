package memory

import (
	"context"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// PutVisit writes v under a secret's hash, if the stored version is v's (0: none); fault.Conflict otherwise.
func (s *Store) PutVisit(ctx context.Context, hash string, v dynamo.Visit) (dynamo.Visit, error) {
	next := v
	next.Version++
	err := s.do(ctx, "PutVisit", func() error {
		at := idKey{v.Tenant, hash}
		if s.visits[at].version != v.Version {
			return errLost
		}
		r, err := encode(next, next.Version)
		if err == nil {
			s.visits[at] = r
		}
		return err
	})
	return next, err
}

// Visit reads strongly; fault.NotFound.
func (s *Store) Visit(ctx context.Context, t tenant.ID, hash string) (v dynamo.Visit, err error) {
	err = s.do(ctx, "Visit", func() error {
		r, ok := s.visits[idKey{t, hash}]
		if !ok {
			return fault.New(fault.NotFound, "this link does not exist or has expired; ask for a new one")
		}
		return r.decode(&v)
	})
	return v, err
}

// AddActivities puts entries into a principal's list of what was done lately.
func (s *Store) AddActivities(ctx context.Context, scope tenant.Scope, more []audit.Activity) error {
	return s.do(ctx, "AddActivities", func() error {
		s.activities[scope] = audit.Recent(s.activities[scope], more)
		return nil
	})
}

// Activities lists what was done lately for a principal, newest first.
func (s *Store) Activities(ctx context.Context, scope tenant.Scope) (out []audit.Activity, err error) {
	err = s.do(ctx, "Activities", func() error {
		out = s.activities[scope]
		return nil
	})
	return out, err
}
