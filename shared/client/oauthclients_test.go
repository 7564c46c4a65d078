package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/secret"
)

// What a client proves itself with is sent only when there is some: a connector whose clients sign refuses a secret.
func TestPutOAuthClient_SendsWhatIsGivenAndNothingElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   client.OAuthClientSettings
		want []string
	}{
		"sends a secret":      {client.OAuthClientSettings{ClientID: "i", ClientSecret: secret.FromString("s")}, []string{"client_id", "client_secret"}},
		"signs":               {client.OAuthClientSettings{ClientID: "i", PrivateKey: secret.FromString("k")}, []string{"client_id", "private_key"}},
		"neither":             {client.OAuthClientSettings{ClientID: "i"}, []string{"client_id"}},
		"of one installation": {client.OAuthClientSettings{ClientID: "i", ClientSecret: secret.FromString("s"), Params: map[string]string{"installation_id": "41234567"}}, []string{"client_id", "client_secret", "params"}},
	} {
		for _, of := range []string{"", "acme"} {
			var got map[string]any
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := json.NewDecoder(r.Body).Decode(&got); err != nil || strings.Contains(r.URL.Path, "/tenants/acme/") != (of != "") {
					t.Errorf("%s: %s %v", name, r.URL, err)
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{}`)
			}))
			api, err := client.New(srv.URL, client.WithAPIKey(secret.FromString("bhf_key_x")))
			if err != nil {
				t.Fatal(err)
			}
			if of == "" {
				_, err = api.PutOAuthClient(t.Context(), "github", c.in)
			} else {
				_, err = api.PutTenantOAuthClient(t.Context(), of, "github", c.in)
			}
			srv.Close()
			if keys := slices.Sorted(maps.Keys(got)); err != nil || !slices.Equal(keys, c.want) {
				t.Errorf("%s: sent %v, want %v: %v", name, keys, c.want, err)
			}
		}
	}
	if s := fmt.Sprintf("%v %+v %#v", client.OAuthClientSettings{PrivateKey: secret.FromString("canary")}, client.OAuthClientSettings{ClientSecret: secret.FromString("canary")}, client.OAuthClientSettings{PrivateKey: secret.FromString("canary")}); strings.Contains(s, "canary") {
		t.Error(s)
	}
}

// A GitHub App proves itself by signing. The key is sealed on arrival, and is not in the answer.
func ExampleClient_PutOAuthClient() {
	srv := deployment()
	defer srv.Close()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // yours comes from the provider, as a file
	if err != nil {
		fmt.Println(err)
		return
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := client.New(srv.URL, client.WithAPIKey(secret.FromString("bhf_key_…")))
	if err != nil {
		fmt.Println(err)
		return
	}
	app, err := c.PutOAuthClient(context.Background(), "github-app", client.OAuthClientSettings{
		ClientID:   "Iv23liExampleExample",
		PrivateKey: secret.New(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	fmt.Println(app.ClientID, "register", app.RedirectURI, err)
	// Output: Iv23liExampleExample register https://behalf.example.com/oauth/callback/github-app <nil>
}

// A customer's own GitHub App, which is installed in the customer's organization and nowhere else: its links need not name the
// installation any more.
func ExampleClient_PutTenantOAuthClient() {
	srv := deployment()
	defer srv.Close()
	c, err := client.New(srv.URL, client.WithAPIKey(secret.FromString("bhf_key_…")))
	if err != nil {
		fmt.Println(err)
		return
	}
	own, err := c.PutTenantOAuthClient(context.Background(), "acme", "github-app", client.OAuthClientSettings{
		ClientID: "Iv23liAcmesOwnApp", PrivateKey: secret.FromString("-----BEGIN…"), Params: map[string]string{"installation_id": "41234567"},
	})
	fmt.Println(own.Params, err)
	// Output: map[installation_id:41234567] <nil>
}
