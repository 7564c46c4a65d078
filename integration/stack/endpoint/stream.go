package endpoint

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"behalf.dev/behalf/integration/localaws/eventbridge"
)

// streamSource is an event source mapping of a table's stream, read from its oldest record. Positions are not kept between
// runs: the function that it feeds must stand records that come twice, as it must in Lambda.
type streamSource struct {
	delivery
	client  *dynamodbstreams.Client
	arn     string
	region  string
	filters []eventbridge.Pattern
	retries int // of a failing batch; negative means without end

	shards   []*shard
	failures int
}

// shard is a part of the stream. It is read when its parent is at its end.
type shard struct {
	id, parent string
	iterator   *string // nil: to be asked for
	last       string  // sequence number of the last record that was handled
	ended      bool
}

// poll implements source: one batch of one shard.
func (s *streamSource) poll(ctx context.Context, _ bool) (idle bool, err error) {
	if err := s.discover(ctx); err != nil {
		return false, err
	}
	for _, sh := range s.shards {
		if sh.ended || !s.reached(sh) {
			continue
		}
		recs, next, err := s.read(ctx, sh)
		if err != nil {
			return false, err
		}
		if len(recs) == 0 {
			sh.move(next)
			if sh.ended {
				return false, nil // its children are next
			}
			continue
		}
		return false, s.deliver(ctx, sh, recs, next)
	}
	return true, nil
}

// reached tells whether what precedes the shard is handled.
func (s *streamSource) reached(sh *shard) bool {
	for _, p := range s.shards {
		if p.id == sh.parent {
			return p.ended
		}
	}
	return true
}

// discover lists the shards when none is known to be open.
func (s *streamSource) discover(ctx context.Context) error {
	for _, sh := range s.shards {
		if !sh.ended {
			return nil
		}
	}
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &s.arn}
	for {
		out, err := s.client.DescribeStream(ctx, in)
		if err != nil {
			return fmt.Errorf("describe the stream: %w", err)
		}
		for _, d := range out.StreamDescription.Shards {
			if !s.knows(aws.ToString(d.ShardId)) {
				s.shards = append(s.shards, &shard{id: aws.ToString(d.ShardId), parent: aws.ToString(d.ParentShardId)})
			}
		}
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return nil
		}
	}
}

func (s *streamSource) knows(id string) bool {
	for _, sh := range s.shards {
		if sh.id == id {
			return true
		}
	}
	return false
}

// read gets the next records of a shard. An iterator that has expired is asked for anew by the next poll.
func (s *streamSource) read(ctx context.Context, sh *shard) ([]types.Record, *string, error) {
	if sh.iterator == nil {
		in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &s.arn, ShardId: &sh.id, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
		if sh.last != "" {
			in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &sh.last
		}
		out, err := s.client.GetShardIterator(ctx, in)
		if err != nil {
			if trimmed := (*types.TrimmedDataAccessException)(nil); errors.As(err, &trimmed) {
				sh.last = ""
			}
			return nil, nil, fmt.Errorf("find a place in the stream: %w", err)
		}
		sh.iterator = out.ShardIterator
	}
	out, err := s.client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: sh.iterator, Limit: aws.Int32(int32(min(max(s.batch, 1), 1000)))})
	if err != nil {
		sh.iterator = nil
		return nil, nil, fmt.Errorf("read the stream: %w", err)
	}
	return out.Records, out.NextShardIterator, nil
}

// move goes on to the next batch; without an iterator the shard is at its end.
func (sh *shard) move(next *string) { sh.iterator, sh.ended = next, next == nil }

// deliver invokes the function and moves on only when the batch was handled or given up.
func (s *streamSource) deliver(ctx context.Context, sh *shard, recs []types.Record, next *string) error {
	handled, err := s.try(ctx, recs)
	if handled > 0 {
		sh.last = sequenceOf(recs[handled-1])
	}
	if err == nil {
		s.failures = 0
		sh.move(next)
		return nil
	}
	s.failures++
	if s.retries >= 0 && s.failures > s.retries {
		s.log.Error("stream batch given up", "function", s.name, "records", len(recs)-handled, "error", err)
		s.failures, sh.last = 0, sequenceOf(recs[len(recs)-1])
		sh.move(next)
		return nil
	}
	if handled > 0 {
		sh.iterator = nil // again from the first failed record
	}
	return fmt.Errorf("deliver %d records to %s, attempt %d: %w", len(recs), s.name, s.failures, err)
}

// try returns how many records, from the first, were handled.
func (s *streamSource) try(ctx context.Context, recs []types.Record) (handled int, err error) {
	var wanted []any
	for _, r := range recs {
		if e := s.event(r); s.matches(e) {
			wanted = append(wanted, e)
		}
	}
	if len(wanted) == 0 {
		return len(recs), nil
	}
	failed, err := s.send(ctx, map[string]any{"Records": wanted})
	if err != nil {
		return 0, err
	}
	for i, r := range recs {
		if failed[sequenceOf(r)] {
			return i, fmt.Errorf("record %s was reported as failed", sequenceOf(r))
		}
	}
	if len(failed) > 0 {
		return 0, errors.New("the function reported a record as failed that it was not given")
	}
	return len(recs), nil
}

func (s *streamSource) matches(event map[string]any) bool {
	for _, f := range s.filters {
		if f.Match(event) {
			return true
		}
	}
	return len(s.filters) == 0
}

func sequenceOf(r types.Record) string {
	if r.Dynamodb == nil {
		return ""
	}
	return aws.ToString(r.Dynamodb.SequenceNumber)
}

// event writes a record as Lambda does (Lambda Developer Guide, "Using Lambda with DynamoDB").
func (s *streamSource) event(r types.Record) map[string]any {
	change := map[string]any{}
	if d := r.Dynamodb; d != nil {
		change = map[string]any{"Keys": image(d.Keys), "SequenceNumber": sequenceOf(r), "SizeBytes": aws.ToInt64(d.SizeBytes), "StreamViewType": string(d.StreamViewType)}
		if d.ApproximateCreationDateTime != nil {
			change["ApproximateCreationDateTime"] = d.ApproximateCreationDateTime.Unix()
		}
		if d.NewImage != nil {
			change["NewImage"] = image(d.NewImage)
		}
		if d.OldImage != nil {
			change["OldImage"] = image(d.OldImage)
		}
	}
	e := map[string]any{"eventID": aws.ToString(r.EventID), "eventName": string(r.EventName), "eventSource": "aws:dynamodb", "eventVersion": aws.ToString(r.EventVersion),
		"awsRegion": s.region, "eventSourceARN": s.arn, "dynamodb": change}
	if u := r.UserIdentity; u != nil {
		e["userIdentity"] = map[string]any{"type": aws.ToString(u.Type), "principalId": aws.ToString(u.PrincipalId)}
	}
	return e
}

func image(item map[string]types.AttributeValue) map[string]any {
	out := make(map[string]any, len(item))
	for k, v := range item {
		out[k] = value(v)
	}
	return out
}

// value writes an attribute in DynamoDB's JSON.
func value(v types.AttributeValue) map[string]any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *types.AttributeValueMemberB:
		return map[string]any{"B": base64.StdEncoding.EncodeToString(v.Value)}
	case *types.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}
	case *types.AttributeValueMemberSS:
		return map[string]any{"SS": v.Value}
	case *types.AttributeValueMemberNS:
		return map[string]any{"NS": v.Value}
	case *types.AttributeValueMemberBS:
		return map[string]any{"BS": v.Value} // encoding/json writes bytes as base64
	case *types.AttributeValueMemberM:
		return map[string]any{"M": image(v.Value)}
	case *types.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for i, x := range v.Value {
			list[i] = value(x)
		}
		return map[string]any{"L": list}
	}
	return map[string]any{"NULL": true}
}
