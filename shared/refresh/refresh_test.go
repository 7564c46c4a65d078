package refresh_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/refresh"
)

// in runs a test in a bubble of its own time.
func in(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

// settle lets other workers try, as sweep and queue do, until nothing is left to do.
func (w *world) settle() connection.RefreshResult {
	w.t.Helper()
	for range 500 {
		res, err := w.worker(nil).run(connection.RefreshRequest{})
		switch {
		case err != nil:
		case res.Status == connection.RefreshRefreshed, res.Status == connection.RefreshNeedsReauth, res.Status == connection.RefreshUnavailable:
			return res
		case res.Status == connection.RefreshFresh && w.current().Refresh.Fails == 0 && w.current().Refresh.NextTry.IsZero():
			return res
		}
		time.Sleep(4 * time.Second)
	}
	w.t.Fatal("it never ends")
	return connection.RefreshResult{}
}

// wantTruth checks that the status says what the provider would say.
func (w *world) wantTruth() {
	w.t.Helper()
	c := w.current()
	_, token := w.tokens()
	alive := !w.provider.gone && token == w.provider.current
	if c.Status == connection.Active && !alive {
		w.t.Errorf("the connection is active with %s; the provider has %s (gone: %v)", token, w.provider.current, w.provider.gone)
	}
	if c.Status == connection.ReauthorizationRequired && alive {
		w.t.Errorf("the connection is given up (%s), and its token %s is good", c.Reason, token)
	}
	if c.Status == connection.Active && c.Refresh.LeaseOwner != "" && time.Now().Before(c.Refresh.LeaseUntil) {
		w.t.Error("a lease is left")
	}
}

func (w *world) want(res connection.RefreshResult, err error, status connection.RefreshStatus, reason string) {
	w.t.Helper()
	if err != nil || res.Status != status || res.Reason != reason {
		w.t.Errorf("got %s (%s), %v; want %s (%s)", res.Status, res.Reason, err, status, reason)
	}
}

func TestRefresh_Due_NextGeneration(t *testing.T) {
	for _, class := range []string{static, grace, strict} {
		t.Run(class, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newWorld(t, class)
				res, err := w.worker(nil).run(connection.RefreshRequest{})
				w.want(res, err, connection.RefreshRefreshed, "")
				c := w.current()
				if res.Generation != 2 || c.Refresh.Generation != 2 || !res.ExpiresAt.Equal(c.ExpiresAt) || c.Refresh.LeaseOwner != "" || c.Refresh.IntentGeneration != 0 {
					t.Errorf("%+v after %+v", c.Refresh, res)
				}
				if c.Refresh.Rotates != (class != static) || !c.Refresh.DueAt.After(time.Now()) {
					t.Errorf("rotates %v, due at %v", c.Refresh.Rotates, c.Refresh.DueAt)
				}
				if len(w.events) != 1 || w.events[0] != audit.ConnectionRefreshed {
					t.Errorf("events %v", w.events)
				}
				w.wantTruth()
				res, err = w.worker(nil).run(connection.RefreshRequest{})
				w.want(res, err, connection.RefreshFresh, "")
				if w.provider.calls != 1 {
					t.Errorf("%d calls for one refresh", w.provider.calls)
				}
			})
		})
	}
}

func TestRefresh_FiftyCallersAtOnce_OneProviderCall(t *testing.T) {
	for name, r := range map[string]connection.RefreshRequest{"due": {}, "forced": {Force: true}, "rejected": {Rejected: 1}} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newWorld(t, strict)
				w.provider.act = on(slow(2*time.Second), 1)
				k := w.concurrent()
				r.Ref, r.Wait = w.ref, 5*time.Second
				var all sync.WaitGroup
				for range 50 {
					all.Go(func() {
						res, err := k.Refresh(context.Background(), r)
						if err != nil || res.Status != connection.RefreshRefreshed && res.Status != connection.RefreshFresh || res.Generation != 2 {
							t.Errorf("a caller got %+v, %v", res, err)
						}
					})
				}
				all.Wait()
				if w.provider.calls != 1 {
					t.Errorf("%d provider calls, want 1", w.provider.calls)
				}
				w.wantTruth()
			})
		})
	}
}

// concurrent is a coordinator that many goroutines may use: over the store itself, since a worker counts its steps.
func (w *world) concurrent() *refresh.Coordinator {
	k := w.worker(nil)
	d := k.coordinator().Deps
	d.Connections, d.Slots, d.Recorder, d.Keeper = w.store, w.store, w.store, refresh.NewGate(refresh.Limits{PerSecond: 1, Burst: 2}, time.Now)
	return refresh.New(d)
}

func TestRefresh_FollowerThatMayNotWait_IsToldBusy(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		w.provider.act = on(slow(10*time.Second), 1)
		k := w.concurrent()
		go func() {
			if _, err := k.Refresh(context.Background(), connection.RefreshRequest{Ref: w.ref}); err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(time.Second)
		start := time.Now()
		res, err := k.Refresh(context.Background(), connection.RefreshRequest{Ref: w.ref, Wait: 3 * time.Second})
		w.want(res, err, connection.RefreshBusy, "")
		if waited := time.Since(start); waited != 3*time.Second || res.RetryAfter == 0 || res.ExpiresAt.IsZero() {
			t.Errorf("waited %v for %+v", waited, res)
		}
		time.Sleep(20 * time.Second)
		w.wantTruth()
	})
}

func TestRefresh_NewerSlot_RolledForwardWithoutTheProvider(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		_, err := w.worker(dieAt("update 3")).run(connection.RefreshRequest{}) // before the flip
		if err == nil || w.current().Refresh.Generation != 1 {
			t.Fatal("it did not die where it should")
		}
		time.Sleep(2 * time.Minute)
		res, err := w.worker(nil).run(connection.RefreshRequest{})
		w.want(res, err, connection.RefreshRefreshed, "")
		if w.provider.calls != 1 || res.Generation != 2 {
			t.Errorf("generation %d after %d calls", res.Generation, w.provider.calls)
		}
		w.wantTruth()
	})
}

func TestRefresh_NewerSlotDiedMeanwhile_RolledForwardAndRefreshed(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		_, err := w.worker(dieAt("update 3")).run(connection.RefreshRequest{})
		if err == nil {
			t.Fatal("it did not die")
		}
		time.Sleep(2 * life)
		res, err := w.worker(nil).run(connection.RefreshRequest{})
		w.want(res, err, connection.RefreshRefreshed, "")
		if res.Generation != 3 || !res.ExpiresAt.After(time.Now()) {
			t.Errorf("told %+v", res)
		}
		w.wantTruth()
	})
}

func TestRefresh_NoRefreshToken_KeptUntilItsEnd(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, static)
		c := w.current()
		w.must(w.store.PutSlot(t.Context(), w.ref, connection.Slot{Generation: 1, Fence: c.Refresh.Fence, Access: seal(w.ref.Binding(connection.AccessToken, 1), "at1"),
			Facts: connection.TokenFacts{ExpiresAt: c.ExpiresAt}}))
		for _, force := range []bool{false, true} {
			res, err := w.worker(nil).run(connection.RefreshRequest{Force: force})
			w.want(res, err, connection.RefreshFresh, map[bool]string{true: refresh.ReasonNoRefreshToken}[force || res.Reason != ""])
			if now := w.current(); now.Status != connection.Active || !now.Refresh.DueAt.Equal(c.ExpiresAt) || now.Refresh.LeaseOwner != "" {
				t.Errorf("%s, due at %v", now.Status, now.Refresh.DueAt)
			}
		}
		time.Sleep(5 * time.Minute)
		res, err := w.worker(nil).run(connection.RefreshRequest{})
		w.want(res, err, connection.RefreshNeedsReauth, refresh.ReasonNoRefreshToken)
		if w.provider.calls != 0 {
			t.Error("the provider was asked without a token")
		}
	})
}

func TestRefresh_NoRefreshTokenAndRejected_NeedsAPerson(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, static)
		w.must(w.store.PutSlot(t.Context(), w.ref, connection.Slot{Generation: 1, Fence: w.current().Refresh.Fence, Access: seal(w.ref.Binding(connection.AccessToken, 1), "at1"),
			Facts: connection.TokenFacts{ExpiresAt: w.current().ExpiresAt}}))
		res, err := w.worker(nil).run(connection.RefreshRequest{Rejected: 1})
		w.want(res, err, connection.RefreshNeedsReauth, refresh.ReasonNoRefreshToken)
	})
}

func TestRefresh_NarrowerScopesAndMetadata_AreRecorded(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, grace)
		w.provider.scopes = []string{"items"}
		res, err := w.worker(nil).run(connection.RefreshRequest{})
		w.want(res, err, connection.RefreshRefreshed, "")
		if c := w.current(); fmt.Sprint(c.Scopes) != "[items]" || c.Metadata["k"] != "v" {
			t.Errorf("scopes %v, metadata %v", c.Scopes, c.Metadata)
		}
		time.Sleep(life)
		w.provider.scopes = nil // not repeated: unchanged
		w.settle()
		if c := w.current(); fmt.Sprint(c.Scopes) != "[items]" {
			t.Errorf("scopes %v", c.Scopes)
		}
	})
}

func TestRefresh_AnswerWithoutRefreshToken_KeepsTheOld(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		w.provider.noToken = true
		w.settle()
		w.wantTruth()
		time.Sleep(life)
		w.settle()
		w.wantTruth()
		if c := w.current(); c.Refresh.Generation != 3 || c.Refresh.Rotates {
			t.Errorf("generation %d, rotates %v", c.Refresh.Generation, c.Refresh.Rotates)
		}
	})
}

func TestRefresh_TooLittleTime_NothingIsSent(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := w.worker(nil).coordinator().Refresh(ctx, connection.RefreshRequest{Ref: w.ref})
		if !fault.Is(err, fault.RateLimited) || w.provider.calls != 0 || w.current().Refresh.LeaseOwner != "" {
			t.Errorf("%v after %d calls, lease %q", err, w.provider.calls, w.current().Refresh.LeaseOwner)
		}
	})
}

// The time that is left goes by the clock that ends contexts, wherever the injected one is.
func TestRefresh_ClockAheadOfTheSystems_TimeIsLeft(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		d := w.worker(nil).coordinator().Deps
		d.Now = func() time.Time { return time.Now().Add(time.Hour) }
		res, err := refresh.New(d).Refresh(ctx, connection.RefreshRequest{Ref: w.ref})
		w.want(res, err, connection.RefreshRefreshed, "")
	})
}

// With time for one request only, a strict provider's repetition is left to the next holder.
func TestRefresh_TimeForOneRequest_TheNextHolderRepeats(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		w.provider.act = on(swallow, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		res, err := w.worker(nil).coordinator().Refresh(ctx, connection.RefreshRequest{Ref: w.ref})
		w.want(res, err, connection.RefreshDelayed, "provider_unavailable")
		if c := w.current(); c.Refresh.IntentGeneration != 2 {
			t.Error("the doubt is forgotten")
		}
		w.settle()
		w.wantTruth()
		if c := w.current(); c.Status != connection.Active || w.provider.calls != 2 {
			t.Errorf("%s after %d calls", c.Status, w.provider.calls)
		}
	})
}

func TestRefresh_CallerGoesAway_TheAnswerIsKept(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		ctx, cancel := context.WithCancel(t.Context())
		w.provider.act = on(func(c context.Context, do func() (connection.Tokens, error)) (connection.Tokens, error) {
			cancel()
			return slow(10*time.Second)(c, do)
		}, 1)
		res, err := w.worker(nil).coordinator().Refresh(ctx, connection.RefreshRequest{Ref: w.ref})
		w.want(res, err, connection.RefreshRefreshed, "")
		w.wantTruth()
	})
}

// What others did between our look and our lease is judged again, not called busy.
func TestRefresh_ChangedBeforeTheLease_JudgedAgain(t *testing.T) {
	for name, x := range map[string]struct {
		change func(w *world)
		want   connection.RefreshStatus
	}{
		"refreshed": {func(w *world) { w.settle() }, connection.RefreshFresh},
		"revoked": {func(w *world) {
			w.update(func(c connection.Connection) connection.Connection { return c.Revoke("asked", time.Now()) })
		}, connection.RefreshUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newWorld(t, static)
				res, err := w.worker(func(at string) error {
					if at == "update 1" {
						x.change(w)
					}
					return nil
				}).run(connection.RefreshRequest{Force: true})
				if err != nil || res.Status != x.want || w.provider.calls > 1 {
					t.Errorf("told %+v, %v after %d calls; want %s", res, err, w.provider.calls, x.want)
				}
			})
		})
	}
}

func TestRefresh_NotActive_NothingHappens(t *testing.T) {
	for status, want := range map[connection.Status]connection.RefreshStatus{connection.Pending: connection.RefreshUnavailable, connection.Paused: connection.RefreshUnavailable,
		connection.Revoked: connection.RefreshUnavailable, connection.ReauthorizationRequired: connection.RefreshNeedsReauth} {
		t.Run(string(status), func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newWorld(t, static)
				w.update(func(c connection.Connection) connection.Connection { c.Status, c.Reason = status, "r"; return c })
				res, err := w.worker(nil).run(connection.RefreshRequest{Force: true})
				w.want(res, err, want, "r")
				if w.provider.calls != 0 {
					t.Error("the provider was asked")
				}
			})
		})
	}
}
