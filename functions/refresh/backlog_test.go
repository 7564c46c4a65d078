package refresh_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/functions/refresh"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
)

// arrivals is an index in which so many connections fall due each second, spread over the shards; none of them is ever refreshed.
type arrivals struct{ perSecond, seconds int }

// Due implements refresh.Due. What fell due in a second comes in one page.
func (a arrivals) Due(_ context.Context, shard int, now time.Time, after connection.Due, limit int) (out []connection.Due, err error) {
	start := noon()
	for s := range a.seconds {
		at := start.Add(time.Duration(s) * time.Second)
		if at.After(now) || at.Before(after.At) || len(out) >= limit {
			continue
		}
		for i := range a.perSecond {
			if i%dynamo.DueShards() != shard {
				continue
			}
			id := connection.ID(fmt.Sprintf("conn_%013d%013d", s, i))
			if at.Equal(after.At) && after.ID != "" && id <= after.ID {
				continue
			}
			d := connection.Due{At: at}
			d.Tenant, d.ID = "acme", id
			out = append(out, d)
		}
	}
	return out, nil
}

// tally is a queue that nobody works off, and counts how often each connection is in it.
type tally struct {
	counter
	times    map[string]int
	messages int
}

// SendAll implements refresh.BatchSender.
func (q *tally) SendAll(_ context.Context, messages []any) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range messages {
		q.messages++
		for _, r := range m.(contract.RefreshWork).Connections {
			q.times[r.Connection]++
		}
	}
	return nil
}

// For an hour nothing is worked off. Each connection is in the queue three times for its first minutes and once more for each
// quarter of an hour, not once for each minute; and none is missing.
func TestSweep_Backlog_DoesNotGrowByItself(t *testing.T) {
	t.Parallel()
	const minutes = 60
	a := arrivals{perSecond: 16, seconds: minutes * 60}
	play := func(since func(now time.Time, waiting int) time.Time) (messages, connections, most int) {
		q := &tally{times: map[string]int{}}
		for m := 1; m <= minutes; m++ {
			now := noon().Add(time.Duration(m) * time.Minute)
			if _, err := refresh.Sweep(t.Context(), a, q, since(now, q.messages), now); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range q.times {
			most = max(most, n)
		}
		return q.messages, len(q.times), most
	}
	messages, connections, most := play(refresh.Since)
	all := a.perSecond * a.seconds
	if connections != all || most > 3+minutes/15 {
		t.Errorf("%d of %d connections are queued, one of them %d times", connections, all, most)
	}
	before, _, worst := play(func(time.Time, int) time.Time { return time.Time{} })
	t.Logf("an hour of backlog at %d per second: %d messages, one connection up to %d times; without looking at the queue %d and %d", a.perSecond, messages, most, before, worst)
	if messages*5 > before {
		t.Errorf("%d messages, without looking at the queue %d", messages, before)
	}
}

func TestSince_ShortQueueOrQuarterOfAnHour_EverythingIsRead(t *testing.T) {
	t.Parallel()
	at := noon().Add(7 * time.Minute)
	for waiting, want := range map[int]time.Time{0: {}, 100: {}, 101: at.Add(-2 * time.Minute), 1e6: at.Add(-2 * time.Minute)} {
		if got := refresh.Since(at, waiting); !got.Equal(want) {
			t.Errorf("behind %d messages: since %v, want %v", waiting, got, want)
		}
	}
	if got := refresh.Since(noon().Add(15*time.Minute), 1e6); !got.IsZero() {
		t.Errorf("a full sweep each quarter of an hour is missing: %v", got)
	}
}
