package audit

import (
	"context"
	"time"

	"behalf.dev/behalf/shared/tenant"
)

// Kind says what a record is about.
type Kind string

// The kinds of record.
const (
	ExecutionIntent      Kind = "execution.intent"
	ExecutionOutcome     Kind = "execution.outcome"
	ExecutionRefused     Kind = "execution.refused"
	SessionCreated       Kind = "session.created"
	SessionRefused       Kind = "session.refused"
	SessionNarrowed      Kind = "session.narrowed"
	SessionRevoked       Kind = "session.revoked"
	LinkCreated          Kind = "connect_link.created"
	LinkRefused          Kind = "connect_link.refused"
	PortalLinkCreated    Kind = "portal_link.created"
	LoginConfirmed       Kind = "mcp_login.confirmed"
	LoginAnswered        Kind = "mcp_login.answered"
	LoginRenewed         Kind = "mcp_login.renewed"
	LoginEnded           Kind = "mcp_login.ended"
	GrantCreated         Kind = "grant.created"
	ConnectionRefreshed  Kind = "connection.refreshed"
	ConnectionReauthNeed Kind = "connection.reauthorization_required"
	ConnectionPaused     Kind = "connection.paused"
	ConnectionResumed    Kind = "connection.resumed"
	AccessChanged        Kind = "connection.access_changed"
	ConnectionRevoked    Kind = "connection.revoked"
	ProviderRevocation   Kind = "connection.provider_revocation"
	PrincipalSuspended   Kind = "principal.suspended"
	PrincipalRestored    Kind = "principal.restored"
	TenantCreated        Kind = "tenant.created"
	TenantChanged        Kind = "tenant.changed"
	TenantDeleted        Kind = "tenant.deleted"
	ClientChanged        Kind = "client.changed"
	IssuerChanged        Kind = "issuer.changed"
	PolicyChanged        Kind = "policy.changed"
	SwitchesChanged      Kind = "switches.changed"
	ApprovalDecided      Kind = "approval.decided"
	KeysRotated          Kind = "keys.rotated"
	KMSKeyChanged        Kind = "keys.kms_key_changed"
	KeyRetired           Kind = "keys.retired"
	ViewChanged          Kind = "mcp_view.changed"
	WebhookChanged       Kind = "webhook.changed"
)

// Record is one audit row. It never holds a credential or a tool's input: inputs are identified by their SHA-256.
type Record struct {
	// ID is unique and sorts by time: "aud_" and 26 characters.
	ID     string    `json:"id"`
	Kind   Kind      `json:"kind"`
	Time   time.Time `json:"time"`
	Tenant tenant.ID `json:"tenant"`

	Principal string `json:"principal,omitempty"`
	// OnBehalfOf is the user for whom the tenant itself ("_org") acted.
	OnBehalfOf string   `json:"on_behalf_of,omitempty"`
	Connector  string   `json:"connector,omitempty"`
	Connection string   `json:"connection_id,omitempty"`
	Grant      string   `json:"grant_id,omitempty"`
	Scopes     []string `json:"scopes,omitempty"`
	// Webhook is the endpoint that a webhook.changed record is about.
	Webhook string `json:"webhook_id,omitempty"`
	// Generation is the token generation in force.
	Generation uint64 `json:"generation,omitempty"`

	Session string `json:"session_id,omitempty"`
	// Parents are the sessions that this one was narrowed from, nearest first.
	Parents   []string `json:"parent_session_ids,omitempty"`
	Agent     string   `json:"agent,omitempty"`
	Run       string   `json:"run_id,omitempty"`
	Execution string   `json:"execution_id,omitempty"`
	Tool      string   `json:"tool,omitempty"`
	Effect    string   `json:"effect,omitempty"`
	// InputSHA256 is the hex digest of the canonical input.
	InputSHA256 string `json:"input_sha256,omitempty"`

	// Outcome is "succeeded", "failed" or "unknown"; Code is the error code of a failure.
	Outcome string `json:"outcome,omitempty"`
	Code    string `json:"code,omitempty"`
	// Reason is why, in machine words.
	Reason         string `json:"reason,omitempty"`
	ProviderStatus int    `json:"provider_status,omitempty"`
	// DurationMS is how long the provider took for the answer that counts, in milliseconds; Attempts how often it was asked,
	// when that was more than once.
	DurationMS int64 `json:"duration_ms,omitempty"`
	Attempts   int   `json:"attempts,omitempty"`
	// Bytes is how much of the answer to a proxied request was handed on, of one that broke off also.
	Bytes int64 `json:"bytes,omitempty"`
	// Method and Path are those of a proxied request, the path without its query; a tool's name says as much.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Rule is what in the tenant's policy refused the call or wanted an approval; Approval and ApprovedBy are the approval that
	// it was made under.
	Rule       string `json:"rule,omitempty"`
	Approval   string `json:"approval_id,omitempty"`
	ApprovedBy string `json:"approved_by,omitempty"`
	// By is who caused it on the control plane: an API key id, "scim", "sweep"; for a narrowed session its parent's id.
	By string `json:"by,omitempty"`
	// VerifiedBy is how the principal of a new session was established: "api_key" (the back end's word), "oidc" (a token of
	// Issuer) or "session" (its parent).
	VerifiedBy string `json:"verified_by,omitempty"`
	Issuer     string `json:"issuer,omitempty"`
	// RequestID ties the record to the logs.
	RequestID string `json:"request_id,omitempty"`
	// Channel is how the agent called, View the view of MCP that it called through (or that was changed), Client what its software calls itself:
	// its own word (ClientName), on which nothing may rest.
	Channel Channel `json:"channel,omitempty"`
	View    string  `json:"mcp_view,omitempty"`
	Client  string  `json:"client,omitempty"`
	// ApprovalAsked is when the approval was asked for; on the one record by which a person was asked and on that of the
	// decision, not on those of calls that came while the answer was awaited.
	ApprovalAsked time.Time `json:"approval_requested_at,omitzero"`
	// Format is the format that the record was written in. Whoever writes records sets it (Stamp).
	Format int `json:"format,omitempty"`
}

// Format is the newest format of records. Fields are only added, each absent from the JSON while it is empty, so that the hash
// of a record is the same in every later version; adding one makes a new format, so that an older verifier can tell a record with
// fields that it does not know from one that was changed. Format 1 has channel, mcp_view, client and approval_requested_at.
const Format = 1

// Stamp is r as it is written now.
func (r Record) Stamp() Record {
	r.Format = Format
	return r
}

// Recorder makes records durable. Record returns only after the write is acknowledged; an error means that nothing may
// be done on the strength of the record.
type Recorder interface {
	Record(ctx context.Context, r Record) error
}
