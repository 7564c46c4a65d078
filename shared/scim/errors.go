package scim

import (
	"encoding/json"
	"net/http"
	"strconv"

	"behalf.dev/behalf/shared/fault"
)

// Type is the scimType of an error (RFC 7644, table 9).
type Type string

// The error types in use. Precondition is our own and is never rendered: RFC 7644, section 3.14 answers a failed
// If-Match with 412 and no scimType.
const (
	Uniqueness    Type = "uniqueness"
	InvalidFilter Type = "invalidFilter"
	InvalidPath   Type = "invalidPath"
	InvalidSyntax Type = "invalidSyntax"
	InvalidValue  Type = "invalidValue"
	NoTarget      Type = "noTarget"
	Mutability    Type = "mutability"
	TooMany       Type = "tooMany"
	Precondition  Type = "precondition"
)

// detailType is the member of fault.Error.Detail that carries the Type.
const detailType = "scim_type"

// failure is a fault.InvalidInput of one SCIM type.
func failure(t Type, format string, args ...any) *fault.Error {
	return fault.New(fault.InvalidInput, format, args...).With(detailType, t)
}

// Taken is the fault.Conflict that a store returns when another resource of the tenant holds the value of attribute.
func Taken(attribute string) error {
	return fault.New(fault.Conflict, "another resource has this %s", attribute).
		With(detailType, Uniqueness).With("attribute", attribute)
}

// Stale is the fault.Conflict that a store returns when the resource no longer has the version that the write expects.
func Stale() error {
	return fault.New(fault.Conflict, "the resource was changed in the meantime; read it again").With(detailType, Precondition)
}

// Missing is the fault.NotFound that a store returns for a resource that does not exist.
func Missing(resourceType, id string) error {
	return fault.New(fault.NotFound, "there is no %s %q", resourceType, id)
}

// TypeOf gives the SCIM type of err, empty when it has none.
func TypeOf(err error) Type {
	if err == nil {
		return ""
	}
	t, _ := fault.From(err).Detail[detailType].(Type)
	return t
}

// IsStale reports that err is a version conflict, from Stale or from an If-Match that did not hold.
func IsStale(err error) bool { return TypeOf(err) == Precondition }

// ErrorBody renders err as RFC 7644, section 3.12 wants it, with the HTTP status to send. An error that was not
// classified becomes a 500 that gives nothing away.
func ErrorBody(err error) (body []byte, status int) {
	e := fault.From(err)
	if e == nil {
		e = fault.New(fault.Internal, "something went wrong on our side")
	}
	status = e.Code.Status()
	doc := map[string]any{"schemas": []string{ErrorSchema}, "detail": e.Message}
	switch t := TypeOf(e); t {
	case "":
	case Precondition:
		status = http.StatusPreconditionFailed
	default:
		doc["scimType"] = t
	}
	doc["status"] = strconv.Itoa(status) // a string in the RFC's schema
	body, _ = json.Marshal(doc)          // strings only: cannot fail
	return body, status
}
