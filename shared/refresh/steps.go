package refresh

import (
	"context"
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
		if left := conn.Refresh.LeaseUntil.Sub(c.Now()); j.doubt && j.class.rotation == catalog.RotationGrace && left <= hastyLease {
			j.class.lease, j.class.timeout = min(j.class.lease, hastyLease), min(j.class.timeout, hasty)
		}
	}
	return j, err
}

// spare is what must remain of the caller's time after the provider's timeout, for the writes.
const spare = 5 * time.Second

// enough reports that the caller has time for one more request to the provider.
func (c *Coordinator) enough(ctx context.Context, j job) bool {
	left, bounded := c.Left(ctx)
	return !bounded || left >= j.class.timeout+spare
}

// covered reports that a request made now ends within the lease. A process that was frozen in between must not ask: by
// then somebody else may.
func (c *Coordinator) covered(j job) bool {
	return !c.Now().Add(j.class.timeout).After(j.conn.Refresh.LeaseUntil)
}

// shadowed is R2: the slot of the next generation, if a holder before us wrote it and did not get to the flip.
func (c *Coordinator) shadowed(ctx context.Context, conn connection.Connection) (connection.Slot, bool, error) {
	next, ok, err := c.Slots.Slot(ctx, conn.Ref, conn.Refresh.Generation+1)
	return next, ok && next.Generation == conn.Refresh.Generation+1 && next.Access != nil, err // nil is an erased one
}

// rollForward makes a shadow current without asking the provider. It may be old: a token that died meanwhile is
// refreshed in its turn. First the shadow is put under our fence: a holder between its writer and us may still wake up, and
// its write under a fence of its own would change a generation that is current by then.
func (c *Coordinator) rollForward(ctx context.Context, j job, s connection.Slot, r connection.RefreshRequest) (connection.RefreshResult, error) {
	s.Fence = j.conn.Refresh.Fence
	err := c.Slots.PutSlot(ctx, j.conn.Ref, s)
	if fault.Is(err, fault.Conflict) {
		return c.overtaken(ctx, j.conn, nil)
	}
	if err != nil {
		return c.abandon(ctx, j, err)
	}
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
		once, cancel := c.Timeout(detached, j.class.timeout)
		res, err := c.Endpoint.Refresh(once, j.spec, j.client, j.token, j.conn.Metadata)
		cancel()
		if err == nil {
			c.Keeper.Report(j.conn.Ref, nil)
			return res, nil
		}
		failed := unclassified(err)
		c.Keeper.Report(j.conn.Ref, failed)
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
	s.Facts.Rotated = !refreshToken.IsZero() && !refreshToken.Equal(j.token) && j.spec.RefreshKind() == catalog.RefreshWithToken
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
	return s, c.store(ctx, j, s)
}

// tell writes the audit record and the event. Neither undoes a refresh that happened, so failures are logged.
func (c *Coordinator) tell(ctx context.Context, kind audit.Kind, conn connection.Connection, r connection.RefreshRequest, outcome, reason string) {
	err := c.Recorder.Record(ctx, audit.Record{ID: c.NewID("aud"), Kind: kind, Time: c.Now(), Tenant: conn.Tenant, Principal: string(conn.Principal),
		Connector: conn.Connector, Connection: string(conn.Shown()), Grant: string(conn.Grant), Scopes: conn.Scopes, Generation: conn.Refresh.Generation, Outcome: outcome, Reason: reason, By: r.By})
	if err != nil {
		c.Log.ErrorContext(ctx, "refresh not audited", "connection", conn.ID, "error", err)
	}
	c.publish(ctx, kind, conn)
}

func (c *Coordinator) publish(ctx context.Context, kind audit.Kind, conn connection.Connection) {
	if err := c.Events.ConnectionChanged(ctx, kind, conn); err != nil {
		c.Log.ErrorContext(ctx, "event not published", "connection", conn.ID, "kind", kind, "error", err)
	}
}
