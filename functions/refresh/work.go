package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"golang.org/x/sync/errgroup"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

// parallel is how many connections of a message are refreshed at once.
const parallel = 8

// work handles a batch and reports the messages that must come again; the others are done.
func (f *Function) work(ctx context.Context, batch events.SQSEvent) events.SQSEventResponse {
	var out events.SQSEventResponse
	for _, m := range batch.Records {
		if err := f.message(ctx, m.Body); err != nil {
			f.deps.Log.ErrorContext(ctx, "work not done; it comes again", "message", m.MessageId, "error", err)
			out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		}
	}
	return out
}

// message refreshes the connections of one message. Doing a message twice is harmless: the second finds fresh tokens.
func (f *Function) message(ctx context.Context, body string) error {
	defer f.flush(ctx)
	var w contract.RefreshWork
	if err := json.Unmarshal([]byte(body), &w); err != nil {
		return fmt.Errorf("decode work: %w", err)
	}
	if w.Rescue != nil {
		return f.bringHome(ctx, *w.Rescue)
	}
	// One connection's failure is no reason to cut the others off: they are on their way to different providers.
	failed := make([]error, len(w.Connections))
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, e := range w.Connections {
		g.Go(func() error {
			ref, err := awslambda.ParseRef(e)
			if err == nil {
				err = f.handleDue(ctx, ref)
			}
			if err != nil {
				failed[i] = fmt.Errorf("connection %s: %w", e.Connection, err)
			}
			return nil
		})
	}
	_ = g.Wait() // the errors are in failed
	return errors.Join(failed...)
}

// handleDue handles one connection that the sweep found: a token to refresh, or a pending connection whose link has expired.
func (f *Function) handleDue(ctx context.Context, ref connection.Ref) error {
	res, err := f.one(ctx, connection.RefreshRequest{Ref: ref, By: "sweep"})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err == nil && res.Status == connection.RefreshUnavailable {
		return f.endLoose(ctx, ref)
	}
	return err
}
