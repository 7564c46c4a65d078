// Package refresh renews access tokens so that the provider sees one refresh however many ask, and so that no crash
// loses a refresh token where the provider makes recovery possible.
//
// One refresh of a connection at generation g goes:
//
//	R0 read       strong; stop if the token is fresh or the connection may not be refreshed
//	R1 lease      conditional write: fence+1, owner, until; losing it means that somebody else is at work
//	R2 recover    a newer slot already exists: its writer died before the flip; go to R7, call nobody
//	R3 prepare    fetch keys, open the refresh token, check that there is time
//	R4 intent     strict providers only: note that generation g+1 is being asked for
//	R5 call       once, fixed client authentication, no redirect, not cancelled by the caller
//	R6 shadow     write the new tokens to the other slot; readers do not look there yet
//	R7 flip       conditional write: generation g+1, new expiry, lease and intent gone
//	R8 audit
//
// A request is only made if its timeout ends within the lease, so two requests never overlap. A doubt stays with the
// connection: once a request may have been answered without anybody seeing it, a strict provider is asked one more time
// at most, and a later refusal is reported as refresh_outcome_unknown. Nothing is given up before a last look for tokens
// that a late holder stored meanwhile.
//
// Readers use only the slot of the current generation, so they never see half a refresh; a writer that woke up after
// its lease ended is refused by the fence. Safety rests on fence and generation, never on clocks. Lease and timeout
// follow the connector's rotation class: a strict provider's answer is waited for long, because abandoning it loses the
// only copy of the new token; a provider with a grace period is asked again within it.
package refresh
