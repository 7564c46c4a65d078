package keyring

import (
	"fmt"
	"time"

	"behalf.dev/behalf/shared/connection"
)

// Walk is how far re-sealing has come for one tenant; the store keeps one for each.
type Walk struct {
	// Next is what the next step has to name; empty when no walk is under way.
	Next string
	// Started is when the walk began.
	Started time.Time
	// After is the last connection that was looked at.
	After connection.ID
	// Clients tells that the OAuth clients and the webhooks were looked at.
	Clients bool
	// Seen says when a record of a version was last met, over all walks, by "purpose/version".
	Seen map[string]time.Time
	// Version is the store's.
	Version uint64 `json:"-"`
}

func seenKey(p connection.Purpose, version uint32) string { return fmt.Sprintf("%s/%d", p, version) }

// begin is the first step of a new walk; what was seen before still counts.
func (w Walk) begin(now time.Time) Walk {
	return Walk{Started: now, Seen: w.Seen, Version: w.Version}
}

// Bounds of retirement.
const (
	// settle is how long after a rotation some process may still seal with the version before: caches live 15 minutes
	// (package workspace), and a request that began with them ends within minutes.
	settle = 30 * time.Minute
	// quiet is how long a version must not have been seen before a walk begins that may retire it: longer than any function
	// runs, and so longer than one can hold bytes that it read from a slot.
	quiet = 10 * time.Minute
	// MinRetireAfter and RetireAfter bound and default how old a version's successor must be before it is retired. Sealed
	// copies live elsewhere too: stored results of idempotent calls for 24 hours, rescued tokens on the refresh queue for 14
	// days. Below their life they are given up.
	MinRetireAfter = time.Hour
	RetireAfter    = 15 * 24 * time.Hour
)

// mayRetire says whether a version whose successor was made at made may go, after w went through everything and is over.
func (w Walk) mayRetire(p connection.Purpose, version uint32, made, now time.Time, after time.Duration) bool {
	return !now.Before(made.Add(after)) && !w.Started.Before(made.Add(settle)) && w.Seen[seenKey(p, version)].Add(quiet).Before(w.Started)
}
