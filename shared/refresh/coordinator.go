package refresh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

// Coordinator refreshes connections of one tenant.
type Coordinator struct{ Deps }

// New returns a Coordinator over d.
func New(d Deps) *Coordinator {
	if d.Keeper == nil {
		d.Keeper = open{}
	}
	if d.Timeout == nil {
		d.Timeout = context.WithTimeout
	}
	if d.Left == nil {
		d.Left = remaining
	}
	return &Coordinator{d}
}

// A follower looks again after a quarter of the time that it waited, within these bounds, so it learns of a quick refresh quickly
// and of a slow one with little delay. A look is one strong read of one item, of which a partition gives 3,000 per second
// (DynamoDB Developer Guide, "Burst and adaptive capacity"): enough for two hundred at once.
const soonest, latest = 80 * time.Millisecond, 150 * time.Millisecond

// look is when a follower that waited for so long looks again, with jitter, so that a crowd does not come all at once.
func (c *Coordinator) look(waited time.Duration) time.Duration {
	pause := min(max(soonest, waited/4), latest)
	return pause - time.Duration(c.Jitter()*float64(pause/4))
}

// Refresh runs R0 to R8 for one connection. An error means that our side failed; what the provider did is in Result.
func (c *Coordinator) Refresh(ctx context.Context, r connection.RefreshRequest) (connection.RefreshResult, error) {
	conn, err := c.Connections.Connection(ctx, r.Ref) // R0
	if err != nil {
		return connection.RefreshResult{}, err
	}
	res, err := c.refresh(ctx, conn, r)
	res.DueAt = conn.Refresh.DueAt
	return res, err
}

// refresh is Refresh for the connection that R0 read.
func (c *Coordinator) refresh(ctx context.Context, conn connection.Connection, r connection.RefreshRequest) (connection.RefreshResult, error) {
	deadline, first, fails := c.Now().Add(r.Wait), conn.Refresh.Generation, conn.Refresh.Fails
	for {
		if conn.Refresh.Generation != first {
			r.Force = false // somebody did meanwhile what was asked for
		}
		if res, done := c.settled(conn, r); done {
			return res, nil
		}
		if pause := c.keptOff(conn, r); pause > 0 {
			return c.putOff(ctx, conn, pause)
		}
		leased, mine, err := c.lease(ctx, conn)
		if err != nil {
			return connection.RefreshResult{}, err
		}
		if mine {
			res, err := c.lead(ctx, leased, r)
			res.Led = true
			return res, err
		}
		if leased.Refresh.Generation != conn.Refresh.Generation || leased.Status != conn.Status {
			conn = leased // not a lease stood in the way, but a change: judge again
			continue
		}
		if left := deadline.Sub(c.Now()); left <= 0 {
			c.follow(ctx, leased)
			return busy(leased), nil
		} else if err := c.Sleep(ctx, min(c.look(r.Wait-left), left)); err != nil {
			return connection.RefreshResult{}, err
		}
		if conn, err = c.Connections.Connection(ctx, r.Ref); err != nil {
			return connection.RefreshResult{}, err
		}
		if conn.Refresh.Generation == first && conn.Refresh.Fails > fails && conn.Status == connection.Active {
			return sharedFailure(conn, c.Now()), nil
		}
	}
}

// sharedFailure is for those who waited for a refresh that failed: it failed for them too. If each tried in turn while a service
// of ours is down, the last would wait for the sum of all attempts.
func sharedFailure(conn connection.Connection, now time.Time) connection.RefreshResult {
	return connection.RefreshResult{Status: connection.RefreshDelayed, Generation: conn.Refresh.Generation, ExpiresAt: conn.ExpiresAt, Reason: "refresh_failed", RetryAfter: max(time.Second, conn.Refresh.NextTry.Sub(now))}
}

func busy(conn connection.Connection) connection.RefreshResult {
	return connection.RefreshResult{Status: connection.RefreshBusy, Generation: conn.Refresh.Generation, ExpiresAt: conn.ExpiresAt, RetryAfter: 2 * time.Second}
}

// settled answers from what is stored, when no refresh is needed or allowed.
func (c *Coordinator) settled(conn connection.Connection, r connection.RefreshRequest) (connection.RefreshResult, bool) {
	now := c.Now()
	res := connection.RefreshResult{Generation: conn.Refresh.Generation, ExpiresAt: conn.ExpiresAt, Reason: conn.Reason}
	switch conn.Status {
	case connection.Active:
	case connection.ReauthorizationRequired:
		res.Status = connection.RefreshNeedsReauth
		return res, true
	default:
		res.Status = connection.RefreshUnavailable
		return res, true
	}
	due := r.Force || !conn.Usable(now) || r.Rejected == conn.Refresh.Generation && r.Rejected != 0 ||
		r.Rejected == 0 && !conn.Refresh.DueAt.IsZero() && !now.Before(conn.Refresh.DueAt)
	if !due || r.Rejected != 0 && r.Rejected < conn.Refresh.Generation && conn.Usable(now) {
		res.Status = connection.RefreshFresh
		return res, true
	}
	if now.Before(conn.Refresh.NextTry) && !r.Force {
		res.Status, res.Reason, res.RetryAfter = connection.RefreshDelayed, "backing_off", conn.Refresh.NextTry.Sub(now)
		return res, true
	}
	return res, false
}

// The reasons why a change of the connection is not made.
var (
	errNotMine = errors.New("another refresher holds the lease")
	// errDone is a change that finds itself made: the answer was lost, and somebody else wrote before it was repeated.
	errDone = errors.New("already done")
)

// lease is R1. mine is false when somebody else holds a live lease or moved the generation.
func (c *Coordinator) lease(ctx context.Context, conn connection.Connection) (connection.Connection, bool, error) {
	spec, err := c.Connector(conn.Connector)
	if err != nil { // it was uninstalled: the connection must not stand in the way of those behind it
		_, _ = c.putOff(ctx, conn, absentPause)
		return conn, false, err
	}
	owner, g := c.NewID("lease"), conn.Refresh.Generation
	held := conn
	got, err := c.Connections.UpdateConnection(ctx, conn, func(x connection.Connection) (connection.Connection, error) {
		held = x
		now := c.Now()
		if x.Refresh.LeaseOwner == owner {
			return x, errDone
		}
		if x.Status != connection.Active || x.Refresh.Generation != g || x.Refresh.LeaseOwner != "" && now.Before(x.Refresh.LeaseUntil) {
			return x, errNotMine
		}
		if k := classOf(spec, x); k.rotation == catalog.RotationGrace && x.Refresh.LeaseOwner != "" && x.Refresh.IntentGeneration != g+1 {
			// The holder before us vanished. It may have asked, and its tokens may be on their way through the queue.
			x.Refresh.IntentGeneration, x.Refresh.IntentAt = g+1, x.Refresh.LeaseUntil.Add(-k.lease)
		}
		x.Refresh.Fence++
		x.Refresh.LeaseOwner, x.Refresh.LeaseUntil = owner, now.Add(leaseOf(spec, x, now))
		return x, nil
	})
	switch {
	case errors.Is(err, errNotMine):
		return held, false, nil
	case errors.Is(err, errDone):
		return held, true, nil
	}
	return got, err == nil, err
}

// lead is R2 to R8, under the lease that conn carries.
func (c *Coordinator) lead(ctx context.Context, conn connection.Connection, r connection.RefreshRequest) (connection.RefreshResult, error) {
	j, err := c.job(conn)
	if err != nil {
		return c.abandon(ctx, j, err)
	}
	next, ok, err := c.shadowed(ctx, conn) // R2
	if err != nil {
		return c.abandon(ctx, j, err)
	}
	if ok {
		return c.rollForward(ctx, j, next, r)
	}
	if left := c.patience(j); left > 0 {
		return c.pause(ctx, j, left)
	}
	if err := c.prepare(ctx, &j); err != nil { // R3
		return c.abandon(ctx, j, err)
	}
	if j.token.IsZero() {
		return c.withoutToken(ctx, j, r)
	}
	c.guard(ctx, j)
	if err := c.intend(ctx, &j); err != nil { // R4
		return c.abandon(ctx, j, err)
	}
	if !c.covered(j) {
		return c.abandon(ctx, j, fault.New(fault.RateLimited, "the lease is nearly over; try again").WithRetryAfter(time.Second))
	}
	res, failed := c.call(ctx, &j) // R5
	if failed != nil {
		return c.fail(ctx, j, failed, r)
	}
	if reason := swapped(j, res.Facts); reason != "" {
		return c.fail(ctx, j, refused(reason), r)
	}
	slot, err := c.shadow(ctx, j, res) // R6
	if fault.Is(err, fault.Conflict) {
		return c.overtaken(ctx, j.conn, &slot)
	}
	if err != nil {
		return connection.RefreshResult{}, err
	}
	done, err := c.flip(ctx, j, slot, r) // R7, R8
	if err == nil && done.Status == connection.RefreshRefreshed {
		done.ExpiresAt = c.lifetime(ctx, j, slot, res.Access)
	}
	return done, err
}

// abandon gives the lease back after a failure before anything was sent, and returns err. If the lease is somebody
// else's by now, that explains the failure, and the answer is how things stand.
func (c *Coordinator) abandon(ctx context.Context, j job, err error) (connection.RefreshResult, error) {
	if errors.Is(err, errNotMine) {
		return c.overtaken(ctx, j.conn, nil)
	}
	known := false
	after, uerr := c.Connections.UpdateConnection(context.WithoutCancel(ctx), j.conn, func(x connection.Connection) (connection.Connection, error) {
		known = worrying(x)
		x, rerr := release(x, j.conn)
		if !j.doubt { // an intent that was noted is void: nothing was sent
			x.Refresh.IntentGeneration, x.Refresh.IntentAt = 0, time.Time{}
		}
		if !fault.Is(err, fault.RateLimited) { // what fails each time must not stay at the head of what is due
			x.Refresh.DueAt = c.Now().Add(backoff(x.Refresh.Fails, 0, c.Jitter()))
			x.Refresh.Fails++
			x.Refresh.LastError = "internal"
		}
		return x, rerr
	})
	if errors.Is(uerr, errNotMine) {
		return c.overtaken(ctx, j.conn, nil)
	}
	if uerr != nil {
		c.Log.WarnContext(ctx, "lease not given back; it ends by itself", "connection", j.conn.ID, "error", uerr)
	} else {
		c.worry(ctx, known, after, string(fault.From(err).Code))
	}
	return connection.RefreshResult{}, fmt.Errorf("refresh %s: %w", j.conn.ID, err)
}

// release drops the lease that held shows, if it is still that one.
func release(x, held connection.Connection) (connection.Connection, error) {
	if x.Refresh.Fence != held.Refresh.Fence {
		return x, errNotMine
	}
	x.Refresh.LeaseOwner, x.Refresh.LeaseUntil = "", time.Time{}
	return x, nil
}

func unclassified(err error) *EndpointError {
	var e *EndpointError
	if errors.As(err, &e) {
		return e
	}
	return &EndpointError{Sent: true, Err: fault.New(fault.Internal, "the token endpoint adapter failed").WithCause(err)}
}
