package refresh_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
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

// counter is a queue that counts.
type counter struct {
	mu              sync.Mutex
	messages, bytes int
}

// Send implements refresh.Sender.
func (c *counter) Send(_ context.Context, message any, _ time.Duration) error {
	b, err := json.Marshal(message)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages++
	c.bytes += len(b)
	return err
}

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

// BenchmarkSweep sweeps a hundred thousand due connections of a thousand tenants. What one sweep leaves stays due, and is
// met by the next: sweeps/op says how many it takes.
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
	var found, messages int
	for b.Loop() {
		q := &counter{}
		n, err := refresh.Sweep(b.Context(), db, q, now)
		if err != nil {
			b.Fatal(err)
		}
		found, messages = n, q.messages
	}
	b.StopTimer()
	b.ReportMetric(float64(found), "rows/sweep")
	b.ReportMetric(float64(messages), "messages/sweep")
	b.ReportMetric(float64(rows)/float64(max(1, found)), "sweeps")
}

// endless is an index in which everything is due, however much was asked for.
type endless struct{ refs []connection.Ref }

// Due implements refresh.Due.
func (e endless) Due(_ context.Context, _ int, _ time.Time, limit int) ([]connection.Ref, error) {
	return e.refs[:min(limit, len(e.refs))], nil
}

// TestSweep_MoreDueThanItTakes_MemoryIsBounded: a sweep holds a bounded number of keys, however many connections are due.
func TestSweep_MoreDueThanItTakes_MemoryIsBounded(t *testing.T) {
	t.Parallel()
	refs := make([]connection.Ref, rows)
	for i := range refs {
		refs[i] = connection.Ref{Scope: tenant.Scope{Tenant: tenant.ID(fmt.Sprintf("tenant-%d", i%7)), Principal: "user"}, Connector: "github", ID: connection.ID(fmt.Sprintf("conn_%026d", i))}
	}
	q := &counter{}
	n, err := refresh.Sweep(t.Context(), endless{refs}, q, time.Now())
	shards := dynamo.DueShards()
	if err != nil || n != 5000*shards || q.messages != 7*shards*29 { // 714 or 715 of each tenant, 25 in a message
		t.Errorf("%d rows in %d messages, %v", n, q.messages, err)
	}
}

type broken struct{ endless }

// Due implements refresh.Due.
func (b broken) Due(ctx context.Context, shard int, now time.Time, limit int) ([]connection.Ref, error) {
	if shard == 3 {
		return nil, fmt.Errorf("no answer")
	}
	return b.endless.Due(ctx, shard, now, limit)
}

func TestSweep_OneShardFails_TheOthersAreSwept(t *testing.T) {
	t.Parallel()
	q := &counter{}
	n, err := refresh.Sweep(t.Context(), broken{endless{[]connection.Ref{{Scope: tenant.Scope{Tenant: "acme"}}}}}, q, time.Now())
	if err == nil || n != dynamo.DueShards()-1 || q.messages != n {
		t.Errorf("%d rows, %d messages, %v", n, q.messages, err)
	}
}
