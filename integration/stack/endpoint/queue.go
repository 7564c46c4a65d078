package endpoint

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// longPoll is how long a receive waits, in seconds. Lambda waits 20; here it bounds how long Drain and Close take.
const longPoll = 1

// queueSource is an event source mapping of a queue.
type queueSource struct {
	delivery
	client *sqs.Client
	queue  queueRef
	region string
}

// poll implements source. What failed becomes visible again after the queue's visibility timeout.
func (s *queueSource) poll(ctx context.Context, hurry bool) (idle bool, err error) {
	in := &sqs.ReceiveMessageInput{QueueUrl: &s.queue.url, MaxNumberOfMessages: int32(min(max(s.batch, 1), 10)), WaitTimeSeconds: longPoll,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}}
	if hurry {
		in.WaitTimeSeconds = 0
	}
	got, err := s.client.ReceiveMessage(ctx, in)
	if err != nil {
		return false, fmt.Errorf("receive: %w", err)
	}
	if len(got.Messages) == 0 {
		return true, nil
	}
	var e events.SQSEvent
	for _, m := range got.Messages {
		e.Records = append(e.Records, events.SQSMessage{MessageId: aws.ToString(m.MessageId), ReceiptHandle: aws.ToString(m.ReceiptHandle), Body: aws.ToString(m.Body), Md5OfBody: aws.ToString(m.MD5OfBody),
			Attributes: m.Attributes, MessageAttributes: map[string]events.SQSMessageAttribute{}, EventSource: "aws:sqs", EventSourceARN: s.queue.arn, AWSRegion: s.region})
	}
	failed, err := s.send(ctx, e)
	if err != nil {
		s.log.Warn("queue batch failed", "function", s.name, "messages", len(got.Messages), "error", err)
		return false, nil
	}
	return false, s.remove(ctx, got.Messages, failed)
}

// remove deletes what was handled. A function that names an unknown message failed the whole batch, as in Lambda.
func (s *queueSource) remove(ctx context.Context, got []types.Message, failed map[string]bool) error {
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &s.queue.url}
	known := 0
	for i, m := range got {
		if failed[aws.ToString(m.MessageId)] {
			known++
			continue
		}
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
	}
	if known != len(failed) || len(in.Entries) == 0 {
		return nil
	}
	out, err := s.client.DeleteMessageBatch(ctx, in)
	if err != nil {
		return fmt.Errorf("delete handled messages: %w", err)
	}
	if len(out.Failed) > 0 {
		return fmt.Errorf("delete handled messages: %d failed: %s", len(out.Failed), aws.ToString(out.Failed[0].Message))
	}
	return nil
}
