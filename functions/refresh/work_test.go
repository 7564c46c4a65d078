package refresh_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/functions/refresh"
	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/integration/stack/template"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/ident"
)

// deployed is the function as the templates deploy it, in the embedded AWS.
func deployed(t *testing.T) (*refresh.Function, *localaws.AWS) {
	t.Helper()
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stacks, err := template.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	made, err := a.LoadTemplates(stacks)
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range made.Functions {
		if !strings.HasSuffix(fn.Name, "-refresh") {
			continue
		}
		key, sec, token := a.RoleCredentials(fn.RoleARN)
		fn.Environment[env.PublicURL] = "https://behalf.example"
		f, err := refresh.New(awslambda.Deps{Lookup: env.FromMap(fn.Environment), Log: slog.New(slog.DiscardHandler), Now: time.Now, IDs: ident.NewSource(nil, nil),
			AWS: aws.Config{Region: "us-east-1", RetryMaxAttempts: 1, HTTPClient: a.HTTPClient(), BaseEndpoint: aws.String("http://localaws.internal"), Credentials: credentials.NewStaticCredentialsProvider(key, sec, token)}})
		if err != nil {
			t.Fatal(err)
		}
		return f, a
	}
	t.Fatal("the templates deploy no refresh function")
	return nil, nil
}

func refOf(principal string) contract.Ref {
	return contract.Ref{Tenant: "acme", Principal: principal, Connector: "github", Connection: "conn_01j9zzzzzzzzzzzzzzzzzzzzzz"}
}

func message(t *testing.T, id string, w any) events.SQSMessage {
	t.Helper()
	b, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	return events.SQSMessage{MessageId: id, Body: string(b)}
}

// A message that fails comes again; those beside it in the batch do not, and its own other connections were seen to.
func TestHandle_SomeMessagesFail_OnlyThoseAreReported(t *testing.T) {
	t.Parallel()
	f, a := deployed(t)
	about := func(principal string) func([]byte) bool {
		return func(body []byte) bool { return bytes.Contains(body, []byte(principal)) }
	}
	a.Faults().FailBefore("dynamodb:GetItem", -1, about("unreadable"))
	beside := a.Faults().Delay("dynamodb:GetItem", -1, about("beside"), 0)
	bad := refOf("user_bad")
	bad.Connection = "../etc"
	batch := events.SQSEvent{Records: []events.SQSMessage{
		message(t, "gone", contract.RefreshWork{Connections: []contract.Ref{refOf("gone_1"), refOf("gone_2")}}), // nothing to do for what is not there
		{MessageId: "not-json", Body: "{"},
		message(t, "unreadable", contract.RefreshWork{Connections: []contract.Ref{refOf("unreadable"), refOf("beside_1"), refOf("beside_2")}}),
		message(t, "empty", contract.RefreshWork{}),
		message(t, "bad-ref", contract.RefreshWork{Connections: []contract.Ref{bad, refOf("beside_3")}}),
	}}
	payload, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Handle(t.Context(), payload)
	if err != nil {
		t.Fatal(err) // would bring all five again
	}
	var failed []string
	answer, ok := out.(events.SQSEventResponse)
	for _, x := range answer.BatchItemFailures {
		failed = append(failed, x.ItemIdentifier)
	}
	if want := []string{"not-json", "unreadable", "bad-ref"}; !ok || !slices.Equal(failed, want) {
		t.Errorf("reported %v, want %v", failed, want)
	}
	if n := beside.Hits(); n != 3 {
		t.Errorf("%d of the 3 connections beside those that fail were seen to", n)
	}
}

func TestHandle_NoMessageFails_NothingIsReported(t *testing.T) {
	t.Parallel()
	f, _ := deployed(t)
	payload, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{message(t, "gone", contract.RefreshWork{Connections: []contract.Ref{refOf("gone")}})}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Handle(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(out); err != nil || string(b) != `{"batchItemFailures":null}` {
		t.Errorf("%s %v", b, err)
	}
}
