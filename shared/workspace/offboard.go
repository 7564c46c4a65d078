package workspace

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/awssqs"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/tenant"
)

// Offboarder ends connections here, at once, and queues telling the providers. Whoever decides (an administrator, the
// directory) goes through it, so that the order is always the same: status, on record, event, queue. A crash in between leaves
// a revoked connection whose provider was not told; doing the whole again completes it.
type Offboarder struct {
	DB    *dynamo.DB
	Queue *awssqs.Queue
	// Events are told at once, when access ends here, however long the provider takes.
	Events Events
	// Log hears when they could not be told: then the queued message does it.
	Log *slog.Logger
	// Delay holds the queued message back, so that a direct call of the revoke function goes first and the message then
	// finds nothing left to do. Zero where nobody calls directly.
	Delay time.Duration
	Now   func() time.Time
	NewID func(prefix string) string
}

// Events tells the adopter; awsevents.Bus implements it.
type Events interface {
	ConnectionChanged(ctx context.Context, kind audit.Kind, c connection.Connection) error
}

// DirectFirst is how long the queue leaves a revocation to a direct call that waits for the provider's answer.
const DirectFirst = 30 * time.Second

// Revoke ends one connection. It returns the connection as it is now; one that was revoked before stays as it was, and
// is queued again if the provider's answer is still missing.
func (o Offboarder) Revoke(ctx context.Context, c connection.Connection, reason, by string) (connection.Connection, error) {
	before := c.Status
	done, err := o.DB.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) {
		before = x.Status
		return x.Revoke(reason, o.Now()), nil
	})
	if err != nil {
		return c, fmt.Errorf("revoke %s: %w", c.ID, err)
	}
	announced := false
	if before != connection.Revoked {
		if err := o.record(ctx, done, reason, by); err != nil {
			return done, err
		}
		announced = o.announce(ctx, done)
	}
	if err := o.parts(ctx, done, reason, by); err != nil {
		return done, err
	}
	if done.Revocation.Erased {
		return done, nil
	}
	delay := o.Delay
	if done.Part() { // nobody calls directly for it
		delay = 0
	}
	return done, o.Queue.Send(ctx, events.RevokeWork{Connection: awslambda.RefOf(done.Ref), By: by, Announced: announced}, delay)
}

// announce publishes that access ended, and reports whether that worked.
func (o Offboarder) announce(ctx context.Context, c connection.Connection) bool {
	err := o.Events.ConnectionChanged(ctx, audit.ConnectionRevoked, c)
	if err != nil {
		o.Log.WarnContext(ctx, "event not published; whoever tells the provider does it", "connection", c.ID, "error", err)
	}
	return err == nil
}

// parts ends the further tokens of a connection with it.
func (o Offboarder) parts(ctx context.Context, main connection.Connection, reason, by string) error {
	if len(main.TokenSets) == 0 {
		return nil
	}
	all, err := o.DB.ConnectionsOf(ctx, main.Scope)
	if err != nil {
		return fmt.Errorf("find the parts of %s: %w", main.ID, err)
	}
	for _, c := range all {
		if c.Main != main.ID || c.Status == connection.Revoked && c.Revocation.Erased {
			continue
		}
		if _, err := o.Revoke(ctx, c, reason, by); err != nil {
			return err
		}
	}
	return nil
}

func (o Offboarder) record(ctx context.Context, c connection.Connection, reason, by string) error {
	err := o.DB.Record(ctx, audit.Record{ID: o.NewID("aud"), Kind: audit.ConnectionRevoked, Time: o.Now(), Tenant: c.Tenant, Principal: string(c.Principal),
		Connector: c.Connector, Connection: string(c.Shown()), Grant: string(c.Grant), Scopes: c.Scopes, Reason: reason, By: by, Outcome: "succeeded"})
	if err != nil {
		return fmt.Errorf("record the revocation of %s: %w", c.ID, err)
	}
	return nil
}

// Principal ends all connections of a principal.
func (o Offboarder) Principal(ctx context.Context, s tenant.Scope, reason, by string) ([]connection.Connection, error) {
	all, err := o.DB.ConnectionsOf(ctx, s)
	if err != nil {
		return nil, err
	}
	out := make([]connection.Connection, 0, len(all))
	for _, c := range all {
		if c.Status == connection.Revoked && c.Revocation.Erased {
			continue
		}
		done, err := o.Revoke(ctx, c, reason, by)
		if err != nil {
			return out, err
		}
		out = append(out, done)
	}
	return out, nil
}
