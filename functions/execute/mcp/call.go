package mcp

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

// The _meta members that tools/call takes and gives. The prefix is ours (MCP, base protocol: _meta).
const (
	// MetaIdempotencyKey makes a call safe to repeat. It is no argument of the tool, because the model must not choose it: a
	// repetition that chose a new key would be a second write.
	MetaIdempotencyKey = "behalf.dev/idempotency_key"
	// MetaConnection chooses among several accounts of one connector; results carry it too.
	MetaConnection = "behalf.dev/connection"
	// MetaExecution is the call in the audit trail, MetaGrant the authorisation it rests on.
	MetaExecution = "behalf.dev/execution"
	MetaGrant     = "behalf.dev/grant"
	// MetaCursor goes on where a result stopped that carries it, MetaStopped says why it did.
	MetaCursor  = "behalf.dev/cursor"
	MetaStopped = "behalf.dev/stopped"
	// MetaReplayed tells that the answer is that of an earlier call with the same key.
	MetaReplayed = "behalf.dev/replayed"
)

// call runs a tool. Whatever the executor refuses is a result, so that the model reads it; only a request that is no tool
// call at all is an error of the protocol.
func (h handler) call(r *sdk.CallToolRequest) (sdk.Result, error) {
	c, err := read(r.Params)
	if err != nil {
		return nil, err
	}
	c.RequestID, c.Channel, c.Client = h.requestID, audit.OverMCP, h.client(r.Params.Meta)
	res, cerr := h.agent.Call(h.ctx, c)
	if fault.Is(cerr, fault.NotFound) && fault.From(cerr).Field == "/tool" {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fault.From(cerr).Message} // MCP, tools: an unknown tool is a protocol error
	}
	if cerr != nil {
		return h.answer(h.failure(cerr)), nil
	}
	return h.answer(success(c.Tool, res)), nil
}

// answer is res as the request's revision wants it.
func (h handler) answer(res *sdk.CallToolResult) sdk.Result {
	if h.revision >= revision2026 {
		return finished{res}
	}
	return res
}

// finished is a result that says that it is all there is, which revision 2026-07-28 requires of results. The SDK says so only for
// tools that it knows itself.
type finished struct{ *sdk.CallToolResult }

// MarshalJSON adds resultType.
func (f finished) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(f.CallToolResult)
	if err != nil || len(b) < 3 { // which no result is: content is always there
		return b, err
	}
	return append([]byte(`{"resultType":"complete",`), b[1:]...), nil
}

// metaClient is where a client says in each request what it is, since revision 2026-07-28.
const metaClient = "io.modelcontextprotocol/clientInfo"

// client is what the caller's software calls itself: name and version of its clientInfo, else its User-Agent. Before revision
// 2026-07-28 clientInfo comes with initialize alone, and this server remembers nothing from one request to the next.
func (h handler) client(m sdk.Meta) string {
	info, _ := m[metaClient].(map[string]any)
	if name, _ := info["name"].(string); name != "" {
		version, _ := info["version"].(string)
		return strings.TrimSuffix(name+"/"+version, "/")
	}
	return h.userAgent
}

// metaText reads a text of _meta. Anything else there is refused: an idempotency key that is silently ignored would let a
// write happen twice.
func metaText(m sdk.Meta, name string) (string, error) {
	v, ok := m[name]
	if !ok || v == nil {
		return "", nil
	}
	s, ok := v.(string)
	if !ok || s == "" {
		return "", &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "_meta[" + name + "] must be a text that is not empty"}
	}
	return s, nil
}

// success is data as text and as an object. What was left out is said in both: some frameworks show a model one of them.
func success(tool string, res toolcall.Result) *sdk.CallToolResult {
	meta := sdk.Meta{MetaExecution: res.ExecutionID, MetaConnection: string(res.ConnectionID), MetaGrant: string(res.GrantID)}
	if res.Replayed {
		meta[MetaReplayed] = true
	}
	out := &sdk.CallToolResult{Meta: meta, Content: []sdk.Content{&sdk.TextContent{Text: string(res.Data)}}, StructuredContent: structured(res.Data)}
	if res.Cursor != "" {
		meta[MetaCursor], meta[MetaStopped] = res.Cursor, res.Stopped
		out.Content = append(out.Content, &sdk.TextContent{Text: rest(tool, res)})
		out.StructuredContent = map[string]any{"result": res.Data, argCursor: res.Cursor, "stopped": res.Stopped}
	}
	return out
}

// structured is data as an object: revisions before 2026-07-28 allow no other structured content.
func structured(data json.RawMessage) any {
	if d := bytes.TrimSpace(data); len(d) > 0 && d[0] == '{' {
		return data
	}
	if len(data) == 0 {
		return nil
	}
	return map[string]json.RawMessage{"result": data}
}
