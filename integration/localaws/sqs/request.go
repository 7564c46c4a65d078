package sqs

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
	"behalf.dev/behalf/integration/localaws/iam"
)

// Request is one decoded SQS call.
type Request struct {
	op string
	q  params
}

// entry is one member of a batch; a single call is an entry too.
type entry struct {
	ID                      string `json:"Id"`
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]Attribute
	MessageSystemAttributes map[string]Attribute
	MessageGroupID          string `json:"MessageGroupId"`
	MessageDeduplicationID  string `json:"MessageDeduplicationId"`
	ReceiptHandle           string
	VisibilityTimeout       *int
}

type params struct {
	entry
	QueueName, QueueURL         string
	Attributes                  map[string]string
	AttributeNames              []string
	MessageAttributeNames       []string
	MessageSystemAttributeNames []string
	MaxNumberOfMessages         int
	WaitTimeSeconds             *int
	Entries                     []entry
	Tags                        map[string]string `json:"tags"`
}

// Parse decodes the body of an operation.
func Parse(op string, body []byte) (*Request, error) {
	r := &Request{op: op}
	if err := json.Unmarshal(body, &r.q); err != nil {
		return nil, awserr.New("SerializationException", "%v", err)
	}
	if r.q.MessageDeduplicationID != "" || strings.HasSuffix(r.q.QueueName, ".fifo") {
		return nil, awserr.Unknown("FIFO queues")
	}
	return r, nil
}

func (r *Request) queueName() string {
	if r.q.QueueName != "" {
		return r.q.QueueName
	}
	return r.q.QueueURL[strings.LastIndexByte(r.q.QueueURL, '/')+1:]
}

// Access lists what IAM must allow; batches need the action of the single call.
func (s *Service) Access(r *Request) []iam.Check {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := iam.Check{Action: "sqs:" + strings.TrimSuffix(r.op, "Batch"), Resource: "arn:aws:sqs:" + s.opt.Region + ":" + s.opt.Account + ":" + r.queueName()}
	if q := s.queues[r.queueName()]; q != nil {
		c.Policy = q.policy
	}
	return []iam.Check{c}
}

// NotFound is the error for a queue that does not exist.
func notFound() error {
	return awserr.New("com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.")
}

func invalidAttribute(name string) error {
	return awserr.New("com.amazonaws.sqs#InvalidAttributeValue", "Invalid value for the parameter %s.", name)
}

// Run executes a request; ctx ends a long poll early.
func (s *Service) Run(ctx context.Context, r *Request) (any, error) {
	if r.op == "ReceiveMessage" {
		return s.receive(ctx, r)
	}
	s.mu.Lock()
	out, arrived, err := s.run(r)
	s.mu.Unlock()
	if arrived {
		s.opt.Changed()
	}
	return out, err
}

func (s *Service) run(r *Request) (out any, arrived bool, err error) {
	if r.op == "CreateQueue" {
		q, err := s.create(r.q.QueueName, r.q.Attributes)
		if err != nil {
			return nil, false, err
		}
		return map[string]any{"QueueUrl": q.url}, false, nil
	}
	q := s.queues[r.queueName()]
	if q == nil {
		return nil, false, notFound()
	}
	switch r.op {
	case "GetQueueUrl":
		out = map[string]any{"QueueUrl": q.url}
	case "GetQueueAttributes":
		out = map[string]any{"Attributes": s.describe(q, r.q.AttributeNames)}
	case "SetQueueAttributes":
		err = q.set(r.q.Attributes)
		s.opt.Journal("queue", queueRecord{q.name, q.attrs})
		out = map[string]any{}
	case "PurgeQueue":
		for len(q.messages) > 0 {
			s.opt.Journal("gone", goneRecord{q.name, q.messages[0].ID})
			q.messages = q.messages[1:]
		}
		out = map[string]any{}
	case "SendMessage":
		arrived = true
		out, err = s.send(q, r.q.entry)
	case "DeleteMessage":
		s.drop(q, r.q.ReceiptHandle)
		out = map[string]any{}
	case "ChangeMessageVisibility":
		arrived = true
		err = s.hide(q, r.q.entry)
		out = map[string]any{}
	case "SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch":
		arrived = true
		out, err = s.batch(q, r)
	default:
		err = awserr.Unknown("sqs:" + r.op)
	}
	return out, arrived, err
}

func (s *Service) describe(q *queue, names []string) map[string]string {
	visible, hidden, delayed := q.counts(s.opt.Now())
	all := map[string]string{
		"QueueArn": q.arn, "VisibilityTimeout": "30", "DelaySeconds": "0", "MaximumMessageSize": "262144",
		"MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0",
		"ApproximateNumberOfMessages": strconv.Itoa(visible), "ApproximateNumberOfMessagesNotVisible": strconv.Itoa(hidden),
		"ApproximateNumberOfMessagesDelayed": strconv.Itoa(delayed),
	}
	for k, v := range q.attrs {
		all[k] = v
	}
	out := map[string]string{}
	for _, n := range names {
		if n == "All" {
			return all
		}
		if v, ok := all[n]; ok {
			out[n] = v
		}
	}
	return out
}

// batch runs each entry of a batch call on its own.
func (s *Service) batch(q *queue, r *Request) (any, error) {
	if n := len(r.q.Entries); n == 0 || n > 10 {
		return nil, awserr.New("com.amazonaws.sqs#TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", n)
	}
	ok, failed := []any{}, []any{}
	for _, e := range r.q.Entries {
		one := map[string]any{}
		var err error
		switch r.op {
		case "SendMessageBatch":
			one, err = s.send(q, e)
		case "DeleteMessageBatch":
			s.drop(q, e.ReceiptHandle)
		default:
			err = s.hide(q, e)
		}
		if ae, bad := err.(*awserr.Error); bad {
			failed = append(failed, map[string]any{"Id": e.ID, "Code": ae.Code, "Message": ae.Message, "SenderFault": true})
			continue
		}
		one["Id"] = e.ID
		ok = append(ok, one)
	}
	return map[string]any{"Successful": ok, "Failed": failed}, nil
}

func (s *Service) hide(q *queue, e entry) error {
	if e.VisibilityTimeout == nil || *e.VisibilityTimeout < 0 || *e.VisibilityTimeout > 43200 {
		return awserr.New("com.amazonaws.sqs#InvalidParameterValue", "Value for parameter VisibilityTimeout is invalid.")
	}
	for _, m := range q.messages {
		if m.Receipt == e.ReceiptHandle && m.Receipt != "" {
			m.Visible = s.opt.Now().Add(time.Duration(*e.VisibilityTimeout) * time.Second)
			s.opt.Journal("message", messageRecord{q.name, m})
			return nil
		}
	}
	return awserr.New("com.amazonaws.sqs#MessageNotInflight", "Message is not in flight.")
}
