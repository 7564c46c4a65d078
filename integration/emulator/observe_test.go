package emulator_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/emulator"
)

func TestObservation_NeverShowsATokenCodeOrSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := startWith(t, emulator.Options{Dir: dir})
	for _, provider := range []string{"github", "slack", "salesforce"} {
		for _, login := range []string{"alice", "bob", "carol", "dave"} {
			tok := r.signIn(r.config(provider, "repo", "api", "refresh_token", "chat:write"), login)
			r.mustRefresh(provider, tok.RefreshToken)
			// A careless caller puts the token where it does not belong.
			r.do("GET", "/"+provider+"/api/repos/"+tok.AccessToken, tok.AccessToken, nil,
				func(req *http.Request) { req.Header.Set("Idempotency-Key", tok.RefreshToken) })
			r.do("POST", "/"+provider+"/api/x?token="+tok.AccessToken, tok.AccessToken, nil)
		}
	}
	if len(r.issued.list) < 40 {
		t.Fatalf("only %d secrets seen: the test would prove nothing", len(r.issued.list))
	}
	if err := r.srv.Close(); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"providers": r.do("GET", "/_emulator/providers", "", nil).text}
	for _, provider := range []string{"github", "slack", "salesforce"} {
		for _, view := range []string{"calls", "counters", "tokens", "settings"} {
			a := r.do("GET", "/_emulator/"+provider+"/"+view, "", nil)
			r.want(a, 200, "", "")
			texts[provider+" "+view] = a.text
		}
		kept, err := os.ReadFile(filepath.Join(dir, provider+".json"))
		if err != nil {
			t.Fatal(err)
		}
		texts[provider+" file"] = string(kept)
	}
	for where, text := range texts {
		for _, secret := range append(r.issued.list, clientSecret) {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %.8s…", where, secret)
			}
		}
	}
	if !strings.Contains(texts["github calls"], "/github/api/repos/[") {
		t.Error("the careless call is not in the log at all")
	}
}

func TestObservation_Calls_NamePersonTokenAndIdempotencyKey(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("github", "repo"), "bob")
	before, err := r.admin.Calls(t.Context(), "github", 0)
	if err != nil {
		t.Fatal(err)
	}
	r.do("GET", "/github/api/user?secret=1", tok.AccessToken, nil, func(req *http.Request) { req.Header.Set("Idempotency-Key", "key-7") })
	after, err := r.admin.Calls(t.Context(), "github", before.Last)
	if err != nil || len(after.Calls) != 1 {
		t.Fatalf("calls = %+v (%v)", after, err)
	}
	c := after.Calls[0]
	if c.Seq != before.Last+1 || c.Kind != emulator.KindAPI || c.Method != "GET" || c.Path != "/github/api/user" || c.Status != 200 ||
		c.Login != "bob" || c.ClientID != clientID || c.Outcome != "ok" || c.Idempotency["Idempotency-Key"] != "key-7" || !c.Time.Equal(r.clock.now()) {
		t.Errorf("call = %+v", c)
	}
	views, err := r.admin.Tokens(t.Context(), "github")
	if err != nil || len(views) != 1 || len(views[0].Tokens) != 2 {
		t.Fatalf("tokens = %+v (%v)", views, err)
	}
	if access := views[0].Tokens[0]; access.Fingerprint != c.Fingerprint || access.State != "live" || access.ExpiresAt == nil {
		t.Errorf("token = %+v, call fingerprint %s", access, c.Fingerprint)
	}
	kinds := []emulator.Kind{}
	for _, c := range before.Calls {
		kinds = append(kinds, c.Kind)
	}
	if len(kinds) != 3 || kinds[0] != emulator.KindAuthorize || kinds[1] != emulator.KindAuthorize || kinds[2] != emulator.KindToken {
		t.Errorf("kinds = %v", kinds)
	}
}

func TestObservation_ExpireAndRevoke_ShowInTokens(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("salesforce", sfScopes()...), "alice")
	bob := r.signIn(r.config("salesforce", sfScopes()...), "bob")
	if err := r.admin.Expire(t.Context(), "salesforce", "alice"); err != nil {
		t.Fatal(err)
	}
	me := extra(tok, "instance_url") + "/services/oauth2/userinfo"
	r.want(r.do("GET", me, tok.AccessToken, nil), 403, "", "")
	r.want(r.do("GET", me, bob.AccessToken, nil), 200, "", "")
	if err := r.admin.RevokeGrant(t.Context(), "salesforce", "alice"); err != nil {
		t.Fatal(err)
	}
	r.want(r.mustRefresh("salesforce", tok.RefreshToken), 400, "error", "invalid_grant")
	views, _ := r.admin.Tokens(t.Context(), "salesforce")
	if len(views) != 2 || !views[0].Revoked || views[0].Why != "revoked_by_person" || views[1].Revoked {
		t.Errorf("grants = %+v", views)
	}
}

func TestAdmin_WrongRequests_AreRefused(t *testing.T) {
	t.Parallel()
	r := start(t)
	for name, tc := range map[string]struct {
		method, path string
		body         any
		status       int
	}{
		"provider":      {"GET", "nope/calls", nil, 404},
		"person":        {"POST", "github/expire", map[string]any{"login": "mallory"}, 404},
		"unknown field": {"POST", "github/settings", map[string]any{"acess_ttl_seconds": 1}, 400},
		"since":         {"GET", "github/calls?since=x", nil, 400},
		"no secret":     {"POST", "github/clients", map[string]any{"client_id": "x", "redirect_uris": []string{callback}}, 400},
		"relative uri":  {"POST", "github/clients", map[string]any{"client_id": "x", "client_secret": "y", "redirect_uris": []string{"/cb"}}, 400},
		"bad mode":      {"POST", "github/settings", map[string]any{"fail_next": []any{map[string]any{"kind": "api", "mode": "explode"}}}, 400},
	} {
		if a := r.do(tc.method, "/_emulator/"+tc.path, "", tc.body); a.status != tc.status {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
}

func TestAdmin_Strangers_AreShutOut(t *testing.T) {
	t.Parallel()
	r := start(t)
	for name, edit := range map[string]func(*http.Request){
		"other machine": func(req *http.Request) { req.RemoteAddr = "192.0.2.7:1234" },
		"rebound name":  func(req *http.Request) { req.Host = "attacker.example" },
		"other origin":  func(req *http.Request) { req.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		req := httptest.NewRequest("POST", "http://127.0.0.1/_emulator/reset", nil)
		req.RemoteAddr = "127.0.0.1:1234"
		edit(req)
		rec := httptest.NewRecorder()
		r.srv.ServeHTTP(rec, req)
		if rec.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, rec.Code)
		}
	}
}

func TestServer_Restart_KeepsClientsAndGrants(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := startWith(t, emulator.Options{Dir: dir})
	if err := r.admin.RegisterClient(t.Context(), "slack", emulator.ClientRegistration{ClientID: "late", ClientSecret: "x", RedirectURIs: []string{callback}}); err != nil {
		t.Fatal(err)
	}
	tok := r.signIn(r.config("slack", "channels:read"), "carol")
	if err := r.srv.Close(); err != nil {
		t.Fatal(err)
	}
	again := startWith(t, emulator.Options{Dir: dir})
	again.want(again.do("POST", "/slack/api/auth.test", tok.AccessToken, nil), 200, "user", "carol")
	again.want(again.mustRefresh("slack", tok.RefreshToken), 200, "ok", "true")
	page := again.do("GET", "/slack/oauth/v2/authorize?client_id=late&scope=x", "", nil)
	again.want(page, 200, "", "")
	if err := os.WriteFile(filepath.Join(dir, "slack.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := emulator.New(emulator.Options{Dir: dir}); err == nil {
		t.Error("a broken file was accepted")
	}
}

func TestServer_Reset_ForgetsAllButTheConfiguredClients(t *testing.T) {
	t.Parallel()
	r := start(t)
	late := emulator.ClientRegistration{ClientID: "late", ClientSecret: "x", RedirectURIs: []string{callback}}
	if err := r.srv.RegisterClient("github", late); err != nil {
		t.Fatal(err)
	}
	tok := r.signIn(r.config("github", "repo"), "alice")
	r.change("github", emulator.SettingsChange{AccessTTLSeconds: new(5)})
	if err := r.admin.Reset(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	r.want(r.do("GET", "/github/api/user", tok.AccessToken, nil), 401, "", "")
	r.want(r.do("GET", "/github/login/oauth/authorize?client_id=late", "", nil), 200, "", "")
	if s, _ := r.srv.Settings("github"); s.AccessTTLSeconds != 28800 {
		t.Errorf("settings survived: %+v", s)
	}
	if err := r.admin.Reset(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	r.want(r.do("GET", "/github/login/oauth/authorize?client_id=late", "", nil), 400, "", "")
	r.want(r.do("GET", "/github/login/oauth/authorize?client_id="+clientID, "", nil), 200, "", "")
	if list, err := r.admin.Providers(t.Context()); err != nil || len(list) < 4 || len(list[0].People) < 3 {
		t.Errorf("providers = %+v (%v)", list, err)
	}
}

func TestServer_MaxGrants_DropsTheOldest(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.change("salesforce", emulator.SettingsChange{MaxGrants: new(2)})
	cfg := r.config("salesforce", sfScopes()...)
	first := r.signIn(cfg, "alice")
	r.clock.add(1e9)
	second := r.signIn(cfg, "alice")
	r.clock.add(1e9)
	r.signIn(cfg, "alice")
	r.want(r.mustRefresh("salesforce", first.RefreshToken), 400, "error", "invalid_grant")
	r.want(r.mustRefresh("salesforce", second.RefreshToken), 200, "token_type", "Bearer")
}
