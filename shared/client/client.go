package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"behalf.dev/behalf/shared/secret"
)

// Defaults of the options.
const (
	defaultTimeout  = 60 * time.Second // above API Gateway's 29 s
	defaultAttempts = 3
	defaultMaxWait  = 30 * time.Second
)

// Client calls the API with an API key. It is safe for concurrent use. Make one with New.
type Client struct {
	base     string
	http     *http.Client
	key      secret.Text
	attempts int
	maxWait  time.Duration
	now      func() time.Time
	agent    string
}

// Option changes how a Client works.
type Option func(*Client)

// WithAPIKey authenticates with an API key (bhf_key_…). Without one only Session and the public calls work.
func WithAPIKey(key secret.Text) Option { return func(c *Client) { c.key = key } }

// WithHTTPClient sends requests through h, for proxies and tracing. Redirects are not followed whatever h says: no
// route redirects programs, and a credential must not travel. The default is a client with a timeout of 60 seconds.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) {
		own := *h
		c.http = &own
	}
}

// WithRetries bounds the repetition of GET requests: at most attempts in all (1 is no repetition, the default is 3),
// and none when the answer asks for a wait longer than maxWait (default 30 seconds).
func WithRetries(attempts int, maxWait time.Duration) Option {
	return func(c *Client) { c.attempts, c.maxWait = max(attempts, 1), maxWait }
}

// WithUserAgent sets the User-Agent header; the default is "behalf-go".
func WithUserAgent(s string) Option { return func(c *Client) { c.agent = s } }

// New returns a Client for the deployment at baseURL. It returns an error unless that is an absolute https URL; plain
// http is for loopback addresses, because requests carry credentials.
func New(baseURL string, opts ...Option) (*Client, error) {
	u, err := url.Parse(baseURL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("client: the base URL must be absolute, without credentials, query and fragment")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
	default:
		return nil, errors.New("client: the base URL must be https (http only for localhost): requests carry credentials")
	}
	c := &Client{base: strings.TrimRight(baseURL, "/"), http: &http.Client{Timeout: defaultTimeout}, attempts: defaultAttempts, maxWait: defaultMaxWait, now: time.Now, agent: "behalf-go"}
	for _, o := range opts {
		o(c)
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Page asks for one page of a list.
type Page struct {
	// Limit is how many items at most; zero leaves it to the API.
	Limit int
	// Cursor is that of the page before; empty starts the list.
	Cursor string
}

// Health returns nil while the control plane answers. It needs no credential.
func (c *Client) Health(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodGet, route: "/healthz", open: true}, nil)
}

// OpenAPI returns the deployment's OpenAPI 3.1 document. It needs no credential.
func (c *Client) OpenAPI(ctx context.Context) ([]byte, error) {
	return c.raw(ctx, call{method: http.MethodGet, route: "/openapi.json", open: true})
}

// JWKS returns the key set (RFC 7517) that session tokens are signed with. It needs no credential.
func (c *Client) JWKS(ctx context.Context) ([]byte, error) {
	return c.raw(ctx, call{method: http.MethodGet, route: "/.well-known/jwks.json", open: true})
}
