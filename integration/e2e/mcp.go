package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// The revisions of MCP that tests speak.
const (
	Revision2026 = "2026-07-28"
	Revision2025 = "2025-11-25"
)

// RPC is one JSON-RPC request to an MCP endpoint, made by hand: what a client of that revision sends.
type RPC struct {
	// Path is /mcp when empty.
	Path, Token, Revision, Method string
	Params                        Object
	// Header replaces headers; a nil value leaves one out.
	Header http.Header
}

// MCP sends r and returns the HTTP answer.
func (f *Fixture) MCP(t testing.TB, r RPC) Answer {
	t.Helper()
	return f.Do(t, r.request())
}

// TryMCP is MCP for goroutines.
func (f *Fixture) TryMCP(r RPC) (Answer, error) { return f.Try(r.request()) }

func (r RPC) request() Request {
	if r.Path == "" {
		r.Path = "/mcp"
	}
	h := http.Header{"Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {r.Revision}}
	params := Object{}
	for k, v := range r.Params {
		params[k] = v
	}
	if r.Revision == Revision2026 {
		meta := Object{"io.modelcontextprotocol/protocolVersion": r.Revision, "io.modelcontextprotocol/clientInfo": Object{"name": "e2e", "version": "1"}, "io.modelcontextprotocol/clientCapabilities": Object{}}
		if own, ok := params["_meta"].(Object); ok {
			for k, v := range own {
				meta[k] = v
			}
		}
		params["_meta"] = meta
		h.Set("Mcp-Method", r.Method)
		if name, ok := params["name"].(string); ok {
			h.Set("Mcp-Name", name)
		}
	}
	for k, v := range r.Header {
		if h[k] = v; v == nil {
			delete(h, k)
		}
	}
	body := Object{"jsonrpc": "2.0", "method": r.Method, "params": params}
	if !strings.HasPrefix(r.Method, "notifications/") {
		body["id"] = 1
	}
	return Request{Method: "POST", Path: r.Path, Token: r.Token, Body: body, Header: h}
}

// ToolResult is the result of a tools/call: whether it is an error, its text, and its structured content.
type ToolResult struct {
	IsError          bool
	Text             string
	Structured, Meta Object
}

// CallMCP runs a tool over MCP and fails the test unless the answer is a result.
func (f *Fixture) CallMCP(t testing.TB, r RPC, tool string, input, meta Object) ToolResult {
	t.Helper()
	r.Method, r.Params = "tools/call", Object{"name": tool, "arguments": input}
	if meta != nil {
		r.Params["_meta"] = meta
	}
	a := f.MCP(t, r).Want(t, 200)
	res, ok := a.JSON["result"].(Object)
	if !ok {
		t.Fatalf("no result: %.600s", a.Body)
	}
	var out ToolResult
	out.IsError, _ = res["isError"].(bool)
	out.Structured, _ = res["structuredContent"].(Object)
	out.Meta, _ = res["_meta"].(Object)
	content, _ := res["content"].([]any)
	for _, c := range content {
		if o, ok := c.(Object); ok {
			text, _ := o["text"].(string)
			out.Text += text
		}
	}
	return out
}
