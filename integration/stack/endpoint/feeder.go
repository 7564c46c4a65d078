package endpoint

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// source is something that feeds a function.
type source interface {
	// poll delivers one batch. idle says that there was none; an error, that it must be tried again. With hurry it does not
	// wait for a batch to come.
	poll(ctx context.Context, hurry bool) (idle bool, err error)
}

// look is the pause of a source after it found nothing, again the pause after a failure.
const look, again = 100 * time.Millisecond, 500 * time.Millisecond

// fed is a source at work. idleAt is the activity as of which it had nothing to deliver.
type fed struct {
	source
	name   string
	idleAt int
}

// feeder polls sources. It counts activity, so that drain knows when all of them found nothing since the last delivery of
// any of them.
type feeder struct {
	log     *slog.Logger
	sources []*fed
	running sync.WaitGroup

	mu       sync.Mutex
	activity int
	hurry    int           // drains that wait
	signal   chan struct{} // closed and replaced at each change
}

func newFeeder(log *slog.Logger) *feeder {
	return &feeder{log: log, signal: make(chan struct{})}
}

func (f *feeder) add(name string, s source) {
	f.sources = append(f.sources, &fed{source: s, name: name, idleAt: -1})
}

func (f *feeder) start(ctx context.Context) {
	for _, s := range f.sources {
		f.running.Go(func() { f.run(ctx, s) })
	}
}

// run polls one source. The calls themselves are not cut off by the end of ctx: a cancelled receive may have taken messages
// that nobody would see until their visibility timeout.
func (f *feeder) run(ctx context.Context, s *fed) {
	for ctx.Err() == nil {
		seen, hurry, signal := f.state()
		idle, err := s.poll(context.WithoutCancel(ctx), hurry)
		f.note(s, seen, idle && err == nil)
		switch {
		case err != nil:
			f.log.Warn("event source failed; it goes on", "source", s.name, "error", err)
			pause(ctx, nil, again)
		case idle:
			pause(ctx, signal, look)
		}
	}
}

func (f *feeder) state() (activity int, hurry bool, signal <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.activity, f.hurry > 0, f.signal
}

// note takes down how a poll ended that began at activity seen.
func (f *feeder) note(s *fed, seen int, idle bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if idle {
		if s.idleAt == seen {
			return // nothing new, so nobody is woken
		}
		s.idleAt = seen
	} else {
		f.activity++
	}
	f.notify()
}

func (f *feeder) notify() {
	close(f.signal)
	f.signal = make(chan struct{})
}

// drain waits until every source has polled in vain since now and since the last delivery.
func (f *feeder) drain(ctx context.Context) error {
	f.mu.Lock()
	f.activity++
	f.hurry++
	f.notify()
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.hurry--
	}()
	for {
		busy, signal := f.busy()
		if busy == "" {
			return nil
		}
		select {
		case <-signal:
		case <-ctx.Done():
			return fmt.Errorf("%s still has something to deliver: %w", busy, ctx.Err())
		}
	}
}

// busy names a source that may have something to deliver, or nothing.
func (f *feeder) busy() (name string, signal <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sources {
		if s.idleAt != f.activity {
			return s.name, f.signal
		}
	}
	return "", nil
}

func pause(ctx context.Context, signal <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-signal:
	case <-t.C:
	}
}

// delivery is what queues and streams have in common: a function that takes batches.
type delivery struct {
	name    string
	batch   int
	partial bool // the function reports failed items
	invoke  func(ctx context.Context, name string, payload []byte) ([]byte, error)
	log     *slog.Logger
}

// send invokes the function and returns the ids of the items that failed (Lambda Developer Guide, "Partial batch
// responses").
func (d delivery) send(ctx context.Context, event any) (failed map[string]bool, err error) {
	payload, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	out, err := d.invoke(ctx, d.name, payload)
	if err != nil || !d.partial || len(out) == 0 {
		return nil, err
	}
	var ans struct {
		BatchItemFailures []struct {
			ItemIdentifier string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(out, &ans); err != nil {
		return nil, fmt.Errorf("decode the answer of %s: %w", d.name, err)
	}
	failed = map[string]bool{}
	for _, f := range ans.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	return failed, nil
}

// schedule is a Schedule at work.
type schedule struct {
	Schedule
	now    func() time.Time
	last   time.Time
	invoke func(ctx context.Context, name string, payload []byte) ([]byte, error)
	log    *slog.Logger
}

// poll implements source. A failed invocation is not repeated: the next one comes soon.
func (s *schedule) poll(ctx context.Context, _ bool) (idle bool, err error) {
	now := s.now()
	if now.Sub(s.last) < s.Every {
		return true, nil
	}
	s.last = now
	if _, err := s.invoke(ctx, s.Function, s.Payload); err != nil {
		s.log.Warn("scheduled invocation failed", "function", s.Function, "error", err)
	}
	return false, nil
}
