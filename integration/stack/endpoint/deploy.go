package endpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/shared/dynamo"
)

// plan is the throw-away account that resolves the templates.
type plan struct {
	account *localaws.AWS
	made    *localaws.Deployment
}

func (a *Account) plan() (*plan, error) {
	account, err := localaws.New(localaws.Options{Now: a.opt.Now, Region: a.region, Account: a.id, Logger: a.opt.Log})
	if err != nil {
		return nil, err
	}
	made, err := account.LoadTemplates(a.opt.Templates)
	if err != nil {
		return nil, fmt.Errorf("resolve the templates: %w", err)
	}
	return &plan{account, made}, nil
}

func (p *plan) config(region string) aws.Config {
	key, sec := p.account.OperatorCredentials()
	return aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider(key, sec, ""), HTTPClient: p.account.HTTPClient(), BaseEndpoint: aws.String("http://plan.internal")}
}

// each calls f for the resources of one type, in a stable order.
func (p *plan) each(kind string, f func(localaws.Resource) error) error {
	for _, id := range slices.Sorted(maps.Keys(p.made.Resources)) {
		if r := p.made.Resources[id]; r.Type == kind {
			if err := f(r); err != nil {
				return fmt.Errorf("create %s: %w", r.LogicalID, err)
			}
		}
	}
	return nil
}

// mentioned tells whether a function's environment holds a value.
func (p *plan) mentioned(value string) bool {
	return slices.ContainsFunc(p.made.Functions, func(f localaws.Function) bool {
		return slices.Contains(slices.Collect(maps.Values(f.Environment)), value)
	})
}

// builder carries one deployment.
type builder struct {
	a        *Account
	plan     *plan
	from, to aws.Config
	swap     map[string]string // ARNs and URLs: the throw-away account's to the endpoint's
	queues   map[string]queueRef
	streams  map[string]string // stream ARN by table
}

// queueRef is a queue of the endpoint.
type queueRef struct{ url, arn string }

func (a *Account) deploy(ctx context.Context) error {
	p, err := a.plan()
	if err != nil {
		return err
	}
	b := &builder{a: a, plan: p, from: p.config(a.region), to: a.Config(""), swap: map[string]string{}, queues: map[string]queueRef{}, streams: map[string]string{}}
	for _, t := range dynamo.Schema() {
		if err := b.table(ctx, dynamodb.NewFromConfig(b.to), t); err != nil {
			return fmt.Errorf("create table %s%s: %w", a.opt.Prefix, t.Name, err)
		}
	}
	if err := p.each("AWS::KMS::Alias", func(r localaws.Resource) error { return b.key(ctx, r) }); err != nil {
		return err
	}
	if err := b.allQueues(ctx); err != nil {
		return err
	}
	if err := p.each("AWS::Events::EventBus", func(r localaws.Resource) error { return b.bus(ctx, r) }); err != nil {
		return err
	}
	if err := p.each("AWS::S3::Bucket", func(r localaws.Resource) error { return ensureBucket(ctx, b.to, r.Ref) }); err != nil {
		return err
	}
	for _, r := range a.opt.Rules {
		if err := b.rule(ctx, r); err != nil {
			return err
		}
	}
	for _, f := range p.made.Functions {
		f.Environment = exchange(f.Environment, b.swap)
		a.functions = append(a.functions, f)
		if err := b.feed(f); err != nil {
			return err
		}
	}
	for _, s := range a.opt.Schedules {
		a.feeder.add("schedule of "+s.Function, &schedule{Schedule: s, now: a.opt.Now, last: a.opt.Now(), invoke: a.invoke, log: a.opt.Log})
	}
	return nil
}

func (b *builder) bus(ctx context.Context, r localaws.Resource) error {
	_, err := eventbridge.NewFromConfig(b.to).CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: &r.Ref})
	if exists := (*ebtypes.ResourceAlreadyExistsException)(nil); errors.As(err, &exists) {
		return nil
	}
	return err
}

// feed connects a function with its event sources.
func (b *builder) feed(f localaws.Function) error {
	for _, e := range f.EventSources {
		if e.Disabled {
			continue
		}
		d := delivery{name: f.Name, batch: e.BatchSize, partial: e.ReportFailures, invoke: b.a.invoke, log: b.a.opt.Log}
		switch parts := strings.Split(e.SourceARN, ":"); {
		case len(parts) == 6 && parts[2] == "sqs" && len(e.Filters) == 0:
			q, ok := b.queues[parts[5]]
			if !ok {
				return fmt.Errorf("function %s is fed from a queue %s that no template has", f.Name, parts[5])
			}
			b.a.feeder.add("queue "+parts[5], &queueSource{delivery: d, client: sqs.NewFromConfig(b.to), queue: q, region: b.a.region})
		case len(parts) >= 6 && parts[2] == "dynamodb" && b.streams[tableOf(parts[5])] != "":
			b.a.feeder.add("stream of "+tableOf(parts[5]), &streamSource{delivery: d, client: dynamodbstreams.NewFromConfig(b.to), arn: b.streams[tableOf(parts[5])], region: b.a.region, filters: e.Filters, retries: e.Retries})
		default:
			return fmt.Errorf("function %s is fed from %s, which is not supported at an endpoint", f.Name, e.SourceARN)
		}
	}
	return nil
}

// tableOf reads "table/name/stream/label".
func tableOf(resource string) string {
	_, rest, _ := strings.Cut(resource, "/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// key makes the key behind an alias, as the template describes it, if a function uses it.
func (b *builder) key(ctx context.Context, r localaws.Resource) error {
	planned, err := kms.NewFromConfig(b.from).DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &r.Ref})
	if err != nil {
		return err
	}
	want := planned.KeyMetadata
	if !b.plan.mentioned(aws.ToString(want.Arn)) {
		return nil
	}
	arn, err := ensureKey(ctx, kms.NewFromConfig(b.to), r.Ref, want)
	b.swap[aws.ToString(want.Arn)] = arn
	return err
}
