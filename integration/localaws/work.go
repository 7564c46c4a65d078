package localaws

import (
	"context"
	"sync"
	"time"
)

// look is how often waiting event sources look again without being woken: the clock of a test
// may jump, and nothing announces that.
const look = 20 * time.Millisecond

// work tracks deliveries under way, so that Drain knows when nothing is left.
type work struct {
	mu     sync.Mutex
	flying int           // deliveries under way
	done   int           // deliveries that ended
	signal chan struct{} // closed and replaced at each change
}

func newWork() *work { return &work{signal: make(chan struct{})} }

// wake tells all waiting sources to look.
func (w *work) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notify()
}

func (w *work) notify() {
	close(w.signal)
	w.signal = make(chan struct{})
}

func (w *work) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying++
}

// end closes what begin opened; idle says that there was nothing to deliver.
func (w *work) end(idle bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying--
	if !idle {
		w.done++
		w.notify()
	}
}

func (w *work) state() (flying, done int, signal <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flying, w.done, w.signal
}

// wait returns at the next signal, the next look or the end of ctx.
func wait(ctx context.Context, signal <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-signal:
	case <-t.C:
	}
}

// Drain returns once no event source has anything under way or visible to deliver, or with
// the error of ctx. Messages that wait for a visibility timeout or a delay do not count.
func (a *AWS) Drain(ctx context.Context) error {
	for {
		_, before, signal := a.work.state()
		pending := a.pending()
		flying, after, _ := a.work.state()
		if pending == 0 && flying == 0 && before == after {
			return nil
		}
		wait(ctx, signal, 5*time.Millisecond)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// pending counts what the event sources could deliver now.
func (a *AWS) pending() int {
	n := 0
	for _, s := range a.allSources() {
		n += s.pending(a)
	}
	return n
}
