package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/integration/stack/endpoint"
	"behalf.dev/behalf/integration/stack/template"
)

// account is the AWS account that the functions live in: the embedded one, or the one at Options.Endpoint. It is larger than
// interfaces are elsewhere because it is the whole of what the two have to have in common.
type account interface {
	// Config is the SDK configuration of a function, by the ARN of its role, or of the account's owner for "".
	Config(roleARN string) aws.Config
	// HandleFunction sets the code of a function: what Lambda Invoke, queues, streams and schedules run.
	HandleFunction(nameOrARN string, h localaws.Handler)
	// Start feeds the functions until ctx ends.
	Start(ctx context.Context)
	// Drain waits until nothing is left to deliver.
	Drain(ctx context.Context) error
	// Close waits for what is under way.
	Close() error
}

// embedded is the account in this process.
type embedded struct{ *localaws.AWS }

// Config implements account.
func (e embedded) Config(roleARN string) aws.Config {
	key, sec, token := "", "", ""
	if roleARN == "" {
		key, sec = e.OperatorCredentials()
	} else {
		key, sec, token = e.RoleCredentials(roleARN)
	}
	return aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider(key, sec, token), HTTPClient: e.HTTPClient(), BaseEndpoint: aws.String("http://localaws.internal")}
}

// openAccount makes the account and the list of functions to install in it.
func (s *Stack) openAccount(ctx context.Context) error {
	stacks, err := template.Stacks()
	if err != nil {
		return err
	}
	if s.opt.Endpoint != "" {
		return s.openEndpoint(ctx, stacks)
	}
	dir := s.dir("aws")
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the data directory: %w", err)
		}
	}
	a, err := localaws.New(localaws.Options{Now: s.opt.Now, Region: region, Dir: dir, Logger: s.opt.Log})
	if err != nil {
		return err
	}
	s.account, s.local = embedded{a}, a
	made, err := a.LoadTemplates(stacks)
	if err != nil {
		return fmt.Errorf("deploy the templates: %w", err)
	}
	s.deployed = made.Functions
	return nil
}

// openEndpoint creates what is missing at the endpoint. The sweep's schedule and the webhooks' rule are those of the template.
func (s *Stack) openEndpoint(ctx context.Context, stacks map[string][]byte) error {
	payload, err := json.Marshal(events.RefreshCall{Sweep: true})
	if err != nil {
		return err
	}
	a, err := endpoint.Open(ctx, endpoint.Options{URL: s.opt.Endpoint, Templates: stacks, Prefix: prefix, Credentials: s.opt.Credentials, Getenv: s.opt.Getenv, Now: s.opt.Now, Log: s.opt.Log,
		Schedules: []endpoint.Schedule{{Function: prefix + "refresh", Every: time.Minute, Payload: payload}},
		Rules:     []endpoint.Rule{{Name: prefix + "webhooks", Bus: strings.TrimSuffix(prefix, "-"), Source: events.Source, Queue: prefix + "webhooks"}}})
	if err != nil {
		return err
	}
	s.account, s.deployed = a, a.Functions()
	return nil
}

// operatorConfig is that of the person who owns the account.
func (s *Stack) operatorConfig() aws.Config { return s.account.Config("") }

// config is the way to the account with other credentials.
func (s *Stack) config(creds aws.CredentialsProvider) aws.Config {
	cfg := s.operatorConfig()
	cfg.Credentials = creds
	return cfg
}
