package revoke

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/connectors"
	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/awsevents"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/awssts"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/revoke"
	"behalf.dev/behalf/shared/workspace"
)

// Attempts is how often the queue delivers a revocation; the last one gives up, erases the tokens and says so. The
// queue's redrive count is higher, so that a crash in the last attempt is tried again and not lost.
const Attempts = 8

// Function is the revoker.
type Function struct {
	deps    awslambda.Deps
	open    *workspace.Opener
	vendor  *awssts.Vendor
	bus     *awsevents.Bus
	catalog *catalog.Catalog
	out     *egress.Client
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.PublicURL, env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable, env.VaultKey, env.RefreshRole, env.RevokeQueue, env.EventBus}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	stage, _, _ := r.Require(env.Stage), r.Require(env.PublicURL), r.Require(env.RevokeQueue)
	tables := workspace.Tables(r)
	key, role, bus := r.Require(env.VaultKey), r.Require(env.RefreshRole), r.Require(env.EventBus)
	if err := r.Err(); err != nil {
		return nil, err
	}
	cat, err := connectors.FromEnv(d.Lookup)
	if err != nil {
		return nil, err
	}
	return &Function{deps: d, catalog: cat, open: workspace.NewOpener(d.AWS, stage, tables, key, d.Now),
		vendor: awssts.NewVendor(sts.NewFromConfig(d.AWS), role, d.Now), bus: awsevents.New(eventbridge.NewFromConfig(d.AWS), bus, d.Now, d.IDs.New),
		out: egress.New(egress.Options{AllowPrivate: r.Optional(env.AllowPrivateHosts, "") == "true", Wrap: d.Trace.Transport, MaxResponse: 1 << 20})}, nil
}

// Handle takes a batch of the queue, or one direct call.
func (f *Function) Handle(ctx context.Context, payload json.RawMessage) (any, error) {
	var batch events.SQSEvent
	if err := json.Unmarshal(payload, &batch); err == nil && len(batch.Records) > 0 {
		return f.work(ctx, batch), nil
	}
	var call contract.RevokeWork
	if err := json.Unmarshal(payload, &call); err != nil {
		return nil, fmt.Errorf("decode the call: %w", err)
	}
	c, err := f.one(ctx, call, false)
	r := c.Revocation
	return contract.RevokeAnswer{Provider: r.Provider, Answer: r.Answer, Attempts: r.Attempts, Erased: r.Erased, Error: awslambda.Failure(err)}, nil
}

func (f *Function) work(ctx context.Context, batch events.SQSEvent) events.SQSEventResponse {
	var out events.SQSEventResponse
	for _, m := range batch.Records {
		received, _ := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
		var w contract.RevokeWork
		err := json.Unmarshal([]byte(m.Body), &w)
		if err == nil {
			_, err = f.one(ctx, w, received >= Attempts)
		}
		if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Conflict) {
			f.deps.Log.WarnContext(ctx, "revocation comes again", "message", m.MessageId, "received", received, "error", err)
			out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		}
	}
	return out
}

func (f *Function) one(ctx context.Context, w contract.RevokeWork, last bool) (connection.Connection, error) {
	ref, err := awslambda.ParseRef(w.Connection)
	if err != nil {
		return connection.Connection{}, err
	}
	ctx = awslambda.With(ctx, awslambda.Fields{Tenant: string(ref.Tenant), Principal: string(ref.Principal)})
	creds, err := f.vendor.ForTenant(ctx, ref.Tenant)
	if err != nil {
		return connection.Connection{}, err
	}
	s := f.open.OpenWith(creds)
	if !w.Announced {
		if err := f.announce(ctx, s.DB, ref); err != nil {
			return connection.Connection{}, err
		}
	}
	return revoke.New(revoke.Deps{Connections: s.DB, Slots: s.DB, Sealer: s.Vault, Clients: s.Clients, Provider: f.out, Recorder: s.DB, Events: f.bus,
		Connector: f.catalog.Connector, Log: f.deps.Log, Now: f.deps.Now, NewID: f.deps.IDs.New}).Finish(ctx, ref, last)
}

// announce publishes that a connection is revoked, where whoever revoked it could not.
func (f *Function) announce(ctx context.Context, db *dynamo.DB, ref connection.Ref) error {
	c, err := db.Connection(ctx, ref)
	if err != nil || c.Status != connection.Revoked {
		return err // what is not revoked is refused where the provider would be told
	}
	return f.bus.ConnectionChanged(ctx, audit.ConnectionRevoked, c)
}
