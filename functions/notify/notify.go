package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/awsevents"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/awssqs"
	"behalf.dev/behalf/shared/awssts"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/workspace"
)

// Function is the notifier.
type Function struct {
	deps   awslambda.Deps
	log    *slog.Logger // its lines are counted by stage
	worker *worker
	mux    *apigw.Mux
	open   *workspace.Opener
	vendor *awssts.Vendor
	bus    *awsevents.Bus
	out    *egress.Client
	local  bool
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable, env.VaultKey, env.NotifyRole, env.WebhookQueue, env.WebhookDeadQueue, env.EventBus}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	stage, tables := r.Require(env.Stage), workspace.Tables(r)
	key, role, bus := r.Require(env.VaultKey), r.Require(env.NotifyRole), r.Require(env.EventBus)
	queue, dead := r.Require(env.WebhookQueue), r.Require(env.WebhookDeadQueue)
	if err := r.Err(); err != nil {
		return nil, err
	}
	local := r.Optional(env.AllowPrivateHosts, "") == "true"
	queues := sqs.NewFromConfig(d.AWS)
	f := &Function{deps: d, log: slog.New(d.Log.Handler().WithAttrs([]slog.Attr{slog.String("stage", stage)})), local: local, open: workspace.NewOpener(d.AWS, stage, tables, key, d.Now),
		vendor: awssts.NewVendor(sts.NewFromConfig(d.AWS), role, d.Now),
		bus:    awsevents.New(eventbridge.NewFromConfig(d.AWS), bus, d.Now, d.IDs.New),
		out:    egress.New(egress.Options{AllowPrivate: local, Wrap: d.Trace.Transport, MaxResponse: 64 << 10})}
	of := func(ctx context.Context, owner tenant.ID) (*notify.Service, error) {
		s, _, err := f.service(ctx, owner)
		return s, err
	}
	f.worker = &worker{service: of, queue: awssqs.New(queues, queue), dead: awssqs.New(queues, dead), none: newNone(), log: d.Log, counted: f.log, now: d.Now}
	f.mux = apigw.NewMux(d.Log, apigw.RequireKeys(f.routes()))
	return f, nil
}

// Handle tells its two callers apart by what they send: records are the queue's, the rest is a request.
func (f *Function) Handle(ctx context.Context, payload json.RawMessage) (any, error) {
	var batch events.SQSEvent
	if err := json.Unmarshal(payload, &batch); err == nil && len(batch.Records) > 0 {
		return f.worker.work(ctx, batch), nil
	}
	var request events.APIGatewayProxyRequest
	if err := json.Unmarshal(payload, &request); err != nil {
		return nil, fmt.Errorf("decode the request: %w", err)
	}
	return f.mux.Handle(ctx, request)
}

// service works with credentials of one owner.
func (f *Function) service(ctx context.Context, owner tenant.ID) (*notify.Service, *dynamo.DB, error) {
	creds, err := f.vendor.ForTenant(ctx, owner)
	if err != nil {
		return nil, nil, err
	}
	w := f.open.OpenWith(creds)
	return notify.New(notify.Deps{Endpoints: w.DB, Remover: w.DB, Trail: w.DB, Sealer: w.Vault, Poster: f.out.HTTP(), Publisher: f.bus, Recorder: w.DB,
		Log: f.log, Now: f.deps.Now, NewID: f.deps.IDs.New, Jitter: f.deps.Jitter, Public: egress.Public, Plain: f.local}), w.DB, nil
}
