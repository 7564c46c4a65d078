package dynamo_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

func alice() tenant.Scope { return tenant.Scope{Tenant: acme, Principal: "alice"} }

func stored(t *testing.T, db *dynamo.DB) connection.Connection {
	t.Helper()
	c := connection.Connection{Ref: connection.Ref{Scope: alice(), Connector: "github", ID: "conn_00000000000000000000000001"}, Status: connection.Active,
		Refresh: connection.RefreshState{Generation: 1}}
	if err := db.CreateConnection(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return current(t, db, c.Ref)
}

func current(t *testing.T, db *dynamo.DB, ref connection.Ref) connection.Connection {
	t.Helper()
	c, err := db.Connection(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// increment counts on the connection, and how often it was asked to.
func increment(asked *int) func(connection.Connection) (connection.Connection, error) {
	return func(c connection.Connection) (connection.Connection, error) {
		*asked++
		c.Refresh.Fence++
		return c, nil
	}
}

// attempts is how often the SDK sends a request at most.
const attempts = 3

func TestUpdateConnection_AnswerLost_CountsOnce(t *testing.T) {
	t.Parallel()
	for _, lost := range []int{1, attempts - 1, attempts} {
		db, a := embedded(t)
		c := stored(t, db)
		a.Faults().FailAfter("dynamodb:PutItem", lost, nil)
		asked := 0
		got, err := db.UpdateConnection(t.Context(), c, increment(&asked))
		if lost < attempts && (err != nil || got.Refresh.Fence != 1 || got.Version != 2) {
			t.Errorf("%d answers lost: fence %d, version %d, %v", lost, got.Refresh.Fence, got.Version, err)
		}
		if lost == attempts && err == nil {
			t.Error("all answers lost, and yet no error")
		}
		if now := current(t, db, c.Ref); now.Refresh.Fence != 1 || now.Version != 2 || asked != 1 {
			t.Errorf("%d answers lost: stored are fence %d, version %d; change ran %d times", lost, now.Refresh.Fence, now.Version, asked)
		}
	}
}

// The one case that no mark can tell apart: somebody else writes between a write and its repetition. change then sees
// its own result, which is why every change checks whether it has happened.
func TestUpdateConnection_AnswerLostAndAnotherWrite_ChangeSeesItsOwnResult(t *testing.T) {
	t.Parallel()
	db, a := embedded(t)
	c := stored(t, db)
	var calls atomic.Int32
	a.Faults().Hook("dynamodb:PutItem", 2, nil, func() {
		if calls.Add(1) == 2 {
			a.Faults().Clear()
			asked := 0
			if _, err := db.UpdateConnection(t.Context(), current(t, db, c.Ref), increment(&asked)); err != nil {
				t.Error(err)
			}
		}
	})
	a.Faults().FailAfter("dynamodb:PutItem", 1, nil)
	var seen []string
	_, err := db.UpdateConnection(t.Context(), c, func(x connection.Connection) (connection.Connection, error) {
		seen = append(seen, x.Refresh.LeaseOwner)
		x.Refresh.LeaseOwner = "mine"
		return x, nil
	})
	if err != nil || len(seen) != 2 || seen[1] != "mine" {
		t.Errorf("change saw %q, %v", seen, err)
	}
}

func TestWrites_AnswerLost_CountAsDone(t *testing.T) {
	t.Parallel()
	grant := connection.Grant{ID: "grant_1"}
	for name, write := range map[string]func(*testing.T, *dynamo.DB, connection.Connection) error{
		"Activate": func(t *testing.T, db *dynamo.DB, c connection.Connection) error {
			return db.Activate(t.Context(), c, connection.Slot{Generation: 2}, grant)
		},
		"CreateConnection": func(t *testing.T, db *dynamo.DB, c connection.Connection) error {
			c.ID = "conn_00000000000000000000000002"
			return db.CreateConnection(t.Context(), c)
		},
		"PutSlot": func(t *testing.T, db *dynamo.DB, c connection.Connection) error {
			return db.PutSlot(t.Context(), c.Ref, connection.Slot{Generation: 2, Fence: 1})
		},
		"PutClaim": func(t *testing.T, db *dynamo.DB, _ connection.Connection) error {
			_, err := db.PutClaim(t.Context(), toolcall.Claim{Scope: alice(), KeyHash: "k", Expires: clock().Add(time.Hour)}, clock())
			return err
		},
		"PutTenant": func(t *testing.T, db *dynamo.DB, _ connection.Connection) error {
			_, err := db.PutTenant(t.Context(), dynamo.Tenant{ID: acme})
			return err
		},
		"Record": func(t *testing.T, db *dynamo.DB, _ connection.Connection) error {
			return db.Record(t.Context(), audit.Record{ID: "aud_1", Tenant: acme, Time: clock()})
		},
		"Append": func(t *testing.T, db *dynamo.DB, _ connection.Connection) error {
			s, err := db.Append(t.Context(), acme, nil)
			if err == nil && s.Seq != 1 {
				return errors.New("sealed twice")
			}
			return err
		},
		"SetSuspended": func(t *testing.T, db *dynamo.DB, _ connection.Connection) error {
			changed, err := db.SetSuspended(t.Context(), alice(), true, "scim")
			if err == nil && !changed {
				return errors.New("the change was taken for somebody else's")
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, a := embedded(t)
			c := stored(t, db)
			put := a.Faults().FailAfter("dynamodb:PutItem", attempts-1, nil)
			tx := a.Faults().FailAfter("dynamodb:TransactWriteItems", attempts-1, nil)
			if err := write(t, db, c); err != nil {
				t.Error(err)
			}
			if put.Hits()+tx.Hits() != attempts-1 {
				t.Errorf("%d answers were lost, want %d", put.Hits()+tx.Hits(), attempts-1)
			}
		})
	}
}

// conflicting answers the first n writes as DynamoDB does while another transaction holds the item. The embedded AWS
// runs one write at a time and never does.
type conflicting struct {
	next http.RoundTripper
	left *atomic.Int32
}

func (c conflicting) RoundTrip(r *http.Request) (*http.Response, error) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body := map[string]string{
		"PutItem":            `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionConflictException","message":"Transaction is ongoing for the item"}`,
		"TransactWriteItems": `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"Transaction cancelled","CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"None"}]}`,
	}[op]
	if body == "" || c.left.Add(-1) < 0 {
		return c.next.RoundTrip(r)
	}
	return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func TestWrites_HeldByATransaction_AreTriedAgain(t *testing.T) {
	t.Parallel()
	a, err := localaws.New(localaws.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	left := new(atomic.Int32)
	key, secret := a.OperatorCredentials()
	db := tables(t, connect(key, secret, "http://localaws.internal", &http.Client{Transport: conflicting{a.HTTPClient().Transport, left}}))
	c := stored(t, db)
	asked := 0
	left.Store(5)
	if c, err = db.UpdateConnection(t.Context(), c, increment(&asked)); err != nil || asked != 1 || left.Load() >= 0 {
		t.Errorf("update: %v, change ran %d times", err, asked)
	}
	left.Store(5)
	if err := db.Activate(t.Context(), c, connection.Slot{Generation: 2}, connection.Grant{ID: "grant_1"}); err != nil || left.Load() >= 0 {
		t.Errorf("transaction: %v", err)
	}
	left.Store(1 << 20)
	if err := db.Activate(t.Context(), current(t, db, c.Ref), connection.Slot{Generation: 3}, connection.Grant{ID: "grant_2"}); !fault.Is(err, fault.RateLimited) {
		t.Errorf("a transaction that never gets through: %v, want rate_limited", err)
	}
}

func TestReads_Throttled_AreRateLimited(t *testing.T) {
	t.Parallel()
	db, a := embedded(t)
	c := stored(t, db)
	a.Faults().Throttle("dynamodb:GetItem", attempts, nil)
	if _, err := db.Connection(t.Context(), c.Ref); !fault.Is(err, fault.RateLimited) || fault.From(err).RetryAfter == 0 {
		t.Errorf("got %v, want rate_limited with a time", err)
	}
}
