package emulator_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"behalf.dev/behalf/integration/emulator"
)

func sfScopes() []string { return []string{"api", "refresh_token"} }

func extra(tok *oauth2.Token, name string) string {
	s, _ := tok.Extra(name).(string)
	return s
}

func TestSalesforce_FullFlow_HasInstanceAndIdentityButNoExpiry(t *testing.T) {
	t.Parallel()
	r := start(t)
	for login, org := range map[string]string{"alice": "acme", "bob": "acme", "carol": "globex"} {
		tok := r.signIn(r.config("salesforce", sfScopes()...), login)
		if !tok.Expiry.IsZero() || tok.Extra("expires_in") != nil {
			t.Errorf("expires_in given: %v", tok.Expiry)
		}
		instance := extra(tok, "instance_url")
		if instance != r.http.URL+"/salesforce/instances/"+org {
			t.Errorf("instance_url = %q", instance)
		}
		if ms, err := strconv.ParseInt(extra(tok, "issued_at"), 10, 64); err != nil || ms != r.clock.now().UnixMilli() {
			t.Errorf("issued_at = %q", extra(tok, "issued_at"))
		}
		mac := hmac.New(sha256.New, []byte(clientSecret))
		mac.Write([]byte(extra(tok, "id") + extra(tok, "issued_at")))
		if extra(tok, "signature") != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			t.Errorf("signature does not verify")
		}
		me := r.do("GET", instance+"/services/oauth2/userinfo", tok.AccessToken, nil)
		r.want(me, 200, "email", login+"@"+org+".example")
		r.want(r.do("GET", extra(tok, "id"), tok.AccessToken, nil), 200, "user_id", me.at("user_id"))
	}
}

func TestSalesforce_Refresh_KeepsRefreshTokenAndOldAccessToken(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("salesforce", sfScopes()...), "alice")
	instance := extra(tok, "instance_url")
	for range 3 {
		fresh := r.mustRefresh("salesforce", tok.RefreshToken)
		r.want(fresh, 200, "refresh_token", "<nil>")
		r.want(fresh, 200, "instance_url", instance)
	}
	r.want(r.do("GET", instance+"/services/oauth2/userinfo", tok.AccessToken, nil), 200, "nickname", "alice")
	if none := r.signIn(r.config("salesforce", "api"), "alice"); none.RefreshToken != "" {
		t.Error("refresh token without the scope refresh_token")
	}
}

func TestSalesforce_Rotation_ReuseRevokesEverything(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.change("salesforce", emulator.SettingsChange{Rotation: new(emulator.RotationAlways)})
	tok := r.signIn(r.config("salesforce", sfScopes()...), "alice")
	fresh := r.mustRefresh("salesforce", tok.RefreshToken)
	if !strings.HasPrefix(fresh.at("refresh_token"), "5Aep861") {
		t.Fatalf("no new refresh token: %d", fresh.status)
	}
	r.want(r.mustRefresh("salesforce", tok.RefreshToken), 400, "error_description", "expired access/refresh token")
	r.want(r.mustRefresh("salesforce", fresh.at("refresh_token")), 400, "error", "invalid_grant")
	r.want(r.do("GET", extra(tok, "instance_url")+"/services/data/v64.0/query?q=SELECT+Id+FROM+Account", fresh.at("access_token"), nil), 401, "0.errorCode", "INVALID_SESSION_ID")
}

func TestSalesforce_Introspect_TellsExpiry(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("salesforce", sfScopes()...), "alice")
	ask := func(secret string) answer {
		return r.do("POST", extra(tok, "instance_url")+"/services/oauth2/introspect", "",
			url.Values{"token": {tok.AccessToken}, "token_type_hint": {"access_token"}, "client_id": {clientID}, "client_secret": {secret}})
	}
	r.want(ask(clientSecret), 200, "exp", strconv.FormatInt(r.clock.now().Add(2*time.Hour).Unix(), 10))
	r.want(ask("wrong"), 400, "error", "invalid_client")
	r.clock.add(2 * time.Hour)
	r.want(ask(clientSecret), 200, "active", "false")
	r.want(ask(clientSecret), 200, "exp", "<nil>")
}

func TestSalesforce_Revoke_RefreshTokenTakesAccessTokensAlong(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("salesforce", sfScopes()...), "alice")
	instance := extra(tok, "instance_url")
	revoke := func(v string) answer {
		return r.do("POST", instance+"/services/oauth2/revoke", "", url.Values{"token": {v}})
	}
	r.want(revoke(tok.AccessToken), 200, "", "")
	r.want(revoke(tok.AccessToken), 400, "error", "invalid_token")
	fresh := r.mustRefresh("salesforce", tok.RefreshToken)
	r.want(fresh, 200, "token_type", "Bearer")
	r.want(revoke(tok.RefreshToken), 200, "", "")
	r.want(r.do("GET", instance+"/services/data/v64.0/sobjects/Account/x", fresh.at("access_token"), nil), 401, "0.errorCode", "INVALID_SESSION_ID")
	r.want(r.mustRefresh("salesforce", tok.RefreshToken), 400, "error", "invalid_grant")
}

func TestSalesforce_APIErrors_ExpiryScopeAndUserinfoDiffer(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("salesforce", "refresh_token"), "alice")
	instance := extra(tok, "instance_url")
	const path = "/services/data/v64.0/query?q=SELECT+Id+FROM+Account"
	noScope := r.do("GET", instance+path, tok.AccessToken, nil)
	r.want(noScope, 401, "0.message", "This session is not valid for use with the REST API")
	carol := r.signIn(r.config("salesforce", sfScopes()...), "carol")
	r.want(r.do("GET", instance+path, carol.AccessToken, nil), 401, "0.errorCode", "INVALID_SESSION_ID")
	if _, err := r.srv.Expire("salesforce", "alice"); err != nil {
		t.Fatal(err)
	}
	r.want(r.do("GET", instance+path, tok.AccessToken, nil), 401, "0.message", "Session expired or invalid")
	if got := r.do("GET", instance+"/services/oauth2/userinfo", tok.AccessToken, nil); got.status != 403 || got.text != "Bad_OAuth_Token" {
		t.Errorf("userinfo: %d %s", got.status, got.text)
	}
}

func TestSalesforce_Records_AreVisibleAfterwardsAndPrivateToOwner(t *testing.T) {
	t.Parallel()
	r := start(t)
	alice := r.signIn(r.config("salesforce", sfScopes()...), "alice")
	bob := r.signIn(r.config("salesforce", sfScopes()...), "bob").AccessToken
	data := extra(alice, "instance_url") + "/services/data/v64.0"
	query := func(bearer, q string) answer {
		return r.do("GET", data+"/query?q="+url.QueryEscape(q), bearer, nil)
	}
	r.want(query(alice.AccessToken, "SELECT Name FROM Opportunity"), 200, "records.0.Name", "Initech renewal")
	r.want(query(bob, "SELECT Name FROM Opportunity"), 200, "records.0.Name", "Hooli pilot")
	r.want(query(bob, "SELECT Id, Name FROM Account"), 200, "totalSize", "2")

	made := r.do("POST", data+"/sobjects/Account", alice.AccessToken, map[string]any{"Name": "O'Neil", "Industry": "Law"})
	r.want(made, 201, "success", "true")
	at := data + "/sobjects/Account/" + made.at("id")
	r.want(query(bob, `select Id, Industry from Account where Name = 'O\'Neil' limit 5`), 200, "records.0.Industry", "Law")
	r.want(r.do("PATCH", at, alice.AccessToken, map[string]any{"Industry": "Justice"}), 204, "", "")
	r.want(r.do("GET", at, bob, nil), 200, "Industry", "Justice")
	r.want(r.do("PATCH", at, bob, map[string]any{"Industry": "Mine"}), 403, "0.errorCode", "INSUFFICIENT_ACCESS_OR_READONLY")
	r.want(r.do("DELETE", at, alice.AccessToken, nil), 204, "", "")
	r.want(r.do("GET", at, bob, nil), 404, "0.errorCode", "NOT_FOUND")
}

func TestSalesforce_Query_RefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("salesforce", sfScopes()...), "alice")
	data := extra(tok, "instance_url") + "/services/data/v64.0"
	for q, want := range map[string]string{
		"SELECT Id FROM Account ORDER BY Name DESC LIMIT 1":           "",
		"SELECT Name FROM Account WHERE Name LIKE 'Ini%'":             "",
		"SELECT Id FROM Account WHERE Name != 'x' AND Industry = 'y'": "",
		"": "MALFORMED_QUERY", "SELECT FROM Account": "MALFORMED_QUERY", "SELECT Id FROM Account LIMIT x": "MALFORMED_QUERY",
		"SELECT Id FROM Account WHERE Name = x": "MALFORMED_QUERY", "SELECT Id FROM Account WHERE Name = 'x": "MALFORMED_QUERY",
		"DELETE FROM Account": "MALFORMED_QUERY", "SELECT Id FROM Account; SELECT": "MALFORMED_QUERY", "SELECT Id FROM Account ! x": "MALFORMED_QUERY",
		"SELECT Id FROM Nothing": "INVALID_TYPE", "SELECT Nope FROM Account": "INVALID_FIELD",
	} {
		got := r.do("GET", data+"/query?q="+url.QueryEscape(q), tok.AccessToken, nil)
		if want == "" && got.status != 200 || want != "" && (got.status != 400 || got.at("0.errorCode") != want) {
			t.Errorf("%q: %d %s, want %q", q, got.status, got.text, want)
		}
	}
	r.want(r.do("POST", data+"/sobjects/Account", tok.AccessToken, map[string]any{"Industry": "x"}), 400, "0.errorCode", "REQUIRED_FIELD_MISSING")
	r.want(r.do("POST", data+"/sobjects/Account", tok.AccessToken, map[string]any{"Name": "x", "Zip": 1}), 400, "0.errorCode", "INVALID_FIELD")
}
