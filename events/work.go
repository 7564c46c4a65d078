package events

import (
	"encoding/json"
	"time"
)

// Ref names a connection in messages between functions; whoever receives one reads the connection again.
type Ref struct {
	Tenant     string `json:"tenant"`
	Principal  string `json:"principal"`
	Connector  string `json:"connector"`
	Connection string `json:"connection_id"`
}

// RefreshCall is the payload of the refresh function: a sweep, or one connection on demand.
type RefreshCall struct {
	// Sweep looks for what is due.
	Sweep bool `json:"sweep,omitempty"`
	// Connection refreshes one, and answers with a RefreshAnswer.
	Connection *Ref   `json:"connection,omitempty"`
	Rejected   uint64 `json:"rejected,omitempty"`
	Force      bool   `json:"force,omitempty"`
	// WaitMS is how long a follower waits for somebody else's refresh, in milliseconds.
	WaitMS int64  `json:"wait_ms,omitempty"`
	By     string `json:"by,omitempty"`
	// Due lists what is due, and answers with a DueAnswer.
	Due *DueQuery `json:"due,omitempty"`
}

// DueQuery asks for one page of the connections that are due now or will be within a while.
type DueQuery struct {
	WithinMS int64 `json:"within_ms,omitempty"`
	Limit    int   `json:"limit"`
	// After is the Next of the page before; empty begins.
	After string `json:"after,omitempty"`
}

// DueAnswer is the page: the longest overdue first, over all tenants. Next is empty at the end.
type DueAnswer struct {
	Due   []DueRef `json:"due"`
	Next  string   `json:"next,omitempty"`
	Error *Failure `json:"error,omitempty"`
}

// DueRef is a connection that is due, and since when.
type DueRef struct {
	Ref
	At time.Time `json:"at"`
}

// RefreshAnswer says how a refresh ended; it never holds a token.
type RefreshAnswer struct {
	Status       string    `json:"status"`
	Generation   uint64    `json:"generation"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"`
	Reason       string    `json:"reason,omitempty"`
	RetryAfterMS int64     `json:"retry_after_ms,omitempty"`
	// Error is set when our side failed.
	Error *Failure `json:"error,omitempty"`
}

// Failure carries a classified error across a function border; the cause stays in the logs of the function it came from.
type Failure struct {
	Code         string `json:"code"`
	Message      string `json:"message"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
}

// RefreshWork is a message on the refresh queue: up to 25 connections of one tenant, or tokens to bring home.
type RefreshWork struct {
	Connections []Ref       `json:"connections,omitempty"`
	Rescue      *RescueWork `json:"rescue,omitempty"`
}

// RescueWork is a refresh whose tokens the store did not take. They are sealed as they would be stored, bound to the
// connection and the generation: whoever reads the queue can do nothing with them.
type RescueWork struct {
	Connection       Ref               `json:"connection"`
	Generation       uint64            `json:"generation"`
	Fence            uint64            `json:"fence"`
	Access           []byte            `json:"access"`
	Refresh          []byte            `json:"refresh,omitempty"`
	ExpiresAt        time.Time         `json:"expires_at,omitzero"`
	RefreshExpiresAt time.Time         `json:"refresh_expires_at,omitzero"`
	Scopes           []string          `json:"scopes,omitempty"`
	Metadata         map[string]string `json:"metadata,omitempty"`
	Rotated          bool              `json:"rotated,omitempty"`
	Incomplete       string            `json:"incomplete,omitempty"`
	// Attempt counts how often bringing them home failed.
	Attempt int `json:"attempt,omitempty"`
}

// RevokeWork is a message on the revoke queue, and the payload of a direct call.
type RevokeWork struct {
	Connection Ref    `json:"connection"`
	By         string `json:"by,omitempty"`
	// Announced tells that connection.revoked was published; otherwise whoever takes the message publishes it first.
	Announced bool `json:"announced,omitempty"`
}

// RevokeAnswer is what a direct call of the revoke function reports.
type RevokeAnswer struct {
	Provider string   `json:"provider"`
	Answer   string   `json:"answer,omitempty"`
	Attempts int      `json:"attempts"`
	Erased   bool     `json:"erased"`
	Error    *Failure `json:"error,omitempty"`
}

// WebhookWork is a message on the webhook queue: one event on its way to one endpoint. It holds no secret: whoever works on it
// reads the endpoint and opens its secret then.
type WebhookWork struct {
	// Owner is the tenant whose endpoint it is, or "_deployment".
	Owner    string `json:"owner"`
	Endpoint string `json:"endpoint_id"`
	// Message is the webhook-id, the same on every try.
	Message string    `json:"message_id"`
	Type    Type      `json:"type"`
	Time    time.Time `json:"time"`
	// Data is the event's detail as it was published.
	Data json.RawMessage `json:"data"`
	// Since is when the first try was due; the retries follow from it.
	Since time.Time `json:"since"`
}
