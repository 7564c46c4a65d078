package sqs

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// maxBody is the size limit of a message in bytes.
const maxBody = 262144

func (s *Service) send(q *queue, e entry) (map[string]any, error) {
	if e.MessageBody == "" {
		return nil, awserr.New("com.amazonaws.sqs#MissingParameter", "The request must contain the parameter MessageBody.")
	}
	if len(e.MessageBody) > maxBody {
		return nil, awserr.New("com.amazonaws.sqs#InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes.")
	}
	delay := q.seconds("DelaySeconds", 0)
	if e.DelaySeconds != nil {
		if *e.DelaySeconds < 0 || *e.DelaySeconds > 900 {
			return nil, awserr.New("com.amazonaws.sqs#InvalidParameterValue", "Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", *e.DelaySeconds)
		}
		delay = time.Duration(*e.DelaySeconds) * time.Second
	}
	now := s.opt.Now()
	m := &Message{ID: newID(), Body: e.MessageBody, Attributes: e.MessageAttributes, System: e.MessageSystemAttributes, Sent: now, Visible: now.Add(delay)}
	s.push(q, m)
	out := map[string]any{"MessageId": m.ID, "MD5OfMessageBody": md5Hex([]byte(m.Body))}
	if len(m.Attributes) > 0 {
		out["MD5OfMessageAttributes"] = md5Hex(attributeBytes(m.Attributes))
	}
	return out, nil
}

// MD5 of the body, in hexadecimal; SDKs compare it.
func md5Hex(b []byte) string {
	sum := md5.Sum(b) //nolint:gosec // a checksum that the protocol prescribes
	return hex.EncodeToString(sum[:])
}

// attributeBytes is the encoding whose MD5 SQS reports (SQS Developer Guide, "Calculating the
// MD5 message digest for message attributes").
func attributeBytes(attrs map[string]Attribute) []byte {
	var b []byte
	put := func(s []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		a := attrs[name]
		put([]byte(name))
		put([]byte(a.DataType))
		if strings.HasPrefix(a.DataType, "Binary") {
			b = append(b, 2)
			put(a.BinaryValue)
		} else {
			b = append(b, 1)
			put([]byte(a.StringValue))
		}
	}
	return b
}

// look is how often a waiting receiver looks again without being woken.
const look = 20 * time.Millisecond

func (s *Service) receive(ctx context.Context, r *Request) (any, error) {
	n := max(1, r.q.MaxNumberOfMessages)
	if n > 10 {
		return nil, awserr.New("com.amazonaws.sqs#InvalidParameterValue", "Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", n)
	}
	var deadline time.Time
	for {
		s.mu.Lock()
		q := s.queues[r.queueName()]
		if q == nil {
			s.mu.Unlock()
			return nil, notFound()
		}
		if deadline.IsZero() {
			wait := q.seconds("ReceiveMessageWaitTimeSeconds", 0)
			if r.q.WaitTimeSeconds != nil {
				wait = time.Duration(*r.q.WaitTimeSeconds) * time.Second
			}
			deadline = s.opt.Now().Add(wait)
		}
		hide := q.seconds("VisibilityTimeout", 30)
		if r.q.VisibilityTimeout != nil {
			hide = time.Duration(*r.q.VisibilityTimeout) * time.Second
		}
		got := s.take(q, n, hide)
		wake := s.wake
		s.mu.Unlock()
		if len(got) > 0 || !s.opt.Now().Before(deadline) {
			return s.answer(r, got), nil
		}
		select {
		case <-ctx.Done():
			return map[string]any{}, nil
		case <-wake:
		case <-time.After(look):
		}
	}
}

func (s *Service) answer(r *Request, got []Message) any {
	if len(got) == 0 {
		return map[string]any{}
	}
	out := make([]map[string]any, 0, len(got))
	for _, m := range got {
		one := map[string]any{"MessageId": m.ID, "ReceiptHandle": m.Receipt, "Body": m.Body, "MD5OfBody": md5Hex([]byte(m.Body))}
		if attrs := pickAttributes(m.SystemAttributes(), append(r.q.AttributeNames, r.q.MessageSystemAttributeNames...)); len(attrs) > 0 {
			one["Attributes"] = attrs
		}
		if attrs := pickAttributes(m.Attributes, r.q.MessageAttributeNames); len(attrs) > 0 {
			one["MessageAttributes"], one["MD5OfMessageAttributes"] = attrs, md5Hex(attributeBytes(attrs))
		}
		out = append(out, one)
	}
	return map[string]any{"Messages": out}
}

// pickAttributes keeps what the caller asked for: "All", ".*", "prefix.*" or a name.
func pickAttributes[V any](all map[string]V, names []string) map[string]V {
	out := map[string]V{}
	for k, v := range all {
		for _, n := range names {
			prefix, many := strings.CutSuffix(n, ".*")
			if n == "All" || n == k || many && strings.HasPrefix(k, prefix) {
				out[k] = v
			}
		}
	}
	return out
}

// SystemAttributes are the attributes that SQS itself adds to a received message.
func (m *Message) SystemAttributes() map[string]string {
	out := map[string]string{
		"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
		"SentTimestamp":                    strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.First.UnixMilli(), 10),
		"SenderId":                         "local",
	}
	if m.Source != "" {
		out["DeadLetterQueueSourceArn"] = m.Source
	}
	for k, v := range m.System {
		out[k] = v.StringValue
	}
	return out
}

// MD5 is the sum of the body in hexadecimal.
func (m *Message) MD5() string { return md5Hex([]byte(m.Body)) }
