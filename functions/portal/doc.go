// Package portal is where people see their own connections: what agents may do with them, what they did lately, and how to
// end them.
//
//	back end ── POST /v1/portal-links ─▶ link, opens once, 10 minutes; the product sends its signed-in user there
//	browser  ── GET /portal/{link} ────▶ used up; a cookie for 30 minutes; on to /portal
//	         ── GET /portal ───────────▶ connections and what was done lately
//	         ── POST …/{connection} ───▶ ended here at once, then at the provider; the page says what it answered
//
// It is also where people log MCP clients in (shared/mcpauth): /oauth/authorize, and the page that asks them.
//
// It is a function of its own because it needs less than any other that browsers reach: it may read and end the
// connections of one principal, and open nothing. It has no right at the tenant's keys and none at the audit trail, whose
// rows cannot be told apart by principal; what was done lately is in a short list of the principal's own, which the sealer
// of the trail keeps up (functions/audit).
package portal
