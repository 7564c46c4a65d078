package memory

import (
	"context"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// Snapshot reads all that decides about a call at one connector.
func (s *Store) Snapshot(ctx context.Context, scope tenant.Scope, connector string) (snap toolcall.Snapshot, err error) {
	return s.snapshot(ctx, "Snapshot", scope, connector)
}

// Connected is Snapshot over all connectors, for listing tools.
func (s *Store) Connected(ctx context.Context, scope tenant.Scope) (toolcall.Snapshot, error) {
	return s.snapshot(ctx, "Connected", scope, "")
}

func (s *Store) snapshot(ctx context.Context, op string, scope tenant.Scope, connector string) (snap toolcall.Snapshot, err error) {
	err = s.do(ctx, op, func() error {
		all, err := s.of(scope, connector)
		if err != nil {
			return err
		}
		for _, c := range all {
			h := toolcall.Held{Connection: c}
			slot, ok, err := s.slot(c.Ref, c.Refresh.Generation)
			if err != nil {
				return err
			}
			if ok && slot.Generation == c.Refresh.Generation && c.Status != connection.Revoked {
				h.Slot = slot
			}
			snap.Connections = append(snap.Connections, h)
		}
		snap.Gates, err = s.gates(scope)
		return err
	})
	return snap, err
}

// Gates reads tenant and principal state.
func (s *Store) Gates(ctx context.Context, scope tenant.Scope) (g toolcall.Gates, err error) {
	err = s.do(ctx, "Gates", func() (err error) {
		g, err = s.gates(scope)
		return err
	})
	return g, err
}

// gates is Gates for a caller that holds the lock.
func (s *Store) gates(scope tenant.Scope) (g toolcall.Gates, err error) {
	g.Suspended, g.Ended = s.suspended[scope], s.ended[scope]
	g.Groups, g.Policy = s.groups[scope], uint64(len(s.rules[scope.Tenant].policies))
	g.Switches = []policy.Switches{s.rules[scope.Tenant].switches, s.rules[tenant.Deployment].switches}
	g.TenantClosed, err = s.closed(scope.Tenant)
	return g, err
}

var _ toolcall.State = (*Store)(nil)
