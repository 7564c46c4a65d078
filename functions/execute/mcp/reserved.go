package mcp

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"behalf.dev/behalf/shared/toolcall"
)

// The arguments that are ours and not the tool's. A model cannot set _meta, and these two choices are the model's: which of
// several accounts, and whether to read on. They are in a tool's schema only where they mean something.
const (
	argConnection = "behalf_connection"
	argCursor     = "behalf_cursor"
)

// inputSchema is the tool's schema and, where there is something to choose, the arguments above.
func inputSchema(l toolcall.Listed) (any, error) {
	extra := map[string]map[string]any{}
	if len(l.Accounts) > 1 {
		ids, names := make([]string, len(l.Accounts)), make([]string, len(l.Accounts))
		for i, a := range l.Accounts {
			ids[i], names[i] = string(a.ID), fmt.Sprintf("%s is %s", a.ID, a.Login)
		}
		extra[argConnection] = map[string]any{"type": "string", "enum": ids, "description": "Which of the user's accounts to use: " + strings.Join(names, ", ") + ". Required, unless all but one were disconnected."}
	}
	if _, pages := l.Tool.Pages(); pages {
		extra[argCursor] = map[string]any{"type": "string", "description": "Goes on where an earlier answer of this tool stopped, which told the cursor. The other arguments are then taken from that call."}
	}
	if len(extra) == 0 {
		return l.Tool.InputSchema, nil
	}
	var schema struct {
		Type       string                     `json:"type"`
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required,omitempty"`
		Additional bool                       `json:"additionalProperties"`
	}
	if err := json.Unmarshal(l.Tool.InputSchema, &schema); err != nil {
		return nil, fmt.Errorf("read the schema of %s: %w", l.Tool.Name, err)
	}
	for name, p := range extra {
		b, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		schema.Properties[name] = b
	}
	return schema, nil
}

// read makes a call of the arguments and _meta of a request.
func read(p *sdk.CallToolParamsRaw) (c toolcall.Call, err error) {
	c = toolcall.Call{Tool: p.Name, Input: p.Arguments}
	if c.IdempotencyKey, err = metaText(p.Meta, MetaIdempotencyKey); err != nil {
		return c, err
	}
	if c.Connection, err = metaText(p.Meta, MetaConnection); err != nil {
		return c, err
	}
	if c.Cursor, err = metaText(p.Meta, MetaCursor); err != nil {
		return c, err
	}
	args := map[string]json.RawMessage{}
	if len(p.Arguments) > 0 {
		if err := json.Unmarshal(p.Arguments, &args); err != nil {
			return c, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "arguments must be a JSON object"}
		}
	}
	for name, into := range map[string]*string{argConnection: &c.Connection, argCursor: &c.Cursor} {
		raw, ok := args[name]
		if !ok {
			continue
		}
		delete(args, name)
		if err := json.Unmarshal(raw, into); err != nil {
			return c, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: name + " must be a text"}
		}
		if c.Input, err = json.Marshal(args); err != nil {
			return c, err
		}
	}
	if c.Cursor != "" || len(args) == 0 {
		c.Input = json.RawMessage("{}")
	}
	return c, nil
}

// rest tells the model that there is more, and how to get it.
func rest(tool string, res toolcall.Result) string {
	return fmt.Sprintf("There is more (stopped by: %s). To go on, call %s again with %s set to %q.", res.Stopped, tool, argCursor, res.Cursor)
}
