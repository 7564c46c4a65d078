package stack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/stack"
	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/secret"
)

const shopConnector = `id: shop
name: Shop
description: Orders, as the person who connected the account.
docs_url: https://shop.example/docs
hosts: {web: https://shop.example, api: https://api.shop.example}
auth: {mode: oauth2, client_auth: client_secret_basic, pkce: required}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token"}
scopes: {default: [orders], known: {orders: {description: Read your orders, effect: read}}}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{api}"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
`

const shopTools = `- name: shop_get_order
  title: Get an order
  effect: read
  description: Get one order by its number. Returns its number and its buyer.
  scopes: {all_of: [orders]}
  input:
    required: [number]
    properties:
      number: {type: string, description: The order's number.}
  request: {method: GET, url: "{api}/orders/{number}"}
  response: {keep: [number, buyer]}
`

// shop is a plain RFC 6749 provider.
func shop(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		to := r.FormValue("redirect_uri") + "?code=c0de&state=" + url.QueryEscape(r.FormValue("state"))
		http.Redirect(w, r, to, http.StatusFound)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		id, sec, _ := r.BasicAuth()
		if id != "own" || sec != "own-secret" || r.FormValue("code") != "c0de" || r.FormValue("code_verifier") == "" {
			t.Errorf("token request %v by %q", r.Form, id)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"access_token":"shop-token-0123456789","token_type":"Bearer","expires_in":3600,"refresh_token":"shop-refresh-0123456789"}`)
	})
	mux.HandleFunc("/orders/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer shop-token-0123456789" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, `{"number":%q,"buyer":"dora","internal":"x"}`, strings.TrimPrefix(r.URL.EscapedPath(), "/orders/"))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// TestStart_OwnConnectorFolder_ConnectsAndExecutes adds a provider that Behalf has never heard of, as two files.
func TestStart_OwnConnectorFolder_ConnectsAndExecutes(t *testing.T) {
	t.Parallel()
	provider, dir := shop(t), t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "shop"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"connector.yaml": shopConnector, "tools.yaml": shopTools} {
		if err := os.WriteFile(filepath.Join(dir, "shop", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	getenv := func(name string) string {
		if name == env.ConnectorHosts {
			return fmt.Sprintf(`{"shop":{"web":%q,"api":%q}}`, provider.URL, provider.URL)
		}
		return ""
	}
	s, err := stack.Start(t.Context(), stack.Options{Connectors: dir, Getenv: getenv})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	c, err := client.New(s.URL, client.WithAPIKey(secret.FromString(s.APIKey())))
	if err != nil {
		t.Fatal(err)
	}
	res, err := connectShop(t, s, c).Execute(t.Context(), client.Call{Tool: "shop_get_order", Input: json.RawMessage(`{"number":"7 a"}`)})
	if err != nil {
		t.Fatal(err)
	}
	var order map[string]string
	if err := json.Unmarshal(res.Data, &order); err != nil || len(order) != 2 || order["buyer"] != "dora" || order["number"] != "7%20a" {
		t.Errorf("%s %v", res.Data, err)
	}
}

// connectShop connects user_dora of acme and mints a session for her.
func connectShop(t *testing.T, s *stack.Stack, c *client.Client) *client.Session {
	t.Helper()
	ctx := t.Context()
	if _, err := c.PutTenant(ctx, "acme", client.TenantSettings{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutOAuthClient(ctx, "shop", client.OAuthClientSettings{ClientID: "own", ClientSecret: secret.FromString("own-secret")}); err != nil {
		t.Fatal(err)
	}
	link, err := c.CreateConnectLink(ctx, client.ConnectLinkRequest{Tenant: "acme", Principal: "user_dora", Connector: "shop", ReturnURL: s.URL + "/healthz"})
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	res, err := browser.Get(link.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res, err = browser.Post(link.URL, "application/x-www-form-urlencoded", nil); err != nil { // follows to the provider and back
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if _, err := c.ConfirmConnectLink(ctx, link.ID, "user_dora"); err != nil {
		t.Fatal(err)
	}
	got, err := c.CreateSession(ctx, client.SessionRequest{Tenant: "acme", Principal: "user_dora", Agent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return c.Session(got.Token)
}
