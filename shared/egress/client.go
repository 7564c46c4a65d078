package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"behalf.dev/behalf/shared/fault"
)

// Options of a Client. Zero values are the production settings.
type Options struct {
	// AllowPrivate lets requests reach loopback and private addresses over plain HTTP: the local stack's emulators.
	AllowPrivate bool
	// MaxResponse caps an answer's body in bytes; default 5 MiB.
	MaxResponse int64
	// DialTimeout bounds connecting, TLS included; default 5 s.
	DialTimeout time.Duration
	// Roots are whom servers' certificates must come from; nil is what the machine trusts.
	Roots *x509.CertPool
	// Wrap, if set, wraps the guarded transport (tracing). It must not keep headers or bodies.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Client sends requests to providers. It is safe for concurrent use and keeps connections alive between calls.
type Client struct {
	http *http.Client
	max  int64
}

// Response is a provider's whole answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// ErrNotSent is in the chain of errors from requests that provably never left this machine, so that repeating them is
// safe even for writes.
var ErrNotSent = errors.New("the request was not sent")

// New returns a Client.
func New(o Options) *Client {
	if o.MaxResponse == 0 {
		o.MaxResponse = 5 << 20
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = 5 * time.Second
	}
	d := &net.Dialer{Timeout: o.DialTimeout, KeepAlive: 30 * time.Second}
	if !o.AllowPrivate {
		d.Control = control
	}
	transport := &http.Transport{
		DialContext: d.DialContext, Proxy: nil, ForceAttemptHTTP2: true, TLSHandshakeTimeout: o.DialTimeout,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots}, MaxIdleConns: 256, MaxIdleConnsPerHost: 128,
		IdleConnTimeout: 60 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
	var rt http.RoundTripper = &identities{plain: transport, with: func(cert tls.Certificate) http.RoundTripper {
		own := transport.Clone()
		own.TLSClientConfig.Certificates = []tls.Certificate{cert}
		own.MaxIdleConns, own.MaxIdleConnsPerHost = 8, 4
		return own
	}}
	if o.Wrap != nil {
		rt = o.Wrap(rt)
	}
	rt = &guarded{next: rt, plain: o.AllowPrivate, max: o.MaxResponse}
	return &Client{http: &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, max: o.MaxResponse}
}

// HTTP returns the guarded client for libraries that want an *http.Client (golang.org/x/oauth2).
func (c *Client) HTTP() *http.Client { return c.http }

// Do sends r and reads the whole answer. Deadlines come from r's context. It returns fault.ProviderError when no
// complete answer came; ErrNotSent is in the chain when nothing was sent.
func (c *Client) Do(r *http.Request) (Response, error) {
	sent := false
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent = true }}
	res, err := c.http.Do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err != nil {
		return Response{}, classify(anonymous(err), sent)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return Response{}, classify(err, true)
	}
	return Response{res.StatusCode, res.Header, body}, nil
}

// anonymous drops the URL from an error of net/http: a query may hold input, or a key where the provider wants it there,
// and causes are logged.
func anonymous(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// classify turns a transport error into a fault. The transport's own text names the address, so it stays in the cause.
func classify(err error, sent bool) error {
	var f *fault.Error
	if errors.As(err, &f) {
		if !sent {
			return fmt.Errorf("%w: %w", ErrNotSent, f)
		}
		return f
	}
	reason, msg := "no_answer", "the provider gave no answer"
	var nerr net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &nerr) && nerr.Timeout():
		reason, msg = "timeout", "the provider did not answer in time"
	case !sent:
		reason, msg = "unreachable", "the provider could not be reached"
	}
	out := fault.New(fault.ProviderError, "%s", msg).With("reason", reason).WithRetryAfter(5 * time.Second).WithCause(err)
	if !sent {
		return fmt.Errorf("%w: %w", ErrNotSent, out)
	}
	return out
}

// guarded refuses what must not leave and caps what comes back.
type guarded struct {
	next  http.RoundTripper
	plain bool
	max   int64
}

func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !g.plain || r.URL.User != nil {
		return nil, fault.New(fault.ProviderError, "refusing to call a provider without TLS").With("reason", "egress_refused")
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		r = once(r)
	}
	res, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = &capped{res.Body, g.max}
	return res, nil
}

// once keeps net/http from sending a write twice by itself: when a kept-alive connection breaks, it repeats requests that
// carry an Idempotency-Key header and a body it can rewind, and some providers ignore that header. A body that cannot
// be rewound stops it.
func once(r *http.Request) *http.Request {
	c := r.Clone(r.Context())
	c.GetBody = nil
	if c.Body == nil || c.Body == http.NoBody {
		c.Body = io.NopCloser(strings.NewReader(""))
	}
	return c
}

// capped fails, rather than truncates, past its limit.
type capped struct {
	io.ReadCloser
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.ReadCloser.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, fault.New(fault.ProviderError, "the provider's answer is too large; ask for less (a filter, a smaller page)").With("reason", "response_too_large")
	}
	return n, err
}
