// Package sqs is a small Simple Queue Service: standard queues with visibility timeout, delay,
// long polling, redrive to a dead-letter queue and the MD5 sums that SDKs check.
//
// Time comes from the clock that is passed in. A waiting receiver is woken by new messages and
// otherwise looks again every few milliseconds, because a test's clock may jump.
package sqs
