package simulate

import (
	"context"
	"maps"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/refresh"
)

// Mutants are broken variants by name, each with the mistake that it stands for.
func Mutants() map[string]Sabotage {
	all := blind()
	maps.Copy(all, hasty())
	maps.Copy(all, forgetful())
	return all
}

// blind are those that do not look: at the fence, at a newer slot.
func blind() map[string]Sabotage {
	return map[string]Sabotage{
		"flip without a fence": tamper(func(s *store) {
			honest := s.update
			s.update = func(ctx context.Context, c connection.Connection, do change) (connection.Connection, error) {
				return honest(ctx, c, func(x connection.Connection) (connection.Connection, error) {
					seen := x
					seen.Refresh.Fence, seen.Refresh.Generation = c.Refresh.Fence, c.Refresh.Generation
					next, err := do(seen)
					next.Refresh.Fence = max(next.Refresh.Fence, x.Refresh.Fence)
					return next, err
				})
			}
		}),
		"slot without a fence": tamper(func(s *store) {
			honest := s.put
			s.put = func(ctx context.Context, ref connection.Ref, slot connection.Slot) error {
				slot.Fence = 1 << 62
				return honest(ctx, ref, slot)
			}
		}),
		"no roll-forward": tamper(func(s *store) {
			honest := s.slot
			s.slot = func(ctx context.Context, ref connection.Ref, g uint64) (connection.Slot, bool, error) {
				got, ok, err := honest(ctx, ref, g)
				return got, ok && g <= s.w.conn.Refresh.Generation, err
			}
		}),
		"no look before death": tamper(func(s *store) {
			honest, looked := s.slot, 0
			s.slot = func(ctx context.Context, ref connection.Ref, g uint64) (connection.Slot, bool, error) {
				got, ok, err := honest(ctx, ref, g)
				if g > s.w.conn.Refresh.Generation {
					looked++
				}
				return got, ok && looked < 2, err
			}
		}),
	}
}

// hasty are those that do not keep their lease, their intent, or others'.
func hasty() map[string]Sabotage {
	return map[string]Sabotage{
		"short lease": written(func(p *process, before, after *connection.Connection) {
			if after.Refresh.LeaseOwner != before.Refresh.LeaseOwner && after.Refresh.LeaseOwner != "" {
				after.Refresh.LeaseUntil = p.now().Add(-time.Second)
			}
		}),
		"lease not looked at": tamper(func(s *store) {
			honest, mine := s.update, ""
			s.update = func(ctx context.Context, c connection.Connection, do change) (connection.Connection, error) {
				got, err := honest(ctx, c, func(x connection.Connection) (connection.Connection, error) {
					if x.Refresh.LeaseOwner != mine {
						x.Refresh.LeaseOwner = ""
					}
					return do(x)
				})
				if err == nil {
					mine = got.Refresh.LeaseOwner
				}
				return got, err
			}
		}),
		"no intent": written(func(_ *process, _, after *connection.Connection) {
			after.Refresh.IntentGeneration, after.Refresh.IntentAt = 0, time.Time{}
		}),
		"no patience": written(func(_ *process, _, after *connection.Connection) {
			after.Refresh.IntentAt = after.Refresh.IntentAt.Add(-time.Hour)
		}),
	}
}

// forgetful are those that lose what they were given.
func forgetful() map[string]Sabotage {
	return map[string]Sabotage{
		"no guard":  tamper(func(s *store) { s.again = func(context.Context, connection.Ref, time.Duration) error { return nil } }),
		"no rescue": tamper(func(s *store) { s.rescue = func(context.Context, connection.Ref, connection.Slot) error { return nil } }),
		"late tokens not retired": tamper(func(s *store) {
			s.retire = func(context.Context, connection.Connection, connection.Slot) error { return nil }
		}),
		"slot lost": tamper(func(s *store) {
			s.put = func(context.Context, connection.Ref, connection.Slot) error { return nil }
		}),
		"a write given up at once": tamper(func(s *store) {
			honest := s.put
			s.put = func(ctx context.Context, ref connection.Ref, slot connection.Slot) error {
				if err := honest(ctx, ref, slot); err != nil {
					return fault.New(fault.Conflict, "given up")
				}
				return nil
			}
		}),
		"short timeout": func(p *process, d *refresh.Deps) {
			honest := d.Timeout
			d.Timeout = func(ctx context.Context, t time.Duration) (context.Context, context.CancelFunc) {
				return honest(ctx, min(t, 8*time.Second))
			}
		},
		"status not looked at": tamper(func(s *store) {
			honest := s.update
			s.update = func(ctx context.Context, c connection.Connection, do change) (connection.Connection, error) {
				return honest(ctx, c, func(x connection.Connection) (connection.Connection, error) {
					x.Status = connection.Active
					return do(x)
				})
			}
		}),
		"own writer trusted for ever": written(func(_ *process, before, after *connection.Connection) {
			after.Refresh.Fence = 1 // the fence never grows
		}),
	}
}
