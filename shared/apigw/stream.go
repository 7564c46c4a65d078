package apigw

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// StreamedType is the content type of what Lambda is given for API Gateway to stream.
const StreamedType = "application/vnd.awslambda.http-integration-response"

// Streams reports that API Gateway hands the route's answers on while they come. It does so for a whole route or not at
// all, and wants the answers in another form then (Streamed).
func (r Route) Streams() bool { return r.Path == "/v1/proxy/{connector}/{path+}" }

func streams(resource string) bool { return Route{Path: resource}.Streams() }

// bufferedTime is how long API Gateway waits for an answer in one piece. A function that streams is given longer by Lambda.
const bufferedTime = 29 * time.Second

// HandleStream is Handle for a function that has routes which stream: it answers them with *Streamed, others as Handle does.
func (m *Mux) HandleStream(ctx context.Context, e events.APIGatewayProxyRequest) (any, error) {
	if !streams(e.Resource) {
		ctx, cancel := context.WithTimeout(ctx, bufferedTime)
		defer cancel()
		return m.Handle(ctx, e)
	}
	res, id := m.answer(ctx, e)
	return newStreamed(res, id)
}

// Streamed is an answer that API Gateway streams: a JSON document with status and headers, eight NUL bytes, and the body as
// it is (API Gateway Developer Guide, "Lambda proxy integration format for response streaming"). The Lambda runtime reads
// it to its end and closes it. An error of Read reaches the client as a connection that broke off.
type Streamed struct {
	io.Reader
	body io.Closer
}

// Preamble is the head of a streamed answer.
type Preamble struct {
	StatusCode        int                 `json:"statusCode"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
}

// delimiter stands between the head and the body.
const delimiter = "\x00\x00\x00\x00\x00\x00\x00\x00"

func newStreamed(r *Response, requestID string) (*Streamed, error) {
	head, err := json.Marshal(Preamble{r.Status, headersOf(r, requestID)})
	if err != nil {
		return nil, fmt.Errorf("encode the answer's head: %w", err)
	}
	out := &Streamed{body: io.NopCloser(nil)}
	var body io.Reader = bytes.NewReader(r.Body)
	if r.Stream != nil {
		body, out.body = r.Stream, r.Stream
	}
	out.Reader = io.MultiReader(bytes.NewReader(append(head, delimiter...)), body)
	return out, nil
}

// ContentType tells the Lambda runtime what this is.
func (s *Streamed) ContentType() string { return StreamedType }

// Close ends the body.
func (s *Streamed) Close() error { return s.body.Close() }

// MarshalJSON fails: it is how the Lambda runtime finds out that this is to be read instead.
func (s *Streamed) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a streamed answer is read, not marshalled")
}

// maxPreamble bounds the head of a streamed answer in bytes; API Gateway's headers end sooner.
const maxPreamble = 64 << 10

// ReadPreamble reads the head of a streamed answer and leaves r at its body, as API Gateway does.
func ReadPreamble(r io.ByteReader) (Preamble, error) {
	var p Preamble
	var head []byte
	for nul := 0; nul < len(delimiter); {
		b, err := r.ReadByte()
		if err != nil {
			return p, fmt.Errorf("the answer ended within its head: %w", err)
		}
		if b == 0 {
			nul++
			continue
		}
		if nul > 0 || len(head) == maxPreamble {
			return p, errors.New("the answer has no proper head")
		}
		head = append(head, b)
	}
	if err := json.Unmarshal(head, &p); err != nil {
		return p, fmt.Errorf("read the answer's head: %w", err)
	}
	return p, nil
}
