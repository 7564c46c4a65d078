package toolcall_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// slow is a refresher that takes a while, and then does what do says.
type slow struct {
	takes time.Duration
	later time.Duration // instead, from the second time on; 0 is takes
	asked atomic.Int32
	do    func() (connection.RefreshResult, error)
}

// Refresh implements toolcall.Refresher.
func (s *slow) Refresh(ctx context.Context, r connection.RefreshRequest) (connection.RefreshResult, error) {
	takes := s.takes
	if s.asked.Add(1) > 1 && s.later > 0 {
		takes = s.later
	}
	select {
	case <-time.After(min(takes, r.Wait)):
	case <-ctx.Done():
		return connection.RefreshResult{}, ctx.Err()
	}
	if takes > r.Wait {
		return connection.RefreshResult{Status: connection.RefreshBusy}, nil
	}
	return s.do()
}

// reads counts snapshots.
type reads struct {
	toolcall.State
	n atomic.Int32
}

// Snapshot implements toolcall.State.
func (r *reads) Snapshot(ctx context.Context, s tenant.Scope, connector string) (toolcall.Snapshot, error) {
	r.n.Add(1)
	return r.State.Snapshot(ctx, s, connector)
}

// dead makes alice's token one that has ended, renewed by a refresher that takes a while.
func dead(t *testing.T, takes time.Duration) (*world, *slow, *reads) {
	w := newWorld(t)
	w.now = w.now.Add(2 * time.Hour)
	w.exec.Provider = quiet{}
	s := &slow{takes: takes, do: func() (connection.RefreshResult, error) {
		w.flip(t)
		return connection.RefreshResult{Status: connection.RefreshRefreshed, Generation: 2}, nil
	}}
	state := &reads{State: w.store}
	w.exec.Refresher, w.exec.State = s, state
	return w, s, state
}

// quiet is a provider that many may call at once.
type quiet struct{}

// Do implements toolcall.Provider.
func (quiet) Do(*http.Request) (egress.Response, error) {
	return egress.Response{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"number":7}`)}, nil
}

// flip does what a refresher does.
func (w *world) flip(t *testing.T) {
	ref := connection.Ref{Scope: alice, Connector: "github", ID: "conn_00000000000000000000000001"}
	c, err := w.store.Connection(t.Context(), ref)
	if err != nil {
		t.Error(err)
		return
	}
	if err := w.store.PutSlot(t.Context(), ref, connection.Slot{Generation: 2, Fence: c.Refresh.Fence + 1, Access: []byte(string(ref.ID) + "|" + accessToken)}); err != nil {
		t.Error(err)
	}
	_, err = w.store.UpdateConnection(t.Context(), c, func(x connection.Connection) (connection.Connection, error) {
		x.Refresh.Generation, x.Refresh.Fence, x.ExpiresAt = 2, x.Refresh.Fence+1, w.now.Add(time.Hour)
		return x, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func (w *world) as(ctx context.Context, session string) error {
	_, err := w.exec.Run(ctx, authn.Session{ID: session, Scope: alice}, toolcall.Call{Tool: "github_create_issue", Input: []byte(`{"owner":"acme","repo":"billing","title":"x"}`)})
	return err
}

func TestRenew_ManyCallsOfOneProcess_AskAndReadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s, state := dead(t, 3*time.Second)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := w.as(t.Context(), "sess_1"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if s.asked.Load() != 1 || state.n.Load() != 51 {
			t.Errorf("%d refreshes asked for, %d reads; want 1 and 51: one each before, one for all behind", s.asked.Load(), state.n.Load())
		}
	})
}

func TestRenew_ShorterPatienceOfAnother_IsNotOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s, _ := dead(t, 5*time.Second)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() { // it asks first and goes first
			if err := w.as(short, "sess_1"); err == nil || time.Since(w.began(short)) > 1100*time.Millisecond {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if err := w.as(t.Context(), "sess_2"); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		if s.asked.Load() != 1 {
			t.Errorf("asked %d times", s.asked.Load())
		}
	})
}

// began is when a context of one second was made.
func (w *world) began(ctx context.Context) time.Time {
	end, _ := ctx.Deadline()
	return end.Add(-time.Second)
}

func TestRenew_LateComerOutlivesTheFirst_AsksAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s, _ := dead(t, 22*time.Second) // longer than one call waits
		s.later = 3 * time.Second
		var all sync.WaitGroup
		all.Go(func() { _ = w.as(t.Context(), "sess_1") })
		time.Sleep(10 * time.Second)
		all.Go(func() {
			if err := w.as(t.Context(), "sess_2"); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		if s.asked.Load() != 2 {
			t.Errorf("asked %d times, want 2", s.asked.Load())
		}
	})
}

// Whoever waits is judged again behind the wait, each for itself, though what is judged was read once.
func TestRenew_EndedWhileWaiting_OnlyThatCallIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := dead(t, 3*time.Second)
		var all sync.WaitGroup
		all.Go(func() {
			if err := w.as(t.Context(), "sess_1"); !fault.Is(err, fault.Revoked) {
				t.Errorf("the ended session: %v", err)
			}
		})
		all.Go(func() {
			if err := w.as(t.Context(), "sess_2"); err != nil {
				t.Errorf("the other one: %v", err)
			}
		})
		time.Sleep(time.Second)
		if err := w.store.EndSession(t.Context(), alice, "sess_1", w.now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		all.Wait()
	})
}

func TestRenew_SwitchedOffWhileWaiting_IsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := dead(t, 3*time.Second)
		done := make(chan error)
		go func() { done <- w.as(t.Context(), "sess_1") }()
		time.Sleep(time.Second)
		if err := w.store.PutSwitches(t.Context(), "acme", policy.Switches{Connectors: []string{"github"}}); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err == nil {
			t.Error("a call went out behind the switch")
		}
	})
}

func TestRenew_FailureOfTheSharedAsk_IsEverybodys_AndTheNextAsksAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, s, _ := dead(t, time.Second)
		works := s.do
		s.do = func() (connection.RefreshResult, error) { return connection.RefreshResult{}, errors.New("down") }
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if w.as(t.Context(), "sess_1") == nil {
					t.Error("no error")
				}
			})
		}
		all.Wait()
		s.do = func() (connection.RefreshResult, error) { panic("broken") }
		if err := w.as(t.Context(), "sess_1"); !fault.Is(err, fault.Internal) {
			t.Errorf("after a panic: %v", err)
		}
		s.do = works
		if err := w.as(t.Context(), "sess_1"); err != nil || s.asked.Load() != 3 {
			t.Errorf("%v, asked %d times", err, s.asked.Load())
		}
	})
}
