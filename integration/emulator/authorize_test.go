package emulator_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"behalf.dev/behalf/integration/emulator"
)

func TestAuthorize_Page_ShowsAppScopesAndPeople(t *testing.T) {
	t.Parallel()
	r := start(t)
	page := r.do("GET", r.config("github", "repo", "<script>").AuthCodeURL("s")+"&login=carol", "", nil)
	r.want(page, 200, "", "")
	for _, text := range []string{"Acme Agent", "repo", "&lt;script&gt;", "alice@acme.example", "Approve", "Deny", `value="carol" checked`} {
		if !strings.Contains(page.text, text) {
			t.Errorf("page lacks %q", text)
		}
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy = %q", csp)
	}
}

func TestAuthorize_BadClientOrRedirect_NeverRedirects(t *testing.T) {
	t.Parallel()
	r := start(t)
	for name, q := range map[string]string{
		"unknown client": "client_id=x&redirect_uri=" + url.QueryEscape(callback),
		"other host":     "client_id=" + clientID + "&redirect_uri=" + url.QueryEscape("http://evil.example/oauth/callback"),
		"below, exact":   "client_id=" + clientID + "&redirect_uri=" + url.QueryEscape(callback+"/x"),
		"dots":           "client_id=" + clientID + "&redirect_uri=" + url.QueryEscape(callback+"/../steal"),
		"fragment":       "client_id=" + clientID + "&redirect_uri=" + url.QueryEscape(callback+"#x"),
		"twice":          "client_id=" + clientID + "&client_id=" + clientID,
	} {
		for _, method := range []string{"GET", "POST"} {
			a := r.do(method, "/salesforce/services/oauth2/authorize?response_type=code&"+q, "", url.Values{"login": {"alice"}, "decision": {"approve"}})
			if a.status != 400 || a.header.Get("Location") != "" {
				t.Errorf("%s %s: %d to %q", method, name, a.status, a.header.Get("Location"))
			}
		}
	}
	// GitHub alone takes a path below the registered one.
	ok := r.do("GET", "/github/login/oauth/authorize?client_id="+clientID+"&redirect_uri="+url.QueryEscape(callback+"/x"), "", nil)
	r.want(ok, 200, "", "")
	dots := r.do("GET", "/github/login/oauth/authorize?client_id="+clientID+"&redirect_uri="+url.QueryEscape(callback+"/../steal"), "", nil)
	r.want(dots, 400, "", "")
}

func TestAuthorize_BadRequest_IsSentBackWithState(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.change("salesforce", emulator.SettingsChange{RequirePKCE: new(true)})
	challenge := oauth2.S256ChallengeFromVerifier(oauth2.GenerateVerifier())
	for name, tc := range map[string]struct{ query, want string }{
		"implicit": {"response_type=token", "unsupported_response_type"},
		"no type":  {"", "unsupported_response_type"},
		"plain":    {"response_type=code&code_challenge=" + challenge + "&code_challenge_method=plain", "invalid_request"},
		"default":  {"response_type=code&code_challenge=" + challenge, "invalid_request"},
		"short":    {"response_type=code&code_challenge_method=S256&code_challenge=abc", "invalid_request"},
		"none":     {"response_type=code", "invalid_request"},
	} {
		to, err := r.admin.Approve(t.Context(), r.http.URL+"/salesforce/services/oauth2/authorize?client_id="+clientID+"&state=st&"+tc.query, "alice")
		if !errors.Is(err, emulator.ErrDenied) || to.Query().Get("error") != tc.want || to.Query().Get("state") != "st" || to.Query().Get("code") != "" {
			t.Errorf("%s: %v (%v)", name, to, err)
		}
	}
}

func TestAuthorize_Deny_SendsAccessDenied(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, provider := range []string{"github", "slack", "salesforce"} {
		to, err := r.admin.Deny(t.Context(), r.config(provider, "x").AuthCodeURL("st"), "alice")
		if !errors.Is(err, emulator.ErrDenied) || to.Query().Get("error") != "access_denied" || to.Query().Get("state") != "st" {
			t.Errorf("%s: %v (%v)", provider, to, err)
		}
	}
}

func TestAuthorize_ISS_IsOffUntilSwitchedOn(t *testing.T) {
	t.Parallel()
	r := start(t)
	cfg := r.config("slack", "chat:write")
	for _, on := range []bool{false, true} {
		r.change("slack", emulator.SettingsChange{ISS: new(on)})
		to, err := r.admin.Approve(t.Context(), cfg.AuthCodeURL("st"), "alice")
		if err != nil || (to.Query().Get("iss") == r.http.URL+"/slack") != on || to.Query().Has("iss") != on {
			t.Errorf("iss on=%v: %v (%v)", on, to, err)
		}
	}
}

func TestAuthorize_PersonLeavesScopesOff_TokenHasOnlyTheRest(t *testing.T) {
	t.Parallel()
	r := start(t)
	cfg := r.config("github", "repo", "read:user")
	to, err := r.admin.ApproveOnly(t.Context(), cfg.AuthCodeURL("st"), "alice", "read:user")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := cfg.Exchange(r.web(), to.Query().Get("code"))
	if err != nil || tok.Extra("scope") != "read:user" {
		t.Errorf("scope = %v (%v)", tok.Extra("scope"), err)
	}
}

func TestToken_PKCE_IsEnforced(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, provider := range []string{"github", "slack", "salesforce"} {
		cfg := r.config(provider, "api")
		verifier := oauth2.GenerateVerifier()
		for name, tc := range map[string]struct{ auth, token []oauth2.AuthCodeOption }{
			"wrong verifier": {[]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}, []oauth2.AuthCodeOption{oauth2.VerifierOption(oauth2.GenerateVerifier())}},
			"no verifier":    {[]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}, nil},
			"no challenge":   {nil, []oauth2.AuthCodeOption{oauth2.VerifierOption(verifier)}},
		} {
			code := r.code(cfg, "alice", tc.auth...)
			if _, err := cfg.Exchange(r.web(), code, tc.token...); err == nil {
				t.Errorf("%s: %s was accepted", provider, name)
			}
			if _, err := cfg.Exchange(r.web(), code, oauth2.VerifierOption(verifier)); err == nil {
				t.Errorf("%s: code lives on after %s", provider, name)
			}
		}
	}
}

func TestToken_CodeReuse_RevokesWhatItBrought(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, provider := range []string{"github", "slack", "salesforce"} {
		cfg := r.config(provider, "api", "refresh_token")
		code := r.code(cfg, "alice")
		tok, err := cfg.Exchange(r.web(), code)
		if err != nil {
			t.Fatalf("%s: %v", provider, err)
		}
		if _, err := cfg.Exchange(r.web(), code); err == nil {
			t.Errorf("%s: code worked twice", provider)
		}
		if _, err := cfg.TokenSource(r.web(), &oauth2.Token{RefreshToken: tok.RefreshToken}).Token(); err == nil {
			t.Errorf("%s: grant lives on after code reuse", provider)
		}
		views, err := r.srv.Tokens(provider)
		if err != nil || len(views) != 1 || !views[0].Revoked || views[0].Why != "code_reused" {
			t.Errorf("%s: grants %+v (%v)", provider, views, err)
		}
	}
}

func TestToken_Code_ExpiresAndIsBoundToClientAndRedirect(t *testing.T) {
	t.Parallel()
	r := start(t)
	cfg := r.config("salesforce", "api")
	r.change("salesforce", emulator.SettingsChange{CodeTTLSeconds: new(60)})
	late := r.code(cfg, "alice")
	r.clock.add(time.Minute)
	if _, err := cfg.Exchange(r.web(), late); err == nil {
		t.Error("expired code was accepted")
	}
	other := emulator.ClientRegistration{ClientID: "app-2", ClientSecret: "other", RedirectURIs: []string{callback, callback + "/2"}}
	if err := r.admin.RegisterClient(t.Context(), "salesforce", other); err != nil {
		t.Fatal(err)
	}
	cfg2 := *cfg
	cfg2.ClientID, cfg2.ClientSecret = "app-2", "other"
	if _, err := cfg2.Exchange(r.web(), r.code(cfg, "alice")); err == nil {
		t.Error("code of another client was accepted")
	}
	theirs := r.signIn(r.config("salesforce", sfScopes()...), "bob")
	if _, err := cfg2.TokenSource(r.web(), &oauth2.Token{RefreshToken: theirs.RefreshToken}).Token(); err == nil {
		t.Error("refresh token of another client was accepted")
	}
	moved := cfg2
	moved.RedirectURL = callback + "/2"
	if _, err := moved.Exchange(r.web(), r.code(&cfg2, "alice")); err == nil || !strings.Contains(err.Error(), "redirect_uri_mismatch") {
		t.Errorf("other redirect_uri: %v", err)
	}
}

func TestToken_ClientAuthentication_OneMethodOnly(t *testing.T) {
	t.Parallel()
	r := start(t)
	cfg := r.config("salesforce", "api")
	cfg.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if _, err := cfg.Exchange(r.web(), r.code(cfg, "alice")); err != nil {
		t.Errorf("basic: %v", err)
	}
	both := r.do("POST", cfg.Endpoint.TokenURL, "", url.Values{"grant_type": {"authorization_code"}, "client_id": {clientID}, "client_secret": {clientSecret}, "code": {"x"}}, basicAuth)
	r.want(both, 400, "error", "invalid_request")
}
