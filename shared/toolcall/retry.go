package toolcall

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
)

const (
	// maxAttempts is how often one token is tried at the provider.
	maxAttempts = 3
	// longestWait is how long a call waits for its next attempt. A provider that asks for more is left alone, and its wish
	// goes to the caller as retry_after.
	longestWait = 5 * time.Second
	// firstWait is the ceiling of the first wait where the provider asked for none; it doubles.
	firstWait = 250 * time.Millisecond
	// spareTime is what an attempt needs to make sense.
	spareTime = 2 * time.Second
)

// Retries is the budget for repetitions of one process, per connector: each call earns a tenth, each repetition costs
// one, and no more than ten are ever saved up. When a provider is down, its load from repetitions is so at most a tenth on
// top, whatever the agents do (the retry throttling of gRFC A6, and of the AWS SDKs).
type Retries struct {
	mu    sync.Mutex
	saved map[string]float64
}

const (
	savedUp  = 10.0
	perCall  = 0.1
	perRetry = 1.0
)

// NewRetries returns a full budget.
func NewRetries() *Retries { return &Retries{saved: map[string]float64{}} }

func (b *Retries) earn(connector string) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	left, ok := b.saved[connector]
	if !ok {
		left = savedUp
	}
	b.saved[connector] = min(savedUp, left+perCall)
}

// spend reports whether a repetition is within the budget, and takes it.
func (b *Retries) spend(connector string) bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.saved[connector] < perRetry {
		return false
	}
	b.saved[connector] -= perRetry
	return true
}

// attempt is steps 8 to 10 with the repetitions that are safe.
func (e *Executor) attempt(ctx context.Context, r *run) (egress.Response, catalog.Outcome, error) {
	req, err := r.op.bind(r.held.Metadata) // 8
	if err != nil {
		return egress.Response{}, catalog.Outcome{}, err
	}
	e.Retries.earn(r.spec.ID)
	for try := 1; ; try++ {
		res, out, err := e.send(ctx, r, req)
		wait, again := e.again(r, try, out, err)
		if !again || !roomFor(ctx, wait) || !e.Retries.spend(r.spec.ID) {
			return res, out, e.unanswered(r, err)
		}
		if e.Sleep(ctx, wait) != nil {
			return res, out, e.unanswered(r, err)
		}
	}
}

// again says whether try number try may be followed by another, and after how long.
func (e *Executor) again(r *run, try int, out catalog.Outcome, err error) (time.Duration, bool) {
	if try >= maxAttempts || !e.refused(r, out, err) {
		return 0, false
	}
	if out.RetryAfter > 0 {
		return out.RetryAfter, out.RetryAfter <= longestWait
	}
	return time.Duration(e.Jitter() * float64(firstWait<<(try-1))), true // full jitter
}

// refused reports that the call may be sent once more: it never left, the provider turned it away unread (429, or what
// the connector's rules say is a rate limit), or it is repeatable and failed for now. A timeout is never repeated: there
// is no time left for another.
func (e *Executor) refused(r *run, out catalog.Outcome, err error) bool {
	if err != nil {
		reason := fault.From(err).Detail["reason"]
		return reason == "unreachable" && errors.Is(err, egress.ErrNotSent) || reason == "no_answer" && r.repeatable()
	}
	if out.Kind != catalog.OutcomeTransient {
		return false
	}
	turnedAway := out.Status == http.StatusTooManyRequests || out.Status == http.StatusForbidden || out.Status == http.StatusBadRequest
	return turnedAway || r.repeatable()
}

// roomFor reports that ctx leaves time to wait and to ask.
func roomFor(ctx context.Context, wait time.Duration) bool {
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) >= wait+spareTime
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
