package e2e

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"behalf.dev/behalf/integration/emulator"
	"behalf.dev/behalf/integration/stack"
)

// ClientSecret is the secret of every OAuth client that a Fixture registers.
const ClientSecret = "cs_7Qm2VtZr9KxLw4HsYbNd"

// ReturnURL is where connect links of a Fixture send the browser.
const ReturnURL = "https://app.example/connected"

// slow is how far behind the system's clock a Clock starts. Behind, not ahead: deadlines of contexts go by the system's
// clock, and whoever compares them with a clock that is ahead finds no time left.
const slow = 90 * 24 * time.Hour

// Clock runs like the system's, 90 days behind it less what Advance added. It is safe for concurrent use.
type Clock struct{ ahead atomic.Int64 }

// Now is the clock's time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load()) - slow) }

// Advance makes the clock jump. All jumps together must stay below 90 days.
func (c *Clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// Options of a Fixture. The zero value is a stack in memory that logs nothing.
type Options struct {
	// Dir keeps the stack's state.
	Dir string
	// Log receives what the functions log.
	Log *slog.Logger
	// Metrics receives the metric lines of all functions.
	Metrics io.Writer
	// Bare leaves out clients and tenants: they are there already, in Dir.
	Bare bool
	// Clock is shared between stacks over one Dir; nil makes one.
	Clock *Clock
	// Port is the port of the stack; 0 picks one.
	Port int
	// Connectors is a directory with connector folders of the test's own, and Getenv finds where their hosts are.
	Connectors string
	Getenv     func(string) string
}

// Fixture is a running stack and the means to use it.
type Fixture struct {
	*stack.Stack
	// Clock is what the whole stack goes by.
	Clock *Clock

	http  *http.Client
	close sync.Once

	mu       sync.Mutex
	exchange []Exchange
}

// New starts a stack with the clients and tenants of the package comment; the test's end stops it.
func New(t testing.TB) *Fixture { return Start(t, Options{}) }

// Start is New with options.
func Start(t testing.TB, o Options) *Fixture {
	t.Helper()
	if o.Clock == nil {
		o.Clock = &Clock{}
	}
	s, err := stack.Start(context.Background(), stack.Options{Now: o.Clock.Now, Log: o.Log, Metrics: o.Metrics, Dir: o.Dir, Port: o.Port, Connectors: o.Connectors, Getenv: o.Getenv})
	if err != nil {
		t.Fatalf("start the stack: %v", err)
	}
	f := &Fixture{Stack: s, Clock: o.Clock}
	f.http = &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() { f.Stop(t) })
	if o.Bare {
		return f
	}
	for _, c := range []string{"github", "slack", "salesforce"} {
		f.Back(t, "PUT", "/v1/connectors/"+c+"/client", Object{"client_id": "client-" + c, "client_secret": ClientSecret}).Want(t, 200)
	}
	for _, name := range []string{"acme", "globex"} {
		f.Back(t, "PUT", "/v1/tenants/"+name, Object{"name": name}).Want(t, 201)
	}
	return f
}

// Stop ends the stack before the test's end. Stopping twice changes nothing.
func (f *Fixture) Stop(t testing.TB) {
	t.Helper()
	f.close.Do(func() {
		f.http.CloseIdleConnections()
		if err := f.Close(); err != nil {
			t.Errorf("stop the stack: %v", err)
		}
	})
}

// Settle waits until no queue and no stream of the account has anything under way.
func (f *Fixture) Settle(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := f.Drain(ctx); err != nil {
		t.Fatalf("the account does not come to rest: %v", err)
	}
}

// Counters are the totals of one provider's emulator.
func (f *Fixture) Counters(t testing.TB, provider string) emulator.CounterReport {
	t.Helper()
	c, err := f.Emulator.Counters(provider)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Calls are what a provider received, of one kind.
func (f *Fixture) Calls(t testing.TB, provider string, kind emulator.Kind) []emulator.Call {
	t.Helper()
	r, err := f.Emulator.Calls(provider, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []emulator.Call
	for _, c := range r.Calls {
		if c.Kind == kind {
			out = append(out, c)
		}
	}
	return out
}

// Fail orders faults at a provider, in place of those that still waited.
func (f *Fixture) Fail(t testing.TB, provider string, faults ...emulator.Fault) {
	t.Helper()
	if faults == nil {
		faults = []emulator.Fault{}
	}
	if _, err := f.Emulator.ChangeSettings(provider, emulator.SettingsChange{FailNext: &faults}); err != nil {
		t.Fatal(err)
	}
}

// Messages counts what a queue holds that could be received now.
func (f *Fixture) Messages(t testing.TB, queue string) int {
	t.Helper()
	client := sqs.NewFromConfig(f.Operator())
	at, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("behalf-local-" + queue)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: at.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(got.Attributes[string(types.QueueAttributeNameApproximateNumberOfMessages)])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Role is the AWS configuration of a function's own role.
func (f *Fixture) Role(function string) aws.Config {
	key, sec, token := f.Account().RoleCredentials("arn:aws:iam::000000000000:role/behalf-local-" + function)
	return f.AWS(credentials.NewStaticCredentialsProvider(key, sec, token))
}

// Operator is the AWS configuration of the account's owner.
func (f *Fixture) Operator() aws.Config {
	key, sec := f.Account().OperatorCredentials()
	return f.AWS(credentials.NewStaticCredentialsProvider(key, sec, ""))
}

// AWS is a configuration for the embedded account.
func (f *Fixture) AWS(creds aws.CredentialsProvider) aws.Config {
	return aws.Config{Region: "us-east-1", Credentials: creds, HTTPClient: f.Account().HTTPClient(), BaseEndpoint: aws.String("http://localaws.internal"), RetryMaxAttempts: 1}
}
