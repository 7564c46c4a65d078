package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Hook is one webhook as it arrived.
type Hook struct {
	Header http.Header
	Body   []byte
}

// Receiver is an endpoint of the SaaS that takes webhooks and notes them.
type Receiver struct {
	*httptest.Server

	mu     sync.Mutex
	hooks  []Hook
	answer http.HandlerFunc
}

// NewReceiver starts a receiver that answers 204 until Answer says otherwise.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *Receiver) take(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	r.hooks = append(r.hooks, Hook{req.Header.Clone(), body})
	answer := r.answer
	r.mu.Unlock()
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, req)
}

// Answer sets how the receiver answers from now on; nil is 204.
func (r *Receiver) Answer(f http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

// Status answers with a status.
func Status(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// Hooks are all that came, in order.
func (r *Receiver) Hooks() []Hook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Hook(nil), r.hooks...)
}

// Webhook registers the receiver and returns its id and secret. more adds to the body ("tenant").
func (f *Fixture) Webhook(t testing.TB, r *Receiver, events []string, more Object) (id, secret string) {
	t.Helper()
	body := Object{"url": r.URL, "events": events}
	for k, v := range more {
		body[k] = v
	}
	a := f.Back(t, "POST", "/v1/webhooks", body).Want(t, 201)
	return a.Text("id"), a.Text("secret")
}
