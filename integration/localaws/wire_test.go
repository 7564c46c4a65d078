package localaws_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"behalf.dev/behalf/integration/localaws"
)

func TestEvents_DecodeWithLambdaEventTypes(t *testing.T) {
	t.Parallel()
	a, d := deploy(t, localaws.Options{})
	stream, queue := make(chan events.DynamoDBEvent, 1), make(chan events.SQSEvent, 1)
	a.HandleFunction("sealer", func(_ context.Context, p []byte) ([]byte, error) {
		var ev events.DynamoDBEvent
		err := json.Unmarshal(p, &ev)
		stream <- ev
		return nil, err
	})
	a.HandleFunction(d.Resources["app.Worker"].ARN, func(_ context.Context, p []byte) ([]byte, error) {
		var ev events.SQSEvent
		err := json.Unmarshal(p, &ev)
		queue <- ev
		return nil, err
	})
	put(t, dynamodb.NewFromConfig(operator(a)), "x")
	url := d.Outputs["data.WorkUrl"]
	if _, err := sqs.NewFromConfig(operator(a)).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("hello")}); err != nil {
		t.Fatal(err)
	}
	run(t, a)
	drain(t, a)
	r := (<-stream).Records[0]
	if r.EventName != "INSERT" || r.Change.NewImage["pk"].String() != "x" || r.EventSourceArn != d.Outputs["data.VaultStream"] || time.Since(r.Change.ApproximateCreationDateTime.Time) > time.Minute {
		t.Errorf("stream record %+v", r)
	}
	m := (<-queue).Records[0]
	if m.Body != "hello" || m.MessageId == "" || m.Attributes["ApproximateReceiveCount"] != "1" || m.EventSourceARN != d.Outputs["data.WorkArn"] {
		t.Errorf("queue record %+v", m)
	}
}
