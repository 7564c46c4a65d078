package fault

import (
	"encoding/json"
	"math"
	"net/http"
)

// ContentType is the media type of a problem document (RFC 9457, section 3).
const ContentType = "application/problem+json"

// status maps each code to its HTTP status. Provider failures are 502: the fault lies behind us.
var status = map[Code]int{
	InvalidInput: http.StatusBadRequest, Unauthenticated: http.StatusUnauthorized, Forbidden: http.StatusForbidden,
	NotFound: http.StatusNotFound, Conflict: http.StatusConflict, ConnectionRequired: http.StatusPreconditionRequired,
	ReauthorizationRequired: http.StatusPreconditionRequired, ScopeMissing: http.StatusForbidden, Revoked: http.StatusForbidden,
	RateLimited: http.StatusTooManyRequests, ProviderError: http.StatusBadGateway, OutcomeUnknown: http.StatusBadGateway,
	PolicyDenied: http.StatusForbidden, ApprovalRequired: http.StatusForbidden, Internal: http.StatusInternalServerError,
}

var titles = map[Code]string{
	InvalidInput: "The request is not valid", Unauthenticated: "The caller is not known", Forbidden: "The caller may not do this",
	NotFound: "There is no such thing", Conflict: "The request conflicts with the current state",
	ConnectionRequired: "No account is connected", ReauthorizationRequired: "The account must be connected again",
	ScopeMissing: "The account granted too little", Revoked: "The access was revoked", RateLimited: "Too many requests",
	ProviderError: "The provider refused or failed", OutcomeUnknown: "The provider's answer was lost",
	PolicyDenied: "A policy forbids this call", ApprovalRequired: "A person must approve this call", Internal: "Something went wrong on our side",
}

// Codes lists the closed set, for documents and tests.
func Codes() []Code {
	return []Code{InvalidInput, Unauthenticated, Forbidden, NotFound, Conflict, ConnectionRequired, ReauthorizationRequired,
		ScopeMissing, Revoked, RateLimited, ProviderError, OutcomeUnknown, PolicyDenied, ApprovalRequired, Internal}
}

// Status is the HTTP status of c; 500 for a code outside the set.
func (c Code) Status() int {
	if s, ok := status[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Problem renders err as an RFC 9457 problem document and its HTTP status. requestID lets an operator find the cause
// in the logs. Members of Detail never replace the standard ones.
func Problem(err error, requestID string) (body []byte, httpStatus int) {
	e := From(err)
	doc := map[string]any{}
	for k, v := range e.Detail {
		doc[k] = v
	}
	doc["type"] = "https://behalf.dev/problems/" + string(e.Code)
	doc["title"] = titles[e.Code]
	doc["status"] = e.Code.Status()
	doc["detail"] = e.Message
	doc["code"] = e.Code
	doc["retryable"] = e.Retryable()
	if e.Field != "" {
		doc["field"] = e.Field
	}
	if s := RetrySeconds(e); s > 0 {
		doc["retry_after"] = s
	}
	if requestID != "" {
		doc["request_id"] = requestID
	}
	body, mErr := json.Marshal(doc)
	if mErr != nil { // a Detail value that JSON cannot carry: keep the code, drop the details
		body, _ = json.Marshal(map[string]any{"type": doc["type"], "title": doc["title"], "status": doc["status"], "detail": e.Message, "code": e.Code, "request_id": requestID})
	}
	return body, e.Code.Status()
}

// RetrySeconds is RetryAfter in whole seconds, rounded up, as the Retry-After header wants it (RFC 9110, 10.2.3).
func RetrySeconds(e *Error) int { return int(math.Ceil(e.RetryAfter.Seconds())) }
