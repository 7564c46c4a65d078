package storm_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/integration/storm"
	"behalf.dev/behalf/shared/client"
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
	calls  map[string]int // of AWS, by operation
	busy   processors
}

// processors is the processor time of the four processes, of the OAuth server, and of the rest: clients, gateway, authorizer, AWS.
type processors struct{ workers, provider, rest time.Duration }

func (p processors) minus(q processors) processors {
	return processors{p.workers - q.workers, p.provider - q.provider, p.rest - q.rest}
}

func (p processors) String() string {
	return fmt.Sprintf("%v in the processes, %v in the OAuth server, %v in clients, gateway and AWS", p.workers, p.provider, p.rest)
}

// processors reads what was used so far; zeros where the system does not tell.
func (w *world) processors() (p processors) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.workers {
		used, _ := storm.Processor(x.PID())
		p.workers += used
	}
	p.provider, _ = storm.Processor(w.provider.PID())
	p.rest, _ = storm.Processor(os.Getpid())
	return p
}

// since is what a counter counted between two looks.
func since(now, before map[string]int) map[string]int {
	out := map[string]int{}
	for op, n := range now {
		if n > before[op] {
			out[op] = n - before[op]
		}
	}
	return out
}

func (o outcome) percentile(n int) time.Duration {
	return o.took[min(len(o.took)-1, len(o.took)*n/100)]
}

// storm has n callers call at once.
func (p *person) storm(n int) outcome {
	out := outcome{calls: p.w.counted()}
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
	used, began := p.w.processors(), time.Now()
	close(gate)
	all.Wait()
	out.all, out.busy = time.Since(began), p.w.processors().minus(used)
	out.calls = since(p.w.counted(), out.calls)
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
	t.Logf("%s: AWS calls %v", name, o.calls)
	t.Logf("%s: processor time %v", name, o.busy)
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

// TestStorm plays the scenarios on one world. Those that measure time run alone; those that only wait run together; those that
// break AWS or set the clocks come last, because they are felt by all.
func TestStorm(t *testing.T) {
	asked(t)
	w := start(t)
	t.Run("measured", w.measured)
	w.early(t, [3]string{"oidc", "acme", "first2.next3600.dead1.200ms"}, [3]string{"oidc", "acme", "first2.next3600.dead20.200ms"}, [3]string{"oidc", "acme", "first2.next3600.dead200.200ms"},
		[3]string{"oidc", "acme", "first2.next3600.dead200.12s"}, [3]string{"oidcgrace", "slow-grace", "first2.next3600.grace30.slow"}, [3]string{"oidc", "cut-strict", "first2.next3600.cutstrict"}, [3]string{"oidcgrace", "cut-grace", "first2.next3600.grace30.cut"},
		[3]string{"oidc", "too-many", "first2.next3600.toomany"}, [3]string{"oidc", "unavailable", "first2.next3600.unavailable"}, [3]string{"oidc", "umbrella", "first2.next3600.kms"},
		[3]string{"oidc", "acme", "first2.next3600.before"}, [3]string{"oidc", "acme", "first2.next3600.behind"}, [3]string{"oidc", "acme", "first2.next3600.killbefore"},
		[3]string{"oidcgrace", "acme", "first2.next3600.grace30.kill"}, [3]string{"oidc", "acme", "first2.next3600.killbehind"})
	w.timed(t)
	t.Run("together", w.together)
	w.broken(t)
	w.killed(t)
}

// timed are the scenarios with many callers at once, whose times are measured.
func (w *world) timed(t *testing.T) {
	due := w.connect(t, "oidc", "acme", "first10.next3600.due") // first, since it takes a while to fall due
	fresh := w.connect(t, "oidc", "acme", "first3600.fresh")
	fresh.storm(callers) // warms caches
	base := map[int]outcome{}
	for _, n := range []int{1, few, callers} {
		base[n] = fresh.storm(n)
		base[n].report(t, "fresh token")
		none(t, base[n])
	}
	fresh.seen(0, 0)
	t.Run("due, not dead", func(t *testing.T) {
		due.t = t
		due.due()
	})
	for _, x := range []struct {
		callers int
		delay   time.Duration
	}{{1, 200 * time.Millisecond}, {few, 200 * time.Millisecond}, {callers, 200 * time.Millisecond}, {callers, 12 * time.Second}} {
		t.Run(fmt.Sprintf("dead, %d callers, endpoint takes %v", x.callers, x.delay), func(t *testing.T) {
			w.dead(t, x.callers, x.delay, base[x.callers].all)
		})
	}
}

// due is a token that should be refreshed and still lives: nobody waits for the refresh that is under way.
func (p *person) due() {
	t, w := p.t, p.w
	w.front.Plan(p.account, storm.Act{Before: 3 * time.Second})
	time.Sleep(time.Until(p.connected.Add(5500 * time.Millisecond))) // due after half its life, at the latest
	var sweeps sync.WaitGroup
	for range 2 * processes {
		sweeps.Go(func() { p.sweep(t) })
	}
	for len(w.front.Asks(p.account)) == 0 && t.Context().Err() == nil && time.Since(p.connected) < 9*time.Second {
		time.Sleep(10 * time.Millisecond)
	}
	o := p.storm(callers)
	o.report(t, "token due, refresh takes 3 s")
	none(t, o)
	if asks := w.front.Asks(p.account); len(asks) != 1 || asks[0].Status != 0 {
		t.Errorf("the refresh was not under way all the time: %+v", asks)
	}
	sweeps.Wait()
	p.seen(1, 0)
	p.alive()
}

// slack is how much longer than the endpoint and the machine a crowd may take. What the machine takes is not known exactly: a
// crowd's calls before and behind the refresh are twice those with a fresh token.
const slack = 300 * time.Millisecond

// dead is a token that has ended, with n callers at once; fresh is how long as many calls take with a fresh one.
func (w *world) dead(t *testing.T, n int, delay, fresh time.Duration) {
	p := w.connect(t, "oidc", "acme", fmt.Sprintf("first2.next3600.dead%d.%v", n, delay))
	p.dead(2 * time.Second)
	w.front.Plan(p.account, storm.Act{Before: delay})
	o := p.storm(n)
	o.report(t, "dead token, endpoint takes "+delay.String())
	none(t, o)
	over := o.all - delay
	t.Logf("%v beyond the endpoint's time; %v is what as many calls take on this machine with a fresh token", over.Round(time.Millisecond), fresh.Round(time.Millisecond))
	if over > slack {
		t.Logf("MISSED: more than %v beyond the endpoint's time", slack)
	}
	if over > slack+6*fresh+time.Second { // something waits that is not the processor
		t.Errorf("%v beyond the endpoint's time", over)
	}
	p.seen(1, 0)
	p.alive()
	p.seen(2, 0)
}

// sweep has the refresh function handle the person's connection as a message from its queue does.
func (p *person) sweep(t *testing.T) {
	work := contract.RefreshWork{Connections: []contract.Ref{{Tenant: p.tenant, Principal: p.principal, Connector: p.connector, Connection: p.connection}}}
	inner, err := json.Marshal(work)
	if err != nil {
		t.Error(err)
		return
	}
	payload, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m", Body: string(inner)}}})
	if err != nil {
		t.Error(err)
		return
	}
	out, err := p.w.next().Invoke(t.Context(), "refresh", payload)
	if err != nil || strings.Contains(string(out), "itemIdentifier") {
		t.Errorf("sweep: %s %v", out, err)
	}
}

func none(t *testing.T, o outcome) {
	t.Helper()
	if len(o.errors) > 0 {
		t.Errorf("%d of %d calls failed", len(o.errors), len(o.took))
	}
}
