package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

// deployment stands in for a Behalf deployment.
func deployment() *httptest.Server {
	mux := http.NewServeMux()
	say := func(route string, status int, contentType, body string) {
		mux.HandleFunc(route, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, body)
		})
	}
	say("POST /v1/sessions", 201, "application/json", `{"session_id":"sess_01kar0b1c28d4f6h0k2n4q6s8v","token":"eyJ…","expires_at":"2026-11-22T12:15:00Z"}`)
	say("POST /v1/execute", 428, fault.ContentType, `{"code":"connection_required","detail":"no GitHub account is connected for this principal","connect":{"method":"POST","path":"/v1/connect-links","body":{"tenant":"acme","principal":"user_alice","connector":"github"}}}`)
	say("POST /v1/connect-links", 201, "application/json", `{"id":"cl_acme.8t2k","url":"https://behalf.example.com/connect/acme.5w8e"}`)
	say("GET /v1/tenants/{tenant}/connections", 200, "application/json", `{"connections":[{"id":"conn_01kaqz3v9x7m2c4d5e6f8g9hjk","principal":"user_alice","connector":"github","status":"active"}]}`)
	say("PUT /v1/connectors/{connector}/client", 200, "application/json", `{"connector":"github-app","client_id":"Iv23liExampleExample","redirect_uri":"https://behalf.example.com/oauth/callback/github-app"}`)
	say("PUT /v1/tenants/{tenant}/connectors/{connector}/client", 200, "application/json", `{"connector":"github-app","client_id":"Iv23liAcmesOwnApp","params":{"installation_id":"41234567"}}`)
	return httptest.NewServer(mux)
}

// An agent run: a session, a call, and the way to repair a missing connection.
func ExampleSession_Execute() {
	srv := deployment()
	defer srv.Close()
	ctx := context.Background()
	backend, err := client.New(srv.URL, client.WithAPIKey(secret.FromString("bhf_key_…")))
	if err != nil {
		fmt.Println(err)
		return
	}
	made, err := backend.CreateSession(ctx, client.SessionRequest{Tenant: "acme", Principal: "user_alice", Connectors: []string{"github"}, Agent: "triage-bot"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = backend.Session(made.Token).Execute(ctx, client.Call{Tool: "github_list_issues", Input: map[string]any{"owner": "acme", "repo": "web"}})
	if link, ok := client.ConnectRequest(err); ok {
		link.ReturnURL = "https://app.example.com/integrations/done"
		to, lerr := backend.CreateConnectLink(ctx, link)
		fmt.Println("send the user to", to.URL, lerr)
	}
	fmt.Println(fault.From(err).Code)
	// Output:
	// send the user to https://behalf.example.com/connect/acme.5w8e <nil>
	// connection_required
}

// Every active connection of a tenant, whatever the number of pages.
func ExampleClient_AllConnections() {
	srv := deployment()
	defer srv.Close()
	c, err := client.New(srv.URL, client.WithAPIKey(secret.FromString("bhf_key_…")))
	if err != nil {
		fmt.Println(err)
		return
	}
	for x, err := range c.AllConnections(context.Background(), "acme", client.ConnectionFilter{Status: "active"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(x.Principal, x.Connector, x.Status)
	}
	// Output: user_alice github active
}

// Credentials do not print.
func ExampleClient_CreateSession() {
	srv := deployment()
	defer srv.Close()
	c, err := client.New(srv.URL, client.WithAPIKey(secret.FromString("bhf_key_…")))
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := c.CreateSession(context.Background(), client.SessionRequest{Tenant: "acme", Principal: "user_alice", Agent: "triage-bot"})
	fmt.Println(s.ID, s.Token, err)
	// Output: sess_01kar0b1c28d4f6h0k2n4q6s8v [redacted] <nil>
}
