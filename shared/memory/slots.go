package memory

import (
	"cmp"
	"context"
	"hash/fnv"
	"slices"
	"time"

	"behalf.dev/behalf/shared/connection"
)

type slotKey struct {
	ref  connection.Ref
	slot uint64
}

func slotOf(ref connection.Ref, generation uint64) slotKey { return slotKey{ref, generation % 2} }

// Slot reads the slot that generation g would live in; ok is false when it is empty.
func (s *Store) Slot(ctx context.Context, ref connection.Ref, g uint64) (slot connection.Slot, ok bool, err error) {
	err = s.do(ctx, "Slot", func() (err error) {
		slot, ok, err = s.slot(ref, g)
		return err
	})
	return slot, ok && err == nil, err
}

func (s *Store) slot(ref connection.Ref, g uint64) (slot connection.Slot, ok bool, err error) {
	r, ok := s.slots[slotOf(ref, g)]
	if !ok {
		return slot, false, nil
	}
	return slot, true, r.decode(&slot)
}

// PutSlot writes slot unless a newer generation is there, or the same one under a newer fence: fault.Conflict. Writing
// the same slot again is no error.
func (s *Store) PutSlot(ctx context.Context, ref connection.Ref, slot connection.Slot) error {
	return s.do(ctx, "PutSlot", func() error {
		now, ok, err := s.slot(ref, slot.Generation)
		if err != nil {
			return err
		}
		if ok && (now.Generation > slot.Generation || now.Generation == slot.Generation && now.Fence > slot.Fence) {
			return errLost
		}
		return s.setSlot(ref, slot)
	})
}

func (s *Store) setSlot(ref connection.Ref, slot connection.Slot) error {
	r, err := encode(slot, 0)
	if err == nil {
		s.slots[slotOf(ref, slot.Generation)] = r
	}
	return err
}

// EraseSlots overwrites both slots with nothing but their numbers; no write of an older generation can come back after.
func (s *Store) EraseSlots(ctx context.Context, ref connection.Ref, generation uint64) error {
	return s.do(ctx, "EraseSlots", func() error {
		for _, g := range []uint64{generation, generation + 1} {
			if err := s.setSlot(ref, connection.Slot{Generation: g, Fence: 1 << 62}); err != nil {
				return err
			}
		}
		return nil
	})
}

// shards is how many shards Due has.
const shards = 16

// DueShards is how many shards Due has.
func (s *Store) DueShards() int { return shards }

// Due lists connections of one shard that want attention at now, the longest overdue first: active ones whose refresh is
// due, and pending ones to drop. It continues behind after; without an id, it begins at after's time.
func (s *Store) Due(ctx context.Context, shard int, now time.Time, after connection.Due, limit int) (page []connection.Due, err error) {
	order := func(a, b connection.Due) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) }
	err = s.do(ctx, "Due", func() error {
		for ref := range s.connections {
			if shardOf(ref.ID) != shard {
				continue
			}
			c, err := s.load(ref)
			if err != nil {
				return err
			}
			at := c.DueAt()
			d := connection.Due{Ref: ref, At: time.Unix(at.Unix(), 0).UTC()} // the index counts seconds
			if !at.IsZero() && at.Unix() <= now.Unix() && order(d, after) > 0 {
				page = append(page, d)
			}
		}
		return nil
	})
	slices.SortFunc(page, order)
	return page[:min(limit, len(page))], err
}

func shardOf(id connection.ID) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return int(h.Sum32() % shards)
}
