package stack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/awslambda"
)

// streamer runs a function whose answer comes in pieces.
type streamer func(ctx context.Context, e events.APIGatewayProxyRequest) (io.ReadCloser, error)

// errStreamed tells that the answer was written, or broke off; there is nothing left to say.
var errStreamed = errors.New("answered by a stream")

// stream plays an integration with the response transfer mode STREAM: what the function says is handed on while it comes,
// and a client sees a failure half way as a connection that breaks off. The error is errStreamed once anything was written.
func (g *gateway) stream(w http.ResponseWriter, r *http.Request, rt route, e events.APIGatewayProxyRequest) error {
	answer, err := g.begin(r.Context(), rt, e)
	if err != nil {
		g.log.Error("function failed", "function", rt.Function, "error", err)
		return err
	}
	defer func() {
		if err := answer.Close(); err != nil {
			g.log.Error("a streamed answer did not end well", "function", rt.Function, "error", err)
		}
	}()
	body := bufio.NewReader(answer)
	head, err := apigw.ReadPreamble(body)
	if err != nil {
		return err
	}
	for k, v := range head.MultiValueHeaders {
		w.Header()[http.CanonicalHeaderKey(k)] = v
	}
	w.WriteHeader(head.StatusCode)
	if _, err := io.Copy(w, body); err != nil {
		g.log.Warn("a streamed answer broke off", "function", rt.Function, "error", err)
		panic(http.ErrAbortHandler) // closes the connection, so that nobody takes the part for the whole
	}
	return errStreamed
}

// begin runs the function; one that runs elsewhere answers in one piece.
func (g *gateway) begin(ctx context.Context, rt route, e events.APIGatewayProxyRequest) (io.ReadCloser, error) {
	ctx = awslambda.With(ctx, awslambda.Fields{RequestID: e.RequestContext.RequestID})
	if f := g.streamers[rt.Function]; f != nil {
		return f(ctx, e)
	}
	payload, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	out, err := g.functions[rt.Function](ctx, payload)
	return io.NopCloser(bytes.NewReader(out)), err
}
