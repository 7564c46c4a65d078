// Package scale says what refreshing many connections asks of AWS, and what that costs: the calls of one refresh are counted on
// the embedded account, the items that it writes are measured there, and the rest is arithmetic. docs/decisions/0023 holds the
// result; a test compares it, and writes it anew with -write.
package scale
