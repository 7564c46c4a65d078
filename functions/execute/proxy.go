package execute

import (
	"context"
	"net/http"
	"strconv"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/toolcall"
)

// maxProxyBody bounds the body of a proxied request in bytes: Lambda takes events of 6 MB, base64 included.
const maxProxyBody = 4 << 20

// proxy sends a request that no tool covers. The provider's answer comes back with its own status and the header
// Behalf-Provider-Status; an answer without that header is ours, a problem document.
func (f *Function) proxy(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	a, err := f.agent(ctx, r)
	if err != nil {
		return nil, err
	}
	connector, err := r.Path("connector")
	if err != nil {
		return nil, err
	}
	body, err := r.BodyUpTo(maxProxyBody)
	if err != nil {
		return nil, err
	}
	res, err := a.exec.Proxy(a.ctx, a.session, toolcall.ProxyCall{Connector: connector, Method: r.Method(), Path: r.RawPath("path"), Query: r.Query(), Header: r.Headers(), Body: body,
		Connection: r.Header("Behalf-Connection"), IdempotencyKey: r.Header("Idempotency-Key"), RequestID: r.ID(), Client: r.Header("User-Agent")})
	known := ""
	if spec, kerr := f.catalog.Connector(connector); kerr == nil {
		known = spec.ID
	}
	if err != nil {
		f.observe(ctx, known, err)
		return nil, err
	}
	out := passOn(res)
	if res.Download == nil {
		f.observe(ctx, known, nil)
	} else {
		out.Stream = res.Download
		res.Download.OnEnd(func(err error) { f.observe(ctx, known, err) })
	}
	f.deps.Trace.Annotate(a.ctx, map[string]string{"tenant": string(a.session.Tenant), "tool": catalog.ProxyTool(connector), "outcome": "succeeded"})
	f.deps.Log.InfoContext(awslambda.With(a.ctx, awslambda.Fields{Execution: res.ExecutionID}), "proxied", "connector", connector, "method", r.Method(), "provider_status", res.Status, "connection", res.ConnectionID)
	return out, nil
}

// passOn is a provider's answer as ours. It is third-party content under our name: no browser may run it.
func passOn(res toolcall.ProxyResult) *apigw.Response {
	h := http.Header{"Cache-Control": {"no-store"}, "Content-Security-Policy": {"sandbox; default-src 'none'"}, "Behalf-Provider-Status": {strconv.Itoa(res.Status)},
		"Behalf-Execution": {res.ExecutionID}, "Behalf-Connection": {string(res.ConnectionID)}, "Behalf-Grant": {string(res.GrantID)}}
	for k, v := range res.Header {
		h[k] = v
	}
	if res.Replayed {
		h.Set("Idempotent-Replayed", "true")
	}
	return &apigw.Response{Status: res.Status, Header: h, Body: res.Body}
}
