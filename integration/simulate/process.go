package simulate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/revoke"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

var errFailed = errors.New("no answer")

// point is where a process gives way, and where something can go wrong with it.
func (p *process) point(at site, op string) Kind {
	p.wait(p.w.latency())
	if p.w.log != nil {
		p.w.logf("%s: %s", p.name, op)
	}
	k := p.w.strike(at, op)
	switch k {
	case Crash:
		panic(crashed{})
	case Freeze:
		p.freeze()
	case Revoke:
		p.w.revoke()
	case Reconnect:
		p.w.reconnect()
	case Outage:
		p.w.outUntil = p.w.now + 4*time.Minute
	case Blackout:
		p.w.darkUntil = p.w.now + 4*time.Minute
	}
	return k
}

// step is a point whose only result is failure.
func (p *process) step(at site, op string) error {
	switch p.point(at, op) {
	case Fail, Ambiguous:
		return fmt.Errorf("%s: %w", op, errFailed)
	}
	if at == siteSlot && p.w.now < p.w.outUntil || at != siteSend && at != siteQueue && p.w.now < p.w.darkUntil {
		return fmt.Errorf("%s: outage: %w", op, errFailed)
	}
	return nil
}

// fault is the store's hook.
func (w *World) fault(op string) error {
	p := w.cur
	name, after := strings.CutSuffix(op, memory.After)
	write := name == "UpdateConnection" || name == "PutSlot" || name == "EraseSlots"
	if after && write {
		w.look()
	}
	if after && name == "PutSlot" {
		w.slotAt = w.now
	}
	switch {
	case p == nil || after && !write:
		return nil
	case after:
		return p.step(siteAfter, op)
	case name == "PutSlot":
		return p.step(siteSlot, op)
	case write:
		return p.step(siteWrite, op)
	}
	return p.step(siteRead, op)
}

// now is the process's own clock.
func (p *process) now() time.Time { return p.w.clock().Add(p.skew) }

// deadline is a context with an end in virtual time.
type deadline struct {
	context.Context
	at time.Time
}

// Deadline implements context.Context.
func (d deadline) Deadline() (time.Time, bool) { return d.at, true }

func (p *process) coordinator() *refresh.Coordinator {
	d := refresh.Deps{Connections: p.w.store, Slots: p.w.store, Sealer: plain{p}, Clients: p, Endpoint: p, Recorder: p, Events: p, Queue: p, Retirer: p.revoker(),
		Connector: func(string) (*catalog.Connector, error) { return p.w.spec, nil }, Log: slog.New(slog.DiscardHandler), Now: p.now,
		Sleep: func(_ context.Context, d time.Duration) error { p.wait(d); return nil },
		Timeout: func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
			return deadline{ctx, p.now().Add(d)}, func() {}
		},
		Left: func(ctx context.Context) (time.Duration, bool) {
			end, ok := ctx.Deadline()
			return end.Sub(p.now()), ok
		},
		Jitter: p.w.jitter, NewID: p.w.newID}
	if p.w.sabotage != nil {
		p.w.sabotage(p, &d)
	}
	return refresh.New(d)
}

func (p *process) revoker() *revoke.Revoker {
	return revoke.New(revoke.Deps{Connections: p.w.store, Slots: p.w.store, Sealer: plain{p}, Clients: p, Provider: p.w.provider, Recorder: p, Events: p,
		Connector: func(string) (*catalog.Connector, error) { return p.w.spec, nil }, Log: slog.New(slog.DiscardHandler), Now: p.now, NewID: p.w.newID})
}

// refresh is what a worker does for one connection.
func (p *process) refresh(r connection.RefreshRequest) (connection.RefreshResult, error) {
	r.Ref = p.w.ref
	res, err := p.coordinator().Refresh(deadline{context.Background(), p.w.base.Add(p.kill + p.skew)}, r)
	if p.w.log != nil {
		p.w.logf("%s: %s (%s), generation %d, error %v", p.name, res.Status, res.Reason, res.Generation, err)
	}
	return res, err
}

// Refresh implements refresh.Endpoint: the way to the provider and back.
func (p *process) Refresh(ctx context.Context, _ *catalog.Connector, _ connection.Client, token secret.Text, _ map[string]string) (connection.Tokens, error) {
	end, _ := ctx.Deadline()
	if err := p.step(siteSend, "send"); err != nil || p.now().After(end) {
		return connection.Tokens{}, &refresh.EndpointError{Err: errFailed}
	}
	f := p.w.provider.arrive()
	defer func() { f.open = false }()
	silent := func() (connection.Tokens, error) {
		p.wait(max(0, end.Sub(p.now())))
		return connection.Tokens{}, &refresh.EndpointError{Sent: true, Err: errFailed}
	}
	k := p.point(siteServer, "serve")
	switch k {
	case LostRequest:
		return silent()
	case Unavailable:
		return connection.Tokens{}, answered(catalog.OutcomeTransient, "http_503", 0)
	case TooMany:
		return connection.Tokens{}, answered(catalog.OutcomeTransient, "rate_limited", 20*time.Second)
	}
	res, err := p.w.provider.refresh(string(token.Reveal(reveal.Key{})))
	travel := p.w.latency()
	if k == Slow {
		travel = p.w.slowness()
	}
	if k == LostReply || p.now().Add(travel).After(end) {
		return silent()
	}
	p.wait(travel)
	f.open = false
	p.point(siteAnswer, "answer")
	return res, err
}

// Client implements refresh.Clients.
func (p *process) Client(context.Context, tenant.ID, string) (connection.Client, error) {
	return connection.Client{ID: "client"}, p.step(siteRead, "client")
}

// Record implements audit.Recorder.
func (p *process) Record(context.Context, audit.Record) error { return p.step(siteAfter, "audit") }

// ConnectionChanged implements refresh.Events.
func (p *process) ConnectionChanged(context.Context, audit.Kind, connection.Connection) error {
	return nil
}

// Again implements refresh.Queue.
func (p *process) Again(_ context.Context, _ connection.Ref, after time.Duration) error {
	if err := p.step(siteQueue, "again"); err != nil {
		return err
	}
	p.w.sendDue(after)
	return nil
}

// Rescue implements refresh.Queue.
func (p *process) Rescue(_ context.Context, _ connection.Ref, s connection.Slot) error {
	if err := p.step(siteQueue, "rescue"); err != nil {
		return err
	}
	p.w.sendRescue(s, 0, 0)
	return nil
}

// plain seals in plain sight, and binds as the vault does.
type plain struct{ p *process }

func name(b connection.Binding) string { return fmt.Sprintf("%s/%d:", b.Purpose, b.Generation) }

func seal(b connection.Binding, text string) []byte { return []byte(name(b) + text) }

// bound is the text of a sealed secret, whatever it is bound to.
func bound(sealed []byte) string {
	_, text, _ := strings.Cut(string(sealed), ":")
	return text
}

// Seal implements refresh.Sealer.
func (plain) Seal(_ context.Context, b connection.Binding, s secret.Text) ([]byte, error) {
	return seal(b, string(s.Reveal(reveal.Key{}))), nil
}

// Open implements refresh.Sealer.
func (plain) Open(_ context.Context, b connection.Binding, sealed []byte) (secret.Text, error) {
	text, ok := strings.CutPrefix(string(sealed), name(b))
	if !ok {
		return secret.Text{}, fmt.Errorf("%q is not bound to %s", sealed, name(b))
	}
	return secret.FromString(text), nil
}

// Warm implements refresh.Sealer.
func (s plain) Warm(context.Context, tenant.ID, ...connection.Purpose) error {
	return s.p.step(siteRead, "keys")
}
