package e2e_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
	"behalf.dev/behalf/shared/webhook"
)

type hookBody struct {
	Type      events.Type       `json:"type"`
	Timestamp time.Time         `json:"timestamp"`
	Data      events.Connection `json:"data"`
}

// read verifies a webhook and decodes it.
func read(t *testing.T, f *e2e.Fixture, h e2e.Hook, secrets ...string) hookBody {
	t.Helper()
	if err := webhook.Verify(h.Header, h.Body, f.Clock.Now(), secrets...); err != nil {
		t.Fatalf("%v: %s", err, h.Body)
	}
	var b hookBody
	if err := json.Unmarshal(h.Body, &b); err != nil {
		t.Fatal(err)
	}
	if b.Data.ID != h.Header.Get(webhook.HeaderID) || b.Data.Version != events.Version || !b.Timestamp.Equal(b.Data.Time) {
		t.Errorf("header %v, body %s", h.Header, h.Body)
	}
	return b
}

func kinds(t *testing.T, f *e2e.Fixture, hooks []e2e.Hook, secret string) []string {
	t.Helper()
	out := []string{}
	for _, h := range hooks {
		out = append(out, string(read(t, f, h, secret).Type))
	}
	slices.Sort(out)
	return out
}

func TestWebhook_LifeOfAConnection_IsToldToTheDeploymentAndToItsTenant(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	all, own, foreign, revoked := e2e.NewReceiver(t), e2e.NewReceiver(t), e2e.NewReceiver(t), e2e.NewReceiver(t)
	_, allSecret := f.Webhook(t, all, []string{"*"}, nil)
	_, ownSecret := f.Webhook(t, own, []string{"*"}, e2e.Object{"tenant": "acme"})
	f.Webhook(t, foreign, []string{"*"}, e2e.Object{"tenant": "globex"})
	_, revokedSecret := f.Webhook(t, revoked, []string{"connection.revoked"}, nil)

	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	path := "/v1/tenants/acme/connections/" + id
	f.Back(t, "POST", path+"/pause", nil).Want(t, 200)
	f.Back(t, "POST", path+"/resume", nil).Want(t, 200)
	f.Back(t, "POST", path+"/refresh", nil).Want(t, 200)
	f.Back(t, "DELETE", path, nil).Want(t, 200)
	f.Settle(t)

	want := []string{"connect_link.opened", "connection.connected", "connection.paused", "connection.provider_revocation", "connection.refreshed", "connection.resumed", "connection.revoked"}
	for name, x := range map[string]struct {
		r      *e2e.Receiver
		secret string
		want   []string
	}{"deployment": {all, allSecret, want}, "tenant": {own, ownSecret, want}, "foreign tenant": {foreign, "", []string{}}, "filtered": {revoked, revokedSecret, []string{"connection.revoked"}}} {
		if got := kinds(t, f, x.r.Hooks(), x.secret); !slices.Equal(got, x.want) {
			t.Errorf("%s was told of %v, want %v", name, got, x.want)
		}
	}
	last := read(t, f, revoked.Hooks()[0], revokedSecret)
	if last.Data.Tenant != "acme" || last.Data.Principal != "user_alice" || last.Data.Connector != "github" || last.Data.Connection != id || last.Data.Status != "revoked" {
		t.Errorf("%+v", last)
	}
	for _, h := range all.Hooks() {
		for _, leak := range []string{"gho_", "ghr_", "ghu_", allSecret, "cl_acme", "alice@"} {
			if strings.Contains(string(h.Body), leak) {
				t.Errorf("a webhook holds %q: %s", leak, h.Body)
			}
		}
	}
}

func TestWebhook_ReceiverDown_TheSameMessageComesAgainUntilItIsTaken(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	r := e2e.NewReceiver(t)
	id, secret := f.Webhook(t, r, []string{"connection.connected"}, nil)
	r.Answer(e2e.Status(500))
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Settle(t)
	for _, wait := range []time.Duration{6 * time.Second, 6 * time.Minute, 34 * time.Minute} {
		f.Clock.Advance(wait)
		f.Settle(t)
	}
	r.Answer(nil)
	f.Clock.Advance(150 * time.Minute)
	f.Settle(t)
	f.Clock.Advance(24 * time.Hour)
	f.Settle(t)
	hooks := r.Hooks()
	if len(hooks) != 5 {
		t.Fatalf("%d tries, want 5", len(hooks))
	}
	for _, h := range hooks {
		if h.Header.Get(webhook.HeaderID) != hooks[0].Header.Get(webhook.HeaderID) || string(h.Body) != string(hooks[0].Body) {
			t.Errorf("a try differs: %v %s", h.Header, h.Body)
		}
	}
	// Each try is signed anew: an old signature would be refused as replayed.
	err := webhook.Verify(hooks[4].Header, hooks[4].Body, f.Clock.Now().Add(-24*time.Hour), secret)
	if err != nil || !errors.Is(webhook.Verify(hooks[0].Header, hooks[0].Body, f.Clock.Now().Add(-24*time.Hour), secret), webhook.ErrTimestamp) {
		t.Errorf("the last try: %v", err)
	}
	got := f.Back(t, "GET", "/v1/webhooks/"+id, nil).Want(t, 200)
	var outcomes []string
	for _, d := range got.List("deliveries") {
		outcomes = append(outcomes, d["outcome"].(string))
	}
	if !slices.Equal(outcomes, []string{"delivered", "failed", "failed", "failed", "failed"}) || got.JSON["failing_since"] != nil || got.Text("status") != "active" {
		t.Errorf("%s", got.Body)
	}
	if strings.Contains(got.Body, "user_alice") {
		t.Errorf("the trail holds a body: %s", got.Body)
	}
}

func TestWebhook_NeverTaken_GoesToTheDeadQueueAfterThreeDays_AndTheEndpointIsDisabledAfterFive(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	down, watcher := e2e.NewReceiver(t), e2e.NewReceiver(t)
	id, _ := f.Webhook(t, down, []string{"connection.connected"}, e2e.Object{"tenant": "acme"})
	_, secret := f.Webhook(t, watcher, []string{"webhook.disabled"}, nil)
	down.Answer(e2e.Status(503))
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Settle(t)
	for range 20 {
		f.Clock.Advance(12 * time.Hour)
		f.Settle(t)
	}
	if n := len(down.Hooks()); n < 5 || n > 12 {
		t.Errorf("%d tries", n)
	}
	got := f.Back(t, "GET", "/v1/webhooks/"+id+"?tenant=acme", nil).Want(t, 200)
	if got.List("deliveries")[0]["outcome"] != "given_up" || got.Text("status") != "active" {
		t.Errorf("%s", got.Body)
	}
	if n := f.Messages(t, "webhooks-dead"); n != 1 {
		t.Errorf("%d messages were put aside, want 1", n)
	}

	f.Connect(t, "acme", "user_bob", "github", "bob", nil) // five days and more after the first failure
	f.Settle(t)
	got = f.Back(t, "GET", "/v1/webhooks/"+id+"?tenant=acme", nil).Want(t, 200)
	if got.Text("status") != "disabled" || got.Text("reason") != "failing" {
		t.Errorf("%s", got.Body)
	}
	if hooks := watcher.Hooks(); len(hooks) != 1 || read(t, f, hooks[0], secret).Data.Tenant != "acme" || !strings.Contains(string(hooks[0].Body), id) {
		t.Errorf("%d events say that it was disabled", len(hooks))
	}
	if records := f.Audit(t, "acme", "kind=webhook.changed"); len(records) != 2 || records[0]["reason"] != "disabled_failing" || records[0]["webhook_id"] != id {
		t.Errorf("%v", records)
	}
	before := len(down.Hooks())
	f.Connect(t, "acme", "user_carol", "github", "carol", nil)
	f.Settle(t)
	if len(down.Hooks()) != before {
		t.Error("a disabled endpoint was called")
	}
	if a := f.Back(t, "POST", "/v1/webhooks/"+id+"/test?tenant=acme", nil).Want(t, 200); a.JSON["delivered"] != false || a.Text("webhook.status") != "disabled" {
		t.Errorf("%s", a.Body)
	}
	down.Answer(nil)
	if a := f.Back(t, "POST", "/v1/webhooks/"+id+"/test?tenant=acme", nil).Want(t, 200); a.JSON["delivered"] != true || a.Text("webhook.status") != "active" {
		t.Errorf("a good test does not enable: %s", a.Body)
	}
}

func TestWebhook_Gone_IsDisabledAtOnce(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	r := e2e.NewReceiver(t)
	id, _ := f.Webhook(t, r, []string{"*"}, nil)
	r.Answer(e2e.Status(410))
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Settle(t)
	f.Clock.Advance(24 * time.Hour)
	f.Settle(t)
	got := f.Back(t, "GET", "/v1/webhooks/"+id, nil).Want(t, 200)
	if n := len(r.Hooks()); n > 3 || got.Text("status") != "disabled" || got.Text("reason") != "gone" {
		t.Errorf("%d tries, %s", n, got.Body)
	}
}

func TestWebhook_RetryAfter_IsHonoured(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	r := e2e.NewReceiver(t)
	f.Webhook(t, r, []string{"connection.connected"}, nil)
	r.Answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(429)
	})
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Settle(t)
	f.Clock.Advance(55 * time.Minute)
	f.Settle(t)
	if n := len(r.Hooks()); n != 1 {
		t.Errorf("%d tries within the hour that was asked for", n)
	}
	r.Answer(nil)
	f.Clock.Advance(6 * time.Minute)
	f.Settle(t)
	if n := len(r.Hooks()); n != 2 {
		t.Errorf("%d tries after it", n)
	}
}

func TestWebhook_SecretRotated_BothSignForADay_ThenTheNewOneAlone(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	r := e2e.NewReceiver(t)
	id, old := f.Webhook(t, r, []string{"*"}, nil)
	a := f.Back(t, "POST", "/v1/webhooks/"+id+"/rotate", nil).Want(t, 200)
	next := a.Text("secret")
	if next == "" || next == old || a.Text("old_secret_until") == "" {
		t.Fatalf("%s", a.Body)
	}
	test := func() e2e.Hook {
		f.Back(t, "POST", "/v1/webhooks/"+id+"/test", nil).Want(t, 200)
		hooks := r.Hooks()
		return hooks[len(hooks)-1]
	}
	h := test()
	for name, secret := range map[string]string{"old": old, "new": next} {
		if err := webhook.Verify(h.Header, h.Body, f.Clock.Now(), secret); err != nil {
			t.Errorf("within a day, %s secret: %v", name, err)
		}
	}
	f.Clock.Advance(25 * time.Hour)
	h = test()
	if err := webhook.Verify(h.Header, h.Body, f.Clock.Now(), next); err != nil {
		t.Error(err)
	}
	if err := webhook.Verify(h.Header, h.Body, f.Clock.Now(), old); !errors.Is(err, webhook.ErrSignature) {
		t.Errorf("the old secret signs after a day: %v", err)
	}
	// Each later look shows no secret.
	for _, path := range []string{"/v1/webhooks", "/v1/webhooks/" + id} {
		if got := f.Back(t, "GET", path, nil).Want(t, 200); strings.Contains(got.Body, "whsec_") {
			t.Errorf("%s shows a secret", path)
		}
	}
}

func TestWebhook_SlowReceiver_HoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	slow, fast := e2e.NewReceiver(t), e2e.NewReceiver(t)
	f.Webhook(t, slow, []string{"connection.connected"}, nil)
	f.Webhook(t, fast, []string{"connection.connected"}, nil)
	free := make(chan struct{})
	slow.Answer(func(w http.ResponseWriter, _ *http.Request) { <-free; w.WriteHeader(204) })
	arrived := make(chan struct{}, 1)
	fast.Answer(func(w http.ResponseWriter, _ *http.Request) { arrived <- struct{}{}; w.WriteHeader(204) })
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	select {
	case <-arrived:
	case <-time.After(5 * time.Second):
		t.Error("the fast receiver waits for the slow one")
	}
	close(free)
	f.Settle(t)
	if len(slow.Hooks()) != 1 || len(fast.Hooks()) != 1 {
		t.Errorf("%d and %d webhooks, want one each: what failed beside another must not repeat that one", len(slow.Hooks()), len(fast.Hooks()))
	}
}

func TestWebhook_LinkEvents_SayDeniedAndMismatch(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	r := e2e.NewReceiver(t)
	_, secret := f.Webhook(t, r, []string{"connect_link.opened", "connect_link.consent_denied", "connect_link.user_mismatch"}, nil)
	l := f.Link(t, "acme", "user_alice", "github", nil)
	b := f.NewBrowser(t)
	b.Open(t, b.Consent(t, l.Text("url"), "alice", "deny")).Want(t, 303)
	f.Confirm(t, f.Parked(t, "acme", "user_alice", "github", "alice", nil), "user_mallory").Want(t, 403)
	f.Settle(t)
	want := []string{"connect_link.consent_denied", "connect_link.opened", "connect_link.opened", "connect_link.user_mismatch"}
	if got := kinds(t, f, r.Hooks(), secret); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWebhook_KeyOfOneTenant_SeesItsOwnAlone(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	r := e2e.NewReceiver(t)
	wide, _ := f.Webhook(t, r, []string{"*"}, nil)
	foreign, _ := f.Webhook(t, r, []string{"*"}, e2e.Object{"tenant": "globex"})
	key := f.Back(t, "POST", "/v1/api-keys", e2e.Object{"name": "acme", "permissions": []string{"webhooks:read", "webhooks:write"}, "tenant": "acme"}).Want(t, 201).Text("key")
	reader := f.Back(t, "POST", "/v1/api-keys", e2e.Object{"name": "reader", "permissions": []string{"webhooks:read"}}).Want(t, 201).Text("key")
	as := func(token, method, path string, body any) e2e.Answer {
		return f.Do(t, e2e.Request{Method: method, Path: path, Token: token, Body: body})
	}
	own := as(key, "POST", "/v1/webhooks", e2e.Object{"url": r.URL, "events": []string{"*"}}).Want(t, 201)
	if own.Text("tenant") != "acme" {
		t.Errorf("%s", own.Body)
	}
	if got := as(key, "GET", "/v1/webhooks", nil).Want(t, 200).List("webhooks"); len(got) != 1 || got[0]["id"] != own.Text("id") {
		t.Errorf("%v", got)
	}
	for _, path := range []string{"/v1/webhooks/" + wide, "/v1/webhooks/" + foreign, "/v1/webhooks/" + wide + "?tenant=acme"} {
		as(key, "GET", path, nil).Want(t, 404)
		as(key, "DELETE", path, nil).Want(t, 404)
	}
	for _, path := range []string{"/v1/webhooks?tenant=globex", "/v1/webhooks/" + foreign + "?tenant=globex", "/v1/webhooks?tenant=_deployment"} {
		if a := as(key, "GET", path, nil); a.Status < 400 {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
	}
	as(key, "POST", "/v1/webhooks", e2e.Object{"url": r.URL, "events": []string{"*"}, "tenant": "globex"}).WantRefused(t)
	as(reader, "GET", "/v1/webhooks/"+wide, nil).Want(t, 200)
	for _, path := range []string{"/test", "/rotate"} {
		as(reader, "POST", "/v1/webhooks/"+wide+path, nil).Want(t, 403)
	}
	as(reader, "DELETE", "/v1/webhooks/"+wide, nil).Want(t, 403)
}

// What fails on our side comes again and costs the receiver none of its tries; what went well beside it is not repeated.
func TestWebhook_OurSideFails_EachIsDeliveredInTheEnd(t *testing.T) {
	t.Parallel()
	var log sink
	f := e2e.Start(t, e2e.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	one, two := e2e.NewReceiver(t), e2e.NewReceiver(t)
	first, secret := f.Webhook(t, one, []string{"connection.connected"}, nil)
	f.Webhook(t, two, []string{"connection.connected"}, nil)
	id := f.Parked(t, "acme", "user_alice", "github", "alice", nil)
	f.Settle(t)
	// The next reads of one endpoint fail, those of the other work.
	fault := f.Account().Faults().FailBefore("dynamodb:GetItem", 4, func(body []byte) bool { return strings.Contains(string(body), first) })
	f.Confirm(t, id, "user_alice").Want(t, 200)
	f.Settle(t)
	for range 12 {
		f.Clock.Advance(time.Minute)
		f.Settle(t)
	}
	if fault.Hits() != 4 || len(one.Hooks()) != 1 || len(two.Hooks()) != 1 {
		t.Errorf("%d failures, %d and %d webhooks", fault.Hits(), len(one.Hooks()), len(two.Hooks()))
	}
	if text := log.text(); strings.Contains(text, secret) || strings.Contains(text, strings.TrimPrefix(secret, "whsec_")) {
		t.Error("the log holds the secret")
	}
}

func TestWebhook_TenantDeleted_TakesItsWebhooksAlong(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	r := e2e.NewReceiver(t)
	f.Webhook(t, r, []string{"*"}, e2e.Object{"tenant": "acme"})
	f.Back(t, "DELETE", "/v1/tenants/acme", nil).Want(t, 200)
	f.Settle(t)
	f.Back(t, "GET", "/v1/webhooks?tenant=acme", nil).WantCode(t, "not_found")
	f.Back(t, "POST", "/v1/webhooks", e2e.Object{"url": r.URL, "events": []string{"*"}, "tenant": "acme"}).WantCode(t, "not_found")
	if n := len(r.Hooks()); n != 0 {
		t.Errorf("%d webhooks of a tenant that had nothing", n)
	}
}

func TestWebhook_RefreshFails_DelayIsToldOnce_ThenTheNeedForConsent(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	r := e2e.NewReceiver(t)
	_, secret := f.Webhook(t, r, []string{"connection.refresh_delayed", "connection.reauthorization_required"}, nil)
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindRefresh, Mode: "status:503", Times: 40})
	for range 5 {
		f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil)
		f.Settle(t)
	}
	hooks := r.Hooks()
	if len(hooks) != 1 {
		t.Fatalf("told %d times", len(hooks))
	}
	if d := read(t, f, hooks[0], secret); d.Type != events.ConnectionRefreshDelayed || d.Data.Failures != 3 || d.Data.Reason == "" || d.Data.Connection != id || !d.Data.RetryAt.After(d.Data.Time) {
		t.Errorf("%+v", d)
	}
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindRefresh, Mode: "error:bad_refresh_token", Times: 4})
	f.Clock.Advance(time.Hour)
	f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil)
	f.Settle(t)
	hooks = r.Hooks()
	if len(hooks) != 2 {
		t.Fatalf("told %d times", len(hooks))
	}
	if d := read(t, f, hooks[1], secret); d.Type != events.ConnectionReauthorization || d.Data.Status != "reauthorization_required" || d.Data.Reason != "revoked_by_provider" {
		t.Errorf("%+v", d)
	}
}
