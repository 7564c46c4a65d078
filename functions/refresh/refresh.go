package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/connectors"
	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/awsevents"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/awssqs"
	"behalf.dev/behalf/shared/awssts"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/metric"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/revoke"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/workspace"
	"behalf.dev/behalf/shared/xoauth2"
)

// Function is the refresher.
type Function struct {
	deps     awslambda.Deps
	open     *workspace.Opener
	vendor   *awssts.Vendor
	due      *dynamo.DB
	queue    *awssqs.Queue
	bus      *awsevents.Bus
	catalog  *catalog.Catalog
	endpoint *xoauth2.Endpoint
	out      *egress.Client
	gate     *refresh.Gate
	meter    *metric.Meter
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.PublicURL, env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable, env.VaultKey, env.RefreshRole, env.RefreshQueue, env.EventBus}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	stage, _ := r.Require(env.Stage), r.Require(env.PublicURL)
	tables := workspace.Tables(r)
	key, role, queue, bus := r.Require(env.VaultKey), r.Require(env.RefreshRole), r.Require(env.RefreshQueue), r.Require(env.EventBus)
	if err := r.Err(); err != nil {
		return nil, err
	}
	cat, err := connectors.FromEnv(d.Lookup)
	if err != nil {
		return nil, err
	}
	out := egress.New(egress.Options{AllowPrivate: r.Optional(env.AllowPrivateHosts, "") == "true", Wrap: d.Trace.Transport, MaxResponse: 1 << 20})
	return &Function{deps: d, catalog: cat, open: workspace.NewOpener(d.AWS, stage, tables, key, d.Now),
		vendor: awssts.NewVendor(sts.NewFromConfig(d.AWS), role, d.Now), due: dynamo.New(dynamodb.NewFromConfig(d.AWS), tables, d.Now),
		queue: awssqs.New(sqs.NewFromConfig(d.AWS), queue), bus: awsevents.New(eventbridge.NewFromConfig(d.AWS), bus, d.Now, d.IDs.New),
		endpoint: xoauth2.New(out.HTTP(), d.Now), out: out, gate: refresh.NewGate(refresh.Limits{}, d.Now), meter: metric.New(d.Metrics, stage, d.Now)}, nil
}

// Handle tells its three callers apart by what they send: records are the queue's, the rest is a contract.RefreshCall.
func (f *Function) Handle(ctx context.Context, payload json.RawMessage) (any, error) {
	defer f.flush(ctx)
	var batch events.SQSEvent
	if err := json.Unmarshal(payload, &batch); err == nil && len(batch.Records) > 0 {
		return f.work(ctx, batch), nil
	}
	var call contract.RefreshCall
	if err := json.Unmarshal(payload, &call); err != nil {
		return nil, fmt.Errorf("decode the call: %w", err)
	}
	switch {
	case call.Sweep:
		n, err := f.sweep(ctx)
		return map[string]int{"due": n}, err
	case call.Due != nil:
		return f.list(ctx, *call.Due), nil
	case call.Connection != nil:
		return f.onDemand(ctx, call), nil
	}
	return nil, errors.New("the call asks for nothing")
}

func (f *Function) onDemand(ctx context.Context, call contract.RefreshCall) contract.RefreshAnswer {
	ref, err := awslambda.ParseRef(*call.Connection)
	if err != nil {
		return contract.RefreshAnswer{Error: awslambda.Failure(err)}
	}
	res, err := f.one(ctx, connection.RefreshRequest{Ref: ref, Rejected: call.Rejected, Force: call.Force, Wait: time.Duration(call.WaitMS) * time.Millisecond, By: call.By})
	if err != nil {
		f.deps.Log.ErrorContext(ctx, "refresh failed", "connection", ref.ID, "error", err)
		return contract.RefreshAnswer{Error: awslambda.Failure(err)}
	}
	return contract.RefreshAnswer{Status: string(res.Status), Generation: res.Generation, ExpiresAt: res.ExpiresAt, Reason: res.Reason, RetryAfterMS: res.RetryAfter.Milliseconds()}
}

// one refreshes one connection with credentials of its tenant.
func (f *Function) one(ctx context.Context, r connection.RefreshRequest) (connection.RefreshResult, error) {
	ctx = awslambda.With(ctx, awslambda.Fields{Tenant: string(r.Ref.Tenant), Principal: string(r.Ref.Principal)})
	res, err := connection.RefreshResult{}, error(nil)
	c, err := f.coordinator(ctx, r.Ref.Tenant)
	if err == nil {
		res, err = c.Refresh(ctx, r)
	}
	if !fault.Is(err, fault.NotFound) {
		f.observe(r.Ref.Connector, res, err)
	}
	return res, err
}

// coordinator works with credentials of one tenant.
func (f *Function) coordinator(ctx context.Context, t tenant.ID) (*refresh.Coordinator, error) {
	creds, err := f.vendor.ForTenant(ctx, t)
	if err != nil {
		return nil, err
	}
	w := f.open.OpenWith(creds)
	return refresh.New(refresh.Deps{Connections: w.DB, Slots: w.DB, Sealer: w.Vault, Clients: w.Clients, Endpoint: xoauth2.Measured{Endpoint: f.endpoint, Meter: f.meter, Now: f.deps.Now}, Introspector: f.endpoint, Recorder: w.DB, Events: f.bus,
		Queue: later{f.queue, f.meter}, Retirer: f.revoker(w), Keeper: counted{f.gate, f.meter}, Connector: f.catalog.Connector, Log: f.deps.Log, Now: f.deps.Now, Sleep: f.deps.Sleep, Jitter: f.deps.Jitter, NewID: f.deps.IDs.New}), nil
}

// revoker tells providers of tokens that only this function knows of.
func (f *Function) revoker(w workspace.Workspace) *revoke.Revoker {
	return revoke.New(revoke.Deps{Connections: w.DB, Slots: w.DB, Sealer: w.Vault, Clients: w.Clients, Provider: f.out, Recorder: w.DB, Events: f.bus,
		Connector: f.catalog.Connector, Log: f.deps.Log, Now: f.deps.Now, NewID: f.deps.IDs.New})
}
