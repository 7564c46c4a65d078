package scale_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/scale"
)

// batch is how many connections are refreshed by one message.
const batch = 24

// lines counts what is logged.
type lines struct {
	mu sync.Mutex
	n  int
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n += len(b)
	return len(b), nil
}

func (l *lines) take() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.n
	l.n = 0
	return n
}

// count connects a batch of accounts, lets them fall due after life, sweeps, and counts.
func count(t *testing.T, provider string, life time.Duration) (scale.Refresh, scale.Message) {
	t.Helper()
	log := &lines{}
	f := e2e.Start(t, e2e.Options{Metrics: log})
	people := []string{"alice", "bob", "carol", "dave"}
	for i := range batch {
		f.Connect(t, "acme", fmt.Sprintf("user_%02d", i), provider, people[i%len(people)], nil)
	}
	f.Settle(t)
	f.Account().Counter().Reset()
	log.take()
	f.Clock.Advance(life - time.Minute)
	f.Account().FireSchedules()
	f.Settle(t)
	if got := f.Counters(t, provider).Refreshes; got != batch {
		t.Fatalf("%d of %d are refreshed", got, batch)
	}
	// What is done for the tenant is done as its role; the sweep and the bus are the function's own.
	calls, own := f.Account().Counter().ByRole("behalf-local-tenant-refresh"), f.Account().Counter().ByRole("behalf-local-refresh")
	r := scale.Refresh{Reads: calls["dynamodb:GetItem"] / batch, ConnectionWrites: calls["dynamodb:PutItem"]/batch - 2, Events: own["events:PutEvents"] / batch, Moves: 1}
	if provider == "salesforce" { // the lifetime that was asked for moves it once more
		r.Moves = 2
	}
	r.ConnectionBytes, r.SlotBytes, r.AuditBytes = sizes(t, f)
	// Key reads are as many as keys at most: sometimes one is met in the cache already. Lines differ by digits.
	return r, scale.Message{KeyReads: calls["kms:Decrypt"], Decrypts: calls["kms:Decrypt"], Sessions: own["sts:AssumeRole"], LogBytes: (log.take() + 199) / 200 * 200}
}

// sizes are the largest connection, slot and audit record there are.
func sizes(t *testing.T, f *e2e.Fixture) (conn, slot, record int) {
	t.Helper()
	db := dynamodb.NewFromConfig(f.Operator())
	for _, table := range []string{"vault", "audit"} {
		out, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("behalf-local-" + table)})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range out.Items {
			pk, sk := i["pk"].(*types.AttributeValueMemberS).Value, i["sk"].(*types.AttributeValueMemberS).Value
			switch {
			case table == "audit" && !strings.HasSuffix(pk, "#H"):
				record = max(record, size(i))
			case strings.HasPrefix(sk, "C#") && strings.Contains(pk, "#U#") && (strings.HasSuffix(sk, "#S0") || strings.HasSuffix(sk, "#S1")):
				slot = max(slot, size(i))
			case strings.HasPrefix(sk, "C#") && strings.Contains(pk, "#U#"):
				conn = max(conn, size(i))
			}
		}
	}
	return conn, slot, record
}

// size is DynamoDB's: names and values (Developer Guide, "DynamoDB item sizes and formats"). Numbers are taken as text, which is more.
func size(item map[string]types.AttributeValue) (n int) {
	for name, v := range item {
		n += len(name)
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			n += len(v.Value)
		case *types.AttributeValueMemberN:
			n += len(v.Value)
		case *types.AttributeValueMemberB:
			n += len(v.Value)
		default:
			n += 100
		}
	}
	return n
}

// countSealing lets one audit record be sealed alone.
func countSealing(t *testing.T) scale.Sealing {
	t.Helper()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "user_alice", "slack", "alice", nil)
	f.Settle(t)
	before := f.Account().Counter().ByRole("behalf-local-audit")
	f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil).Want(t, 200)
	f.Settle(t)
	got := f.Account().Counter().ByRole("behalf-local-audit")
	for op, n := range before {
		got[op] -= n
	}
	t.Logf("sealing one record: %v", got)
	return scale.Sealing{Reads: got["dynamodb:Query"] + got["dynamodb:GetItem"], WriteUnits: got["dynamodb:PutItem"] + got["dynamodb:UpdateItem"] + 4*got["dynamodb:TransactWriteItems"], Objects: got["s3:PutObject"]}
}
