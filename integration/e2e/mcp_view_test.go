package e2e_test

import (
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

// A view of the deployment is every tenant's, until the tenant has one of that name; neither grants anything.
func TestMCPViews_OfTheDeployment_TheTenantsOwnWins(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		f.Connect(t, "acme", "user_alice", "github", "alice", nil)
		f.Connect(t, "globex", "user_carol", "github", "carol", nil)
		alice, carol := as(f.Session(t, "acme", "user_alice", nil)), as(f.Session(t, "globex", "user_carol", nil))
		alice.Path, carol.Path = "/mcp/support-read", "/mcp/support-read"
		const all, own = "/v1/mcp-views/support-read", "/v1/tenants/acme/mcp-views/support-read"
		f.Back(t, "GET", all, nil).WantCode(t, "not_found")
		f.Back(t, "PUT", all, object{"tools": []string{"github_get_authenticated_user"}}).Want(t, 201)
		if l := f.Back(t, "GET", "/v1/mcp-views", nil).Want(t, 200).List("views"); len(l) != 1 || l[0]["name"] != "support-read" {
			t.Errorf("%v", l)
		}
		for name, r := range map[string]e2e.RPC{"acme": alice, "globex": carol} {
			if names := toolNames(t, f, r); len(names) != 1 || names[0] != "github_get_authenticated_user" {
				t.Errorf("%s sees %v", name, names)
			}
			wantFailure(t, f.CallMCP(t, r, "github_create_issue", issue("x"), nil), "forbidden", "outside_view")
		}
		f.Back(t, "GET", own, nil).WantCode(t, "not_found") // the deployment's is not the tenant's

		f.Back(t, "PUT", own, object{"tools": []string{"github_create_issue"}}).Want(t, 201)
		if a, c := toolNames(t, f, alice), toolNames(t, f, carol); len(a) != 1 || a[0] != "github_create_issue" || len(c) != 1 || c[0] != "github_get_authenticated_user" {
			t.Errorf("acme has its own and sees %v, globex sees %v", a, c)
		}
		narrow := as(f.Session(t, "acme", "user_alice", object{"tools": []string{"github_get_authenticated_user"}}))
		narrow.Path = alice.Path
		wantFailure(t, f.CallMCP(t, narrow, "github_create_issue", issue("x"), nil), "forbidden", "outside_session")

		f.Back(t, "DELETE", own, nil).Want(t, 204) // and the deployment's is back
		if names := toolNames(t, f, alice); len(names) != 1 || names[0] != "github_get_authenticated_user" {
			t.Errorf("%v", names)
		}
		f.Back(t, "DELETE", all, nil).Want(t, 204)
		alice.Method = "tools/list"
		f.MCP(t, alice).WantCode(t, "not_found")
	})
}

func TestMCPViews_OfTheDeployment_AreNotForKeysOfOneTenant(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Session(t, "acme", "user_alice", nil)
	f.Back(t, "PUT", "/v1/mcp-views/all", object{"effects": []string{"read"}}).Want(t, 201)
	key := f.Back(t, "POST", "/v1/api-keys", object{"name": "one tenant", "tenant": "acme", "permissions": []string{"*"}}).Want(t, 201).Text("key")
	for _, r := range []e2e.Request{{Method: "GET", Path: "/v1/mcp-views"}, {Method: "GET", Path: "/v1/mcp-views/all"}, {Method: "DELETE", Path: "/v1/mcp-views/all"},
		{Method: "PUT", Path: "/v1/mcp-views/all", Body: object{"effects": []string{"write"}}}, {Method: "PUT", Path: "/v1/tenants/_deployment/mcp-views/all", Body: object{"effects": []string{"write"}}}} {
		r.Token = key
		if a := f.Do(t, r); a.Status != 403 && a.Status != 400 {
			t.Errorf("%s %s: %d %s", r.Method, r.Path, a.Status, a.Body)
		}
	}
	f.Back(t, "PUT", "/v1/mcp-views/none", object{}).WantCode(t, "invalid_input")
	f.Back(t, "PUT", "/v1/mcp-views/No", object{"effects": []string{"read"}}).WantCode(t, "invalid_input")
}
