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
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

// job is one refresh under way.
type job struct {
	conn   connection.Connection
	spec   *catalog.Connector
	class  class
	client connection.Client
	token  secret.Text
	// doubt tells that the provider was asked for this generation before and nobody saw its answer: by an earlier holder
	// that noted its intent and vanished, or by this one. The refresh token may have been used already.
	doubt bool
}

func (c *Coordinator) job(conn connection.Connection) (job, error) {
	j := job{conn: conn, doubt: conn.Refresh.IntentGeneration == conn.Refresh.Generation+1}
	var err error
	if j.spec, err = c.Connector(conn.Connector); err == nil {
		j.class = classOf(j.spec, conn)
	}
	return j, err
}

// spare is what must remain of the caller's time after the provider's timeout, for the writes.
const spare = 5 * time.Second

// enough reports that the caller has time for one more request to the provider.
func (c *Coordinator) enough(ctx context.Context, j job) bool {
	end, ok := ctx.Deadline()
	return !ok || end.Sub(c.Now()) >= j.class.timeout+spare
}

// covered reports that a request made now ends within the lease. A process that was frozen in between must not ask: by
// then somebody else may.
func (c *Coordinator) covered(j job) bool {
	return !c.Now().Add(j.class.timeout).After(j.conn.Refresh.LeaseUntil)
}

// shadowed is R2: the slot of the next generation, if a holder before us wrote it and did not get to the flip.
func (c *Coordinator) shadowed(ctx context.Context, conn connection.Connection) (connection.Slot, bool, error) {
	next, ok, err := c.Slots.Slot(ctx, conn.Ref, conn.Refresh.Generation+1)
	return next, ok && next.Generation == conn.Refresh.Generation+1, err
}

// rollForward makes a shadow current without asking the provider. It may be old: a token that died meanwhile is
// refreshed in its turn.
func (c *Coordinator) rollForward(ctx context.Context, j job, s connection.Slot, r connection.RefreshRequest) (connection.RefreshResult, error) {
	res, err := c.flip(ctx, j, s, r)
	if err == nil && res.Status == connection.RefreshRefreshed && !res.ExpiresAt.IsZero() && !c.Now().Before(res.ExpiresAt) {
		return c.Refresh(ctx, connection.RefreshRequest{Ref: r.Ref, Wait: r.Wait, By: r.By})
	}
	return res, err
}

// prepare is R3. After it, nothing on the way from the provider's answer to the write of the tokens needs KMS.
func (c *Coordinator) prepare(ctx context.Context, j *job) error {
	if !c.enough(ctx, *j) {
		return fault.New(fault.RateLimited, "too little time is left to refresh safely").WithRetryAfter(time.Second)
	}
	conn := j.conn
	slot, ok, err := c.Slots.Slot(ctx, conn.Ref, conn.Refresh.Generation)
	if err != nil {
		return err
	}
	if !ok || slot.Generation != conn.Refresh.Generation {
		return fault.New(fault.Internal, "the stored tokens are missing").With("reason", "slot_missing")
	}
	if err := c.Sealer.Warm(ctx, conn.Tenant, connection.AccessToken, connection.RefreshToken); err != nil {
		return err
	}
	if slot.Refresh != nil {
		if j.token, err = c.Sealer.Open(ctx, conn.Ref.Binding(connection.RefreshToken, slot.Generation), slot.Refresh); err != nil {
			return err
		}
	}
	j.client, err = c.Clients.Client(ctx, conn.ClientOwner, conn.Connector)
	return err
}

// intend is R4, for strict providers: note that the next generation is being asked for.
func (c *Coordinator) intend(ctx context.Context, j *job) error {
	if j.class.rotation != catalog.RotationStrict {
		return nil
	}
	return c.hold(ctx, j, func(x *connection.Connection) {
		x.Refresh.IntentGeneration, x.Refresh.IntentAt = j.conn.Refresh.Generation+1, c.Now()
	})
}

// hold changes the connection if the lease is still ours; errNotMine otherwise.
func (c *Coordinator) hold(ctx context.Context, j *job, change func(x *connection.Connection)) error {
	held, err := c.Connections.UpdateConnection(ctx, j.conn, func(x connection.Connection) (connection.Connection, error) {
		if x.Refresh.Fence != j.conn.Refresh.Fence {
			return x, errNotMine
		}
		change(&x)
		return x, nil
	})
	if err == nil {
		j.conn = held
	}
	return err
}

// call is R5: the provider, with the one repetition that the class allows after an unknown outcome.
func (c *Coordinator) call(ctx context.Context, j *job) (connection.Tokens, *EndpointError) {
	// The caller going away must not cut off an answer that holds the only copy of a token.
	detached := context.WithoutCancel(ctx)
	for try := 0; ; try++ {
		once, cancel := context.WithTimeout(detached, j.class.timeout)
		res, err := c.Endpoint.Refresh(once, j.spec, j.client, j.token, j.conn.Metadata)
		cancel()
		if err == nil {
			return res, nil
		}
		failed := unclassified(err)
		if failed.Outcome.Kind != "" || !failed.Sent || try >= j.class.again || !c.mayRepeat(ctx, j) {
			return connection.Tokens{}, failed
		}
		j.doubt = j.class.rotation != catalog.RotationStatic
	}
}

// mayRepeat reports that the provider may be asked again at once: there is time, the lease covers it, and a strict
// provider was asked no more than once, by whomever. A strict provider's timeout is nearly as long as the lease, so the
// lease is taken for as long again; without that, the next holder would ask beside us.
func (c *Coordinator) mayRepeat(ctx context.Context, j *job) bool {
	if !c.enough(ctx, *j) {
		return false
	}
	if j.class.rotation != catalog.RotationStrict {
		return !c.Now().Add(j.class.timeout + spare).After(j.conn.Refresh.LeaseUntil)
	}
	if j.doubt || !c.Now().Before(j.conn.Refresh.LeaseUntil) {
		return false
	}
	err := c.hold(context.WithoutCancel(ctx), j, func(x *connection.Connection) { x.Refresh.LeaseUntil = c.Now().Add(j.class.lease) })
	return err == nil
}

// shadow is R6: seal and write to the other slot, again and again while the lease lives; from here to the end of this
// write the new refresh token exists only in this process.
func (c *Coordinator) shadow(ctx context.Context, j job, res connection.Tokens) (connection.Slot, error) {
	ctx = context.WithoutCancel(ctx)
	s := connection.Slot{Generation: j.conn.Refresh.Generation + 1, Fence: j.conn.Refresh.Fence, Facts: res.Facts}
	refreshToken := res.Refresh
	s.Facts.Rotated = !refreshToken.IsZero() && !refreshToken.Equal(j.token)
	if refreshToken.IsZero() {
		refreshToken = j.token // RFC 6749, section 6: none in the answer means that the old one stays
	}
	var err error
	if s.Access, err = c.Sealer.Seal(ctx, j.conn.Ref.Binding(connection.AccessToken, s.Generation), res.Access); err != nil {
		return s, err
	}
	if s.Refresh, err = c.Sealer.Seal(ctx, j.conn.Ref.Binding(connection.RefreshToken, s.Generation), refreshToken); err != nil {
		return s, err
	}
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		err = c.Slots.PutSlot(ctx, j.conn.Ref, s)
		if err == nil || fault.Is(err, fault.Conflict) || c.Now().Add(pause).After(j.conn.Refresh.LeaseUntil) {
			break
		}
		c.Log.ErrorContext(ctx, "new tokens not stored yet", "connection", j.conn.ID, "error", err)
		if serr := c.Sleep(ctx, pause); serr != nil {
			break
		}
	}
	if err != nil {
		return s, fmt.Errorf("store generation %d of %s: %w", s.Generation, j.conn.ID, err)
	}
	return s, nil
}

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
			return c.advance(x, j.spec, s), nil
		})
		if errors.Is(err, errNotMine) {
			return c.overtaken(ctx, j.conn)
		}
		if err == nil || errors.Is(err, errDone) {
			c.tell(ctx, audit.ConnectionRefreshed, done, r, "succeeded", "")
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
func (c *Coordinator) advance(x connection.Connection, spec *catalog.Connector, s connection.Slot) connection.Connection {
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
	x.Refresh = connection.RefreshState{Generation: s.Generation, Fence: x.Refresh.Fence, Rotates: x.Refresh.Rotates || s.Facts.Rotated,
		DueAt: connection.DueAt(now, x.ExpiresAt, time.Duration(spec.Rotation.KeepAliveSeconds)*time.Second, c.Jitter())}
	return x
}

// overtaken answers for a refresher whose fence is no longer the newest: somebody else stored a generation, or the
// connection was revoked or connected anew meanwhile. The tokens just received belong to nobody; the slot they were
// written to is overwritten by the next generation, and a revocation erases both slots.
func (c *Coordinator) overtaken(ctx context.Context, conn connection.Connection) (connection.RefreshResult, error) {
	now, err := c.Connections.Connection(context.WithoutCancel(ctx), conn.Ref)
	if err != nil {
		return connection.RefreshResult{}, err
	}
	if res, done := c.settled(now, connection.RefreshRequest{Ref: conn.Ref}); done {
		return res, nil
	}
	return busy(now), nil
}

// tell writes the audit record and the event. Neither undoes a refresh that happened, so failures are logged.
func (c *Coordinator) tell(ctx context.Context, kind audit.Kind, conn connection.Connection, r connection.RefreshRequest, outcome, reason string) {
	err := c.Recorder.Record(ctx, audit.Record{ID: c.NewID("aud"), Kind: kind, Time: c.Now(), Tenant: conn.Tenant, Principal: string(conn.Principal),
		Connector: conn.Connector, Connection: string(conn.ID), Grant: string(conn.Grant), Scopes: conn.Scopes, Generation: conn.Refresh.Generation, Outcome: outcome, Reason: reason, By: r.By})
	if err != nil {
		c.Log.ErrorContext(ctx, "refresh not audited", "connection", conn.ID, "error", err)
	}
	if err := c.Events.ConnectionChanged(ctx, kind, conn); err != nil {
		c.Log.ErrorContext(ctx, "event not published", "connection", conn.ID, "kind", kind, "error", err)
	}
}
