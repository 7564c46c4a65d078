package simulate

import (
	"context"
	"fmt"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/refresh"
)

func (w *World) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.logf("BROKEN: %s", text)
	if len(w.problems) < 5 {
		w.problems = append(w.problems, fmt.Sprintf("after %.3f s: %s", w.now.Seconds(), text))
	}
}

// peek reads the connection past all faults.
func (w *World) peek() {
	before := w.cur
	w.cur = nil
	var err error
	w.conn, err = w.store.Connection(context.Background(), w.ref)
	w.must(err)
	w.cur = before
}

// slot reads a slot past all faults.
func (w *World) slot(g uint64) (connection.Slot, bool) {
	before := w.cur
	w.cur = nil
	s, ok, err := w.store.Slot(context.Background(), w.ref, g)
	w.must(err)
	w.cur = before
	return s, ok && s.Generation == g
}

// look checks what must hold at every moment; it runs behind each write.
func (w *World) look() {
	was := w.conn
	w.peek()
	c := w.conn
	if was.Status == connection.Revoked && c.Status != connection.Revoked {
		w.violate("a revoked connection became %s", c.Status)
	}
	if c.Refresh.Generation < was.Refresh.Generation {
		w.violate("generation %d follows %d", c.Refresh.Generation, was.Refresh.Generation)
	}
	if c.Status == connection.Active || c.Status == connection.ReauthorizationRequired {
		w.whole(c)
	}
	if c.Status == connection.ReauthorizationRequired && was.Status == connection.Active {
		w.mourn(c)
	}
}

// whole checks that a reader would find one whole generation.
func (w *World) whole(c connection.Connection) {
	g := c.Refresh.Generation
	s, ok := w.slot(g)
	a, r := name(w.ref.Binding(connection.AccessToken, g)), name(w.ref.Binding(connection.RefreshToken, g))
	if !ok || len(s.Access) <= len(a) || string(s.Access[:len(a)]) != a || len(s.Refresh) <= len(r) || string(s.Refresh[:len(r)]) != r || !s.Facts.ExpiresAt.Equal(c.ExpiresAt) {
		w.violate("a reader meets half of generation %d", g)
	}
}

// mourn judges a connection that was given up: nothing that could be saved may be given up, and the reason must be true.
func (w *World) mourn(c connection.Connection) {
	s, _ := w.slot(c.Refresh.Generation)
	n, g := w.provider.find(bound(s.Refresh))
	if g == nil || g.byUser {
		return
	}
	w.lost = true
	live := fmt.Sprintf("rt%d", g.cur)
	switch {
	case w.spec.Rotation.Class == catalog.RotationStatic:
		w.violate("given up, and the token never changed")
	case !g.gone && w.provider.good(bound(s.Refresh)) && !(w.spec.Rotation.Class == catalog.RotationStrict && w.silences() >= 2):
		w.violate("given up, and rt%d still works", n)
	case !g.gone && w.found(live):
		w.violate("given up, and the provider's %s is stored", live)
	case w.spec.Rotation.Class == catalog.RotationStrict && c.Reason != refresh.ReasonOutcomeUnknown && g.spoiledAt == c.Refresh.Generation:
		w.violate("given up because of %s, which is not true", c.Reason)
	}
}

// silences counts what may have left a strict provider's request without an answer, or the answer without a note of it:
// after two nobody asks again, even if none arrived.
func (w *World) silences() int {
	n := 0
	for _, f := range w.struck {
		switch f.Kind {
		case LostRequest, LostReply, Crash, Freeze, Slow, Ambiguous, Fail, Outage, Blackout:
			n++
		}
	}
	return n
}

// inSight is how long a slot must be written before whoever asks, or gives up, is to blame for not having looked: no
// process can close the gap between its look and what it does then, and one that freezes there has a wide one.
func (w *World) inSight() time.Duration {
	if w.rng == nil {
		return 100 * time.Millisecond
	}
	for _, f := range w.struck {
		if f.Kind == Freeze {
			return 20*time.Second + w.plan.Rates.FreezeMax
		}
	}
	return 20 * time.Second
}

// spoiled judges a request that ended a grant: it must not have been made while the good token could be had.
func (w *World) spoiled(live string) {
	switch {
	case w.found(live):
		w.violate("a request ends the grant, and the provider's %s was stored", live)
	case w.travels(live) && w.conn.Usable(w.clock()):
		w.violate("a request ends the grant, and the provider's %s was in the queue, and nothing was urgent", live)
	}
}

// found reports that a refresh token is in the next slot, and has been for long enough to be seen.
func (w *World) found(token string) bool {
	s, ok := w.slot(w.conn.Refresh.Generation + 1)
	return ok && bound(s.Refresh) == token && w.now-w.slotAt > w.inSight()
}

// travels reports that a refresh token is in the queue.
func (w *World) travels(token string) bool {
	for m := range w.queued {
		if m.tokens == token {
			return true
		}
	}
	return false
}

// finish makes one last call, and compares the status with what the provider would say.
func (w *World) finish() {
	if len(w.dead) > 0 {
		w.violate("%s ended in the dead-letter queue", w.dead[0].name)
	}
	for try := 0; ; try++ {
		if try == 60 {
			w.violate("it does not come to rest: %s, %+v", w.conn.Status, w.conn.Refresh)
			return
		}
		ended, calls := false, len(w.provider.calls)
		var res connection.RefreshResult
		w.spawn("last call", func(p *process) (err error) {
			p.skew = 0
			res, err = p.refresh(connection.RefreshRequest{Force: true, Wait: 10 * time.Second})
			return err
		}, func(bool) { ended = true })
		w.run(w.now+10*time.Minute, func() bool { return ended })
		// One that found stored tokens has not met the provider yet.
		if res.Status == connection.RefreshRefreshed && len(w.provider.calls) > calls || res.Status == connection.RefreshNeedsReauth || res.Status == connection.RefreshUnavailable {
			break
		}
		w.in(20*time.Second, func() {}) // lets the time pass
		w.run(w.now+20*time.Second, never)
	}
	w.truth()
}

func never() bool { return false }

func (w *World) truth() {
	c := w.conn
	s, _ := w.slot(c.Refresh.Generation)
	token := bound(s.Refresh)
	switch c.Status {
	case connection.Active:
		if !w.provider.good(token) {
			w.violate("active with %s, which the provider refuses", token)
		}
	case connection.Revoked:
		w.gone()
	}
	if c.Refresh.LeaseOwner != "" && c.Refresh.LeaseUntil.After(w.clock()) {
		w.violate("a lease is left")
	}
}

// gone checks a revoked connection: nothing is stored, and unless something else went wrong too, nothing lives on at the
// provider either.
func (w *World) gone() {
	if c := w.conn; !c.Revocation.Erased {
		w.violate("revoked and not erased: %+v", c.Revocation)
	}
	for _, g := range []uint64{w.conn.Refresh.Generation, w.conn.Refresh.Generation + 1} {
		if s, ok := w.slot(g); ok && (s.Access != nil || s.Refresh != nil) {
			w.violate("generation %d is stored after the erasure", g)
		}
	}
	if w.reconnected {
		return
	}
	for _, f := range w.struck {
		if f.Kind != Revoke && f.Kind != Fail && f.Kind != Outage {
			return
		}
	}
	for _, g := range w.provider.grants {
		if !g.gone {
			w.violate("rt%d lives on at the provider after the revocation", g.cur)
		}
	}
}
