package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/shared/dynamo"
)

// ready is how long a new table may take to become usable.
const ready = time.Minute

// table creates a table if it does not exist, and checks one that does.
func (b *builder) table(ctx context.Context, db *dynamodb.Client, t dynamo.Table) error {
	name := b.a.opt.Prefix + t.Name
	_, err := db.CreateTable(ctx, createTable(name, t))
	if exists := (*ddbtypes.ResourceInUseException)(nil); err != nil && !errors.As(err, &exists) {
		return err
	}
	w := dynamodb.NewTableExistsWaiter(db, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay, o.MaxDelay = 100*time.Millisecond, time.Second })
	got, err := w.WaitForOutput(ctx, &dynamodb.DescribeTableInput{TableName: &name}, ready)
	if err != nil {
		return err
	}
	have := got.Table
	for _, i := range t.Indexes {
		if !slices.ContainsFunc(have.GlobalSecondaryIndexes, func(g ddbtypes.GlobalSecondaryIndexDescription) bool { return aws.ToString(g.IndexName) == i.Name }) {
			return fmt.Errorf("it exists without the index %q; delete the table and start again", i.Name)
		}
	}
	if t.Stream {
		if b.streams[name] = aws.ToString(have.LatestStreamArn); b.streams[name] == "" {
			return errors.New("it exists without a stream; delete the table and start again")
		}
	}
	if t.TTL == "" {
		return nil
	}
	return enableTTL(ctx, db, name, t.TTL)
}

func createTable(name string, t dynamo.Table) *dynamodb.CreateTableInput {
	kinds := map[string]ddbtypes.ScalarAttributeType{t.PartitionKey: ddbtypes.ScalarAttributeTypeS, t.SortKey: ddbtypes.ScalarAttributeTypeS}
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: ddbtypes.BillingModePayPerRequest, KeySchema: keySchema(t.PartitionKey, t.SortKey)}
	for _, i := range t.Indexes {
		kinds[i.PartitionKey], kinds[i.SortKey] = ddbtypes.ScalarAttributeTypeS, ddbtypes.ScalarAttributeTypeN
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, ddbtypes.GlobalSecondaryIndex{IndexName: aws.String(i.Name), KeySchema: keySchema(i.PartitionKey, i.SortKey),
			Projection: &ddbtypes.Projection{ProjectionType: ddbtypes.ProjectionTypeKeysOnly}})
	}
	for attr, kind := range kinds {
		in.AttributeDefinitions = append(in.AttributeDefinitions, ddbtypes.AttributeDefinition{AttributeName: aws.String(attr), AttributeType: kind})
	}
	if t.Stream {
		in.StreamSpecification = &ddbtypes.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: ddbtypes.StreamViewTypeNewImage}
	}
	return in
}

func keySchema(partition, sort string) []ddbtypes.KeySchemaElement {
	return []ddbtypes.KeySchemaElement{{AttributeName: &partition, KeyType: ddbtypes.KeyTypeHash}, {AttributeName: &sort, KeyType: ddbtypes.KeyTypeRange}}
}

func enableTTL(ctx context.Context, db *dynamodb.Client, table, attr string) error {
	got, err := db.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &table})
	if err != nil {
		return fmt.Errorf("read its time to live: %w", err)
	}
	if d := got.TimeToLiveDescription; d != nil && (d.TimeToLiveStatus == ddbtypes.TimeToLiveStatusEnabled || d.TimeToLiveStatus == ddbtypes.TimeToLiveStatusEnabling) {
		return nil
	}
	_, err = db.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{TableName: &table, TimeToLiveSpecification: &ddbtypes.TimeToLiveSpecification{AttributeName: &attr, Enabled: aws.Bool(true)}})
	if err != nil {
		return fmt.Errorf("set its time to live: %w", err)
	}
	return nil
}

// ensureKey returns the ARN of the key behind an alias, and makes both when there is none.
func ensureKey(ctx context.Context, c *kms.Client, alias string, want *kmstypes.KeyMetadata) (string, error) {
	got, err := c.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &alias})
	if err == nil {
		if m := got.KeyMetadata; m.KeySpec != want.KeySpec || !m.Enabled {
			return "", fmt.Errorf("%s is a key of kind %s in state %s, and %s is needed; remove the alias and start again", alias, m.KeySpec, m.KeyState, want.KeySpec)
		}
		return aws.ToString(got.KeyMetadata.Arn), nil
	}
	if missing := (*kmstypes.NotFoundException)(nil); !errors.As(err, &missing) {
		return "", err
	}
	made, err := c.CreateKey(ctx, &kms.CreateKeyInput{KeySpec: want.KeySpec, KeyUsage: want.KeyUsage, Description: want.Description})
	if err != nil {
		return "", err
	}
	if _, err := c.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &alias, TargetKeyId: made.KeyMetadata.KeyId}); err != nil {
		return "", err
	}
	return aws.ToString(made.KeyMetadata.Arn), nil
}

// ensureBucket creates a bucket under Object Lock, which has versions by itself. Its name holds account and Region and so is the
// same in both accounts. Default retention and bucket policy are not carried over: an endpoint for development need keep nothing.
func ensureBucket(ctx context.Context, cfg aws.Config, name string) error {
	in := &s3.CreateBucketInput{Bucket: &name, ObjectLockEnabledForBucket: aws.Bool(true)}
	if cfg.Region != "us-east-1" { // which S3 does not take as a constraint
		in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(cfg.Region)}
	}
	_, err := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).CreateBucket(ctx, in)
	if owned, taken := (*s3types.BucketAlreadyOwnedByYou)(nil), (*s3types.BucketAlreadyExists)(nil); errors.As(err, &owned) || errors.As(err, &taken) {
		return nil // LocalStack answers the second for the first in some Regions
	}
	return err
}

// allQueues creates the queues: first those that others name as their dead-letter queue.
func (b *builder) allQueues(ctx context.Context) error {
	for _, withRedrive := range []bool{false, true} {
		err := b.plan.each("AWS::SQS::Queue", func(r localaws.Resource) error { return b.queue(ctx, r, withRedrive) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) queue(ctx context.Context, r localaws.Resource, withRedrive bool) error {
	planned, err := sqs.NewFromConfig(b.from).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &r.Ref, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll}})
	if err != nil {
		return err
	}
	attrs := map[string]string{}
	for _, k := range []string{"VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "RedrivePolicy"} {
		if v := planned.Attributes[k]; v != "" {
			attrs[k] = v
		}
	}
	if (attrs["RedrivePolicy"] != "") != withRedrive {
		return nil
	}
	if withRedrive {
		if attrs["RedrivePolicy"], err = b.redrive(attrs["RedrivePolicy"]); err != nil {
			return err
		}
	}
	name := r.Ref[strings.LastIndexByte(r.Ref, '/')+1:]
	q, err := ensureQueue(ctx, sqs.NewFromConfig(b.to), name, attrs)
	b.queues[name], b.swap[r.Ref], b.swap[r.ARN] = q, q.url, q.arn
	return err
}

// redrive exchanges the ARN of the dead-letter queue.
func (b *builder) redrive(policy string) (string, error) {
	var p struct {
		Target string      `json:"deadLetterTargetArn"`
		Max    json.Number `json:"maxReceiveCount"`
	}
	if err := json.Unmarshal([]byte(policy), &p); err != nil {
		return "", fmt.Errorf("read redrive policy: %w", err)
	}
	p.Target = first(b.swap[p.Target], p.Target)
	out, err := json.Marshal(map[string]any{"deadLetterTargetArn": p.Target, "maxReceiveCount": p.Max})
	return string(out), err
}

// ensureQueue creates a queue, or sets the attributes of one that exists.
func ensureQueue(ctx context.Context, c *sqs.Client, name string, attrs map[string]string) (queueRef, error) {
	var q queueRef
	got, err := c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if missing := (*sqstypes.QueueDoesNotExist)(nil); errors.As(err, &missing) {
		made, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attrs})
		if err != nil {
			return q, err
		}
		q.url = aws.ToString(made.QueueUrl)
	} else if err != nil {
		return q, err
	} else {
		q.url = aws.ToString(got.QueueUrl)
		if _, err := c.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &q.url, Attributes: attrs}); err != nil {
			return q, err
		}
	}
	all, err := c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn}})
	if err != nil {
		return q, err
	}
	q.arn = all.Attributes["QueueArn"]
	return q, nil
}
