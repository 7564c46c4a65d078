// Package scim is the service side of SCIM 2.0 (RFC 7643, RFC 7644) as far as offboarding needs it: an identity
// provider tells Behalf who works for a tenant and, above all, who no longer does.
//
// A request goes through four steps. The body becomes a document (document.go): known attribute names take their
// canonical case, lenient booleans become booleans, what is read only or must never be kept (passwords) is dropped,
// and everything unknown is preserved. PATCH operations (patch.go, apply.go) change a copy of that document, so a
// failing operation leaves nothing behind. The document becomes a User again, which checks it. Then commit
// (commit.go) brings the Store and the Lifecycle in step.
//
// The order in commit is the reason why this package exists. A user is suspended before any store says "inactive", so
// no directory ever shows an offboarding that has not happened; access is given back only after the store says
// "active". A crash between the two leaves too little access, and the identity provider's retry completes it. One gap
// is left: a Restore that reaches the Lifecycle only after a concurrent offboarding has finished, from a process that
// dies before it can look again. Only a Lifecycle that orders its own calls can close that.
//
// The package knows no HTTP and no AWS: the caller maps requests to Service methods and renders failures with
// ErrorBody. Real identity providers depart from the RFCs; where this package follows them instead, the comment at
// that place says which one and how.
package scim
