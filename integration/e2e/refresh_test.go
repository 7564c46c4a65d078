package e2e_test

import (
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

// fifty runs a tool fifty times at once and counts the successes.
func fifty(t *testing.T, f *e2e.Fixture, session, tool string) (succeeded int) {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	failed := 0
	start := make(chan struct{})
	for range 50 {
		all.Go(func() {
			<-start
			a, err := f.TryExecute(session, tool, nil, nil)
			mu.Lock()
			defer mu.Unlock()
			if err == nil && a.Status == 200 {
				succeeded++
				return
			}
			if failed++; failed == 1 {
				t.Logf("%v %d %s", err, a.Status, a.Body)
			}
		})
	}
	close(start)
	all.Wait()
	return succeeded
}

func TestExecute_FiftyAtOnceMeetATokenThatEnded_OneRefreshAndAllSucceed(t *testing.T) {
	t.Parallel()
	for provider, who := range whoami {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			f.Connect(t, "acme", "user_alice", provider, "alice", nil)
			f.Clock.Advance(13 * time.Hour) // longer than any of the three gives
			session := f.Session(t, "acme", "user_alice", nil)
			if n := fifty(t, f, session, who.tool); n != 50 {
				t.Errorf("%d of 50 succeeded", n)
			}
			if c := f.Counters(t, provider); c.RefreshRequests != 1 || c.RefreshReuses != 0 || c.MaxConcurrentRefreshes != 1 {
				t.Errorf("the provider saw %d refresh requests (%d reuses, %d at once), want one", c.RefreshRequests, c.RefreshReuses, c.MaxConcurrentRefreshes)
			}
		})
	}
}

func TestExecute_TokenEndedBeforeItsTime_OneRefreshAndTheCallsAreRepeated(t *testing.T) {
	t.Parallel()
	for provider, who := range whoami {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			f.Connect(t, "acme", "user_alice", provider, "alice", nil)
			if n, err := f.Emulator.Expire(provider, "alice"); err != nil || n != 1 {
				t.Fatal(n, err)
			}
			if n := fifty(t, f, f.Session(t, "acme", "user_alice", nil), who.tool); n != 50 {
				t.Errorf("%d of 50 succeeded", n)
			}
			if c := f.Counters(t, provider); c.Refreshes != 1 || c.RefreshRequests != 1 {
				t.Errorf("the provider saw %d refresh requests, want one", c.RefreshRequests)
			}
		})
	}
}

func TestSweep_TokenIsDue_RefreshesBeforeItEndsAndCallsGoOn(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Clock.Advance(7*time.Hour + 50*time.Minute) // of eight hours: due, and still good
	f.Account().FireSchedules()
	f.Settle(t)
	if c := f.Counters(t, "github"); c.Refreshes != 1 {
		t.Fatalf("%d refreshes by the sweep, want 1", c.Refreshes)
	}
	a := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	ends, err := time.Parse(time.RFC3339, a.Text("expires_at"))
	if err != nil || ends.Before(f.Clock.Now().Add(7*time.Hour)) {
		t.Errorf("expires_at %s after the refresh", a.Text("expires_at"))
	}
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "github_get_authenticated_user", nil, nil).Want(t, 200)
	if c := f.Counters(t, "github"); c.Refreshes != 1 {
		t.Errorf("%d refreshes after the call, want still 1", c.Refreshes)
	}
}

func TestExecute_GrantEndedAtTheProvider_ReauthorizationRequired(t *testing.T) {
	t.Parallel()
	for provider, who := range whoami {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			id := f.Connect(t, "acme", "user_alice", provider, "alice", nil)
			if _, err := f.Emulator.RevokeGrant(provider, "alice"); err != nil {
				t.Fatal(err)
			}
			session := f.Session(t, "acme", "user_alice", nil)
			a := f.Execute(t, session, who.tool, nil, nil).WantCode(t, "reauthorization_required")
			way, _ := a.JSON["connect"].(object)
			body, _ := way["body"].(object)
			if body["connection"] != id || a.Text("reason") == "" || a.Text("execution_id") == "" {
				t.Errorf("%s", a.Body)
			}
			if got := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Text("status"); got != "reauthorization_required" {
				t.Errorf("status %q", got)
			}
			before := f.Counters(t, provider).APICalls
			f.Execute(t, session, who.tool, nil, nil).WantCode(t, "reauthorization_required")
			if got := f.Counters(t, provider).APICalls; got != before {
				t.Error("a dead connection still reaches the provider")
			}
			// The way out that the error names works, and the connection keeps its id.
			body["return_url"] = e2e.ReturnURL
			delete(body, "tenant")
			delete(body, "principal")
			delete(body, "connector")
			if again := f.Connect(t, "acme", "user_alice", provider, "alice", body); again != id {
				t.Errorf("reconnected as %s, was %s", again, id)
			}
			f.Execute(t, session, who.tool, nil, nil).Want(t, 200)
		})
	}
}

func TestRefresh_ReplyIsLost_ConnectionRecoversOrSaysSo(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindRefresh, Mode: emulator.ModeDropBefore})
	a := f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil)
	if a.Status != 200 && a.JSON["code"] == nil {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	f.Clock.Advance(time.Hour)
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "github_get_authenticated_user", nil, nil).Want(t, 200)
}

func TestRefreshCall_ConnectionIsActive_RefreshesNow(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "user_alice", "slack", "alice", nil)
	f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil).Want(t, 200)
	if c := f.Counters(t, "slack"); c.Refreshes != 1 {
		t.Errorf("%d refreshes", c.Refreshes)
	}
	f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/pause", nil).Want(t, 200)
	f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil).WantCode(t, "conflict")
}

// A provider that answers a refresh with somebody else's tokens ends the connection: nobody is served with them.
func TestRefresh_TokensOfAnotherAccount_EndTheConnection(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"slack", "salesforce"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			id := f.Connect(t, "acme", "user_alice", provider, "alice", nil)
			f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil).Want(t, 200) // an honest one first
			f.Fail(t, provider, emulator.Fault{Kind: emulator.KindRefresh, Mode: "as:bob"})
			a := f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil).Want(t, 200)
			if a.Text("result") != "needs_reauth" || a.Text("reason") != "account_changed" {
				t.Errorf("%s", a.Body)
			}
			calls := f.Counters(t, provider).APICalls
			f.Execute(t, f.Session(t, "acme", "user_alice", nil), whoami[provider].tool, nil, nil).WantCode(t, "reauthorization_required")
			if f.Counters(t, provider).APICalls != calls {
				t.Error("the tokens were used")
			}
		})
	}
}
