package toolcall

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// refreshWait is how long a call waits for a refresh when it has no live token. Token endpoints that take ten seconds and more
// exist; what is left of Deps.Timeout is for the call itself.
const refreshWait = 20 * time.Second

// refreshSpare is how much later than that the answer must be there. Whoever refreshes waits for a slow provider longer than a
// call can, and goes on without it.
const refreshSpare = time.Second

// worthAsking is how much of its wait a call must have left to ask once more after somebody else's wait ended.
const worthAsking = 500 * time.Millisecond

// Renewals has the calls of one process that need the same refresh ask and wait once, and read once what came of it. Only
// calls of one principal about one generation of one connection share; what each of them may do with it is decided by each for
// itself, on what was read after it joined. A process that runs one call at a time shares nothing. It is safe for concurrent use.
type Renewals struct {
	mu    sync.Mutex
	under map[renewal]*wait
}

// NewRenewals returns Renewals with nothing under way.
func NewRenewals() *Renewals { return &Renewals{under: map[renewal]*wait{}} }

// renewal is what can be shared: the credentials that read the outcome are those of the scope.
type renewal struct {
	tenant.Scope
	connector            string
	id                   connection.ID
	generation, rejected uint64
}

// wait is one refresh that calls wait for.
type wait struct {
	joined int // under Renewals.mu
	cancel context.CancelFunc
	done   chan struct{}
	// What follows is set before done is closed.
	res     connection.RefreshResult
	err     error
	snap    Snapshot
	readErr error
}

// join finds the wait for k, or begins it with ask and read. Nobody can join any more once ask is back, so read begins after
// all who use what it finds have come.
func (v *Renewals) join(ctx context.Context, k renewal, ask func(context.Context) (connection.RefreshResult, error), read func(context.Context) (Snapshot, error)) (w *wait, first bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if w, ok := v.under[k]; ok {
		w.joined++
		return w, false
	}
	w = &wait{joined: 1, done: make(chan struct{})}
	ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx)) // the first to come may be the first to go
	v.under[k] = w
	go func() {
		defer close(w.done)
		defer func() {
			if p := recover(); p != nil {
				v.shut(k, w)
				w.err = fault.New(fault.Internal, "the refresh could not be asked for").WithCause(fmt.Errorf("panic: %v", p))
			}
		}()
		w.res, w.err = ask(ctx)
		v.shut(k, w)
		if w.err == nil && settles(w.res.Status) {
			w.snap, w.readErr = read(ctx)
		}
	}()
	return w, true
}

// shut lets nobody join w any more.
func (v *Renewals) shut(k renewal, w *wait) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.under[k] == w {
		delete(v.under, k)
	}
}

// leave ends w for one call, and for good when it was the last.
func (v *Renewals) leave(k renewal, w *wait) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if w.joined--; w.joined > 0 {
		return
	}
	w.cancel()
	if v.under[k] == w {
		delete(v.under, k)
	}
}

// settles reports that behind this answer the connection is read again.
func settles(s connection.RefreshStatus) bool {
	return s == connection.RefreshFresh || s == connection.RefreshRefreshed || s == connection.RefreshUnavailable
}

// renew asks for a refresh, or waits for one that a call beside this asked for, and reads the connection again.
func (e *Executor) renew(ctx context.Context, r *run, rejected uint64) error {
	res, read, err := e.renewed(ctx, r, rejected)
	if err != nil {
		return err
	}
	switch res.Status {
	case connection.RefreshFresh, connection.RefreshRefreshed:
	case connection.RefreshNeedsReauth:
		h := r.held
		h.Reason = res.Reason
		return e.reauthorize(r, h)
	case connection.RefreshUnavailable:
		// the status changed under us; the read below says how
	default:
		return fault.New(fault.ProviderError, "the access to %s is being renewed and is not ready; try again", r.spec.Name).With("connector", r.spec.ID).With("reason", "refresh_"+string(res.Status)).WithRetryAfter(max(res.RetryAfter, time.Second))
	}
	// A wait is long enough to be suspended, taken off a list or switched off in: all of it is judged again, for this call.
	snap, err := e.reached(ctx, r.session, read)
	if err != nil {
		return err
	}
	if err := snap.Admit(r.session); err != nil {
		return err
	}
	if err := snap.switchedOff(r.session, r.spec.ID, r.op.name); err != nil {
		return err
	}
	for _, h := range snap.Connections {
		if h.ID == r.held.ID {
			r.held = h
			if err := e.usable(r, h); err != nil {
				return err
			}
			return e.choosePart(r, snap.Connections)
		}
	}
	return fault.New(fault.NotFound, "connection %s is gone", r.held.ID)
}

// renewed is how the refresh of r's connection ended, within this call's own time, and how to read what came of it.
func (e *Executor) renewed(ctx context.Context, r *run, rejected uint64) (connection.RefreshResult, func(context.Context) (Snapshot, error), error) {
	own := func(ctx context.Context) (Snapshot, error) {
		return e.State.Snapshot(ctx, r.session.Scope, r.spec.ID)
	}
	once, cancel := context.WithTimeout(ctx, refreshWait+refreshSpare)
	defer cancel()
	began := time.Now()
	k := renewal{r.session.Scope, r.spec.ID, r.from().ID, r.from().Refresh.Generation, rejected}
	for {
		left := refreshWait - time.Since(began)
		w, first := e.Renewals.join(ctx, k, func(ctx context.Context) (connection.RefreshResult, error) {
			return e.askRefresh(ctx, r.from().Ref, rejected, left)
		}, own)
		select {
		case <-once.Done():
			e.Renewals.leave(k, w)
			if ctx.Err() != nil {
				return connection.RefreshResult{}, nil, ctx.Err()
			}
			return busy(), nil, nil
		case <-w.done:
			e.Renewals.leave(k, w)
		}
		// Somebody else's patience may have ended before ours.
		if w.err == nil && w.res.Status == connection.RefreshBusy && !first && refreshWait-time.Since(began) > worthAsking {
			continue
		}
		if w.readErr != nil || w.err != nil || !settles(w.res.Status) {
			return w.res, own, w.err
		}
		return w.res, func(context.Context) (Snapshot, error) {
			snap := w.snap
			snap.Connections = slices.Clone(snap.Connections)
			return snap, nil
		}, nil
	}
}

// askRefresh asks for the refresh.
func (e *Executor) askRefresh(ctx context.Context, ref connection.Ref, rejected uint64, patience time.Duration) (connection.RefreshResult, error) {
	once, cancel := context.WithTimeout(ctx, patience+refreshSpare)
	defer cancel()
	res, err := e.Refresher.Refresh(once, connection.RefreshRequest{Ref: ref, Rejected: rejected, Wait: patience, By: "execute"})
	if err != nil && once.Err() != nil && ctx.Err() == nil {
		return busy(), nil
	}
	return res, err
}

func busy() connection.RefreshResult {
	return connection.RefreshResult{Status: connection.RefreshBusy, RetryAfter: 2 * time.Second}
}
