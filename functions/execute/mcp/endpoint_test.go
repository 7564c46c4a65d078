package mcp_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"behalf.dev/behalf/functions/execute/mcp"
	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

// agent answers every call with call.
type agent struct {
	call func(c toolcall.Call) (toolcall.Result, error)
}

func (a agent) List(context.Context, toolcall.Want) (toolcall.Listing, error) {
	return toolcall.Listing{}, errors.New("secret text of a cause")
}

func (a agent) Call(_ context.Context, c toolcall.Call) (toolcall.Result, error) { return a.call(c) }

func endpoint(public string) mcp.Endpoint {
	return mcp.Endpoint{Public: public, Version: "1", Log: slog.New(slog.DiscardHandler)}
}

func request(body string, header map[string]string) *apigw.Request {
	h := map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2025-11-25"}
	for k, v := range header {
		h[k] = v
	}
	return apigw.NewRequest(events.APIGatewayProxyRequest{HTTPMethod: "POST", Resource: "/mcp", Path: "/mcp", Headers: h, Body: body, RequestContext: events.APIGatewayProxyRequestContext{RequestID: "req_1"}})
}

const toolCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"github_x","arguments":{"a":1},"_meta":{"behalf.dev/idempotency_key":"k"}}}`

func serve(t *testing.T, a agent, body string) string {
	t.Helper()
	res, err := endpoint("https://behalf.example").Serve(t.Context(), request(body, nil), a)
	if err != nil {
		t.Fatal(err)
	}
	return string(res.Body)
}

func TestServe_PanicInACall_IsAnErrorOfThatRequest(t *testing.T) {
	t.Parallel()
	got := serve(t, agent{func(toolcall.Call) (toolcall.Result, error) { panic("boom with a secret") }}, toolCall)
	if !strings.Contains(got, `"code":-32603`) || !strings.Contains(got, "req_1") || strings.Contains(got, "boom") {
		t.Error(got)
	}
}

func TestServe_InternalFailure_TellsNothingOfItsCause(t *testing.T) {
	t.Parallel()
	for _, body := range []string{toolCall, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`} {
		got := serve(t, agent{func(toolcall.Call) (toolcall.Result, error) {
			return toolcall.Result{}, errors.New("secret text of a cause")
		}}, body)
		if strings.Contains(got, "secret text") || !strings.Contains(got, "internal") {
			t.Error(got)
		}
	}
}

func TestServe_EachFailure_SaysInTextWhatToDo(t *testing.T) {
	t.Parallel()
	for _, code := range fault.Codes() {
		got := serve(t, agent{func(c toolcall.Call) (toolcall.Result, error) {
			if c.IdempotencyKey != "k" || c.RequestID != "req_1" || string(c.Input) != `{"a":1}` {
				t.Errorf("the call arrived as %+v", c)
			}
			return toolcall.Result{}, fault.New(code, "because").With("connect", map[string]any{"url": "https://behalf.example/connect/x"})
		}}, toolCall)
		for _, want := range []string{`"isError":true`, string(code) + ": because", "What to do: ", "https://behalf.example/connect/x", `"structuredContent":{`} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %s in %s", code, want, got)
			}
		}
	}
}

func TestServe_Origin_OnlyOurOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		public, origin string
		ok             bool
	}{
		{"https://behalf.example/prod", "https://behalf.example", true}, {"https://behalf.example", "", true},
		{"https://behalf.example", "http://behalf.example", false}, {"https://behalf.example", "https://behalf.example.evil", false},
		{"https://behalf.example", "http://localhost:6274", false}, {"https://behalf.example", "null", false}, {"https://behalf.example", "::", false},
		{"http://127.0.0.1:8787", "http://localhost:6274", true}, {"http://127.0.0.1:8787", "https://evil.example", false},
	} {
		_, err := endpoint(c.public).Serve(t.Context(), request(toolCall, map[string]string{"Origin": c.origin}), agent{func(toolcall.Call) (toolcall.Result, error) { return toolcall.Result{}, nil }})
		if c.ok != (err == nil) || !c.ok && !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s at %s: %v", c.origin, c.public, err)
		}
	}
}

// A function lives for hours: what a request starts must end with it.
func TestServe_ManyRequests_LeaveNothingRunning(t *testing.T) {
	a := agent{func(toolcall.Call) (toolcall.Result, error) { return toolcall.Result{Data: []byte(`{}`)}, nil }}
	serve(t, a, toolCall)
	before := runtime.NumGoroutine()
	for range 200 {
		serve(t, a, toolCall)
	}
	for range 1000 {
		if runtime.NumGoroutine() <= before+5 {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d goroutines, before %d", runtime.NumGoroutine(), before)
}

func BenchmarkServe_ToolCall(b *testing.B) {
	a := agent{func(toolcall.Call) (toolcall.Result, error) { return toolcall.Result{Data: []byte(`{}`)}, nil }}
	e := endpoint("https://behalf.example")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Serve(b.Context(), request(toolCall, nil), a); err != nil {
			b.Fatal(err)
		}
	}
}
