package memory

import (
	"context"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

type claimKey struct {
	scope tenant.Scope
	hash  string
}

// CreateLink stores l under its id and under the hash of its public token; fault.Conflict if either exists.
func (s *Store) CreateLink(ctx context.Context, l oauthflow.Link, tokenHash string) error {
	return s.do(ctx, "CreateLink", func() error {
		_, haveID := s.links[idKey{l.Tenant, l.ID}]
		_, haveHash := s.hashes[idKey{l.Tenant, tokenHash}]
		if haveID || haveHash {
			return errLost
		}
		r, err := encode(l, 1)
		if err != nil {
			return err
		}
		s.links[idKey{l.Tenant, l.ID}], s.hashes[idKey{l.Tenant, tokenHash}] = r, l.ID
		return nil
	})
}

// Link reads by id; fault.NotFound.
func (s *Store) Link(ctx context.Context, t tenant.ID, id string) (l oauthflow.Link, err error) {
	err = s.do(ctx, "Link", func() error {
		r, ok := s.links[idKey{t, id}]
		if !ok {
			return fault.New(fault.NotFound, "this link does not exist or has expired; make a new one")
		}
		err := r.decode(&l)
		l.Version = r.version
		return err
	})
	return l, err
}

// UpdateLink writes l if the stored version is l's; fault.Conflict otherwise.
func (s *Store) UpdateLink(ctx context.Context, l oauthflow.Link) (oauthflow.Link, error) {
	next := l
	next.Version++
	err := s.do(ctx, "UpdateLink", func() error {
		if s.links[idKey{l.Tenant, l.ID}].version != l.Version {
			return errLost
		}
		r, err := encode(next, next.Version)
		if err == nil {
			s.links[idKey{l.Tenant, l.ID}] = r
		}
		return err
	})
	return next, err
}

// LinkIDByHash returns the link id behind a public token or a state; fault.NotFound.
func (s *Store) LinkIDByHash(ctx context.Context, t tenant.ID, hash string) (id string, err error) {
	err = s.do(ctx, "LinkIDByHash", func() error {
		var ok bool
		if id, ok = s.hashes[idKey{t, hash}]; !ok {
			return fault.New(fault.NotFound, "this link does not exist or has expired; ask for a new one")
		}
		return nil
	})
	return id, err
}

// PutLinkHash lets hash find the link. Nothing is removed at expires: the link's own times decide.
func (s *Store) PutLinkHash(ctx context.Context, t tenant.ID, hash, id string, _ time.Time) error {
	return s.do(ctx, "PutLinkHash", func() error {
		s.hashes[idKey{t, hash}] = id
		return nil
	})
}

// PutClaim stores c if the stored version is c's (0: none, or expired at now). Otherwise it returns fault.Conflict and
// the stored claim.
func (s *Store) PutClaim(ctx context.Context, c toolcall.Claim, now time.Time) (toolcall.Claim, error) {
	out := c
	err := s.do(ctx, "PutClaim", func() error {
		k := claimKey{c.Scope, c.KeyHash}
		r, ok := s.claims[k]
		if ok && r.version != c.Version {
			var found toolcall.Claim
			if err := r.decode(&found); err != nil {
				return err
			}
			if found.Version = r.version; c.Version != 0 || now.Before(found.Expires) {
				out = found
				return errLost
			}
		}
		if !ok && c.Version != 0 {
			return errLost
		}
		out.Version = r.version + 1
		next, err := encode(out, out.Version)
		if err == nil {
			s.claims[k] = next
		}
		return err
	})
	return out, err
}

var (
	_ oauthflow.Links       = (*Store)(nil)
	_ oauthflow.LinkLookup  = (*Store)(nil)
	_ oauthflow.Connections = (*Store)(nil)
	_ oauthflow.Finder      = (*Store)(nil)
	_ toolcall.Claims       = (*Store)(nil)
)
