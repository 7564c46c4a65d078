package refresh

import (
	"net/http"
	"sync"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/tenant"
)

// Limits are what a Gate lets through; the zero value means the defaults in parentheses.
type Limits struct {
	// Failures in a row open a circuit (5), first for Pause (10 s), then for twice as long each time, up to MaxPause (5 min).
	Failures        int
	Pause, MaxPause time.Duration
	// PerSecond is how many refreshes one process starts at one connector (20), Burst how many of them at once (40).
	PerSecond, Burst float64
}

// Gate keeps refreshes away from a provider that fails or says that it is asked too often: a circuit breaker per
// connector and tenant, since a tenant may have a client, or a host, of its own; and a rate limit per connector. It is
// one process's knowledge, which is enough to stop a storm: each process learns by itself within a few requests, and no
// refresh pays for a shared counter. It is safe for concurrent use.
type Gate struct {
	limits Limits
	now    func() time.Time

	mu       sync.Mutex
	circuits map[circuitKey]*circuit
	rates    map[string]*rate
	// passed is when a connection was let through. Those that ask for the same one at the same time race for one lease, and
	// one request comes of them: they count once, and none of them is sent away.
	passed map[connection.ID]time.Time
}

type circuitKey struct {
	tenant    tenant.ID
	connector string
}

// circuit exists while the last request failed.
type circuit struct {
	fails int
	pause time.Duration
	until time.Time
	// prober is the connection that finds out whether a paused provider works again.
	prober connection.ID
}

// rate is a token bucket.
type rate struct {
	tokens float64
	at     time.Time
}

// maxCircuits bounds memory: beyond it all circuits are forgotten, and learned anew.
const maxCircuits = 10_000

// probeFor is how long the one request that tries a paused provider has before another one may.
const probeFor = 30 * time.Second

// raceFor is how long those that ask for one connection count as one: from a read to the lease is a moment.
const raceFor, maxPassed = 2 * time.Second, 1_000

// NewGate returns a Gate with all circuits closed.
func NewGate(l Limits, now func() time.Time) *Gate {
	if l.Failures == 0 {
		l.Failures = 5
	}
	if l.Pause == 0 {
		l.Pause, l.MaxPause = 10*time.Second, 5*time.Minute
	}
	if l.PerSecond == 0 {
		l.PerSecond, l.Burst = 20, 40
	}
	return &Gate{limits: l, now: now, circuits: map[circuitKey]*circuit{}, rates: map[string]*rate{}, passed: map[connection.ID]time.Time{}}
}

// Wait is zero when a refresh may start now, and counts it; otherwise it is the time to come back.
func (g *Gate) Wait(ref connection.Ref) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if c := g.circuits[keyOf(ref)]; c != nil && !c.until.IsZero() {
		left := c.until.Sub(now)
		if left > 0 && (c.prober == "" || c.prober != ref.ID) {
			return left
		}
		if left <= 0 {
			c.until, c.prober = now.Add(probeFor), ref.ID // this one finds out; the others go on waiting
		}
	}
	if at, ok := g.passed[ref.ID]; ok && now.Sub(at) < raceFor {
		return 0
	}
	wait := g.take(ref.Connector, now)
	if wait == 0 {
		if len(g.passed) >= maxPassed {
			clear(g.passed)
		}
		g.passed[ref.ID] = now
	}
	return wait
}

// Open reports that ref's circuit is open: its provider is left alone.
func (g *Gate) Open(ref connection.Ref) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.circuits[keyOf(ref)]
	return c != nil && g.now().Before(c.until)
}

func (g *Gate) take(connector string, now time.Time) time.Duration {
	r := g.rates[connector]
	if r == nil {
		r = &rate{tokens: g.limits.Burst, at: now}
		g.rates[connector] = r
	}
	r.tokens = min(g.limits.Burst, r.tokens+g.limits.PerSecond*max(0, now.Sub(r.at).Seconds()))
	r.at = now
	if r.tokens < 1 {
		return max(time.Second, time.Duration((1-r.tokens)/g.limits.PerSecond*float64(time.Second)))
	}
	r.tokens--
	return 0
}

// Report notes how a request ended; nil is success. An answer that is about the one connection or the client's settings
// says that the provider works.
func (g *Gate) Report(ref connection.Ref, failed *EndpointError) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := keyOf(ref)
	if failed == nil || failed.Outcome.Kind != "" && failed.Outcome.Kind != catalog.OutcomeTransient {
		delete(g.circuits, k)
		return
	}
	c := g.circuits[k]
	if c == nil {
		if len(g.circuits) >= maxCircuits {
			clear(g.circuits)
		}
		c = &circuit{pause: g.limits.Pause}
		g.circuits[k] = c
	}
	c.fails++
	c.prober = ""
	asked := time.Duration(0)
	if failed.Outcome.Status == http.StatusTooManyRequests { // said about the client, not about one connection
		asked = failed.Outcome.RetryAfter
	}
	switch {
	case c.fails >= g.limits.Failures:
		c.until = g.now().Add(max(asked, c.pause))
		c.pause = min(2*c.pause, g.limits.MaxPause)
	case asked > 0:
		c.until = g.now().Add(min(asked, g.limits.MaxPause))
	default:
		c.until = time.Time{}
	}
}

func keyOf(ref connection.Ref) circuitKey { return circuitKey{ref.Tenant, ref.Connector} }

var _ Keeper = (*Gate)(nil)
