package emulator_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"behalf.dev/behalf/integration/emulator"
)

const slackScopes = "channels:read,channels:history,chat:write"

func TestSlack_FullFlow_TellsTeamBotAndPerson(t *testing.T) {
	t.Parallel()
	r := start(t)
	for login, want := range map[string][2]string{"alice": {"U0ALICE001", "T0ACME0001"}, "bob": {"U0BOB00001", "T0ACME0001"}, "carol": {"U0CAROL001", "T0GLOBEX01"}} {
		tok := r.signIn(r.config("slack", slackScopes), login)
		if !strings.HasPrefix(tok.AccessToken, "xoxe.xoxb-") || !strings.HasPrefix(tok.RefreshToken, "xoxe-1-") {
			t.Errorf("token shapes: %.10s %.7s", tok.AccessToken, tok.RefreshToken)
		}
		if got := tok.Extra("scope"); got != slackScopes {
			t.Errorf("scope = %v", got)
		}
		if got := tok.Extra("expires_in"); got != 43200.0 {
			t.Errorf("expires_in = %v", got)
		}
		if u, _ := tok.Extra("authed_user").(map[string]any); u["id"] != want[0] {
			t.Errorf("authed_user = %v", u)
		}
		me := r.do("POST", "/slack/api/auth.test", tok.AccessToken, nil)
		r.want(me, 200, "user_id", want[0])
		r.want(me, 200, "team_id", want[1])
	}
}

func TestSlack_Failures_AreOKFalseOn200(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("slack", "channels:read"), "alice")
	for name, tc := range map[string]struct {
		path, bearer, want string
		body               any
	}{
		"no token":     {"auth.test", "", "not_authed", nil},
		"wrong token":  {"auth.test", "xoxb-nonsense", "invalid_auth", nil},
		"wrong method": {"no.such", tok.AccessToken, "unknown_method", nil},
		"no scope":     {"chat.postMessage", tok.AccessToken, "missing_scope", map[string]any{"channel": "C0ACME0GEN", "text": "hi"}},
		"bad secret":   {"oauth.v2.access", "", "bad_client_secret", url.Values{"client_id": {clientID}, "client_secret": {"x"}, "code": {"y"}}},
		"bad client":   {"oauth.v2.access", "", "invalid_client_id", url.Values{"client_id": {"x"}, "client_secret": {"x"}, "code": {"y"}}},
		"bad code":     {"oauth.v2.access", "", "invalid_code", url.Values{"client_id": {clientID}, "client_secret": {clientSecret}, "code": {"y"}}},
		"bad refresh": {"oauth.v2.access", "", "invalid_refresh_token", url.Values{"client_id": {clientID}, "client_secret": {clientSecret},
			"grant_type": {"refresh_token"}, "refresh_token": {"xoxe-1-no"}}},
	} {
		got := r.do("POST", "/slack/api/"+tc.path, tc.bearer, tc.body)
		if got.status != 200 || got.at("ok") != "false" || got.at("error") != tc.want {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
	missing := r.do("POST", "/slack/api/chat.postMessage", tok.AccessToken, nil)
	r.want(missing, 200, "needed", "chat:write")
	r.want(missing, 200, "provided", "channels:read")
}

func TestSlack_TokenStates_HaveTheirOwnErrors(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("slack", "channels:read"), "alice")
	if n, err := r.srv.Expire("slack", "alice"); n != 1 || err != nil {
		t.Fatalf("expired %d (%v)", n, err)
	}
	r.want(r.do("POST", "/slack/api/auth.test", tok.AccessToken, nil), 200, "error", "token_expired")
	fresh := r.mustRefresh("slack", tok.RefreshToken)
	r.want(fresh, 200, "token_type", "bot")
	r.want(r.mustRefresh("slack", tok.RefreshToken), 200, "error", "invalid_refresh_token")
	r.want(r.do("POST", "/slack/api/auth.test", fresh.at("access_token"), nil), 200, "ok", "true")
	if n, err := r.srv.RevokeGrant("slack", "alice"); n != 1 || err != nil {
		t.Fatalf("revoked %d (%v)", n, err)
	}
	r.want(r.do("POST", "/slack/api/auth.test", fresh.at("access_token"), nil), 200, "error", "token_revoked")
	r.want(r.mustRefresh("slack", fresh.at("refresh_token")), 200, "error", "token_revoked")
}

func TestSlack_UserScope_GivesTwoTokenSetsThatRefreshApart(t *testing.T) {
	t.Parallel()
	r := start(t)
	cfg := r.config("slack", "chat:write")
	code := r.code(cfg, "bob", oauth2.SetAuthURLParam("user_scope", "channels:read,chat:write"))
	got := r.do("POST", cfg.Endpoint.TokenURL, "", url.Values{"client_id": {clientID}, "client_secret": {clientSecret}, "code": {code}, "redirect_uri": {callback}})
	r.want(got, 200, "token_type", "bot")
	r.want(got, 200, "authed_user.token_type", "user")
	r.want(got, 200, "authed_user.scope", "channels:read,chat:write")
	user := got.at("authed_user.access_token")
	if !strings.HasPrefix(user, "xoxe.xoxp-") {
		t.Fatalf("user token shape: %.10s", user)
	}
	fresh := r.mustRefresh("slack", got.at("authed_user.refresh_token"))
	r.want(fresh, 200, "token_type", "user")
	r.want(r.mustRefresh("slack", got.at("refresh_token")), 200, "token_type", "bot")
	sent := r.do("POST", "/slack/api/chat.postMessage", user, map[string]any{"channel": "#general", "text": "as bob"})
	r.want(sent, 200, "message.user", "U0BOB00001")
}

func TestSlack_Messages_AreVisibleAfterwards(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("slack", slackScopes), "alice").AccessToken
	carol := r.signIn(r.config("slack", slackScopes), "carol").AccessToken
	list := r.do("GET", "/slack/api/conversations.list?limit=1", tok, nil)
	r.want(list, 200, "channels.0.name", "general")
	next := r.do("GET", "/slack/api/conversations.list?limit=1&cursor="+url.QueryEscape(list.at("response_metadata.next_cursor")), tok, nil)
	r.want(next, 200, "channels.0.name", "sales")
	r.want(next, 200, "response_metadata.next_cursor", "")

	sent := r.do("POST", "/slack/api/chat.postMessage", tok, url.Values{"channel": {"C0ACME0SAL"}, "text": {"hello"}})
	r.want(sent, 200, "message.bot_id", "B0ACMEBOT1")
	r.want(r.do("GET", "/slack/api/conversations.history?channel=C0ACME0SAL", tok, nil), 200, "messages.0.text", "hello")
	r.want(r.do("GET", "/slack/api/conversations.history?channel=C0ACME0SAL", carol, nil), 200, "error", "channel_not_found")
	r.want(r.do("POST", "/slack/api/chat.delete", tok, map[string]any{"channel": "C0ACME0SAL", "ts": sent.at("ts")}), 200, "ok", "true")
	left := r.do("GET", "/slack/api/conversations.history?channel=C0ACME0SAL", tok, nil)
	r.want(left, 200, "messages.0.user", "U0BOB00001")
	r.want(r.do("POST", "/slack/api/chat.delete", tok, map[string]any{"channel": "C0ACME0SAL", "ts": left.at("messages.0.ts")}), 200, "error", "cant_delete_message")
}

func TestSlack_Revoke_KillsTheCallingTokenOnly(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("slack", "channels:read"), "alice")
	r.want(r.do("POST", "/slack/api/auth.revoke", tok.AccessToken, url.Values{"test": {"1"}}), 200, "revoked", "false")
	r.want(r.do("POST", "/slack/api/auth.revoke", tok.AccessToken, nil), 200, "revoked", "true")
	r.want(r.do("POST", "/slack/api/auth.revoke", tok.AccessToken, nil), 200, "error", "token_revoked")
	fresh := r.mustRefresh("slack", tok.RefreshToken)
	r.want(fresh, 200, "ok", "true")

	bob := r.signIn(r.config("slack", "channels:read"), "bob")
	carol := r.signIn(r.config("slack", "channels:read"), "carol")
	r.want(r.do("POST", "/slack/api/apps.uninstall", fresh.at("access_token"), url.Values{"client_id": {clientID}, "client_secret": {clientSecret}}), 200, "ok", "true")
	r.want(r.do("POST", "/slack/api/auth.test", bob.AccessToken, nil), 200, "error", "token_revoked")
	r.want(r.do("POST", "/slack/api/auth.test", carol.AccessToken, nil), 200, "ok", "true")
}

func TestSlack_RateLimit_Is429WithRetryAfter(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("slack", "channels:read"), "alice")
	r.change("slack", emulator.SettingsChange{FailNext: &[]emulator.Fault{{Kind: emulator.KindAPI, Mode: emulator.ModeRateLimited, RetryAfter: 7}}})
	got := r.do("POST", "/slack/api/auth.test", tok.AccessToken, nil)
	r.want(got, http.StatusTooManyRequests, "error", "ratelimited")
	if got.header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After = %q", got.header.Get("Retry-After"))
	}
	r.want(r.do("POST", "/slack/api/auth.test", tok.AccessToken, nil), 200, "ok", "true")
}
