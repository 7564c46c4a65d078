package toolcall

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
)

// ProxyCall is a request to a provider's API that no tool covers.
type ProxyCall struct {
	Connector, Method string
	// Path is below the connector's API base, percent-encoded as it came.
	Path   string
	Query  url.Values
	Header http.Header
	Body   []byte
	// Connection, IdempotencyKey and RequestID are as in Call.
	Connection, IdempotencyKey, RequestID string
}

// ProxyResult is the provider's answer, whatever its status, without the headers that are not the caller's business.
type ProxyResult struct {
	ExecutionID  string
	ConnectionID connection.ID
	GrantID      connection.GrantID
	Status       int
	Header       http.Header
	Body         []byte
	Replayed     bool
}

// Proxy sends p under the connection's credential, through the same steps as a tool. The provider's refusals are
// answers, not errors; an error means that the call was not made, that the connection cannot be used, or that nobody
// knows whether a write happened.
func (e *Executor) Proxy(ctx context.Context, s authn.Session, p ProxyCall) (ProxyResult, error) {
	r := &run{id: e.NewID("exec"), session: s, call: Call{Connection: p.Connection, IdempotencyKey: p.IdempotencyKey, RequestID: p.RequestID}}
	res, err := e.run(ctx, r, func(r *run) error { return e.resolveProxy(r, p) })
	if err != nil {
		return ProxyResult{}, err
	}
	var a passed
	if err := json.Unmarshal(res.Data, &a); err != nil {
		return ProxyResult{}, fault.New(fault.Internal, "the provider's answer could not be read back").WithCause(err)
	}
	return ProxyResult{ExecutionID: res.ExecutionID, ConnectionID: res.ConnectionID, GrantID: res.GrantID, Status: a.Status, Header: a.Header, Body: a.Body, Replayed: res.Replayed}, nil
}

// passed is a provider's answer as it is kept for an idempotency key.
type passed struct {
	Status int
	Header http.Header
	Body   []byte
}

// effects of the HTTP methods that are passed on. Safe methods are reads (RFC 9110, section 9.2.1).
func proxyEffect(method string) (effect catalog.Effect, idempotent, known bool) {
	switch method {
	case http.MethodGet, http.MethodHead:
		return catalog.EffectRead, true, true
	case http.MethodPut:
		return catalog.EffectWrite, true, true
	case http.MethodPost, http.MethodPatch:
		return catalog.EffectWrite, false, true
	case http.MethodDelete:
		return catalog.EffectDestructive, true, true
	}
	return "", false, false
}

// resolveProxy is steps 2 and 3 for a request that no tool covers. Its scopes are unknown here; the provider decides.
func (e *Executor) resolveProxy(r *run, p ProxyCall) error {
	spec, err := e.Tools.Connector(p.Connector)
	if err != nil {
		return fault.From(err).WithField("connector")
	}
	effect, idempotent, known := proxyEffect(p.Method)
	if !known {
		return fault.Invalid("method", "the method %.20s is not passed on; GET, HEAD, POST, PUT, PATCH and DELETE are", p.Method)
	}
	r.spec = spec
	r.op = &operation{name: catalog.ProxyTool(spec.ID), effect: effect, idempotent: idempotent, raw: true, method: p.Method, shape: pass,
		missing: func([]string) []string { return nil }}
	if !r.session.Allows(spec.ID, r.op.name) {
		return outsideSession(r.op.name).WithField("connector")
	}
	header, err := outbound(p.Header)
	if err != nil {
		return err
	}
	r.op.path = "/" + clipPath(strings.TrimPrefix(p.Path, "/"))
	r.op.bind = func(meta map[string]string) (catalog.Request, error) { return bindProxy(spec, p, header, meta) }
	r.op.input = proxyInput(p)
	body := sha256.Sum256(p.Body)
	r.digest = digestOf(r.op.name, []any{p.Method, p.Path, p.Query, header, hex.EncodeToString(body[:])})
	return nil
}

// proxyInput is a request as policies and approvers see it.
func proxyInput(p ProxyCall) map[string]any {
	in := map[string]any{"method": p.Method, "path": "/" + strings.TrimPrefix(p.Path, "/")}
	if len(p.Query) > 0 {
		query := map[string]any{}
		for k, v := range p.Query {
			query[k] = strings.Join(v, ",")
		}
		in["query"] = query
	}
	if len(p.Body) > 0 {
		in["body"] = string(p.Body)
		d := json.NewDecoder(bytes.NewReader(p.Body))
		d.UseNumber()
		var v any
		if d.Decode(&v) == nil {
			in["body"] = v
		}
	}
	return in
}

func bindProxy(spec *catalog.Connector, p ProxyCall, header http.Header, meta map[string]string) (catalog.Request, error) {
	u, err := spec.ProxyURL(p.Path, p.Query, meta)
	if err != nil {
		return catalog.Request{}, err
	}
	h, err := spec.APIHeader(meta)
	if err != nil {
		return catalog.Request{}, err
	}
	for k, v := range header {
		h[k] = v
	}
	return catalog.Request{Method: p.Method, URL: u, Header: h, Body: p.Body, Auth: spec.APIAuth}, nil
}

// maxPath is how much of a path goes on record.
const maxPath = 256

func clipPath(p string) string { return strings.ToValidUTF8(p[:min(len(p), maxPath)], "") }

// outbound keeps the request headers that describe the request itself. Credentials, cookies, addresses and everything of
// this hop stay here (RFC 9110, section 7.6.1). An encoded body is refused, since it could not be told what it holds.
func outbound(h http.Header) (http.Header, error) {
	out := http.Header{}
	for _, name := range []string{"Accept", "Accept-Language", "Content-Type", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Prefer", "Range"} {
		if v := h.Values(name); len(v) > 0 {
			out[name] = slices.Clone(v)
		}
	}
	if h.Get("Content-Encoding") != "" {
		return nil, fault.Invalid("Content-Encoding", "an encoded body is not passed on; send it as it is")
	}
	return out, nil
}

// pass is step 11 for a raw operation: the status, the body, and the headers that describe them.
func pass(res egress.Response) (json.RawMessage, error) {
	h := http.Header{}
	for name, v := range res.Header {
		lower := strings.ToLower(name)
		if slices.Contains(inbound(), lower) || strings.HasPrefix(lower, "x-ratelimit-") || strings.HasPrefix(lower, "ratelimit") {
			h[name] = v
		}
	}
	return json.Marshal(passed{res.Status, h, res.Body})
}

// inbound are the response headers that are passed back; cookies and whatever tells about the provider's insides are not.
func inbound() []string {
	return []string{"content-type", "content-language", "content-disposition", "content-range", "accept-ranges", "etag", "last-modified", "link", "location", "retry-after", "warning"}
}
