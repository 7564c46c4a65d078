package refresh_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"behalf.dev/behalf/functions/refresh"
	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/tenant"
)

// rows is how many connections are due.
const rows = 100_000

// vaultTable makes the vault table as the CDK app does, in the embedded AWS.
func vaultTable(b *testing.B) *dynamo.DB {
	b.Helper()
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		b.Fatal(err)
	}
	key, secret := a.OperatorCredentials()
	client := dynamodb.NewFromConfig(aws.Config{Region: "us-east-1", HTTPClient: a.HTTPClient(), BaseEndpoint: aws.String("http://localaws.internal"),
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, "")})
	names := dynamo.Names{Vault: "vault", Directory: "directory", Flow: "flow", Audit: "audit"}
	if err := dynamo.CreateTables(b.Context(), client, names); err != nil {
		b.Fatal(err)
	}
	return dynamo.New(client, names, time.Now)
}

// BenchmarkSweep sweeps a hundred thousand due connections of a thousand tenants.
func BenchmarkSweep(b *testing.B) {
	db := vaultTable(b)
	now := time.Now()
	for i := range rows {
		ref := connection.Ref{Scope: tenant.Scope{Tenant: tenant.ID(fmt.Sprintf("tenant-%03d", i%1000)), Principal: tenant.Principal(fmt.Sprintf("user-%d", i))}, Connector: "github",
			ID: connection.ID(fmt.Sprintf("conn_%026d", i))}
		err := db.CreateConnection(b.Context(), connection.Connection{Ref: ref, Status: connection.Active, Refresh: connection.RefreshState{Generation: 1, DueAt: now.Add(-time.Duration(i%3600) * time.Second)}})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	var found refresh.Swept
	var q *counter
	for b.Loop() {
		q = &counter{}
		var err error
		if found, err = refresh.Sweep(b.Context(), db, q, time.Time{}, now); err != nil || found.Due != rows || q.connections != rows {
			b.Fatalf("%+v, %d queued, %v", found, q.connections, err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(q.messages), "messages/sweep")
	b.ReportMetric(float64(q.requests), "requests/sweep")
}
