// Package oauthflow connects a person's account: confirm first, then exchange.
//
//	back end ── Create ──▶ link (one-time, 15 min)
//	browser  ── Show ────▶ our page: who asks for what
//	         ── Start ───▶ cookie, state, PKCE; off to the provider
//	provider ── Callback ▶ state and cookie consumed, the code is parked, sealed; back to the SaaS
//	back end ── Confirm ─▶ the SaaS names its own signed-in user; only if that is whom the link was made for is the
//	                       code redeemed, the grant recorded and the connection active
//
// A connector without consent page shows a form instead (Sheet, Submit): what is typed is parked like a code, and Confirm proves
// it at the provider. Import does the same for a credential that the SaaS has already.
//
// A code that was not confirmed in five minutes is dropped, and nothing was exchanged: a link that was forwarded to
// somebody else never yields a token (draft-ietf-oauth-security-topics-update, cross-user session fixation; PKCE does
// not help there). The link's id, which Confirm wants, reaches nobody but the back end and the browser that came back
// from the provider; the link's URL carries another secret.
package oauthflow
