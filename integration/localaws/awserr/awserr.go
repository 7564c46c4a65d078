// Package awserr holds the one error shape that every emulated service answers with.
//
// A service returns *Error; the front handler writes it in the protocol of that
// service (JSON `__type`, query XML or an `X-Amzn-Errortype` header). Keeping the shape in
// a leaf package lets the services stay independent of each other.
package awserr

import "fmt"

// Error is a failure as an AWS client sees it.
type Error struct {
	Code    string         // e.g. "ValidationException"
	Message string         // text for people
	Status  int            // HTTP status; 0 means 400
	Fields  map[string]any // further members of the error body, e.g. CancellationReasons
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// HTTPStatus is the status line of the answer, 400 unless stated.
func (e *Error) HTTPStatus() int {
	if e.Status == 0 {
		return 400
	}
	return e.Status
}

// New builds an Error with a formatted message.
func New(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Validation builds the ValidationException that most services use for bad input.
func Validation(format string, args ...any) *Error {
	return New("ValidationException", format, args...)
}

// Unknown is the answer to an operation that the emulator does not have.
func Unknown(what string) *Error {
	return &Error{Code: "UnknownOperationException", Message: "not implemented by the embedded AWS: " + what, Status: 501}
}
