package connection

import (
	"regexp"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// ID names a connection: "conn_" and 26 characters that sort by creation time.
type ID string

// GrantID names a grant: "grant_" and 26 characters.
type GrantID string

var idGrammar = regexp.MustCompile(`^conn_[0-9a-hjkmnp-tv-z]{26}$`)

// ParseID checks an id that came from outside. It returns fault.InvalidInput about field otherwise.
func ParseID(field, s string) (ID, error) {
	if !idGrammar.MatchString(s) {
		return "", fault.Invalid(field, "%q is not a connection id; they look like conn_01j9…", clip(s))
	}
	return ID(s), nil
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// Ref locates a connection: whose it is, at which connector, which one.
type Ref struct {
	tenant.Scope
	Connector string
	ID        ID
}

// Due is a connection that wants attention, as the index of due connections knows it, and since when, to the second.
type Due struct {
	Ref
	At time.Time
}

// Status is where a connection stands in the one state machine.
type Status string

// The statuses. See the package comment for the moves between them.
const (
	Pending                 Status = "pending"
	Active                  Status = "active"
	Paused                  Status = "paused"
	ReauthorizationRequired Status = "reauthorization_required"
	Revoked                 Status = "revoked"
)

// Statuses lists the closed set, for filters and documents.
func Statuses() []Status {
	return []Status{Pending, Active, Paused, ReauthorizationRequired, Revoked}
}

// Account is who the provider says the credential belongs to.
type Account struct {
	ID         string `json:"id,omitempty"`
	Login      string `json:"login,omitempty"`
	Name       string `json:"name,omitempty"`
	Email      string `json:"email,omitempty"`
	TenantID   string `json:"tenant_id,omitempty"`
	TenantName string `json:"tenant_name,omitempty"`
}

// Same reports that a and b are one account: the same id, in the same tenant of the provider where both name one. Some
// providers give a person one id across workspaces.
func (a Account) Same(b Account) bool {
	return a.ID == b.ID && (a.TenantID == "" || b.TenantID == "" || a.TenantID == b.TenantID)
}

// Connection is everything about a connection but its secrets.
type Connection struct {
	Ref
	// Version is the store's: it grows with each write and makes writes conditional.
	Version uint64
	Status  Status
	// Reason says why the status is not active ("revoked_by_provider", "scim_deprovisioned").
	Reason string
	// Account is the provider's account, empty until the first grant.
	Account Account
	// Scopes are in force now, as the provider stated them.
	Scopes []string
	// Metadata are non-secret facts from the provider that requests need ("instance_url").
	Metadata map[string]string
	// Access is who an organization's connection may be used on behalf of. Connections of users have none.
	Access Access `json:",omitzero"`
	// Grant is the authorisation in force.
	Grant GrantID
	// Main and TokenSet are set of a part: it holds a further token of the connection Main, under the name that the connector
	// gives it, with a lease and a refresh of its own. Parts are never shown, named or chosen; they end with their main.
	Main     ID     `json:",omitempty"`
	TokenSet string `json:",omitempty"`
	// TokenSets are the names of a main connection's parts.
	TokenSets []string `json:",omitempty"`
	// Choosing tells that tokens of a pending connection wait in its next slot for a person's choice.
	Choosing bool `json:",omitempty"`
	// ClientOwner is the tenant whose OAuth client was used: the tenant itself or tenant.Deployment; empty when the
	// credential is the account's own and no client stands between.
	ClientOwner tenant.ID
	// ExpiresAt is when the access token dies; zero means the provider did not say.
	ExpiresAt time.Time
	// RefreshExpiresAt is when the refresh token dies by itself; zero means unknown.
	RefreshExpiresAt time.Time
	// PendingUntil is when a pending connection is dropped; zero otherwise.
	PendingUntil time.Time
	// Created, Updated are bookkeeping; RefreshedAt is when the current generation was stored.
	Created, Updated, RefreshedAt time.Time
	// Refresh is the state of the refresh machinery.
	Refresh RefreshState
	// Revocation tells what the provider answered, once Status is Revoked.
	Revocation Revocation
}

// RefreshState belongs to package refresh; it is stored with the connection because lease, generation and status must
// change in one conditional write.
type RefreshState struct {
	// Generation counts stored token sets from 1; generation g lives in slot g mod 2.
	Generation uint64
	// Fence grows with each lease; a write under an older fence is refused.
	Fence uint64
	// LeaseOwner and LeaseUntil say who may refresh now.
	LeaseOwner string
	LeaseUntil time.Time
	// Followed is the fence of the last lease behind which somebody else queued another look.
	Followed uint64 `json:",omitempty"`
	// IntentGeneration is set just before the provider is called, for providers that never forgive a repeated refresh:
	// it tells a crash before sending from one after.
	IntentGeneration uint64
	IntentAt         time.Time
	// Fails counts failures in a row; NextTry is the earliest next attempt.
	Fails   int
	NextTry time.Time
	// LastError is the last of these failures, in machine words: what the answer meant and the provider's code
	// ("transient: http_503"), or "internal" when our side failed. Empty once tokens came.
	LastError string
	// Rotates is what the provider was seen to do: it answered a refresh with a new refresh token.
	Rotates bool
	// DueAt is when the sweep should look at the connection; zero keeps it out of the index.
	DueAt time.Time
	// UsedAt is when somebody was last seen to need a token; zero until the first refresh after a consent.
	UsedAt time.Time
}

// Slot is one generation of sealed tokens.
type Slot struct {
	Generation uint64
	Fence      uint64
	// Access and Refresh are sealed; Refresh is nil when the provider gave none.
	Access, Refresh []byte
	// Facts came with the tokens. They are stored beside them, so that a refresh whose process died before the flip can
	// be rolled forward without asking the provider again.
	Facts TokenFacts
}

// StoredSlot is a slot and whose it is.
type StoredSlot struct {
	Ref  Ref
	Slot Slot
}

// TokenFacts is what a token response said besides the tokens.
type TokenFacts struct {
	// ExpiresAt and RefreshExpiresAt are zero when unknown.
	ExpiresAt, RefreshExpiresAt time.Time
	// Scopes is nil when the provider did not repeat them: they are unchanged then (RFC 6749, section 5.1).
	Scopes   []string
	Metadata map[string]string
	// Incomplete says why the access token is not of use yet, although the refresh token is: a step behind it failed.
	Incomplete string `json:",omitempty"`
	// Rotated tells that the provider gave a new refresh token.
	Rotated bool
}

// Revocation is the report of telling the provider.
type Revocation struct {
	// At is when the revocation was accepted here: no execution starts after it.
	At time.Time
	// Provider is "revoked", "unsupported", "failed", "pending" or "nothing_to_revoke".
	Provider string
	// Answer is what the provider said, without secrets; Attempts counts the calls.
	Answer   string
	Attempts int
	// Erased tells that the sealed tokens are gone.
	Erased bool
}

// Grant is the immutable record of one authorisation.
type Grant struct {
	ID         GrantID
	Connection ID
	// ConfirmedBy is how we know who consented ("saas_confirm", "import").
	ConfirmedBy string
	// Link is the connect link that led here.
	Link            string
	ScopesRequested []string
	ScopesGranted   []string
	Account         Account
	ClientOwner     tenant.ID
	ClientID        string
	At              time.Time
}

// Usable reports whether the access token still lives at now. A token without a stated expiry is taken as alive: the
// provider's answer decides.
func (c Connection) Usable(now time.Time) bool {
	return c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt)
}

// Live reports that the connection may still matter: not revoked, and not a pending one whose link has expired.
func (c Connection) Live(now time.Time) bool {
	return c.Status != Revoked && (c.Status != Pending || now.Before(c.PendingUntil))
}
