package runtimeapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Options of Start.
type Options struct {
	// Binary is the path of the bootstrap.
	Binary string
	// Name and ARN of the function.
	Name, ARN string
	// Environment is all that the process sees, besides the variables that Lambda reserves. Nothing is inherited.
	Environment map[string]string
	// Timeout of one invocation; 0 means 3 seconds, Lambda's default.
	Timeout time.Duration
	// Instances is how many processes there are at most; 0 means 4. Further invocations wait.
	Instances int
	// Output receives what the processes print; nil discards it.
	Output io.Writer
}

// initLimit is how long an instance may take until it asks for work (Lambda Developer Guide, "Init phase").
const initLimit = 10 * time.Second

// Error is a failed invocation, as its caller sees it.
type Error struct {
	// Type is the kind ("Sandbox.Timedout", "Runtime.ExitError", or the function's own), Message the text.
	Type, Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Type + ": " + e.Message }

// ErrClosed is returned by Invoke after Close.
var ErrClosed = errors.New("the function is closed")

// Function is a function with its instances. It is safe for concurrent use.
type Function struct {
	opt     Options
	idle    chan *instance // instances that wait for work; also dead ones, to wake who waits
	closed  chan struct{}
	closing sync.Once
	running sync.WaitGroup

	mu        sync.Mutex
	instances map[*instance]bool
	reserved  int // places of instances that are about to start
	started   int
}

// Start starts the first instance and waits until it is ready. The error says how it ended otherwise; why is in its output.
func Start(ctx context.Context, o Options) (*Function, error) {
	if o.Timeout == 0 {
		o.Timeout = 3 * time.Second
	}
	if o.Instances == 0 {
		o.Instances = 4
	}
	if o.Output != nil {
		o.Output = &locked{w: o.Output}
	}
	f := &Function{opt: o, idle: make(chan *instance, 2*o.Instances), closed: make(chan struct{}), instances: map[*instance]bool{}}
	f.reserve()
	if err := f.grow(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Invoke runs the function and returns its answer. Errors: *Error when the invocation failed, the error of ctx when the
// caller gave up (the function goes on), ErrClosed.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	i, err := f.acquire(ctx)
	if err != nil {
		return nil, err
	}
	inv := newInvocation(payload, time.Now().Add(f.opt.Timeout))
	f.running.Go(func() { i.run(inv, f.opt.Timeout) })
	select {
	case <-inv.done:
		return inv.answer, inv.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// acquire takes an instance that waits, or starts one.
func (f *Function) acquire(ctx context.Context) (*instance, error) {
	for {
		select {
		case i := <-f.idle:
			if i.alive() {
				return i, nil
			}
			continue
		case <-f.closed:
			return nil, ErrClosed
		default:
		}
		if f.reserve() {
			if err := f.grow(ctx); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case i := <-f.idle:
			if i.alive() {
				return i, nil
			}
		case <-f.closed:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// reserve takes a place for one more instance, if there is one; grow fills it.
func (f *Function) reserve() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.instances)+f.reserved >= f.opt.Instances {
		return false
	}
	f.reserved++
	return true
}

// grow starts an instance in the reserved place and waits until it is ready.
func (f *Function) grow(ctx context.Context) error {
	i, err := startInstance(f.opt, f.ready)
	if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.reserved--
		return fmt.Errorf("start %s: %w", f.opt.Name, err)
	}
	if !f.adopt(i) {
		i.kill()
		return ErrClosed
	}
	limit := time.NewTimer(initLimit)
	defer limit.Stop()
	select {
	case <-i.ready:
		return nil
	case <-i.exited:
		return &Error{"Runtime.ExitError", fmt.Sprintf("%s ended before it asked for work: %s", f.opt.Name, i.how())}
	case <-limit.C:
		i.kill()
		return &Error{"Sandbox.Timedout", fmt.Sprintf("%s did not ask for work within %s", f.opt.Name, initLimit)}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// adopt counts an instance in, unless Close has come first: it kills those that it finds.
func (f *Function) adopt(i *instance) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reserved--
	select {
	case <-f.closed:
		return false
	default:
	}
	f.instances[i] = true
	f.started++
	f.running.Go(func() { f.mourn(i) })
	return true
}

// ready takes note that an instance asks for work.
func (f *Function) ready(i *instance) {
	select {
	case f.idle <- i:
	case <-i.exited:
	}
}

// mourn forgets an instance that ended, and wakes whoever waits for it.
func (f *Function) mourn(i *instance) {
	<-i.exited
	f.mu.Lock()
	delete(f.instances, i)
	f.mu.Unlock()
	select {
	case f.idle <- i:
	default: // somebody has reason to wake up already
	}
}

// Started is how many processes there have been.
func (f *Function) Started() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started
}

// Close ends all processes; invocations under way fail. Closing twice changes nothing.
func (f *Function) Close() error {
	f.closing.Do(func() {
		close(f.closed)
		f.mu.Lock()
		for i := range f.instances {
			i.kill()
		}
		f.mu.Unlock()
	})
	f.running.Wait()
	return nil
}

// locked lets several processes print to one writer.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
