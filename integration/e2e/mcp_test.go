package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

// revisions runs a test in both revisions of MCP.
func revisions(t *testing.T, test func(t *testing.T, f *e2e.Fixture, as func(token string) e2e.RPC)) {
	t.Parallel()
	for _, rev := range []string{e2e.Revision2026, e2e.Revision2025} {
		t.Run(rev, func(t *testing.T) {
			t.Parallel()
			test(t, e2e.New(t), func(token string) e2e.RPC { return e2e.RPC{Token: token, Revision: rev} })
		})
	}
}

func TestMCP_WholeJourney_FromConnectFirstToRevoked(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		alice := as(f.Session(t, "acme", "user_alice", nil))
		if names := toolNames(t, f, alice); len(names) != 0 {
			t.Errorf("before anything is connected there are tools: %v", names)
		}
		res := f.CallMCP(t, alice, "github_get_authenticated_user", nil, nil)
		wantFailure(t, res, "connection_required", "POST "+f.URL+"/v1/connect-links", `"principal":"user_alice"`, "tell the user")

		id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
		if names := toolNames(t, f, alice); len(names) == 0 {
			t.Error("connected, and no tools")
		}
		res = f.CallMCP(t, alice, "github_get_authenticated_user", nil, nil)
		if res.IsError || res.Structured["login"] != "alice" || !strings.Contains(res.Text, `"alice"`) || res.Meta["behalf.dev/connection"] != id {
			t.Errorf("%+v", res)
		}
		outcomes := f.Audit(t, "acme", "kind=execution.outcome")
		if len(outcomes) != 1 || outcomes[0]["execution_id"] != res.Meta["behalf.dev/execution"] || outcomes[0]["agent"] != "e2e" {
			t.Errorf("the trail has %v", outcomes)
		}
		res = f.CallMCP(t, alice, "github_list_issues", object{"owner": "acme", "repo": 7}, nil)
		wantFailure(t, res, "invalid_input", "/input/repo", "correct the arguments")

		f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
		res = f.CallMCP(t, alice, "github_get_authenticated_user", nil, nil)
		wantFailure(t, res, "revoked", "/v1/connect-links", "access was taken away")
		if names := toolNames(t, f, alice); len(names) != 0 {
			t.Errorf("after the revocation there are tools: %v", names)
		}
	})
}

// wantFailure checks that the text alone, which is all that some frameworks show a model, says everything.
func wantFailure(t *testing.T, res e2e.ToolResult, code string, texts ...string) {
	t.Helper()
	if !res.IsError || res.Structured["code"] != code || !strings.HasPrefix(res.Text, code+": ") {
		t.Errorf("want the failure %s: %+v", code, res)
	}
	for _, s := range append(texts, "What to do: ") {
		if !strings.Contains(res.Text, s) {
			t.Errorf("the text does not say %q:\n%s", s, res.Text)
		}
	}
}

// toolNames follows all pages of tools/list.
func toolNames(t *testing.T, f *e2e.Fixture, r e2e.RPC) (names []string) {
	t.Helper()
	r.Method = "tools/list"
	for {
		res, _ := f.MCP(t, r).Want(t, 200).JSON["result"].(object)
		tools, ok := res["tools"].([]any)
		if !ok {
			t.Fatalf("no tools in %v", res)
		}
		for _, x := range tools {
			names = append(names, x.(object)["name"].(string))
		}
		next, _ := res["nextCursor"].(string)
		if next == "" {
			return names
		}
		r.Params = object{"cursor": next}
	}
}

func TestMCP_ScopeMissing_NamesTheScopesInText(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		f.Connect(t, "acme", "user_alice", "github", "alice", object{"scopes": []string{"read:user"}})
		alice := as(f.Session(t, "acme", "user_alice", nil))
		res := f.CallMCP(t, alice, "github_list_issues", object{"owner": "acme", "repo": "web"}, nil)
		wantFailure(t, res, "scope_missing", "Missing scopes: repo", "/v1/connect-links")
		for _, n := range toolNames(t, f, alice) {
			if n == "github_list_issues" {
				t.Error("a tool whose scope is missing is listed")
			}
		}
	})
}

func TestMCP_OtherPrincipalsConnection_IsOutOfReach(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		bobs := f.Connect(t, "acme", "user_bob", "github", "bob", nil)
		carols := f.Connect(t, "globex", "user_carol", "github", "carol", nil)
		alice := as(f.Session(t, "acme", "user_alice", nil))
		before := f.Counters(t, "github").APICalls
		for _, id := range []string{bobs, carols} {
			res := f.CallMCP(t, alice, "github_get_authenticated_user", nil, object{"behalf.dev/connection": id})
			wantFailure(t, res, "not_found")
		}
		wantFailure(t, f.CallMCP(t, alice, "github_get_authenticated_user", nil, nil), "connection_required")
		if got := f.Counters(t, "github").APICalls; got != before {
			t.Errorf("the provider was called %d times", got-before)
		}
	})
}

func TestMCP_IdempotencyKey_WritesOnce(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		f.Connect(t, "acme", "user_alice", "github", "alice", nil)
		alice := as(f.Session(t, "acme", "user_alice", nil))
		issue := func(title string) e2e.ToolResult {
			return f.CallMCP(t, alice, "github_create_issue", object{"owner": "alice", "repo": "notes", "title": title}, object{"behalf.dev/idempotency_key": "run-1/step-1"})
		}
		first, before := issue("once"), f.Counters(t, "github").APICalls
		if first.IsError {
			t.Fatalf("%+v", first)
		}
		again := issue("once")
		if again.Text != first.Text || again.Meta["behalf.dev/replayed"] != true || f.Counters(t, "github").APICalls != before {
			t.Errorf("the repetition answered %+v", again)
		}
		wantFailure(t, issue("something else"), "conflict", "key_reused")
		// A key that is no text must not be dropped.
		alice.Method, alice.Params = "tools/call", object{"name": "github_create_issue", "arguments": object{}, "_meta": object{"behalf.dev/idempotency_key": 7}}
		if a := f.MCP(t, alice); a.JSON["error"] == nil {
			t.Errorf("%s", a.Body)
		}
	})
}

func TestMCP_View_OnlyNarrows(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		f.Connect(t, "acme", "user_alice", "github", "alice", nil)
		view := "/v1/tenants/acme/mcp-views/support"
		f.Back(t, "PUT", view, object{"connectors": []string{"github"}, "effects": []string{"read"}}).Want(t, 201)
		alice := as(f.Session(t, "acme", "user_alice", object{"tools": []string{"github_get_authenticated_user", "github_create_issue"}}))
		alice.Path = "/mcp/support"
		if names := toolNames(t, f, alice); len(names) != 1 || names[0] != "github_get_authenticated_user" {
			t.Errorf("the view shows %v", names)
		}
		if res := f.CallMCP(t, alice, "github_get_authenticated_user", nil, nil); res.IsError {
			t.Errorf("%+v", res)
		}
		wantFailure(t, f.CallMCP(t, alice, "github_create_issue", object{"owner": "alice", "repo": "notes", "title": "x"}, nil), "forbidden", "outside_view")
		wantFailure(t, f.CallMCP(t, alice, "github_list_repositories", nil, nil), "forbidden", "outside_session") // a view grants nothing

		carol := as(f.Session(t, "globex", "user_carol", nil)) // another tenant has no such view
		carol.Path, carol.Method = "/mcp/support", "tools/list"
		f.MCP(t, carol).WantCode(t, "not_found")

		f.Back(t, "DELETE", view, nil).Want(t, 204)
		alice.Method = "tools/list"
		f.MCP(t, alice).WantCode(t, "not_found")
		f.Back(t, "PUT", view, object{"tools": []string{"github_create_issue"}}).Want(t, 201)
		if names := toolNames(t, f, alice); len(names) != 1 || names[0] != "github_create_issue" {
			t.Errorf("the view made anew shows %v", names)
		}
	})
}

func TestMCP_EndedSessionOrSuspendedPrincipal_IsRefused(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		f.Connect(t, "acme", "user_alice", "github", "alice", nil)
		s := f.Back(t, "POST", "/v1/sessions", object{"tenant": "acme", "principal": "user_alice", "agent": "e2e"}).Want(t, 201)
		alice := as(s.Text("token"))
		f.Back(t, "DELETE", "/v1/sessions/"+s.Text("session_id")+"?tenant=acme&principal=user_alice", nil).Want(t, 204)
		wantFailure(t, f.CallMCP(t, alice, "github_get_authenticated_user", nil, nil), "revoked", "session_revoked")
		alice.Method = "tools/list"
		if a := f.MCP(t, alice); !strings.Contains(a.Body, "session_revoked") || a.JSON["error"] == nil {
			t.Errorf("%s", a.Body)
		}
	})
}

func TestMCP_WithoutCredential_SaysWhereToReadOn(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	for _, c := range []struct {
		token string
		want  string
	}{
		{"", `Bearer resource_metadata="` + f.URL + `/.well-known/oauth-protected-resource/mcp"`},
		{"nonsense", `Bearer resource_metadata="` + f.URL + `/.well-known/oauth-protected-resource/mcp", error="invalid_token"`},
		{f.APIKey(), `Bearer resource_metadata="` + f.URL + `/.well-known/oauth-protected-resource/mcp", error="invalid_token"`},
	} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			a := f.Do(t, e2e.Request{Method: method, Path: "/mcp", Token: c.token}).Want(t, 401)
			if got := a.Header.Get("WWW-Authenticate"); got != c.want {
				t.Errorf("%s with %.8q: %s", method, c.token, got)
			}
		}
	}
	for path, resource := range map[string]string{"": "", "/mcp": "/mcp", "/mcp/support": "/mcp/support"} {
		a := f.Do(t, e2e.Request{Method: "GET", Path: "/.well-known/oauth-protected-resource" + path}).Want(t, 200)
		if a.Text("resource") != f.URL+resource {
			t.Errorf("%s: %s", path, a.Body)
		}
	}
}

func TestMCP_Transport_KeepsToTheRevisions(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	token := f.Session(t, "acme", "user_alice", nil)
	for _, method := range []string{"GET", "DELETE"} {
		a := f.Do(t, e2e.Request{Method: method, Path: "/mcp", Token: token}).Want(t, 405)
		if a.Header.Get("Allow") != "POST" {
			t.Errorf("%s: Allow %q", method, a.Header.Get("Allow"))
		}
	}
	accept := http.Header{"Accept": {"application/json, text/event-stream"}}
	post := func(body any, revision string, more http.Header) e2e.Answer {
		h := accept.Clone()
		h.Set("Mcp-Protocol-Version", revision)
		for k, v := range more {
			h[k] = v
		}
		return f.Do(t, e2e.Request{Method: "POST", Path: "/mcp", Token: token, Body: body, Header: h})
	}
	list := object{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
	for _, c := range []struct {
		name, revision string
		body           any
		header         http.Header
		status         int
	}{
		{"a batch", e2e.Revision2025, []any{list, list}, nil, 400},
		{"a batch", e2e.Revision2026, []any{list, list}, nil, 400},
		{"an unknown revision", "2025-01-01", list, nil, 400},
		{"a foreign Origin", e2e.Revision2025, list, http.Header{"Origin": {"https://evil.example"}}, 403},
		{"no Origin worth the name", e2e.Revision2025, list, http.Header{"Origin": {"null"}}, 403},
		{"its own Origin", e2e.Revision2025, list, http.Header{"Origin": {f.URL}}, 200},
		{"no metadata in 2026-07-28", e2e.Revision2026, list, nil, 400},
		{"not JSON", e2e.Revision2025, "{", nil, 400},
		{"another media type", e2e.Revision2025, list, http.Header{"Content-Type": {"text/plain"}}, 415},
	} {
		if a := post(c.body, c.revision, c.header); a.Status != c.status {
			t.Errorf("%s, %s: %d %.300s", c.name, c.revision, a.Status, a.Body)
		}
	}
	for rev, status := range map[string]int{e2e.Revision2026: 404, e2e.Revision2025: 200} {
		for _, method := range []string{"subscriptions/listen", "resources/list", "logging/setLevel"} {
			a := f.MCP(t, e2e.RPC{Token: token, Revision: rev, Method: method})
			if a.Status != status || !strings.Contains(a.Body, `"code":-32601`) {
				t.Errorf("%s %s: %d %.300s", rev, method, a.Status, a.Body)
			}
		}
	}
	f.MCP(t, e2e.RPC{Token: token, Revision: e2e.Revision2025, Method: "notifications/initialized"}).Want(t, 202)
}

func TestMCP_SeveralAccounts_TheModelCanChoose(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		first := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
		second := f.Connect(t, "acme", "user_alice", "github", "bob", nil)
		alice := as(f.Session(t, "acme", "user_alice", nil))
		list := alice
		list.Method = "tools/list"
		if a := f.MCP(t, list); !strings.Contains(a.Body, `"behalf_connection"`) || !strings.Contains(a.Body, second+" is bob") {
			t.Errorf("%.2000s", a.Body)
		}
		wantFailure(t, f.CallMCP(t, alice, "github_get_authenticated_user", nil, nil), "invalid_input", first, second, "behalf_connection")
		for id, login := range map[string]string{first: "alice", second: "bob"} {
			if res := f.CallMCP(t, alice, "github_get_authenticated_user", object{"behalf_connection": id}, nil); res.Structured["login"] != login {
				t.Errorf("%s: %+v", login, res)
			}
		}
	})
}

func TestMCP_LongList_IsNotCutSilently(t *testing.T) {
	revisions(t, func(t *testing.T, f *e2e.Fixture, as func(string) e2e.RPC) {
		f.Connect(t, "acme", "user_alice", "github", "alice", nil)
		alice := as(f.Session(t, "acme", "user_alice", nil))
		whole := f.CallMCP(t, alice, "github_list_repositories", object{"per_page": 100}, nil)
		all, _ := whole.Structured["result"].([]any)
		if len(all) < 2 || whole.Structured["behalf_cursor"] != nil {
			t.Fatalf("%+v", whole)
		}
		args, seen := object{"per_page": 1}, 0
		for {
			res := f.CallMCP(t, alice, "github_list_repositories", args, nil)
			page, _ := res.Structured["result"].([]any)
			seen += len(page)
			cursor, _ := res.Structured["behalf_cursor"].(string)
			if cursor == "" {
				break
			}
			if !strings.Contains(res.Text, "There is more") || !strings.Contains(res.Text, cursor) || res.Meta["behalf.dev/cursor"] != cursor || seen > len(all) {
				t.Fatalf("%+v", res)
			}
			args = object{"behalf_cursor": cursor}
		}
		if seen != len(all) {
			t.Errorf("%d of %d in pages", seen, len(all))
		}
	})
}
