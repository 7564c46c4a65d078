// Package ddb is a DynamoDB that keeps its tables in memory: the data plane with conditions,
// transactions, indexes, TTL and streams that Behalf relies on, with DynamoDB's own answers
// to wrong input.
//
// A request travels: Parse (JSON to Request, operands still unchecked) → Access (what IAM must
// allow, with the leading keys) → Run (expressions compiled and bound, the change planned,
// applied under one lock, journaled and published to the stream).
//
// Stored items are immutable. Readers share them without a copy, an update copies only the
// containers on its path, and answers are encoded after the lock is released.
//
// It exists because no emulator at hand has transactions, correct lease races and IAM
// enforcement at once; a contract suite and a differential run against DynamoDB Local keep it honest.
package ddb
