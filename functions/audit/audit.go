package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/awsevents"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/awss3"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/tenant"
)

// Function is the sealer.
type Function struct {
	deps   awslambda.Deps
	db     *dynamo.DB
	bucket *awss3.Bucket
	bus    *awsevents.Bus
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.AuditTable, env.AuditBucket, env.FlowTable, env.EventBus}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	r.Require(env.Stage)
	tables, bucket, bus := dynamo.Names{Audit: r.Require(env.AuditTable), Flow: r.Require(env.FlowTable)}, r.Require(env.AuditBucket), r.Require(env.EventBus)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return &Function{d, dynamo.New(dynamodb.NewFromConfig(d.AWS), tables, d.Now), awss3.New(d.AWS, bucket), awsevents.New(eventbridge.NewFromConfig(d.AWS), bus, d.Now, d.IDs.New)}, nil
}

// Report says how much one batch sealed.
type Report struct {
	Records int `json:"records"`
	Tenants int `json:"tenants"`
}

// Handle seals one batch and copies what it sealed. An error makes the stream deliver the batch again, whole or in halves; a record
// sealed twice does no harm.
func (f *Function) Handle(ctx context.Context, e events.DynamoDBEvent) (Report, error) {
	var rep Report
	byTenant := map[tenant.ID][]audit.Record{}
	for _, row := range e.Records {
		r, ok, err := recordOf(row)
		if err != nil {
			return rep, err
		}
		if ok {
			rep.Records++
			byTenant[r.Tenant] = append(byTenant[r.Tenant], r)
		}
	}
	tenants := make([]tenant.ID, 0, len(byTenant))
	for t := range byTenant {
		tenants = append(tenants, t)
	}
	slices.Sort(tenants)
	for _, t := range tenants {
		s, err := f.db.Append(ctx, t, byTenant[t])
		if err != nil {
			return rep, fmt.Errorf("seal %d records of %s: %w", len(byTenant[t]), t, err)
		}
		f.tell(ctx, byTenant[t])
		f.deps.Log.DebugContext(ctx, "sealed", "tenant", t, "segment", s.Seq, "records", len(s.Records))
	}
	rep.Tenants = len(tenants)
	var failed []error // one tenant's copy that cannot be made keeps no other from being made
	for _, t := range tenants {
		failed = append(failed, f.keep(ctx, t), f.publish(ctx, byTenant[t]))
	}
	return rep, errors.Join(failed...)
}

// keptAtOnce is how many segments are copied between two movements of the mark.
const keptAtOnce = 100

// keep copies what the bucket does not hold yet of a tenant's chain. The chain comes first, so that the bucket never holds a
// segment that the chain does not; what could not be copied is found again by the next batch, the same one tried again or another.
func (f *Function) keep(ctx context.Context, t tenant.ID) error {
	for {
		segments, mark, err := f.db.Unkept(ctx, t, keptAtOnce)
		if err != nil {
			return fmt.Errorf("find segments of %s to copy: %w", t, err)
		}
		for _, s := range segments {
			b, err := json.Marshal(s)
			if err != nil {
				return fmt.Errorf("encode segment %d of %s: %w", s.Seq, t, err)
			}
			if err := f.bucket.Keep(ctx, audit.SegmentKey(t, s.Seq), b); err != nil {
				return fmt.Errorf("copy segment %d of %s: %w", s.Seq, t, err)
			}
		}
		if len(segments) == 0 {
			return nil
		}
		if err := f.db.SetKept(ctx, t, mark, segments[len(segments)-1].Seq); err != nil {
			return fmt.Errorf("note the copies of %s: %w", t, err)
		}
		if len(segments) < keptAtOnce {
			return nil
		}
	}
}

// tell keeps up the lists that people are shown of what was done for them. They are a convenience: one that cannot be written
// must not keep the trail from being sealed, and the next batch does not bring the entry back.
func (f *Function) tell(ctx context.Context, records []audit.Record) {
	for s, list := range audit.Activities(records) {
		if err := f.db.AddActivities(ctx, s, list); err != nil {
			f.deps.Log.WarnContext(ctx, "list of what was done lately not written", "tenant", s.Tenant, "entries", len(list), "error", err)
		}
	}
}

// publish tells of approvals that were asked for. The function that runs tools may not publish anything; what it put on record is
// published here instead, and again, under the same id, when a batch comes again.
func (f *Function) publish(ctx context.Context, records []audit.Record) error {
	var failed []error
	for _, r := range records {
		if r.Kind == audit.ExecutionRefused && !r.ApprovalAsked.IsZero() {
			failed = append(failed, f.bus.ApprovalChanged(ctx, r))
		}
	}
	return errors.Join(failed...)
}

// recordOf reads an audit record out of a stream record; ok is false for the chain's own rows and for removals.
func recordOf(row events.DynamoDBEventRecord) (r audit.Record, ok bool, err error) {
	if row.EventName != string(events.DynamoDBOperationTypeInsert) {
		return r, false, nil
	}
	pk, doc := row.Change.NewImage["pk"], row.Change.NewImage["doc"]
	if pk.DataType() != events.DataTypeString || doc.DataType() != events.DataTypeString || !dynamo.IsAuditRecord(pk.String()) {
		return r, false, nil
	}
	if err := json.Unmarshal([]byte(doc.String()), &r); err != nil {
		return r, false, fmt.Errorf("decode audit record: %w", err)
	}
	if r.Format > audit.Format { // during a deployment: sealed without what is not known here, it would look tampered with for ever
		return r, false, fmt.Errorf("record %s has format %d and this function knows %d: it is sealed when the function is as new as its writer", r.ID, r.Format, audit.Format)
	}
	return r, true, nil
}
