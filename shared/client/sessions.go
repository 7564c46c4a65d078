package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// SessionRequest asks for a session token for one agent run.
type SessionRequest struct {
	Tenant string `json:"tenant"`
	// Principal is whom the agent acts for. It may be empty with a SubjectToken.
	Principal string `json:"principal,omitempty"`
	// OnBehalfOf is the user for whom the tenant itself acts, with Principal "_org": the session reaches only connections
	// whose access list holds that user. With a SubjectToken it may be empty: the token names the user.
	OnBehalfOf string `json:"on_behalf_of,omitempty"`
	// SubjectToken is a token of the tenant's issuer that names the user, in place of your word for it (RFC 8693).
	SubjectToken secret.Text `json:"-"`
	// SubjectTokenType is IDToken, AccessToken or JWT; empty is JWT.
	SubjectTokenType string `json:"subject_token_type,omitempty"`
	// Connectors and Tools limit the session; empty allows all that the principal has connected.
	Connectors []string `json:"connectors,omitempty"`
	Tools      []string `json:"tools,omitempty"`
	// Agent names the agent; RunID the run, for the audit trail.
	Agent string `json:"agent"`
	RunID string `json:"run_id,omitempty"`
	// TTLSeconds is 60 to 3600; zero asks for the default, 900.
	TTLSeconds int `json:"ttl_seconds,omitempty"`
}

// The types of SubjectToken (RFC 8693, section 3).
const (
	IDToken     = "urn:ietf:params:oauth:token-type:id_token"
	AccessToken = "urn:ietf:params:oauth:token-type:access_token"
	JWT         = "urn:ietf:params:oauth:token-type:jwt"
)

// NewSession is a session that was just made. Token is the credential: it cannot be read again.
type NewSession struct {
	ID        string `json:"session_id"`
	Tenant    string `json:"tenant"`
	Principal string `json:"principal"`
	// OnBehalfOf is empty unless it was asked for.
	OnBehalfOf string      `json:"on_behalf_of,omitempty"`
	ExpiresAt  time.Time   `json:"expires_at"`
	Token      secret.Text `json:"-"`
}

// CreateSession makes a session; fault.Revoked when the directory suspended the principal, fault.InvalidInput about
// /subject_token when the tenant's issuer did not make it for this user and audience.
func (c *Client) CreateSession(ctx context.Context, r SessionRequest) (NewSession, error) {
	return c.newSession(ctx, call{method: http.MethodPost, route: "/v1/sessions", body: struct {
		SessionRequest
		SubjectToken string `json:"subject_token,omitempty"`
	}{r, string(r.SubjectToken.Reveal(reveal.Key{}))}})
}

func (c *Client) newSession(ctx context.Context, k call) (NewSession, error) {
	var out struct {
		NewSession
		Token string `json:"token"`
	}
	err := c.do(ctx, k, &out)
	out.NewSession.Token = secret.FromString(out.Token)
	return out.NewSession, err
}

// EndSession ends a session, and all that were narrowed from it, before their time; fault.NotFound when it is not that
// principal's.
func (c *Client) EndSession(ctx context.Context, tenant, principal, session string) error {
	return c.do(ctx, call{method: http.MethodDelete, route: "/v1/sessions/{session}", params: []string{session}, query: with("tenant", tenant, "principal", principal)}, nil)
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

// NarrowRequest asks for a session of less. What is empty is inherited.
type NarrowRequest struct {
	// Connectors and Tools are some of the session's own.
	Connectors []string `json:"connectors,omitempty"`
	Tools      []string `json:"tools,omitempty"`
	// Agent names the sub-agent.
	Agent string `json:"agent"`
	RunID string `json:"run_id,omitempty"`
	// TTLSeconds is 60 to 3600, and not beyond the session's own end.
	TTLSeconds int `json:"ttl_seconds,omitempty"`
}

// Narrow makes a session of less from this one, for a sub-agent; fault.Forbidden names what would be more.
func (s *Session) Narrow(ctx context.Context, r NarrowRequest) (NewSession, error) {
	return s.c.newSession(ctx, call{method: http.MethodPost, route: "/v1/sessions/narrow", body: r, token: s.token})
}

// The formats of Tools.
const (
	MCP       = "mcp"
	OpenAI    = "openai"
	Anthropic = "anthropic"
	Gemini    = "gemini"
)

// Call is one tool call.
type Call struct {
	Tool string `json:"tool"`
	// Input is anything that encodes to a JSON object; nil is an empty one.
	Input any `json:"input,omitempty"`
	// Connection chooses among several accounts at one connector; empty when there is one.
	Connection string `json:"connection,omitempty"`
	// IdempotencyKey makes the call safe to repeat for 24 hours: same key, same answer. Give every write one.
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	// Cursor goes on where an earlier answer stopped; Input is then left out.
	Cursor string `json:"cursor,omitempty"`
	// Pages is how many pages of a list are joined, at most 10; zero is one. MaxBytes bounds the answer in bytes; zero is 1 MiB.
	Pages    int `json:"pages,omitempty"`
	MaxBytes int `json:"max_bytes,omitempty"`
}

// Execution is a tool call that succeeded.
type Execution struct {
	ID           string          `json:"execution_id"`
	ConnectionID string          `json:"connection_id"`
	GrantID      string          `json:"grant_id"`
	Data         json.RawMessage `json:"data"`
	// Cursor asks for the rest of a list; empty when there is none. Stopped says why there is a rest: pages, max_bytes, time,
	// or the code of the error that the next page met.
	Cursor  string `json:"cursor,omitempty"`
	Stopped string `json:"stopped,omitempty"`
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
