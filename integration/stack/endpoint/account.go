package endpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"behalf.dev/behalf/integration/localaws"
)

// Options of Open.
type Options struct {
	// URL is the base URL, as Choose returns it.
	URL string
	// Templates are the synthesised templates by stack name.
	Templates map[string][]byte
	// Prefix precedes the short names of dynamo.Schema ("behalf-local-").
	Prefix string
	// Schedules invoke functions at intervals.
	Schedules []Schedule
	// Rules bring events to queues.
	Rules []Rule
	// Credentials are those of a role by ARN, or of the operator for "", at an endpoint that enforces IAM. nil: everybody uses
	// the SDK's default credentials, or test/test when the environment names none.
	Credentials func(roleARN string) aws.CredentialsProvider
	// Getenv reads AWS_REGION, AWS_ACCESS_KEY_ID and AWS_PROFILE; nil finds nothing.
	Getenv func(string) string
	// Now is the clock of schedules; nil means time.Now.
	Now func() time.Time
	// Log receives failed deliveries; nil discards them.
	Log *slog.Logger
}

// Schedule invokes a function every so often, first after one interval.
type Schedule struct {
	// Function is the function's name.
	Function string
	Every    time.Duration
	// Payload is the JSON event.
	Payload []byte
}

// Account is the account at the endpoint.
type Account struct {
	opt       Options
	region    string
	common    aws.CredentialsProvider
	id        string
	functions []localaws.Function
	feeder    *feeder

	mu       sync.RWMutex
	handlers map[string]localaws.Handler // by function name
}

// Open creates what is missing at the endpoint. It may run again and again; what exists keeps its data. Errors: ErrRealAWS,
// an endpoint that does not answer, a table that exists with another schema.
func Open(ctx context.Context, o Options) (*Account, error) {
	var err error
	if o.URL, err = Check(o.URL); err != nil {
		return nil, err
	}
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Account{opt: o, feeder: newFeeder(o.Log), handlers: map[string]localaws.Handler{}}
	if a.region = first(o.Getenv("AWS_REGION"), o.Getenv("AWS_DEFAULT_REGION"), "us-east-1"); o.Credentials == nil {
		if a.common, err = defaultCredentials(ctx, o.Getenv); err != nil {
			return nil, err
		}
	}
	who, err := sts.NewFromConfig(a.Config("")).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if api := (smithy.APIError)(nil); errors.As(err, &api) {
		return nil, fmt.Errorf("the AWS at %s does not tell who calls (AWS_ACCESS_KEY_ID and AWS_PROFILE choose credentials, else test/test is used): %w", o.URL, err)
	} else if err != nil {
		return nil, fmt.Errorf("no AWS answers at %s (is LocalStack running? unset AWS_ENDPOINT_URL to use the embedded AWS): %w", o.URL, err)
	}
	a.id = aws.ToString(who.Account)
	return a, a.deploy(ctx)
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// defaultCredentials asks the SDK only when the environment names credentials: its chain would otherwise go on to files
// and to the network, and a developer's real access key would be sent to the emulator.
func defaultCredentials(ctx context.Context, getenv func(string) string) (aws.CredentialsProvider, error) {
	if getenv("AWS_ACCESS_KEY_ID") == "" && getenv("AWS_PROFILE") == "" {
		return credentials.NewStaticCredentialsProvider("test", "test", ""), nil
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load AWS credentials: %w", err)
	}
	return cfg.Credentials, nil
}

// callLimit bounds one call of the endpoint, so that one that hangs cannot keep Close waiting.
const callLimit = 30 * time.Second

// Config is the SDK configuration of a function, by the ARN of its role, or of the operator for "". Service-specific
// endpoint variables have no effect on it: all calls go to the one endpoint, and Lambda Invoke to HandleFunction.
func (a *Account) Config(roleARN string) aws.Config {
	creds := a.common
	if a.opt.Credentials != nil {
		creds = a.opt.Credentials(roleARN)
	}
	return aws.Config{Region: a.region, Credentials: creds, BaseEndpoint: aws.String(a.opt.URL), HTTPClient: router{a.handler, awshttp.NewBuildableClient().WithTimeout(callLimit)}}
}

// Functions are the functions of the templates, with the endpoint's ARNs and URLs in their environments.
func (a *Account) Functions() []localaws.Function { return a.functions }

// HandleFunction sets the code of a function: the target of Lambda Invoke, queues, streams and schedules. Its context ends
// with the timeout of the template, and not with the caller's, as in Lambda: a refresh is not cut off half-way.
func (a *Account) HandleFunction(nameOrARN string, h localaws.Handler) {
	name := functionName(nameOrARN)
	limit := 3 * time.Second // Lambda's default
	for _, f := range a.functions {
		if f.Name == name && f.Timeout > 0 {
			limit = f.Timeout
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handlers[name] = func(ctx context.Context, payload []byte) (out []byte, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		defer func() {
			if p := recover(); p != nil { // a panic is a failed invocation, as in Lambda
				err = fmt.Errorf("panic: %v", p)
			}
		}()
		return h(ctx, payload)
	}
}

func functionName(nameOrARN string) string {
	return nameOrARN[strings.LastIndexByte(nameOrARN, ':')+1:]
}

// handler is nil for a function that nobody handles.
func (a *Account) handler(nameOrARN string) localaws.Handler {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.handlers[functionName(nameOrARN)]
}

// invoke runs a function for an event source.
func (a *Account) invoke(ctx context.Context, name string, payload []byte) ([]byte, error) {
	h := a.handler(name)
	if h == nil {
		return nil, errors.New("no code for function " + name)
	}
	return h(ctx, payload)
}

// Start feeds the functions in the background until ctx ends. It returns at once.
func (a *Account) Start(ctx context.Context) { a.feeder.start(ctx) }

// Drain returns once no queue, stream or schedule has anything to deliver, or with the error of ctx. Messages that wait for
// a visibility timeout or a delay do not count. Call it after Start.
func (a *Account) Drain(ctx context.Context) error { return a.feeder.drain(ctx) }

// Close waits for deliveries under way. End the context of Start first. What was created stays at the endpoint.
func (a *Account) Close() error {
	a.feeder.running.Wait()
	return nil
}

// exchange replaces the values of an environment that name something of the throw-away account.
func exchange(vars, swap map[string]string) map[string]string {
	out := maps.Clone(vars)
	for k, v := range out {
		if to, ok := swap[v]; ok {
			out[k] = to
		}
	}
	return out
}
