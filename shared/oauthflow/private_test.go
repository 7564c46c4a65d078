package oauthflow_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/xoauth2"
)

// TestConfirm_ProviderHostIsInside_IsNotReached puts the production guard under a flow whose provider's hosts resolve to
// loopback, as those of a hostile folder or a rebound name would: neither code nor token is sent, and nothing is active.
func TestConfirm_ProviderHostIsInside_IsNotReached(t *testing.T) {
	t.Parallel()
	reached := false
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer inside.Close()
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	for _, host := range []string{"https://localhost" + port, "https://127.0.0.1" + port, "https://[::1]" + port, "https://[::ffff:127.0.0.1]" + port} {
		for _, part := range []string{"token", "identity"} {
			w := newWorld(t)
			guard := egress.New(egress.Options{})
			if part == "token" {
				w.flow.Endpoint = xoauth2.New(guard.HTTP(), w.flow.Now)
			} else {
				w.flow.Provider = guard
			}
			cat, err := connectors.Load(catalog.WithHosts(catalog.Hosts{"github": {"web": host, "api": host}}))
			if err != nil {
				t.Fatal(err)
			}
			w.flow.Connector = cat.Connector
			l := w.parked(nil)
			_, err = w.flow.Confirm(t.Context(), l, "user_alice", "k")
			if !fault.Is(err, fault.ProviderError) && !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.PolicyDenied) {
				t.Errorf("%s of %s: %v", part, host, err)
			}
			if got := w.link(l.ID); got.Status != oauthflow.LinkFailed || got.Code != nil {
				t.Errorf("%s of %s: link %s", part, host, got.Status)
			}
			c, err := w.store.Connection(t.Context(), connection.Ref{Scope: alice, Connector: "github", ID: l.Connection})
			if err != nil || c.Status != connection.Pending {
				t.Errorf("%s of %s: %v %v", part, host, c.Status, err)
			}
		}
	}
	if reached {
		t.Error("a request arrived inside")
	}
}
