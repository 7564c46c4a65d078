package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/tenant"
)

func endpoint(owner tenant.ID, id string) notify.Endpoint {
	return notify.Endpoint{ID: id, Owner: owner, URL: "https://hooks.example/" + id, Description: "d", Events: []string{"connection.revoked"}, Status: notify.Active,
		Created: epoch(), Updated: epoch(), FailingSince: epoch().Add(time.Hour),
		Secrets: []notify.Secret{{Number: 2, Sealed: []byte{0, 255}}, {Number: 1, Sealed: []byte{1}, Until: epoch().Add(time.Minute)}}}
}

func webhookCycle(t *testing.T, s Store) {
	ctx := context.Background()
	for _, e := range []notify.Endpoint{endpoint(acme, "wh_2"), endpoint(acme, "wh_1"), endpoint(other, "wh_1"), endpoint(tenant.Deployment, "wh_3")} {
		must(t, s.PutEndpoint(ctx, e))
	}
	all, err := s.Endpoints(ctx, acme)
	must(t, err)
	first, second := endpoint(acme, "wh_1"), endpoint(acme, "wh_2")
	first.Version, second.Version = 1, 1
	same(t, "the webhooks", all, []notify.Endpoint{first, second})
	got, err := s.Endpoint(ctx, acme, "wh_1")
	must(t, err)
	same(t, "the webhook", got, first)
	_, err = s.Endpoint(ctx, acme, "wh_3")
	want(t, err, fault.NotFound)

	must(t, s.DeleteEndpoint(ctx, acme, "wh_1"))
	must(t, s.DeleteEndpoint(ctx, acme, "wh_1"))
	_, err = s.Endpoint(ctx, acme, "wh_1")
	want(t, err, fault.NotFound)
	must(t, s.AddTries(ctx, acme, "wh_2", []notify.Try{{Message: "evt_1", At: epoch()}}))
	must(t, s.DeleteEndpoints(ctx, acme))
	if all, err = s.Endpoints(ctx, acme); err != nil || len(all) != 0 {
		t.Errorf("%d webhooks are left, %v", len(all), err)
	}
	if tries, err := s.Tries(ctx, acme, "wh_2"); err != nil || len(tries) != 0 {
		t.Errorf("a trail is left: %v, %v", tries, err)
	}
	if all, err = s.Endpoints(ctx, other); err != nil || len(all) != 1 {
		t.Errorf("the other tenant has %d webhooks, %v", len(all), err)
	}
}

func webhookStale(t *testing.T, s Store) {
	ctx := context.Background()
	e := endpoint(acme, "wh_1")
	must(t, s.PutEndpoint(ctx, e))
	want(t, s.PutEndpoint(ctx, e), fault.Conflict)
	e.Version, e.Description = 1, "second"
	must(t, s.PutEndpoint(ctx, e))
	e.Description = "third"
	want(t, s.PutEndpoint(ctx, e), fault.Conflict)
	got, err := s.Endpoint(ctx, acme, "wh_1")
	must(t, err)
	if got.Description != "second" || got.Version != 2 {
		t.Errorf("%q at version %d", got.Description, got.Version)
	}
	must(t, s.DeleteEndpoint(ctx, acme, "wh_1"))
	want(t, s.PutEndpoint(ctx, got), fault.Conflict) // what was deleted does not come back
	_, err = s.Endpoint(ctx, acme, "wh_1")
	want(t, err, fault.NotFound)
}

func webhookTries(t *testing.T, s Store) {
	ctx := context.Background()
	try := func(n int) notify.Try {
		return notify.Try{Message: fmt.Sprintf("evt_%d", n), Event: "connection.revoked", At: epoch().Add(time.Duration(n) * time.Second), Outcome: notify.Failed,
			Status: 503, Reason: "http_503", Took: time.Second, Next: epoch().Add(time.Hour)}
	}
	var all []notify.Try
	for n := range notify.KeepTries + 5 {
		must(t, s.AddTries(ctx, acme, "wh_1", []notify.Try{try(n)}))
		all = append([]notify.Try{try(n)}, all...)
	}
	must(t, s.AddTries(ctx, other, "wh_1", []notify.Try{try(1000)}))
	got, err := s.Tries(ctx, acme, "wh_1")
	must(t, err)
	same(t, "the tries", got, all[:notify.KeepTries])
	if none, err := s.Tries(ctx, acme, "wh_2"); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
}
