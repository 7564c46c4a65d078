package keyring_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"behalf.dev/behalf/shared/keyring"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/tenant"
)

func TestReseal_WebhookSecrets_BothAreRenewed_ThenTheOldKeyGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(1)
	w.rotate()
	w.signs("acme", 1)
	w.reseal(keyring.Order{})
	w.signs("acme", 2)
	w.now = w.now.Add(keyring.RetireAfter)
	w.reseal(keyring.Order{})
	w.wantVersions(2)
	w.signs("acme", 2)
}

func TestReseal_TheDeploymentsWebhooks_AreRenewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.store.PutEndpoint(t.Context(), w.endpoint(tenant.Deployment, 1)))
	_, err := w.vault.Rotate(t.Context(), tenant.Deployment, "", keyring.Purposes(tenant.Deployment)...)
	w.must(err)
	if r, err := w.ring.Reseal(t.Context(), keyring.Order{Tenant: tenant.Deployment}); err != nil || r.Resealed != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	w.signs(tenant.Deployment, 2)
}

// moving is a store whose endpoint somebody rotates, or deletes, between the read of a walk and its write.
type moving struct {
	keyring.Webhooks
	meanwhile func()
}

// Endpoints implements keyring.Webhooks.
func (m moving) Endpoints(ctx context.Context, owner tenant.ID) ([]notify.Endpoint, error) {
	out, err := m.Webhooks.Endpoints(ctx, owner)
	m.meanwhile()
	return out, err
}

func TestReseal_WebhookChangedOrDeletedMeanwhile_IsLeftAlone_AndItsVersionKept(t *testing.T) {
	t.Parallel()
	for name, deleted := range map[string]bool{"changed": false, "deleted": true} {
		w := newWorld(t)
		w.connect(1)
		w.rotate()
		w.now = w.now.Add(keyring.RetireAfter)
		w.ring.Webhooks = moving{w.store, func() {
			e, err := w.store.Endpoint(t.Context(), "acme", "wh_1")
			w.must(err)
			if deleted {
				w.must(w.store.DeleteEndpoint(t.Context(), "acme", "wh_1"))
				return
			}
			e.Description = "changed"
			w.must(w.store.PutEndpoint(t.Context(), e))
		}}
		r, err := w.ring.Reseal(t.Context(), keyring.Order{Tenant: "acme"})
		if err != nil || r.Skipped != 1 || len(r.Retired) != 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		left, err := w.store.Endpoints(t.Context(), "acme")
		if err != nil || deleted && len(left) > 0 || !deleted && (len(left) != 1 || left[0].Description != "changed") {
			t.Errorf("%s: %+v, %v", name, left, err)
		}
		w.ring.Webhooks = w.store
		w.now = w.now.Add(time.Hour)
		w.reseal(keyring.Order{})
		if !deleted {
			w.signs("acme", 2)
		}
		if got := fmt.Sprint(w.versions()["wh"]); deleted && got != "[2]" {
			t.Errorf("%s: versions %s", name, got)
		}
	}
}
