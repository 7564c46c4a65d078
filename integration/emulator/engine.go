package emulator

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// provider is one emulated provider at work: a dialect plus all state. Every
// field below mu is guarded by it; nothing waits while holding it.
type provider struct {
	srv *Server
	d   dialect
	tr  traits
	mux *http.ServeMux

	mu       sync.Mutex
	set      Settings
	clients  map[string]*client
	grants   map[string]*grant
	tokens   map[string]*token // by hash
	codes    map[string]*code  // by hash
	inFlight map[string]int    // refreshes by grant id
	faults   []Fault
	log      callLog
	count    counterBook
	retired  bool  // replaced by Reset: no more writes to disk
	saveErr  error // first failed write
}

func newProvider(s *Server, d dialect) *provider {
	p := &provider{
		srv: s, d: d, tr: d.traits(), mux: http.NewServeMux(),
		clients: map[string]*client{}, grants: map[string]*grant{},
		tokens: map[string]*token{}, codes: map[string]*code{}, inFlight: map[string]int{},
	}
	p.set = p.tr.defaults
	p.count.byPerson = map[string]*Counters{}
	if p.tr.authorizePath != "" {
		p.mount(route{"GET " + p.tr.authorizePath, KindAuthorize, (*call).showPage})
		p.mount(route{"POST " + p.tr.authorizePath, KindAuthorize, (*call).decide})
	}
	for _, rt := range d.routes() {
		p.mount(rt)
	}
	p.mount(route{"/", KindAPI, func(c *call) reply { return d.refuse(c, refusal{reason: reasonNotFound}) }})
	return p
}

// mount registers a route below the provider's prefix.
func (p *provider) mount(rt route) {
	p.mux.HandleFunc(underPrefix(rt.pattern, "/"+p.tr.name), func(w http.ResponseWriter, r *http.Request) {
		c := p.open(rt.kind, r)
		p.arrive(c)
		out := p.finish(c, rt.do)
		if out.cut {
			panic(http.ErrAbortHandler) // net/http closes the connection without an answer
		}
		out.write(w)
	})
}

// finish processes a call and logs it, also when the handler panics, so that
// the count of refreshes in flight cannot drift.
func (p *provider) finish(c *call, do func(*call) reply) (out reply) {
	defer func() { p.depart(c, out) }()
	return p.carryOut(c, do)
}

func (p *provider) name() string   { return p.tr.name }
func (p *provider) now() time.Time { return p.srv.opts.Now() }
func (p *provider) mint() mint     { return mint{p.srv.opts.Rand} }

// arrive notes who called, takes the fault meant for this call and counts
// refreshes in flight.
func (p *provider) arrive(c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.began = p.now()
	c.identify()
	c.fault = p.takeFault(c)
	p.count.add(c.login(), func(n *Counters) {
		switch c.kind {
		case KindAPI:
			n.APICalls++
		case KindRefresh:
			n.RefreshRequests++
		}
	})
	if c.kind != KindRefresh || c.grant == nil {
		return
	}
	c.busy = p.tr.refuseParallel && p.inFlight[c.grant.ID] > 0
	p.inFlight[c.grant.ID]++
	c.flight = c.grant.ID
	running := p.inFlight[c.grant.ID]
	p.count.add(c.login(), func(n *Counters) {
		n.MaxConcurrentRefreshes = max(n.MaxConcurrentRefreshes, running)
	})
}

// carryOut waits as ordered and then processes under the lock. State may have
// changed during the wait, so the presented token is looked up again.
func (p *provider) carryOut(c *call, do func(*call) reply) reply {
	if c.fault.Mode == ModeDropBefore {
		return reply{cut: true, outcome: string(ModeDropBefore)}
	}
	wait := p.delayFor(c)
	if c.busy {
		wait = 0
	}
	pause(c.r.Context(), wait)

	p.mu.Lock()
	defer p.mu.Unlock()
	c.identify()
	if why := c.fault.refusal(); why != nil {
		return p.d.refuse(c, *why)
	}
	if c.busy {
		return p.d.refuse(c, refusal{reason: reasonBusy})
	}
	out := do(c)
	if c.fault.Mode == ModeLostReply {
		out.cut, out.outcome = true, string(ModeLostReply)
	}
	return out
}

// pause stops early when the client hangs up; the request is processed all the
// same, as at a real provider.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// depart writes the log line.
func (p *provider) depart(c *call, out reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.flight != "" {
		if p.inFlight[c.flight]--; p.inFlight[c.flight] == 0 {
			delete(p.inFlight, c.flight)
		}
	}
	p.log.append(p.describe(c, out))
}
