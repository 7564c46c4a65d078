package toolcall

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Gatekeeper reads whether anything may be done for a principal, strongly.
type Gatekeeper interface {
	Gates(ctx context.Context, s tenant.Scope) (Gates, error)
}

// reached is what read finds and s may reach. A session of the organization on behalf of a user sees the connections whose
// list holds that user or one of the user's groups, and none when the directory suspended the user. The user's row is read
// beside the others, for each call: taking somebody off a list or out of a group counts at once.
func (e *Executor) reached(ctx context.Context, s authn.Session, read func(context.Context) (Snapshot, error)) (Snapshot, error) {
	user, ok := s.Behalf()
	if !ok {
		return read(ctx)
	}
	if e.Behalf == nil || s.Principal != tenant.Org {
		return Snapshot{}, fault.New(fault.Internal, "sessions on behalf of a user cannot be used here")
	}
	var snap Snapshot
	var gates Gates
	both, bctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		snap, err = read(bctx)
		return err
	})
	both.Go(func() (err error) {
		gates, err = e.Behalf.Gates(bctx, user)
		return err
	})
	if err := both.Wait(); err != nil {
		return Snapshot{}, err
	}
	if gates.Suspended {
		return Snapshot{}, fault.New(fault.Revoked, "the directory deprovisioned the user that this session acts on behalf of").With("reason", "principal_suspended")
	}
	snap.Groups = gates.Groups // policies about groups hold for whom it is done
	snap.Connections = slices.DeleteFunc(snap.Connections, func(h Held) bool { return !h.Access.Has(s.OnBehalfOf, gates.Groups) })
	return snap, nil
}

// stillReaches fails when a kept answer came from a connection whose access list does not hold the user any more. The call
// itself may have been admitted through another connection.
func (r *run) stillReaches(from connection.ID) error {
	if _, ok := r.session.Behalf(); !ok || slices.ContainsFunc(r.within, func(h Held) bool { return h.ID == from }) {
		return nil
	}
	return fault.New(fault.Forbidden, "the answer that was kept for this key came from connection %s, which this session's user may not use any more", from).WithField("/idempotency_key").With("reason", "access_withdrawn")
}

// bound is the digest of what an idempotency key or an approval is for: tool and input, and the user on whose behalf it is
// called. Users of one organization's connections share its keys, and must not get each other's answers.
func (r *run) bound() string {
	if r.session.OnBehalfOf == "" {
		return r.digest
	}
	return digestOf(string(r.session.OnBehalfOf), r.digest)
}
