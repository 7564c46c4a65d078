package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"behalf.dev/behalf/integration/localaws"
)

// router keeps Lambda Invoke in this process, where the functions are, and sends everything else on.
type router struct {
	function func(nameOrARN string) localaws.Handler
	next     aws.HTTPClient
}

// Do implements aws.HTTPClient.
func (r router) Do(q *http.Request) (*http.Response, error) {
	rest, isLambda := strings.CutPrefix(q.URL.EscapedPath(), "/2015-03-31/functions/")
	name, isInvoke := strings.CutSuffix(rest, "/invocations")
	if !isLambda || !isInvoke {
		return r.next.Do(q)
	}
	name, err := url.PathUnescape(name)
	if err != nil {
		return nil, fmt.Errorf("malformed function name: %w", err)
	}
	if kind := q.Header.Get("X-Amz-Invocation-Type"); kind != "" && kind != "RequestResponse" {
		return nil, fmt.Errorf("invocation type %s is not offered by the local stack", kind)
	}
	h := r.function(name)
	if h == nil {
		return answer(q, http.StatusNotFound, map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException"}, problem("ResourceNotFoundException", "Function not found: "+name)), nil
	}
	var body []byte
	if q.Body != nil {
		if body, err = io.ReadAll(q.Body); err != nil {
			return nil, fmt.Errorf("read the payload for %s: %w", name, err)
		}
		_ = q.Body.Close() // read to its end
	}
	out, err := h(q.Context(), body)
	if err != nil {
		kind := "errorString"
		if errors.Is(err, context.DeadlineExceeded) {
			kind = "Sandbox.Timedout"
		}
		return answer(q, http.StatusOK, map[string]string{"X-Amz-Function-Error": "Unhandled"}, problem(kind, err.Error())), nil
	}
	return answer(q, http.StatusOK, nil, out), nil
}

// problem is the payload that Lambda's Go runtime answers for an error.
func problem(kind, message string) []byte {
	b, _ := json.Marshal(map[string]string{"errorType": kind, "errorMessage": message}) // text always marshals
	return b
}

func answer(q *http.Request, status int, header map[string]string, body []byte) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}, "X-Amz-Executed-Version": {"$LATEST"}}
	for k, v := range header {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: q}
}
