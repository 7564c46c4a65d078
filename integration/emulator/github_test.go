package emulator_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/emulator"
)

func TestGitHub_FullFlow_AnswersAsThePersonWhoSignedIn(t *testing.T) {
	t.Parallel()
	r := start(t)
	for login, id := range map[string]string{"alice": "1001", "bob": "1002", "carol": "1003"} {
		tok := r.signIn(r.config("github", "repo", "read:user"), login)
		if !strings.HasPrefix(tok.AccessToken, "ghu_") || !strings.HasPrefix(tok.RefreshToken, "ghr_") {
			t.Errorf("token shapes: %.4s %.4s", tok.AccessToken, tok.RefreshToken)
		}
		if got := fmt.Sprint(tok.Extra("expires_in")); got != "28800" {
			t.Errorf("expires_in = %v", got)
		}
		me := r.do("GET", "/github/api/user", tok.AccessToken, nil)
		r.want(me, 200, "login", login)
		r.want(me, 200, "id", id)
		if got := me.header.Get("X-OAuth-Scopes"); got != "repo, read:user" {
			t.Errorf("X-OAuth-Scopes = %q", got)
		}
	}
}

func TestGitHub_TokenAnswer_IsFormEncodedUnlessJSONIsAsked(t *testing.T) {
	t.Parallel()
	r := start(t)
	cfg := r.config("github", "repo")
	form := func() url.Values {
		return url.Values{"client_id": {clientID}, "client_secret": {clientSecret}, "code": {r.code(cfg, "alice")}}
	}
	plain := r.do("POST", cfg.Endpoint.TokenURL, "", form())
	got, err := url.ParseQuery(plain.text)
	if err != nil || got.Get("access_token") == "" || got.Get("expires_in") != "28800" || got.Get("refresh_token_expires_in") != "15897600" {
		t.Errorf("form answer = %v (%v)", got, err)
	}
	if ct := plain.header.Get("Content-Type"); !strings.HasPrefix(ct, "application/x-www-form-urlencoded") {
		t.Errorf("content type = %q", ct)
	}
	r.want(r.do("POST", cfg.Endpoint.TokenURL, "", form(), wantJSON), 200, "token_type", "bearer")
}

func TestGitHub_Refresh_KillsOldPairAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t)
	old := r.signIn(r.config("github", "repo"), "alice")
	fresh := r.mustRefresh("github", old.RefreshToken)
	r.want(fresh, 200, "scope", "repo")
	dead := r.do("GET", "/github/api/user", old.AccessToken, nil)
	r.want(dead, 401, "message", "Bad credentials")
	r.want(r.do("GET", "/github/api/user", fresh.at("access_token"), nil), 200, "login", "alice")

	// The old refresh token: HTTP 200 with an error, and the grant survives.
	r.want(r.mustRefresh("github", old.RefreshToken), 200, "error", "bad_refresh_token")
	r.want(r.do("GET", "/github/api/user", fresh.at("access_token"), nil), 200, "login", "alice")
	n, err := r.srv.Counters("github")
	if err != nil || n.Refreshes != 1 || n.RefreshReuses != 1 || n.ByPerson["alice"].RefreshReuses != 1 {
		t.Errorf("counters = %+v (%v)", n, err)
	}
}

func TestGitHub_TokenEndpoint_FailsOn200(t *testing.T) {
	t.Parallel()
	r := start(t)
	url200 := r.config("github").Endpoint.TokenURL
	for name, tc := range map[string]struct {
		form url.Values
		want string
	}{
		"bad secret":  {url.Values{"client_id": {clientID}, "client_secret": {"no"}, "code": {"x"}}, "incorrect_client_credentials"},
		"bad client":  {url.Values{"client_id": {"no"}, "client_secret": {"no"}, "code": {"x"}}, "incorrect_client_credentials"},
		"bad code":    {url.Values{"client_id": {clientID}, "client_secret": {clientSecret}, "code": {"x"}}, "bad_verification_code"},
		"bad refresh": {url.Values{"client_id": {clientID}, "client_secret": {clientSecret}, "grant_type": {"refresh_token"}, "refresh_token": {"ghr_x"}}, "bad_refresh_token"},
		"bad grant":   {url.Values{"client_id": {clientID}, "client_secret": {clientSecret}, "grant_type": {"password"}}, "unsupported_grant_type"},
		"twice":       {url.Values{"client_id": {clientID, clientID}, "client_secret": {clientSecret}}, "invalid_request"},
	} {
		if got := r.do("POST", url200, "", tc.form, wantJSON); got.status != 200 || got.at("error") != tc.want {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
}

func TestGitHub_MissingScope_LooksLikeAbsence(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("github", "read:user"), "alice").AccessToken
	got := r.do("POST", "/github/api/repos/acme/billing/issues", tok, map[string]any{"title": "x"})
	r.want(got, 404, "message", "Not Found")
	if got.header.Get("X-Accepted-OAuth-Scopes") != "repo" || got.header.Get("X-OAuth-Scopes") != "read:user" {
		t.Errorf("headers = %v", got.header)
	}
	r.want(r.do("POST", "/github/api/repos/acme/website/issues", tok, map[string]any{"title": "x"}), 404, "message", "Not Found")
	r.want(r.do("GET", "/github/api/repos/acme/website/issues", tok, nil), 200, "", "")
}

func TestGitHub_Issues_AreVisibleAfterwards(t *testing.T) {
	t.Parallel()
	r := start(t)
	alice := r.signIn(r.config("github", "repo"), "alice").AccessToken
	carol := r.signIn(r.config("github", "repo"), "carol").AccessToken
	const issues = "/github/api/repos/acme/billing/issues"
	made := r.do("POST", issues, alice, map[string]any{"title": "New", "body": "text", "labels": []string{"bug"}})
	r.want(made, 201, "number", "3")
	r.want(made, 201, "user.login", "alice")
	r.want(r.do("GET", issues, alice, nil), 200, "0.title", "New")
	r.want(r.do("GET", issues, carol, nil), 404, "message", "Not Found")

	closed := r.do("PATCH", issues+"/3", alice, map[string]any{"state": "closed", "state_reason": "not_planned"})
	r.want(closed, 200, "state_reason", "not_planned")
	r.want(r.do("GET", issues, alice, nil), 200, "0.number", "2")
	r.want(r.do("GET", issues+"?state=closed", alice, nil), 200, "0.number", "3")
	r.want(r.do("POST", issues, alice, map[string]any{}), 422, "message", "Validation Failed")

	repos := r.do("GET", "/github/api/user/repos?per_page=1", alice, nil)
	r.want(repos, 200, "0.full_name", "acme/billing")
	if link := repos.header.Get("Link"); !strings.Contains(link, `page=2`) || !strings.Contains(link, `rel="next"`) {
		t.Errorf("Link = %q", link)
	}
}

func TestGitHub_Revoke_TokenLeavesRefreshAliveGrantDoesNot(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("github", "repo"), "alice")
	const app = "/github/api/applications/" + clientID
	r.want(r.do("DELETE", app+"/token", "", map[string]any{"access_token": tok.AccessToken}), 401, "message", "Requires authentication")
	r.want(r.do("DELETE", app+"/token", "", map[string]any{"access_token": tok.AccessToken}, basicAuth), 204, "", "")
	r.want(r.do("DELETE", app+"/token", "", map[string]any{"access_token": tok.AccessToken}, basicAuth), 404, "", "")
	r.want(r.do("GET", "/github/api/user", tok.AccessToken, nil), 401, "message", "Bad credentials")

	fresh := r.mustRefresh("github", tok.RefreshToken)
	r.want(fresh, 200, "token_type", "bearer")
	other := r.signIn(r.config("github", "repo"), "alice")
	r.want(r.do("DELETE", app+"/grant", "", map[string]any{"access_token": fresh.at("access_token")}, basicAuth), 204, "", "")
	r.want(r.mustRefresh("github", fresh.at("refresh_token")), 200, "error", "bad_refresh_token")
	r.want(r.do("GET", "/github/api/user", other.AccessToken, nil), 401, "message", "Bad credentials")
	if n, _ := r.srv.Counters("github"); n.Revocations != 2 {
		t.Errorf("revocations = %d", n.Revocations)
	}
}

func TestGitHub_LeakedCredentials_AnyoneMayRevoke(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("github", "repo"), "alice")
	r.want(r.do("POST", "/github/api/credentials/revoke", "", map[string]any{"credentials": []string{tok.RefreshToken, "ghu_unknown"}}), 202, "", "")
	r.want(r.mustRefresh("github", tok.RefreshToken), 200, "error", "bad_refresh_token")
	r.want(r.do("POST", "/github/api/credentials/revoke", "", map[string]any{}), 422, "", "")
}

func TestGitHub_NoExpiry_BringsNoRefreshToken(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.change("github", emulator.SettingsChange{AccessTTLSeconds: new(0)})
	tok := r.signIn(r.config("github", "repo"), "alice")
	if tok.RefreshToken != "" || !tok.Expiry.IsZero() {
		t.Errorf("refresh %q expiry %v", tok.RefreshToken, tok.Expiry)
	}
}

func TestGitHub_Grace_OldRefreshTokenWorksUntilItEnds(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.change("github", emulator.SettingsChange{RefreshGraceSeconds: new(30)})
	tok := r.signIn(r.config("github", "repo"), "alice")
	first := r.mustRefresh("github", tok.RefreshToken)
	r.clock.add(29e9)
	r.want(r.mustRefresh("github", tok.RefreshToken), 200, "token_type", "bearer")
	r.want(r.do("GET", "/github/api/user", first.at("access_token"), nil), 200, "login", "alice")
	r.clock.add(1e9)
	r.want(r.mustRefresh("github", tok.RefreshToken), 200, "error", "bad_refresh_token")
	r.want(r.do("GET", "/github/api/user", tok.AccessToken, nil), 401, "", "")
	r.clock.add(60e9) // the pair of the first use is not "older" than that of the second
	r.want(r.do("GET", "/github/api/user", first.at("access_token"), nil), 200, "login", "alice")
}
