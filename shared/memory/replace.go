package memory

import (
	"context"

	"behalf.dev/behalf/shared/connection"
)

// ActivateOver is Activate, and former gets a row, a place in its tenant's list, and the slot kept; all of it or nothing.
func (s *Store) ActivateOver(ctx context.Context, c connection.Connection, slot connection.Slot, g connection.Grant, former connection.Connection, kept connection.Slot, parts ...connection.PartActivation) error {
	return s.do(ctx, "ActivateOver", func() error {
		if _, taken := s.listed[former.Tenant][former.ID]; taken {
			return errLost
		}
		fr, err := encodeConnection(former, 1)
		if err != nil {
			return err
		}
		kr, err := encode(kept, 0)
		if err != nil {
			return err
		}
		if err := s.activate(c, slot, g, parts); err != nil {
			return err
		}
		s.connections[former.Ref], s.listed[former.Tenant][former.ID], s.slots[slotOf(former.Ref, kept.Generation)] = fr, former.Ref, kr
		return nil
	})
}
