package awssqs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"behalf.dev/behalf/shared/awssqs"
)

// batches is a queue that answers SendMessageBatch as SQS does.
type batches struct {
	sizes []int
	taken map[string]int // by body
	// refuse says what SQS answers about a body: "" takes it.
	refuse func(request int, body string) (code string, sender bool)
}

// ServeHTTP implements http.Handler.
func (b *batches) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	type failure struct {
		ID          string `json:"Id"`
		Code        string
		SenderFault bool
	}
	var q struct {
		Entries []struct{ ID, MessageBody string }
	}
	var out struct {
		Successful []map[string]string
		Failed     []failure
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessageBatch" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.sizes = append(b.sizes, len(q.Entries))
	for _, e := range q.Entries {
		if code, sender := b.refuse(len(b.sizes), e.MessageBody); code != "" {
			out.Failed = append(out.Failed, failure{e.ID, code, sender})
			continue
		}
		b.taken[e.MessageBody]++
		out.Successful = append(out.Successful, map[string]string{"Id": e.ID})
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(out)
}

func queue(t *testing.T, refuse func(int, string) (string, bool)) (*awssqs.Queue, *batches) {
	t.Helper()
	b := &batches{taken: map[string]int{}, refuse: refuse}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	c := sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), DisableMessageChecksumValidation: true, RetryMaxAttempts: 1})
	return awssqs.New(c, s.URL+"/000000000000/q"), b
}

func bodies(n, size int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = fmt.Sprintf("%04d", i) + strings.Repeat("x", size)
	}
	return out
}

func TestSendAll_TenToARequest_AndNoMoreBytesThanSQSTakes(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		messages []any
		want     []int
	}{
		"none":  {nil, nil},
		"small": {bodies(23, 1), []int{10, 10, 3}},
		"large": {bodies(5, 100_000), []int{2, 2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, b := queue(t, func(int, string) (string, bool) { return "", false })
			if err := q.SendAll(t.Context(), x.messages); err != nil || fmt.Sprint(b.sizes) != fmt.Sprint(x.want) || len(b.taken) != len(x.messages) {
				t.Errorf("%v in %v, %v", len(b.taken), b.sizes, err)
			}
		})
	}
}

func TestSendAll_SomeEntriesFail_OnlyThoseAreSentAgain(t *testing.T) {
	t.Parallel()
	q, b := queue(t, func(request int, body string) (string, bool) {
		if request == 1 && strings.HasPrefix(body, `"000`) && body < `"0003` {
			return "InternalError", false
		}
		return "", false
	})
	if err := q.SendAll(t.Context(), bodies(12, 0)); err != nil || fmt.Sprint(b.sizes) != "[10 3 2]" {
		t.Errorf("requests of %v, %v", b.sizes, err)
	}
	for body, n := range b.taken {
		if n != 1 || len(b.taken) != 12 {
			t.Errorf("%s is there %d times", body, n)
		}
	}
}

func TestSendAll_EntriesKeepFailing_IsSaidAndTheOthersAreSent(t *testing.T) {
	t.Parallel()
	for name, sender := range map[string]bool{"theirs": false, "ours": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, b := queue(t, func(_ int, body string) (string, bool) {
				if body == `"0001"` {
					return "Bad", sender
				}
				return "", false
			})
			err := q.SendAll(t.Context(), bodies(12, 0))
			tries := map[bool]int{true: 1, false: 3}[sender]
			if err == nil || !strings.Contains(err.Error(), "1 messages not taken: Bad") || len(b.taken) != 11 || len(b.sizes) != tries+1 {
				t.Errorf("%v; %d taken in requests of %v", err, len(b.taken), b.sizes)
			}
		})
	}
}

func TestSendAll_NoAnswer_IsSaid(t *testing.T) {
	t.Parallel()
	c := sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), RetryMaxAttempts: 1})
	if err := awssqs.New(c, "http://127.0.0.1:1/000000000000/q").SendAll(t.Context(), bodies(1, 0)); err == nil {
		t.Error("no error")
	}
}
