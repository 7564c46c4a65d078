package scim_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/scim/scimtest"
	"behalf.dev/behalf/shared/tenant"
)

var (
	activate   = ops(`{"op":"replace","path":"active","value":true}`)
	deactivate = ops(`{"op":"replace","path":"active","value":false}`)
	ctx        = context.Background()
)

// interleaved is a store in which another request can happen just before a write.
type interleaved struct {
	*scimtest.Memory
	before func() // runs once
}

func (s *interleaved) ReplaceUser(ctx context.Context, t tenant.ID, old, changed scim.User) error {
	s.meanwhile()
	return s.Memory.ReplaceUser(ctx, t, old, changed)
}

func (s *interleaved) DeleteUser(ctx context.Context, t tenant.ID, old scim.User) error {
	s.meanwhile()
	return s.Memory.DeleteUser(ctx, t, old)
}

func (s *interleaved) meanwhile() {
	if f := s.before; f != nil {
		s.before = nil
		f()
	}
}

type fixture struct {
	*scim.Service
	store *interleaved
	life  *scimtest.Lifecycle
}

// withAlice gives a service whose user id-1 is active with the principal "ext-a".
func withAlice(t *testing.T) fixture {
	t.Helper()
	f := fixture{store: &interleaved{Memory: scimtest.NewMemory()}, life: &scimtest.Lifecycle{}}
	n := 0
	f.Service = scim.New(f.store, f.life, func() time.Time { return time.Unix(1, 0) }, func() string { n++; return fmt.Sprintf("id-%d", n) })
	f.create(t, seedUser)
	f.life.Calls()
	return f
}

func (f fixture) create(t *testing.T, body string) {
	t.Helper()
	if _, err := f.Create(ctx, acme, []byte(body)); err != nil {
		t.Fatal(err)
	}
}

func (f fixture) patch(t *testing.T, body []byte) {
	t.Helper()
	if _, err := f.Patch(ctx, acme, "id-1", body, ""); err != nil {
		t.Fatal(err)
	}
}

// agree checks that the directory and the lifecycle say the same about id-1.
func (f fixture) agree(t *testing.T) {
	t.Helper()
	u, err := f.Get(ctx, acme, "id-1")
	if err != nil {
		t.Fatal(err)
	}
	if suspended := f.life.Suspended(acme, tenant.Principal(u.ExternalID)); u.Active == suspended {
		t.Errorf("the user is active=%v and suspended=%v", u.Active, suspended)
	}
}

func TestDeactivate_SuspendFails_StaysActiveAndIsRetried(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(fixture) error{
		"patch": func(f fixture) error { _, err := f.Patch(ctx, acme, "id-1", deactivate, ""); return err },
		"put": func(f fixture) error {
			_, err := f.Replace(ctx, acme, "id-1", []byte(`{"userName":"alice","externalId":"ext-a","active":false}`), "")
			return err
		},
		"delete": func(f fixture) error { return f.Delete(ctx, acme, "id-1", "") },
		"create": func(f fixture) error {
			_, err := f.Create(ctx, acme, []byte(`{"userName":"new","externalId":"e","active":false}`))
			return err
		},
		"identity": func(f fixture) error {
			_, err := f.Patch(ctx, acme, "id-1", ops(`{"op":"remove","path":"externalId"}`), "")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withAlice(t)
			f.life.Fail = func(string, tenant.Principal) error { return fault.New(fault.NotFound, "vault secret") }
			err := do(f)
			if body, status := scim.ErrorBody(err); status != 500 || strings.Contains(string(body), "vault secret") {
				t.Errorf("answered with %d %s; only a 5xx is retried", status, body)
			}
			f.agree(t)
			if _, err := f.store.FindUser(ctx, acme, scim.ByUserName, "new"); !fault.Is(err, fault.NotFound) {
				t.Errorf("the inactive user was stored although nobody was suspended: %v", err)
			}
			f.life.Fail = nil
			if err := do(f); err != nil {
				t.Errorf("the retry fails: %v", err)
			}
		})
	}
}

func TestReactivate_RestoreFails_IsRepeatedByTheNextWrite(t *testing.T) {
	t.Parallel()
	f := withAlice(t)
	f.patch(t, deactivate)
	f.life.Fail = func(call string, _ tenant.Principal) error {
		if call == "restore" {
			return errors.New("throttled")
		}
		return nil
	}
	if _, err := f.Patch(ctx, acme, "id-1", activate, ""); !fault.Is(err, fault.Internal) {
		t.Fatalf("got %v", err)
	}
	f.life.Fail = nil
	f.life.Calls()
	f.patch(t, activate)
	if calls := f.life.Calls(); fmt.Sprint(calls) != "[restore ext-a]" {
		t.Errorf("the retry makes %v", calls)
	}
	f.agree(t)
	f.patch(t, activate)
	if calls := f.life.Calls(); len(calls) != 0 {
		t.Errorf("a settled active user is restored again: %v; that would lift other suspensions", calls)
	}
}

func TestWrite_OtherRequestInBetween_DirectoryAndLifecycleAgree(t *testing.T) {
	t.Parallel()
	title := ops(`{"op":"replace","path":"title","value":"x"}`)
	for _, c := range []struct {
		name   string
		active bool
		do     func(fixture) error
		other  []byte
	}{
		{"deactivate meets a title", true, func(f fixture) error { _, err := f.Patch(ctx, acme, "id-1", deactivate, ""); return err }, title},
		{"title meets a deactivate", true, func(f fixture) error { _, err := f.Patch(ctx, acme, "id-1", title, ""); return err }, deactivate},
		{"title meets an activate", false, func(f fixture) error { _, err := f.Patch(ctx, acme, "id-1", title, ""); return err }, activate},
		{"deactivate again meets an activate", false, func(f fixture) error { _, err := f.Patch(ctx, acme, "id-1", deactivate, ""); return err }, activate},
		{"activate meets a deactivate", false, func(f fixture) error { _, err := f.Patch(ctx, acme, "id-1", activate, ""); return err }, deactivate},
		{"deactivate on a version meets a title", true, func(f fixture) error { _, err := f.Patch(ctx, acme, "id-1", deactivate, `W/"2"`); return err }, title},
		{"delete on a version meets a title", true, func(f fixture) error { return f.Delete(ctx, acme, "id-1", `W/"2"`) }, title},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := withAlice(t)
			if !c.active {
				f.patch(t, deactivate)
			}
			f.store.before = func() { f.patch(t, c.other) }
			if err := c.do(f); err != nil && !scim.IsStale(err) {
				t.Fatal(err)
			}
			if f.store.before != nil {
				t.Fatal("the other request did not happen")
			}
			f.agree(t)
		})
	}
}

// TestRestore_DeactivatedWhileRestoring_EndsSuspended plays the worst interleaving: the offboarding is complete before
// the activation's Restore arrives.
func TestRestore_DeactivatedWhileRestoring_EndsSuspended(t *testing.T) {
	t.Parallel()
	for name, overtake := range map[string]func(fixture) error{
		"deactivated": func(f fixture) error { _, err := f.Patch(ctx, acme, "id-1", deactivate, ""); return err },
		"deleted":     func(f fixture) error { return f.Delete(ctx, acme, "id-1", "") },
		"renamed": func(f fixture) error {
			_, err := f.Patch(ctx, acme, "id-1", ops(`{"op":"replace","path":"externalId","value":"ext-b"}`), "")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withAlice(t)
			f.patch(t, deactivate)
			var once sync.Once
			f.life.Fail = func(call string, p tenant.Principal) error {
				var err error
				if call == "restore" && p == "ext-a" {
					once.Do(func() { err = overtake(f) })
				}
				return err
			}
			f.patch(t, activate)
			if !f.life.Suspended(acme, "ext-a") {
				t.Error("the late Restore undid the offboarding")
			}
		})
	}
}

// TestOffboard_ActivatorDiesAfterItsRestore_EndsSuspended: an activation wrote "active", its Restore arrives between the
// offboarding's Suspend and its write, and the activator is gone before it could look again.
func TestOffboard_ActivatorDiesAfterItsRestore_EndsSuspended(t *testing.T) {
	t.Parallel()
	for name, offboard := range map[string]func(fixture) error{
		"deactivated": func(f fixture) error { _, err := f.Patch(ctx, acme, "id-1", deactivate, ""); return err },
		"deleted":     func(f fixture) error { return f.Delete(ctx, acme, "id-1", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withAlice(t)
			f.patch(t, deactivate)
			f.life.Fail = func(call string, _ tenant.Principal) error {
				if call == "restore" {
					return errors.New("the process died")
				}
				return nil
			}
			_, _ = f.Patch(ctx, acme, "id-1", activate, "")
			f.life.Fail = nil
			f.store.before = func() { _ = f.life.Restore(ctx, acme, "ext-a") }
			if err := offboard(f); err != nil {
				t.Fatal(err)
			}
			if !f.life.Suspended(acme, "ext-a") {
				t.Error("the user is offboarded and can act")
			}
		})
	}
}

func TestPatch_RetriedAfterAConflict_AppliesWhatWasSent(t *testing.T) {
	t.Parallel()
	f := withAlice(t)
	f.store.before = func() { f.patch(t, ops(`{"op":"replace","path":"title","value":"x"}`)) }
	f.patch(t, ops(`{"op":"replace","path":"things","value":[{"value":"n","type":"x"}]},{"op":"replace","path":"things[type eq \"x\"].type","value":"y"}`))
	u, err := f.Get(ctx, acme, "id-1")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(u.Extra["things"]); got != "[map[type:y value:n]]" || u.Title != "x" {
		t.Errorf("things are %s, title %q", got, u.Title)
	}
}

func TestConcurrent_ActivationsAndOffboardings_DirectoryAndLifecycleAgree(t *testing.T) {
	t.Parallel()
	f := withAlice(t)
	for range 30 {
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				_, err := f.Patch(ctx, acme, "id-1", [][]byte{activate, deactivate}[i%2], "")
				if err != nil && !fault.Is(err, fault.Internal) {
					t.Errorf("patch: %v", err)
				}
			})
		}
		wg.Wait()
		u, err := f.Get(ctx, acme, "id-1")
		if err != nil {
			t.Fatal(err)
		}
		if !u.Active && !f.life.Suspended(acme, "ext-a") {
			t.Fatal("the user is inactive and can act")
		}
	}
}

func TestCreate_TakenExternalID_DoesNotSuspendItsHolder(t *testing.T) {
	t.Parallel()
	f := withAlice(t)
	if _, err := f.Create(ctx, acme, []byte(`{"userName":"mallory","externalId":"ext-a","active":false}`)); scim.TypeOf(err) != scim.Uniqueness {
		t.Errorf("create gives %v", err)
	}
	f.create(t, `{"userName":"bob","externalId":"ext-b","active":false}`)
	f.life.Calls()
	if _, err := f.Patch(ctx, acme, "id-3", ops(`{"op":"replace","path":"externalId","value":"ext-a"}`), ""); scim.TypeOf(err) != scim.Uniqueness {
		t.Errorf("patch gives %v", err)
	}
	if calls := f.life.Calls(); len(calls) != 0 {
		t.Errorf("lifecycle calls: %v", calls)
	}
	f.agree(t)
}

func TestCreate_OneUserNameAtOnce_OneWins(t *testing.T) {
	t.Parallel()
	f := fixture{store: &interleaved{Memory: scimtest.NewMemory()}, life: &scimtest.Lifecycle{}}
	var mu sync.Mutex
	n, wins := 0, 0
	ids := func() string { mu.Lock(); defer mu.Unlock(); n++; return fmt.Sprintf("id-%d", n) }
	s := scim.New(f.store, f.life, func() time.Time { return time.Unix(1, 0) }, ids)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			_, err := s.Create(ctx, acme, fmt.Appendf(nil, `{"userName":"Alice","externalId":"e%d"}`, i))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				wins++
			} else if scim.TypeOf(err) != scim.Uniqueness {
				t.Errorf("a loser got %v", err)
			}
		})
	}
	wg.Wait()
	if wins != 1 {
		t.Errorf("%d won, want 1", wins)
	}
}
