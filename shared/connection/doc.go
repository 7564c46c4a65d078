// Package connection is the vocabulary of the vault: a connection (one principal's account at one provider), the grant
// that authorised it, and the state machine that both follow.
//
//	pending ──Activate──▶ active ◀──Resume── paused
//	                        │  ▲                ▲
//	                        │  └───Activate─┐   └──Pause (from active)
//	                        ▼               │
//	              reauthorization_required ─┘
//	any ──Revoke──▶ revoked (terminal, credentials erased)
//
// Status changes only by the named moves in transition.go; a store never sets a status by itself. Secrets are not in
// here: a Slot carries sealed bytes that only package vault can open.
package connection
