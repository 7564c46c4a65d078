package sqs

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"behalf.dev/behalf/integration/localaws/iam"
)

// Attribute is a message attribute (string or binary).
type Attribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

// Message is one message in a queue.
type Message struct {
	ID         string
	Body       string
	Attributes map[string]Attribute `json:",omitempty"`
	System     map[string]Attribute `json:",omitempty"`
	Sent       time.Time
	Visible    time.Time // from when it may be received
	First      time.Time // first receipt, zero before
	Receives   int
	Receipt    string // of the latest receipt, empty before
	Source     string // ARN of the queue it was redriven from
}

// queue is one queue; guarded by Service.mu.
type queue struct {
	name, url, arn string
	attrs          map[string]string
	policy         *iam.Policy
	messages       []*Message // oldest first
}

func (q *queue) seconds(attr string, fallback int) time.Duration {
	if n, err := strconv.Atoi(q.attrs[attr]); err == nil {
		fallback = n
	}
	return time.Duration(fallback) * time.Second
}

// redrive returns the dead-letter queue and after how many receipts a message goes there.
func (q *queue) redrive() (arn string, after int) {
	var p struct {
		DeadLetterTargetArn string      `json:"deadLetterTargetArn"`
		MaxReceiveCount     json.Number `json:"maxReceiveCount"`
	}
	doc := q.attrs["RedrivePolicy"]
	if doc == "" || json.Unmarshal([]byte(doc), &p) != nil {
		return "", 0
	}
	n, _ := p.MaxReceiveCount.Int64() // not a number means no redrive
	return p.DeadLetterTargetArn, int(n)
}

// Options configure a Service.
type Options struct {
	Now                      func() time.Time
	Region, Account, BaseURL string
	Journal                  func(kind string, record any) // nil for none; called under the lock
	Changed                  func()                        // called after a message arrived, without a lock
}

// Service is a set of queues. It is safe for concurrent use.
type Service struct {
	opt    Options
	mu     sync.Mutex
	queues map[string]*queue // by name
	wake   chan struct{}     // closed and replaced when a message arrives
}

// New returns a service without queues.
func New(o Options) *Service {
	if o.Journal == nil {
		o.Journal = func(string, any) {}
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	return &Service{opt: o, queues: map[string]*queue{}, wake: make(chan struct{})}
}

// Create makes a queue or updates the attributes of an existing one. It returns URL and ARN.
func (s *Service) Create(name string, attrs map[string]string) (url, arn string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.create(name, attrs)
	if err != nil {
		return "", "", err
	}
	return q.url, q.arn, nil
}

func (s *Service) create(name string, attrs map[string]string) (*queue, error) {
	q := s.queues[name]
	if q == nil {
		q = &queue{name: name, url: s.opt.BaseURL + "/" + s.opt.Account + "/" + name, attrs: map[string]string{},
			arn: "arn:aws:sqs:" + s.opt.Region + ":" + s.opt.Account + ":" + name}
	}
	if err := q.set(attrs); err != nil {
		return nil, err
	}
	s.queues[name] = q
	s.opt.Journal("queue", queueRecord{name, q.attrs})
	return q, nil
}

func (q *queue) set(attrs map[string]string) error {
	if doc, ok := attrs["Policy"]; ok {
		q.policy = nil
		if doc != "" {
			p, err := iam.Parse("queue policy of "+q.name, []byte(doc))
			if err != nil {
				return invalidAttribute("Policy")
			}
			q.policy = p
		}
	}
	for k, v := range attrs {
		q.attrs[k] = v
	}
	return nil
}

// push adds a message; the caller holds the lock.
func (s *Service) push(q *queue, m *Message) {
	q.messages = append(q.messages, m)
	s.opt.Journal("message", messageRecord{q.name, m})
	close(s.wake)
	s.wake = make(chan struct{})
}

// Send puts a body into the queue with an ARN, as EventBridge does. It reports whether the
// queue exists.
func (s *Service) Send(arn, body string) bool {
	s.mu.Lock()
	q := s.byARN(arn)
	if q != nil {
		now := s.opt.Now()
		s.push(q, &Message{ID: newID(), Body: body, Sent: now, Visible: now.Add(q.seconds("DelaySeconds", 0))})
	}
	s.mu.Unlock()
	if q != nil {
		s.opt.Changed()
	}
	return q != nil
}

func (s *Service) byARN(arn string) *queue {
	for _, q := range s.queues {
		if q.arn == arn {
			return q
		}
	}
	return nil
}

// take receives up to n visible messages and moves exhausted ones to the dead-letter queue;
// the caller holds the lock.
func (s *Service) take(q *queue, n int, hide time.Duration) []Message {
	now := s.opt.Now()
	target, after := q.redrive()
	var out []Message
	kept := make([]*Message, 0, len(q.messages))
	var dead []*Message
	for _, m := range q.messages {
		if len(out) == n || m.Visible.After(now) {
			kept = append(kept, m)
			continue
		}
		if after > 0 && m.Receives >= after && s.byARN(target) != nil {
			dead = append(dead, m)
			continue
		}
		m.Receives++
		m.Receipt, m.Visible = newID(), now.Add(hide)
		if m.First.IsZero() {
			m.First = now
		}
		s.opt.Journal("message", messageRecord{q.name, m})
		out = append(out, *m)
		kept = append(kept, m)
	}
	q.messages = kept
	for _, m := range dead {
		s.opt.Journal("gone", goneRecord{q.name, m.ID})
		m.Source, m.Visible, m.Receives, m.Receipt = q.arn, now, 0, ""
		s.push(s.byARN(target), m)
	}
	return out
}

// Receive takes up to n visible messages from the queue with an ARN and hides them for its
// visibility timeout. It is the reader of event source mappings.
func (s *Service) Receive(arn string, n int) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.byARN(arn)
	if q == nil {
		return nil
	}
	return s.take(q, n, q.seconds("VisibilityTimeout", 30))
}

// Delete removes messages by receipt.
func (s *Service) Delete(arn string, receipts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.byARN(arn); q != nil {
		for _, r := range receipts {
			s.drop(q, r)
		}
	}
}

func (s *Service) drop(q *queue, receipt string) {
	for i, m := range q.messages {
		if m.Receipt == receipt && receipt != "" {
			q.messages = append(q.messages[:i:i], q.messages[i+1:]...)
			s.opt.Journal("gone", goneRecord{q.name, m.ID})
			return
		}
	}
}

// Visible counts the messages of a queue that could be received now.
func (s *Service) Visible(arn string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.byARN(arn)
	if q == nil {
		return 0
	}
	visible, _, _ := q.counts(s.opt.Now())
	return visible
}

func (q *queue) counts(now time.Time) (visible, hidden, delayed int) {
	for _, m := range q.messages {
		switch {
		case !m.Visible.After(now):
			visible++
		case m.Receives > 0:
			hidden++
		default:
			delayed++
		}
	}
	return visible, hidden, delayed
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
