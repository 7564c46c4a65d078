package emulator_test

import (
	"net/http"
	"testing"

	"behalf.dev/behalf/integration/emulator"
)

func (r *rig) fail(provider string, faults ...emulator.Fault) {
	r.Helper()
	r.change(provider, emulator.SettingsChange{FailNext: &faults})
}

// lastCall returns the newest log line.
func (r *rig) lastCall(provider string) emulator.Call {
	r.Helper()
	report, err := r.srv.Calls(provider, 0)
	if err != nil || len(report.Calls) == 0 {
		r.Fatalf("calls: %v (%v)", report, err)
	}
	return report.Calls[len(report.Calls)-1]
}

func TestFault_LostReply_RotatesAndCutsTheConnection(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("github", "repo"), "alice")
	r.fail("github", emulator.Fault{Kind: emulator.KindRefresh, Mode: emulator.ModeLostReply})
	if a, err := r.refresh("github", tok.RefreshToken); err == nil {
		t.Fatalf("got an answer: %d %s", a.status, a.text)
	}
	if c := r.lastCall("github"); c.Outcome != "lost_reply" || c.Status != 0 || c.Login != "alice" || c.Kind != emulator.KindRefresh {
		t.Errorf("log = %+v", c)
	}
	r.want(r.mustRefresh("github", tok.RefreshToken), 200, "error", "bad_refresh_token")
	if n, _ := r.srv.Counters("github"); n.Refreshes != 1 || n.RefreshReuses != 1 {
		t.Errorf("counters = %+v", n)
	}
}

func TestFault_LostReply_OnAPIWrite_LeavesTheWriteBehind(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("github", "repo"), "alice").AccessToken
	r.fail("github", emulator.Fault{Kind: emulator.KindAPI, Mode: emulator.ModeLostReply})
	const issues = "/github/api/repos/acme/billing/issues"
	if _, err := r.send("POST", issues, tok, map[string]any{"title": "once"}); err == nil {
		t.Fatal("got an answer")
	}
	r.want(r.do("GET", issues, tok, nil), 200, "0.title", "once")
}

func TestFault_DropBefore_ChangesNothing(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("github", "repo"), "alice")
	r.fail("github", emulator.Fault{Kind: emulator.KindRefresh, Mode: emulator.ModeDropBefore, Times: 2})
	for range 2 {
		if _, err := r.refresh("github", tok.RefreshToken); err == nil {
			t.Fatal("got an answer")
		}
	}
	if c := r.lastCall("github"); c.Outcome != "drop_before" {
		t.Errorf("log = %+v", c)
	}
	r.want(r.mustRefresh("github", tok.RefreshToken), 200, "token_type", "bearer")
}

func TestFault_Answers_AreInTheProvidersOwnWords(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		provider string
		fault    emulator.Fault
		status   int
		path     string
		value    string
	}{
		"github refresh 503":      {"github", emulator.Fault{Kind: emulator.KindRefresh, Mode: "status:503"}, 503, "message", "Service Unavailable"},
		"github refresh coded":    {"github", emulator.Fault{Kind: emulator.KindRefresh, Mode: "error:unverified_user_email"}, 200, "error", "unverified_user_email"},
		"github refresh 429":      {"github", emulator.Fault{Kind: emulator.KindRefresh, Mode: "status:429", RetryAfter: 3}, 429, "status", "429"},
		"slack refresh 503":       {"slack", emulator.Fault{Kind: emulator.KindRefresh, Mode: "status:503", RetryAfter: 3}, 503, "error", "service_unavailable"},
		"slack refresh 429":       {"slack", emulator.Fault{Kind: emulator.KindRefresh, Mode: "status:429", RetryAfter: 3}, 429, "error", "ratelimited"},
		"slack refresh coded":     {"slack", emulator.Fault{Kind: emulator.KindRefresh, Mode: "error:internal_error"}, 200, "error", "internal_error"},
		"salesforce refresh 503":  {"salesforce", emulator.Fault{Kind: emulator.KindRefresh, Mode: "status:503"}, 503, "error", "unknown_error"},
		"salesforce refresh 429":  {"salesforce", emulator.Fault{Kind: emulator.KindRefresh, Mode: "status:429", RetryAfter: 3}, 429, "error", "rate_limit_exceeded"},
		"salesforce refresh code": {"salesforce", emulator.Fault{Kind: emulator.KindRefresh, Mode: "error:inactive_org"}, 400, "error", "inactive_org"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			tok := r.signIn(r.config(tc.provider, "refresh_token"), "alice")
			r.fail(tc.provider, tc.fault)
			got := r.mustRefresh(tc.provider, tok.RefreshToken)
			r.want(got, tc.status, tc.path, tc.value)
			if tc.fault.RetryAfter > 0 && got.header.Get("Retry-After") != "3" {
				t.Errorf("Retry-After = %q", got.header.Get("Retry-After"))
			}
			if again := r.mustRefresh(tc.provider, tok.RefreshToken); again.at("access_token") == "<nil>" {
				t.Errorf("the fault did not end, or it used the token up: %s", again.text)
			}
		})
	}
}

func TestFault_RateLimitedAPI_GitHub403AndSalesforce403(t *testing.T) {
	t.Parallel()
	r := start(t)
	gh := r.signIn(r.config("github", "repo"), "alice").AccessToken
	r.fail("github", emulator.Fault{Kind: emulator.KindAPI, Mode: emulator.ModeRateLimited})
	got := r.do("GET", "/github/api/user", gh, nil)
	r.want(got, http.StatusForbidden, "message", "API rate limit exceeded for user.")
	if got.header.Get("X-RateLimit-Remaining") != "0" || got.header.Get("X-RateLimit-Reset") == "" {
		t.Errorf("headers = %v", got.header)
	}
	sf := r.signIn(r.config("salesforce", sfScopes()...), "alice")
	r.fail("salesforce", emulator.Fault{Kind: emulator.KindAPI, Mode: emulator.ModeRateLimited})
	r.want(r.do("GET", extra(sf, "instance_url")+"/services/data/v64.0/query?q=x", sf.AccessToken, nil), 403, "0.errorCode", "REQUEST_LIMIT_EXCEEDED")
}

func TestFault_Revocation_FailsThenSucceeds(t *testing.T) {
	t.Parallel()
	r := start(t)
	tok := r.signIn(r.config("github", "repo"), "alice")
	r.fail("github", emulator.Fault{Kind: emulator.KindRevoke, Mode: "status:503"})
	const grant = "/github/api/applications/" + clientID + "/grant"
	r.want(r.do("DELETE", grant, "", map[string]any{"access_token": tok.AccessToken}, basicAuth), 503, "", "")
	r.want(r.do("DELETE", grant, "", map[string]any{"access_token": tok.AccessToken}, basicAuth), 204, "", "")
}

func TestFault_Login_HitsOnlyThatPerson(t *testing.T) {
	t.Parallel()
	r := start(t)
	alice := r.signIn(r.config("github", "repo"), "alice").AccessToken
	bob := r.signIn(r.config("github", "repo"), "bob").AccessToken
	r.fail("github", emulator.Fault{Kind: emulator.KindAPI, Mode: "status:500", Login: "bob"})
	r.want(r.do("GET", "/github/api/user", alice, nil), 200, "login", "alice")
	r.want(r.do("GET", "/github/api/user", bob, nil), 500, "", "")
	r.want(r.do("GET", "/github/api/user", bob, nil), 200, "login", "bob")
}

func TestSettings_Wrong_AreRefusedWhole(t *testing.T) {
	t.Parallel()
	r := start(t)
	before, _ := r.srv.Settings("github")
	for name, ch := range map[string]emulator.SettingsChange{
		"rotation": {Rotation: new("sometimes"), AccessTTLSeconds: new(1)},
		"reuse":    {OnReuse: new("x"), AccessTTLSeconds: new(1)},
		"negative": {AccessTTLSeconds: new(-1)},
		"code ttl": {CodeTTLSeconds: new(601)},
		"kind":     {AccessTTLSeconds: new(1), FailNext: &[]emulator.Fault{{Kind: "x", Mode: emulator.ModeSlow}}},
		"mode":     {AccessTTLSeconds: new(1), FailNext: &[]emulator.Fault{{Kind: emulator.KindAPI, Mode: "status:200"}}},
	} {
		if _, err := r.srv.ChangeSettings("github", ch); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if after, _ := r.srv.Settings("github"); after.Settings != before.Settings || len(after.FailNext) != 0 {
		t.Errorf("settings changed: %+v", after)
	}
}

// Go's transport repeats a GET, and a POST with an Idempotency-Key, on its own
// when a kept-alive connection is cut: the caller sees success, the log two calls.
func TestFault_DropBefore_GoTransportRepeatsIdempotentRequests(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*http.Request){
		"GET":  func(req *http.Request) { req.Method = "GET"; req.Body, req.GetBody = http.NoBody, nil },
		"POST": func(req *http.Request) { req.Header.Set("Idempotency-Key", "k") },
	} {
		r := start(t)
		tok := r.signIn(r.config("slack", slackScopes), "alice").AccessToken
		before, _ := r.srv.Counters("slack")
		r.fail("slack", emulator.Fault{Kind: emulator.KindAPI, Mode: emulator.ModeDropBefore})
		r.want(r.do("POST", "/slack/api/auth.test", tok, nil, edit), 200, "ok", "true")
		if after, _ := r.srv.Counters("slack"); after.APICalls != before.APICalls+2 {
			t.Errorf("%s: %d calls", name, after.APICalls-before.APICalls)
		}
	}
}
