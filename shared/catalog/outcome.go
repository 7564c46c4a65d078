package catalog

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	"behalf.dev/behalf/shared/fault"
)

// Outcome is what a provider's answer means.
type Outcome struct {
	Kind OutcomeKind
	// Status is the HTTP status of the answer.
	Status int
	// Reason is the provider's machine code, or "http_<status>" where it has none: at most 64 characters of
	// [A-Za-z0-9_.:-], safe to show and to store.
	Reason string
	// Message is the provider's text, bounded to 300 characters. It is third-party text: redact it before it leaves.
	Message string
	// RetryAfter is how long the provider asks to wait; zero when it does not say.
	RetryAfter time.Duration
	// MissingScopes are the scopes that the provider says it needs; often empty although Kind is scope.
	MissingScopes []string
}

// OutcomeKind tells what to do about an answer.
type OutcomeKind string

// The outcomes.
const (
	// OutcomeOK is success.
	OutcomeOK OutcomeKind = "ok"
	// OutcomeExpired: the access token is no longer accepted. Refresh once, retry once.
	OutcomeExpired OutcomeKind = "expired"
	// OutcomeDead: the grant is gone. Re-read the store first, the loser of a refresh race sees this too.
	OutcomeDead OutcomeKind = "dead"
	// OutcomeScope: the grant is alive but too narrow. Keep the connection, ask for more.
	OutcomeScope OutcomeKind = "scope"
	// OutcomeTransient: wait and try again.
	OutcomeTransient OutcomeKind = "transient"
	// OutcomeConfig: the OAuth client is set up wrongly. Alert its owner; connections stay.
	OutcomeConfig OutcomeKind = "config"
	// OutcomeClientError: the call was wrong; the caller can correct it.
	OutcomeClientError OutcomeKind = "client_error"
	// OutcomeError: the provider refused or failed in a way that no rule knows.
	OutcomeError OutcomeKind = "error"
)

var outcomeKinds = []string{"ok", "expired", "dead", "scope", "transient", "config", "client_error", "error"}

// ClassifyTokenError says what an answer of the token endpoint to an exchange or refresh means. A success is OutcomeOK.
func (c *Connector) ClassifyTokenError(status int, header http.Header, body []byte) Outcome {
	return c.classifyToken(answer{status: status, header: header, body: decodeTokenBody(header, body)})
}

// readBody decodes JSON; anything else is its text, bounded, since only short plain answers are ever matched.
func readBody(body []byte) any {
	v, err := decodeJSON(body)
	if err != nil {
		return clip(string(body[:min(len(body), 1024)]), 1024)
	}
	return v
}

func (c *Connector) classifyToken(a answer) Outcome {
	d := c.m.Errors.Token
	o := c.apply(a, d, tokenDefault(a, d))
	if o.Kind == OutcomeOK && !c.tokenSuccess(a) {
		o.Kind = OutcomeError
	}
	return o
}

// tokenSuccess is a 2xx that meets the manifest's success rule and carries no error code.
func (c *Connector) tokenSuccess(a answer) bool {
	code, _ := lookupText(a.body, c.m.Errors.Token.Code)
	_, object := a.body.(map[string]any)
	return object && a.status/100 == 2 && code == "" && a.all(c.m.Token.Success)
}

// ClassifyAPIResponse says what an answer of the provider's API means.
func (c *Connector) ClassifyAPIResponse(status int, header http.Header, body []byte) Outcome {
	a := answer{status: status, header: header, body: readBody(body)}
	if status/100 == 2 && a.all(c.m.API.Success) {
		return Outcome{Kind: OutcomeOK, Status: status}
	}
	kind := apiDefault(status)
	if status/100 == 2 {
		kind = OutcomeError
	}
	return c.apply(a, c.m.Errors.API, kind)
}

// apply runs the rules, first match wins, and fills in what the answer says about itself.
func (c *Connector) apply(a answer, d dialectSpec, fallback OutcomeKind) Outcome {
	o := Outcome{Kind: fallback, Status: a.status, Reason: fmt.Sprintf("http_%d", a.status)}
	if code, ok := lookupText(a.body, d.Code); ok && d.Code != "" && machineCode.MatchString(code) {
		o.Reason = code
	}
	if d.Message != "" {
		text, _ := lookupText(a.body, d.Message)
		o.Message = clip(text, 300)
	}
	for i := range d.Rules {
		r := &d.Rules[i]
		if !r.fits(a) || !a.matches(r.match()) {
			continue
		}
		o.Kind = r.Outcome
		if r.Reason != "" {
			o.Reason = r.Reason
		}
		o.MissingScopes = r.Needed.read(a)
		break
	}
	if o.Kind == OutcomeTransient {
		o.RetryAfter = retryAfter(a.header, c.m.API.RateReset)
	}
	return o
}

var machineCode = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)

// rfcCodes are the error codes of RFC 6749 sections 4.1.2.1 and 5.2 and of RFC 8628 that mean one thing everywhere.
var rfcCodes = map[string]OutcomeKind{
	"invalid_grant": OutcomeDead, "invalid_client": OutcomeConfig, "unauthorized_client": OutcomeConfig,
	"unsupported_grant_type": OutcomeConfig, "invalid_scope": OutcomeConfig, "invalid_request": OutcomeError,
	"temporarily_unavailable": OutcomeTransient, "server_error": OutcomeTransient, "slow_down": OutcomeTransient,
}

func tokenDefault(a answer, d dialectSpec) OutcomeKind {
	if code, _ := lookupText(a.body, d.Code); d.Dialect == dialectRFC6749 {
		if kind, ok := rfcCodes[code]; ok {
			return kind
		}
	}
	switch {
	case a.status/100 == 2:
		return OutcomeOK
	case a.status == http.StatusTooManyRequests || a.status == http.StatusRequestTimeout || a.status >= 500:
		return OutcomeTransient
	}
	return OutcomeError
}

func apiDefault(status int) OutcomeKind {
	switch status {
	case http.StatusUnauthorized:
		return OutcomeExpired
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return OutcomeTransient
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusConflict, http.StatusGone,
		http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return OutcomeClientError
	}
	if status >= 500 {
		return OutcomeTransient
	}
	return OutcomeError
}

// ProviderFailure carries an Outcome as the cause of a fault.
type ProviderFailure struct{ Outcome Outcome }

// Error gives kind and reason, not the provider's text.
func (e *ProviderFailure) Error() string {
	return fmt.Sprintf("provider answered %d: %s (%s)", e.Outcome.Status, e.Outcome.Reason, e.Outcome.Kind)
}

func (o Outcome) failure(connector string) error { return o.Fault(connector) }

// Fault turns an outcome that is not ok into the error of the HTTP API. The provider's message is not in it.
func (o Outcome) Fault(connector string) *fault.Error {
	var e *fault.Error
	switch o.Kind {
	case OutcomeExpired, OutcomeDead:
		e = fault.New(fault.ReauthorizationRequired, "%s no longer accepts this connection; the account must be connected again", connector)
	case OutcomeScope:
		e = fault.New(fault.ScopeMissing, "%s says that the account granted too little for this call", connector)
		if len(o.MissingScopes) > 0 {
			e = e.With("missing_scopes", slices.Clone(o.MissingScopes))
		}
	case OutcomeConfig:
		e = fault.New(fault.ProviderError, "%s refuses the OAuth client; whoever registered it must correct its settings", connector)
	case OutcomeTransient:
		e = fault.New(fault.ProviderError, "%s cannot answer now; try again later", connector)
		if o.Status == http.StatusTooManyRequests || o.RetryAfter > 0 {
			e = fault.New(fault.RateLimited, "%s limits the rate of calls; wait before the next one", connector)
		}
		e = e.WithRetryAfter(o.RetryAfter)
	default:
		e = fault.New(fault.ProviderError, "%s refused the call (%s)", connector, o.Reason)
	}
	return e.With("connector", connector).With("reason", o.Reason).With("provider_status", o.Status).WithCause(&ProviderFailure{o})
}
