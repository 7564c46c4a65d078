package dynamo_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/shared/dynamo"
)

// clock is the time of the tests; nothing here depends on the real one.
func clock() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// connect returns a client of an endpoint, with fixed credentials, that repeats failed requests without pausing.
func connect(key, secret, endpoint string, h *http.Client) *dynamodb.Client {
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, nil
	})
	atOnce := retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
	return dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: &endpoint, HTTPClient: h, Credentials: creds, Retryer: atOnce})
}

// tables creates fresh tables, named after the test where an endpoint is shared.
func tables(t *testing.T, client *dynamodb.Client) *dynamo.DB {
	t.Helper()
	prefix := strings.NewReplacer("/", "_", "#", "_").Replace(t.Name()) + "."
	names := dynamo.Names{Vault: prefix + "vault", Directory: prefix + "directory", Flow: prefix + "flow", Audit: prefix + "audit"}
	if err := dynamo.CreateTables(t.Context(), client, names); err != nil {
		t.Fatal(err)
	}
	return dynamo.New(client, names, clock)
}

// embedded opens a store in an AWS account of its own, inside this process.
func embedded(t *testing.T) (*dynamo.DB, *localaws.AWS) {
	t.Helper()
	a, err := localaws.New(localaws.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	key, secret := a.OperatorCredentials()
	return tables(t, connect(key, secret, "http://localaws.internal", a.HTTPClient())), a
}
