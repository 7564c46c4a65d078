package cli_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"behalf.dev/behalf/cmd/behalf/cli"
	"behalf.dev/behalf/integration/e2e"
)

func behalf(t *testing.T, f *e2e.Fixture, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := map[string]string{"BEHALF_URL": f.URL, "BEHALF_API_KEY": f.APIKey()}
	code = cli.Run(t.Context(), args, &out, &errs, func(name string) string { return env[name] })
	return code, out.String(), errs.String()
}

func TestViews_PutListDelete_OfATenantAndOfAll(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	for _, args := range [][]string{{"views", "put", "support", "--effect", "read"}, {"views", "put", "support", "--tenant", "acme", "--connector", "github,slack"}} {
		if code, out, errs := behalf(t, f, args...); code != 0 || !strings.Contains(out, `"name": "support"`) {
			t.Fatalf("%v: %d %s%s", args, code, out, errs)
		}
	}
	for tenant, want := range map[string]string{"": "any read", "acme": "github,slack any any"} {
		code, out, _ := behalf(t, f, "views", "list", "--tenant", tenant)
		if got := strings.Join(strings.Fields(out), " "); code != 0 || !strings.Contains(got, "support ") || !strings.HasSuffix(got, want) {
			t.Errorf("%q: %d %s", tenant, code, out)
		}
		if code, _, errs := behalf(t, f, "views", "delete", "support", "--tenant", tenant); code != 0 {
			t.Errorf("%q: %s", tenant, errs)
		}
		if code, _, errs := behalf(t, f, "views", "delete", "support", "--tenant", tenant); code != 1 || !strings.Contains(errs, "no view") {
			t.Errorf("%q again: %d %s", tenant, code, errs)
		}
	}
	if code, _, _ := behalf(t, f, "views", "put"); code != 2 {
		t.Errorf("without a name: %d", code)
	}
}

func TestAuditList_SaysHowTheAgentCalled(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Back(t, "PUT", "/v1/mcp-views/support", e2e.Object{"effects": []string{"read"}}).Want(t, 201)
	session := f.Session(t, "acme", "user_alice", nil)
	f.CallMCP(t, e2e.RPC{Token: session, Path: "/mcp/support", Revision: e2e.Revision2026}, "github_get_authenticated_user", nil, nil)
	code, out, errs := behalf(t, f, "audit", "list", "acme", "--kind", "execution.outcome")
	if got := strings.Join(strings.Fields(out), " "); code != 0 || !strings.Contains(got, "execution.outcome user_alice e2e mcp/support e2e/1 github_get_authenticated_user succeeded") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	code, out, _ = behalf(t, f, "audit", "list", "acme", "--limit", "1", "--json")
	var one map[string]any
	if err := json.Unmarshal([]byte(out), &one); code != 0 || err != nil || one["channel"] != "mcp" {
		t.Errorf("%d %s", code, out)
	}
	if code, _, _ := behalf(t, f, "audit", "list"); code != 2 {
		t.Errorf("without a tenant: %d", code)
	}
}
