package storm_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/integration/storm"
)

// rounds is how often what is measured is repeated; medians are reported.
const rounds = 11

// row is one line of the table.
type row struct {
	what, provider string
	took           string
	calls          map[string]int
}

func (r row) String() string {
	var parts []string
	for _, op := range slices.Sorted(maps.Keys(r.calls)) {
		parts = append(parts, fmt.Sprintf("%s %d", op, r.calls[op]))
	}
	return fmt.Sprintf("| %s | %s | %s | %s |", r.what, r.provider, strings.Join(parts, ", "), r.took)
}

// ask invokes the refresh function on demand, as execute does, in one process.
func (p *person) ask(t *testing.T, worker int, call contract.RefreshCall) contract.RefreshAnswer {
	call.Connection = &contract.Ref{Tenant: p.tenant, Principal: p.principal, Connector: p.connector, Connection: p.connection}
	payload, err := json.Marshal(call)
	if err != nil {
		t.Error(err)
		return contract.RefreshAnswer{}
	}
	out, err := p.w.workers[worker].Invoke(t.Context(), "refresh", payload)
	var a contract.RefreshAnswer
	if err != nil || json.Unmarshal(out, &a) != nil || a.Error != nil {
		t.Errorf("refresh: %v %s", err, out)
	}
	return a
}

func median(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)/2]
}

// each counts the AWS calls of what do does, and divides by rounds; queues that are polled and streams that are read do not count.
func (w *world) each(t *testing.T, do func() time.Duration) (map[string]int, time.Duration) {
	t.Helper()
	do() // warm
	if err := w.stack.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := w.counted()
	var took []time.Duration
	for range rounds {
		took = append(took, do())
	}
	calls := since(w.counted(), before)
	for op, n := range calls {
		if calls[op] = (n + rounds/2) / rounds; calls[op] == 0 { // what happens beside it
			delete(calls, op)
		}
	}
	return calls, median(took)
}

func timed(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

// measured prints what one of each costs.
func (w *world) measured(t *testing.T) {
	p := w.connect(t, "oidc", "measured", "first3600.next3600.measured")
	for range processes {
		if err := p.call(); err != nil {
			t.Fatal(err)
		}
	}
	calls, took := w.each(t, func() time.Duration {
		return timed(func() {
			if err := p.call(); err != nil {
				t.Error(err)
			}
		})
	})
	rows := []row{{"an execution with a fresh token, whole (API to API)", "0 token, 1 tool call", took.Round(10 * time.Microsecond).String(), calls}}

	calls, took = w.each(t, func() time.Duration {
		return timed(func() {
			if a := p.ask(t, 1, contract.RefreshCall{WaitMS: 1000}); a.Status != "fresh" {
				t.Errorf("%+v", a)
			}
		})
	})
	rows = append(rows, row{"asking for a refresh of a fresh token", "0", took.Round(10 * time.Microsecond).String(), calls})

	lead := func() time.Duration {
		n := len(w.front.Asks(p.account))
		took := timed(func() {
			if a := p.ask(t, 0, contract.RefreshCall{Force: true, WaitMS: 5000}); a.Status != "refreshed" {
				t.Errorf("%+v", a)
			}
		})
		asks := w.front.Asks(p.account)
		if len(asks) != n+1 {
			t.Errorf("%d requests for one refresh", len(asks)-n)
			return took
		}
		return took - asks[n].Ended.Sub(asks[n].Began)
	}
	alone, took := w.each(t, lead)
	rows = append(rows, row{"one refresh (the refresher), without the provider's own time", "1 token", took.Round(10 * time.Microsecond).String(), alone})

	const hold = 300 * time.Millisecond
	both, took := w.each(t, func() time.Duration {
		arrived, done := make(chan struct{}), make(chan struct{})
		w.front.Plan(p.account, storm.Act{Arrived: func(int) { close(arrived) }, Before: hold})
		var led time.Time
		go func() {
			lead()
			led = time.Now()
			close(done)
		}()
		<-arrived
		if a := p.ask(t, 1, contract.RefreshCall{Force: true, WaitMS: 5000}); a.Status != "fresh" {
			t.Errorf("%+v", a)
		}
		followed := time.Now()
		<-done
		return max(0, followed.Sub(led))
	})
	rows = append(rows, row{fmt.Sprintf("a follower who waits %v; time behind the refresher", hold), "0", took.Round(10 * time.Microsecond).String(), since(both, alone)})
	rows = append(rows, w.crowd(t, p))
	t.Logf("medians of %d, one caller, warm:\n| what | provider calls | AWS calls | time |\n|---|---|---|---|\n%s", rounds, lines(rows))
	if n := alone["dynamodb:PutItem"]; n > 5 {
		t.Errorf("a refresh writes %d items", n)
	}
}

// crowd has 200 ask for one refresh, in all processes, and nothing else: what coordination takes without the calls around it.
func (w *world) crowd(t *testing.T, p *person) row {
	t.Helper()
	const delay = 200 * time.Millisecond
	var calls map[string]int
	var took []time.Duration
	for range 3 {
		generation := p.ask(t, 0, contract.RefreshCall{}).Generation
		w.front.Plan(p.account, storm.Act{Before: delay})
		before := w.counted()
		var all sync.WaitGroup
		took = append(took, timed(func() {
			for i := range callers {
				all.Go(func() {
					if a := p.ask(t, i%processes, contract.RefreshCall{Rejected: generation, WaitMS: 20_000}); a.Generation != generation+1 {
						t.Errorf("%+v", a)
					}
				})
			}
			all.Wait()
		})-delay)
		calls = since(w.counted(), before)
	}
	return row{fmt.Sprintf("%d who ask at once for one refresh that takes %v; time until the last knows, beyond that", callers, delay), "1 token", median(took).Round(time.Millisecond).String(), calls}
}

func lines(rows []row) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintln(&b, r)
	}
	return b.String()
}
