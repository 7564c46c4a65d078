package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// world is a worker over a store in memory, a queue that notes, and receivers that answer with a status, by host.
type world struct {
	*worker
	t       *testing.T
	store   *memory.Store
	clock   time.Time
	answers map[string]int

	mu      sync.Mutex
	listed  []tenant.ID
	posted  []string // hosts
	sent    []contract.WebhookWork
	hidden  map[string]time.Duration // by receipt
	asideOf []contract.WebhookWork
	refuse  error // of the queue
	told    []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), answers: map[string]int{}, hidden: map[string]time.Duration{}}
	now := func() time.Time { return w.clock }
	w.store = memory.New(now)
	log := slog.New(slog.DiscardHandler)
	n := 0
	s := notify.New(notify.Deps{Endpoints: counting{w.store, w}, Remover: w.store, Trail: w.store, Sealer: w, Poster: w, Publisher: w, Recorder: w.store, Log: log, Now: now,
		NewID:  func(p string) string { n++; return p + "_" + strings.Repeat("0", 25) + string(rune('a'+n)) },
		Jitter: func() float64 { return 0 }, Public: func(netip.Addr) bool { return true }})
	w.worker = &worker{service: func(context.Context, tenant.ID) (*notify.Service, error) { return s, nil }, queue: w, dead: aside{w}, none: newNone(), log: log, counted: log, now: now}
	return w
}

// counting notes whose endpoints are listed.
type counting struct {
	*memory.Store
	w *world
}

// Endpoints implements notify.Endpoints.
func (c counting) Endpoints(ctx context.Context, owner tenant.ID) ([]notify.Endpoint, error) {
	c.w.mu.Lock()
	c.w.listed = append(c.w.listed, owner)
	c.w.mu.Unlock()
	return c.Store.Endpoints(ctx, owner)
}

// Do is all receivers.
func (w *world) Do(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.posted = append(w.posted, r.URL.Host)
	if w.answers[r.URL.Host] == -1 {
		panic("a receiver that breaks us")
	}
	return &http.Response{StatusCode: w.answers[r.URL.Host], Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// Seal implements notify.Sealer, in plain text.
func (*world) Seal(_ context.Context, _ connection.Binding, s secret.Text) ([]byte, error) {
	return s.Reveal(reveal.Key{}), nil
}

// Open implements notify.Sealer.
func (*world) Open(_ context.Context, _ connection.Binding, sealed []byte) (secret.Text, error) {
	return secret.New(sealed), nil
}

// WebhookChanged implements notify.Publisher.
func (w *world) WebhookChanged(_ context.Context, t contract.Type, _ tenant.ID, _, reason string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, string(t)+" "+reason)
	return nil
}

// SendFairly implements Queue.
func (w *world) SendFairly(_ context.Context, message any, _ string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		return w.refuse
	}
	w.sent = append(w.sent, message.(contract.WebhookWork))
	return nil
}

// Hide implements Queue.
func (w *world) Hide(_ context.Context, receipt string, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hidden[receipt] = d
	return nil
}

type aside struct{ w *world }

// Send implements Sender.
func (a aside) Send(_ context.Context, message any, _ time.Duration) error {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	a.w.asideOf = append(a.w.asideOf, message.(contract.WebhookWork))
	return nil
}

// endpoint makes one whose receiver answers with a status.
func (w *world) endpoint(owner tenant.ID, host string, status int) notify.Endpoint {
	w.t.Helper()
	w.answers[host] = status
	s, err := w.service(w.t.Context(), owner)
	if err != nil {
		w.t.Fatal(err)
	}
	e, _, err := s.Create(w.t.Context(), notify.Request{Owner: owner, URL: "https://" + host + "/", Events: []string{"*"}, By: "key"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.listed = nil
	return e
}

func (w *world) of(owner tenant.ID, id string) notify.Endpoint {
	w.t.Helper()
	e, err := w.store.Endpoint(w.t.Context(), owner, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) message(id string, body any) events.SQSMessage {
	w.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	return events.SQSMessage{MessageId: id, ReceiptHandle: id, Body: string(b), Attributes: map[string]string{"ApproximateReceiveCount": "1"}}
}

// to is the message for one endpoint.
func (w *world) to(id string, e notify.Endpoint) events.SQSMessage {
	return w.message(id, contract.WebhookWork{Owner: string(e.Owner), Endpoint: e.ID, Message: "evt_" + id, Type: contract.ConnectionRevoked, Time: w.clock, Data: json.RawMessage(`{}`), Since: w.clock})
}

// event is what EventBridge hands over.
func (w *world) event(id, tenant string) events.SQSMessage {
	return w.message(id, map[string]any{"source": contract.Source, "detail-type": contract.ConnectionRefreshed, "detail": map[string]string{"id": "evt_" + id, "version": "1", "tenant": tenant}})
}

// works takes a batch and returns the messages that come again, sorted.
func (w *world) works(batch ...events.SQSMessage) []string {
	w.t.Helper()
	out := []string{}
	for _, f := range w.work(w.t.Context(), events.SQSEvent{Records: batch}).BatchItemFailures {
		out = append(out, f.ItemIdentifier)
	}
	slices.Sort(out)
	return out
}

func TestWork_PartOfABatchFails_OnlyThatComesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good, bad := w.endpoint("acme", "good.example", 204), w.endpoint("acme", "bad.example", 503)
	breaks := w.endpoint("acme", "breaks.example", -1)
	poison := events.SQSMessage{MessageId: "poison", ReceiptHandle: "poison", Body: "{", Attributes: map[string]string{"ApproximateReceiveCount": "4"}}
	foreign := w.message("foreign", map[string]any{"source": "aws.s3", "detail-type": "x", "detail": map[string]string{"id": "1"}})
	if got := w.works(w.to("a", good), w.to("b", bad), w.to("c", breaks), poison, foreign, w.to("d", good)); !slices.Equal(got, []string{"b", "c", "foreign", "poison"}) {
		t.Errorf("%v come again", got)
	}
	if w.hidden["b"] != 5*time.Second || w.hidden["poison"] != 40*time.Second || w.hidden["foreign"] != 5*time.Second || len(w.hidden) != 3 {
		t.Errorf("put off: %v", w.hidden)
	}
	tries, err := w.store.Tries(t.Context(), "acme", good.ID)
	if err != nil || len(tries) != 2 || tries[0].Outcome != notify.Delivered {
		t.Errorf("%+v, %v", tries, err)
	}
}

func TestWork_Endpoint410_IsDisabledAtOnce_AndNothingComesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.endpoint("acme", "gone.example", 410)
	if got := w.works(w.to("a", e)); len(got) != 0 || len(w.asideOf) != 0 {
		t.Errorf("%v come again, aside %v", got, w.asideOf)
	}
	if x := w.of("acme", e.ID); x.Status != notify.Disabled || x.Reason != notify.ReasonGone || !slices.Equal(w.told, []string{"webhook.disabled gone"}) {
		t.Errorf("%+v, told %v", x, w.told)
	}
	if got := w.works(w.to("b", e), w.event("c", "acme")); len(got) != 0 || len(w.posted) != 1 || len(w.sent) != 0 {
		t.Errorf("disabled, and %v come again, %d requests, %d messages", got, len(w.posted), len(w.sent))
	}
}

func TestWork_LastTry_IsPutAside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.endpoint("acme", "down.example", 500)
	m := w.to("a", e)
	w.clock = w.clock.Add(80 * time.Hour)
	if got := w.works(m); len(got) != 0 || len(w.asideOf) != 1 || w.asideOf[0].Message != "evt_a" {
		t.Errorf("%v come again, aside %+v", got, w.asideOf)
	}
}

func TestWork_Event_IsOneMessageForEachEndpointThatWantsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.endpoint(tenant.Deployment, "all.example", 204)
	w.endpoint("acme", "own.example", 204)
	w.endpoint("globex", "foreign.example", 204)
	if got := w.works(w.event("a", "acme")); len(got) != 0 || len(w.sent) != 2 {
		t.Errorf("%v come again, %+v", got, w.sent)
	}
	w.refuse = errors.New("SQS is down")
	if got := w.works(w.event("b", "acme")); !slices.Equal(got, []string{"b"}) {
		t.Errorf("%v come again: an event that reached nobody was dropped", got)
	}
}

// A deployment without webhooks pays no query for each event, and a new webhook is heard of within noneFor.
func TestWork_NoEndpoints_CostsTwoQueriesPerHalfMinuteAndNotPerEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 100 {
		w.works(w.event("a", "acme"))
	}
	if len(w.listed) != 2 {
		t.Errorf("100 events cost %d queries", len(w.listed))
	}
	w.clock = w.clock.Add(noneFor - time.Second)
	e := w.endpoint("acme", "new.example", 204) // made by another process: this one is not told
	w.works(w.event("b", "acme"))
	if len(w.listed) != 0 || len(w.sent) != 0 {
		t.Errorf("%d queries, %d messages within the half minute", len(w.listed), len(w.sent))
	}
	w.clock = w.clock.Add(time.Second)
	w.works(w.event("c", "acme"))
	w.works(w.event("d", "acme"))
	if len(w.sent) != 2 || w.sent[0].Endpoint != e.ID || len(w.listed) != 3 { // the deployment's once, acme's each time: it has one
		t.Errorf("%d messages, %v listed", len(w.sent), w.listed)
	}
}

func TestWork_OwnProcessMadeTheFirstEndpoint_HearsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.works(w.event("a", "acme"))
	w.endpoint("acme", "new.example", 204)
	w.none.forget("acme") // what the route does
	w.works(w.event("b", "acme"))
	if len(w.sent) != 1 {
		t.Errorf("%d messages", len(w.sent))
	}
}

func TestNone_ManyOwners_MemoryIsBounded(t *testing.T) {
	t.Parallel()
	n, at := newNone(), time.Unix(0, 0)
	for i := range 3 * maxNone {
		n.note(tenant.ID("t"+string(rune('a'+i%26))+time.Duration(i).String()), at)
	}
	if len(n.until) > maxNone {
		t.Errorf("%d owners kept", len(n.until))
	}
}
