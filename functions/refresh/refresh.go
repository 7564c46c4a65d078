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
	"behalf.dev/behalf/shared/refresh"
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
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.PublicURL, env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable, env.VaultKey, env.RefreshRole, env.RefreshQueue, env.EventBus}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	stage, _ := r.Require(env.Stage), r.Require(env.PublicURL)
	tables := dynamo.Names{Vault: r.Require(env.VaultTable), Directory: r.Require(env.DirectoryTable), Flow: r.Require(env.FlowTable), Audit: r.Require(env.AuditTable)}
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
		queue: awssqs.New(sqs.NewFromConfig(d.AWS), queue), bus: awsevents.New(eventbridge.NewFromConfig(d.AWS), bus, d.Now),
		endpoint: xoauth2.New(out.HTTP(), d.Now)}, nil
}

// Handle tells its three callers apart by what they send: records are the queue's, the rest is a contract.RefreshCall.
func (f *Function) Handle(ctx context.Context, payload json.RawMessage) (any, error) {
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
	creds, err := f.vendor.ForTenant(ctx, r.Ref.Tenant)
	if err != nil {
		return connection.RefreshResult{}, err
	}
	w := f.open.OpenWith(creds)
	c := refresh.New(refresh.Deps{Connections: w.DB, Slots: w.DB, Sealer: w.Vault, Clients: w.Clients, Endpoint: f.endpoint, Recorder: w.DB, Events: f.bus,
		Connector: f.catalog.Connector, Log: f.deps.Log, Now: f.deps.Now, Sleep: f.deps.Sleep, Jitter: f.deps.Jitter, NewID: f.deps.IDs.New})
	return c.Refresh(ctx, r)
}

// perShard bounds one sweep; what is left stays due and is met by the next one.
const perShard, perMessage = 1000, 25

// sweep queues what is due, and returns how much that was.
func (f *Function) sweep(ctx context.Context) (int, error) {
	total := 0
	for shard := range dynamo.DueShards() {
		refs, err := f.due.Due(ctx, shard, f.deps.Now(), perShard)
		if err != nil {
			return total, fmt.Errorf("sweep shard %d: %w", shard, err)
		}
		total += len(refs)
		if err := f.enqueue(ctx, refs); err != nil {
			return total, err
		}
	}
	if total > 0 {
		f.deps.Log.InfoContext(ctx, "swept", "due", total)
	}
	return total, nil
}

// enqueue groups by tenant, so that one message needs one set of credentials.
func (f *Function) enqueue(ctx context.Context, refs []connection.Ref) error {
	byTenant := map[tenant.ID][]contract.Ref{}
	for _, r := range refs {
		byTenant[r.Tenant] = append(byTenant[r.Tenant], awslambda.RefOf(r))
	}
	for _, list := range byTenant {
		for len(list) > 0 {
			n := min(perMessage, len(list))
			if err := f.queue.Send(ctx, contract.RefreshWork{Connections: list[:n]}, 0); err != nil {
				return err
			}
			list = list[n:]
		}
	}
	return nil
}
