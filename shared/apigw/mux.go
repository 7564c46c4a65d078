package apigw

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/fault"
)

// Response is an HTTP answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// Stream is a body that comes in pieces, on a route that streams; nil when Body is it. It is closed in any case.
	Stream io.ReadCloser
}

// JSON is an answer with v as its body.
func JSON(status int, v any) (*Response, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return &Response{Status: status, Header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}, Body: b}, nil
}

// Handler answers one route.
type Handler func(ctx context.Context, r *Request) (*Response, error)

// Mux is the HTTP side of a function.
type Mux struct {
	log      *slog.Logger
	handlers map[string]Handler
	render   func(r *Request, err error, requestID string) *Response
}

// NewMux returns a Mux over handlers by "METHOD /resource/{name}", as in Routes.
func NewMux(log *slog.Logger, handlers map[string]Handler) *Mux {
	return &Mux{log: log, handlers: handlers, render: problem}
}

// Render replaces how errors are rendered: SCIM and pages have formats of their own.
func (m *Mux) Render(f func(r *Request, err error, requestID string) *Response) *Mux {
	m.render = f
	return m
}

// Handle is the Lambda handler.
func (m *Mux) Handle(ctx context.Context, e events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	res, id := m.answer(ctx, e)
	return proxyResponse(res, id), nil
}

// answer is what the route's handler says, or its error as the caller is told.
func (m *Mux) answer(ctx context.Context, e events.APIGatewayProxyRequest) (res *Response, requestID string) {
	r := NewRequest(e)
	ctx = awslambda.With(ctx, awslambda.Fields{RequestID: r.ID(), Tenant: r.Authorizer(ctxTenant), Principal: r.Authorizer(ctxPrincipal)})
	res, err := m.route(ctx, r)
	if err != nil {
		m.logFailure(ctx, r, err)
		res = m.render(r, err, r.ID())
	}
	return res, r.ID()
}

func (m *Mux) route(ctx context.Context, r *Request) (res *Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			m.log.ErrorContext(ctx, "panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			res, err = nil, fault.From(fmt.Errorf("panic: %v", p))
		}
	}()
	h, ok := m.handlers[r.event.HTTPMethod+" "+r.event.Resource]
	if !ok {
		h, ok = m.handlers["ANY "+r.event.Resource]
	}
	if !ok {
		return nil, fault.New(fault.NotFound, "there is no %s %s; see /openapi.json", clip(r.event.HTTPMethod), clip(r.event.Path))
	}
	return h(ctx, r)
}

// logFailure writes what the caller is not told. Resource is the route's pattern: paths may hold link secrets.
func (m *Mux) logFailure(ctx context.Context, r *Request, err error) {
	level := slog.LevelInfo
	if fault.From(err).Code == fault.Internal {
		level = slog.LevelError
	}
	m.log.Log(ctx, level, "request refused", "method", r.event.HTTPMethod, "route", r.event.Resource, "code", fault.From(err).Code, "error", err)
}

func problem(_ *Request, err error, requestID string) *Response { return Problem(err, requestID) }

// Problem renders err as a problem document (RFC 9457).
func Problem(err error, requestID string) *Response {
	body, status := fault.Problem(err, requestID)
	h := http.Header{"Content-Type": {fault.ContentType}, "Cache-Control": {"no-store"}}
	if s := fault.RetrySeconds(fault.From(err)); s > 0 {
		h.Set("Retry-After", strconv.Itoa(s))
	}
	return &Response{Status: status, Header: h, Body: body}
}

// headersOf are the headers of an answer, with those that all have.
func headersOf(r *Response, requestID string) map[string][]string {
	h := map[string][]string{"X-Request-Id": {requestID}, "X-Content-Type-Options": {"nosniff"}, "Strict-Transport-Security": {"max-age=63072000; includeSubDomains"}, "Referrer-Policy": {"no-referrer"}}
	for k, v := range r.Header {
		h[k] = v
	}
	return h
}

func proxyResponse(r *Response, requestID string) events.APIGatewayProxyResponse {
	out := events.APIGatewayProxyResponse{StatusCode: r.Status, MultiValueHeaders: headersOf(r, requestID), Body: string(r.Body)}
	if !utf8.Valid(r.Body) {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(r.Body), true
	}
	return out
}
