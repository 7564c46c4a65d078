package mcp_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

// The challenge of a view names the metadata of /mcp, since API Gateway's answers cannot vary by route. The official client must
// take it for the view's.
func TestDiscovery_OfAView_TheOfficialClientAcceptsIt(t *testing.T) {
	if os.Getenv("BEHALF_MCP_CONFORMANCE") != "1" {
		t.Skip("set BEHALF_MCP_CONFORMANCE=1 to ask the official TypeScript client (needs npm; installs into BEHALF_TEST_CACHE)")
	}
	t.Parallel()
	f := e2e.New(t)
	for path, own := range map[string]string{"/mcp": "/mcp", "/mcp/support": "/mcp/support"} {
		cmd := javascript(t, "discover.mjs")
		cmd.Stdin = strings.NewReader(`{"url":"` + f.URL + path + `"}`)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var got struct {
			Named, Found, Scope string
			Fits                bool
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		if got.Named != f.URL+"/mcp" || got.Found != f.URL+own || !got.Fits || got.Scope != "" {
			t.Errorf("%s: %+v", path, got)
		}
	}
}
