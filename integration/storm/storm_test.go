package storm_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/integration/storm"
	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/fault"
)

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// call is one execution.
func (p *person) call() error {
	res, err := p.session.Execute(p.w.t.Context(), client.Call{Tool: p.connector + "_get_order", Input: map[string]string{"number": "7"}})
	if err != nil {
		return err
	}
	var order struct{ Buyer string }
	if err := json.Unmarshal(res.Data, &order); err != nil || order.Buyer != p.account {
		return errors.New("an answer for " + order.Buyer)
	}
	return nil
}

// outcome is how a storm went.
type outcome struct {
	took   []time.Duration // of each call, sorted
	all    time.Duration
	errors []error
}

func (o outcome) percentile(n int) time.Duration {
	return o.took[min(len(o.took)-1, len(o.took)*n/100)]
}

// storm has n callers call at once.
func (p *person) storm(n int) outcome {
	var out outcome
	var mu sync.Mutex
	var all sync.WaitGroup
	gate := make(chan struct{})
	for range n {
		all.Go(func() {
			<-gate
			began := time.Now()
			err := p.call()
			mu.Lock()
			defer mu.Unlock()
			out.took = append(out.took, time.Since(began))
			if err != nil {
				out.errors = append(out.errors, err)
			}
		})
	}
	began := time.Now()
	close(gate)
	all.Wait()
	out.all = time.Since(began)
	slices.Sort(out.took)
	return out
}

// report logs a storm, and the kinds of its errors.
func (o outcome) report(t *testing.T, name string) {
	t.Helper()
	kinds := map[string]int{}
	for _, err := range o.errors {
		kinds[err.Error()]++
	}
	t.Logf("%s: %d callers in %v, p50 %v, p99 %v, %d errors %v", name, len(o.took), o.all.Round(time.Millisecond), o.percentile(50).Round(time.Millisecond), o.percentile(99).Round(time.Millisecond), len(o.errors), kinds)
}

// dead waits until the access token has ended.
func (p *person) dead(life time.Duration) {
	time.Sleep(time.Until(p.connected.Add(life + 200*time.Millisecond)))
}

// tally is what the OAuth server says about the person.
func (p *person) tally() storm.Tally {
	p.t.Helper()
	all, err := p.w.provider.Tallies(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return all[p.account]
}

// seen checks what came to the provider: so many requests, never two at once, no token more often than allowed.
func (p *person) seen(requests, repeats int) {
	p.t.Helper()
	asks := p.w.front.Asks(p.account)
	tokens := map[string]int{}
	again := 0
	for i, a := range asks {
		tokens[a.Token]++
		if tokens[a.Token] > 1 {
			again++
		}
		if i > 0 && (asks[i-1].Ended.IsZero() || a.Began.Before(asks[i-1].Ended)) {
			p.t.Errorf("refresh request %d of %s came while the one before was under way", i+1, p.account)
		}
	}
	if len(asks) != requests || again != repeats {
		p.t.Errorf("%s: the provider saw %d refresh requests, %d of them with a token that it had seen; want %d and %d", p.account, len(asks), again, requests, repeats)
	}
}

// alive refreshes once more, and calls.
func (p *person) alive() {
	p.t.Helper()
	before := p.tally()
	got, err := p.w.api.RefreshConnection(p.t.Context(), p.tenant, p.connection)
	if err != nil || got.Result != "refreshed" {
		p.t.Errorf("%s: the next refresh: %+v %v", p.account, got, err)
	}
	if after := p.tally(); after.Refreshed != before.Refreshed+1 || after.Reused != before.Reused || after.Revoked != before.Revoked {
		p.t.Errorf("%s: the server says %+v, before the refresh %+v", p.account, after, before)
	}
	if err := p.call(); err != nil {
		p.t.Errorf("%s: the call after it: %v", p.account, err)
	}
}

func code(err error) fault.Code { return fault.From(err).Code }

func TestStorm(t *testing.T) {
	asked(t)
	w := start(t)
	began := time.Now()
	p := w.connect(t, "oidc", "acme", "first2.next600.dead")
	t.Logf("connected in %v", time.Since(began))
	p.dead(2 * time.Second)
	w.front.Plan(p.account, storm.Act{Before: 200 * time.Millisecond})
	o := p.storm(callers)
	o.report(t, "dead token, 200 ms")
	p.seen(1, 0)
	p.alive()
}
