package refresh

import (
	"context"
	"time"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/metric"
)

// later is the refresh queue as a coordinator uses it.
type later struct {
	queue Sender
	meter *metric.Meter
}

// maxDelay is SQS's limit.
const maxDelay = 15 * time.Minute

// Again implements refresh.Queue.
func (l later) Again(ctx context.Context, ref connection.Ref, after time.Duration) error {
	return l.queue.Send(ctx, contract.RefreshWork{Connections: []contract.Ref{awslambda.RefOf(ref)}}, min(after, maxDelay))
}

// Rescue implements refresh.Queue. The message comes as soon as SQS has it: the refresher may well be gone.
func (l later) Rescue(ctx context.Context, ref connection.Ref, s connection.Slot) error {
	l.meter.Add(metric.Rescues, 1, metric.Labels{Outcome: "queued"})
	return l.queue.Send(ctx, contract.RefreshWork{Rescue: &contract.RescueWork{Connection: awslambda.RefOf(ref), Generation: s.Generation, Fence: s.Fence, Access: s.Access, Refresh: s.Refresh,
		ExpiresAt: s.Facts.ExpiresAt, RefreshExpiresAt: s.Facts.RefreshExpiresAt, Scopes: s.Facts.Scopes, Metadata: s.Facts.Metadata, Rotated: s.Facts.Rotated, Incomplete: s.Facts.Incomplete}}, 0)
}

// slotOf reads what Rescue wrote.
func slotOf(w contract.RescueWork) connection.Slot {
	return connection.Slot{Generation: w.Generation, Fence: w.Fence, Access: w.Access, Refresh: w.Refresh,
		Facts: connection.TokenFacts{ExpiresAt: w.ExpiresAt, RefreshExpiresAt: w.RefreshExpiresAt, Scopes: w.Scopes, Metadata: w.Metadata, Rotated: w.Rotated, Incomplete: w.Incomplete}}
}

// Bringing tokens home is tried again soon: the sooner, the less is lost. After rescueTries, which take half an hour, the
// message is left to the queue's own redelivery, and ends in the dead-letter queue.
const rescueEvery, rescueTries = 30 * time.Second, 60

// bringHome stores tokens that a refresher could not.
func (f *Function) bringHome(ctx context.Context, w contract.RescueWork) error {
	ref, err := awslambda.ParseRef(w.Connection)
	if err != nil {
		return err
	}
	c, err := f.coordinator(ctx, ref.Tenant)
	if err == nil {
		err = c.Rescue(ctx, ref, slotOf(w))
	}
	if err == nil {
		f.meter.Add(metric.Rescues, 1, metric.Labels{Outcome: "stored"})
		return nil
	}
	f.meter.Add(metric.Rescues, 1, metric.Labels{Outcome: "failed"})
	if w.Attempt >= rescueTries {
		return err
	}
	f.deps.Log.ErrorContext(ctx, "tokens not brought home yet", "connection", ref.ID, "attempt", w.Attempt, "error", err)
	w.Attempt++
	return f.queue.Send(ctx, contract.RefreshWork{Rescue: &w}, rescueEvery)
}
