package simulate

import (
	"context"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/refresh"
)

// Sabotage breaks a process's dependencies on purpose. The coordinator trusts them, so each is as good as a mistake in it.
type Sabotage func(p *process, d *refresh.Deps)

// change is what a connection's update makes of it.
type change = func(connection.Connection) (connection.Connection, error)

// store lets a sabotage replace single accesses.
type store struct {
	*process
	update func(ctx context.Context, c connection.Connection, do change) (connection.Connection, error)
	slot   func(ctx context.Context, ref connection.Ref, g uint64) (connection.Slot, bool, error)
	put    func(ctx context.Context, ref connection.Ref, s connection.Slot) error
	again  func(ctx context.Context, ref connection.Ref, after time.Duration) error
	rescue func(ctx context.Context, ref connection.Ref, s connection.Slot) error
	retire func(ctx context.Context, c connection.Connection, s connection.Slot) error
}

// tamper puts a store between, after edit has changed it.
func tamper(edit func(s *store)) Sabotage {
	return func(p *process, d *refresh.Deps) {
		s := &store{p, d.Connections.UpdateConnection, d.Slots.Slot, d.Slots.PutSlot, d.Queue.Again, d.Queue.Rescue, d.Retirer.Retire}
		edit(s)
		d.Connections, d.Slots, d.Queue, d.Retirer = s, s, s, s
	}
}

// Connection implements refresh.Connections.
func (s *store) Connection(ctx context.Context, ref connection.Ref) (connection.Connection, error) {
	return s.w.store.Connection(ctx, ref)
}

// UpdateConnection implements refresh.Connections.
func (s *store) UpdateConnection(ctx context.Context, c connection.Connection, do change) (connection.Connection, error) {
	return s.update(ctx, c, do)
}

// Slot implements refresh.Slots.
func (s *store) Slot(ctx context.Context, ref connection.Ref, g uint64) (connection.Slot, bool, error) {
	return s.slot(ctx, ref, g)
}

// PutSlot implements refresh.Slots.
func (s *store) PutSlot(ctx context.Context, ref connection.Ref, slot connection.Slot) error {
	return s.put(ctx, ref, slot)
}

// Again implements refresh.Queue.
func (s *store) Again(ctx context.Context, ref connection.Ref, after time.Duration) error {
	return s.again(ctx, ref, after)
}

// Rescue implements refresh.Queue.
func (s *store) Rescue(ctx context.Context, ref connection.Ref, slot connection.Slot) error {
	return s.rescue(ctx, ref, slot)
}

// Retire implements refresh.Retirer.
func (s *store) Retire(ctx context.Context, c connection.Connection, slot connection.Slot) error {
	return s.retire(ctx, c, slot)
}

// written edits what each update stores.
func written(edit func(p *process, before, after *connection.Connection)) Sabotage {
	return tamper(func(s *store) {
		honest := s.update
		s.update = func(ctx context.Context, c connection.Connection, do change) (connection.Connection, error) {
			return honest(ctx, c, func(x connection.Connection) (connection.Connection, error) {
				next, err := do(x)
				if err == nil {
					edit(s.process, &x, &next)
				}
				return next, err
			})
		}
	})
}
