// Package iam decides whether a request is allowed, like AWS Identity and Access Management,
// and keeps the roles and sessions of the local stack.
//
// Evaluate is pure: policies and a Request in, a Decision with the statements that matched
// out, so a test can evaluate a synthesised template without any emulator. Store adds roles,
// STS sessions and the check of each incoming call.
//
// Anything that is not understood (an unknown condition operator, a multi-valued key without a
// set operator) fails closed and is reported in Decision.Errors: an Allow does not match, a Deny does.
package iam
