package mcp

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"behalf.dev/behalf/shared/apigw"
)

// recorder keeps what a http.Handler writes. The SDK writes one answer from one goroutine at a time.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is what http.ResponseWriter asks for.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader keeps the first status.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write appends to the body.
func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// Flush does nothing: an answer leaves when it is complete.
func (w *recorder) Flush() {}

// response is the answer as API Gateway gets it. Only headers that mean something to the client are handed on. revision is
// the MCP-Protocol-Version of the request.
func (w *recorder) response(revision string) *apigw.Response {
	if w.status == 0 {
		w.status = http.StatusInternalServerError
	}
	out := &apigw.Response{Status: w.status, Header: http.Header{"Cache-Control": {"no-store"}}, Body: w.body.Bytes()}
	for _, name := range []string{"Content-Type", "Allow"} {
		if v := w.header.Get(name); v != "" {
			out.Header.Set(name, v)
		}
	}
	if revision >= revision2026 && missingMethod(out) {
		out.Status = http.StatusNotFound
	}
	return out
}

// revision2026 is the first revision in which the HTTP status says that a method is not there.
const revision2026 = "2026-07-28"

func missingMethod(r *apigw.Response) bool {
	var m struct{ Error struct{ Code int64 } }
	return r.Status == http.StatusOK && len(r.Body) < 4<<10 && json.Unmarshal(r.Body, &m) == nil && m.Error.Code == jsonrpc.CodeMethodNotFound
}
