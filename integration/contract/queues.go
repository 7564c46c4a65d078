package contract

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// name invents a resource name that no earlier run used.
func name(prefix string) *string { return aws.String("contract-" + prefix + "-" + rand.Text()[:8]) }

// SQS checks queues: receive and delete, batches, visibility, redrive. It creates queues.
func SQS(t *testing.T, cfg aws.Config) {
	c := sqs.NewFromConfig(cfg)
	t.Run("Message_ReceivedAndDeleted_IsGone", func(t *testing.T) { messageLife(t, c) })
	t.Run("Message_NotDeleted_ReturnsAndIsRedriven", func(t *testing.T) { redrive(t, c) })
	t.Run("Batch_SendAndDelete_CoversAll", func(t *testing.T) { queueBatch(t, c) })
	t.Run("UnknownQueue_IsTyped", func(t *testing.T) {
		_, err := c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("contract-no-such-queue")})
		wantCode(t, err, "AWS.SimpleQueueService.NonExistentQueue")
	})
}

func newQueue(t *testing.T, c *sqs.Client, attrs map[string]string) (url *string, arn string) {
	t.Helper()
	q, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: name("queue"), Attributes: attrs})
	if err != nil {
		t.Fatalf("create queue: %v", err)
	}
	out, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: q.QueueUrl, AttributeNames: []types.QueueAttributeName{"QueueArn"}})
	if err != nil {
		t.Fatalf("queue attributes: %v", err)
	}
	return q.QueueUrl, out.Attributes["QueueArn"]
}

func receive(t *testing.T, c *sqs.Client, url *string, n, hide int32) []types.Message {
	t.Helper()
	out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: n, VisibilityTimeout: hide, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}})
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return out.Messages
}

func messageLife(t *testing.T, c *sqs.Client) {
	url, _ := newQueue(t, c, nil)
	_, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("hello"),
		MessageAttributes: map[string]types.MessageAttributeValue{"tenant": {DataType: aws.String("String"), StringValue: aws.String("acme")}}})
	if err != nil {
		t.Fatalf("send: %v", err)
	}
	got := receive(t, c, url, 10, 30)
	if len(got) != 1 || *got[0].Body != "hello" || *got[0].MessageAttributes["tenant"].StringValue != "acme" || got[0].Attributes["ApproximateReceiveCount"] != "1" {
		t.Fatalf("received %+v", got)
	}
	if again := receive(t, c, url, 10, 30); len(again) != 0 {
		t.Errorf("a hidden message was received again: %+v", again)
	}
	if _, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: got[0].ReceiptHandle}); err != nil {
		t.Fatalf("delete: %v", err)
	}
	out, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil || out.Attributes["ApproximateNumberOfMessagesNotVisible"] != "0" {
		t.Errorf("attributes %v, %v", out, err)
	}
}

func redrive(t *testing.T, c *sqs.Client) {
	dead, deadARN := newQueue(t, c, nil)
	url, _ := newQueue(t, c, map[string]string{"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":2}`, deadARN)})
	if _, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("poison")}); err != nil {
		t.Fatalf("send: %v", err)
	}
	for range 2 {
		got := receive(t, c, url, 1, 30)
		if len(got) != 1 {
			t.Fatalf("message is missing")
		}
		if _, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 0}); err != nil {
			t.Fatalf("return message: %v", err)
		}
	}
	if got := receive(t, c, url, 1, 30); len(got) != 0 {
		t.Errorf("a third receipt was possible: %+v", got)
	}
	if got := receive(t, c, dead, 1, 30); len(got) != 1 || *got[0].Body != "poison" {
		t.Errorf("dead-letter queue holds %+v", got)
	}
}

func queueBatch(t *testing.T, c *sqs.Client) {
	url, _ := newQueue(t, c, nil)
	var in []types.SendMessageBatchRequestEntry
	for i := range 10 {
		in = append(in, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: aws.String(fmt.Sprint("m", i))})
	}
	sent, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: in})
	if err != nil || len(sent.Successful) != 10 {
		t.Fatalf("send batch: %+v, %v", sent, err)
	}
	var del []types.DeleteMessageBatchRequestEntry
	for len(del) < 10 {
		got := receive(t, c, url, 10, 30)
		if len(got) == 0 {
			break
		}
		for _, m := range got {
			del = append(del, types.DeleteMessageBatchRequestEntry{Id: m.MessageId, ReceiptHandle: m.ReceiptHandle})
		}
	}
	out, err := c.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: del})
	if err != nil || len(out.Successful) != 10 {
		t.Errorf("deleted %+v, %v", out, err)
	}
}

// EventBridge checks that a rule brings matching events to a queue. It creates a bus, a rule
// and a queue.
func EventBridge(t *testing.T, cfg aws.Config) {
	c, q := eventbridge.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	url, arn := newQueue(t, q, nil)
	bus, rule := name("bus"), name("rule")
	if _, err := c.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: bus}); err != nil {
		t.Fatalf("create bus: %v", err)
	}
	if _, err := c.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: rule, EventBusName: bus, EventPattern: aws.String(`{"source":["behalf"],"detail":{"status":[{"anything-but":"active"}]}}`)}); err != nil {
		t.Fatalf("put rule: %v", err)
	}
	if _, err := c.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: rule, EventBusName: bus, Targets: []ebtypes.Target{{Id: aws.String("q"), Arn: &arn}}}); err != nil {
		t.Fatalf("put targets: %v", err)
	}
	entry := func(status string) ebtypes.PutEventsRequestEntry {
		return ebtypes.PutEventsRequestEntry{EventBusName: bus, Source: aws.String("behalf"), DetailType: aws.String("connection"), Detail: aws.String(fmt.Sprintf(`{"status":%q}`, status))}
	}
	out, err := c.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{entry("active"), entry("revoked"),
		{EventBusName: bus, Source: aws.String("behalf"), DetailType: aws.String("x"), Detail: aws.String("no json")}}})
	if err != nil || out.FailedEntryCount != 1 {
		t.Fatalf("put events: %+v, %v", out, err)
	}
	if got := receive(t, q, url, 10, 30); len(got) != 1 {
		t.Errorf("queue got %d events, want the one that matches", len(got))
	}
}
