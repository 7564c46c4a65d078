package connection

import "time"

// RefreshStatus is how a refresh ended.
type RefreshStatus string

// The ends of a refresh. Only the first two mean that there is a live token.
const (
	RefreshFresh       RefreshStatus = "fresh"        // nothing to do
	RefreshRefreshed   RefreshStatus = "refreshed"    // the provider was asked, or a crashed refresh was completed
	RefreshBusy        RefreshStatus = "busy"         // somebody else is refreshing
	RefreshDelayed     RefreshStatus = "delayed"      // the provider failed for now; see RetryAfter
	RefreshNeedsReauth RefreshStatus = "needs_reauth" // the grant is dead; only a person can help
	RefreshUnavailable RefreshStatus = "unavailable"  // pending, paused or revoked: nothing to refresh
)

// RefreshRequest asks for a refresh.
type RefreshRequest struct {
	Ref Ref
	// Rejected is the generation whose access token the provider refused before its time; zero otherwise.
	Rejected uint64
	// Force refreshes even if nothing is due.
	Force bool
	// Wait lets a follower wait for the one who is refreshing, at most this long.
	Wait time.Duration
	// By is for the audit trail: "execute", "sweep", an API key id.
	By string
}

// RefreshResult is what the caller learns. It never holds a token.
type RefreshResult struct {
	Status     RefreshStatus
	Generation uint64
	ExpiresAt  time.Time
	Reason     string
	RetryAfter time.Duration
	// DueAt is when the refresh had been due; zero when none was planned. Led tells that this call held the lease: what it
	// reports it did itself, and did not find.
	DueAt time.Time
	Led   bool
}
