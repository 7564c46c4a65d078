// Package dynamo keeps everything in four DynamoDB tables and owns every key.
//
// A key starts with the tenant ("T#acme#…"), because IAM compares it there: a role that was assumed for acme and
// user_alice may read partitions that begin with exactly those two. All keys are made in keys.go, from parts that cannot
// hold the separator. No method takes a raw key, and no method reads across tenants but Due, which is keys only.
//
// Most items are a JSON document with a version: a write names the version it read, and loses if somebody else wrote
// meanwhile. Update functions are therefore pure and may run more than once; nothing calls the network inside them. A
// write whose answer was lost is recognised by the random mark it carries.
package dynamo
