// Package audit says what is recorded about who authorised what, and proves afterwards that nothing was changed.
//
// A Record is one row. Each execution leaves two, an intent before the provider is called and an outcome after, so that
// a crash in between is visible. Rows are only ever added. Behind the hot path a sealer (functions/audit) reads the
// table's stream and appends Segments: each lists the hashes of some records and the hash of the segment before it, per
// tenant. Verify recomputes that chain from an export and names the first thing that does not fit.
package audit
