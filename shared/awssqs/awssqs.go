// Package awssqs sends work to queues.
package awssqs

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Queue is one SQS queue.
type Queue struct {
	client *sqs.Client
	url    string
}

// New returns the queue at url.
func New(client *sqs.Client, url string) *Queue { return &Queue{client, url} }

// Send queues message as JSON, to be delivered after delay (at most 15 minutes). It returns once SQS has it.
func (q *Queue) Send(ctx context.Context, message any, delay time.Duration) error {
	b, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	_, err = q.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: aws.String(string(b)), DelaySeconds: int32(delay.Seconds())})
	if err != nil {
		return fmt.Errorf("queue work: %w", err)
	}
	return nil
}

// SQS's limits of one batch (SQS Developer Guide, "Message quotas"): entries, and bytes of all bodies together.
const maxEntries, maxBytes = 10, 262_144

// batchTries is how often entries that SQS failed on are sent; the SDK repeats whole requests by itself.
const batchTries = 3

// SendAll queues messages as JSON, ten to a request. SQS may take some entries of a request and not others: those are sent
// again, and the error tells how many were not taken in the end. All others are queued, whatever the error.
func (q *Queue) SendAll(ctx context.Context, messages []any) error {
	var batch []types.SendMessageBatchRequestEntry
	size, failed := 0, error(nil)
	send := func() {
		if err := q.sendBatch(ctx, batch); err != nil && failed == nil {
			failed = err
		}
		batch, size = nil, 0
	}
	for i, m := range messages {
		b, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("encode message: %w", err)
		}
		if len(batch) == maxEntries || len(batch) > 0 && size+len(b) > maxBytes {
			send()
		}
		batch = append(batch, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(string(b))})
		size += len(b)
	}
	if len(batch) > 0 {
		send()
	}
	return failed
}

func (q *Queue) sendBatch(ctx context.Context, batch []types.SendMessageBatchRequestEntry) error {
	for try := 1; ; try++ {
		out, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: batch})
		if err != nil {
			return fmt.Errorf("queue %d messages: %w", len(batch), err)
		}
		if len(out.Failed) == 0 {
			return nil
		}
		if batch = worthARetry(batch, out.Failed); try == batchTries || len(batch) < len(out.Failed) {
			return fmt.Errorf("queue work: %d messages not taken: %s", len(out.Failed), aws.ToString(out.Failed[0].Code))
		}
	}
}

// worthARetry are the entries that failed through no fault of theirs.
func worthARetry(batch []types.SendMessageBatchRequestEntry, failed []types.BatchResultErrorEntry) (out []types.SendMessageBatchRequestEntry) {
	again := map[string]bool{}
	for _, f := range failed {
		again[aws.ToString(f.Id)] = !f.SenderFault
	}
	for _, e := range batch {
		if again[aws.ToString(e.Id)] {
			out = append(out, e)
		}
	}
	return out
}

// SendFairly is Send without a delay, for one of many that share the queue: when a group has much waiting, SQS takes messages of the
// others first (SQS Developer Guide, "Amazon SQS fair queues"). group is at most 128 letters, digits and signs.
func (q *Queue) SendFairly(ctx context.Context, message any, group string) error {
	b, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if _, err = q.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: aws.String(string(b)), MessageGroupId: &group}); err != nil {
		return fmt.Errorf("queue work: %w", err)
	}
	return nil
}

// Hide keeps a received message out of sight for d (at most 12 hours after it was received), counted from now.
func (q *Queue) Hide(ctx context.Context, receipt string, d time.Duration) error {
	_, err := q.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &q.url, ReceiptHandle: &receipt, VisibilityTimeout: int32(d.Seconds())})
	if err != nil {
		return fmt.Errorf("put off a message: %w", err)
	}
	return nil
}

// Waiting is about how many messages could be received now. Those that are worked on, or delayed, do not count.
func (q *Queue) Waiting(ctx context.Context) (int, error) {
	const name = types.QueueAttributeNameApproximateNumberOfMessages
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: []types.QueueAttributeName{name}})
	if err != nil {
		return 0, fmt.Errorf("read the length of the queue: %w", err)
	}
	n, err := strconv.Atoi(out.Attributes[string(name)])
	if err != nil {
		return 0, fmt.Errorf("read the length of the queue: %w", err)
	}
	return n, nil
}
