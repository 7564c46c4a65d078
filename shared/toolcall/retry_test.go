package toolcall_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

// answers gives one answer after the other, the last one for ever.
func (w *world) answers(list ...func() (egress.Response, error)) {
	w.answer = func(*http.Request) (egress.Response, error) { return list[min(len(w.sent), len(list))-1]() }
}

func status(code int, header ...string) func() (egress.Response, error) {
	return func() (egress.Response, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return egress.Response{Status: code, Header: h, Body: []byte(`{"message":"m"}`)}, nil
	}
}

func broken(reason string, sent bool) func() (egress.Response, error) {
	return func() (egress.Response, error) {
		var err error = fault.New(fault.ProviderError, "no").With("reason", reason)
		if !sent {
			err = fmt.Errorf("%w: %w", egress.ErrNotSent, err)
		}
		return egress.Response{}, err
	}
}

// TestRun_Retries_OnlyWhereSafe: how often the provider is asked, by what it answers first.
func TestRun_Retries_OnlyWhereSafe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first       func() (egress.Response, error)
		read, write int // requests in all
		waited      time.Duration
	}{
		"503":                         {status(503), 2, 1, 0},
		"500":                         {status(500), 2, 1, 0},
		"502 from a gateway":          {status(502), 2, 1, 0},
		"429 with a short wait":       {status(429, "Retry-After", "2"), 2, 2, 2 * time.Second},
		"429 with a long wait":        {status(429, "Retry-After", "30"), 1, 1, 0},
		"403 that is a rate limit":    {status(403, "X-RateLimit-Remaining", "0"), 2, 2, 0},
		"403":                         {status(403), 1, 1, 0},
		"404":                         {status(404), 1, 1, 0},
		"never left":                  {broken("unreachable", false), 2, 2, 0},
		"refused by our own guard":    {broken("egress_refused", false), 1, 1, 0},
		"sent, connection then broke": {broken("no_answer", true), 2, 1, 0},
		"sent, no answer in time":     {broken("timeout", true), 1, 1, 0},
	} {
		for tool, want := range map[string]int{`github_get_authenticated_user`: c.read, `github_create_issue`: c.write} {
			w := newWorld(t)
			var waited time.Duration
			w.exec.Retries, w.exec.Jitter = toolcall.NewRetries(), func() float64 { return 0 }
			w.exec.Sleep = func(_ context.Context, d time.Duration) error { waited += d; return nil }
			w.answers(c.first, status(200))
			input := map[int]string{}
			input[0] = `{}`
			if tool == "github_create_issue" {
				input[0] = `{"owner":"a","repo":"b","title":"x"}`
			}
			_, err := w.run(tool, input[0], "")
			if len(w.sent) != want || (want == 2) != (err == nil) || want == 2 && waited != c.waited {
				t.Errorf("%s, %s: %d requests, waited %v, %v", name, tool, len(w.sent), waited, err)
			}
		}
	}
}

func TestRun_ProviderDown_RepetitionsAreABudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec.Retries, w.exec.Sleep = toolcall.NewRetries(), func(context.Context, time.Duration) error { return nil }
	w.answers(status(503))
	const calls = 200
	for range calls {
		if _, err := w.run("github_get_authenticated_user", `{}`, ""); !fault.Is(err, fault.ProviderError) {
			t.Fatal(err)
		}
	}
	if extra := len(w.sent) - calls; extra < 10 || extra > 10+calls/10 {
		t.Errorf("%d calls made %d requests", calls, len(w.sent))
	}
}

func TestRun_NoTimeLeft_NoRepetition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec.Retries, w.exec.Timeout = toolcall.NewRetries(), time.Second
	w.answers(status(503), status(200))
	if _, err := w.run("github_get_authenticated_user", `{}`, ""); err == nil || len(w.sent) != 1 {
		t.Errorf("%d requests, %v", len(w.sent), err)
	}
}
