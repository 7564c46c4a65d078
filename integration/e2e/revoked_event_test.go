package e2e_test

import (
	"slices"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

// Access ends at once; a provider that is down for a while must not keep that from those who want to know.
func TestWebhook_ProviderIsDownAtARevocation_RevokedIsToldAtOnce_TheAnswerLater(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	r := e2e.NewReceiver(t)
	_, secret := f.Webhook(t, r, []string{"connection.revoked", "connection.provider_revocation"}, nil)
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	began := f.Clock.Now()
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindRevoke, Mode: "status:503", Times: 2})
	f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil)
	f.Settle(t)
	hooks := r.Hooks()
	if got := kinds(t, f, hooks, secret); !slices.Equal(got, []string{"connection.revoked"}) {
		t.Fatalf("told of %v while the provider is down", got)
	}
	if d := read(t, f, hooks[0], secret).Data; d.Status != "revoked" || d.ProviderRevocation != "pending" || d.Connection != id {
		t.Errorf("%+v", d)
	}
	for len(r.Hooks()) < 2 && f.Clock.Now().Before(began.Add(20*time.Minute)) {
		f.Clock.Advance(2 * time.Minute)
		f.Settle(t)
	}
	hooks = r.Hooks()
	if len(hooks) != 2 {
		t.Fatalf("%d webhooks in the end", len(hooks))
	}
	if b := read(t, f, hooks[1], secret); b.Type != "connection.provider_revocation" || b.Data.ProviderRevocation != "revoked" {
		t.Errorf("%+v", b)
	}
}

func TestKeys_RotateReseal_WebhooksAreSignedAsBefore(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	r := e2e.NewReceiver(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	id, secret := f.Webhook(t, r, []string{"*"}, e2e.Object{"tenant": "acme"})
	f.Back(t, "POST", "/v1/tenants/acme/keys/rotate", nil).Want(t, 200)
	if resealed, _ := walkKeys(t, f, "acme", 0); resealed != 2 { // a slot and the webhook
		t.Errorf("%d records re-sealed", resealed)
	}
	f.Clock.Advance(time.Hour)
	walkKeys(t, f, "acme", 2*time.Hour)
	f.Clock.Advance(time.Hour)
	if _, retired := walkKeys(t, f, "acme", 2*time.Hour); !slices.Contains(retired, "wh/1") {
		t.Errorf("retired %v", retired)
	}
	f.Clock.Advance(20 * time.Minute)
	f.Back(t, "POST", "/v1/webhooks/"+id+"/test?tenant=acme", nil).Want(t, 200)
	hooks := r.Hooks()
	if len(hooks) == 0 {
		t.Fatal("nothing came")
	}
	read(t, f, hooks[len(hooks)-1], secret)
}
