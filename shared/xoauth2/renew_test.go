package xoauth2_test

import (
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

const renewed = head + `auth: {mode: oauth2, client_auth: client_secret_post, pkce: use}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token"}
refresh: {KIND}
expires: {mode: field}
rotation: {class: static}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
`

// TestExchange_TradedToken_IsDueBeforeItEnds: an access token that is the only thing to renew from must not be left until its next
// use, as a refresh token can be.
func TestExchange_TradedToken_IsDueBeforeItEnds(t *testing.T) {
	t.Parallel()
	c, got := serve(t, strings.Replace(renewed, "KIND", "kind: reexchange_access_token, token_param: t", 1), 200, minted)
	for name, call := range map[string]func() (connection.Tokens, error){
		"exchange": func() (connection.Tokens, error) { return endpoint().Exchange(t.Context(), c, client, redemption) },
		"refresh": func() (connection.Tokens, error) {
			return endpoint().Refresh(t.Context(), c, client, secret.FromString("at-minted-0"), nil)
		},
	} {
		res, err := call()
		if err != nil || !res.Refresh.Equal(res.Access) || !res.Facts.RefreshExpiresAt.Equal(res.Facts.ExpiresAt) || time.Until(res.Facts.ExpiresAt) < 9*time.Minute {
			t.Errorf("%s: %+v %v", name, res, err)
		}
	}
	if got.requests != 2 || !strings.Contains(string(got.body), "client_id=client-1") && !strings.Contains(string(got.body), "code=") {
		t.Errorf("%d %s", got.requests, got.body)
	}
}

// TestRefresh_AsClient_KeepsNothingOfTheProvider: what is stored says nothing, so no answer can replace it.
func TestRefresh_AsClient_KeepsNothingOfTheProvider(t *testing.T) {
	t.Parallel()
	c, got := serve(t, strings.Replace(renewed, "KIND", "kind: client_credentials", 1), 200, minted)
	first, err := endpoint().Exchange(t.Context(), c, client, redemption)
	if err != nil || strings.Contains(string(first.Refresh.Reveal(reveal.Key{})), "never kept") || first.Refresh.IsZero() {
		t.Fatalf("%v", err)
	}
	if _, err := catalog.ReadSeed(first.Refresh.Reveal(reveal.Key{})); err != nil {
		t.Error(err)
	}
	next, err := endpoint().Refresh(t.Context(), c, client, first.Refresh, nil)
	if err != nil || !next.Refresh.IsZero() || !strings.Contains(string(got.body), "grant_type=client_credentials") || strings.Contains(string(got.body), "fields") {
		t.Errorf("%v %s", err, got.body)
	}
}
