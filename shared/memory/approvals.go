package memory

import (
	"context"

	"behalf.dev/behalf/shared/approval"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// ApprovalLink reads by the token's hash; fault.NotFound.
func (s *Store) ApprovalLink(ctx context.Context, t tenant.ID, hash string) (l approval.Link, err error) {
	err = s.do(ctx, "ApprovalLink", func() error {
		r, ok := s.deciding[idKey{t, hash}]
		if !ok {
			return fault.New(fault.NotFound, "this link does not exist or has expired; ask for a new one")
		}
		err := r.decode(&l)
		l.Version = r.version
		return err
	})
	return l, err
}

// PutApprovalLink writes l if the stored version is l's (0: none stored); fault.Conflict otherwise.
func (s *Store) PutApprovalLink(ctx context.Context, l approval.Link) (approval.Link, error) {
	next := l
	next.Version++
	err := s.do(ctx, "PutApprovalLink", func() error {
		k := idKey{l.Tenant, l.Hash}
		if s.deciding[k].version != l.Version {
			return errLost
		}
		r, err := encode(next, next.Version)
		if err == nil {
			s.deciding[k] = r
		}
		return err
	})
	return next, err
}

var _ approval.Links = (*Store)(nil)
