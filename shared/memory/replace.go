package memory

import (
	"context"

	"behalf.dev/behalf/shared/connection"
)

// ActivateOver is Activate, and former gets a row, a place in its tenant's list, and the slot kept; all of it or nothing.
func (s *Store) ActivateOver(ctx context.Context, c connection.Connection, slot connection.Slot, g connection.Grant, former connection.Connection, kept connection.Slot, parts ...connection.PartActivation) error {
	return s.do(ctx, "ActivateOver", func() error {
		for _, p := range parts {
			if s.connections[p.Connection.Ref].version != p.Connection.Version {
				return errLost
			}
		}
		_, known := s.grants[grantKey{c.Ref, g.ID}]
		_, taken := s.listed[former.Tenant][former.ID]
		if s.connections[c.Ref].version != c.Version || known || taken {
			return errLost
		}
		cr, err := encodeConnection(c, c.Version+1)
		if err != nil {
			return err
		}
		fr, err := encodeConnection(former, 1)
		if err != nil {
			return err
		}
		gr, err := encode(g, 1)
		if err != nil {
			return err
		}
		sr, err := encode(slot, 0)
		if err != nil {
			return err
		}
		kr, err := encode(kept, 0)
		if err != nil {
			return err
		}
		s.connections[c.Ref], s.grants[grantKey{c.Ref, g.ID}], s.slots[slotOf(c.Ref, slot.Generation)] = cr, gr, sr
		s.connections[former.Ref], s.listed[former.Tenant][former.ID], s.slots[slotOf(former.Ref, kept.Generation)] = fr, former.Ref, kr
		for _, p := range parts {
			if err := s.setPart(p); err != nil {
				return err
			}
		}
		return nil
	})
}
