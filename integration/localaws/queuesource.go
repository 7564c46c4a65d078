package localaws

import (
	"context"
	"encoding/json"

	"behalf.dev/behalf/integration/localaws/sqs"
)

// pollQueue delivers one batch of a queue and deletes what was handled; the rest becomes
// visible again after the queue's visibility timeout.
func (a *AWS) pollQueue(ctx context.Context, s *source) (idle bool) {
	if !a.handled(s.FunctionARN) {
		return true
	}
	got := a.sqs.Receive(s.SourceARN, s.BatchSize)
	if len(got) == 0 {
		return true
	}
	got = a.filterMessages(s, got)
	if len(got) == 0 {
		return false
	}
	payload, err := json.Marshal(map[string]any{"Records": queueEvents(got, s.SourceARN, a.opt.Region)})
	if err != nil {
		a.opt.Logger.Error("encode queue batch", "error", err)
		return false
	}
	out, _, err := a.invoke(context.WithoutCancel(ctx), s.FunctionARN, payload)
	if err != nil {
		a.opt.Logger.Warn("queue batch failed", "function", s.FunctionARN, "messages", len(got), "error", err)
		return false
	}
	a.sqs.Delete(s.SourceARN, a.succeeded(s, got, out)...)
	return false
}

// filterMessages deletes messages that no filter wants, as Lambda does.
func (a *AWS) filterMessages(s *source, got []sqs.Message) []sqs.Message {
	if len(s.Filters) == 0 {
		return got
	}
	var kept []sqs.Message
	for _, m := range got {
		var body any = m.Body
		var decoded map[string]any
		if json.Unmarshal([]byte(m.Body), &decoded) == nil {
			body = decoded
		}
		b, err := json.Marshal(map[string]any{"messageId": m.ID, "body": body})
		if err == nil && s.matches(b) {
			kept = append(kept, m)
			continue
		}
		a.sqs.Delete(s.SourceARN, m.Receipt)
	}
	return kept
}

// succeeded lists the receipts to delete. An answer that names an unknown message fails the
// whole batch, as Lambda does.
func (a *AWS) succeeded(s *source, got []sqs.Message, out []byte) []string {
	failed := map[string]bool{}
	if s.ReportFailures {
		var ans batchAnswer
		if err := json.Unmarshal(out, &ans); err != nil && len(out) > 0 {
			return nil
		}
		for _, f := range ans.BatchItemFailures {
			failed[f.ItemIdentifier] = true
		}
	}
	var receipts []string
	for _, m := range got {
		if failed[m.ID] {
			delete(failed, m.ID)
			continue
		}
		receipts = append(receipts, m.Receipt)
	}
	if len(failed) > 0 {
		return nil
	}
	return receipts
}

// queueEvent is one record of an SQS event (Lambda Developer Guide, "Using Lambda with SQS").
type queueEvent struct {
	MessageID     string                    `json:"messageId"`
	ReceiptHandle string                    `json:"receiptHandle"`
	Body          string                    `json:"body"`
	MD5           string                    `json:"md5OfBody"`
	Attributes    map[string]string         `json:"attributes"`
	Message       map[string]queueAttribute `json:"messageAttributes"`
	Source        string                    `json:"eventSource"`
	SourceARN     string                    `json:"eventSourceARN"`
	Region        string                    `json:"awsRegion"`
}

type queueAttribute struct {
	StringValue string `json:"stringValue,omitempty"`
	BinaryValue []byte `json:"binaryValue,omitempty"`
	DataType    string `json:"dataType"`
}

func queueEvents(got []sqs.Message, arn, region string) []queueEvent {
	out := make([]queueEvent, 0, len(got))
	for i := range got {
		m := &got[i]
		e := queueEvent{MessageID: m.ID, ReceiptHandle: m.Receipt, Body: m.Body, MD5: m.MD5(), Attributes: m.SystemAttributes(),
			Message: map[string]queueAttribute{}, Source: "aws:sqs", SourceARN: arn, Region: region}
		for name, at := range m.Attributes {
			e.Message[name] = queueAttribute{at.StringValue, at.BinaryValue, at.DataType}
		}
		out = append(out, e)
	}
	return out
}
