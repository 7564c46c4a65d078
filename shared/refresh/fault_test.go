package refresh_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/refresh"
)

// dieAt ends the process at a step.
func dieAt(step string) func(string) error {
	return func(at string) error {
		if at == step {
			return errCrashed
		}
		return nil
	}
}

// steps are those of an undisturbed refresh: before and behind each is a point where something can happen.
func steps(t *testing.T, class string) []string {
	t.Helper()
	var all []string
	in := newWorld(t, class)
	res, err := in.worker(func(at string) error { all = append(all, at); return nil }).run(connection.RefreshRequest{})
	in.want(res, err, connection.RefreshRefreshed, "")
	return all
}

// losable are the points of a strict refresh from the request to the write of the answer: what happens there may lose
// the only copy of the new token, on our side inevitably.
func losable(class, step string) bool {
	return class == strict && (step == "call 1/after" || step == "shadow 1")
}

// Every single fault at every step: the process dies, the store fails before or after the access, once or for a while.
func TestRefresh_SingleFault_AtEachStep(t *testing.T) {
	kinds := map[string]func(step string) func(string) error{
		"dies":       dieAt,
		"fails once": failAt,
		"fails for a while": func(step string) func(string) error {
			var since time.Time
			return func(at string) error {
				if at == step && since.IsZero() {
					since = time.Now()
				}
				if !since.IsZero() && time.Since(since) < 2*time.Second {
					return errStore
				}
				return nil
			}
		},
		"freezes": func(step string) func(string) error {
			return func(at string) error {
				if at == step {
					time.Sleep(3 * time.Minute)
				}
				return nil
			}
		},
	}
	for _, class := range []string{static, grace, strict} {
		for kind, make := range kinds {
			t.Run(class+"/"+kind, func(t *testing.T) {
				in(t, func(t *testing.T) {
					for _, step := range steps(t, class) {
						oneFault(t, class, step, make(step))
					}
				})
			})
		}
	}
}

// oneFault disturbs one worker at one step, lets others finish, and checks where that leads.
func oneFault(t *testing.T, class, step string, f func(string) error) {
	t.Helper()
	w := newWorld(t, class)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = w.worker(f).run(connection.RefreshRequest{}) // may fail; what is stored counts
	}()
	time.Sleep(time.Second)
	w.settle()
	<-done
	w.settle()
	c := w.current()
	switch {
	case c.Status == connection.Active:
	case !losable(class, step) || c.Status != connection.ReauthorizationRequired || c.Reason != refresh.ReasonOutcomeUnknown:
		t.Errorf("%s: it ends %s (%s)", step, c.Status, c.Reason)
	}
	w.wantTruth()
	if t.Failed() {
		t.Fatalf("%s: %d calls, %+v", step, w.provider.calls, c.Refresh)
	}
}

// The connection changes while the provider is asked.
func TestRefresh_ChangedDuringTheCall(t *testing.T) {
	for name, x := range map[string]struct {
		change func(w *world)
		want   connection.RefreshStatus
		status connection.Status
	}{
		"revoked": {func(w *world) {
			w.update(func(c connection.Connection) connection.Connection { return c.Revoke("asked", time.Now()) })
		}, connection.RefreshUnavailable, connection.Revoked},
		"revoked and erased": {func(w *world) {
			w.update(func(c connection.Connection) connection.Connection { return c.Revoke("asked", time.Now()) })
			w.must(w.store.EraseSlots(w.t.Context(), w.ref, w.current().Refresh.Generation))
		}, connection.RefreshUnavailable, connection.Revoked},
		"connected anew": {func(w *world) { w.connect("grant_2") }, connection.RefreshFresh, connection.Active},
		"paused": {func(w *world) {
			w.update(func(c connection.Connection) connection.Connection {
				c, err := c.Pause(time.Now())
				w.must(err)
				return c
			})
		}, connection.RefreshRefreshed, connection.Paused},
	} {
		for _, class := range []string{static, grace, strict} {
			t.Run(name+"/"+class, func(t *testing.T) {
				in(t, func(t *testing.T) {
					w := newWorld(t, class)
					res, err := w.worker(func(at string) error {
						if at == "call 1/after" {
							x.change(w)
						}
						return nil
					}).run(connection.RefreshRequest{})
					if err != nil || res.Status != x.want {
						t.Errorf("told %+v, %v; want %s", res, err, x.want)
					}
					if c := w.current(); c.Status != x.status {
						t.Errorf("the connection is %s, want %s", c.Status, x.status)
					}
					if x.status == connection.Revoked {
						w.wantNothingUsable(name == "revoked and erased")
						return
					}
					w.wantTruth()
					w.update(func(c connection.Connection) connection.Connection {
						c, err := c.Resume(time.Now())
						w.must(err)
						return c
					})
					w.settle()
					w.wantTruth()
				})
			})
		}
	}
}

// wantNothingUsable checks that the tokens of a refresh that a revocation overtook do not come into force.
func (w *world) wantNothingUsable(erased bool) {
	w.t.Helper()
	if c := w.current(); c.Refresh.Generation != 1 {
		w.t.Errorf("generation %d came into force", c.Refresh.Generation)
	}
	for _, g := range []uint64{1, 2} {
		s, _, err := w.store.Slot(w.t.Context(), w.ref, g)
		w.must(err)
		if erased && (s.Access != nil || s.Refresh != nil) {
			w.t.Errorf("generation %d was stored after the erasure", s.Generation)
		}
	}
}

// A holder wakes up after its lease, while the next one is at any of its steps.
func TestRefresh_FrozenHolderWakesUp_AtEachStepOfTheNext(t *testing.T) {
	for _, class := range []string{static, grace, strict} {
		for _, kills := range []bool{false, true} {
			for _, frozen := range []string{"update 1/after", "call 1", "call 1/after", "shadow 1/after"} {
				t.Run(fmt.Sprintf("%s/%s/kills=%v", class, frozen, kills), func(t *testing.T) {
					in(t, func(t *testing.T) {
						for _, step := range steps(t, class) {
							wake(t, class, frozen, step, kills)
						}
					})
				})
			}
		}
	}
}

func wake(t *testing.T, class, frozen, step string, kills bool) {
	t.Helper()
	w := newWorld(t, class)
	w.provider.kills = kills
	sleeping, woken, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = w.worker(func(at string) error {
			if at == frozen {
				close(sleeping)
				<-woken
			}
			return nil
		}).run(connection.RefreshRequest{})
	}()
	<-sleeping
	time.Sleep(6 * time.Minute) // the lease is over
	once := false
	_, err := w.worker(func(at string) error {
		if at == step && !once {
			once = true
			close(woken)
			<-done
		}
		return nil
	}).run(connection.RefreshRequest{})
	if err != nil {
		t.Errorf("%s: the second holder fails: %v", step, err)
	}
	if !once { // it needed fewer steps
		close(woken)
		<-done
	}
	w.settle()
	if kills { // that the tokens were killed shows when they are used
		time.Sleep(life)
		w.settle()
	}
	w.wantTruth()
	if c := w.current(); class == static && c.Status != connection.Active {
		t.Errorf("%s: it ends %s (%s)", step, c.Status, c.Reason)
	}
	if t.Failed() {
		t.Fatalf("%s: %d calls, %+v", step, w.provider.calls, w.current().Refresh)
	}
}

// The holder before comes back with the tokens after the next one has asked for them, and was refused because of it.
func TestRefresh_RefusedBecauseOfALateHolder_ItsTokensAreUsed(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		sleeping, woken, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			_, _ = w.worker(func(at string) error {
				if at == "call 1/after" {
					close(sleeping)
					<-woken
				}
				return nil
			}).run(connection.RefreshRequest{})
		}()
		<-sleeping
		time.Sleep(6 * time.Minute)
		res, err := w.worker(func(at string) error {
			if at == "call 1" {
				close(woken)
				<-done
			}
			return nil
		}).run(connection.RefreshRequest{})
		w.want(res, err, connection.RefreshRefreshed, "")
		w.wantTruth()
	})
}

// A flip whose answer is lost is found made, and recorded once.
func TestRefresh_FlipAnswerLost_RecordedOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, static)
		before := w.current().Version
		res, err := w.worker(func(at string) error {
			if at == "update 2/after" {
				return errStore
			}
			return nil
		}).run(connection.RefreshRequest{})
		w.want(res, err, connection.RefreshRefreshed, "")
		if c := w.current(); len(w.events) != 1 || c.Refresh.Generation != 2 || c.Version != before+2 {
			t.Errorf("events %v at generation %d after %d writes", w.events, c.Refresh.Generation, c.Version-before)
		}
	})
}

// The store cannot tell that the lease is ours already: its answer was lost, and somebody wrote in between.
func TestRefresh_LeaseWrittenTwice_IsOurs(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, static)
		k := w.worker(nil)
		d := k.coordinator().Deps
		d.Connections = twice{k}
		res, err := refresh.New(d).Refresh(t.Context(), connection.RefreshRequest{Ref: w.ref})
		w.want(res, err, connection.RefreshRefreshed, "")
	})
}

// An audit trail that cannot be written does not undo what happened.
func TestRefresh_AuditFails_TokensCount(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, static)
		res, err := w.worker(func(at string) error {
			if at == "audit 1" {
				return errors.New("no")
			}
			return nil
		}).run(connection.RefreshRequest{})
		w.want(res, err, connection.RefreshRefreshed, "")
	})
}

// A holder that fails before it asks must not wipe out that somebody asked before it.
func TestRefresh_FailureBeforeTheCall_KeepsTheDoubt(t *testing.T) {
	for _, step := range []string{"slot 1", "slot 2", "client 1", "update 2"} {
		t.Run(step, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newWorld(t, strict)
				_, _ = w.worker(dieAt("call 1/after")).run(connection.RefreshRequest{})
				time.Sleep(6 * time.Minute)
				if _, err := w.worker(failAt(step)).run(connection.RefreshRequest{}); !errors.Is(err, errStore) {
					t.Errorf("the second holder gets %v", err)
				}
				if c := w.current(); c.Refresh.LeaseOwner != "" {
					t.Error("the lease is not given back")
				}
				res := w.settle()
				w.want(res, nil, connection.RefreshNeedsReauth, refresh.ReasonOutcomeUnknown)
			})
		})
	}
}

// A strict provider is asked twice in all, whoever asks: more cannot help.
func TestRefresh_InheritedDoubt_OneRequestOnly(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		w.provider.act = on(swallow, 1, 2, 3)
		_, _ = w.worker(dieAt("call 1")).run(connection.RefreshRequest{}) // whether it asked, nobody knows
		time.Sleep(6 * time.Minute)
		calls := w.provider.calls
		res, err := w.worker(nil).run(connection.RefreshRequest{})
		w.want(res, err, connection.RefreshNeedsReauth, refresh.ReasonOutcomeUnknown)
		if w.provider.calls != calls+1 {
			t.Errorf("asked %d times more", w.provider.calls-calls)
		}
	})
}

func TestRefresh_FailureBeforeTheFirstCall_LeavesNoDoubt(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(t, strict)
		_, err := w.worker(failAt("update 2/after")).run(connection.RefreshRequest{}) // the intent was written
		if c := w.current(); !errors.Is(err, errStore) || c.Refresh.IntentGeneration != 0 || c.Refresh.LeaseOwner != "" {
			t.Errorf("%v leaves %+v", err, c.Refresh)
		}
	})
}

// failAt makes one access fail.
func failAt(step string) func(string) error {
	return func(at string) error {
		if at == step {
			return errStore
		}
		return nil
	}
}
