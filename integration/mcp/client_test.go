package mcp_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"behalf.dev/behalf/integration/e2e"
)

// bearer adds a session token, as an agent framework is told to.
type bearer string

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

func connect(t *testing.T, url, token, revision string) *sdk.ClientSession {
	t.Helper()
	c := sdk.NewClient(&sdk.Implementation{Name: "agent", Version: "1"}, nil)
	s, err := c.Connect(t.Context(), &sdk.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: bearer(token)}}, &sdk.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// The official client, as a framework uses it: connect, list, call, read a failure.
func TestClient_OfTheOfficialSDK_ListsAndCalls(t *testing.T) {
	t.Parallel()
	for _, revision := range []string{e2e.Revision2026, e2e.Revision2025} {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			f.Connect(t, "acme", "user_alice", "github", "alice", nil)
			s := connect(t, f.URL+"/mcp", f.Session(t, "acme", "user_alice", nil), revision)
			if got := s.InitializeResult().ProtocolVersion; got != revision {
				t.Errorf("they agreed on %s", got)
			}
			byName := map[string]*sdk.Tool{}
			for tool, err := range s.Tools(t.Context(), nil) {
				if err != nil {
					t.Fatal(err)
				}
				byName[tool.Name] = tool
			}
			list, create := byName["github_list_issues"], byName["github_create_issue"]
			if list == nil || create == nil || !list.Annotations.ReadOnlyHint || create.Annotations.ReadOnlyHint || *create.Annotations.DestructiveHint || create.Annotations.IdempotentHint || !*create.Annotations.OpenWorldHint {
				t.Fatalf("the tools are %v", byName)
			}
			res, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "github_get_authenticated_user"})
			if err != nil || res.IsError {
				t.Fatalf("%+v %v", res, err)
			}
			var fromText, structured map[string]any
			b, _ := json.Marshal(res.StructuredContent)
			if json.Unmarshal([]byte(res.Content[0].(*sdk.TextContent).Text), &fromText) != nil || json.Unmarshal(b, &structured) != nil || fromText["login"] != "alice" || structured["login"] != "alice" {
				t.Errorf("text %v, structured %v", fromText, structured)
			}
			res, err = s.CallTool(t.Context(), &sdk.CallToolParams{Name: "slack_auth_test"})
			if err != nil || !res.IsError || !strings.Contains(res.Content[0].(*sdk.TextContent).Text, "/v1/connect-links") {
				t.Errorf("%+v %v", res, err)
			}
			if _, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "nosuch_tool"}); err == nil || !strings.Contains(err.Error(), "nosuch") {
				t.Errorf("an unknown tool: %v", err)
			}
		})
	}
}

func TestClient_WithABadToken_IsTurnedAway(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	c := sdk.NewClient(&sdk.Implementation{Name: "agent", Version: "1"}, nil)
	if _, err := c.Connect(t.Context(), &sdk.StreamableClientTransport{Endpoint: f.URL + "/mcp", HTTPClient: &http.Client{Transport: bearer("nonsense")}}, nil); err == nil || !strings.Contains(strings.ToLower(err.Error()), "unauthorized") {
		t.Errorf("%v", err)
	}
}
