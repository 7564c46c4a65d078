package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"github.com/aws/aws-lambda-go/lambda"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// replay answers AWS calls from memory once it has seen each of them: what remains in a benchmark is our code and the SDK's,
// without the embedded AWS and without the functions that a written row starts. Calls are told apart by service, operation
// and table order, which is enough for one execution made over and over.
type replay struct {
	next aws.HTTPClient
	// live passes everything through: the counter still counts.
	live  bool
	calls atomic.Int64

	mu   sync.Mutex
	kept map[string]canned
}

type canned struct {
	status int
	header http.Header
	body   []byte
}

// over is cfg with its calls counted, and answered from memory unless live.
func over(cfg aws.Config, live bool) (aws.Config, *replay) {
	r := &replay{next: cfg.HTTPClient, live: live, kept: map[string]canned{}}
	cfg.HTTPClient = r
	return cfg, r
}

// Do implements aws.HTTPClient.
func (r *replay) Do(q *http.Request) (*http.Response, error) {
	r.calls.Add(1)
	if r.live {
		return r.next.Do(q)
	}
	name := q.Header.Get("X-Amz-Target")
	r.mu.Lock()
	k, ok := r.kept[name]
	r.mu.Unlock()
	if !ok {
		res, err := r.next.Do(q)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, err
		}
		k = canned{res.StatusCode, res.Header, body}
		r.mu.Lock()
		r.kept[name] = k
		r.mu.Unlock()
	}
	if q.Body != nil {
		_, _ = io.Copy(io.Discard, q.Body)
		_ = q.Body.Close()
	}
	return &http.Response{StatusCode: k.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: k.header.Clone(), Body: io.NopCloser(bytes.NewReader(k.body)), ContentLength: int64(len(k.body)), Request: q}, nil
}

// invoker is a function's handler as Lambda calls it.
type invoker struct{ lambda.Handler }

func newInvoker(handle any) invoker { return invoker{lambda.NewHandler(handle)} }

// ok invokes and fails unless the answer is a 200.
func (i invoker) ok(ctx context.Context, payload []byte) error {
	out, err := i.Invoke(ctx, payload)
	if err == nil && !bytes.Contains(out, []byte(`"statusCode":200`)) {
		err = fmt.Errorf("%.500s", out)
	}
	return err
}
