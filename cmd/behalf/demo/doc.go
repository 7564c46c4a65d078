// Package demo tells what Behalf does by doing it: the story of `behalf demo`.
//
// It talks to the stack as an adopter does, over HTTP, and as the people do, through a browser's cookies and redirects.
// Each step ends with a question to somebody other than Behalf (the provider emulator's own records, the IAM policies of
// the account, a recomputed hash chain) and fails when the answer is not the promised one. Nothing is assumed.
package demo
