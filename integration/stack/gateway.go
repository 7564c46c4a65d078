package stack

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/fault"
)

// invoker runs a function with a JSON payload, as Lambda does.
type invoker = localaws.Handler

// gateway plays API Gateway's REST API: it matches routes, asks the authorizer and calls functions with proxy events.
type gateway struct {
	routes    []route
	functions map[apigw.Function]invoker
	// streamers are those of them that can answer in pieces.
	streamers map[apigw.Function]streamer
	authorize invoker
	cache     authorizerCache
	newID     func() string
	log       *slog.Logger
	// public is the deployment's URL, which challenges name.
	public string
	// observe sees each answer, for what the local stack does on top (register OAuth clients at the emulators).
	observe func(r *http.Request, body []byte, res events.APIGatewayProxyResponse)
}

type route struct {
	apigw.Route
	parts []string
}

func compile(routes []apigw.Route) []route {
	out := make([]route, len(routes))
	for i, r := range routes {
		out[i] = route{r, strings.Split(r.Path, "/")}
	}
	return out
}

// match returns the path parameters, still escaped, if method and path are the route's.
func (r route) match(method string, path []string) (map[string]string, bool) {
	if r.Method != "ANY" && r.Method != method {
		return nil, false
	}
	params := map[string]string{}
	for i, p := range r.parts {
		if i >= len(path) {
			return nil, false
		}
		name, isParam := strings.CutPrefix(p, "{")
		name = strings.TrimSuffix(name, "}")
		if rest, greedy := strings.CutSuffix(name, "+"); isParam && greedy {
			params[rest] = strings.Join(path[i:], "/")
			return params, params[rest] != ""
		}
		if isParam && path[i] != "" {
			params[name] = path[i]
		} else if p != path[i] {
			return nil, false
		}
	}
	return params, len(path) == len(r.parts)
}

// find prefers a literal segment over a parameter, as API Gateway does; Routes has no other ambiguity.
func (g *gateway) find(method, escapedPath string) (route, map[string]string, bool) {
	path := strings.Split(escapedPath, "/")
	var best route
	var params map[string]string
	found := false
	for _, r := range g.routes {
		if p, ok := r.match(method, path); ok && (!found || len(p) < len(params)) {
			best, params, found = r, p, true
		}
	}
	return best, params, found
}

// maxRequest is API Gateway's payload limit in bytes.
const maxRequest = 10 << 20

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := g.newID()
	res, body, err := g.serve(w, r, id)
	if errors.Is(err, errStreamed) {
		return
	}
	if err != nil {
		doc, status := fault.Problem(err, id)
		h := map[string][]string{"Content-Type": {fault.ContentType}}
		if status == http.StatusUnauthorized {
			h["WWW-Authenticate"] = []string{apigw.Challenge(g.public, len(r.Header.Values("Authorization")) > 0)}
		}
		res = events.APIGatewayProxyResponse{StatusCode: status, MultiValueHeaders: h, Body: string(doc)}
	} else if g.observe != nil {
		g.observe(r, body, res)
	}
	write(w, res)
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request, id string) (events.APIGatewayProxyResponse, []byte, error) {
	var none events.APIGatewayProxyResponse
	rt, params, ok := g.find(r.Method, r.URL.EscapedPath())
	if !ok {
		return none, nil, fault.New(fault.NotFound, "there is no %s %.100s; GET /openapi.json describes what there is", r.Method, r.URL.EscapedPath())
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil { // URL.Query leaves out what it cannot read, and Only would not see it
		return none, nil, fault.New(fault.InvalidInput, "the query cannot be read")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil || len(body) > maxRequest {
		return none, nil, fault.New(fault.InvalidInput, "the body is larger than %d bytes", maxRequest)
	}
	e := proxyEvent(r, rt, params, body, id)
	if rt.Auth != apigw.None {
		if e.RequestContext.Authorizer, err = g.identify(r, rt, id); err != nil {
			return none, nil, err
		}
	}
	if rt.Streams() {
		return none, nil, g.stream(w, r, rt, e)
	}
	payload, err := json.Marshal(e)
	if err != nil {
		return none, nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), 29*time.Second)
	defer cancel()
	out, err := g.functions[rt.Function](awslambda.With(ctx, awslambda.Fields{RequestID: id}), payload)
	if err != nil {
		g.log.Error("function failed", "function", rt.Function, "error", err)
		return none, nil, err
	}
	var res events.APIGatewayProxyResponse
	return res, body, json.Unmarshal(out, &res)
}

func proxyEvent(r *http.Request, rt route, params map[string]string, body []byte, id string) events.APIGatewayProxyRequest {
	q := r.URL.Query()
	e := events.APIGatewayProxyRequest{Resource: rt.Path, Path: r.URL.Path, HTTPMethod: r.Method, MultiValueHeaders: r.Header, Headers: first(r.Header),
		MultiValueQueryStringParameters: q, QueryStringParameters: first(q), PathParameters: params,
		RequestContext: events.APIGatewayProxyRequestContext{RequestID: id, HTTPMethod: r.Method, ResourcePath: rt.Path, Stage: "local", Identity: events.APIGatewayRequestIdentity{SourceIP: "127.0.0.1"}}}
	if len(body) > 0 { // as with the binary media type */*
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

func first(m map[string][]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		if len(v) > 0 {
			out[k] = v[len(v)-1]
		}
	}
	return out
}

func write(w http.ResponseWriter, res events.APIGatewayProxyResponse) {
	for k, v := range res.MultiValueHeaders {
		w.Header()[http.CanonicalHeaderKey(k)] = v
	}
	for k, v := range res.Headers {
		w.Header().Set(k, v)
	}
	body := []byte(res.Body)
	if res.IsBase64Encoded {
		if b, err := base64.StdEncoding.DecodeString(res.Body); err == nil {
			body = b
		}
	}
	w.WriteHeader(res.StatusCode)
	_, _ = w.Write(body)
}

// identify asks the authorizer, or its cached answer, and checks that it allows this route.
func (g *gateway) identify(r *http.Request, rt route, id string) (map[string]any, error) {
	if len(r.Header.Values("Authorization")) == 0 {
		return nil, fault.New(fault.Unauthenticated, "send a credential: Authorization: Bearer …")
	}
	arn := "arn:aws:execute-api:us-east-1:000000000000:local/local/" + r.Method + r.URL.EscapedPath()
	key := strings.Join(r.Header.Values("Authorization"), "\x00")
	a, ok := g.cache.get(key)
	if !ok {
		payload, err := json.Marshal(events.APIGatewayCustomAuthorizerRequestTypeRequest{Type: "REQUEST", MethodArn: arn, Resource: rt.Path, Path: r.URL.Path, HTTPMethod: r.Method,
			Headers: first(r.Header), MultiValueHeaders: r.Header, RequestContext: events.APIGatewayCustomAuthorizerRequestTypeRequestContext{RequestID: id}})
		if err != nil {
			return nil, err
		}
		out, err := g.authorize(r.Context(), payload)
		if err != nil {
			return nil, fmt.Errorf("authorizer: %w", err)
		}
		if err := json.Unmarshal(out, &a); err != nil {
			return nil, fmt.Errorf("authorizer: %w", err)
		}
		g.cache.put(key, a)
	}
	return a.Context, decide(a, arn)
}

// decide evaluates the authorizer's policy for one method. Like the deployed gateway it answers 401 for both kinds of
// refusal: an unknown caller, and one whose credential is of another kind than the route asks for.
func decide(a events.APIGatewayCustomAuthorizerResponse, arn string) error {
	for _, s := range a.PolicyDocument.Statement {
		for _, res := range s.Resource {
			if !like(res, arn) {
				continue
			}
			if s.Effect == "Allow" {
				return nil
			}
			if msg, ok := a.Context["message"].(string); ok {
				return fault.New(fault.Unauthenticated, "%s", msg)
			}
		}
	}
	return fault.New(fault.Unauthenticated, "this kind of credential is not accepted here: the back end uses an API key, agents a session token, identity providers a SCIM token")
}

// like matches an IAM pattern with '*'.
func like(pattern, s string) bool {
	ok, err := regexp.MatchString("^"+strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")+"$", s)
	return ok && err == nil
}

// authorizerCache keeps answers as long as the deployed API does.
type authorizerCache struct {
	ttl time.Duration
	now func() time.Time

	mu sync.Mutex
	m  map[string]cached
}

type cached struct {
	answer events.APIGatewayCustomAuthorizerResponse
	ends   time.Time
}

func (c *authorizerCache) get(k string) (events.APIGatewayCustomAuthorizerResponse, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.m[k]
	return e.answer, ok && c.now().Before(e.ends)
}

func (c *authorizerCache) put(k string, a events.APIGatewayCustomAuthorizerResponse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.m) > 10_000 {
		clear(c.m)
	}
	c.m[k] = cached{a, c.now().Add(c.ttl)}
}
