package ddb

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// Retention of stream records: DynamoDB keeps 24 hours; the count bounds the memory of a benchmark.
const (
	streamAge   = 24 * time.Hour
	streamCount = 100_000
)

// stream is the change log of a table.
type stream struct {
	arn, label, view string
	seq              int64 // last sequence number given out
	records          []*Record
}

// Record is one change of an item as DynamoDB Streams shows it.
type Record struct {
	EventID      string            `json:"eventID"`
	EventName    string            `json:"eventName"`
	EventSource  string            `json:"eventSource"`
	EventVersion string            `json:"eventVersion"`
	AWSRegion    string            `json:"awsRegion"`
	Change       RecordChange      `json:"dynamodb"`
	UserIdentity map[string]string `json:"userIdentity,omitempty"`
	seq          int64
}

// RecordChange holds the images of a Record.
type RecordChange struct {
	Created  float64 `json:"ApproximateCreationDateTime"` // Unix seconds
	Keys     Item
	NewImage Item   `json:",omitempty"`
	OldImage Item   `json:",omitempty"`
	Sequence string `json:"SequenceNumber"`
	Size     int    `json:"SizeBytes"`
	View     string `json:"StreamViewType"`
}

func (s *stream) add(now time.Time, t *table, c change) {
	if c.old != nil && c.new != nil && (Value{Kind: M, M: c.old}).equal(Value{Kind: M, M: c.new}) {
		return // a write that changes nothing leaves no record
	}
	s.seq++
	r := &Record{EventID: uuid(), EventName: "MODIFY", EventSource: "aws:dynamodb", EventVersion: "1.1", seq: s.seq}
	r.AWSRegion = strings.Split(s.arn, ":")[3]
	r.Change = RecordChange{Created: float64(now.Unix()), Sequence: sequence(s.seq), View: s.view, Size: itemSize(c.old) + itemSize(c.new)}
	src := c.new
	switch {
	case c.old == nil:
		r.EventName = "INSERT"
	case c.new == nil:
		r.EventName, src = "REMOVE", c.old
	}
	if c.expired {
		r.UserIdentity = map[string]string{"type": "Service", "principalId": "dynamodb.amazonaws.com"}
	}
	r.Change.Keys = t.keyOf(src)
	if strings.HasPrefix(s.view, "NEW_") {
		r.Change.NewImage = c.new
	}
	if s.view == "OLD_IMAGE" || s.view == "NEW_AND_OLD_IMAGES" {
		r.Change.OldImage = c.old
	}
	s.records = append(s.records, r)
	s.trim(now)
}

func (s *stream) trim(now time.Time) {
	n := max(0, len(s.records)-streamCount)
	limit := float64(now.Add(-streamAge).Unix())
	for n < len(s.records) && s.records[n].Change.Created < limit {
		n++
	}
	if n > 0 {
		s.records = append([]*Record(nil), s.records[n:]...)
	}
}

// after returns up to limit records that follow a sequence number.
func (s *stream) after(seq int64, limit int) []*Record {
	i := len(s.records)
	for i > 0 && s.records[i-1].seq > seq {
		i--
	}
	return s.records[i:min(len(s.records), i+limit)]
}

// StreamAfter returns up to limit records of a table's stream after a sequence number, and
// the sequence number of the last one. It is the reader of event source mappings.
func (d *DB) StreamAfter(streamARN string, seq int64, limit int) ([]*Record, int64) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	s := d.streamByARN(streamARN)
	if s == nil {
		return nil, seq
	}
	recs := s.after(seq, limit)
	if len(recs) == 0 {
		return nil, seq
	}
	return append([]*Record(nil), recs...), recs[len(recs)-1].seq
}

// StreamARN returns the stream of a table, empty when it has none.
func (d *DB) StreamARN(table string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if t := d.tables[TableName(table)]; t != nil && t.stream != nil {
		return t.stream.arn
	}
	return ""
}

func (d *DB) streamByARN(arn string) *stream {
	if t := d.tables[TableName(arn)]; t != nil && t.stream != nil && t.stream.arn == arn {
		return t.stream
	}
	return nil
}

const shardID = "shardId-00000000000000000000-00000000"

// streamRequest is the union of the four stream operations' parameters.
type streamRequest struct {
	StreamArn, ShardIteratorType, SequenceNumber, ShardIterator, TableName string
	Limit                                                                  int
}

func (d *DB) streams(r *Request) (any, error) {
	var q streamRequest
	if err := json.Unmarshal(r.body, &q); err != nil {
		return nil, awserr.New("SerializationException", "%v", err)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if r.op == "ListStreams" {
		return d.listStreams(q.TableName), nil
	}
	if r.op == "GetRecords" {
		return d.getRecords(q)
	}
	s := d.streamByARN(q.StreamArn)
	if s == nil {
		return nil, awserr.New("ResourceNotFoundException", "Requested resource not found: Stream: %s not found", q.StreamArn)
	}
	if r.op == "DescribeStream" {
		first := sequence(1)
		return map[string]any{"StreamDescription": map[string]any{"StreamArn": s.arn, "StreamLabel": s.label, "StreamStatus": "ENABLED",
			"StreamViewType": s.view, "TableName": TableName(s.arn),
			"Shards": []any{map[string]any{"ShardId": shardID, "SequenceNumberRange": map[string]any{"StartingSequenceNumber": first}}}}}, nil
	}
	return d.shardIterator(s, q)
}

func (d *DB) shardIterator(s *stream, q streamRequest) (any, error) {
	n := int64(0)
	switch q.ShardIteratorType {
	case "LATEST":
		n = s.seq
	case "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER":
		v, err := strconv.ParseInt(q.SequenceNumber, 10, 64)
		if err != nil {
			return nil, awserr.Validation("Invalid SequenceNumber: %s", q.SequenceNumber)
		}
		if n = v; q.ShardIteratorType == "AT_SEQUENCE_NUMBER" {
			n--
		}
	case "TRIM_HORIZON":
	default:
		return nil, awserr.Validation("Invalid ShardIteratorType: %s", q.ShardIteratorType)
	}
	return map[string]any{"ShardIterator": s.arn + "|" + strconv.FormatInt(n, 10)}, nil
}

func (d *DB) getRecords(q streamRequest) (any, error) {
	arn, pos, _ := strings.Cut(q.ShardIterator, "|")
	n, err := strconv.ParseInt(pos, 10, 64)
	s := d.streamByARN(arn)
	if err != nil || s == nil {
		return nil, awserr.Validation("Invalid ShardIterator")
	}
	if q.Limit == 0 {
		q.Limit = 1000
	}
	recs := s.after(n, q.Limit)
	if len(recs) > 0 {
		n = recs[len(recs)-1].seq
	}
	if recs == nil {
		recs = []*Record{}
	}
	return map[string]any{"Records": recs, "NextShardIterator": arn + "|" + strconv.FormatInt(n, 10)}, nil
}

func (d *DB) listStreams(table string) any {
	out := []any{}
	for name, t := range d.tables {
		if t.stream != nil && (table == "" || table == name) {
			out = append(out, map[string]any{"StreamArn": t.stream.arn, "StreamLabel": t.stream.label, "TableName": name})
		}
	}
	return map[string]any{"Streams": out}
}

// Position is the record's sequence number, for StreamAfter.
func (r *Record) Position() int64 { return r.seq }
