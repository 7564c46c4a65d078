package refresh_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/functions/refresh"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/tenant"
)

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// counter is a queue that counts, and looks at what it is given.
type counter struct {
	mu                           sync.Mutex
	requests, messages, most     int
	connections, bytes, tooMixed int
	seen                         map[string]bool // nil: do not keep
	fail                         error
}

// SendAll implements refresh.BatchSender.
func (c *counter) SendAll(_ context.Context, messages []any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	c.requests++
	c.most = max(c.most, len(messages))
	for _, m := range messages {
		w := m.(contract.RefreshWork)
		b, err := json.Marshal(w)
		if err != nil {
			return err
		}
		c.messages++
		c.bytes += len(b)
		c.connections += len(w.Connections)
		for _, r := range w.Connections {
			if r.Tenant != w.Connections[0].Tenant || len(w.Connections) > 25 {
				c.tooMixed++
			}
			if c.seen != nil {
				c.seen[r.Connection] = true
			}
		}
	}
	return nil
}

// plenty is an index that makes up each row when it is asked for, so that it takes no memory itself.
type plenty struct {
	perShard, tenants int
	peek              func(read int) // called for each page
	read              *atomic.Int64
}

func newPlenty(perShard, tenants int) plenty {
	return plenty{perShard: perShard, tenants: tenants, peek: func(int) {}, read: &atomic.Int64{}}
}

// Due implements refresh.Due. The number of a row is in the id of its connection.
func (p plenty) Due(ctx context.Context, shard int, now time.Time, after connection.Due, limit int) ([]connection.Due, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	next := 0
	if after.ID != "" {
		var of int
		if _, err := fmt.Sscanf(string(after.ID), "conn_%d_%d", &of, &next); err != nil || of != shard {
			return nil, fmt.Errorf("shard %d goes on behind %s: %v", shard, after.ID, err)
		}
		next++
	}
	var out []connection.Due
	for ; next < p.perShard && len(out) < limit; next++ {
		ref := connection.Ref{Scope: tenant.Scope{Tenant: tenant.ID(fmt.Sprintf("tenant-%04d", next%p.tenants)), Principal: "user_alice"}, Connector: "github", ID: connection.ID(fmt.Sprintf("conn_%d_%d", shard, next))}
		out = append(out, connection.Due{Ref: ref, At: now.Add(-time.Hour).Add(time.Duration(next) * time.Millisecond)})
	}
	p.peek(int(p.read.Add(int64(len(out)))))
	return out, nil
}

func TestSweep_AnyAmount_AllIsQueuedOnceInFullMessages(t *testing.T) {
	t.Parallel()
	q := &counter{seen: map[string]bool{}}
	found, err := refresh.Sweep(t.Context(), newPlenty(3210, 7), q, time.Time{}, noon())
	all := 3210 * dynamo.DueShards()
	if err != nil || found.CutShort || found.Due != all || q.connections != all || len(q.seen) != all || found.Oldest != time.Hour {
		t.Errorf("%+v, %d queued, %d different, %v", found, q.connections, len(q.seen), err)
	}
	if least := (all + 24) / 25; q.messages > least+7 || q.requests > q.messages/10+1 || q.most > 10 || q.tooMixed > 0 {
		t.Errorf("%d messages where %d would do, in %d requests of up to %d, %d mixed", q.messages, least, q.requests, q.most, q.tooMixed)
	}
}

// TestSweep_TenTimesAsMuch_TakesNoMoreMemory: the live heap, looked at on the way, does not grow with what is due.
func TestSweep_TenTimesAsMuch_TakesNoMoreMemory(t *testing.T) {
	live := func(rows int) uint64 {
		var most uint64
		var mu sync.Mutex
		p := newPlenty(rows/dynamo.DueShards(), 3000)
		p.peek = func(read int) {
			if read/(rows/10) == (read-1000)/(rows/10) {
				return
			}
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			mu.Lock()
			most = max(most, m.HeapAlloc)
			mu.Unlock()
		}
		if found, err := refresh.Sweep(t.Context(), p, &counter{}, time.Time{}, noon()); err != nil || found.Due != rows/dynamo.DueShards()*dynamo.DueShards() {
			t.Fatalf("%+v, %v", found, err)
		}
		return most
	}
	live(20_000) // what is made once is not counted
	few, many := live(100_000), live(1_000_000)
	t.Logf("live heap: %.1f MiB at 100,000 due, %.1f MiB at 1,000,000", float64(few)/(1<<20), float64(many)/(1<<20))
	if many > few+32<<20 { // a million keys take more than 200 MiB
		t.Errorf("ten times as much takes %d bytes more", many-few)
	}
}

type broken struct{ plenty }

// Due implements refresh.Due.
func (b broken) Due(ctx context.Context, shard int, now time.Time, after connection.Due, limit int) ([]connection.Due, error) {
	if shard == 3 {
		return nil, fmt.Errorf("no answer")
	}
	return b.plenty.Due(ctx, shard, now, after, limit)
}

func TestSweep_OneShardFails_TheOthersAreSwept(t *testing.T) {
	t.Parallel()
	q := &counter{}
	found, err := refresh.Sweep(t.Context(), broken{newPlenty(1, 1)}, q, time.Time{}, noon())
	if err == nil || found.Due != dynamo.DueShards()-1 || q.connections != found.Due {
		t.Errorf("%+v, %d queued, %v", found, q.connections, err)
	}
}

func TestSweep_QueueFails_IsSaid(t *testing.T) {
	t.Parallel()
	if _, err := refresh.Sweep(t.Context(), newPlenty(100, 3), &counter{fail: fmt.Errorf("no")}, time.Time{}, noon()); err == nil {
		t.Error("no error")
	}
}

// A sweep whose time ends sends what it has read and says that there is more; the next minute begins elsewhere.
func TestSweep_TimeEnds_WhatWasReadIsQueuedAndTheRestIsSaid(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Hour))
	defer cancel()
	p := newPlenty(50_000, 10)
	inner, stop := context.WithDeadline(ctx, time.Now().Add(-time.Second)) // reading may not even begin
	defer stop()
	q := &counter{}
	found, err := refresh.Sweep(inner, p, q, time.Time{}, noon())
	if err != nil || !found.CutShort || found.Due != q.connections {
		t.Errorf("%+v, %d queued, %v", found, q.connections, err)
	}
	if found, err := refresh.Sweep(ctx, newPlenty(10, 10), q, time.Time{}, noon()); err != nil || found.CutShort {
		t.Errorf("with time: %+v, %v", found, err)
	}
}
