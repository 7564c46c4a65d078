package simulate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Kind is what goes wrong at a point.
type Kind string

// The faults. Fail and Ambiguous are one failed access, before or behind the work; Outage is a store that takes no
// tokens, for longer than any lease; Blackout is one that does nothing for as long. The rest of the names say it.
const (
	Crash       Kind = "crash"
	Freeze      Kind = "freeze"
	Fail        Kind = "fail"
	Ambiguous   Kind = "ambiguous"
	Outage      Kind = "outage"
	Blackout    Kind = "blackout"
	LostRequest Kind = "lost-request"
	LostReply   Kind = "lost-reply"
	Slow        Kind = "slow"
	Unavailable Kind = "503"
	TooMany     Kind = "429"
	Revoke      Kind = "revoke"
	Reconnect   Kind = "reconnect"
)

// Fault strikes at one point of a schedule, counted from 1.
type Fault struct {
	At   int
	Kind Kind
}

// Plan is what goes wrong in one schedule.
type Plan struct {
	// Faults strike where they say.
	Faults []Fault
	// Seed drives everything else, if it is not zero: latencies, processes, and faults by Rates.
	Seed uint64
	// Rates are the chances per point of random faults.
	Rates Rates
}

// Rates are chances per point, and per schedule.
type Rates struct {
	Crash, Freeze, Fail, LostReply, LostRequest, Busy float64
	// Slow is per request; the rest per schedule.
	Slow                                               float64
	Contended, Revoke, Reconnect, Duplicate, Skew, Out float64
	FreezeMin, FreezeMax                               time.Duration
}

// Stormy are rates at which most schedules see a fault or two.
func Stormy() Rates {
	return Rates{Crash: 0.02, Freeze: 0.02, Fail: 0.03, LostReply: 0.05, LostRequest: 0.05, Busy: 0.05, Slow: 0.1,
		Contended: 0.5, Revoke: 0.1, Reconnect: 0.08, Duplicate: 0.3, Skew: 0.2, Out: 0.02, FreezeMin: 5 * time.Second, FreezeMax: 4 * time.Minute}
}

// Measured are the rates of the published loss table: a thousandth per step, 30 % contended, 1 % slow answers.
func Measured() Rates {
	return Rates{Crash: 1e-3, Freeze: 1e-3, Fail: 1e-3, LostReply: 1e-3, Slow: 0.01, Contended: 0.3, FreezeMin: 5 * time.Second, FreezeMax: time.Minute}
}

// String writes the plan so that a failure can be read.
func (p Plan) String() string {
	var b strings.Builder
	if p.Seed != 0 {
		fmt.Fprintf(&b, "seed %d", p.Seed)
	}
	for _, f := range p.Faults {
		fmt.Fprintf(&b, " %s@%d", f.Kind, f.At)
	}
	return strings.TrimSpace(b.String())
}

// site is what kind of step a point belongs to, which decides what can go wrong there.
type site int

const (
	siteRead   site = iota // before a read of the store, a key, a client
	siteWrite              // before a write to the store
	siteSlot               // before the write of new tokens
	siteAfter              // behind a write
	siteSend               // before the request leaves
	siteServer             // the provider has the request
	siteAnswer             // the answer was read
	siteQueue              // before a message is sent
)

// Possible lists what can go wrong at a point of this sort.
func (s site) possible() []Kind {
	switch s {
	case siteSend:
		return []Kind{Crash, Freeze, Fail, Revoke, Reconnect}
	case siteServer:
		return []Kind{LostRequest, LostReply, Slow, Unavailable, TooMany}
	case siteAnswer:
		return []Kind{Crash, Freeze, Revoke, Reconnect}
	case siteAfter:
		return []Kind{Crash, Freeze, Ambiguous, Revoke, Reconnect}
	case siteSlot:
		return []Kind{Crash, Freeze, Fail, Outage, Blackout, Revoke, Reconnect}
	case siteQueue:
		return []Kind{Crash, Fail}
	}
	return []Kind{Crash, Freeze, Fail, Revoke, Reconnect}
}

// strike is what goes wrong at the next point; "" for nothing.
func (w *World) strike(at site, op string) Kind {
	w.points++
	if w.record {
		w.sites = append(w.sites, at)
	}
	k := w.chosen(at)
	if k != "" {
		w.struck = append(w.struck, Fault{w.points, k})
		w.logf("%s strikes at %s (point %d)", k, op, w.points)
	}
	return k
}

func (w *World) chosen(at site) Kind {
	if w.calm {
		return ""
	}
	for _, f := range w.plan.Faults {
		if f.At == w.points {
			return f.Kind
		}
	}
	if w.plan.Seed == 0 {
		return ""
	}
	return w.plan.Rates.roll(at, w.rng)
}

func (r Rates) roll(at site, rng *rand.Rand) Kind {
	x := rng.Float64()
	hit := func(p float64) bool { x -= p; return x < 0 }
	switch at {
	case siteServer:
		switch {
		case hit(r.LostReply):
			return LostReply
		case hit(r.LostRequest):
			return LostRequest
		case hit(r.Slow):
			return Slow
		case hit(r.Busy):
			return []Kind{Unavailable, TooMany}[rng.IntN(2)]
		}
		return ""
	case siteSlot:
		if hit(r.Out) {
			return []Kind{Outage, Blackout}[rng.IntN(2)]
		}
	}
	switch {
	case hit(r.Crash):
		return Crash
	case hit(r.Freeze) && at != siteQueue:
		return Freeze
	case hit(r.Fail) && at != siteAnswer:
		if at == siteAfter {
			return Ambiguous
		}
		return Fail
	}
	return ""
}
