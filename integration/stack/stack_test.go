package stack_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/integration/stack"
	"behalf.dev/behalf/integration/stack/journey"
	"behalf.dev/behalf/integration/stack/template"
)

// clock runs like the system's, plus what was added.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// serve puts an embedded account behind a socket; with templates it has the roles, and enforces them.
func serve(t *testing.T, c *clock, templates bool) (*localaws.AWS, string) {
	t.Helper()
	a, err := localaws.New(localaws.Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	if templates {
		stacks, err := template.Stacks()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.LoadTemplates(stacks); err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return a, srv.URL
}

// credentialsOf gives each function the credentials of its own role.
func credentialsOf(a *localaws.AWS) func(string) aws.CredentialsProvider {
	return func(role string) aws.CredentialsProvider {
		if role == "" {
			key, sec := a.OperatorCredentials()
			return credentials.NewStaticCredentialsProvider(key, sec, "")
		}
		key, sec, token := a.RoleCredentials(role)
		return credentials.NewStaticCredentialsProvider(key, sec, token)
	}
}

func start(t *testing.T, o stack.Options) *stack.Stack {
	t.Helper()
	s, err := stack.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestStart_Embedded_JourneySucceeds(t *testing.T) {
	t.Parallel()
	journey.Run(t, start(t, stack.Options{}))
}

func TestStart_EndpointThatEnforcesIAM_JourneySucceeds(t *testing.T) {
	t.Parallel()
	a, url := serve(t, &clock{}, true)
	s := start(t, stack.Options{Endpoint: url, Credentials: credentialsOf(a)})
	if s.Account() != nil {
		t.Error("there is an embedded account as well")
	}
	journey.Run(t, s)
	calls := a.Counter().Snapshot()
	for _, op := range []string{"dynamodb:TransactWriteItems", "dynamodb:GetRecords", "kms:Sign", "kms:Decrypt", "sts:AssumeRole", "sqs:ReceiveMessage", "events:PutEvents"} {
		if calls[op] == 0 {
			t.Errorf("the endpoint saw no %s: %v", op, calls)
		}
	}
}

func TestStart_BareEndpointWithoutIAM_MakesEverythingAndJourneySucceeds(t *testing.T) {
	t.Parallel()
	a, _ := serve(t, &clock{}, false)
	srv := httptest.NewServer(a.Permissive())
	t.Cleanup(srv.Close)
	journey.Run(t, start(t, stack.Options{Endpoint: srv.URL}))
}

func TestStart_EndpointAndTimePasses_SweepRefreshesThroughTheQueue(t *testing.T) {
	t.Parallel()
	c := &clock{}
	c.ahead.Store(int64(-24 * time.Hour)) // behind, so that contexts, which go by the system's clock, do not look expired after the jump
	a, url := serve(t, c, true)
	w := journey.Begin(t, start(t, stack.Options{Endpoint: url, Credentials: credentialsOf(a), Now: c.now, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}))
	w.Connect()
	before := w.Counters().Refreshes
	c.ahead.Add(int64(8 * time.Hour)) // the life of the provider's access token
	w.Drain()
	if n := w.Counters().Refreshes; n != before+1 {
		t.Fatalf("the provider saw %d refreshes, %d before", n, before)
	}
	w.Session()
	w.Execute(http.StatusOK)
	if n := w.Counters().Refreshes; n != before+1 {
		t.Errorf("the call refreshed again: the provider saw %d refreshes", n)
	}
}

func TestStart_DirOfAnotherAccount_MakesANewAPIKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, url := serve(t, &clock{}, true)
	o := stack.Options{Endpoint: url, Credentials: credentialsOf(a), Dir: dir}
	first := start(t, o)
	kept := start(t, o)
	if first.APIKey() != kept.APIKey() {
		t.Error("the key did not stay")
	}
	a, o.Endpoint = serve(t, &clock{}, true)
	o.Credentials = credentialsOf(a)
	s := start(t, o)
	if s.APIKey() == kept.APIKey() {
		t.Error("an account that forgot the key got no new one")
	}
	journey.Begin(t, s)
}

func TestStart_RealAWS_IsRefused(t *testing.T) {
	t.Parallel()
	_, err := stack.Start(t.Context(), stack.Options{Endpoint: "https://dynamodb.us-east-1.amazonaws.com"})
	if err == nil || !strings.Contains(err.Error(), "unset it") {
		t.Errorf("the error is %v", err)
	}
}
