// Package keyring renews what a tenant's secrets are sealed under: it rotates the tenant keys, seals records of older
// versions again, and retires versions that nothing names any more.
//
// Rotation alone protects what is sealed from now on. A Walk goes through everything that a tenant has sealed (both slots of
// each connection, its OAuth clients and its webhooks), in steps short enough for one request, and writes each record again under the
// newest version, by comparing and swapping the very bytes that it read: an erased slot stays erased, a newer generation stays
// newer, and no lease is needed.
//
// A version is retired, and its wrapped key deleted, only by a walk that went from the first record to the last without
// meeting it, that began after every process had forgotten to seal with it, and some time after anything was last seen under
// it: a refresh that read a slot before it was sealed again may write those bytes back, under its newer fence, moments later.
// What a walk has seen is kept in the store beside the keys, not in the cursor that callers carry. So a walk spans requests
// and days, a schedule goes on where a person stopped, and a cursor that was made up can make no key disappear.
package keyring
