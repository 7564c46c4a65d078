package memory

import (
	"context"
	"slices"
	"time"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// SetGroups notes the principal's groups in the directory.
func (s *Store) SetGroups(ctx context.Context, scope tenant.Scope, groups []string) error {
	return s.do(ctx, "SetGroups", func() error {
		s.groups[scope] = slices.Clone(groups)
		return nil
	})
}

// EndSession ends a session of a principal, and with it every session narrowed from it.
func (s *Store) EndSession(ctx context.Context, scope tenant.Scope, session string, now time.Time) error {
	return s.do(ctx, "EndSession", func() error {
		s.ended[scope] = s.ended[scope].With(session, now)
		return nil
	})
}

// Issuer reads the tenant's OpenID provider; fault.NotFound when none is set.
func (s *Store) Issuer(ctx context.Context, t tenant.ID) (out authn.Issuer, err error) {
	err = s.do(ctx, "Issuer", func() error {
		r, ok := s.issuers[t]
		if !ok {
			return fault.New(fault.NotFound, "tenant %q has no OIDC issuer; set one with PUT /v1/tenants/%s/issuer", t, t).With("reason", "no_issuer")
		}
		err := r.decode(&out)
		out.Version = r.version
		return err
	})
	return out, err
}

// PutIssuer writes the tenant's OpenID provider if the stored version is x's (0: none); fault.Conflict otherwise.
func (s *Store) PutIssuer(ctx context.Context, t tenant.ID, x authn.Issuer) error {
	return s.do(ctx, "PutIssuer", func() error {
		if s.issuers[t].version != x.Version {
			return errLost
		}
		r, err := encode(x, x.Version+1)
		if err == nil {
			s.issuers[t] = r
		}
		return err
	})
}

// DeleteIssuer removes it. Deleting what is not there is no error.
func (s *Store) DeleteIssuer(ctx context.Context, t tenant.ID) error {
	return s.do(ctx, "DeleteIssuer", func() error {
		delete(s.issuers, t)
		return nil
	})
}
