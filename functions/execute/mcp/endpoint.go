package mcp

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

// Agent is what one session may do.
type Agent interface {
	// List is a page of the tools that may be called now.
	List(ctx context.Context, w toolcall.Want) (toolcall.Listing, error)
	// Call runs a tool.
	Call(ctx context.Context, c toolcall.Call) (toolcall.Result, error)
}

// Endpoint answers MCP requests. It is safe for concurrent use.
type Endpoint struct {
	// Public is the deployment's address without a trailing slash; answers name it.
	Public string
	// Version of Behalf, told to clients.
	Version string
	Log     *slog.Logger
}

// Serve answers one request for the agent. Errors are those of HTTP (a foreign Origin, a body that is too large); what
// goes wrong within MCP is an answer.
func (e Endpoint) Serve(ctx context.Context, r *apigw.Request, a Agent) (*apigw.Response, error) {
	if err := e.checkOrigin(r.Header("Origin")); err != nil {
		return nil, err
	}
	req, err := e.request(ctx, r)
	if err != nil {
		return nil, err
	}
	server := e.server(ctx, a, r)
	h := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{
		Stateless: true, JSONResponse: true, PropagateRequestCancellation: true, MaxRequestBodyBytes: apigw.MaxBody, Logger: slog.New(slog.DiscardHandler),
	})
	w := &recorder{header: http.Header{}}
	h.ServeHTTP(w, req)
	return w.response(req.Header.Get("Mcp-Protocol-Version")), nil
}

// request is r as net/http has it. Credentials stay behind: nothing in the SDK needs them.
func (e Endpoint) request(ctx context.Context, r *apigw.Request) (*http.Request, error) {
	body, err := r.Body()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.Method(), e.Public+"/mcp", strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	req.Header = r.Headers()
	req.Header.Del("Authorization")
	req.Header.Del("Cookie")
	return req, nil
}

// checkOrigin refuses a browser that shows a page of somebody else (MCP, transports: servers must validate Origin). On this
// machine every loopback origin will do, since ports differ between development servers.
func (e Endpoint) checkOrigin(origin string) error {
	if origin == "" {
		return nil
	}
	o, err := url.Parse(origin)
	own, perr := url.Parse(e.Public)
	if err == nil && perr == nil && o.Host != "" {
		if strings.EqualFold(o.Scheme, own.Scheme) && strings.EqualFold(o.Host, own.Host) {
			return nil
		}
		if loopback(own.Hostname()) && loopback(o.Hostname()) {
			return nil
		}
	}
	return fault.New(fault.Forbidden, "the Origin %.100q is not this deployment's", origin).With("reason", "origin_not_allowed")
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }
