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
	return &Gate{limits: l, now: now, circuits: map[circuitKey]*circuit{}, rates: map[string]*rate{}}
}

// Wait is zero when a refresh may start now, and counts it; otherwise it is the time to come back.
func (g *Gate) Wait(ref connection.Ref) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if c := g.circuits[keyOf(ref)]; c != nil && !c.until.IsZero() {
		if left := c.until.Sub(now); left > 0 {
			return left
		}
		c.until = now.Add(probeFor) // this one finds out; the others go on waiting
	}
	return g.take(ref.Connector, now)
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
