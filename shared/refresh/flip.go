package refresh

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/secret"
)

// flipTries is how often a flip whose outcome is unknown is tried.
const flipTries = 3

// flip is R7 and R8: make the slot's generation the current one.
func (c *Coordinator) flip(ctx context.Context, j job, s connection.Slot, r connection.RefreshRequest) (connection.RefreshResult, error) {
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		done, err := c.Connections.UpdateConnection(ctx, j.conn, func(x connection.Connection) (connection.Connection, error) {
			switch {
			case x.Refresh.Fence != j.conn.Refresh.Fence:
				return x, errNotMine
			case x.Refresh.Generation == s.Generation: // only we write generations under this fence
				return x, errDone
			}
			return c.advance(x, j.spec, s, r), nil
		})
		if errors.Is(err, errNotMine) {
			return c.overtaken(ctx, j.conn, &s)
		}
		if err == nil || errors.Is(err, errDone) {
			c.refreshed(ctx, j, done, r)
			if s.Facts.Incomplete != "" {
				return connection.RefreshResult{Status: connection.RefreshDelayed, Generation: done.Refresh.Generation, ExpiresAt: done.ExpiresAt, Reason: ReasonIncomplete, RetryAfter: max(time.Second, done.Refresh.NextTry.Sub(c.Now()))}, nil
			}
			return connection.RefreshResult{Status: connection.RefreshRefreshed, Generation: done.Refresh.Generation, ExpiresAt: done.ExpiresAt}, nil
		}
		if try < flipTries {
			c.Log.WarnContext(ctx, "new tokens not made current yet", "connection", j.conn.ID, "error", err)
			if serr := c.Sleep(ctx, time.Duration(try)*100*time.Millisecond); serr == nil {
				continue
			}
		}
		return connection.RefreshResult{}, fmt.Errorf("make generation %d of %s current: %w", s.Generation, j.conn.ID, err)
	}
}

// advance makes the slot's generation current on x.
func (c *Coordinator) advance(x connection.Connection, spec *catalog.Connector, s connection.Slot, r connection.RefreshRequest) connection.Connection {
	now := c.Now()
	x.ExpiresAt, x.RefreshedAt, x.Updated = s.Facts.ExpiresAt, now, now
	if !s.Facts.RefreshExpiresAt.IsZero() {
		x.RefreshExpiresAt = s.Facts.RefreshExpiresAt
	}
	if s.Facts.Scopes != nil {
		x.Scopes = s.Facts.Scopes
	}
	if len(s.Facts.Metadata) > 0 {
		merged := maps.Clone(x.Metadata)
		if merged == nil {
			merged = map[string]string{}
		}
		maps.Copy(merged, s.Facts.Metadata)
		x.Metadata = merged
	}
	used, fails := x.Refresh.UsedAt, x.Refresh.Fails
	x.Refresh = connection.RefreshState{Generation: s.Generation, Fence: x.Refresh.Fence, Rotates: x.Refresh.Rotates || s.Facts.Rotated, UsedAt: used}
	if r.By == ByExecute || used.IsZero() {
		x.Refresh.UsedAt = now
	}
	x.Refresh.DueAt = due(x, spec, now, c.Jitter())
	if s.Facts.Incomplete != "" { // the refresh token is safe, the access token is of no use: ask again, less and less often
		x.Refresh.Fails, x.Refresh.LastError = fails+1, s.Facts.Incomplete
		x.Refresh.NextTry = now.Add(backoff(fails, 0, c.Jitter()))
		x.Refresh.DueAt = x.Refresh.NextTry
	}
	return x
}

// refreshed is R8. Losing permissions is an event of its own: calls will fail that worked before.
func (c *Coordinator) refreshed(ctx context.Context, j job, done connection.Connection, r connection.RefreshRequest) {
	if !narrower(j.spec, j.conn.Scopes, done.Scopes) {
		c.tell(ctx, audit.ConnectionRefreshed, done, r, "succeeded", "")
		return
	}
	c.Log.WarnContext(ctx, "the provider narrowed the scopes", "connection", done.ID, "before", j.conn.Scopes, "after", done.Scopes)
	c.tell(ctx, audit.ConnectionRefreshed, done, r, "succeeded", ReasonScopesNarrowed)
	done.Reason = ReasonScopesNarrowed
	c.publish(ctx, EventScopesNarrowed, done)
}

// overtaken answers for a refresher whose fence is no longer the newest: somebody else stored a generation, or the
// connection was revoked or connected anew meanwhile. The tokens just received, if any, belong to nobody. After a new
// consent they are dropped: revoking them could end the new grant too. After a revocation they are revoked like those
// before, and if that does not work now, the queue does it.
func (c *Coordinator) overtaken(ctx context.Context, conn connection.Connection, got *connection.Slot) (connection.RefreshResult, error) {
	ctx = context.WithoutCancel(ctx)
	now, err := c.Connections.Connection(ctx, conn.Ref)
	if err != nil {
		return connection.RefreshResult{}, errors.Join(err, c.keep(ctx, conn.Ref, got))
	}
	if now.Status == connection.Revoked && got != nil && got.Access != nil {
		if err := c.retire(ctx, now, *got); err != nil {
			return connection.RefreshResult{}, err
		}
	}
	if res, done := c.settled(now, connection.RefreshRequest{Ref: conn.Ref}); done {
		return res, nil
	}
	return busy(now), nil
}

// retireTries is how often tokens that nobody else knows are offered to the provider, and then to the queue.
const retireTries = 4

// retire revokes tokens of a revoked connection, now or through the queue.
func (c *Coordinator) retire(ctx context.Context, conn connection.Connection, got connection.Slot) error {
	for try := 1; ; try++ {
		err := c.Retirer.Retire(ctx, conn, got)
		if err == nil {
			return nil
		}
		c.Log.WarnContext(ctx, "tokens of a revoked connection not revoked yet", "connection", conn.ID, "error", err)
		kerr := c.keep(ctx, conn.Ref, &got)
		if kerr == nil {
			return nil
		}
		if try == retireTries || c.Sleep(ctx, time.Duration(try)*time.Second) != nil {
			return errors.Join(err, kerr)
		}
	}
}

// keep hands tokens to the queue.
func (c *Coordinator) keep(ctx context.Context, ref connection.Ref, got *connection.Slot) error {
	if got == nil {
		return nil
	}
	if err := c.Queue.Rescue(ctx, ref, *got); err != nil {
		return fmt.Errorf("keep the tokens of %s: %w", ref.ID, err)
	}
	return nil
}

// lifetime asks when the new access token expires, where the provider says it only on request, and corrects what was
// assumed. It comes after the flip: nothing may stand between an answer and its write. It returns the expiry in force.
func (c *Coordinator) lifetime(ctx context.Context, j job, s connection.Slot, access secret.Text) time.Time {
	if j.spec.Expiry.Mode != catalog.ExpiryIntrospect || c.Introspector == nil {
		return s.Facts.ExpiresAt
	}
	once, cancel := c.Timeout(context.WithoutCancel(ctx), introspectTimeout)
	defer cancel()
	at, err := c.Introspector.Introspect(once, j.spec, j.client, access, j.conn.Metadata)
	if err != nil || at.IsZero() {
		c.Log.WarnContext(ctx, "lifetime not known; the declared one counts", "connection", j.conn.ID, "error", err)
		return s.Facts.ExpiresAt
	}
	flipped, err := c.Connections.Connection(once, j.conn.Ref) // an update begins with what it is given, and that is old
	if err != nil {
		return s.Facts.ExpiresAt
	}
	_, err = c.Connections.UpdateConnection(once, flipped, func(x connection.Connection) (connection.Connection, error) {
		if x.Status != connection.Active || x.Refresh.Generation != s.Generation || x.ExpiresAt.Equal(at) {
			return x, errDone
		}
		x.ExpiresAt = at
		x.Refresh.DueAt = due(x, j.spec, c.Now(), c.Jitter())
		return x, nil
	})
	if err != nil && !errors.Is(err, errDone) {
		return s.Facts.ExpiresAt
	}
	return at
}

const introspectTimeout = 5 * time.Second
