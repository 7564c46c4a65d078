package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/secret"
)

// SessionRequest asks for a session token for one agent run.
type SessionRequest struct {
	Tenant    string `json:"tenant"`
	Principal string `json:"principal"`
	// Connectors and Tools limit the session; empty allows all that the principal has connected.
	Connectors []string `json:"connectors,omitempty"`
	Tools      []string `json:"tools,omitempty"`
	// Agent names the agent; RunID the run, for the audit trail.
	Agent string `json:"agent"`
	RunID string `json:"run_id,omitempty"`
	// TTLSeconds is 60 to 3600; zero asks for the default, 900.
	TTLSeconds int `json:"ttl_seconds,omitempty"`
}

// NewSession is a session that was just made. Token is the credential: it cannot be read again.
type NewSession struct {
	ID        string      `json:"session_id"`
	Tenant    string      `json:"tenant"`
	Principal string      `json:"principal"`
	ExpiresAt time.Time   `json:"expires_at"`
	Token     secret.Text `json:"-"`
}

// CreateSession makes a session; fault.Revoked when the directory suspended the principal.
func (c *Client) CreateSession(ctx context.Context, r SessionRequest) (NewSession, error) {
	var out struct {
		NewSession
		Token string `json:"token"`
	}
	err := c.do(ctx, call{method: http.MethodPost, route: "/v1/sessions", body: r}, &out)
	out.NewSession.Token = secret.FromString(out.Token)
	return out.NewSession, err
}

// Session is the agent's view of the API: it acts for the principal of its token and nobody else.
type Session struct {
	c     *Client
	token secret.Text
}

// Session returns the agent's view under a session token. The Client needs no API key for it: in an agent's process
// there should be none.
func (c *Client) Session(token secret.Text) *Session {
	own := *c
	own.key = secret.Text{} // an empty token must not fall back to the API key
	return &Session{&own, token}
}

// The formats of Tools.
const (
	MCP       = "mcp"
	OpenAI    = "openai"
	Anthropic = "anthropic"
	Gemini    = "gemini"
)

// Tools lists what the session may call now, each in the shape that format names (MCP when empty). query keeps tools
// that hold all of its words; empty keeps all.
func (s *Session) Tools(ctx context.Context, format, query string) ([]json.RawMessage, error) {
	out, err := get[struct {
		Tools []json.RawMessage `json:"tools"`
	}](ctx, s.c, call{method: http.MethodGet, route: "/v1/tools", query: with("format", format, "q", query), token: s.token})
	return out.Tools, err
}

// Call is one tool call.
type Call struct {
	Tool string `json:"tool"`
	// Input is anything that encodes to a JSON object; nil is an empty one.
	Input any `json:"input,omitempty"`
	// Connection chooses among several accounts at one connector; empty when there is one.
	Connection string `json:"connection,omitempty"`
	// IdempotencyKey makes the call safe to repeat for 24 hours: same key, same answer. Give every write one.
	IdempotencyKey string `json:"idempotency_key,omitempty"`
}

// Execution is a tool call that succeeded.
type Execution struct {
	ID           string          `json:"execution_id"`
	ConnectionID string          `json:"connection_id"`
	GrantID      string          `json:"grant_id"`
	Data         json.RawMessage `json:"data"`
	// Replayed tells that this is the answer of an earlier call with the same idempotency key.
	Replayed bool `json:"-"`
}

// Execute runs a tool. fault.OutcomeUnknown: a write may or may not have happened; repeat it only with the same
// idempotency key. ConnectRequest tells how a person repairs a missing or dead connection.
func (s *Session) Execute(ctx context.Context, x Call) (Execution, error) {
	k := call{method: http.MethodPost, route: "/v1/execute", body: x, token: s.token}
	a, err := s.c.send(ctx, k)
	if err != nil {
		return Execution{}, err
	}
	var out Execution
	err = decode(k, a, &out)
	out.Replayed = a.header.Get("Idempotent-Replayed") == "true"
	return out, err
}
