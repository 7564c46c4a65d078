package localaws

import (
	"bytes"
	"io"
	"net/http"
)

// HTTPClient returns a client whose requests reach ServeHTTP without a socket. It ignores the
// host of the URL, so an SDK needs it only as aws.Config.HTTPClient and any BaseEndpoint.
func (a *AWS) HTTPClient() *http.Client {
	return &http.Client{Transport: inProcess{a}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type inProcess struct{ h http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := recorder{header: make(http.Header, 8), status: http.StatusOK}
	t.h.ServeHTTP(&w, r)
	if r.Body != nil {
		_ = r.Body.Close() // read to its end by the handler
	}
	if err := r.Context().Err(); err != nil {
		return nil, err // a real connection would have been cut as well
	}
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(bytes.NewReader(w.body)), ContentLength: int64(len(w.body)), Request: r,
	}, nil
}

// recorder is a ResponseWriter that keeps the answer.
type recorder struct {
	header http.Header
	body   []byte
	status int
}

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) { w.status = status }

// Write implements http.ResponseWriter; a single write is kept without a copy.
func (w *recorder) Write(b []byte) (int, error) {
	if w.body == nil {
		w.body = b
		return len(b), nil
	}
	w.body = append(w.body, b...)
	return len(b), nil
}
