package localaws

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"behalf.dev/behalf/integration/localaws/ddb"
	"behalf.dev/behalf/integration/localaws/eventbridge"
)

// EventSource is an event source mapping: a queue or a table stream that feeds a function.
type EventSource struct {
	ID             string // logical id; also names the stream position in the journal
	SourceARN      string // queue or stream
	FunctionARN    string
	BatchSize      int // default 10 for queues, 100 for streams
	ReportFailures bool
	FromLatest     bool // streams: skip what is there already
	Retries        int  // streams: further attempts of a failing batch; negative means without end
	Concurrency    int  // queues: invocations at a time, default 5
	Filters        []eventbridge.Pattern
	Disabled       bool
}

// source is a mapping at work.
type source struct {
	EventSource
}

// AddEventSource connects a queue or stream with a function. A mapping with the same ID is
// replaced. Call it before Start.
func (a *AWS) AddEventSource(e EventSource) {
	queue := strings.Contains(e.SourceARN, ":sqs:")
	if e.BatchSize == 0 {
		e.BatchSize = 100
		if queue {
			e.BatchSize = 10
		}
	}
	if e.Concurrency == 0 {
		e.Concurrency = 5
	}
	if e.ID == "" {
		e.ID = e.FunctionARN + "<" + e.SourceARN
	}
	e.FunctionARN = a.functionARN(e.FunctionARN)
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.checkpoints[e.ID]; !known && e.FromLatest {
		for {
			recs, seq := a.ddb.StreamAfter(e.SourceARN, a.checkpoints[e.ID], 1000)
			a.checkpoints[e.ID] = seq
			if len(recs) == 0 {
				break
			}
		}
	}
	for i, s := range a.sources {
		if s.ID == e.ID {
			a.sources[i] = &source{e}
			return
		}
	}
	a.sources = append(a.sources, &source{e})
}

func (a *AWS) allSources() []*source {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return append([]*source(nil), a.sources...)
}

func (s *source) queue() bool { return strings.Contains(s.SourceARN, ":sqs:") }

func (s *source) pending(a *AWS) int {
	if s.Disabled || !a.handled(s.FunctionARN) {
		return 0 // nobody takes it, so it is not under way
	}
	if s.queue() {
		return a.sqs.Visible(s.SourceARN)
	}
	recs, _ := a.ddb.StreamAfter(s.SourceARN, a.position(s.ID), 1)
	return len(recs)
}

func (a *AWS) position(id string) int64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.checkpoints[id]
}

func (a *AWS) advance(id string, seq int64) {
	a.mu.Lock()
	a.checkpoints[id] = seq
	a.mu.Unlock()
	a.record("stream")("checkpoint", checkpoint{id, seq})
}

func (a *AWS) restoreCheckpoint(data []byte) error {
	var c checkpoint
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("restore stream position: %w", err)
	}
	a.checkpoints[c.Source] = c.Seq
	return nil
}

// pollers is how many loops look into a queue at most: Lambda starts with five and scales up to the mapping's maximum, which one
// machine need not.
const pollers = 5

// Start runs the event sources, schedules and the TTL sweep in the background until ctx ends.
// It returns at once; Close waits for what is still under way.
func (a *AWS) Start(ctx context.Context) {
	for _, s := range a.allSources() {
		if s.Disabled {
			continue
		}
		n := 1
		if s.queue() {
			n = min(s.Concurrency, pollers)
		}
		for range n {
			a.running.Go(func() { a.poll(ctx, s) })
		}
	}
	a.running.Go(func() { a.tick(ctx) })
}

// tick fires schedules and sweeps expired items by the account's clock.
func (a *AWS) tick(ctx context.Context) {
	swept := a.opt.Now()
	never := make(chan struct{})
	for ctx.Err() == nil {
		a.events.FireDue()
		if now := a.opt.Now(); now.Sub(swept) >= time.Second {
			a.ddb.SweepTTL()
			swept = now
		}
		wait(ctx, never, look)
	}
}

// FireSchedules delivers every schedule that is due now and returns how many; Start does it
// continuously.
func (a *AWS) FireSchedules() int { return a.events.FireDue() }

// poll delivers batch after batch. A failing stream batch is tried again after a pause.
func (a *AWS) poll(ctx context.Context, s *source) {
	failures := 0
	for ctx.Err() == nil {
		_, _, signal := a.work.state()
		a.work.begin()
		var idle bool
		if s.queue() {
			idle = a.pollQueue(ctx, s)
		} else {
			idle = a.pollStream(ctx, s, &failures)
		}
		a.work.end(idle)
		switch {
		case idle:
			wait(ctx, signal, look)
		case failures > 0:
			wait(ctx, nil, min(time.Duration(failures)*look, time.Second))
		}
	}
}

// pollStream delivers one batch in order and moves on only when it was handled or given up.
func (a *AWS) pollStream(ctx context.Context, s *source, failures *int) (idle bool) {
	from := a.position(s.ID)
	recs, last := a.ddb.StreamAfter(s.SourceARN, from, s.BatchSize)
	if len(recs) == 0 || !a.handled(s.FunctionARN) {
		return true
	}
	recs = s.wanted(recs)
	if len(recs) == 0 {
		a.advance(s.ID, last)
		return false
	}
	failedAt, err := a.deliverRecords(ctx, s, recs)
	if err == nil {
		*failures = 0
		a.advance(s.ID, last)
		return false
	}
	*failures++
	a.opt.Logger.Warn("stream batch failed", "function", s.FunctionARN, "attempt", *failures, "error", err)
	if s.Retries >= 0 && *failures > s.Retries {
		a.opt.Logger.Error("stream batch given up", "function", s.FunctionARN, "records", len(recs))
		*failures = 0
		a.advance(s.ID, last)
	} else if failedAt > from {
		a.advance(s.ID, failedAt)
	}
	return false
}

func (a *AWS) handled(arn string) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.functions[arn] != nil && a.functions[arn].handler != nil
}

// streamEvent is one record with the field that only Lambda adds.
type streamEvent struct {
	*ddb.Record
	Source string `json:"eventSourceARN"`
}

// batchAnswer is what a function reports with ReportBatchItemFailures.
type batchAnswer struct {
	BatchItemFailures []struct {
		ItemIdentifier string `json:"itemIdentifier"`
	} `json:"batchItemFailures"`
}

// deliverRecords invokes the function. On a partial failure failedAt is the position before
// the first failed record.
func (a *AWS) deliverRecords(ctx context.Context, s *source, recs []*ddb.Record) (failedAt int64, err error) {
	events := make([]streamEvent, len(recs))
	for i, r := range recs {
		events[i] = streamEvent{r, s.SourceARN}
	}
	payload, err := json.Marshal(map[string]any{"Records": events})
	if err != nil {
		return 0, fmt.Errorf("encode stream batch: %w", err)
	}
	out, _, err := a.invoke(context.WithoutCancel(ctx), s.FunctionARN, payload)
	if err != nil || !s.ReportFailures {
		return 0, err
	}
	var ans batchAnswer
	if json.Unmarshal(out, &ans) != nil || len(ans.BatchItemFailures) == 0 {
		return 0, nil
	}
	first := ans.BatchItemFailures[0].ItemIdentifier
	for _, f := range ans.BatchItemFailures {
		first = min(first, f.ItemIdentifier)
	}
	for _, r := range recs {
		if r.Change.Sequence >= first {
			return failedAt, fmt.Errorf("function reported record %s as failed", first)
		}
		failedAt = r.Position()
	}
	return 0, nil
}

// wanted applies the filter criteria of the mapping.
func (s *source) wanted(recs []*ddb.Record) []*ddb.Record {
	if len(s.Filters) == 0 {
		return recs
	}
	var out []*ddb.Record
	for _, r := range recs {
		if b, err := json.Marshal(r); err == nil && s.matches(b) {
			out = append(out, r)
		}
	}
	return out
}

func (s *source) matches(event []byte) bool {
	var m map[string]any
	if json.Unmarshal(event, &m) != nil {
		return false
	}
	for _, p := range s.Filters {
		if p.Match(m) {
			return true
		}
	}
	return false
}
