package localaws

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// Faults is a list of failures to inject. It is safe for concurrent use.
type Faults struct {
	active atomic.Int32 // lets a call without faults pass without the lock
	mu     sync.Mutex
	rules  []*Fault
}

// Fault is one injected failure; the methods of Faults create it.
type Fault struct {
	op    string
	match func(body []byte) bool
	times int // left; negative means without end
	hits  int
	owner *Faults

	throttle, failBefore, failAfter bool
	delay                           time.Duration
	hook                            func()
}

func newFaults() *Faults { return &Faults{} }

func (f *Faults) add(op string, times int, match func([]byte) bool, x Fault) *Fault {
	x.op, x.times, x.match, x.owner = op, times, match, f
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &x)
	f.active.Add(1)
	return &x
}

// Throttle answers the next times calls of op ("dynamodb:UpdateItem", "*" for all) that match
// (nil matches every body) with the service's throttling error. A negative times never ends.
func (f *Faults) Throttle(op string, times int, match func(body []byte) bool) *Fault {
	return f.add(op, times, match, Fault{throttle: true})
}

// FailBefore answers 500 without executing the call.
func (f *Faults) FailBefore(op string, times int, match func(body []byte) bool) *Fault {
	return f.add(op, times, match, Fault{failBefore: true})
}

// FailAfter executes the call and then answers 500: the caller cannot know what happened.
func (f *Faults) FailAfter(op string, times int, match func(body []byte) bool) *Fault {
	return f.add(op, times, match, Fault{failAfter: true})
}

// Delay makes the call wait before it is executed, or until its context ends.
func (f *Faults) Delay(op string, times int, match func(body []byte) bool, d time.Duration) *Fault {
	return f.add(op, times, match, Fault{delay: d})
}

// Hook calls fn before the call is executed. fn may block: that is how a test holds a call.
func (f *Faults) Hook(op string, times int, match func(body []byte) bool, fn func()) *Fault {
	return f.add(op, times, match, Fault{hook: fn})
}

// Clear removes all faults.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
	f.active.Store(0)
}

// Hits is how often the fault has struck.
func (x *Fault) Hits() int {
	x.owner.mu.Lock()
	defer x.owner.mu.Unlock()
	return x.hits
}

// struck is the set of faults that apply to one call.
type struck []*Fault

func (f *Faults) take(op string, body []byte) struck {
	if f.active.Load() == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out struck
	kept := make([]*Fault, 0, len(f.rules))
	for _, x := range f.rules {
		if x.times != 0 && (x.op == "*" || x.op == op) && (x.match == nil || x.match(body)) {
			x.hits++
			x.times--
			out = append(out, x)
		}
		if x.times != 0 {
			kept = append(kept, x)
		}
	}
	f.rules = kept
	f.active.Store(int32(len(kept)))
	return out
}

func (s struck) before(ctx context.Context, service string) error {
	for _, x := range s {
		if x.hook != nil {
			x.hook()
		}
		if x.delay > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(x.delay):
			}
		}
		switch {
		case x.throttle:
			return throttled(service)
		case x.failBefore:
			return internal(service)
		}
	}
	return nil
}

func (s struck) after(service string) error {
	for _, x := range s {
		if x.failAfter {
			return internal(service)
		}
	}
	return nil
}

func throttled(service string) error {
	switch service {
	case "dynamodb":
		return awserr.New("ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the table was exceeded.")
	case "sqs":
		return awserr.New("RequestThrottled", "Rate exceeded")
	case "sts":
		return awserr.New("Throttling", "Rate exceeded")
	case "lambda":
		return &awserr.Error{Code: "TooManyRequestsException", Message: "Rate Exceeded.", Status: 429}
	}
	return awserr.New("ThrottlingException", "Rate exceeded")
}

func internal(service string) error {
	code := "InternalFailure"
	switch service {
	case "dynamodb":
		code = "InternalServerError"
	case "kms":
		code = "KMSInternalException"
	}
	return &awserr.Error{Code: code, Message: "injected failure", Status: 500}
}
