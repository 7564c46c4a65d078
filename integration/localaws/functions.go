package localaws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
	"behalf.dev/behalf/integration/localaws/eventbridge"
	"behalf.dev/behalf/integration/localaws/iam"
)

// Handler is the body of a Lambda function.
type Handler = func(ctx context.Context, payload []byte) ([]byte, error)

// function is a Lambda function: known from a template, handled by Go code, or both.
type function struct {
	handler Handler
	timeout time.Duration
}

func (a *AWS) functionARN(nameOrARN string) string {
	if !strings.HasPrefix(nameOrARN, "arn:") {
		return "arn:aws:lambda:" + a.opt.Region + ":" + a.opt.Account + ":function:" + nameOrARN
	}
	if parts := strings.Split(nameOrARN, ":"); len(parts) > 7 {
		return strings.Join(parts[:7], ":") // without version or alias
	}
	return nameOrARN
}

func (a *AWS) functionFor(arn string) *function {
	f := a.functions[arn]
	if f == nil {
		f = &function{}
		a.functions[arn] = f
	}
	return f
}

// HandleFunction sets the code of a function: the target of Lambda Invoke, event sources,
// rules and schedules.
func (a *AWS) HandleFunction(nameOrARN string, h Handler) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.functionFor(a.functionARN(nameOrARN)).handler = h
	a.work.wake()
}

// invoke runs a function with its timeout. found is false when nobody handles it.
func (a *AWS) invoke(ctx context.Context, arn string, payload []byte) (out []byte, found bool, err error) {
	a.mu.RLock()
	f := a.functions[arn]
	var h Handler
	var limit time.Duration
	if f != nil {
		h, limit = f.handler, f.timeout
	}
	a.mu.RUnlock()
	if h == nil {
		return nil, false, nil
	}
	ctx = context.WithoutCancel(ctx) // a function has its own time: neither the caller's deadline nor its going away ends it
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	defer func() {
		if p := recover(); p != nil { // a panic is a failed invocation, as in Lambda
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	out, err = h(ctx, payload)
	return out, true, err
}

// asyncAttempts is how often Lambda tries an asynchronous invocation.
const asyncAttempts = 3

// async invokes a function in the background, like Lambda does for events.
func (a *AWS) async(arn string, payload []byte) {
	a.work.begin()
	a.running.Go(func() {
		defer a.work.end(false)
		for attempt := 1; attempt <= asyncAttempts; attempt++ {
			_, found, err := a.invoke(context.Background(), arn, payload)
			if err == nil && found {
				return
			}
			a.opt.Logger.Warn("asynchronous invocation failed", "function", arn, "attempt", attempt, "handled", found, "error", err)
			if !found {
				return
			}
		}
	})
}

// deliver brings an event to the target of a rule or schedule.
func (a *AWS) deliver(t eventbridge.Target, payload []byte) {
	switch {
	case strings.Contains(t.ARN, ":lambda:"):
		a.async(a.functionARN(t.ARN), payload)
	case strings.Contains(t.ARN, ":sqs:"):
		if !a.sqs.Send(t.ARN, string(payload)) {
			a.opt.Logger.Error("event target does not exist", "target", t.ARN)
		}
	default:
		a.opt.Logger.Error("event target is not supported", "target", t.ARN)
	}
}

// runLambda is the Invoke API.
func (a *AWS) runLambda(ctx context.Context, c *call) (reply, error) {
	path := c.http.URL.EscapedPath()
	name, err := url.PathUnescape(strings.TrimSuffix(strings.TrimPrefix(path, "/2015-03-31/functions/"), "/invocations"))
	if err != nil {
		return reply{}, awserr.Validation("malformed function name")
	}
	arn := a.functionARN(name)
	if err := a.iam.Authorize(c.caller, iam.Check{Action: "lambda:InvokeFunction", Resource: arn}); err != nil {
		e := asError(err)
		e.Status = 403
		return reply{}, e
	}
	a.mu.RLock()
	known := a.functions[arn] != nil && a.functions[arn].handler != nil
	a.mu.RUnlock()
	if !known {
		return reply{}, &awserr.Error{Code: "ResourceNotFoundException", Message: "Function not found: " + arn, Status: 404}
	}
	header := map[string]string{"X-Amz-Executed-Version": "$LATEST"}
	switch c.http.Header.Get("X-Amz-Invocation-Type") {
	case "Event":
		a.async(arn, append([]byte(nil), c.body...))
		return reply{status: 202, header: header}, nil
	case "DryRun":
		return reply{status: 204, header: header}, nil
	}
	out, _, err := a.invoke(ctx, arn, c.body)
	if err != nil {
		header["X-Amz-Function-Error"] = "Unhandled"
		return reply{header: header, body: functionError(err)}, nil
	}
	if out == nil {
		out = []byte("null")
	}
	return reply{header: header, body: out}, nil
}

// functionError is the payload that the Go runtime of Lambda answers for an error.
func functionError(err error) []byte {
	kind := reflect.TypeOf(err).String()
	if errors.Is(err, context.DeadlineExceeded) {
		kind = "Sandbox.Timedout"
	}
	b, _ := json.Marshal(map[string]string{"errorMessage": err.Error(), "errorType": strings.TrimPrefix(kind[strings.LastIndexByte(kind, '.')+1:], "*")}) // text always marshals
	return b
}
