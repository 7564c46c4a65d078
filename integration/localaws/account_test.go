package localaws_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/integration/localaws"
)

type dynamoValue = types.AttributeValue

// must3 groups the three parts of credentials.
func must3(key, secret, token string) [3]string { return [3]string{key, secret, token} }

func get(t *testing.T, c *dynamodb.Client, pk string) map[string]dynamoValue {
	t.Helper()
	out, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("vault"), Key: map[string]dynamoValue{"pk": text(pk)}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

func TestNew_WithDir_RestoresState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, d := deploy(t, localaws.Options{Dir: dir})
	c := dynamodb.NewFromConfig(operator(a))
	put(t, c, "kept")
	put(t, c, "deleted")
	if _, err := c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("vault"), Key: map[string]dynamoValue{"pk": text("deleted")}}); err != nil {
		t.Fatal(err)
	}
	key := d.Outputs["data.KeyArn"]
	sealed, err := kms.NewFromConfig(operator(a)).Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: []byte("secret")})
	if err != nil {
		t.Fatal(err)
	}
	url := d.Outputs["data.WorkUrl"]
	if _, err := sqs.NewFromConfig(operator(a)).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("waiting")}); err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // the second time from the compacted journal; the first account is never closed, like a killed process
		b, e := deploy(t, localaws.Options{Dir: dir})
		cb := dynamodb.NewFromConfig(operator(b))
		if get(t, cb, "kept") == nil || get(t, cb, "deleted") != nil {
			t.Error("items were not restored")
		}
		if e.Outputs["data.KeyArn"] != key || e.Outputs["data.VaultStream"] != d.Outputs["data.VaultStream"] {
			t.Errorf("key or stream changed: %v", e.Outputs)
		}
		got, err := kms.NewFromConfig(operator(b)).Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
		if err != nil || !bytes.Equal(got.Plaintext, []byte("secret")) {
			t.Errorf("decrypt after restart: %v", err)
		}
		m, err := sqs.NewFromConfig(operator(b)).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url})
		if want := 1 - i; err != nil || len(m.Messages) != want { // received once, it stays hidden across the restart
			t.Errorf("restart %d: received %+v, %v, want %d messages", i, m, err, want)
		}
	}
}

func TestStream_AfterRestart_DeliversWhatWasNotYetDelivered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, _ := deploy(t, localaws.Options{Dir: dir})
	put(t, dynamodb.NewFromConfig(operator(a)), "undelivered")
	b, _ := deploy(t, localaws.Options{Dir: dir})
	got := make(chan string, 10)
	b.HandleFunction("sealer", func(_ context.Context, p []byte) ([]byte, error) { got <- string(p); return nil, nil })
	run(t, b)
	drain(t, b)
	if len(got) != 1 || !strings.Contains(<-got, "undelivered") {
		t.Errorf("%d batches after the restart, want the undelivered one", len(got))
	}
}

func TestCredentials_UnknownWrongOrExpired_AreRefused(t *testing.T) {
	t.Parallel()
	clk := newClock()
	a, err := localaws.New(localaws.Options{Now: clk.now})
	if err != nil {
		t.Fatal(err)
	}
	role, err := a.SetRole("r", `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}}`, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sts.NewFromConfig(operator(a)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("session"), DurationSeconds: aws.Int32(900)})
	if err != nil {
		t.Fatal(err)
	}
	list := func(c [3]string) string {
		_, err := dynamodb.NewFromConfig(config(a, c)).ListTables(t.Context(), &dynamodb.ListTablesInput{})
		return errorCode(err)
	}
	good := [3]string{*s.Credentials.AccessKeyId, "x", *s.Credentials.SessionToken}
	if got := list(good); got != "" {
		t.Errorf("fresh session: %s", got)
	}
	if got := list([3]string{good[0], "x", "other"}); got != "UnrecognizedClientException" {
		t.Errorf("wrong token: %q", got)
	}
	if got := list([3]string{"AKIAUNKNOWN", "x", ""}); got != "UnrecognizedClientException" {
		t.Errorf("unknown key: %q", got)
	}
	chained := sts.NewFromConfig(config(a, good))
	if _, err := chained.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("session"), DurationSeconds: aws.Int32(7200)}); errorCode(err) != "ValidationError" {
		t.Errorf("two hours by chaining: %v", err)
	}
	clk.advance(15 * time.Minute)
	if got := list(good); got != "ExpiredTokenException" {
		t.Errorf("expired session: %q", got)
	}
}

func TestFaults_EachKind_Strikes(t *testing.T) {
	t.Parallel()
	a, _ := deploy(t, localaws.Options{})
	cfg := operator(a)
	cfg.RetryMaxAttempts = 1
	c := dynamodb.NewFromConfig(cfg)
	write := func(pk string) string {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("vault"), Item: map[string]dynamoValue{"pk": text(pk)}})
		return errorCode(err)
	}
	onlyB := func(body []byte) bool { return bytes.Contains(body, []byte(`"b"`)) }
	a.Faults().Throttle("dynamodb:PutItem", 1, onlyB)
	if got := write("a"); got != "" {
		t.Errorf("unmatched call: %s", got)
	}
	if got := write("b"); got != "ProvisionedThroughputExceededException" {
		t.Errorf("throttle: %q", got)
	}
	if got := write("b"); got != "" {
		t.Errorf("after the throttle: %q", got)
	}
	a.Faults().FailBefore("dynamodb:PutItem", 1, nil)
	if got := write("c"); got != "InternalServerError" || get(t, c, "c") != nil {
		t.Errorf("fail before: %q, item %v", got, get(t, c, "c"))
	}
	lost := a.Faults().FailAfter("dynamodb:PutItem", 1, nil)
	if got := write("d"); got != "InternalServerError" || get(t, c, "d") == nil || lost.Hits() != 1 {
		t.Errorf("fail after: %q, hits %d", got, lost.Hits())
	}
	hooked := false
	a.Faults().Hook("*", 1, nil, func() { hooked = true })
	if write("e"); !hooked {
		t.Error("hook did not run")
	}
}

func TestCounter_CallsOfOneKey_AreCounted(t *testing.T) {
	t.Parallel()
	a, _ := deploy(t, localaws.Options{})
	c := dynamodb.NewFromConfig(operator(a))
	put(t, c, "a")
	get(t, c, "a")
	get(t, c, "a")
	key, _ := a.OperatorCredentials()
	if n := a.Counter().ByAccessKey(key); n["dynamodb:GetItem"] != 2 || a.Counter().Snapshot()["dynamodb:PutItem"] != 1 {
		t.Errorf("counted %v", n)
	}
}

func TestLambdaInvoke_ErrorAndEvent_AnswerLikeLambda(t *testing.T) {
	t.Parallel()
	a, _ := deploy(t, localaws.Options{})
	done := make(chan string, 1)
	a.HandleFunction("sealer", func(_ context.Context, p []byte) ([]byte, error) {
		if string(p) == `"fail"` {
			return nil, errors.New("broken")
		}
		if string(p) == `"event"` {
			done <- string(p)
		}
		return []byte(`{"ok":true}`), nil
	})
	c := lambda.NewFromConfig(operator(a))
	out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("sealer"), Payload: []byte(`"go"`)})
	if err != nil || string(out.Payload) != `{"ok":true}` || out.FunctionError != nil {
		t.Errorf("invoke: %+v, %v", out, err)
	}
	out, err = c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("sealer"), Payload: []byte(`"fail"`)})
	if err != nil || aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), `"errorMessage":"broken"`) {
		t.Errorf("failing function: %+v, %v", out, err)
	}
	out, err = c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("sealer"), Payload: []byte(`"event"`), InvocationType: lambdatypes.InvocationTypeEvent})
	if err != nil || out.StatusCode != http.StatusAccepted || <-done != `"event"` {
		t.Errorf("event invocation: %+v, %v", out, err)
	}
	if _, err = c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("nobody")}); errorCode(err) != "ResourceNotFoundException" {
		t.Errorf("unknown function: %v", err)
	}
}

func TestTTL_ExpiredItem_IsSweptByTheClock(t *testing.T) {
	t.Parallel()
	clk := newClock()
	a, _ := deploy(t, localaws.Options{Now: clk.now})
	c := dynamodb.NewFromConfig(operator(a))
	_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("vault"), Item: map[string]dynamoValue{"pk": text("x"), "expires": &types.AttributeValueMemberN{Value: "1767323105"}}})
	if err != nil {
		t.Fatal(err)
	}
	clk.t = time.Unix(1767323105, 0)
	if a.SweepTTL() != 0 || get(t, c, "x") == nil {
		t.Error("item was deleted before its time")
	}
	clk.advance(time.Second)
	if a.SweepTTL() != 1 || get(t, c, "x") != nil {
		t.Error("expired item is still there")
	}
}

func TestUnknownOperation_Is501(t *testing.T) {
	t.Parallel()
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := operator(a)
	cfg.RetryMaxAttempts = 1
	if _, err := dynamodb.NewFromConfig(cfg).DescribeLimits(t.Context(), &dynamodb.DescribeLimitsInput{}); errorCode(err) != "UnknownOperationException" {
		t.Errorf("DescribeLimits: %v", err)
	}
}

func TestScheduler_CreateGetDelete_RoundTrips(t *testing.T) {
	t.Parallel()
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := scheduler.NewFromConfig(operator(a))
	name := aws.String("once")
	_, err = c.CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{Name: name, ScheduleExpression: aws.String("at(2030-01-01T00:00:00)"), FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{Mode: "OFF"},
		Target: &schedulertypes.Target{Arn: aws.String("arn:aws:lambda:us-east-1:000000000000:function:f"), RoleArn: aws.String("arn:aws:iam::000000000000:role/r")}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: name})
	if err != nil || *got.ScheduleExpression != "at(2030-01-01T00:00:00)" {
		t.Errorf("get: %+v, %v", got, err)
	}
	if _, err := c.DeleteSchedule(t.Context(), &scheduler.DeleteScheduleInput{Name: name}); err != nil {
		t.Error(err)
	}
	if _, err := c.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: name}); errorCode(err) != "ResourceNotFoundException" {
		t.Errorf("get after delete: %v", err)
	}
}
