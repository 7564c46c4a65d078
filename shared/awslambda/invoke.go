package awslambda

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Caller invokes other functions.
type Caller struct{ client *lambda.Client }

// NewCaller returns a Caller.
func NewCaller(client *lambda.Client) Caller { return Caller{client} }

func (c Caller) call(ctx context.Context, function string, in, out any) error {
	payload, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode the call of %s: %w", function, err)
	}
	res, err := c.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		return fmt.Errorf("invoke %s: %w", function, err)
	}
	if res.FunctionError != nil {
		return fmt.Errorf("invoke %s: it failed: %s", function, aws.ToString(res.FunctionError))
	}
	return decode(res.Payload, out)
}

// Refresher asks the refresh function; it implements toolcall.Refresher.
type Refresher struct {
	Caller   Caller
	Function string
}

// Refresh asks for a refresh and returns how it ended.
func (r Refresher) Refresh(ctx context.Context, q connection.RefreshRequest) (connection.RefreshResult, error) {
	ref := RefOf(q.Ref)
	var a events.RefreshAnswer
	err := r.Caller.call(ctx, r.Function, events.RefreshCall{Connection: &ref, Rejected: q.Rejected, Force: q.Force, WaitMS: q.Wait.Milliseconds(), By: q.By}, &a)
	if err != nil {
		return connection.RefreshResult{}, err
	}
	if err := Failed(a.Error); err != nil {
		return connection.RefreshResult{}, err
	}
	return connection.RefreshResult{Status: connection.RefreshStatus(a.Status), Generation: a.Generation, ExpiresAt: a.ExpiresAt, Reason: a.Reason, RetryAfter: time.Duration(a.RetryAfterMS) * time.Millisecond}, nil
}

// Due lists connections of all tenants that are due now or within a while, the longest overdue first. It continues behind after,
// and returns where the next page begins; empty at the end.
func (r Refresher) Due(ctx context.Context, within time.Duration, limit int, after string) ([]connection.Due, string, error) {
	var a events.DueAnswer
	if err := r.Caller.call(ctx, r.Function, events.RefreshCall{Due: &events.DueQuery{WithinMS: within.Milliseconds(), Limit: limit, After: after}}, &a); err != nil {
		return nil, "", err
	}
	if err := Failed(a.Error); err != nil {
		return nil, "", err
	}
	out := make([]connection.Due, len(a.Due))
	for i, d := range a.Due {
		ref, err := ParseRef(d.Ref)
		if err != nil {
			return nil, "", err
		}
		out[i] = connection.Due{Ref: ref, At: d.At}
	}
	return out, a.Next, nil
}

// Revoker asks the revoke function.
type Revoker struct {
	Caller   Caller
	Function string
}

// Revoke tells the provider about a revoked connection and returns its answer. That it is revoked was told to others before.
func (r Revoker) Revoke(ctx context.Context, ref connection.Ref, by string) (connection.Revocation, error) {
	var a events.RevokeAnswer
	if err := r.Caller.call(ctx, r.Function, events.RevokeWork{Connection: RefOf(ref), By: by, Announced: true}, &a); err != nil {
		return connection.Revocation{}, err
	}
	return connection.Revocation{Provider: a.Provider, Answer: a.Answer, Attempts: a.Attempts, Erased: a.Erased}, Failed(a.Error)
}

// RefOf writes a reference for a message.
func RefOf(r connection.Ref) events.Ref {
	return events.Ref{Tenant: string(r.Tenant), Principal: string(r.Principal), Connector: r.Connector, Connection: string(r.ID)}
}

// ParseRef reads a reference from a message and checks each part: messages are input like any other.
func ParseRef(e events.Ref) (connection.Ref, error) {
	t, err := tenant.Parse("tenant", e.Tenant)
	if err != nil {
		return connection.Ref{}, err
	}
	p, err := tenant.ParsePrincipal("principal", e.Principal)
	if err != nil {
		return connection.Ref{}, err
	}
	id, err := connection.ParseID("connection_id", e.Connection)
	if err != nil {
		return connection.Ref{}, err
	}
	return connection.Ref{Scope: tenant.Scope{Tenant: t, Principal: p}, Connector: e.Connector, ID: id}, nil
}

// Failure carries err across a function border; nil for nil.
func Failure(err error) *events.Failure {
	if err == nil {
		return nil
	}
	f := fault.From(err)
	return &events.Failure{Code: string(f.Code), Message: f.Message, RetryAfterMS: f.RetryAfter.Milliseconds()}
}

// Failed turns a carried failure back into an error; nil for nil.
func Failed(f *events.Failure) error {
	if f == nil {
		return nil
	}
	return fault.New(fault.Code(f.Code), "%s", f.Message).WithRetryAfter(time.Duration(f.RetryAfterMS) * time.Millisecond)
}
