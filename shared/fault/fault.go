package fault

import (
	"errors"
	"fmt"
	"time"
)

// Code says what kind of failure happened. The set is closed; clients branch on it.
type Code string

// The error codes of the HTTP API.
const (
	InvalidInput            Code = "invalid_input"
	Unauthenticated         Code = "unauthenticated"
	Forbidden               Code = "forbidden"
	NotFound                Code = "not_found"
	Conflict                Code = "conflict"
	ConnectionRequired      Code = "connection_required"
	ReauthorizationRequired Code = "reauthorization_required"
	ScopeMissing            Code = "scope_missing"
	Revoked                 Code = "revoked"
	RateLimited             Code = "rate_limited"
	ProviderError           Code = "provider_error"
	OutcomeUnknown          Code = "outcome_unknown"
	PolicyDenied            Code = "policy_denied"
	ApprovalRequired        Code = "approval_required"
	Internal                Code = "internal"
)

// Error is a classified failure. Build it with New and the With methods; never change one that was returned.
type Error struct {
	// Code is the kind of failure.
	Code Code
	// Message is shown to the caller: what is wrong and what to do about it. It holds no secret and no provider text
	// that was not redacted.
	Message string
	// Field names the offending input, as a JSON pointer ("/input/repo") or a query parameter; empty when none.
	Field string
	// RetryAfter is how long to wait before trying again; zero when unknown or pointless.
	RetryAfter time.Duration
	// Detail are further members of the problem document ("connector", "missing_scopes", "provider_status").
	Detail map[string]any

	cause error
}

// New returns an Error with the public message made from format.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid returns an InvalidInput error about one field.
func Invalid(field, format string, args ...any) *Error {
	return New(InvalidInput, format, args...).WithField(field)
}

// WithField returns a copy that names the offending input.
func (e *Error) WithField(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// WithCause returns a copy that carries err for the logs. The cause never reaches a caller.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// WithRetryAfter returns a copy that tells the caller how long to wait.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// With returns a copy with one more member for the problem document.
func (e *Error) With(key string, value any) *Error {
	c := *e
	c.Detail = make(map[string]any, len(e.Detail)+1)
	for k, v := range e.Detail {
		c.Detail[k] = v
	}
	c.Detail[key] = value
	return &c
}

// Error gives code, message and cause: operator text, for logs.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.cause }

// Retryable tells whether the same request may succeed later without anything being changed.
func (e *Error) Retryable() bool {
	return e.Code == RateLimited || e.Code == Internal || e.RetryAfter > 0
}

// From returns the first Error in err's chain. An err that has none is unclassified: it becomes Internal with a
// message that gives nothing away. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return New(Internal, "something went wrong on our side; the request id identifies it in our logs").WithCause(err)
}

// Is reports whether err was classified as code.
func Is(err error, code Code) bool { return err != nil && From(err).Code == code }
