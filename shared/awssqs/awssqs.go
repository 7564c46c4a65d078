// Package awssqs sends work to queues.
package awssqs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
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
