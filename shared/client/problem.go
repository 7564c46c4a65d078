package client

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"behalf.dev/behalf/shared/fault"
)

// problem is what every problem document has; the rest becomes Detail.
type problem struct {
	Detail     string     `json:"detail"`
	Code       fault.Code `json:"code"`
	Field      string     `json:"field"`
	RetryAfter int        `json:"retry_after"`
}

// refusal turns an answer that is not a success into a *fault.Error. Of a problem document (RFC 9457) it keeps
// everything; an answer of something in between (a proxy, a gateway) is classified by its status and not quoted.
func refusal(k call, a answer, now time.Time) error {
	var p problem
	rest := map[string]any{}
	if !strings.HasPrefix(a.header.Get("Content-Type"), fault.ContentType) || json.Unmarshal(a.body, &p) != nil || json.Unmarshal(a.body, &rest) != nil || p.Code == "" {
		return foreign(k, a, now)
	}
	e := fault.New(p.Code, "%s", p.Detail).WithField(p.Field).WithRetryAfter(time.Duration(p.RetryAfter) * time.Second)
	if e.RetryAfter == 0 {
		e = e.WithRetryAfter(retryAfter(a.header, now))
	}
	for _, standard := range []string{"type", "title", "status", "detail", "code", "field", "retry_after", "retryable"} {
		delete(rest, standard)
	}
	if len(rest) > 0 {
		e.Detail = rest
	}
	return e
}

// foreign classifies an answer without a problem document. A POST that a gateway gave up on may have been carried out.
func foreign(k call, a answer, now time.Time) error {
	code := fault.Internal
	switch a.status {
	case http.StatusBadRequest:
		code = fault.InvalidInput
	case http.StatusUnauthorized:
		code = fault.Unauthenticated
	case http.StatusForbidden:
		code = fault.Forbidden
	case http.StatusNotFound:
		code = fault.NotFound
	case http.StatusConflict:
		code = fault.Conflict
	case http.StatusTooManyRequests:
		code = fault.RateLimited
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		if k.method == http.MethodPost {
			code = fault.OutcomeUnknown
		}
	}
	return fault.New(code, "%s: status %d without a problem document; is the base URL that of a Behalf deployment?", k.name(), a.status).
		WithRetryAfter(retryAfter(a.header, now)).With("http_status", a.status)
}

// RequestID is the id under which the API's logs and audit trail know the failed request; empty when err has none.
func RequestID(err error) string {
	if err == nil {
		return ""
	}
	s, _ := fault.From(err).Detail["request_id"].(string)
	return s
}

// ConnectRequest is the link that would repair err: connection_required, reauthorization_required, scope_missing and
// revoked carry one. Add ReturnURL and pass it to CreateConnectLink. It returns false when err carries none.
func ConnectRequest(err error) (ConnectLinkRequest, bool) {
	var r ConnectLinkRequest
	if err == nil {
		return r, false
	}
	connect, _ := fault.From(err).Detail["connect"].(map[string]any)
	b, merr := json.Marshal(connect["body"])
	if connect == nil || merr != nil || json.Unmarshal(b, &r) != nil {
		return r, false
	}
	return r, r.Tenant != "" && r.Principal != "" && r.Connector != ""
}
