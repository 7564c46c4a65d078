package xoauth2_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/refresh"
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

// TestExchange_TradedTokenOfAStep_IsWhatIsKept: a step makes the long token; that one is traded, and not the short one before it. A step
// that is for the exchange is not made again.
func TestExchange_TradedTokenOfAStep_IsWhatIsKept(t *testing.T) {
	t.Parallel()
	manifest := strings.NewReplacer("KIND", "kind: reexchange_access_token, token_param: t",
		`token: {url: "{web}/token"}`, `token: {url: "{web}/token", extra_steps: [{on: [exchange], request: {method: GET, url: "{web}/long", auth: none, query: {t: "{token.access}"}}, map: {access_token: long, expires_in: long_for}}]}`).Replace(renewed)
	c, got := serve(t, manifest, 200, `{"access_token":"at-short","expires_in":60,"long":"at-long","long_for":7200}`)
	res, err := endpoint().Exchange(t.Context(), c, client, redemption)
	if err != nil || string(res.Access.Reveal(reveal.Key{})) != "at-long" || !res.Refresh.Equal(res.Access) || got.requests != 2 || got.path != "/long" {
		t.Fatalf("%d %s %v", got.requests, got.path, err)
	}
	if time.Until(res.Facts.RefreshExpiresAt) < time.Hour || !res.Facts.RefreshExpiresAt.Equal(res.Facts.ExpiresAt) {
		t.Error(res.Facts)
	}
	next, err := endpoint().Refresh(t.Context(), c, client, res.Refresh, nil)
	if err != nil || got.requests != 3 || !strings.Contains(string(got.body), "t=at-long") || !next.Refresh.Equal(next.Access) {
		t.Errorf("%d %s %v", got.requests, got.body, err)
	}
}

// TestRefresh_RenewedOtherwise_StepsAreMadeAndFailForNow: nothing was used up, so nothing is lost and the grant lives.
func TestRefresh_RenewedOtherwise_StepsAreMadeAndFailForNow(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"kind: reexchange_access_token, token_param: t", "kind: client_credentials"} {
		manifest := strings.NewReplacer("KIND", kind, `token: {url: "{web}/token"}`, `token: {url: "{web}/token", extra_steps: [{request: {method: GET, url: "{web}/long", auth: bearer}, map: {access_token: long}}]}`).Replace(renewed)
		for answer, fails := range map[string]bool{`{"access_token":"at-short","long":"at-long"}`: false, `{"access_token":"at-short"}`: true} {
			c, got := serve(t, manifest, 200, answer)
			res, err := endpoint().Refresh(t.Context(), c, client, secret.FromString("at-before"), nil)
			var e *refresh.EndpointError
			if got.requests != 2 || got.auth != "Bearer at-short" || errors.As(err, &e) != fails || fails && e.Outcome.Kind != catalog.OutcomeTransient {
				t.Errorf("%s: %d %s %v", kind, got.requests, got.auth, err)
			}
			if !fails && string(res.Access.Reveal(reveal.Key{})) != "at-long" {
				t.Errorf("%s: the step's token does not count", kind)
			}
		}
	}
}
