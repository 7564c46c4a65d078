package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

const (
	// pageSize is how many tools tools/list gives at once.
	pageSize = 100
	// listTTL is how long, in milliseconds, a client of revision 2026-07-28 may keep a list: a revoked connection must
	// leave it soon, and calls are checked again anyway.
	listTTL = 30_000

	instructions = "Tools act for one user, with the accounts that this user connected. When a call answers connection_required, " +
		"reauthorization_required or scope_missing, tell the user what its text says; do not try other tools instead. " +
		"When it answers outcome_unknown, check whether it happened before you repeat it."
)

// methods are what a stateless tool server answers; the rest is "method not found", whatever the SDK could do.
var methods = [...]string{"initialize", "ping", "server/discover", "tools/list", "tools/call", "notifications/initialized", "notifications/cancelled",
	"notifications/progress", "notifications/roots/list_changed"}

// server is a server for one request of one agent.
func (e Endpoint) server(ctx context.Context, a Agent, r *apigw.Request) *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "behalf", Title: "Behalf", Version: e.Version, WebsiteURL: e.Public},
		&sdk.ServerOptions{Instructions: instructions, Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}}, Logger: slog.New(slog.DiscardHandler), SetCacheable: private})
	h := handler{Endpoint: e, ctx: ctx, agent: a, requestID: r.ID(), userAgent: r.Header("User-Agent"), revision: r.Header("Mcp-Protocol-Version")}
	s.AddReceivingMiddleware(func(next sdk.MethodHandler) sdk.MethodHandler {
		return func(ctx context.Context, method string, req sdk.Request) (sdk.Result, error) {
			return h.handle(ctx, method, req, next)
		}
	})
	return s
}

// private keeps shared caches away from what one user may do.
func private(_ context.Context, _ sdk.Request, c *sdk.Cacheable) {
	c.CacheScope, c.TTLMs = "private", listTTL
}

// handler answers the methods of one request.
type handler struct {
	Endpoint
	// ctx is the invocation's: its deadline and log fields are lost on the way through the SDK.
	ctx       context.Context
	agent     Agent
	requestID string
	userAgent string
	// revision is the request's, as its header says.
	revision string
}

// handle runs in a goroutine of the SDK, where a panic would end the process and everybody's requests in it.
func (h handler) handle(ctx context.Context, method string, req sdk.Request, next sdk.MethodHandler) (res sdk.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.Log.ErrorContext(h.ctx, "panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			res, err = nil, h.protocolError(fault.From(fmt.Errorf("panic: %v", p)))
		}
	}()
	if !slices.Contains(methods[:], method) {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: fmt.Sprintf("%s is not offered here: this is a stateless server of tools", method)}
	}
	switch r := req.(type) {
	case *sdk.ListToolsRequest:
		return h.list(r)
	case *sdk.CallToolRequest:
		return h.call(r)
	}
	return next(ctx, method, req)
}

func (h handler) list(r *sdk.ListToolsRequest) (sdk.Result, error) {
	w := toolcall.Want{Limit: pageSize}
	if r.Params != nil && r.Params.Cursor != "" {
		var err error
		if w.After, err = apigw.ParseCursor("/params/cursor", r.Params.Cursor); err != nil {
			return nil, h.protocolError(err)
		}
	}
	l, err := h.agent.List(h.ctx, w)
	if err != nil {
		return nil, h.protocolError(err)
	}
	out := &sdk.ListToolsResult{Tools: make([]*sdk.Tool, len(l.Tools)), NextCursor: apigw.Cursor(l.Next), Cacheable: sdk.Cacheable{CacheScope: "private", TTLMs: listTTL}}
	for i, t := range l.Tools {
		if out.Tools[i], err = define(t); err != nil {
			return nil, h.protocolError(err)
		}
	}
	return out, nil
}

func define(l toolcall.Listed) (*sdk.Tool, error) {
	t := l.Tool
	schema, err := inputSchema(l)
	if err != nil {
		return nil, err
	}
	destructive, open := t.Effect == catalog.EffectDestructive, true
	return &sdk.Tool{Meta: l.Meta(), Name: t.Name, Title: t.Title, Description: t.Description, InputSchema: schema, Annotations: &sdk.ToolAnnotations{
		Title: t.Title, ReadOnlyHint: t.Effect == catalog.EffectRead, DestructiveHint: &destructive, IdempotentHint: t.Idempotent, OpenWorldHint: &open}}, nil
}

// protocolError is a failure that is no tool's: the problem document goes along as data.
func (h handler) protocolError(err error) *jsonrpc.Error {
	f := fault.From(err)
	code := int64(jsonrpc.CodeInternalError)
	if f.Code != fault.Internal {
		code = jsonrpc.CodeInvalidParams
	} else {
		h.Log.ErrorContext(h.ctx, "request refused", "route", "mcp", "code", f.Code, "error", err)
	}
	data, _ := fault.Problem(err, h.requestID)
	return &jsonrpc.Error{Code: code, Message: string(f.Code) + ": " + f.Message, Data: json.RawMessage(data)}
}
