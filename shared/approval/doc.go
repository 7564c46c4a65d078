// Package approval is how a person decides about a call that a policy holds back.
//
//	agent    ── the call ──▶ approval_required; a pending approval, its arguments sealed
//	back end ── CreateLink ▶ one-time URL for the approver it names, or Decide with the approver's answer
//	browser  ── Show ──────▶ who asks for which tool; the arguments are not shown yet
//	         ── Open ──────▶ cookie: from here on the link is this browser's
//	         ── Answer ────▶ on record first, then decided, once
//	agent    ── the same call again ▶ made, once
//
// Chat previews and mail scanners open links, so the arguments come only behind Open, which takes a form. Behalf does not
// know who may approve what: the back end names the approver, and its word is on record.
//
// An approval is found by its call, so the same call asked for again later has the same id. Links and decisions therefore
// name the moment it was asked for, and are refused for another one.
package approval
