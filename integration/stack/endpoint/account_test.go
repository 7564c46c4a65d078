package endpoint_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/integration/stack/endpoint"
	"behalf.dev/behalf/integration/stack/template"
)

// clock runs like the system's, plus what was added.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// bare is an account with nothing in it, behind a socket.
func bare(t *testing.T, c *clock) (*localaws.AWS, endpoint.Options) {
	t.Helper()
	a, err := localaws.New(localaws.Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	stacks, err := template.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	operator := func(string) aws.CredentialsProvider {
		key, sec := a.OperatorCredentials()
		return credentials.NewStaticCredentialsProvider(key, sec, "")
	}
	return a, endpoint.Options{URL: srv.URL, Templates: stacks, Prefix: "behalf-local-", Now: c.now, Credentials: operator,
		Schedules: []endpoint.Schedule{{Function: "behalf-local-refresh", Every: time.Minute, Payload: []byte(`{"sweep":true}`)}},
		Rules:     []endpoint.Rule{{Name: "behalf-local-webhooks", Bus: "behalf-local", Source: "behalf", Queue: "behalf-local-webhooks"}}}
}

func TestRules_BringEventsOfTheirSourceToTheQueue(t *testing.T) {
	t.Parallel()
	_, o := bare(t, &clock{})
	a := open(t, o)
	open(t, o) // a second time changes nothing
	url := environment(t, a, "notify")["BEHALF_WEBHOOK_QUEUE_URL"]
	bus := eventbridge.NewFromConfig(a.Config(""))
	for _, source := range []string{"behalf", "somebody"} {
		if _, err := bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []ebtypes.PutEventsRequestEntry{{EventBusName: aws.String("behalf-local"), Source: &source,
			DetailType: aws.String("x"), Detail: aws.String("{}")}}}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := sqs.NewFromConfig(a.Config("")).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10})
	if err != nil || len(got.Messages) != 1 || !strings.Contains(*got.Messages[0].Body, `"source":"behalf"`) {
		t.Errorf("%d messages, %v", len(got.Messages), err)
	}
}

func open(t *testing.T, o endpoint.Options) *endpoint.Account {
	t.Helper()
	a, err := endpoint.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// run starts the account's sources until the end of the test.
func run(t *testing.T, a *endpoint.Account) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	a.Start(ctx)
	t.Cleanup(func() {
		cancel()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
}

func drain(t *testing.T, a *endpoint.Account) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := a.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}

func environment(t *testing.T, a *endpoint.Account, function string) map[string]string {
	t.Helper()
	for _, f := range a.Functions() {
		if f.Name == "behalf-local-"+function {
			return f.Environment
		}
	}
	t.Fatalf("no function %s", function)
	return nil
}

func TestOpen_Twice_MakesThingsOnceAndEnvironmentsNameThem(t *testing.T) {
	t.Parallel()
	l, o := bare(t, &clock{})
	one := open(t, o)
	made := l.Counter().Snapshot()
	l.Counter().Reset()
	two := open(t, o)
	again := l.Counter().Snapshot()
	for op, want := range map[string]int{"kms:CreateKey": 2, "kms:CreateAlias": 2, "sqs:CreateQueue": 7, "dynamodb:UpdateTimeToLive": 2} {
		if made[op] != want || again[op] != 0 {
			t.Errorf("%s: %d times, then %d; want %d and none", op, made[op], again[op], want)
		}
	}
	for _, f := range []string{"admin", "audit", "authorizer", "callback", "execute", "notify", "portal", "refresh", "revoke", "scim"} {
		x, y := environment(t, one, f), environment(t, two, f)
		for k, v := range x {
			if y[k] != v || strings.Contains(v, "plan.internal") {
				t.Errorf("%s of %s is %q, then %q", k, f, v, y[k])
			}
		}
	}
	key := environment(t, one, "execute")["BEHALF_VAULT_KEY_ARN"]
	url := environment(t, one, "refresh")["BEHALF_REFRESH_QUEUE_URL"]
	got, err := sqs.NewFromConfig(one.Config("")).GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
	if err != nil || got.Attributes["VisibilityTimeout"] != "180" || !strings.Contains(got.Attributes["RedrivePolicy"], "behalf-local-refresh-dead") {
		t.Errorf("the refresh queue: %v %v", got, err)
	}
	if !strings.HasPrefix(key, "arn:aws:kms:") {
		t.Errorf("the vault key is %q", key)
	}
}

func TestOpen_TableWithAnotherSchema_IsRefused(t *testing.T) {
	t.Parallel()
	_, o := bare(t, &clock{})
	cfg := aws.Config{Region: "us-east-1", Credentials: o.Credentials(""), BaseEndpoint: &o.URL}
	_, err := dynamodb.NewFromConfig(cfg).CreateTable(t.Context(), &dynamodb.CreateTableInput{TableName: aws.String("behalf-local-audit"), BillingMode: ddbtypes.BillingModePayPerRequest,
		AttributeDefinitions: []ddbtypes.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: "S"}, {AttributeName: aws.String("sk"), AttributeType: "S"}},
		KeySchema:            []ddbtypes.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: "HASH"}, {AttributeName: aws.String("sk"), KeyType: "RANGE"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := endpoint.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "behalf-local-audit") || !strings.Contains(err.Error(), "without a stream") {
		t.Errorf("the error is %v", err)
	}
}

func TestOpen_NobodyAnswers_SaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, o := bare(t, &clock{})
	srv := httptest.NewServer(nil)
	o.URL = srv.URL
	srv.Close()
	if _, err := endpoint.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "unset AWS_ENDPOINT_URL") {
		t.Errorf("the error is %v", err)
	}
}

func TestOpen_CredentialsUnknownThere_SaysHowToChooseThem(t *testing.T) {
	t.Parallel()
	_, o := bare(t, &clock{})
	o.Credentials = nil
	if _, err := endpoint.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("the error is %v", err)
	}
}

func TestConfig_LambdaInvoke_StaysInTheProcess(t *testing.T) {
	t.Parallel()
	l, o := bare(t, &clock{})
	a := open(t, o)
	a.HandleFunction("behalf-local-refresh", func(_ context.Context, in []byte) ([]byte, error) {
		switch string(in) {
		case `"fail"`:
			return nil, errors.New("no luck")
		case `"panic"`:
			panic("lost")
		}
		return append([]byte("["), append(in, ']')...), nil
	})
	c := lambda.NewFromConfig(a.Config(""))
	for _, name := range []string{"behalf-local-refresh", "arn:aws:lambda:us-east-1:000000000000:function:behalf-local-refresh"} {
		out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte("1")})
		if err != nil || string(out.Payload) != "[1]" || out.FunctionError != nil {
			t.Errorf("%s: %v %v", name, out, err)
		}
	}
	for in, want := range map[string]string{`"fail"`: "no luck", `"panic"`: "panic: lost"} {
		out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("behalf-local-refresh"), Payload: []byte(in)})
		if err != nil || aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), want) {
			t.Errorf("%s: %v %v", in, out, err)
		}
	}
	if _, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("nobody")}); err == nil || !strings.Contains(err.Error(), "ResourceNotFoundException") {
		t.Errorf("an unknown function: %v", err)
	}
	if n := l.Counter().Snapshot()["lambda:Invoke"]; n != 0 {
		t.Errorf("the endpoint saw %d invocations", n)
	}
}

func TestStart_QueueWithPartialFailure_OnlyTheFailedComesAgain(t *testing.T) {
	t.Parallel()
	c := &clock{}
	_, o := bare(t, c)
	a := open(t, o)
	var mu sync.Mutex
	seen := map[string]int{}
	a.HandleFunction("behalf-local-revoke", func(_ context.Context, in []byte) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		var e events.SQSEvent
		if err := json.Unmarshal(in, &e); err != nil {
			return nil, err
		}
		var out events.SQSEventResponse
		for _, m := range e.Records {
			seen[m.Body+m.Attributes["ApproximateReceiveCount"]]++
			if m.Body == "bad" && m.Attributes["ApproximateReceiveCount"] == "1" {
				out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
			}
		}
		return json.Marshal(out)
	})
	run(t, a)
	q, url := sqs.NewFromConfig(a.Config("")), environment(t, a, "revoke")["BEHALF_REVOKE_QUEUE_URL"]
	for _, body := range []string{"good", "bad"} {
		if _, err := q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, a)
	c.advance(121 * time.Second) // the queue's visibility timeout
	drain(t, a)
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 3 || seen["good1"] != 1 || seen["bad1"] != 1 || seen["bad2"] != 1 {
		t.Errorf("the function saw %v", seen)
	}
}

func TestStart_StreamWhoseFunctionFailsOnce_DeliversAllInOrder(t *testing.T) {
	t.Parallel()
	_, o := bare(t, &clock{})
	a := open(t, o)
	var mu sync.Mutex
	var handled []string
	failures := 0
	a.HandleFunction("behalf-local-audit", func(_ context.Context, in []byte) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		var e events.DynamoDBEvent
		if err := json.Unmarshal(in, &e); err != nil {
			return nil, err
		}
		if failures++; failures == 1 {
			return nil, errors.New("not now")
		}
		for _, r := range e.Records {
			if r.EventName != "INSERT" || r.Change.NewImage["n"].Number() == "" || r.EventSourceArn == "" {
				t.Errorf("record %+v", r)
			}
			handled = append(handled, r.Change.NewImage["sk"].String())
		}
		return []byte("{}"), nil
	})
	db := dynamodb.NewFromConfig(a.Config(""))
	put := func(pk, sk string) {
		_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("behalf-local-audit"), Item: map[string]ddbtypes.AttributeValue{
			"pk": &ddbtypes.AttributeValueMemberS{Value: pk}, "sk": &ddbtypes.AttributeValueMemberS{Value: sk}, "n": &ddbtypes.AttributeValueMemberN{Value: "1"}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	put("T#acme#0", "a")
	put("T#acme#chain", "filtered out by the mapping")
	run(t, a)
	put("T#acme#1", "b")
	drain(t, a)
	put("T#acme#2", "c")
	drain(t, a)
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(handled, []string{"a", "b", "c"}) || failures < 2 {
		t.Errorf("handled %q in %d attempts", handled, failures)
	}
}

func TestStart_MinutePasses_SweepIsInvoked(t *testing.T) {
	t.Parallel()
	c := &clock{}
	_, o := bare(t, c)
	a := open(t, o)
	sweeps := make(chan string, 10)
	a.HandleFunction("behalf-local-refresh", func(_ context.Context, in []byte) ([]byte, error) {
		sweeps <- string(in)
		return []byte("{}"), nil
	})
	run(t, a)
	drain(t, a)
	if len(sweeps) != 0 {
		t.Error("a sweep before its time")
	}
	c.advance(time.Minute)
	drain(t, a)
	if len(sweeps) != 1 || <-sweeps != `{"sweep":true}` {
		t.Errorf("%d sweeps after a minute", len(sweeps))
	}
}

func TestDrain_EndpointIsDown_EndsWithTheContext(t *testing.T) {
	t.Parallel()
	l, o := bare(t, &clock{})
	a := open(t, o)
	l.Faults().FailBefore("sqs:ReceiveMessage", -1, nil)
	run(t, a)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := a.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "queue") {
		t.Errorf("drain: %v", err)
	}
}
