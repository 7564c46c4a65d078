package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// method is one method of the client. member is which member of the answer it returns, empty for all of it; drop are
// members that it leaves out on purpose.
type method struct {
	route, member string
	drop          []string
	call          func(context.Context, *client.Client) (any, error)
}

const conn = "conn_01kaqz3v9x7m2c4d5e6f8g9hjk"

func none(err error) (any, error) { return nil, err }

func methods() []method {
	type ctx = context.Context
	type cl = *client.Client
	when := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	text := secret.FromString("provider-secret")
	app := client.OAuthClientSettings{ClientID: "id", ClientSecret: text, PrivateKey: text, Params: map[string]string{"subdomain": "acme"}}
	page := client.Page{Limit: 7, Cursor: "next"}
	link := client.ConnectLinkRequest{Tenant: "acme", Principal: "user_alice", Connector: "github", Scopes: []string{"repo"}, Connection: conn, ReturnURL: "https://app.example.com/done"}
	run := client.SessionRequest{Tenant: "acme", Principal: "user_alice", Connectors: []string{"github"}, Tools: []string{"github_list_issues"}, Agent: "triage-bot", RunID: "run-42", TTLSeconds: 600}
	rules := policy.Document{Default: "deny", Rules: []policy.Rule{{ID: "r", Effect: policy.EffectAllow, When: policy.When{Connectors: []string{"github"}, Tools: []string{"github_*"}, Effects: []string{"read"}, Agents: []string{"a"}, Principals: []string{"p"}, Groups: []string{"g"}}, Reason: "why"}},
		Budgets: []policy.Budget{{ID: "b", Per: policy.PerTenant, Limit: 1, WindowSeconds: 60}}, Cedar: "permit(principal, action, resource);"}
	off := policy.Switches{Tenant: true, Agents: []string{"a"}, Connectors: []string{"c"}, Tools: []string{"t"}, Reason: "why"}
	filter := client.AuditFilter{Principal: "user_alice", Connection: conn, Tool: "t", Run: "r", Session: "s", Execution: "e", Kind: "grant.created", From: when.Add(-time.Hour), To: when}
	return []method{
		{"GET /healthz", "", nil, func(x ctx, c cl) (any, error) { return none(c.Health(x)) }},
		{"GET /openapi.json", "", nil, func(x ctx, c cl) (any, error) { b, err := c.OpenAPI(x); return json.RawMessage(b), err }},
		{"GET /.well-known/jwks.json", "", nil, func(x ctx, c cl) (any, error) { b, err := c.JWKS(x); return json.RawMessage(b), err }},
		{"GET /v1/tenants", "", nil, func(x ctx, c cl) (any, error) { return c.Tenants(x, page) }},
		{"PUT /v1/tenants/{tenant}", "", nil, func(x ctx, c cl) (any, error) {
			return c.PutTenant(x, "acme", client.TenantSettings{Name: "Acme", PrincipalMapping: "userName", ReturnURLs: []string{"https://app.example.com/done"}})
		}},
		{"GET /v1/tenants/{tenant}", "", nil, func(x ctx, c cl) (any, error) { return c.Tenant(x, "acme") }},
		{"DELETE /v1/tenants/{tenant}", "", nil, func(x ctx, c cl) (any, error) { return c.DeleteTenant(x, "acme") }},
		{"POST /v1/tenants/{tenant}/scim-tokens", "", nil, func(x ctx, c cl) (any, error) {
			k, err := c.CreateSCIMToken(x, "acme", "Okta")
			return shown(k, "token"), err
		}},
		{"GET /v1/tenants/{tenant}/scim-tokens", "scim_tokens", nil, func(x ctx, c cl) (any, error) { return c.SCIMTokens(x, "acme") }},
		{"DELETE /v1/tenants/{tenant}/scim-tokens/{token}", "", nil, func(x ctx, c cl) (any, error) { return none(c.DeleteSCIMToken(x, "acme", "id")) }},
		{"GET /v1/tenants/{tenant}/keys", "", nil, func(x ctx, c cl) (any, error) { return c.TenantKeys(x, "acme") }},
		{"POST /v1/tenants/{tenant}/keys/rotate", "", nil, func(x ctx, c cl) (any, error) { return c.RotateTenantKeys(x, client.Deployment) }},
		{"POST /v1/tenants/{tenant}/keys/reseal", "", nil, func(x ctx, c cl) (any, error) {
			return c.ResealTenantKeys(x, "acme", client.ResealRequest{Cursor: "walk_1", RetireAfterSeconds: 86400})
		}},
		{"PUT /v1/tenants/{tenant}/kms-key", "", nil, func(x ctx, c cl) (any, error) {
			return c.PutKMSKey(x, "acme", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab")
		}},
		{"DELETE /v1/tenants/{tenant}/kms-key", "", nil, func(x ctx, c cl) (any, error) { return c.DeleteKMSKey(x, "acme") }},
		{"POST /v1/api-keys", "", nil, func(x ctx, c cl) (any, error) {
			k, err := c.CreateAPIKey(x, client.APIKeyRequest{Name: "runner", Permissions: []string{"sessions:write"}, Tenant: "acme"})
			return shown(k, "key"), err
		}},
		{"GET /v1/api-keys", "keys", nil, func(x ctx, c cl) (any, error) { return c.APIKeys(x) }},
		{"DELETE /v1/api-keys/{key}", "", nil, func(x ctx, c cl) (any, error) { return none(c.DeleteAPIKey(x, "id")) }},
		{"POST /v1/webhooks", "", nil, func(x ctx, c cl) (any, error) {
			w, err := c.CreateWebhook(x, client.WebhookRequest{URL: "https://app.example/hooks", Events: []string{"connection.revoked"}, Description: "d", Tenant: "acme"})
			return withSecret(w), err
		}},
		{"GET /v1/webhooks", "webhooks", nil, func(x ctx, c cl) (any, error) { return c.Webhooks(x, "acme") }},
		{"GET /v1/webhooks/{webhook}", "", nil, func(x ctx, c cl) (any, error) { return c.Webhook(x, "acme", "wh_x") }},
		{"DELETE /v1/webhooks/{webhook}", "", nil, func(x ctx, c cl) (any, error) { return none(c.DeleteWebhook(x, "", "wh_x")) }},
		{"POST /v1/webhooks/{webhook}/test", "", nil, func(x ctx, c cl) (any, error) { return c.TestWebhook(x, "acme", "wh_x") }},
		{"POST /v1/webhooks/{webhook}/rotate", "", nil, func(x ctx, c cl) (any, error) {
			w, err := c.RotateWebhook(x, "acme", "wh_x")
			return withSecret(w), err
		}},
		{"GET /v1/connectors", "connectors", nil, func(x ctx, c cl) (any, error) { return c.Connectors(x) }},
		{"GET /v1/connectors/{connector}", "", nil, func(x ctx, c cl) (any, error) { return c.Connector(x, "github") }},
		{"PUT /v1/connectors/{connector}/client", "", nil, func(x ctx, c cl) (any, error) { return c.PutOAuthClient(x, "github", app) }},
		{"GET /v1/connectors/{connector}/client", "", nil, func(x ctx, c cl) (any, error) { return c.OAuthClient(x, "github") }},
		{"DELETE /v1/connectors/{connector}/client", "", nil, func(x ctx, c cl) (any, error) { return none(c.DeleteOAuthClient(x, "github")) }},
		{"PUT /v1/tenants/{tenant}/connectors/{connector}/client", "", nil, func(x ctx, c cl) (any, error) { return c.PutTenantOAuthClient(x, "acme", "github", app) }},
		{"GET /v1/tenants/{tenant}/connectors/{connector}/client", "", nil, func(x ctx, c cl) (any, error) { return c.TenantOAuthClient(x, "acme", "github") }},
		{"DELETE /v1/tenants/{tenant}/connectors/{connector}/client", "", nil, func(x ctx, c cl) (any, error) { return none(c.DeleteTenantOAuthClient(x, "acme", "github")) }},
		{"POST /v1/connect-links", "", nil, func(x ctx, c cl) (any, error) { return c.CreateConnectLink(x, link) }},
		{"POST /v1/portal-links", "", nil, func(x ctx, c cl) (any, error) {
			return c.CreatePortalLink(x, client.PortalLinkRequest{Tenant: "acme", Principal: "user_alice"})
		}},
		{"POST /v1/mcp-logins", "", nil, func(x ctx, c cl) (any, error) {
			return c.ConfirmMCPLogin(x, client.MCPLoginRequest{MCPLogin: "once", Tenant: "acme", Principal: "user_alice"})
		}},
		{"GET /v1/connect-links/{link}", "", nil, func(x ctx, c cl) (any, error) { return c.ConnectLink(x, "cl_acme.x") }},
		{"POST /v1/connect-links/{link}/confirm", "", nil, func(x ctx, c cl) (any, error) { return c.ConfirmConnectLink(x, "cl_acme.x", "user_alice") }},
		{"POST /v1/sessions", "", []string{"token_type", "expires_in"}, func(x ctx, c cl) (any, error) { s, err := c.CreateSession(x, run); return withToken(s), err }},
		{"POST /v1/sessions", "", []string{"token_type", "expires_in"}, func(x ctx, c cl) (any, error) {
			s, err := c.CreateSession(x, client.SessionRequest{Tenant: "acme", SubjectToken: text, SubjectTokenType: client.IDToken, Agent: "triage-bot"})
			return withToken(s), err
		}},
		{"DELETE /v1/sessions/{session}", "", nil, func(x ctx, c cl) (any, error) { return none(c.EndSession(x, "acme", "user_alice", "sess_x")) }},
		{"POST /v1/sessions/narrow", "", []string{"token_type", "expires_in"}, func(x ctx, c cl) (any, error) {
			s, err := c.Session(secret.FromString(session)).Narrow(x, client.NarrowRequest{Connectors: []string{"github"}, Tools: []string{"github_list_issues"}, Agent: "reader", RunID: "run-42", TTLSeconds: 60})
			return withToken(s), err
		}},
		{"PUT /v1/tenants/{tenant}/issuer", "", nil, func(x ctx, c cl) (any, error) {
			return c.PutIssuer(x, "acme", client.IssuerSettings{Issuer: "https://idp.example", Audience: "app", PrincipalClaim: "oid", JWKSURI: "https://idp.example/keys"})
		}},
		{"GET /v1/tenants/{tenant}/issuer", "", nil, func(x ctx, c cl) (any, error) { return c.Issuer(x, "acme") }},
		{"DELETE /v1/tenants/{tenant}/issuer", "", nil, func(x ctx, c cl) (any, error) { return none(c.DeleteIssuer(x, "acme")) }},
		{"GET /v1/tenants/{tenant}/policy", "", nil, func(x ctx, c cl) (any, error) { return c.Policy(x, "acme") }},
		{"PUT /v1/tenants/{tenant}/policy", "", nil, func(x ctx, c cl) (any, error) { return c.PutPolicy(x, "acme", rules) }},
		{"POST /v1/tenants/{tenant}/policy/decide", "", nil, func(x ctx, c cl) (any, error) {
			return c.DecidePolicy(x, "acme", client.PolicyQuestion{Principal: "user_alice", Groups: []string{"Finance"}, Agent: "a", Tool: "github_list_issues", Connection: conn, Input: map[string]any{"owner": "acme"}, Policy: &rules})
		}},
		{"GET /v1/tenants/{tenant}/principals/{principal}/approvals", "", nil, func(x ctx, c cl) (any, error) { return c.Approvals(x, "acme", "user_alice", "pending", page) }},
		{"GET /v1/tenants/{tenant}/principals/{principal}/approvals/{approval}", "", nil, func(x ctx, c cl) (any, error) { return c.Approval(x, "acme", "user_alice", "apr_1") }},
		{"POST /v1/tenants/{tenant}/principals/{principal}/approvals/{approval}/decision", "", nil, func(x ctx, c cl) (any, error) {
			return c.DecideApproval(x, "acme", "user_alice", "apr_1", client.ApprovalDecision{Decision: "approve", Approver: "carol", Note: "seen", RequestedAt: when})
		}},
		{"POST /v1/tenants/{tenant}/principals/{principal}/approvals/{approval}/link", "", nil, func(x ctx, c cl) (any, error) { return c.CreateApprovalLink(x, "acme", "user_alice", "apr_1", "carol") }},
		{"GET /v1/tenants/{tenant}/switches", "", nil, func(x ctx, c cl) (any, error) { return c.Switches(x, "acme") }},
		{"PUT /v1/tenants/{tenant}/switches", "", nil, func(x ctx, c cl) (any, error) { return c.PutSwitches(x, "acme", off) }},
		{"GET /v1/switches", "", nil, func(x ctx, c cl) (any, error) { return c.DeploymentSwitches(x) }},
		{"PUT /v1/switches", "", nil, func(x ctx, c cl) (any, error) { return c.PutDeploymentSwitches(x, off) }},
		{"GET /v1/refresh/due", "", nil, func(x ctx, c cl) (any, error) { return c.Due(x, time.Minute, page) }},
		{"GET /v1/tenants/{tenant}/connections", "", nil, func(x ctx, c cl) (any, error) {
			return c.Connections(x, "acme", client.ConnectionFilter{Principal: "user_alice", Connector: "github", Status: "active"}, page)
		}},
		{"POST /v1/tenants/{tenant}/connections", "", nil, func(x ctx, c cl) (any, error) {
			return c.ImportConnection(x, "acme", client.ImportRequest{Principal: "user_alice", Connector: "github", Credential: map[string]secret.Text{"refresh_token": text}, Scopes: []string{"repo"}})
		}},
		{"GET /v1/tenants/{tenant}/connections/{connection}", "", nil, func(x ctx, c cl) (any, error) { return c.Connection(x, "acme", conn) }},
		{"DELETE /v1/tenants/{tenant}/connections/{connection}", "", nil, func(x ctx, c cl) (any, error) { return c.DeleteConnection(x, "acme", conn) }},
		{"POST /v1/tenants/{tenant}/connections/{connection}/refresh", "", nil, func(x ctx, c cl) (any, error) { return c.RefreshConnection(x, "acme", conn) }},
		{"POST /v1/tenants/{tenant}/connections/{connection}/pause", "", nil, func(x ctx, c cl) (any, error) { return c.PauseConnection(x, "acme", conn) }},
		{"POST /v1/tenants/{tenant}/connections/{connection}/resume", "", nil, func(x ctx, c cl) (any, error) { return c.ResumeConnection(x, "acme", conn) }},
		{"GET /v1/tenants/{tenant}/connections/{connection}/access", "", nil, func(x ctx, c cl) (any, error) { return c.ConnectionAccess(x, "acme", conn) }},
		{"PUT /v1/tenants/{tenant}/connections/{connection}/access", "", nil, func(x ctx, c cl) (any, error) {
			return c.SetConnectionAccess(x, "acme", conn, client.Access{Principals: []string{"user_alice"}, Groups: []string{"Sales"}})
		}},
		{"DELETE /v1/tenants/{tenant}/principals/{principal}", "", nil, func(x ctx, c cl) (any, error) { return c.DeletePrincipal(x, "acme", "user_alice") }},
		{"GET /v1/tenants/{tenant}/audit", "", nil, func(x ctx, c cl) (any, error) { return c.Audit(x, "acme", filter, page) }},
		{"GET /v1/tenants/{tenant}/audit", "segments", nil, func(x ctx, c cl) (any, error) { return c.AuditSegments(x, "acme") }},
		{"GET /v1/tools", "", nil, func(x ctx, c cl) (any, error) {
			return c.Session(secret.FromString(session)).ToolPage(x, client.OpenAI, "issue", page)
		}},
		{"GET /v1/mcp-views", "", nil, func(x ctx, c cl) (any, error) { return c.DeploymentViews(x, page) }},
		{"PUT /v1/mcp-views/{view}", "", nil, func(x ctx, c cl) (any, error) {
			return c.PutDeploymentView(x, "support", client.ViewSettings{Effects: []string{"read"}})
		}},
		{"GET /v1/mcp-views/{view}", "", nil, func(x ctx, c cl) (any, error) { return c.DeploymentView(x, "support") }},
		{"DELETE /v1/mcp-views/{view}", "", nil, func(x ctx, c cl) (any, error) { return none(c.DeleteDeploymentView(x, "support")) }},
		{"GET /v1/tenants/{tenant}/mcp-views", "", nil, func(x ctx, c cl) (any, error) { return c.Views(x, "acme", page) }},
		{"PUT /v1/tenants/{tenant}/mcp-views/{view}", "", nil, func(x ctx, c cl) (any, error) {
			return c.PutView(x, "acme", "support", client.ViewSettings{Connectors: []string{"github"}, Tools: []string{"github_list_issues"}, Effects: []string{"read"}})
		}},
		{"GET /v1/tenants/{tenant}/mcp-views/{view}", "", nil, func(x ctx, c cl) (any, error) { return c.View(x, "acme", "support") }},
		{"DELETE /v1/tenants/{tenant}/mcp-views/{view}", "", nil, func(x ctx, c cl) (any, error) { return none(c.DeleteView(x, "acme", "support")) }},
		{"POST /v1/execute", "", nil, func(x ctx, c cl) (any, error) {
			return c.Session(secret.FromString(session)).Execute(x, client.Call{Tool: "github_list_issues", Input: map[string]any{"owner": "acme"}, Connection: conn, IdempotencyKey: "k"})
		}},
		{"POST /v1/execute/batch", "", nil, func(x ctx, c cl) (any, error) {
			_, err := c.Session(secret.FromString(session)).ExecuteBatch(x, []client.Call{{Tool: "github_list_issues"}})
			return none(err)
		}},
		{"GET /v1/executions/{execution}", "", nil, func(x ctx, c cl) (any, error) { return c.Session(secret.FromString(session)).Execution(x, "exec_x") }},
	}
}

// shown puts a new key's text back where the API had it, to compare the whole.
func shown(k client.NewKey, field string) any {
	return map[string]any{"id": k.ID, "name": k.Name, "created_at": k.CreatedAt, field: string(k.Text.Reveal(reveal.Key{}))}
}

func withSecret(w client.NewWebhook) any {
	return struct {
		client.Webhook
		Secret string `json:"secret"`
	}{w.Webhook, string(w.Secret.Reveal(reveal.Key{}))}
}

func withToken(s client.NewSession) any {
	return map[string]any{"session_id": s.ID, "tenant": s.Tenant, "principal": s.Principal, "on_behalf_of": s.OnBehalfOf, "expires_at": s.ExpiresAt, "token": string(s.Token.Reveal(reveal.Key{}))}
}

// Each method sends what the OpenAPI document allows, and loses nothing of what it lets the API answer.
func TestClient_EachMethod_SendsAndReadsWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	d, srv := newDouble(t)
	c := newClient(t, srv.URL)
	want := map[string]apigw.Route{}
	for _, r := range apigw.Routes() {
		want[r.Method+" "+r.Path] = r
	}
	for _, m := range methods() {
		got, err := m.call(t.Context(), c)
		if err != nil {
			t.Errorf("%s: %v", m.route, err)
			continue
		}
		_, _, schema := d.success(d.operation(want[m.route]))
		if got == nil || schema == nil {
			continue
		}
		sample := d.sample(schema)
		if m.member != "" {
			sample = sample.(map[string]any)[m.member]
		}
		for _, k := range m.drop {
			delete(sample.(map[string]any), k)
		}
		if a, b := canonical(t, got), canonical(t, sample); !bytes.Equal(a, b) {
			t.Errorf("%s: the answer\n%s\nwas read as\n%s", m.route, b, a)
		}
	}
	for name, r := range want {
		if (r.Auth == apigw.Key || r.Auth == apigw.Session) && r.Method != "ANY" && !strings.HasPrefix(r.Path, "/mcp") && !d.seen[name] {
			t.Errorf("no method calls %s", name)
		}
	}
}

func canonical(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var x any
	if err := json.Unmarshal(b, &x); err != nil {
		t.Fatal(err)
	}
	if b, err = json.MarshalIndent(x, "", " "); err != nil {
		t.Fatal(err)
	}
	return b
}
