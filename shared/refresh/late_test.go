package refresh_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// P13: tokens that come after the revocation are revoked too, and if that fails, they wait in the queue.
func TestRefresh_RevokedDuringTheCall_ItsTokensAreRevoked(t *testing.T) {
	for _, erased := range []bool{false, true} {
		for _, fails := range []bool{false, true} {
			t.Run("", func(t *testing.T) {
				in(t, func(t *testing.T) {
					w := newWorld(t, strict)
					res, err := w.worker(func(at string) error {
						switch {
						case at == "call 1/after":
							w.update(func(c connection.Connection) connection.Connection { return c.Revoke("asked", time.Now()) })
							if erased {
								w.must(w.store.EraseSlots(t.Context(), w.ref, 1))
							}
						case at == "retire 1" && fails:
							return errStore
						}
						return nil
					}).run(connection.RefreshRequest{})
					w.want(res, err, connection.RefreshUnavailable, "asked")
					got := w.retired
					if fails {
						if len(got) != 0 || len(w.rescued) != 1 {
							t.Fatalf("retired %d, queued %d", len(got), len(w.rescued))
						}
						w.must(w.worker(nil).coordinator().Rescue(t.Context(), w.ref, w.rescued[0]))
						got = w.retired
					}
					if len(got) != 1 {
						t.Fatalf("%d token sets retired, want the one", len(got))
					}
					if access, err := open(w.ref.Binding(connection.AccessToken, 2), got[0].Access); err != nil || access != "at2" {
						t.Errorf("retired %q, %v", access, err)
					}
				})
			})
		}
	}
}

// P14: after a new consent nothing is revoked, since that could end the new grant as well.
func TestRefresh_ConnectedAnewDuringTheCall_NothingIsRevoked(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		_, err := w.worker(func(at string) error {
			if at == "call 1/after" {
				w.connect("grant_2")
			}
			return nil
		}).run(connection.RefreshRequest{})
		w.must(err)
		if len(w.retired) != 0 {
			t.Error("tokens were revoked")
		}
		w.wantTruth()
	})
}

// P6: the store takes no slot for longer than the lease; the tokens come home through the queue, whatever happened since.
func TestRefresh_SlotNotStored_RescuedFromTheQueue(t *testing.T) {
	for name, meanwhile := range map[string]func(w *world){
		"at once":    func(*world) {},
		"lease over": func(*world) { time.Sleep(5 * time.Minute) },
		"somebody leads": func(w *world) {
			w.update(func(c connection.Connection) connection.Connection { c.Refresh.Fence++; return c })
		},
		"and once more": func(w *world) { w.must(w.worker(nil).coordinator().Rescue(w.t.Context(), w.ref, w.rescued[0])) },
		"paused": func(w *world) {
			w.update(func(c connection.Connection) connection.Connection { c.Status = connection.Paused; return c })
		},
		"connected anew": func(w *world) { w.connect("grant_2") },
		"revoked in vain": func(w *world) {
			w.update(func(c connection.Connection) connection.Connection { return c.Revoke("asked", time.Now()) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newWorld(t, strict)
				k := w.worker(func(at string) error {
					if len(at) > 6 && at[:6] == "shadow" {
						return errStore
					}
					return nil
				})
				if _, err := k.run(connection.RefreshRequest{}); !errors.Is(err, errStore) || len(w.rescued) != 1 {
					t.Fatalf("%v, %d rescued", err, len(w.rescued))
				}
				meanwhile(w)
				w.must(w.worker(nil).coordinator().Rescue(t.Context(), w.ref, w.rescued[0]))
				if w.current().Status == connection.Revoked {
					if len(w.retired) != 1 {
						t.Error("the rescued tokens of a revoked connection live on")
					}
					return
				}
				w.update(func(c connection.Connection) connection.Connection { c.Status = connection.Active; return c })
				time.Sleep(2 * time.Minute)
				w.settle()
				w.wantTruth()
				if w.provider.calls != 1 || w.current().Refresh.Generation != 2 {
					t.Errorf("generation %d after %d calls", w.current().Refresh.Generation, w.provider.calls)
				}
			})
		})
	}
}

// A short grace period is not left to the sweep: a second look is queued before the provider is asked.
func TestRefresh_ShortGrace_SecondLookIsQueued(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, grace)
		start := time.Now()
		_, _ = w.worker(dieAt("call 1/after")).run(connection.RefreshRequest{})
		if len(w.queued) != 1 {
			t.Fatalf("queued %v", w.queued)
		}
		time.Sleep(w.queued[0] - time.Since(start))
		res, err := w.worker(nil).run(connection.RefreshRequest{})
		w.want(res, err, connection.RefreshRefreshed, "")
		w.wantTruth()
	})
}

func TestRefresh_Delayed_ComesAgainAndSaysSoOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, static)
		w.provider.act = on(refuse, 1, 2, 3, 4, 5)
		for n := range 5 {
			res, err := w.worker(nil).run(connection.RefreshRequest{})
			w.want(res, err, connection.RefreshDelayed, "provider_unavailable")
			if n := len(w.queued); n == 0 || w.queued[n-1] <= res.RetryAfter {
				t.Fatalf("queued %v for a retry after %v", w.queued, res.RetryAfter)
			}
			time.Sleep(w.queued[len(w.queued)-1])
			if n < 2 && len(w.events) != 0 || n >= 2 && (len(w.events) != 1 || w.events[0] != refresh.EventDelayed) {
				t.Errorf("after %d failures: events %v", n+1, w.events)
			}
		}
	})
}

// A first failure matters too when the token ends before the next attempt.
func TestRefresh_DelayedBeyondTheTokensEnd_SaysSoAtOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, static)
		time.Sleep(time.Until(w.current().ExpiresAt) - time.Second)
		w.provider.act = on(refuse, 1, 2)
		for range 2 {
			res, err := w.worker(nil).run(connection.RefreshRequest{})
			w.want(res, err, connection.RefreshDelayed, "provider_unavailable")
			time.Sleep(w.queued[len(w.queued)-1])
		}
		if len(w.events) != 1 || w.events[0] != refresh.EventDelayed {
			t.Errorf("events %v", w.events)
		}
	})
}

// What fails on our side delays as well.
func TestRefresh_OursFailsAgainAndAgain_SaysSoOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, static)
		for range 5 {
			_, _ = w.worker(failAt("client 1")).run(connection.RefreshRequest{Force: true})
		}
		if len(w.events) != 1 || w.events[0] != refresh.EventDelayed {
			t.Errorf("events %v", w.events)
		}
	})
}

// What fails on our side each time moves back in the index, so that it does not starve what is behind it.
func TestRefresh_OursFails_LeavesTheHeadOfTheQueue(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, static)
		for range 12 {
			before := w.current().Refresh
			if _, err := w.worker(failAt("client 1")).run(connection.RefreshRequest{Force: true}); !errors.Is(err, errStore) {
				t.Fatal(err)
			}
			if now := w.current().Refresh; !now.DueAt.After(time.Now()) || now.Fails != before.Fails+1 || !now.NextTry.IsZero() {
				t.Fatalf("%+v", now)
			}
		}
		if left := time.Until(w.current().Refresh.DueAt); left < 5*time.Minute {
			t.Errorf("the twelfth failure pauses %v", left)
		}
	})
}

type closed time.Duration

func (c closed) Wait(connection.Ref) time.Duration           { return time.Duration(c) }
func (closed) Report(connection.Ref, *refresh.EndpointError) {}

func TestRefresh_ProviderPaused_PutOffWithoutALease(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		d := w.worker(nil).coordinator().Deps
		d.Keeper = closed(time.Minute)
		fence := w.current().Refresh.Fence
		res, err := refresh.New(d).Refresh(t.Context(), connection.RefreshRequest{Ref: w.ref})
		w.want(res, err, connection.RefreshDelayed, "provider_paused")
		c := w.current()
		if c.Refresh.Fence != fence || time.Until(c.Refresh.DueAt) < time.Minute || res.RetryAfter < time.Minute || w.provider.calls != 0 {
			t.Errorf("%+v, %+v", c.Refresh, res)
		}
		res, err = refresh.New(d).Refresh(t.Context(), connection.RefreshRequest{Ref: w.ref, Force: true})
		w.want(res, err, connection.RefreshRefreshed, "")
	})
}

func TestRefresh_NarrowerScopes_AreAnEvent(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, static)
		w.provider.scopes = []string{"items"}
		w.settle()
		if n := len(w.events); n != 2 || w.events[1] != refresh.EventScopesNarrowed {
			t.Errorf("events %v", w.events)
		}
	})
}

// P19: tokens of another account are nobody's here, however good they are.
func TestRefresh_AnotherAccountsTokens_AreRefused(t *testing.T) {
	for _, class := range []string{static, grace, strict} {
		t.Run(class, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newWorld(t, class)
				w.provider.metadata = map[string]string{"user_id": "u2"}
				res, err := w.worker(nil).run(connection.RefreshRequest{})
				w.want(res, err, connection.RefreshNeedsReauth, refresh.ReasonAccountChanged)
				c := w.current()
				if s, ok, err := w.store.Slot(t.Context(), w.ref, 2); err != nil || ok {
					t.Errorf("stored %+v, %v", s, err)
				}
				if c.Refresh.Generation != 1 || c.Metadata["user_id"] != "u1" || c.Refresh.LeaseOwner != "" || len(w.retired) != 0 {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

// oracle is an introspection endpoint that knows a lifetime, or does not answer.
type oracle struct {
	at  time.Time
	err error
}

func (o oracle) Introspect(_ context.Context, _ *catalog.Connector, _ connection.Client, access secret.Text, _ map[string]string) (time.Time, error) {
	if string(access.Reveal(reveal.Key{})) != "at2" {
		return time.Time{}, errors.New("asked about another token")
	}
	return o.at, o.err
}

// A lifetime that only introspection tells corrects the declared one; without an answer the declared one counts.
func TestRefresh_IntrospectedLifetime_ReplacesTheDeclaredOne(t *testing.T) {
	for name, x := range map[string]struct {
		mode  catalog.ExpiryMode
		left  time.Duration
		err   error
		lives time.Duration
	}{
		"shorter":   {catalog.ExpiryIntrospect, 15 * time.Minute, nil, 15 * time.Minute},
		"longer":    {catalog.ExpiryIntrospect, 12 * time.Hour, nil, 12 * time.Hour},
		"no answer": {catalog.ExpiryIntrospect, 0, errStore, life},
		"not said":  {catalog.ExpiryIntrospect, 0, nil, life},
		"stated":    {catalog.ExpiryField, 15 * time.Minute, nil, life},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newWorld(t, static)
				w.spec.Expiry.Mode = x.mode
				w.provider.act = on(slow(0), 1)
				o := oracle{err: x.err}
				if x.left > 0 {
					o.at = time.Now().Add(x.left)
				}
				d := w.worker(nil).coordinator().Deps
				d.Introspector = o
				d.Connections = w.store // past the check that slot and connection expire together: only the connection learns more
				res, err := refresh.New(d).Refresh(t.Context(), connection.RefreshRequest{Ref: w.ref})
				w.want(res, err, connection.RefreshRefreshed, "")
				c := w.current()
				if want := time.Now().Add(x.lives); !c.ExpiresAt.Equal(want) || !res.ExpiresAt.Equal(want) || !c.Refresh.DueAt.Before(want) {
					t.Errorf("lives until %v, told %v, due %v; want %v", c.ExpiresAt, res.ExpiresAt, c.Refresh.DueAt, want)
				}
			})
		})
	}
}

// dark is a sealer whose keys cannot be had, which takes a while to find out.
type dark struct {
	sealer
	tries *atomic.Int64
}

// Warm implements refresh.Sealer.
func (d dark) Warm(context.Context, tenant.ID, ...connection.Purpose) error {
	d.tries.Add(1)
	time.Sleep(4 * time.Second)
	return errStore
}

// If each who waited tried in turn, the last would wait for the sum of all attempts, and then be told nothing.
func TestRefresh_OursFailsWhileOthersWait_ItFailsForThemToo(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		k, tries := w.concurrent(), &atomic.Int64{}
		k.Sealer = dark{tries: tries}
		began := time.Now()
		var all sync.WaitGroup
		var told atomic.Int64
		for range 20 {
			all.Go(func() {
				res, err := k.Refresh(context.Background(), connection.RefreshRequest{Ref: w.ref, Wait: 20 * time.Second})
				if err == nil && (res.Status != connection.RefreshDelayed || res.Reason != "refresh_failed" || res.RetryAfter <= 0) {
					t.Errorf("%+v", res)
				}
				if err == nil {
					told.Add(1)
				}
			})
		}
		all.Wait()
		if tries.Load() != 1 || told.Load() != 19 || time.Since(began) > 5*time.Second || w.provider.calls != 0 {
			t.Errorf("%d attempts, %d were told, after %v, %d calls", tries.Load(), told.Load(), time.Since(began), w.provider.calls)
		}
		w.settle()
		w.wantTruth()
	})
}
