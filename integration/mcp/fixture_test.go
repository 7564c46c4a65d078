package mcp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/env"
)

// withFixtures is a stack with the connector of testdata beside the shipped ones, connected for user_alice. A deployment never has
// it: it is there so that scenarios of the suite run through the whole stack which look for tools of certain names.
func withFixtures(t *testing.T) *e2e.Fixture {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"id":"alice"}`) })
	mux.HandleFunc("GET /simple-text", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"text":"This is a simple text response for testing."}`)
	})
	mux.HandleFunc("GET /error", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = fmt.Fprint(w, `{"code":"on_purpose","message":"This tool intentionally returns an error for testing"}`)
	})
	provider := httptest.NewServer(mux)
	t.Cleanup(provider.Close)
	f := e2e.Start(t, e2e.Options{Connectors: "testdata/connectors", Getenv: func(name string) string {
		if name == env.ConnectorHosts {
			return fmt.Sprintf(`{"test":{"api":%q}}`, provider.URL)
		}
		return ""
	}})
	f.Confirm(t, f.Filled(t, "acme", "user_alice", "test", map[string]string{"api_key": "k_alicealicealicealicealicealice"}, nil), "user_alice").Want(t, 200)
	return f
}
