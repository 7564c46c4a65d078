package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
)

// provider is a token endpoint that rotates as its class says.
type provider struct {
	w        *world
	rotation catalog.Rotation
	// kills tells that a used refresh token takes the whole grant with it (reuse detection).
	kills bool
	// act replaces the normal behaviour of a call, by number from 1; nil or a nil result is normal.
	act func(n int) behaviour

	issued, calls int
	current       string
	before        string
	beforeUntil   time.Time
	gone          bool
	scopes        []string
	noToken       bool
	// metadata comes with each token.
	metadata map[string]string
	flights  []*flight
}

// flight is one request at the provider.
type flight struct {
	fence      uint64
	leaseUntil time.Time
	start, end time.Time
}

// behaviour is what a provider does with one request: do performs the refresh.
type behaviour func(ctx context.Context, do func() (connection.Tokens, error)) (connection.Tokens, error)

func newProvider(w *world, r catalog.Rotation) *provider { return &provider{w: w, rotation: r} }

func (p *provider) consent() (access, token string) {
	p.issued++
	p.current, p.gone, p.before = fmt.Sprintf("rt%d", p.issued), false, ""
	return fmt.Sprintf("at%d", p.issued), p.current
}

// refresh is the endpoint. It also checks that nobody calls without a live lease, and nobody beside one that has it.
func (p *provider) refresh(ctx context.Context, token string) (connection.Tokens, error) {
	if ctx.Err() != nil { // an HTTP client sends nothing then
		return connection.Tokens{}, &refresh.EndpointError{Err: ctx.Err()}
	}
	how, f := p.receive()
	defer func() {
		p.w.mu.Lock()
		defer p.w.mu.Unlock()
		f.end = time.Now()
	}()
	return how(ctx, func() (connection.Tokens, error) { return p.rotate(token) })
}

func (p *provider) receive() (behaviour, *flight) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.calls++
	c := p.w.current()
	f := &flight{fence: c.Refresh.Fence, leaseUntil: c.Refresh.LeaseUntil, start: time.Now()}
	if c.Refresh.LeaseOwner == "" || !time.Now().Before(f.leaseUntil) {
		p.w.t.Errorf("call %d has no live lease: %q until %v", p.calls, c.Refresh.LeaseOwner, f.leaseUntil)
	}
	for _, o := range p.flights {
		if o.end.IsZero() && time.Now().Before(o.leaseUntil) {
			p.w.t.Errorf("call %d under fence %d goes out beside one under fence %d", p.calls, f.fence, o.fence)
		}
	}
	p.flights = append(p.flights, f)
	var how behaviour
	if p.act != nil {
		how = p.act(p.calls)
	}
	if how == nil {
		how = slow(100 * time.Millisecond)
	}
	return how, f
}

func (p *provider) rotate(token string) (connection.Tokens, error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	used := token == p.before && time.Now().Before(p.beforeUntil)
	if p.gone || token != p.current && !used {
		p.gone = p.gone || p.kills
		return connection.Tokens{}, answer(catalog.OutcomeDead, "invalid_grant")
	}
	p.issued++
	t := connection.Tokens{Access: secret.FromString(fmt.Sprintf("at%d", p.issued)), Facts: connection.TokenFacts{ExpiresAt: time.Now().Add(life), Scopes: p.scopes, Metadata: p.metadata}}
	if p.rotation.Class == catalog.RotationStatic || p.noToken {
		return t, nil
	}
	p.before, p.beforeUntil = p.current, time.Now().Add(time.Duration(p.rotation.GraceSeconds)*time.Second)
	p.current = fmt.Sprintf("rt%d", p.issued)
	t.Refresh = secret.FromString(p.current)
	return t, nil
}

func answer(kind catalog.OutcomeKind, reason string) error {
	return &refresh.EndpointError{Outcome: catalog.Outcome{Kind: kind, Reason: reason}, Sent: true, Err: errors.New(reason)}
}

func slow(d time.Duration) behaviour {
	return func(ctx context.Context, do func() (connection.Tokens, error)) (connection.Tokens, error) {
		t, err := do()
		select {
		case <-ctx.Done():
			return connection.Tokens{}, &refresh.EndpointError{Sent: true, Err: ctx.Err()}
		case <-time.After(d):
			return t, err
		}
	}
}

// lose performs the refresh, and the answer never comes.
func lose(ctx context.Context, do func() (connection.Tokens, error)) (connection.Tokens, error) {
	_, _ = do() // whatever it was, nobody learns of it
	return swallow(ctx, do)
}

// swallow never gets the request to the provider, but looks like lose.
func swallow(ctx context.Context, _ func() (connection.Tokens, error)) (connection.Tokens, error) {
	<-ctx.Done()
	return connection.Tokens{}, &refresh.EndpointError{Sent: true, Err: ctx.Err()}
}

// refuse is a connection that was never made.
func refuse(context.Context, func() (connection.Tokens, error)) (connection.Tokens, error) {
	return connection.Tokens{}, &refresh.EndpointError{Err: errors.New("connection refused")}
}

func says(kind catalog.OutcomeKind, reason string, after time.Duration) behaviour {
	return func(context.Context, func() (connection.Tokens, error)) (connection.Tokens, error) {
		return connection.Tokens{}, &refresh.EndpointError{Outcome: catalog.Outcome{Kind: kind, Reason: reason, RetryAfter: after}, Sent: true, Err: errors.New(reason)}
	}
}

// on behaves in one way for the calls named, and normally for others.
func on(how behaviour, calls ...int) func(int) behaviour {
	return func(n int) behaviour {
		for _, c := range calls {
			if c == n {
				return how
			}
		}
		return nil
	}
}
