package mcp

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"behalf.dev/behalf/shared/fault"
)

// failure is a refused or failed call: for the model in words, for programs as the problem document.
func (h handler) failure(err error) *sdk.CallToolResult {
	f := fault.From(err)
	if f.Code == fault.Internal {
		h.Log.ErrorContext(h.ctx, "tool call failed", "code", f.Code, "error", err)
	} else {
		h.Log.InfoContext(h.ctx, "tool call refused", "code", f.Code, "error", err)
	}
	doc, _ := fault.Problem(err, h.requestID)
	res := &sdk.CallToolResult{IsError: true, Content: []sdk.Content{&sdk.TextContent{Text: h.explain(f)}}, StructuredContent: json.RawMessage(doc)}
	if id, ok := f.Detail["execution_id"].(string); ok {
		res.Meta = sdk.Meta{MetaExecution: id}
	}
	return res
}

// explain is code, reason, what to do and the way there. Several frameworks hand the model this text and nothing else.
func (h handler) explain(f *fault.Error) string {
	lines := []string{string(f.Code) + ": " + f.Message}
	for _, d := range []struct{ member, label string }{{"reason", "Reason"}, {"missing_scopes", "Missing scopes"}, {"choices", "Choices for " + argConnection},
		{"provider_status", "The provider's status"}, {"provider_body", "The provider said"}, {"first_execution_id", "First execution"}, {"rule", "Rule"}, {"approval_id", "Approval"}} {
		if v, ok := f.Detail[d.member]; ok {
			lines = append(lines, d.label+": "+plain(v))
		}
	}
	if f.Field != "" {
		lines = append(lines, "Where: "+f.Field)
	}
	lines = append(lines, "What to do: "+advice(f))
	if way := h.wayIn(f); way != "" {
		lines = append(lines, way)
	}
	return strings.Join(lines, "\n")
}

func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []string:
		return strings.Join(v, ", ")
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// longWait is after how many seconds an agent should rather end its turn than wait: a budget may begin anew in a month.
const longWait = 120

// advice is what the model should do next.
func advice(f *fault.Error) string {
	if s := fault.RetrySeconds(f); s > longWait {
		return fmt.Sprintf("stop, and tell the user. The same call can be made again in %s.", (time.Duration(s) * time.Second))
	} else if s > 0 {
		return fmt.Sprintf("wait %d seconds and make the same call again.", s)
	}
	switch f.Code {
	case fault.InvalidInput:
		return "correct the arguments and call again."
	case fault.ConnectionRequired:
		return "stop, and tell the user that the account must be connected first. Then make the same call again."
	case fault.ReauthorizationRequired:
		return "stop, and tell the user that the account must be connected again. Then make the same call again."
	case fault.ScopeMissing:
		return "stop, and tell the user that the account must be connected again with the missing scopes. Then make the same call again."
	case fault.Revoked:
		return "stop: the access was taken away. Tell the user."
	case fault.OutcomeUnknown:
		return "do not repeat the call. It may have happened: look first."
	case fault.RateLimited, fault.Internal:
		return "wait a little and make the same call again; if it fails again, tell the user."
	case fault.ApprovalRequired:
		return "stop, and tell the user that a person must approve this call."
	case fault.Unauthenticated:
		return "stop: the agent's session has ended."
	case fault.ProviderError:
		return "read what the provider said; the same call will probably fail again."
	}
	return "do not repeat the call as it is; tell the user if you cannot go on without it."
}

// wayIn is the link, or how the application gets one: an agent's session cannot make links.
func (h handler) wayIn(f *fault.Error) string {
	if approve, ok := f.Detail["approve"].(map[string]any); ok {
		return fmt.Sprintf("For the application: %v %s%v answers the link for whoever may approve. Then make the same call again.", approve["method"], h.Public, approve["path"])
	}
	connect, ok := f.Detail["connect"].(map[string]any)
	if !ok {
		return ""
	}
	if link, ok := connect["url"].(string); ok {
		return "Link for the user: " + link
	}
	return fmt.Sprintf("For the application: %v %s%v with the body %s answers the link to show to the user.", connect["method"], h.Public, connect["path"], plain(connect["body"]))
}
