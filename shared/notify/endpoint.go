package notify

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Status says whether an endpoint is sent anything.
type Status string

// The statuses of an endpoint.
const (
	Active   Status = "active"
	Disabled Status = "disabled"
)

// Reasons of a disabled endpoint.
const (
	ReasonGone    = "gone"    // it answered 410
	ReasonFailing = "failing" // no try succeeded for DisableAfter
)

// Every asks for all events, those that are added later included.
const Every = "*"

// Limits of what one owner may have.
const (
	MaxEndpoints = 20
	MaxURL       = 1000 // bytes
	MaxText      = 200  // bytes of a description
)

// Endpoint is one receiver of webhooks.
type Endpoint struct {
	// ID is "wh_" and 26 characters.
	ID string
	// Owner is the tenant whose events it gets, or tenant.Deployment for those of all tenants.
	Owner       tenant.ID
	URL         string
	Description string
	// Events are the types it wants, or Every alone.
	Events []string
	Status Status
	// Reason says why it is disabled.
	Reason string
	// FailingSince is the first failed try since the last successful one; zero while all is well.
	FailingSince time.Time
	Created      time.Time
	Updated      time.Time
	// Secrets, newest first. The second one signs too, until it ends.
	Secrets []Secret
	// Version is the store's; 0 is a new one.
	Version uint64
}

// Secret is a sealed signing secret.
type Secret struct {
	// Number counts an endpoint's secrets; it is bound into the seal.
	Number uint64
	Sealed []byte
	// Until is when a replaced secret stops to sign; zero for the newest.
	Until time.Time
}

// Endpoints keeps endpoints.
type Endpoints interface {
	// Endpoints lists all of one owner, oldest first.
	Endpoints(ctx context.Context, owner tenant.ID) ([]Endpoint, error)
	// Endpoint reads one strongly; fault.NotFound.
	Endpoint(ctx context.Context, owner tenant.ID, id string) (Endpoint, error)
	// PutEndpoint writes e if the stored version is e.Version (0: none stored); fault.Conflict otherwise.
	PutEndpoint(ctx context.Context, e Endpoint) error
}

// Remover takes an endpoint and its trail away.
type Remover interface {
	// DeleteEndpoint removes one; removing what is not there is no error.
	DeleteEndpoint(ctx context.Context, owner tenant.ID, id string) error
}

// Trail keeps what became of the last tries.
type Trail interface {
	// Tries lists them, newest first.
	Tries(ctx context.Context, owner tenant.ID, endpoint string) ([]Try, error)
	// AddTries puts tries before those that are there and forgets all beyond the KeepTries newest.
	AddTries(ctx context.Context, owner tenant.ID, endpoint string, tries []Try) error
}

// KeepTries is how many tries of an endpoint are remembered.
const KeepTries = 20

// Newest puts tries before old ones, newest first, and keeps KeepTries.
func Newest(tries, old []Try) []Try {
	out := slices.Concat(tries, old)
	slices.SortStableFunc(out, func(a, b Try) int { return b.At.Compare(a.At) })
	return out[:min(len(out), KeepTries)]
}

// Outcome of a try.
type Outcome string

// The outcomes of a try.
const (
	Delivered Outcome = "delivered"
	Failed    Outcome = "failed"   // comes again
	GivenUp   Outcome = "given_up" // was the last one
)

// Try is what became of one attempt to deliver one message.
type Try struct {
	Message string
	Event   events.Type
	At      time.Time
	Outcome Outcome
	// Status is the receiver's HTTP status; 0 when there was no answer.
	Status int
	// Reason says why it failed: "http_503", "timeout", "unreachable", "tls", "egress_refused".
	Reason string
	Took   time.Duration
	// Next is when the message comes again.
	Next time.Time
}

// Binding is what the signing secret of e with that number is bound to.
func Binding(e Endpoint, number uint64) connection.Binding {
	return connection.Binding{Tenant: e.Owner, Principal: tenant.Org, Record: "webhook:" + e.ID, Purpose: connection.WebhookSecret, Generation: number}
}

// Wants reports that e is to be told of an event of type t that happened to tenant of.
func (e Endpoint) Wants(t events.Type, of tenant.ID) bool {
	return e.Status == Active && (e.Owner == tenant.Deployment || e.Owner == of) && (slices.Contains(e.Events, Every) || slices.Contains(e.Events, string(t)))
}

// checkURL accepts an absolute https URL without credentials and fragment, whose host is no address of a private network. What a
// name resolves to is decided at each try, by the egress guard. plain allows http as well: the local stack.
func checkURL(s string, plain bool, public func(netip.Addr) bool) error {
	const field = "/url"
	if s == "" || len(s) > MaxURL {
		return fault.Invalid(field, "url is where webhooks are posted to, in 1 to %d bytes", MaxURL)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(s, "\\\r\n\t "):
		return fault.Invalid(field, "url must be an absolute URL without credentials and fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !plain):
		return fault.Invalid(field, "url must be https")
	case plain:
		return nil
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if a, err := netip.ParseAddr(host); err == nil && !public(a) {
		return fault.Invalid(field, "url must be reachable from the Internet; this address is not")
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".internal") || strings.HasSuffix(host, ".local") {
		return fault.Invalid(field, "url must be reachable from the Internet; this name is not")
	}
	return nil
}

// checkEvents accepts Every alone, or known types, none of them twice.
func checkEvents(wanted []string) error {
	const field = "/events"
	known := []string{}
	for _, t := range events.Published() {
		known = append(known, string(t))
	}
	if len(wanted) == 0 {
		return fault.Invalid(field, `events lists what is sent, of: %s; or "*" alone for everything`, strings.Join(known, ", "))
	}
	if slices.Contains(wanted, Every) {
		if len(wanted) > 1 {
			return fault.Invalid(field, `"*" stands alone: it means every event`)
		}
		return nil
	}
	for i, w := range wanted {
		if !slices.Contains(known, w) {
			return fault.Invalid(field, "unknown event %.60q; known are %s", w, strings.Join(known, ", "))
		}
		if slices.Contains(wanted[:i], w) {
			return fault.Invalid(field, "%s is listed twice", w)
		}
	}
	return nil
}
