package execute

import (
	"context"
	"encoding/json"
	"net/http"

	"golang.org/x/sync/errgroup"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/fault"
)

// How many calls a batch may hold, and how many of them are under way at once.
const maxBatch, batchParallel = 20, 8

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

// batch runs several calls side by side, in no order. Each stands alone: one that fails stops no other, and every answer
// stands at the place of its call.
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
	out := batchAnswer{Results: make([]batchResult, len(b.Calls))}
	var g errgroup.Group
	g.SetLimit(batchParallel)
	for i, c := range b.Calls {
		g.Go(func() error {
			res, err := a.run(c, r, audit.OverBatch)
			if err != nil {
				out.Results[i].Error, _ = fault.Problem(err, r.ID())
				return nil
			}
			got := answerOf(res)
			out.Results[i] = batchResult{Result: &got, Replayed: res.Replayed}
			return nil
		})
	}
	_ = g.Wait() // the errors are in the results
	for _, x := range out.Results {
		if x.Error != nil {
			out.Failed++
		}
	}
	return apigw.JSON(http.StatusOK, out)
}
