package refresh

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/metric"
	"behalf.dev/behalf/shared/tenant"
)

// A sweep reads sweepers shards side by side in pages of perPage keys, and has senders requests of up to perRequest messages
// on their way. At most maxHeld connections wait for others of their tenant to fill a message of perMessage: these numbers
// bound its memory, however much is due.
const perPage, perMessage, perRequest, maxHeld, sweepers, senders = 1000, 25, 10, 10_000, 4, 8

// sendSpare is what a sweep leaves of its time for sending what it has read.
const sendSpare = 15 * time.Second

// Due reads one shard of the due index in pages; dynamo.DB implements it.
type Due interface {
	Due(ctx context.Context, shard int, now time.Time, after connection.Due, limit int) ([]connection.Due, error)
}

// Sender queues one message; awssqs.Queue implements it.
type Sender interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

// BatchSender queues many messages; awssqs.Queue implements it.
type BatchSender interface {
	SendAll(ctx context.Context, messages []any) error
}

// Swept is what a sweep found.
type Swept struct {
	// Due is how many connections were due, Oldest how long the first of them has been.
	Due    int
	Oldest time.Duration
	// CutShort tells that ctx ended too soon to read everything: what was not read is still due, for the next sweep.
	CutShort bool
}

// A sweep looks at how long the queue is. Behind deep messages, what has been due for longer than lately is in it already, and is
// queued again only every fullEvery, in case a message was lost: without that, each minute of a backlog would double it. lately is two
// sweeps, so that one that fails or is cut short leaves nothing behind.
const deep, lately, fullEvery = 100, 2 * time.Minute, 15

// Since is from when on a sweep at now reads what is due, behind so many messages; zero is everything.
func Since(now time.Time, waiting int) time.Time {
	if waiting <= deep || now.Unix()/60%fullEvery == 0 {
		return time.Time{}
	}
	return now.Add(-lately)
}

// Sweep queues what fell due since a time, up to now. A shard that cannot be read, or messages that cannot be queued, do not stop the others; the
// first error is returned, and what was not queued stays due. It begins with another shard each minute, so that a sweep
// that is always cut short starves none.
func Sweep(ctx context.Context, index Due, queue BatchSender, since, now time.Time) (Swept, error) {
	s := &sweeper{index: index, queue: queue, since: since, now: now, held: map[tenant.ID][]contract.Ref{}}
	s.sending.SetLimit(senders)
	reading, cancel := ctx, context.CancelFunc(func() {})
	if end, ok := ctx.Deadline(); ok {
		reading, cancel = context.WithDeadline(ctx, end.Add(-sendSpare))
	}
	defer cancel()
	var shards errgroup.Group
	shards.SetLimit(sweepers)
	first := int(now.Unix() / 60)
	for i := range dynamo.DueShards() {
		shards.Go(func() error { return s.shard(reading, ctx, (first+i)%dynamo.DueShards()) })
	}
	err := shards.Wait()
	s.send(ctx, s.take(nil, true))
	if serr := s.sending.Wait(); err == nil {
		err = serr
	}
	return s.found, err
}

// sweeper is one sweep under way.
type sweeper struct {
	index   Due
	queue   BatchSender
	since   time.Time
	now     time.Time
	sending errgroup.Group

	mu    sync.Mutex
	found Swept
	held  map[tenant.ID][]contract.Ref
	count int
	ready []any
}

// shard reads one shard to its end, or until reading ends.
func (s *sweeper) shard(reading, ctx context.Context, n int) error {
	for after := (connection.Due{At: s.since}); ; {
		page, err := s.index.Due(reading, n, s.now, after, perPage)
		if reading.Err() != nil {
			s.mu.Lock()
			s.found.CutShort = true
			s.mu.Unlock()
			return nil
		}
		if err != nil {
			return fmt.Errorf("sweep shard %d: %w", n, err)
		}
		if len(page) == 0 {
			return nil
		}
		s.send(ctx, s.take(page, false))
		after = page[len(page)-1]
	}
}

// take adds a page to what is held, and returns requests to send. One message is for one tenant, so that it needs one set of
// credentials; tenants are filled up from all shards. When too many wait, or at the end, messages go as they are.
func (s *sweeper) take(page []connection.Due, all bool) (requests [][]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range page {
		s.found.Due++
		s.found.Oldest = max(s.found.Oldest, s.now.Sub(d.At))
		list := append(s.held[d.Tenant], awslambda.RefOf(d.Ref))
		s.count++
		if len(list) == perMessage {
			s.pack(d.Tenant, list)
		} else {
			s.held[d.Tenant] = list
		}
	}
	if all || s.count > maxHeld {
		for t, list := range s.held {
			s.pack(t, list)
		}
	}
	for len(s.ready) >= perRequest || all && len(s.ready) > 0 {
		n := min(perRequest, len(s.ready))
		requests = append(requests, s.ready[:n:n])
		s.ready = s.ready[n:]
	}
	return requests
}

func (s *sweeper) pack(t tenant.ID, list []contract.Ref) {
	s.ready = append(s.ready, contract.RefreshWork{Connections: list})
	s.count -= len(list)
	delete(s.held, t)
}

// send waits while too many requests are on their way, and so slows reading down.
func (s *sweeper) send(ctx context.Context, requests [][]any) {
	for _, r := range requests {
		s.sending.Go(func() error { return s.queue.SendAll(ctx, r) })
	}
}

func (f *Function) sweep(ctx context.Context) (int, error) {
	waiting, err := f.queue.Waiting(ctx)
	if err != nil { // then it is as if there were none
		f.deps.Log.WarnContext(ctx, "length of the queue not known; sweeping everything", "error", err)
	}
	since := Since(f.deps.Now(), waiting)
	found, err := Sweep(ctx, f.due, f.queue, since, f.deps.Now())
	f.meter.Add(metric.Due, float64(found.Due), metric.Labels{})
	if since.IsZero() { // one that reads only the latest knows nothing of the oldest
		f.meter.Add(metric.DueOldest, found.Oldest.Seconds(), metric.Labels{})
	}
	switch {
	case err != nil:
	case found.CutShort:
		f.meter.Add(metric.SweepsCutShort, 1, metric.Labels{})
		f.deps.Log.WarnContext(ctx, "more was due than one sweep can read; the next one goes on", "read", found.Due)
	default:
		f.meter.Add(metric.Sweeps, 1, metric.Labels{})
	}
	if found.Due > 0 {
		f.deps.Log.InfoContext(ctx, "swept", "due", found.Due)
	}
	return found.Due, err
}
