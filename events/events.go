package events

import "time"

// Source is the EventBridge source of everything published.
const Source = "behalf"

// Version is the contract's version, in each event's detail. Within a version fields and types are only added: nothing is
// renamed, removed, or given another meaning.
const Version = "1"

// Type names what happened: EventBridge's detail type, and "type" in a webhook.
type Type string

// What is published. The comment says when, and which optional fields are set.
const (
	ConnectionConnected          Type = "connection.connected"                // consent was confirmed and stored, the first time or again; grant_id
	ConnectionRefreshed          Type = "connection.refreshed"                // new tokens are stored; by far the most frequent one
	ConnectionScopesNarrowed     Type = "connection.scopes_narrowed"          // a refresh brought fewer permissions than before
	ConnectionRefreshDelayed     Type = "connection.refresh_delayed"          // once in a row of failures; reason, failures, retry_at
	ConnectionReauthorization    Type = "connection.reauthorization_required" // only a new consent helps; reason
	ConnectionPaused             Type = "connection.paused"                   // by the control plane
	ConnectionResumed            Type = "connection.resumed"                  // by the control plane
	ConnectionRevoked            Type = "connection.revoked"                  // for good, from this moment on; reason; provider_revocation is "pending"
	ConnectionProviderRevocation Type = "connection.provider_revocation"      // what the provider made of it, later; provider_revocation
	LinkOpened                   Type = "connect_link.opened"                 // a person went on to the provider, the first time
	LinkConsentDenied            Type = "connect_link.consent_denied"         // the provider sent the person back without a code; reason
	LinkUserMismatch             Type = "connect_link.user_mismatch"          // another person than the link's consented; nothing is connected
	ApprovalRequested            Type = "approval.requested"                  // a person is to decide about a call; once for each asking
	ApprovalDecided              Type = "approval.decided"                    // somebody did; approver
	WebhookDisabled              Type = "webhook.disabled"                    // an endpoint failed for days, or answered 410; reason
)

// WebhookTest is sent to one endpoint on request; it is on no bus.
const WebhookTest Type = "webhook.test"

// Published lists every type that goes to the bus, in the order of the constants.
func Published() []Type {
	return []Type{ConnectionConnected, ConnectionRefreshed, ConnectionScopesNarrowed, ConnectionRefreshDelayed, ConnectionReauthorization,
		ConnectionPaused, ConnectionResumed, ConnectionRevoked, ConnectionProviderRevocation, LinkOpened, LinkConsentDenied, LinkUserMismatch, ApprovalRequested, ApprovalDecided, WebhookDisabled}
}

// Head is in the detail of every event.
type Head struct {
	// ID is "evt_" and 26 characters. Delivery is at least once: whoever must act once remembers it.
	ID      string    `json:"id"`
	Version string    `json:"version"`
	Tenant  string    `json:"tenant"`
	Time    time.Time `json:"time"`
}

// Connection is the detail of every connection.* event.
type Connection struct {
	Head
	Principal  string `json:"principal"`
	Connector  string `json:"connector"`
	Connection string `json:"connection_id"`
	// Status is the connection's status after what happened.
	Status string `json:"status"`
	// Reason says why: of the status if it is not active, or of the event ("http_503" of connection.refresh_delayed).
	Reason string `json:"reason,omitempty"`
	Grant  string `json:"grant_id,omitempty"`
	// Failures counts refreshes that failed in a row, RetryAt is when the next one is due; of connection.refresh_delayed.
	Failures int       `json:"failures,omitempty"`
	RetryAt  time.Time `json:"retry_at,omitzero"`
	// ProviderRevocation is what the provider answered, for revoked connections: "pending" until it is settled, then "revoked",
	// "unsupported", "kept_shared_grant", "nothing_to_revoke" or "failed".
	ProviderRevocation string `json:"provider_revocation,omitempty"`
}

// Link is the detail of every connect_link.* event. A link is named by the connection that it was made for: its own id would
// let whoever reads the event ask for its confirmation.
type Link struct {
	Head
	Principal  string `json:"principal"`
	Connector  string `json:"connector"`
	Connection string `json:"connection_id"`
	Reason     string `json:"reason,omitempty"`
}

// Approval is the detail of every approval.* event. The arguments of the call are not in it; the API shows them to whom it may.
type Approval struct {
	Head
	Principal string `json:"principal"`
	// OnBehalfOf is the user for whom the tenant itself ("_org") acts; of approval.requested.
	OnBehalfOf string `json:"on_behalf_of,omitempty"`
	// Approval names the call: the same call asked for again later has the same id. RequestedAt is the asking; a decision that
	// names it cannot be taken for one about another.
	Approval    string    `json:"approval_id"`
	RequestedAt time.Time `json:"requested_at"`
	// Status is "pending", "approved" or "refused".
	Status     string `json:"status"`
	Connector  string `json:"connector"`
	Connection string `json:"connection_id"`
	Tool       string `json:"tool"`
	Effect     string `json:"effect"`
	Agent      string `json:"agent,omitempty"`
	Run        string `json:"run_id,omitempty"`
	// Rule is what in the tenant's policy wants the approval.
	Rule string `json:"rule"`
	// Approver is who decided, as the back end named them; of approval.decided.
	Approver string `json:"approver,omitempty"`
}

// Webhook is the detail of webhook.* events. Tenant is "_deployment" for an endpoint of the whole deployment.
type Webhook struct {
	Head
	Endpoint string `json:"webhook_id"`
	// Reason is "gone" (it answered 410), "failing" (no try succeeded for days) or, of webhook.test, empty.
	Reason string `json:"reason,omitempty"`
}
