package localaws_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"behalf.dev/behalf/integration/localaws"
)

// clock is a settable time.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// deploy loads the two test stacks.
func deploy(t *testing.T, o localaws.Options) (*localaws.AWS, *localaws.Deployment) {
	t.Helper()
	a, err := localaws.New(o)
	if err != nil {
		t.Fatal(err)
	}
	templates := map[string][]byte{}
	for _, name := range []string{"app", "data"} {
		if templates[name], err = os.ReadFile("testdata/" + name + ".json"); err != nil {
			t.Fatal(err)
		}
	}
	d, err := a.LoadTemplates(templates)
	if err != nil {
		t.Fatal(err)
	}
	return a, d
}

func errorCode(err error) string {
	var ae smithy.APIError
	if errors.As(err, &ae) {
		return ae.ErrorCode()
	}
	return ""
}

func put(t *testing.T, c *dynamodb.Client, pk string) {
	t.Helper()
	if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("vault"), Item: map[string]dynamoValue{"pk": text(pk)}}); err != nil {
		t.Fatal(err)
	}
}

// run starts the event sources until the end of the test.
func run(t *testing.T, a *localaws.AWS) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	a.Start(ctx)
	t.Cleanup(func() {
		cancel()
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

func drain(t *testing.T, a *localaws.AWS) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.Drain(ctx); err != nil {
		t.Fatalf("drain: %v", err)
	}
}

func TestLoadTemplates_TwoStacks_ResolvesAcrossThem(t *testing.T) {
	t.Parallel()
	a, d := deploy(t, localaws.Options{})
	if len(d.Functions) != 2 {
		t.Fatalf("functions: %+v", d.Functions)
	}
	f := d.Functions[1]
	if f.LogicalID != "Worker" {
		f = d.Functions[0]
	}
	if f.Environment["KEY"] != d.Outputs["data.KeyArn"] || f.Environment["REGION"] != "eu" || f.Environment["MODE"] != "dev" || f.Timeout != 30*time.Second {
		t.Errorf("worker is %+v", f)
	}
	if len(f.EventSources) != 1 || f.EventSources[0].BatchSize != 5 || f.EventSources[0].SourceARN != d.Outputs["data.WorkArn"] {
		t.Errorf("event sources are %+v", f.EventSources)
	}
	if d.Resources["data.Metadata"].Ref == "" {
		t.Error("an unknown resource type has no placeholder")
	}
	cfg := config(a, must3(a.RoleCredentials(f.RoleARN)))
	c := dynamodb.NewFromConfig(cfg)
	put(t, c, "x")
	if _, err := c.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("vault")}); errorCode(err) != "AccessDeniedException" {
		t.Errorf("scan against the resource policy: %v", err)
	}
	if _, err := c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("vault"), Key: map[string]dynamoValue{"pk": text("x")}}); errorCode(err) != "AccessDeniedException" {
		t.Errorf("delete without a policy: %v", err)
	}
	k := kms.NewFromConfig(cfg)
	if _, err := k.Encrypt(t.Context(), &kms.EncryptInput{KeyId: aws.String("alias/vault"), Plaintext: []byte("x")}); err != nil {
		t.Errorf("encrypt by managed policy: %v", err)
	}
	if _, err := k.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/vault")}); errorCode(err) != "AccessDeniedException" {
		t.Errorf("describe without a policy: %v", err)
	}
}

func TestQueueSource_PartialFailure_RetriesOnlyTheFailedAndRedrives(t *testing.T) {
	t.Parallel()
	clk := newClock()
	a, d := deploy(t, localaws.Options{Now: clk.now})
	var mu sync.Mutex
	seen := map[string]int{}
	a.HandleFunction(d.Resources["app.Worker"].ARN, func(_ context.Context, payload []byte) ([]byte, error) {
		var ev struct {
			Records []struct{ MessageID, Body string }
		}
		if err := json.Unmarshal(payload, &ev); err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		var failed []map[string]string
		for _, r := range ev.Records {
			seen[r.Body]++
			if r.Body == "bad" {
				failed = append(failed, map[string]string{"itemIdentifier": r.MessageID})
			}
		}
		return json.Marshal(map[string]any{"batchItemFailures": failed})
	})
	c := sqs.NewFromConfig(operator(a))
	url := d.Outputs["data.WorkUrl"]
	for _, body := range []string{"good", "bad"} {
		if _, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
	run(t, a)
	for range 3 { // two receipts, then the dead-letter queue
		drain(t, a)
		clk.advance(61 * time.Second)
	}
	drain(t, a)
	mu.Lock()
	defer mu.Unlock()
	if seen["good"] != 1 || seen["bad"] != 2 {
		t.Errorf("deliveries: %v, want good once and bad twice", seen)
	}
	out, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: aws.String(d.Resources["data.Dead"].Ref), AttributeNames: []sqstypes.QueueAttributeName{"ApproximateNumberOfMessages"}})
	if err != nil || out.Attributes["ApproximateNumberOfMessages"] != "1" {
		t.Errorf("dead-letter queue: %v, %v", out, err)
	}
}

func TestStreamSource_FailingBatch_IsRetriedInOrderAndFiltered(t *testing.T) {
	t.Parallel()
	a, _ := deploy(t, localaws.Options{})
	var mu sync.Mutex
	var got []string
	failures := 0
	a.HandleFunction("sealer", func(_ context.Context, payload []byte) ([]byte, error) {
		var ev struct {
			Records []struct {
				EventName, EventSourceARN string
				Dynamodb                  struct {
					Keys struct{ Pk struct{ S string } }
				}
			}
		}
		if err := json.Unmarshal(payload, &ev); err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		if failures < 2 {
			failures++
			return nil, errors.New("not yet")
		}
		for _, r := range ev.Records {
			got = append(got, r.EventName+" "+r.Dynamodb.Keys.Pk.S)
		}
		return nil, nil
	})
	c := dynamodb.NewFromConfig(operator(a))
	for _, pk := range []string{"1", "2", "3", "4"} {
		put(t, c, pk)
	}
	_, err := c.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: aws.String("vault"), Key: map[string]dynamoValue{"pk": text("1")}, UpdateExpression: aws.String("SET a = :a"),
		ExpressionAttributeValues: map[string]dynamoValue{":a": text("x")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("vault"), Key: map[string]dynamoValue{"pk": text("2")}}); err != nil {
		t.Fatal(err)
	}
	run(t, a)
	drain(t, a)
	mu.Lock()
	defer mu.Unlock()
	if want := "INSERT 1,INSERT 2,INSERT 3,INSERT 4,REMOVE 2"; strings.Join(got, ",") != want {
		t.Errorf("records %v, want %s", got, want)
	}
}

func TestEventsAndSchedules_ReachTheFunction(t *testing.T) {
	t.Parallel()
	clk := newClock()
	a, _ := deploy(t, localaws.Options{Now: clk.now})
	var mu sync.Mutex
	var got []string
	a.HandleFunction("sealer", func(_ context.Context, payload []byte) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(payload))
		return nil, nil
	})
	c := eventbridge.NewFromConfig(operator(a))
	_, err := c.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{
		{EventBusName: aws.String("behalf"), Source: aws.String("behalf"), DetailType: aws.String("x"), Detail: aws.String(`{"id":1}`)},
		{EventBusName: aws.String("behalf"), Source: aws.String("other"), DetailType: aws.String("x"), Detail: aws.String(`{"id":2}`)}}})
	if err != nil {
		t.Fatal(err)
	}
	drain(t, a)
	if n := a.FireSchedules(); n != 0 {
		t.Errorf("%d schedules fired before their time", n)
	}
	clk.advance(61 * time.Second)
	if n := a.FireSchedules(); n != 1 {
		t.Errorf("%d schedules fired, want 1", n)
	}
	drain(t, a)
	mu.Lock()
	defer mu.Unlock()
	if want := `{"id":1},{"sweep":true}`; strings.Join(got, ",") != want {
		t.Errorf("payloads %v, want %s", got, want)
	}
}
