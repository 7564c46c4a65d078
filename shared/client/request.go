package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// maxAnswer bounds an answer in bytes; Lambda's own limit is lower.
const maxAnswer = 32 << 20

// call is one request. route is the pattern of the API with {names}, and what errors show: the values may be secrets.
type call struct {
	method, route string
	params        []string
	query         url.Values
	body          any
	// token replaces the API key; open sends no credential.
	token secret.Text
	open  bool
}

func (k call) name() string { return k.method + " " + k.route }

// path fills the route's parameters in, in order. An empty one would name another resource, so it is an error.
func (k call) path() (string, error) {
	parts := strings.Split(k.route, "/")
	next := 0
	for i, p := range parts {
		if !strings.HasPrefix(p, "{") {
			continue
		}
		v := k.params[next]
		next++
		switch v {
		case "":
			return "", fault.Invalid(strings.Trim(p, "{}"), "%s: the %s is missing", k.name(), strings.Trim(p, "{}"))
		case ".", "..": // dot segments that servers and proxies would remove
			parts[i] = strings.ReplaceAll(v, ".", "%2E")
		default:
			parts[i] = url.PathEscape(v)
		}
	}
	return strings.Join(parts, "/"), nil
}

// answer is what came back, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends k and decodes the answer into out, unless that is nil.
func (c *Client) do(ctx context.Context, k call, out any) error {
	a, err := c.send(ctx, k)
	if err != nil || out == nil {
		return err
	}
	return decode(k, a, out)
}

func decode(k call, a answer, out any) error {
	if err := json.Unmarshal(a.body, out); err != nil {
		return fmt.Errorf("%s: the answer (status %d) is not the JSON that was expected", k.name(), a.status) // err may quote the body
	}
	return nil
}

func (c *Client) raw(ctx context.Context, k call) ([]byte, error) {
	a, err := c.send(ctx, k)
	return a.body, err
}

// get is do with a result.
func get[T any](ctx context.Context, c *Client, k call) (T, error) {
	var out T
	err := c.do(ctx, k, &out)
	return out, err
}

// send sends k, again where that is allowed, and turns any refusal into a *fault.Error.
func (c *Client) send(ctx context.Context, k call) (answer, error) {
	var body []byte
	if k.body != nil {
		var err error
		if body, err = json.Marshal(k.body); err != nil {
			return answer{}, fmt.Errorf("%s: encode the body: %w", k.name(), err)
		}
	}
	for attempt := 1; ; attempt++ {
		a, err := c.once(ctx, k, body)
		if err != nil {
			return a, err
		}
		if a.status >= 200 && a.status < 300 {
			return a, nil
		}
		wait, again := c.retryable(k, a)
		if !again || attempt >= c.attempts || !sleep(ctx, wait) {
			return answer{}, refusal(k, a, c.now())
		}
	}
}

// retryable tells whether the same request may be sent again, and after how long.
func (c *Client) retryable(k call, a answer) (time.Duration, bool) {
	if k.method != http.MethodGet || (a.status != http.StatusTooManyRequests && a.status != http.StatusServiceUnavailable) {
		return 0, false
	}
	wait := retryAfter(a.header, c.now())
	return wait, wait > 0 && wait <= c.maxWait
}

// sleep waits for d. It returns false at once if ctx ends before, and when it ends meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter reads seconds or a date (RFC 9110, section 10.2.3); zero when absent or unreadable.
func retryAfter(h http.Header, now time.Time) time.Duration {
	s := h.Get("Retry-After")
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 1<<30 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}

// once is one request and its whole answer.
func (c *Client) once(ctx context.Context, k call, body []byte) (answer, error) {
	sent := &atomic.Bool{}
	r, err := c.request(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}), k, body)
	if err != nil {
		return answer{}, err
	}
	res, err := c.http.Do(r)
	if err != nil {
		return answer{}, unanswered(k, sent.Load(), err)
	}
	return readAnswer(k, res)
}

// readAnswer reads and closes res.
func readAnswer(k call, res *http.Response) (answer, error) {
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return answer{}, unanswered(k, true, err)
	}
	if len(b) > maxAnswer {
		return answer{}, fmt.Errorf("%s: the answer is larger than %d bytes; ask for less (a limit, a filter)", k.name(), maxAnswer)
	}
	return answer{res.StatusCode, res.Header, b}, nil
}

func (c *Client) request(ctx context.Context, k call, body []byte) (*http.Request, error) {
	path, err := k.path()
	if err != nil {
		return nil, err
	}
	to := c.base + path
	if len(k.query) > 0 {
		to += "?" + k.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, k.method, to, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: the request cannot be built", k.name()) // err quotes the URL
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", c.agent)
	token := k.token
	if token.IsZero() {
		token = c.key
	}
	switch {
	case k.open:
	case token.IsZero():
		return nil, fault.New(fault.Unauthenticated, "%s needs a credential: make the client with WithAPIKey", k.name())
	default:
		r.Header.Set("Authorization", "Bearer "+string(token.Reveal(reveal.Key{})))
	}
	return r, nil
}

// unanswered classifies a request without an answer. net/http's errors quote the URL, which may hold a link's secret,
// so only their cause is kept.
func unanswered(k call, sent bool, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if sent && k.method == http.MethodPost {
		return fault.New(fault.OutcomeUnknown, "%s was sent and no answer came: it may or may not have been carried out", k.name()).WithCause(err)
	}
	return fmt.Errorf("%s: %w", k.name(), err)
}

// with builds a query from name, value pairs, leaving empty values out.
func with(pairs ...string) url.Values {
	q := url.Values{}
	for p := range slices.Chunk(pairs, 2) {
		if p[1] != "" {
			q.Set(p[0], p[1])
		}
	}
	return q
}

func (p Page) query(pairs ...string) url.Values {
	limit := ""
	if p.Limit != 0 {
		limit = strconv.Itoa(p.Limit)
	}
	return with(append(pairs, "limit", limit, "cursor", p.Cursor)...)
}
