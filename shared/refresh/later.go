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

// sweepEvery is how often the sweep looks for what is due; what is wanted sooner goes through the queue.
const sweepEvery = time.Minute

// guardBelow is the grace period from which on the sweep alone finds a dead refresh in time: lease, sweep and a full
// queue together take less.
const guardBelow = 3 * time.Minute

// absentPause is how long a connection without an installed connector is left alone.
const absentPause = 15 * time.Minute

// guard queues a second look for when the lease ends, so that a process that dies is followed up within a short grace
// period. For a refresh that works, the message finds nothing to do.
func (c *Coordinator) guard(ctx context.Context, j job) {
	if j.class.rotation == catalog.RotationGrace && time.Duration(j.spec.Rotation.GraceSeconds)*time.Second < guardBelow {
		c.again(ctx, j.conn.Ref, j.class.lease)
	}
}

// again queues a look after pause if the sweep would come later than that.
func (c *Coordinator) again(ctx context.Context, ref connection.Ref, pause time.Duration) {
	if pause >= sweepEvery {
		return
	}
	// Queues count seconds: a second more, or the message comes before its time and finds nothing to do.
	if err := c.Queue.Again(context.WithoutCancel(ctx), ref, pause.Truncate(time.Second)+time.Second); err != nil {
		c.Log.WarnContext(ctx, "second look not queued; the sweep comes later", "connection", ref.ID, "error", err)
	}
}

// follow queues another look for when the lease in the way ends, if its holder asks again while a grace period runs out: the look that
// met it was the one that would have found it gone. One look for each lease, or in an outage the looks would be ever more.
func (c *Coordinator) follow(ctx context.Context, leased connection.Connection) {
	spec, err := c.Connector(leased.Connector)
	fence, left := leased.Refresh.Fence, leased.Refresh.LeaseUntil.Sub(c.Now())
	if err != nil || left <= 0 || left > hastyLease || leased.Refresh.Followed == fence ||
		leased.Refresh.IntentGeneration != leased.Refresh.Generation+1 || classOf(spec, leased).rotation != catalog.RotationGrace {
		return
	}
	_, err = c.Connections.UpdateConnection(ctx, leased, func(x connection.Connection) (connection.Connection, error) {
		if x.Refresh.Fence != fence || x.Refresh.Followed == fence {
			return x, errDone
		}
		x.Refresh.Followed = fence
		return x, nil
	})
	if err == nil {
		c.again(ctx, leased.Ref, left)
	}
}

// keptOff is how long the provider is left alone. Not if an operator insists, nor when the answer to an earlier request
// was lost: a grace period does not wait.
func (c *Coordinator) keptOff(conn connection.Connection, r connection.RefreshRequest) time.Duration {
	leased := conn.Refresh.LeaseOwner != "" && c.Now().Before(conn.Refresh.LeaseUntil)
	if r.Force || leased || conn.Refresh.IntentGeneration == conn.Refresh.Generation+1 {
		return 0
	}
	return c.Keeper.Wait(conn.Ref)
}

// putOff answers that a refresh must wait, and moves the connection back in the index of what is due, so that those
// behind it are seen.
func (c *Coordinator) putOff(ctx context.Context, conn connection.Connection, pause time.Duration) (connection.RefreshResult, error) {
	pause += time.Duration(c.Jitter() * float64(pause) / 2)
	res := connection.RefreshResult{Status: connection.RefreshDelayed, Generation: conn.Refresh.Generation, ExpiresAt: conn.ExpiresAt, Reason: "provider_paused", RetryAfter: pause}
	until := c.Now().Add(pause)
	_, err := c.Connections.UpdateConnection(ctx, conn, func(x connection.Connection) (connection.Connection, error) {
		if x.Status != connection.Active || x.Refresh.Generation != conn.Refresh.Generation || x.Refresh.Fence != conn.Refresh.Fence || x.Refresh.DueAt.IsZero() || !x.Refresh.DueAt.Before(until) {
			return x, errDone
		}
		x.Refresh.DueAt = until
		return x, nil
	})
	if err != nil && !errors.Is(err, errDone) {
		return res, fmt.Errorf("put off %s: %w", conn.ID, err)
	}
	return res, nil
}

// store is R6's write, again and again while the lease lives. When it does not work at once, the tokens are also given
// to the queue: this process may end before the store is back.
func (c *Coordinator) store(ctx context.Context, j job, s connection.Slot) error {
	kept := false
	var err error
	for try, pause := 1, 50*time.Millisecond; ; try, pause = try+1, 2*pause {
		err = c.Slots.PutSlot(ctx, j.conn.Ref, s)
		if err == nil || fault.Is(err, fault.Conflict) {
			break
		}
		c.Log.ErrorContext(ctx, "new tokens not stored yet", "connection", j.conn.ID, "error", err)
		if try >= rescueAfter && !kept {
			kerr := c.keep(ctx, j.conn.Ref, &s)
			if kept = kerr == nil; kept {
				c.stay(ctx, &j)
			} else {
				c.Log.ErrorContext(ctx, "nor queued", "connection", j.conn.ID, "error", kerr)
			}
		}
		if c.Now().Add(pause).After(j.conn.Refresh.LeaseUntil) || c.Sleep(ctx, pause) != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("store generation %d of %s: %w", s.Generation, j.conn.ID, err)
	}
	return nil
}

// rescueAfter is after how many failed writes tokens go to the queue as well.
const rescueAfter = 2

// rescueFor is how long tokens may be on their way through the queue. For as long, nobody should use the refresh token
// before them: a provider that sees it again may end the whole grant.
const rescueFor = 5 * time.Minute

// stay keeps others away while tokens travel. The lease is held beyond this process, for whoever brings them home writes
// under its fence. Where this write fails as well, patience is what is left.
func (c *Coordinator) stay(ctx context.Context, j *job) {
	err := c.hold(ctx, j, func(x *connection.Connection) { x.Refresh.LeaseUntil = c.Now().Add(rescueFor) })
	if err != nil {
		c.Log.WarnContext(ctx, "the lease is not extended", "connection", j.conn.ID, "error", err)
	}
}

// patience is how much longer to wait for tokens of a holder that asked and vanished, while the access token lives. A
// provider with a grace period is asked again within it; after it, and for a strict one, asking again early can only
// spoil what may still arrive.
func (c *Coordinator) patience(j job) time.Duration {
	now, asked := c.Now(), j.conn.Refresh.IntentAt
	if !j.doubt || j.class.rotation == catalog.RotationStatic || j.conn.ExpiresAt.IsZero() || !j.conn.Usable(now) {
		return 0
	}
	if grace := time.Duration(j.spec.Rotation.GraceSeconds) * time.Second; j.class.rotation == catalog.RotationGrace && now.Before(asked.Add(grace-graceEdge)) {
		return 0
	}
	until := asked.Add(rescueFor)
	if until.After(j.conn.ExpiresAt) {
		until = j.conn.ExpiresAt
	}
	return until.Sub(now)
}

// graceEdge is the end of a grace period in which a request may come too late.
const graceEdge = 2 * time.Second

// pause gives the lease back until it is time to ask.
func (c *Coordinator) pause(ctx context.Context, j job, left time.Duration) (connection.RefreshResult, error) {
	after, err := c.Connections.UpdateConnection(context.WithoutCancel(ctx), j.conn, func(x connection.Connection) (connection.Connection, error) {
		x, err := release(x, j.conn)
		x.Refresh.NextTry = c.Now().Add(left)
		x.Refresh.DueAt = x.Refresh.NextTry
		return x, err
	})
	if errors.Is(err, errNotMine) {
		return c.overtaken(ctx, j.conn, nil)
	}
	if err != nil {
		return connection.RefreshResult{}, err
	}
	c.again(ctx, j.conn.Ref, left)
	return connection.RefreshResult{Status: connection.RefreshDelayed, Generation: after.Refresh.Generation, ExpiresAt: after.ExpiresAt, Reason: ReasonAwaitingRescue, RetryAfter: left}, nil
}

// Rescue brings home tokens that a refresher could not store. Doing it twice, late, or in any order is harmless: the slot
// takes them only if it holds nothing newer. An error is worth a retry.
func (c *Coordinator) Rescue(ctx context.Context, ref connection.Ref, s connection.Slot) error {
	conn, err := c.Connections.Connection(ctx, ref)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case conn.Status == connection.Revoked:
		return c.Retirer.Retire(ctx, conn, s)
	case s.Generation != conn.Refresh.Generation+1:
		return nil // it was stored after all, or a new consent made it worthless
	}
	err = c.Slots.PutSlot(ctx, ref, s)
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("rescue generation %d of %s: %w", s.Generation, ref.ID, err)
	}
	j, err := c.job(conn)
	if err != nil || conn.Refresh.Fence != s.Fence {
		return err // whoever leads now, or next, finds the slot
	}
	_, err = c.flip(ctx, j, s, connection.RefreshRequest{Ref: ref, By: "rescue"})
	return err
}
