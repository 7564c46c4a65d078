package execute

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

const (
	// How many calls a batch may hold, and how many of them are under way at once.
	maxBatch, batchParallel = 20, 8
	// batchStart is how long calls of a batch are begun. Each may take 25 s from then on, so a call that is begun late shares what
	// is left until batchTime, which is below API Gateway's 29 s: nobody would get the answers.
	batchStart, batchTime = 15 * time.Second, 27 * time.Second
	// batchBytes is what the answers of a batch may come to; see toolcall.MostBytes.
	batchBytes = toolcall.MostBytes
)

type batchBody struct {
	Calls []executeBody `json:"calls"`
}

// batchResult is one call's answer or its problem document, never both.
type batchResult struct {
	Result   *executeAnswer  `json:"result,omitempty"`
	Replayed bool            `json:"replayed,omitempty"`
	Error    json.RawMessage `json:"error,omitempty"`
}

type batchAnswer struct {
	// Failed counts the results that are errors.
	Failed  int           `json:"failed"`
	Results []batchResult `json:"results"`
}

// batch runs several calls side by side, begun in their order and ended in none. Each stands alone: one that fails stops no
// other, and every answer stands at the place of its call. Budgets count each call; those beyond are refused one by one.
func (f *Function) batch(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	a, err := f.agent(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := r.Only(); err != nil {
		return nil, err
	}
	var b batchBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	if len(b.Calls) == 0 || len(b.Calls) > maxBatch {
		return nil, fault.Invalid("/calls", "a batch holds 1 to %d calls", maxBatch)
	}
	return apigw.JSON(http.StatusOK, a.all(b.Calls, r))
}

// all runs the calls of a batch.
func (a *agent) all(calls []executeBody, r *apigw.Request) batchAnswer {
	begun := time.Now()
	ctx, cancel := context.WithDeadline(a.ctx, begun.Add(batchTime))
	defer cancel()
	one := *a
	one.ctx, one.room = ctx, batchBytes/len(calls)
	out := batchAnswer{Results: make([]batchResult, len(calls))}
	var g errgroup.Group
	g.SetLimit(batchParallel)
	for i, c := range calls {
		g.Go(func() error {
			if time.Since(begun) > batchStart {
				out.Results[i] = failed(fault.New(fault.RateLimited, "the batch's time ran out before this call was made; send it again").With("reason", "batch_time").WithRetryAfter(time.Second), r.ID())
				return nil
			}
			res, err := one.run(c, r, audit.OverBatch)
			if err != nil {
				out.Results[i] = failed(err, r.ID())
				return nil
			}
			got := answerOf(res)
			out.Results[i] = batchResult{Result: &got, Replayed: res.Replayed}
			return nil
		})
	}
	_ = g.Wait() // the errors are in the results
	out.fit(r.ID())
	for _, x := range out.Results {
		if x.Error != nil {
			out.Failed++
		}
	}
	return out
}

func failed(err error, requestID string) batchResult {
	doc, _ := fault.Problem(err, requestID)
	return batchResult{Error: doc}
}

// fit leaves out the largest answers until the rest fits one document. Answers of new calls are bounded before; those that
// are given again are not.
func (b *batchAnswer) fit(requestID string) {
	for {
		total, largest := 0, -1
		for i, x := range b.Results {
			if x.Result == nil {
				continue
			}
			total += len(x.Result.Data)
			if largest < 0 || len(x.Result.Data) > len(b.Results[largest].Result.Data) {
				largest = i
			}
		}
		if total <= batchBytes {
			return
		}
		b.Results[largest] = failed(fault.New(fault.ProviderError, "the call was made, but its answer does not fit beside those of the others; ask for it alone, with the same idempotency key").
			With("reason", "response_too_large").With("execution_id", b.Results[largest].Result.ExecutionID), requestID)
	}
}
