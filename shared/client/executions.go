package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret/reveal"
)

// BatchResult is one call's answer in a batch: Err is nil or a *fault.Error.
type BatchResult struct {
	Execution
	Err error
}

// ExecuteBatch runs up to 20 calls side by side, in no order. Each stands alone; the results are at the places of their
// calls. The error is that of the batch as a whole.
func (s *Session) ExecuteBatch(ctx context.Context, calls []Call) ([]BatchResult, error) {
	k := call{method: http.MethodPost, route: "/v1/execute/batch", body: map[string]any{"calls": calls}, token: s.token}
	in, err := get[struct {
		Results []struct {
			Result   *Execution      `json:"result"`
			Replayed bool            `json:"replayed"`
			Error    json.RawMessage `json:"error"`
		} `json:"results"`
	}](ctx, s.c, k)
	if err != nil {
		return nil, err
	}
	out := make([]BatchResult, len(in.Results))
	for i, r := range in.Results {
		switch {
		case r.Result != nil:
			out[i].Execution = *r.Result
			out[i].Replayed = r.Replayed
		default:
			out[i].Err = refusal(k, answer{header: http.Header{"Content-Type": {fault.ContentType}}, body: r.Error}, s.c.now())
		}
	}
	return out, nil
}

// ExecutionRecord is what is on record about an execution. The provider's answer is not.
type ExecutionRecord struct {
	ID string `json:"execution_id"`
	// State is refused, in_flight, succeeded, failed or unknown.
	State        string `json:"state"`
	Tool         string `json:"tool,omitempty"`
	Effect       string `json:"effect,omitempty"`
	Connector    string `json:"connector,omitempty"`
	ConnectionID string `json:"connection_id,omitempty"`
	GrantID      string `json:"grant_id,omitempty"`
	SessionID    string `json:"session_id"`
	Agent        string `json:"agent,omitempty"`
	RunID        string `json:"run_id,omitempty"`
	InputSHA256  string `json:"input_sha256,omitempty"`
	// Channel is how the agent called: http, batch, proxy or mcp.
	Channel string `json:"channel,omitempty"`
	// Method and Path are those of a proxied request.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Attempts is how often the provider was asked, when that was more than once.
	Attempts       int   `json:"attempts,omitempty"`
	ProviderStatus int   `json:"provider_status,omitempty"`
	DurationMS     int64 `json:"duration_ms,omitempty"`
	// Bytes is how much of the answer to a proxied request was handed on, also of one that broke off.
	Bytes int64 `json:"bytes,omitempty"`
	// EndedAt is zero while the end is not known.
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// Execution looks up how an execution of the session's principal ended, after its answer was lost; fault.NotFound.
func (s *Session) Execution(ctx context.Context, id string) (ExecutionRecord, error) {
	return get[ExecutionRecord](ctx, s.c, call{method: http.MethodGet, route: "/v1/executions/{execution}", params: []string{id}, token: s.token})
}

// Transport sends requests to a connector's API through Behalf, under the session's principal: give it to the provider's
// own SDK as the transport of its http.Client, with any credential. Path and query of each request go below the
// connector's API base; its host does not count. An answer with the header Behalf-Provider-Status is the provider's; the
// others are returned as errors (*fault.Error).
func (s *Session) Transport(connector string) http.RoundTripper { return &proxied{s, connector} }

type proxied struct {
	s         *Session
	connector string
}

// RoundTrip implements http.RoundTripper.
func (p *proxied) RoundTrip(r *http.Request) (*http.Response, error) {
	k := call{method: r.Method, route: "/v1/proxy/{connector}/{path}"}
	if p.s.token.IsZero() {
		return nil, fault.New(fault.Unauthenticated, "%s needs a session token", k.name())
	}
	u, err := url.Parse(p.s.c.base + "/v1/proxy/" + url.PathEscape(p.connector) + "/" + strings.TrimPrefix(r.URL.EscapedPath(), "/"))
	if err != nil {
		return nil, errors.New("client: the request's path cannot be passed on")
	}
	u.RawQuery = r.URL.RawQuery
	out := r.Clone(r.Context())
	out.URL, out.Host, out.RequestURI = u, "", ""
	out.Header.Set("Authorization", "Bearer "+string(p.s.token.Reveal(reveal.Key{})))
	res, err := p.s.c.http.Do(out)
	if err != nil {
		return nil, unanswered(k, true, err)
	}
	if res.Header.Get("Behalf-Provider-Status") != "" {
		return res, nil
	}
	a, err := readAnswer(k, res)
	if err != nil {
		return nil, err
	}
	return nil, refusal(k, a, p.s.c.now())
}
