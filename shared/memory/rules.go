package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// rulesRow is what a tenant, or the deployment, has switched off, and its policies; the last one is in force.
type rulesRow struct {
	switches policy.Switches
	policies []row
}

type approvalKey struct {
	scope tenant.Scope
	id    string
}

// Rules reads the switches of a tenant, or of the deployment, and the policy revision in force.
func (s *Store) Rules(ctx context.Context, t tenant.ID) (sw policy.Switches, revision uint64, err error) {
	err = s.do(ctx, "Rules", func() error {
		sw, revision = s.rules[t].switches, uint64(len(s.rules[t].policies))
		return nil
	})
	return sw, revision, err
}

// PutSwitches replaces the switches.
func (s *Store) PutSwitches(ctx context.Context, t tenant.ID, sw policy.Switches) error {
	return s.do(ctx, "PutSwitches", func() error {
		r := s.rules[t]
		r.switches = sw
		s.rules[t] = r
		return nil
	})
}

// PutPolicy puts d in force, as the next revision.
func (s *Store) PutPolicy(ctx context.Context, t tenant.ID, d policy.Document) (revision uint64, err error) {
	err = s.do(ctx, "PutPolicy", func() error {
		doc, err := encode(d, 1)
		r := s.rules[t]
		r.policies = append(slices.Clip(r.policies), doc)
		s.rules[t], revision = r, uint64(len(r.policies))
		return err
	})
	return revision, err
}

// PolicyDocument reads one revision; fault.NotFound.
func (s *Store) PolicyDocument(ctx context.Context, t tenant.ID, revision uint64) (d policy.Document, err error) {
	err = s.do(ctx, "PolicyDocument", func() error {
		all := s.rules[t].policies
		if revision < 1 || revision > uint64(len(all)) {
			return fault.New(fault.NotFound, "tenant %q has no policy of revision %d", t, revision)
		}
		return all[revision-1].decode(&d)
	})
	return d, err
}

// CountCall counts one call into a window of a budget; false, and not counted, when the window is full.
func (s *Store) CountCall(ctx context.Context, scope tenant.Scope, u toolcall.BudgetUse) (ok bool, err error) {
	who := ""
	switch u.Per {
	case policy.PerPrincipal:
		who = "p" + string(scope.Principal)
	case policy.PerAgent:
		who = "a" + u.Agent
	}
	k := idKey{scope.Tenant, fmt.Sprintf("%s %d %s", u.ID, u.Window, who)}
	err = s.do(ctx, "CountCall", func() error {
		if ok = s.counts[k] < u.Limit; ok {
			s.counts[k]++
		}
		return nil
	})
	return ok, err
}

// Approval reads one; fault.NotFound.
func (s *Store) Approval(ctx context.Context, scope tenant.Scope, id string) (a toolcall.Approval, err error) {
	err = s.do(ctx, "Approval", func() error {
		r, ok := s.approvals[approvalKey{scope, id}]
		if !ok {
			return fault.New(fault.NotFound, "principal %s has no approval %.80s", scope.Principal, id)
		}
		err := r.decode(&a)
		a.Version = r.version
		return err
	})
	return a, err
}

// PutApproval writes a if the stored version is a's (0: none stored); fault.Conflict otherwise.
func (s *Store) PutApproval(ctx context.Context, a toolcall.Approval) (toolcall.Approval, error) {
	next := a
	next.Version++
	err := s.do(ctx, "PutApproval", func() error {
		k := approvalKey{a.Scope, a.ID}
		if s.approvals[k].version != a.Version {
			return errLost
		}
		r, err := encode(next, next.Version)
		if err == nil {
			s.approvals[k] = r
		}
		return err
	})
	return next, err
}

// ApprovalsOf lists a principal's approvals behind after, in the order of their ids; next is empty at the end.
func (s *Store) ApprovalsOf(ctx context.Context, scope tenant.Scope, after string, limit int) (out []toolcall.Approval, next string, err error) {
	err = s.do(ctx, "ApprovalsOf", func() error {
		for k, r := range s.approvals {
			if k.scope != scope || k.id <= after {
				continue
			}
			var a toolcall.Approval
			if err := r.decode(&a); err != nil {
				return err
			}
			a.Version = r.version
			out = append(out, a)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b toolcall.Approval) int { return cmp.Compare(a.ID, b.ID) })
	if len(out) > limit {
		out = out[:limit]
		next = out[limit-1].ID
	}
	return out, next, err
}

var (
	_ toolcall.Rulebook  = (*Store)(nil)
	_ toolcall.Approvals = (*Store)(nil)
)
