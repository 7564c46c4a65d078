package mcp_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"behalf.dev/behalf/integration/e2e"
)

// logIn is a person's browser that goes where it is sent: from the client's address over the local stack's login page and the consent page
// back to the client, whose redirect it catches.
func logIn(t *testing.T, f *e2e.Fixture, redirect string) auth.AuthorizationCodeFetcher {
	return func(_ context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
		b := f.NewBrowser(t)
		login := b.Open(t, args.URL).Want(t, 303).Header.Get("Location")
		b.Open(t, login).Want(t, 200)
		u, err := url.Parse(login)
		if err != nil {
			return nil, err
		}
		page := b.Submit(t, login, url.Values{"mcp_login": {u.Query().Get("mcp_login")}, "tenant": {"acme"}, "principal": {"user_alice"}}).Want(t, 303).Header.Get("Location")
		guard := e2e.Guard(b.Open(t, page).Want(t, 200))
		back := b.Submit(t, page, url.Values{"guard": {guard}, "decision": {"allow"}}).Want(t, 303).Header.Get("Location")
		if !strings.HasPrefix(back, redirect+"?") {
			t.Fatalf("the browser was sent to %s", back)
		}
		u, err = url.Parse(back)
		if err != nil {
			return nil, err
		}
		q := u.Query()
		return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
	}
}

// The official client finds the way in by itself: from the 401 over both metadata documents to the login, the code, the token and a call, and
// goes on with refresh tokens after the first token ended. For the whole endpoint, and for a view, which has a resource of its own.
func TestLogin_OfTheOfficialSDK_FromThe401ToACall(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/mcp", "/mcp/readers"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			f.Connect(t, "acme", "user_alice", "github", "alice", nil)
			f.Back(t, "PUT", "/v1/tenants/acme/mcp-views/readers", e2e.Object{"effects": []string{"read"}}).Want(t, 201)
			c := e2e.NewMCPClient(t)
			redirect := "http://127.0.0.1:49152/callback" // another port than the document's, as RFC 8252 has it
			var tokens oauth2.TokenSource
			h, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
				// The SDK takes documents at https only, and the stack fetches from this machine without TLS, so the id goes in as a known one.
				PreregisteredClient: &oauthex.ClientCredentials{ClientID: c.ID}, RedirectURL: redirect, AuthorizationCodeFetcher: logIn(t, f, redirect),
				NewTokenSource: func(ctx context.Context, cfg *oauth2.Config, first *oauth2.Token) (oauth2.TokenSource, error) {
					first.Expiry = time.Now() // so that each use is a refresh
					tokens = cfg.TokenSource(ctx, first)
					return tokens, nil
				}})
			if err != nil {
				t.Fatal(err)
			}
			client := sdk.NewClient(&sdk.Implementation{Name: "editor", Version: "1"}, nil)
			s, err := client.Connect(t.Context(), &sdk.StreamableClientTransport{Endpoint: f.URL + path, OAuthHandler: h}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			res, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "github_get_authenticated_user"})
			if err != nil || res.IsError || !strings.Contains(res.Content[0].(*sdk.TextContent).Text, "alice") {
				t.Fatalf("%+v %v", res, err)
			}
			token, err := tokens.Token()
			if err != nil || token.RefreshToken == "" {
				t.Fatalf("no tokens: %v", err)
			}
			if len(f.Audit(t, "acme", "kind=mcp_login.renewed")) == 0 {
				t.Error("nothing was renewed")
			}
			outside := map[string]int{"/mcp": 200, "/mcp/readers": 401}[path] // a view's token is for the view alone
			init := e2e.RPC{Token: token.AccessToken, Revision: e2e.Revision2025, Method: "tools/list"}
			if a := f.MCP(t, init); a.Status != outside && (outside != 200 || a.Status >= 300) {
				t.Errorf("/mcp answers %d: %.300s", a.Status, a.Body)
			}
			if a := f.Execute(t, token.AccessToken, "github_get_authenticated_user", nil, nil); a.Status != 401 {
				t.Errorf("the token is good for /v1/execute: %d", a.Status)
			}
		})
	}
}
