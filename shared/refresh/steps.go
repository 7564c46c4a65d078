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
	// doubt tells that an earlier holder noted its intent for the same generation and vanished: the refresh token may
	// have been used already.
	doubt bool
}

// spare is what must remain of the caller's time after the provider's timeout, for the writes.
const spare = 5 * time.Second

// prepare is R3. After it, nothing on the way from the provider's answer to the write of the tokens needs KMS.
func (c *Coordinator) prepare(ctx context.Context, conn connection.Connection, spec *catalog.Connector) (job, error) {
	j := job{conn: conn, spec: spec, class: classOf(spec, conn), doubt: conn.Refresh.IntentGeneration == conn.Refresh.Generation+1}
	if end, ok := ctx.Deadline(); ok && end.Sub(c.Now()) < j.class.timeout+spare {
		return j, fault.New(fault.RateLimited, "too little time is left to refresh safely").WithRetryAfter(time.Second)
	}
	slot, ok, err := c.Slots.Slot(ctx, conn.Ref, conn.Refresh.Generation)
	if err != nil {
		return j, err
	}
	if !ok || slot.Generation != conn.Refresh.Generation {
		return j, fault.New(fault.Internal, "the stored tokens are missing").With("reason", "slot_missing")
	}
	if err := c.Sealer.Warm(ctx, conn.Tenant, connection.AccessToken, connection.RefreshToken); err != nil {
		return j, err
	}
	if slot.Refresh != nil {
		if j.token, err = c.Sealer.Open(ctx, conn.Ref.Binding(connection.RefreshToken, slot.Generation), slot.Refresh); err != nil {
			return j, err
		}
	}
	j.client, err = c.Clients.Client(ctx, conn.ClientOwner, conn.Connector)
	return j, err
}

// call is R4 and R5: intent, then the provider, with the one repetition that the class allows after an unknown outcome.
func (c *Coordinator) call(ctx context.Context, j job) (connection.Tokens, *EndpointError) {
	if j.token.IsZero() {
		return connection.Tokens{}, &EndpointError{Outcome: catalog.Outcome{Kind: catalog.OutcomeDead, Reason: "no_refresh_token"}, Err: errors.New("the provider gave no refresh token")}
	}
	if j.class.rotation == catalog.RotationStrict {
		if err := c.intend(ctx, j); err != nil {
			return connection.Tokens{}, &EndpointError{Err: err}
		}
	}
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
		if failed.Outcome.Kind != "" || !failed.Sent || try >= j.class.again || c.Now().Add(j.class.timeout+spare).After(j.conn.Refresh.LeaseUntil) && j.class.rotation != catalog.RotationStrict {
			return connection.Tokens{}, failed
		}
	}
}

func (c *Coordinator) intend(ctx context.Context, j job) error {
	_, err := c.Connections.UpdateConnection(ctx, j.conn, func(x connection.Connection) (connection.Connection, error) {
		if x.Refresh.Fence != j.conn.Refresh.Fence {
			return x, errNotMine
		}
		x.Refresh.IntentGeneration, x.Refresh.IntentAt = j.conn.Refresh.Generation+1, c.Now()
		return x, nil
	})
	return err
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

// flip is R7 and R8: make the slot's generation the current one.
func (c *Coordinator) flip(ctx context.Context, conn connection.Connection, spec *catalog.Connector, s connection.Slot, r connection.RefreshRequest) (connection.RefreshResult, error) {
	ctx = context.WithoutCancel(ctx)
	done, err := c.Connections.UpdateConnection(ctx, conn, func(x connection.Connection) (connection.Connection, error) {
		if x.Refresh.Fence != conn.Refresh.Fence || x.Refresh.Generation+1 != s.Generation {
			return x, errNotMine
		}
		return c.advance(x, spec, s), nil
	})
	if errors.Is(err, errNotMine) {
		return c.overtaken(ctx, conn)
	}
	if err != nil {
		return connection.RefreshResult{}, fmt.Errorf("make generation %d of %s current: %w", s.Generation, conn.ID, err)
	}
	c.tell(ctx, audit.ConnectionRefreshed, done, r, "succeeded", "")
	return connection.RefreshResult{Status: connection.RefreshRefreshed, Generation: done.Refresh.Generation, ExpiresAt: done.ExpiresAt}, nil
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
	now, err := c.Connections.Connection(ctx, conn.Ref)
	if err != nil {
		return connection.RefreshResult{}, err
	}
	if res, done := c.settled(now, connection.RefreshRequest{Ref: conn.Ref}); done {
		return res, nil
	}
	return connection.RefreshResult{Status: connection.RefreshBusy, Generation: now.Refresh.Generation, RetryAfter: 2 * time.Second}, nil
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
