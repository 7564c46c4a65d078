package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	contract "behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/tenant"
)

// record is the body of a message: an event as EventBridge hands it over, or a contract.WebhookWork.
type record struct {
	Source     string          `json:"source"`
	DetailType contract.Type   `json:"detail-type"`
	Detail     json.RawMessage `json:"detail"`
	contract.WebhookWork
}

// Queue is the webhook queue; awssqs.Queue implements it.
type Queue interface {
	// SendFairly queues a message so that many of one group do not hold up other groups.
	SendFairly(ctx context.Context, message any, group string) error
	// Hide puts a message that is being worked on off for a while.
	Hide(ctx context.Context, receipt string, d time.Duration) error
}

// Sender queues one message; awssqs.Queue implements it.
type Sender interface {
	Send(ctx context.Context, message any, delay time.Duration) error
}

// worker works off the queue.
type worker struct {
	// service works with credentials of one owner.
	service func(ctx context.Context, owner tenant.ID) (*notify.Service, error)
	queue   Queue
	dead    Sender
	none    *none
	log     *slog.Logger
	counted *slog.Logger // its lines are counted by stage
	now     func() time.Time
}

// work takes a batch of the queue. All messages are worked on at once, so that a receiver that does not answer holds up nobody
// else of the batch by more than the ten seconds it is given.
func (f *worker) work(ctx context.Context, batch events.SQSEvent) events.SQSEventResponse {
	var all sync.WaitGroup
	tries := &trail{all: map[target][]notify.Try{}}
	failed := make([]bool, len(batch.Records))
	for i, m := range batch.Records {
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					f.log.ErrorContext(ctx, "panic", "value", fmt.Sprint(p), "message", m.MessageId)
					failed[i] = true
				}
			}()
			failed[i] = !f.one(ctx, m, tries)
		})
	}
	all.Wait()
	f.keep(ctx, tries)
	var out events.SQSEventResponse
	for i, m := range batch.Records {
		if failed[i] {
			out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		}
	}
	return out
}

// one works on one message and reports whether it is done with.
func (f *worker) one(ctx context.Context, m events.SQSMessage, tries *trail) bool {
	var r record
	err := json.Unmarshal([]byte(m.Body), &r)
	again := time.Duration(0)
	switch {
	case err != nil:
	case r.DetailType != "":
		err = f.spread(ctx, r)
	default:
		again, err = f.deliver(ctx, r.WebhookWork, tries)
	}
	if err != nil {
		again = ours(m)
		f.log.WarnContext(ctx, "webhook message comes again", "message", m.MessageId, "error", err)
	}
	if again == 0 {
		return true
	}
	if err := f.queue.Hide(ctx, m.ReceiptHandle, again); err != nil {
		f.log.WarnContext(ctx, "webhook message not put off; it comes again sooner", "message", m.MessageId, "error", err)
	}
	return false
}

// ours is how long a message waits after a failure on our own side: from 5 seconds, doubling, to 15 minutes.
func ours(m events.SQSMessage) time.Duration {
	received, _ := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	return min(5*time.Second<<min(max(received-1, 0), 10), 15*time.Minute)
}

// spread makes one message for each endpoint that wants an event. If some could not be queued the event comes again, and those
// that were get it twice, under the same id.
func (f *worker) spread(ctx context.Context, r record) error {
	var head contract.Head
	if err := json.Unmarshal(r.Detail, &head); err != nil || r.Source != contract.Source || head.ID == "" {
		return errors.New("the message is no event of ours")
	}
	owners := []tenant.ID{tenant.Deployment}
	if t := tenant.ID(head.Tenant); t != tenant.Deployment {
		id, err := tenant.Parse("tenant", head.Tenant)
		if err != nil {
			return fmt.Errorf("read event %s: %w", head.ID, err)
		}
		owners = append(owners, id)
	}
	for _, owner := range owners {
		if f.none.known(owner, f.now()) {
			continue
		}
		endpoints, err := f.endpoints(ctx, owner)
		if err != nil {
			return fmt.Errorf("list the webhooks of %s: %w", owner, err)
		}
		for _, w := range notify.Select(endpoints, r.DetailType, head, r.Detail, f.now().UTC()) {
			if err := f.queue.SendFairly(ctx, w, w.Endpoint); err != nil {
				return err
			}
		}
	}
	return nil
}

// endpoints lists those of one owner, and remembers for a while that there are none.
func (f *worker) endpoints(ctx context.Context, owner tenant.ID) ([]notify.Endpoint, error) {
	s, err := f.service(ctx, owner)
	if err != nil {
		return nil, err
	}
	began := f.now()
	all, err := s.Endpoints.Endpoints(ctx, owner)
	if err == nil && len(all) == 0 {
		f.none.note(owner, began)
	}
	return all, err
}

// deliver tries a message once and says after what time it comes again; 0 is never.
func (f *worker) deliver(ctx context.Context, w contract.WebhookWork, tries *trail) (again time.Duration, err error) {
	owner := tenant.ID(w.Owner)
	if owner != tenant.Deployment {
		if owner, err = tenant.Parse("owner", w.Owner); err != nil {
			return 0, err
		}
	}
	ctx = awslambda.With(ctx, awslambda.Fields{Tenant: string(owner)})
	s, err := f.service(ctx, owner)
	if err != nil {
		return 0, err
	}
	r, err := s.Deliver(ctx, w)
	if err != nil {
		return 0, err
	}
	if r.Try == nil {
		return 0, nil
	}
	tries.add(target{owner, w.Endpoint}, *r.Try)
	if r.Dead {
		f.counted.ErrorContext(ctx, "webhook given up", "webhook", w.Endpoint, "message_id", w.Message, "reason", r.Try.Reason)
		if err := f.dead.Send(ctx, w, 0); err != nil {
			return 0, fmt.Errorf("put %s aside: %w", w.Message, err)
		}
	}
	return r.Wait, nil
}

// target is one endpoint.
type target struct {
	owner tenant.ID
	id    string
}

// trail collects the tries of a batch, so that an endpoint's row is written once for all of them.
type trail struct {
	mu  sync.Mutex
	all map[target][]notify.Try
}

func (t *trail) add(to target, try notify.Try) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all[to] = append(t.all[to], try)
}

// keep stores what became of the tries. It is there to be looked at: losing some when an endpoint is very busy is no reason to
// deliver anything again.
func (f *worker) keep(ctx context.Context, tries *trail) {
	for _, to := range slices.SortedFunc(maps.Keys(tries.all), func(a, b target) int { return len(tries.all[b]) - len(tries.all[a]) }) {
		s, err := f.service(ctx, to.owner)
		if err == nil {
			err = s.Trail.AddTries(ctx, to.owner, to.id, tries.all[to])
		}
		if err != nil && !fault.Is(err, fault.Conflict) {
			f.log.WarnContext(ctx, "tries not kept", "webhook", to.id, "error", err)
		}
	}
}
