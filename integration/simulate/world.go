package simulate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/tenant"
)

// Class is a kind of provider.
type Class struct {
	// Name is for reports; Rotation stands in a connector's manifest behind "class:".
	Name, Rotation string
	// Kills tells that a refresh token used twice ends the whole grant.
	Kills bool
}

// Classes lists the kinds of provider. The last refuses a used refresh token and leaves it at that.
func Classes() []Class {
	return []Class{{"static", "static", false}, {"grace 30 s", "grace, grace_seconds: 30", true}, {"grace 10 min", "grace, grace_seconds: 600", true}, {"strict", "strict", true}, {"strict, lenient", "strict", false}}
}

// Manifest is the connector.yaml of a provider of class c.
func Manifest(c Class) string {
	return fmt.Sprintf(`id: plain
name: Plain
description: A provider by the book.
docs_url: https://plain.example/docs
hosts: {web: https://plain.example}
auth: {mode: oauth2, client_auth: client_secret_basic, pkce: use}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token"}
scopes: {known: {items: {description: Read items, effect: read}}}
expires: {mode: field}
rotation: {class: %s}
api: {base: "{web}/api"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
revoke:
  method: POST
  url: "{web}/revoke"
  auth: none
  token: refresh
  param: token
  format: form
  success: {status: [200]}
  already_gone: [{status: [400], when: [{path: error, is: invalid_token}]}]
  blast_radius: grant
`, c.Rotation)
}

// World is one schedule.
type World struct {
	class    Class
	spec     *catalog.Connector
	plan     Plan
	rng      *rand.Rand
	store    *memory.Store
	provider *provider
	ref      connection.Ref
	sabotage Sabotage
	log      func(string)

	base    time.Time
	now     time.Duration
	agenda  agenda
	order   int
	cur     *process
	live    map[*process]struct{}
	queued  map[*message]struct{}
	dead    []*message
	spawned int

	// conn is the connection as stored, outUntil the end of an outage of slots, darkUntil of the whole store.
	conn                connection.Connection
	outUntil, darkUntil time.Duration
	// slotAt is when tokens were stored last.
	slotAt time.Duration
	points int
	record bool
	sites  []site
	struck []Fault
	calm   bool
	ids    int

	skewed, duplicates, revoked, reconnected bool
	lost                                     bool
	problems                                 []string
}

// Outcome is how a schedule ended.
type Outcome struct {
	// Problems are broken invariants, none in a sound system.
	Problems []string
	// Lost tells that a person has to consent again though nobody revoked anything.
	Lost bool
	// Calls is how often the provider was asked, Points how many points the schedule had.
	Calls, Points int
	// Struck are the faults that struck.
	Struck []Fault
	sites  []site
}

// Play runs one schedule against a connector of the class. log, unless nil, gets a line for each step. broken, unless
// nil, breaks something on purpose.
func Play(c Class, spec *catalog.Connector, plan Plan, broken Sabotage, log func(string)) Outcome {
	return play(c, spec, plan, broken, log, false)
}

func play(c Class, spec *catalog.Connector, plan Plan, broken Sabotage, log func(string), record bool) Outcome {
	w := &World{class: c, spec: spec, plan: plan, sabotage: broken, log: log, record: record, base: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		live: map[*process]struct{}{}, queued: map[*message]struct{}{}}
	w.store = memory.New(w.clock)
	w.store.Fault = w.fault
	w.provider = newProvider(w)
	w.ref = connection.Ref{Scope: tenant.Scope{Tenant: "acme", Principal: "alice"}, Connector: spec.ID, ID: "conn_00000000000000000000000001"}
	w.begin()
	w.script()
	w.run(15*time.Minute, w.quiet)
	w.calm, w.outUntil, w.darkUntil = true, 0, 0 // from here on nothing goes wrong any more
	w.run(w.now+4*time.Hour, w.quiet)
	w.finish()
	for p := range w.live {
		p.stop()
	}
	return Outcome{Problems: w.problems, Lost: w.lost, Calls: len(w.provider.calls), Points: w.points, Struck: w.struck, sites: w.sites}
}

func (w *World) clock() time.Time { return w.base.Add(w.now) }

func (w *World) logf(format string, args ...any) {
	if w.log != nil {
		w.log(fmt.Sprintf("%10.3fs  ", w.now.Seconds()) + fmt.Sprintf(format, args...))
	}
}

func (w *World) must(err error) {
	if err != nil {
		w.violate("the simulator itself failed: %v", err)
	}
}

func (w *World) newID(prefix string) string {
	w.ids++
	return fmt.Sprintf("%s_%d", prefix, w.ids)
}

func (w *World) jitter() float64 {
	if w.rng == nil {
		return 0.5
	}
	return w.rng.Float64()
}

// latency is how long one step takes.
func (w *World) latency() time.Duration {
	if w.rng == nil {
		return 5 * time.Millisecond
	}
	if w.rng.IntN(50) == 0 {
		return time.Duration(w.rng.IntN(3000)) * time.Millisecond
	}
	return time.Duration(1+w.rng.IntN(40)) * time.Millisecond
}

func (w *World) slowness() time.Duration {
	if w.rng == nil {
		return 40 * time.Second
	}
	return time.Duration(5+w.rng.IntN(50)) * time.Second
}

func (w *World) freezeFor() time.Duration {
	if w.rng == nil {
		return 3 * time.Minute
	}
	r := w.plan.Rates
	return r.FreezeMin + time.Duration(w.rng.Int64N(int64(r.FreezeMax-r.FreezeMin)))
}

// begin makes a connection whose access token is due and lives for four minutes more.
func (w *World) begin() {
	if w.plan.Seed != 0 {
		w.rng = rand.New(rand.NewPCG(w.plan.Seed, 0x9e3779b97f4a7c15))
		r := w.plan.Rates
		w.skewed, w.duplicates = w.rng.Float64() < r.Skew, w.rng.Float64() < r.Duplicate
	}
	w.must(w.store.CreateConnection(context.Background(), connection.Connection{Ref: w.ref, Version: 1, Status: connection.Pending}))
	w.peek()
	w.connect(w.clock().Add(4 * time.Minute))
}

// connect puts a new grant in force, as the connect flow does.
func (w *World) connect(expires time.Time) {
	before := w.cur
	w.cur = nil
	defer func() { w.cur = before }()
	access, token := w.provider.consent()
	g := connection.Grant{ID: connection.GrantID(w.newID("grant")), ScopesGranted: []string{"items"}}
	next, err := w.conn.Activate(connection.Activated{Grant: g, ExpiresAt: expires, DueAt: expires.Add(-5 * time.Minute)}, w.clock())
	if err != nil {
		return // revoked meanwhile
	}
	gen := next.Refresh.Generation
	err = w.store.Activate(context.Background(), next, connection.Slot{Generation: gen, Fence: next.Refresh.Fence, Access: seal(w.ref.Binding(connection.AccessToken, gen), access),
		Refresh: seal(w.ref.Binding(connection.RefreshToken, gen), token), Facts: connection.TokenFacts{ExpiresAt: expires}}, g)
	w.must(err)
	w.look()
}

func (w *World) reconnect() {
	w.reconnected = true
	w.connect(w.clock().Add(life))
}

// revoke ends the connection here, and tells the provider a little later, as often as it takes.
func (w *World) revoke() {
	before := w.cur
	w.cur = nil
	_, err := w.store.UpdateConnection(context.Background(), w.conn, func(c connection.Connection) (connection.Connection, error) {
		return c.Revoke("asked", w.clock()), nil
	})
	w.must(err)
	w.cur = before
	w.revoked = true
	w.send(&message{name: "revoker", body: func(p *process) error {
		_, err := p.revoker().Finish(context.Background(), p.w.ref, false)
		return err
	}}, 0)
}

// sendDue queues the connection as sweep and coordinator do.
func (w *World) sendDue(after time.Duration) {
	w.send(&message{name: "worker", body: func(p *process) error {
		_, err := p.refresh(connection.RefreshRequest{By: "sweep"})
		return err
	}}, after)
}

// sendRescue queues tokens, as functions/refresh does: what fails is tried again soon.
func (w *World) sendRescue(s connection.Slot, attempt int, delay time.Duration) {
	w.send(&message{name: "rescuer", again: attempt > 0, tokens: bound(s.Refresh), body: func(q *process) error {
		err := q.coordinator().Rescue(context.Background(), q.w.ref, s)
		if err != nil && attempt < 60 {
			if err = q.step(siteQueue, "rescue again"); err == nil {
				q.w.sendRescue(s, attempt+1, 30*time.Second)
			}
		}
		return err
	}}, delay)
}

// sweep looks each minute.
func (w *World) sweep() {
	if w.now >= w.darkUntil && w.conn.Status == connection.Active && !w.conn.Refresh.DueAt.IsZero() && !w.clock().Before(w.conn.Refresh.DueAt) {
		w.sendDue(0)
	}
	w.in(time.Minute, w.sweep)
}

// call is an execution that wants a live token.
func (w *World) call() {
	w.spawn("caller", func(p *process) error {
		if p.w.conn.Usable(p.now()) {
			return nil
		}
		_, err := p.refresh(connection.RefreshRequest{By: refresh.ByExecute, Wait: 12 * time.Second})
		return err
	}, func(bool) {})
}

// script plans the actors: the sweep at once and each minute, others by chance.
func (w *World) script() {
	w.in(0, w.sweep)
	if w.rng == nil {
		return
	}
	r := w.plan.Rates
	if w.rng.Float64() < r.Contended {
		for range 1 + w.rng.IntN(2) {
			w.in(time.Duration(w.rng.IntN(2000))*time.Millisecond, func() { w.sendDue(0) })
		}
		for range 1 + w.rng.IntN(2) {
			w.in(4*time.Minute+time.Duration(w.rng.IntN(60))*time.Second, w.call)
		}
	}
	if w.rng.Float64() < r.Revoke {
		w.in(time.Duration(w.rng.IntN(4000))*time.Millisecond, w.revoke)
	}
	if w.rng.Float64() < r.Reconnect {
		w.in(time.Duration(w.rng.IntN(4000))*time.Millisecond, w.reconnect)
	}
}

// quiet reports that nothing is going on and nothing is due.
func (w *World) quiet() bool {
	if len(w.live) > 0 || len(w.queued) > 0 || w.now < 5*time.Second {
		return false
	}
	c := w.conn
	return c.Status != connection.Active || c.Refresh.LeaseOwner == "" && c.Refresh.Fails == 0 && c.Refresh.NextTry.IsZero() && c.Refresh.DueAt.After(w.clock())
}
