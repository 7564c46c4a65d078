// Package scim is the door for identity providers (SCIM 2.0, RFC 7644).
//
// The bearer token names the tenant; nothing in the request can. Deprovisioning a user suspends the principal at once,
// in the row that every execution reads, then revokes each connection here and queues telling the providers. Only after
// the suspension is durable does the identity provider get its answer.
package scim
