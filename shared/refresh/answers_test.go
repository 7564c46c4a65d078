package refresh_test

import (
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/refresh"
)

// What the provider answers, and what becomes of the connection at once and in the end.
func TestRefresh_ProviderFails_StatusSaysTheTruth(t *testing.T) {
	dead, unknown := refresh.ReasonRevokedByProvider, refresh.ReasonOutcomeUnknown
	for _, x := range []struct {
		name, class string
		act         func(int) behaviour
		first       connection.RefreshStatus
		reason      string
		end         connection.Status
		endReason   string
	}{
		{"invalid_grant", static, on(says(catalog.OutcomeDead, "invalid_grant", 0), 1), connection.RefreshNeedsReauth, dead, connection.ReauthorizationRequired, dead},
		{"invalid_grant", strict, on(says(catalog.OutcomeDead, "invalid_grant", 0), 1), connection.RefreshNeedsReauth, dead, connection.ReauthorizationRequired, dead},
		{"503", strict, on(says(catalog.OutcomeTransient, "http_503", 0), 1), connection.RefreshDelayed, "http_503", connection.Active, ""},
		{"429", grace, on(says(catalog.OutcomeTransient, "rate_limited", 90*time.Second), 1), connection.RefreshDelayed, "rate_limited", connection.Active, ""},
		{"client misconfigured", static, on(says(catalog.OutcomeConfig, "invalid_client", 0), 1), connection.RefreshDelayed, "invalid_client", connection.Active, ""},
		{"unreachable", strict, on(refuse, 1), connection.RefreshDelayed, "provider_unavailable", connection.Active, ""},
		{"request lost, then fine", static, on(swallow, 1), connection.RefreshDelayed, "provider_unavailable", connection.Active, ""},
		{"answer lost, then fine", static, on(lose, 1), connection.RefreshDelayed, "provider_unavailable", connection.Active, ""},
		{"answer lost, asked again in grace", grace, on(lose, 1), connection.RefreshDelayed, "provider_unavailable", connection.Active, ""},
		{"request lost, one repetition", strict, on(swallow, 1), connection.RefreshRefreshed, "", connection.Active, ""},
		{"answer lost, one repetition", strict, on(lose, 1), connection.RefreshNeedsReauth, unknown, connection.ReauthorizationRequired, unknown},
		{"503, then invalid_grant", strict, func(n int) behaviour {
			return []behaviour{nil, says(catalog.OutcomeTransient, "http_503", 0), says(catalog.OutcomeDead, "invalid_grant", 0)}[min(n, 2)]
		}, connection.RefreshDelayed, "http_503", connection.ReauthorizationRequired, dead},
		{"answer lost, grace over", grace, func(n int) behaviour {
			return []behaviour{nil, lose, says(catalog.OutcomeTransient, "http_503", time.Minute), nil}[min(n, 3)]
		}, connection.RefreshDelayed, "provider_unavailable", connection.ReauthorizationRequired, unknown},
		{"answer lost, then invalid_grant", static, func(n int) behaviour {
			return []behaviour{nil, lose, says(catalog.OutcomeDead, "invalid_grant", 0)}[min(n, 2)]
		}, connection.RefreshDelayed, "provider_unavailable", connection.ReauthorizationRequired, dead},
		{"two answers lost", strict, on(lose, 1, 2), connection.RefreshNeedsReauth, unknown, connection.ReauthorizationRequired, unknown},
		{"answer lost, then 503", strict, func(n int) behaviour {
			return []behaviour{nil, lose, says(catalog.OutcomeTransient, "http_503", 0), nil}[min(n, 3)]
		}, connection.RefreshDelayed, "http_503", connection.ReauthorizationRequired, unknown},
		{"answer lost, then unreachable", strict, func(n int) behaviour { return []behaviour{nil, lose, refuse, nil}[min(n, 3)] },
			connection.RefreshDelayed, "provider_unavailable", connection.ReauthorizationRequired, unknown},
	} {
		t.Run(x.name+"/"+x.class, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newWorld(t, x.class)
				w.provider.act = x.act
				if x.endReason == dead {
					w.provider.gone = true
				}
				res, err := w.worker(nil).run(connection.RefreshRequest{})
				w.want(res, err, x.first, x.reason)
				if res.Status == connection.RefreshDelayed {
					w.wantPause(res, x.reason)
				}
				w.settle()
				if c := w.current(); c.Status != x.end || c.Reason != x.endReason {
					t.Errorf("it ends %s (%s), want %s (%s)", c.Status, c.Reason, x.end, x.endReason)
				}
				w.wantTruth()
			})
		})
	}
}

// wantPause checks that a failure is waited out, by everybody but who insists.
func (w *world) wantPause(res connection.RefreshResult, reason string) {
	w.t.Helper()
	least := map[string]time.Duration{"rate_limited": 90 * time.Second, "invalid_client": 5 * time.Minute}[reason]
	if res.RetryAfter < max(least, time.Second) {
		w.t.Errorf("told to wait %v only", res.RetryAfter)
	}
	calls := w.provider.calls
	again, err := w.worker(nil).run(connection.RefreshRequest{})
	w.want(again, err, connection.RefreshFresh, "") // the access token is alive
	again, err = w.worker(nil).run(connection.RefreshRequest{Rejected: 1})
	w.want(again, err, connection.RefreshDelayed, "backing_off")
	if w.provider.calls != calls {
		w.t.Error("the provider was asked within the pause")
	}
	if c := w.current(); c.Status != connection.Active || c.Refresh.Fails != 1 || c.Refresh.LeaseOwner != "" || !c.Refresh.DueAt.Equal(c.Refresh.NextTry) {
		w.t.Errorf("%s with %+v", c.Status, c.Refresh)
	}
}

func TestRefresh_AnswerLostInGrace_SameTokenWorksWithinIt(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, grace)
		w.provider.act = on(lose, 1)
		start := time.Now()
		res := w.settle()
		if res.Status != connection.RefreshRefreshed || time.Since(start) > 30*time.Second || w.provider.calls != 2 {
			t.Errorf("%+v after %v and %d calls", res, time.Since(start), w.provider.calls)
		}
		w.wantTruth()
	})
}

// A strict provider's two timeouts are longer than one lease: the lease must cover them, or somebody else asks beside.
func TestRefresh_StrictProviderSilentTwice_NobodyElseAsks(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		w.provider.act = on(swallow, 1, 2)
		done := make(chan connection.RefreshResult)
		go func() {
			res, err := w.worker(nil).run(connection.RefreshRequest{})
			if err != nil {
				t.Error(err)
			}
			done <- res
		}()
		for range 11 {
			time.Sleep(10 * time.Second)
			if res, err := w.worker(nil).run(connection.RefreshRequest{}); err != nil || res.Status != connection.RefreshBusy {
				t.Errorf("another worker gets %+v, %v", res, err)
			}
		}
		if res := <-done; res.Status != connection.RefreshNeedsReauth || w.provider.calls != 2 {
			t.Errorf("%+v after %d calls", res, w.provider.calls)
		}
	})
}
