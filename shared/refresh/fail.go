package refresh

import (
	"context"
	"errors"
	"fmt"
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
	// ReasonCredentialRejected: the provider refused a credential that somebody pasted, and nothing can renew it.
	ReasonCredentialRejected = "credential_rejected"
	// ReasonAccountChanged and ReasonInstanceChanged: the provider answered a refresh with tokens of another account, or
	// of another host than the one that was connected.
	ReasonAccountChanged  = "account_changed"
	ReasonInstanceChanged = "instance_changed"
)

// ReasonScopesNarrowed comes with a refresh that brought fewer permissions.
const ReasonScopesNarrowed = "scopes_narrowed"

// ReasonAwaitingRescue comes with a refresh that is put off because an earlier one may have brought tokens that are not
// stored yet.
const ReasonAwaitingRescue = "awaiting_rescue"

// ReasonIncomplete comes with a refresh whose access token is not of use yet: a step that the connector wants behind it failed.
const ReasonIncomplete = "step_failed"

// Events beside those that are also kinds of audit records.
const (
	EventDelayed        audit.Kind = "connection.refresh_delayed"
	EventScopesNarrowed audit.Kind = "connection.scopes_narrowed"
)

// configPause is how long to leave a provider alone that says that our client is misconfigured.
const configPause = 5 * time.Minute

// withoutToken ends a refresh that cannot be: the provider gave no refresh token. A token that lives and that nobody
// refused stays in use until its end; then only a person can help.
func (c *Coordinator) withoutToken(ctx context.Context, j job, r connection.RefreshRequest) (connection.RefreshResult, error) {
	reason, why := ReasonNoRefreshToken, "the provider gave no refresh token"
	if j.spec.Mode.Static() {
		reason, why = ReasonCredentialRejected, "the provider refused the credential"
	}
	if !j.conn.Usable(c.Now()) || r.Rejected == j.conn.Refresh.Generation {
		return c.fail(ctx, j, &EndpointError{Outcome: catalog.Outcome{Kind: catalog.OutcomeDead, Reason: reason}, Err: errors.New(why)}, r)
	}
	kept, err := c.Connections.UpdateConnection(ctx, j.conn, func(x connection.Connection) (connection.Connection, error) {
		x, err := release(x, j.conn)
		x.Refresh.DueAt = x.ExpiresAt
		return x, err
	})
	if errors.Is(err, errNotMine) {
		return c.overtaken(ctx, j.conn, nil)
	}
	if err != nil {
		return connection.RefreshResult{}, err
	}
	return connection.RefreshResult{Status: connection.RefreshFresh, Generation: kept.Refresh.Generation, ExpiresAt: kept.ExpiresAt, Reason: ReasonNoRefreshToken}, nil
}

// fail ends a refresh that brought no tokens: the failure is read once, here, and becomes a move of the connection.
func (c *Coordinator) fail(ctx context.Context, j job, failed *EndpointError, r connection.RefreshRequest) (connection.RefreshResult, error) {
	ctx = context.WithoutCancel(ctx)
	reason := deathOf(j, failed)
	if reason == "" {
		return c.delay(ctx, j, failed)
	}
	// Before declaring death, look again. A holder whose lease ended while it waited may have come back with the tokens
	// since: then ours was refused because of it, and it can no longer flip, but we can.
	next, ok, err := c.shadowed(ctx, j.conn)
	if err != nil {
		return connection.RefreshResult{}, fmt.Errorf("look for newer tokens of %s: %w", j.conn.ID, err)
	}
	if ok {
		return c.rollForward(ctx, j, next, r)
	}
	// Nor is the loser of a race dead: the update reads again, and sees a newer fence.
	dead, err := c.Connections.UpdateConnection(ctx, j.conn, func(x connection.Connection) (connection.Connection, error) {
		if x.Refresh.Fence != j.conn.Refresh.Fence || x.Refresh.Generation != j.conn.Refresh.Generation {
			return x, errNotMine
		}
		return x.RequireReauthorization(reason, c.Now()), nil
	})
	if errors.Is(err, errNotMine) {
		return c.overtaken(ctx, j.conn, nil)
	}
	if err != nil {
		return connection.RefreshResult{}, err
	}
	c.Log.WarnContext(ctx, "connection needs a person", "connection", j.conn.ID, "reason", reason, "provider_code", failed.Outcome.Reason, "error", failed.Err)
	c.tell(ctx, audit.ConnectionReauthNeed, dead, r, "failed", reason)
	return connection.RefreshResult{Status: connection.RefreshNeedsReauth, Generation: dead.Refresh.Generation, ExpiresAt: dead.ExpiresAt, Reason: reason}, nil
}

// deathOf says why the grant is dead, or "" when it is not.
func deathOf(j job, failed *EndpointError) string {
	switch {
	case failed.Outcome.Kind == catalog.OutcomeDead && ours(failed.Outcome.Reason):
		return failed.Outcome.Reason
	case failed.Outcome.Kind == catalog.OutcomeDead && j.doubt:
		return ReasonOutcomeUnknown // the token was refused after a refresh whose answer nobody saw
	case failed.Outcome.Kind == catalog.OutcomeDead:
		return ReasonRevokedByProvider
	case unknown(failed) && j.doubt && j.class.rotation == catalog.RotationStrict:
		return ReasonOutcomeUnknown // asked twice, no answer: the only copy of the new token is lost, or soon will be
	}
	return ""
}

// ours reports that a reason is our own finding, not the provider's word.
func ours(reason string) bool {
	return reason == ReasonNoRefreshToken || reason == ReasonCredentialRejected || reason == ReasonAccountChanged || reason == ReasonInstanceChanged
}

func refused(reason string) *EndpointError {
	return &EndpointError{Outcome: catalog.Outcome{Kind: catalog.OutcomeDead, Reason: reason}, Sent: true, Err: errors.New("the new tokens are somebody else's")}
}

// unknown reports that the provider may have refreshed and nobody knows.
func unknown(failed *EndpointError) bool { return failed.Sent && failed.Outcome.Kind == "" }

// delay notes the failure and gives the lease back; the live access token stays in use meanwhile.
func (c *Coordinator) delay(ctx context.Context, j job, failed *EndpointError) (connection.RefreshResult, error) {
	pause := backoff(j.conn.Refresh.Fails, failed.Outcome.RetryAfter, c.Jitter())
	if j.class.rotation == catalog.RotationGrace && (j.doubt || unknown(failed)) {
		pause = max(time.Second, failed.Outcome.RetryAfter) // the token just used works for the grace period only
	}
	reason := failed.Outcome.Reason
	if failed.Outcome.Kind == catalog.OutcomeConfig {
		pause = max(pause, configPause)
	}
	if reason == "" {
		reason = "provider_unavailable"
	}
	known := false
	after, err := c.Connections.UpdateConnection(context.WithoutCancel(ctx), j.conn, func(x connection.Connection) (connection.Connection, error) {
		known = worrying(x)
		x, err := release(x, j.conn)
		if err != nil {
			return x, err
		}
		x.Refresh.Fails++
		x.Refresh.LastError = lastError(failed)
		x.Refresh.NextTry = c.Now().Add(pause)
		x.Refresh.DueAt = x.Refresh.NextTry
		return c.remember(x, j, failed), nil
	})
	if errors.Is(err, errNotMine) {
		return c.overtaken(ctx, j.conn, nil)
	}
	if err != nil {
		return connection.RefreshResult{}, err
	}
	c.Log.WarnContext(ctx, "refresh delayed", "connection", j.conn.ID, "reason", reason, "fails", after.Refresh.Fails, "error", failed.Err)
	c.again(ctx, j.conn.Ref, pause)
	c.worry(ctx, known, after, reason)
	return connection.RefreshResult{Status: connection.RefreshDelayed, Generation: after.Refresh.Generation, ExpiresAt: after.ExpiresAt, Reason: reason, RetryAfter: pause}, nil
}

// lastError names a failure for an operator.
func lastError(failed *EndpointError) string {
	kind, reason := string(failed.Outcome.Kind), failed.Outcome.Reason
	if kind == "" {
		kind = "no_answer"
	}
	if reason == "" {
		return kind
	}
	return kind + ": " + reason
}

// worryingFails is how many failures in a row are more than a provider's hiccup.
const worryingFails = 3

// worrying reports that somebody should hear of a connection's failing refreshes: there were a few of them, or calls will meet
// a token that has ended before the next attempt.
func worrying(c connection.Connection) bool {
	late := !c.ExpiresAt.IsZero() && !c.Refresh.NextTry.Before(c.ExpiresAt)
	return c.Refresh.Fails >= worryingFails || c.Refresh.Fails > 0 && late
}

// worry publishes that refreshes of a connection are delayed, unless that was known before: once in a row of failures, since what
// is worrying stays so until the row ends.
func (c *Coordinator) worry(ctx context.Context, known bool, after connection.Connection, reason string) {
	if known || !worrying(after) {
		return
	}
	after.Reason = reason
	c.publish(ctx, EventDelayed, after)
}

// remember keeps the doubt for whoever asks next, until tokens come or the grant is dead. A provider that was never seen
// to replace a refresh token leaves none: its token works after a lost answer as before.
func (c *Coordinator) remember(x connection.Connection, j job, failed *EndpointError) connection.Connection {
	switch {
	case j.class.rotation == catalog.RotationStatic || !j.doubt && !unknown(failed):
		x.Refresh.IntentGeneration, x.Refresh.IntentAt = 0, time.Time{}
	case x.Refresh.IntentGeneration != x.Refresh.Generation+1:
		// The token may have been used since the lease began; a grace period counts from there.
		x.Refresh.IntentGeneration, x.Refresh.IntentAt = x.Refresh.Generation+1, j.conn.Refresh.LeaseUntil.Add(-j.class.lease)
	}
	return x
}
