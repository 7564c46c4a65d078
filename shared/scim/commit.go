package scim

import (
	"context"
	"slices"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// transition is one attempt to bring a user from old (zero for a new one) to next.
type transition struct {
	t         tenant.ID
	old, next User
	mapping   Mapping
	// suspended are the principals that earlier attempts of this request suspended: if another writer's activation won
	// in between, they must be restored, or an active user would stay locked out.
	suspended []tenant.Principal
}

// suspend takes access away before anything is written.
func (s *Service) suspend(ctx context.Context, tr *transition) error {
	before, after := PrincipalsOf(tr.old, tr.mapping), PrincipalsOf(tr.next, tr.mapping)
	leave := without(before, after)
	tr.suspended = append(tr.suspended, leave...)
	if err := s.suspendAll(ctx, tr.t, leave, ReasonIdentity); err != nil {
		return err
	}
	if tr.next.Active {
		return nil
	}
	tr.suspended = append(tr.suspended, after...)
	return s.suspendAll(ctx, tr.t, after, ReasonDeactivated)
}

// restores reports that next is active under a principal for which that was not so before.
func (tr *transition) restores() bool {
	if !tr.next.Active {
		return false
	}
	after := PrincipalsOf(tr.next, tr.mapping)
	if len(after) == 0 {
		return false
	}
	if !tr.old.Active || tr.old.Restoring || len(without(after, PrincipalsOf(tr.old, tr.mapping))) > 0 {
		return true
	}
	return slices.ContainsFunc(after, func(p tenant.Principal) bool { return slices.Contains(tr.suspended, p) })
}

// unique refuses values that another user holds, before anybody is suspended: without it, a request that the store
// would refuse could suspend the rightful holder of the externalId. The store's own check stays the one that decides.
func (s *Service) unique(ctx context.Context, tr *transition) error {
	checks := []struct {
		by    Lookup
		value string
		same  bool
	}{
		{ByUserName, tr.next.UserName, UserNameKey(tr.next.UserName) == UserNameKey(tr.old.UserName)},
		{ByExternalID, tr.next.ExternalID, tr.next.ExternalID == tr.old.ExternalID},
	}
	for _, c := range checks {
		if c.value == "" || c.same {
			continue
		}
		found, err := s.store.FindUser(ctx, tr.t, c.by, c.value)
		switch {
		case err == nil && found.ID != tr.old.ID:
			return Taken(string(c.by))
		case err != nil && !fault.Is(err, fault.NotFound):
			return err
		}
	}
	return nil
}

// write performs one attempt: check, suspend, store. Stale means that another writer was faster.
func (s *Service) write(ctx context.Context, tr *transition) (User, error) {
	if err := s.unique(ctx, tr); err != nil {
		return User{}, err
	}
	if err := s.suspend(ctx, tr); err != nil {
		return User{}, err
	}
	tr.next.Restoring = tr.restores()
	if tr.old.ID == "" {
		if err := s.store.CreateUser(ctx, tr.t, tr.next); err != nil {
			return User{}, err
		}
	} else if err := s.store.ReplaceUser(ctx, tr.t, tr.old, tr.next); err != nil {
		return User{}, err
	}
	if err := s.assign(ctx, tr); err != nil {
		return User{}, err
	}
	if tr.next.Restoring {
		return s.restore(ctx, tr)
	}
	if tr.old.Restoring && !tr.next.Active {
		// The activation that we overtook may have restored the user between our Suspend and our write.
		return tr.next, s.suspendAll(ctx, tr.t, PrincipalsOf(tr.next, tr.mapping), ReasonDeactivated)
	}
	return tr.next, nil
}

// restore gives access back after the store says "active", then clears the mark. If it finds that somebody offboarded
// the user meanwhile, it takes the access away again: of the two writers one suspends last, whatever the order.
func (s *Service) restore(ctx context.Context, tr *transition) (User, error) {
	ps := PrincipalsOf(tr.next, tr.mapping)
	for _, p := range ps {
		if err := s.life.Restore(ctx, tr.t, p); err != nil {
			return User{}, fault.New(fault.Internal, "the user could not be restored; send the request again").WithCause(err)
		}
	}
	settled := tr.next
	settled.Restoring = false
	settled.Meta.Version++
	err := s.store.ReplaceUser(ctx, tr.t, tr.next, settled)
	switch {
	case err == nil:
		return settled, nil
	case !IsStale(err) && !fault.Is(err, fault.NotFound):
		return User{}, err
	}
	current, err := s.store.GetUser(ctx, tr.t, tr.next.ID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return User{}, err
	}
	var keep []tenant.Principal
	if err == nil && current.Active {
		keep = PrincipalsOf(current, tr.mapping)
	}
	return tr.next, s.suspendAll(ctx, tr.t, without(ps, keep), ReasonDeactivated)
}

// undo gives back what earlier attempts of a request took, when the request is refused in the end: the directory keeps
// showing the user of tr.old as active, so that must be true. It returns refusal, or why undoing failed.
func (s *Service) undo(ctx context.Context, tr transition, refusal error) error {
	tr.next = tr.old
	if !tr.restores() {
		return refusal
	}
	tr.next.Meta.Version++
	if _, err := s.write(ctx, &tr); err != nil {
		return fault.New(fault.Internal, "the request was refused half-way; send it again").WithCause(err)
	}
	return refusal
}
