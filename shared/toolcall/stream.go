package toolcall

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
)

// Opener sends requests out and hands bodies on while they come.
type Opener interface {
	Open(r *http.Request) (egress.Stream, error)
}

const (
	// headBytes is how much of an answer is read before it is decided that the rest is streamed. Some providers put errors
	// into the body of a 200, and their documents are far smaller.
	headBytes = 1 << 20
	// streamTime bounds a stream from its first byte on: 200 MB at API Gateway's 2 MB/s, and some.
	streamTime = 2 * time.Minute
	// idleTime is how long a provider may send nothing in the middle of an answer.
	idleTime = 30 * time.Second
	// closingTime is kept back, of the time that the caller has, for the outcome record.
	closingTime = 3 * time.Second
	// pieceBytes is read, scanned and handed on at once.
	pieceBytes = 32 << 10
)

// opened is an answer of which only the head was read.
type opened struct {
	header http.Header
	head   []byte
	rest   io.ReadCloser
	life   context.Context
	end    context.CancelFunc
}

// Read reads the rest, no longer than idleTime at a time.
func (o *opened) Read(p []byte) (int, error) {
	idle := time.AfterFunc(idleTime, o.end)
	defer idle.Stop()
	n, err := o.rest.Read(p)
	if err != nil && err != io.EOF && o.life.Err() != nil {
		err = late(err)
	}
	return n, err
}

func (o *opened) close() error {
	err := o.rest.Close()
	o.end()
	return err
}

// drop gives up an answer that is not handed on.
func (r *run) drop() {
	if r.open != nil {
		_ = r.open.close() // nobody wants the rest
		r.open = nil
	}
}

// streams reports that the answer may be handed on while it comes: a read, whose failure half way harms nothing, without
// an idempotency key, for which the answer would have to be kept.
func (e *Executor) streams(r *run) bool {
	return e.Opener != nil && r.op.raw && r.op.effect == catalog.EffectRead && r.call.IdempotencyKey == ""
}

// do is step 9: the whole answer, or the head of one that is handed on while it comes.
func (e *Executor) do(ctx context.Context, r *run, h *http.Request) (egress.Response, error) {
	r.drop()
	if !e.streams(r) {
		return e.Provider.Do(h)
	}
	life, end := lifetime(ctx, r.caller)
	got, err := e.Opener.Open(h.WithContext(life.ctx))
	if err != nil {
		end()
		return egress.Response{}, inTime(ctx, err)
	}
	o := &opened{header: got.Header, rest: got.Body, life: life.ctx, end: end}
	o.head, err = io.ReadAll(io.LimitReader(got.Body, headBytes+1))
	whole := len(o.head) <= headBytes
	if err == nil && !whole && got.Status/100 != 2 { // an error is judged by all that it says
		var more []byte
		more, err = io.ReadAll(io.LimitReader(got.Body, MostBytes))
		o.head = append(o.head, more...)
		if whole = len(more) < MostBytes; !whole && err == nil {
			err = tooLarge(len(o.head))
		}
	}
	if err == nil && !whole && !life.detach() {
		err = ctx.Err()
	}
	if err != nil || whole {
		err = errors.Join(inTime(ctx, err), o.close())
		return egress.Response{Status: got.Status, Header: got.Header, Body: o.head}, err
	}
	r.open = o
	return egress.Response{Status: got.Status, Header: got.Header}, nil
}

// life is the context of a request whose answer outlives the call: the call's until detach, then its own.
type life struct {
	ctx    context.Context
	detach func() bool
}

// lifetime ends with call until it is detached, and with caller or streamTime in any case.
func lifetime(call, caller context.Context) (life, context.CancelFunc) {
	until := time.Now().Add(streamTime)
	if d, ok := caller.Deadline(); ok && d.Add(-closingTime).Before(until) {
		until = d.Add(-closingTime)
	}
	ctx, end := context.WithDeadline(caller, until)
	return life{ctx, context.AfterFunc(call, end)}, end
}

// inTime says of a request that ended with its call that it took too long.
func inTime(call context.Context, err error) error {
	if err == nil || !errors.Is(call.Err(), context.DeadlineExceeded) {
		return err
	}
	return late(err)
}

func late(err error) error {
	return fault.New(fault.ProviderError, "the provider did not answer in time").With("reason", "timeout").WithRetryAfter(5 * time.Second).WithCause(err)
}

// Download is the body of an answer while it comes, scanned like any other. Read it to its end or close it: either puts
// the outcome on record, with the bytes that were handed on by then. Its errors are faults.
type Download struct {
	e    *Executor
	r    *run
	ctx  context.Context
	o    *opened
	scan *scanner
	src  io.Reader
	buf  []byte
	// ready is scanned and not yet read; err is how the source ended, once it did.
	ready  []byte
	err    error
	closed bool
	onEnd  func(error)
}

func (e *Executor) download(ctx context.Context, r *run) *Download {
	o := r.open
	d := &Download{e: e, r: r, ctx: context.WithoutCancel(ctx), o: o, scan: newScanner(r.token, r.spec.APIAuth), src: io.MultiReader(bytes.NewReader(o.head), o), buf: make([]byte, pieceBytes), onEnd: func(error) {}}
	o.head = nil
	return d
}

// OnEnd has f called once, with how the download ended; nil means that all of it was handed on.
func (d *Download) OnEnd(f func(error)) { d.onEnd = f }

// Read implements io.Reader.
func (d *Download) Read(p []byte) (int, error) {
	for len(d.ready) == 0 {
		if d.err != nil {
			d.end(d.err)
			return 0, d.err
		}
		n, err := d.src.Read(d.buf)
		d.err = err
		d.ready = d.scan.feed(d.buf[:n], err == io.EOF)
	}
	n := copy(p, d.ready)
	d.ready = d.ready[n:]
	d.r.bytes += int64(n)
	return n, nil
}

// Close implements io.Closer. A download that was not read to its end failed.
func (d *Download) Close() error {
	d.end(fault.New(fault.Internal, "the answer was not taken to its end").With("reason", "not_taken"))
	return nil
}

// end is step 12.
func (d *Download) end(err error) {
	if d.closed {
		return
	}
	d.closed = true
	if err == io.EOF {
		err = nil
	}
	if err != nil {
		err = d.e.unanswered(d.r, err)
	}
	_ = d.o.close() // the body was read, or is given up
	if rerr := d.e.record(d.ctx, d.r, audit.ExecutionOutcome, err); rerr != nil {
		d.e.Log.ErrorContext(d.ctx, "outcome not recorded; the intent stands alone", "execution", d.r.id, "error", rerr)
	}
	d.onEnd(err)
}
