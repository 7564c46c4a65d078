// Package fault is the one error type of Behalf: a code from a closed set, a message meant for the caller, and a cause
// meant for the operator.
//
// A failure is classified once, where it enters the program (a provider's answer, a DynamoDB condition, a bad field),
// by making a fault.Error there. Everything above only wraps it with %w. At the way out, Problem turns whatever error
// arrived into an RFC 9457 problem document: a fault.Error shows its public message, anything else becomes "internal"
// and shows nothing. The cause is for logs only and is never rendered.
package fault
