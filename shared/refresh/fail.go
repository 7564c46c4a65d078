package refresh

import (
	"context"
	"errors"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
)

// Reasons of a connection that needs a person.
const (
	ReasonRevokedByProvider = "revoked_by_provider"
	ReasonOutcomeUnknown    = "refresh_outcome_unknown"
	ReasonNoRefreshToken    = "no_refresh_token"
)

// configPause is how long to leave a provider alone that says that our client is misconfigured.
const configPause = 5 * time.Minute

// fail ends a refresh that brought no tokens: the failure is read once, here, and becomes a move of the connection.
func (c *Coordinator) fail(ctx context.Context, j job, failed *EndpointError, r connection.RefreshRequest) (connection.RefreshResult, error) {
	if errors.Is(failed.Err, errNotMine) {
		return c.overtaken(ctx, j.conn)
	}
	reason := deathOf(j, failed)
	if reason == "" {
		return c.delay(ctx, j, failed)
	}
	// Before declaring death, the update reads again: the loser of a race sees a newer fence and is not dead.
	dead, err := c.Connections.UpdateConnection(context.WithoutCancel(ctx), j.conn, func(x connection.Connection) (connection.Connection, error) {
		if x.Refresh.Fence != j.conn.Refresh.Fence || x.Refresh.Generation != j.conn.Refresh.Generation {
			return x, errNotMine
		}
		return x.RequireReauthorization(reason, c.Now()), nil
	})
	if errors.Is(err, errNotMine) {
		return c.overtaken(ctx, j.conn)
	}
	if err != nil {
		return connection.RefreshResult{}, err
	}
	c.Log.WarnContext(ctx, "connection needs a person", "connection", j.conn.ID, "reason", reason, "provider_code", failed.Outcome.Reason, "error", failed.Err)
	c.tell(ctx, audit.ConnectionReauthNeed, dead, r, "failed", reason)
	return connection.RefreshResult{Status: connection.RefreshNeedsReauth, Generation: dead.Refresh.Generation, Reason: reason}, nil
}

// deathOf says why the grant is dead, or "" when it is not.
func deathOf(j job, failed *EndpointError) string {
	switch {
	case failed.Outcome.Kind == catalog.OutcomeDead && failed.Outcome.Reason == ReasonNoRefreshToken:
		return ReasonNoRefreshToken
	case failed.Outcome.Kind == catalog.OutcomeDead && j.doubt:
		return ReasonOutcomeUnknown // the token was refused after a refresh whose answer nobody saw
	case failed.Outcome.Kind == catalog.OutcomeDead:
		return ReasonRevokedByProvider
	case failed.Outcome.Kind == "" && failed.Sent && j.class.rotation == catalog.RotationStrict:
		return ReasonOutcomeUnknown // asked twice, no answer: the only copy of the new token is lost, or soon will be
	}
	return ""
}

// delay notes the failure and gives the lease back; the live access token stays in use meanwhile.
func (c *Coordinator) delay(ctx context.Context, j job, failed *EndpointError) (connection.RefreshResult, error) {
	pause := backoff(j.conn.Refresh.Fails, failed.Outcome.RetryAfter, c.Jitter())
	reason := failed.Outcome.Reason
	if failed.Outcome.Kind == catalog.OutcomeConfig {
		pause = max(pause, configPause)
	}
	if reason == "" {
		reason = "provider_unavailable"
	}
	after, err := c.Connections.UpdateConnection(context.WithoutCancel(ctx), j.conn, func(x connection.Connection) (connection.Connection, error) {
		x, err := release(x, j.conn)
		if err != nil {
			return x, err
		}
		x.Refresh.Fails++
		x.Refresh.NextTry = c.Now().Add(pause)
		x.Refresh.DueAt = x.Refresh.NextTry
		if !failed.Sent || failed.Outcome.Kind != "" { // the provider answered, or was not asked: no doubt remains
			x.Refresh.IntentGeneration, x.Refresh.IntentAt = 0, time.Time{}
		}
		return x, nil
	})
	if errors.Is(err, errNotMine) {
		return c.overtaken(ctx, j.conn)
	}
	if err != nil {
		return connection.RefreshResult{}, err
	}
	c.Log.WarnContext(ctx, "refresh delayed", "connection", j.conn.ID, "reason", reason, "fails", after.Refresh.Fails, "error", failed.Err)
	return connection.RefreshResult{Status: connection.RefreshDelayed, Generation: after.Refresh.Generation, ExpiresAt: after.ExpiresAt, Reason: reason, RetryAfter: pause}, nil
}
