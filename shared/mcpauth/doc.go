// Package mcpauth is the authorization server for interactive MCP clients: OAuth 2.1's authorization code with PKCE, in the
// part that MCP's authorization specification asks for (revisions 2025-11-25 and 2026-07-28).
//
//	client   ── GET /oauth/authorize ──▶ the client's document is fetched and checked; the request is parked
//	browser  ── the login page ────────▶ of the application, with a reference that works once
//	back end ── POST /v1/mcp-logins ───▶ says who is signed in; gets the address of the consent page, which only it knows
//	browser  ── GET, POST …/consent ───▶ the browser that began, and no other, allows or refuses; a code for a minute
//	client   ── POST /oauth/token ─────▶ a session token of 15 minutes and, if the client asked, a refresh token
//
// Behalf knows no users, so the application's back end names them, as for every other session. Two secrets guard the
// consent page, and no party has both unless the same person's browser went through all of it: the cookie of the browser that
// began, and the ticket that the back end hands to the browser of its signed-in user. Whoever sends a victim a link that
// they began has the cookie and not the ticket; the victim has the ticket and not the cookie.
//
// A Front parks and asks, Tokens give and take tokens. They run in different functions: who fetches addresses that strangers
// choose cannot sign, and who signs fetches nothing of theirs.
package mcpauth
