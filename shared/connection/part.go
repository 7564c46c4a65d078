package connection

import "time"

// Part reports that c holds a further token of another connection.
func (c Connection) Part() bool { return c.Main != "" }

// Shown is the id under which people, events and the audit trail know c: its main's, for a part.
func (c Connection) Shown() ID {
	if c.Part() {
		return c.Main
	}
	return c.ID
}

// PartActivation is a part that becomes active with its main, in the same write. Its connection is new when its version is zero.
type PartActivation struct {
	Connection Connection
	Slot       Slot
}

// loose is how long after its end a connection is left to whoever ended it, before the sweep tells the provider.
const loose = 5 * time.Minute

// DueAt is when the sweep should look at c: at a refresh that is due, at a pending connection to drop, or at tokens that nobody
// else ends at the provider: those of a choice that was never made, and of a part. Zero means never.
func (c Connection) DueAt() time.Time {
	switch c.Status {
	case Active:
		return c.Refresh.DueAt
	case Pending:
		return c.PendingUntil
	case Revoked:
		if (c.Choosing || c.Part()) && !c.Revocation.Erased {
			return c.Revocation.At.Add(loose)
		}
	}
	return time.Time{}
}
