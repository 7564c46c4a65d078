package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Object is a JSON object.
type Object = map[string]any

// Exchange is one answer of the stack, as it went over the wire.
type Exchange struct {
	Method, Path string
	Status       int
	Header       http.Header
	Body         string
}

// Answer is an HTTP answer. JSON is nil when the body is no JSON object.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	JSON   Object
}

// Want fails the test unless the answer has this status.
func (a Answer) Want(t testing.TB, status int) Answer {
	t.Helper()
	if a.Status != status {
		t.Fatalf("status %d, want %d: %.600s", a.Status, status, a.Body)
	}
	return a
}

// WantCode fails the test unless the answer is a problem document of this code.
func (a Answer) WantCode(t testing.TB, code string) Answer {
	t.Helper()
	if a.JSON["code"] != code || a.Status < 400 {
		t.Fatalf("status %d, want a problem %q: %.600s", a.Status, code, a.Body)
	}
	return a
}

// Text is a member of the answer's object, or of an object within it ("data.login"); empty when it is no text.
func (a Answer) Text(path string) string {
	var v any = a.JSON
	for _, name := range strings.Split(path, ".") {
		o, _ := v.(Object)
		v = o[name]
	}
	s, _ := v.(string)
	return s
}

// List is a member of the answer's object that is a list of objects.
func (a Answer) List(name string) []Object {
	list, _ := a.JSON[name].([]any)
	out := make([]Object, 0, len(list))
	for _, v := range list {
		if o, ok := v.(Object); ok {
			out = append(out, o)
		}
	}
	return out
}

// Request is one HTTP request to the stack.
type Request struct {
	Method, Path string
	// Token goes into Authorization: Bearer; empty sends none.
	Token string
	// Body is sent as it is if it is a string, as JSON otherwise; nil sends none.
	Body any
	// Header replaces headers.
	Header http.Header
}

// Do sends r. The path may be absolute.
func (f *Fixture) Do(t testing.TB, r Request) Answer {
	t.Helper()
	a, err := f.Try(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.Path, err)
	}
	return a
}

// Try is Do for goroutines, which must not end a test.
func (f *Fixture) Try(r Request) (Answer, error) {
	req, err := f.build(r)
	if err != nil {
		return Answer{}, err
	}
	return f.send(f.http, req)
}

func (f *Fixture) build(r Request) (*http.Request, error) {
	var body io.Reader
	switch b := r.Body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(j)
	}
	to := r.Path
	if strings.HasPrefix(to, "/") {
		to = f.URL + to
	}
	req, err := http.NewRequest(r.Method, to, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Token != "" {
		req.Header.Set("Authorization", "Bearer "+r.Token)
	}
	for k, v := range r.Header {
		req.Header[k] = v
	}
	return req, nil
}

func (f *Fixture) send(c *http.Client, req *http.Request) (Answer, error) {
	res, err := c.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Status: res.StatusCode, Header: res.Header, Body: string(b)}
	var v any
	if json.Unmarshal(b, &v) == nil {
		a.JSON, _ = v.(Object)
	}
	if strings.HasPrefix(req.URL.String(), f.URL) && !strings.HasPrefix(req.URL.String(), f.EmulatorURL) {
		f.mu.Lock()
		f.exchange = append(f.exchange, Exchange{req.Method, req.URL.Path, a.Status, a.Header, a.Body})
		f.mu.Unlock()
	}
	return a, nil
}

// Transcript is every answer of Behalf so far; the emulators' are left out.
func (f *Fixture) Transcript() []Exchange {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Exchange(nil), f.exchange...)
}

// Back is a call of the SaaS's back end, with the API key.
func (f *Fixture) Back(t testing.TB, method, path string, body any) Answer {
	t.Helper()
	return f.Do(t, Request{Method: method, Path: path, Token: f.APIKey(), Body: body})
}

// Session mints a session token. more adds to the body ("tools", "ttl_seconds").
func (f *Fixture) Session(t testing.TB, tenant, principal string, more Object) string {
	t.Helper()
	body := Object{"tenant": tenant, "principal": principal, "agent": "e2e", "run_id": "run-" + principal}
	for k, v := range more {
		body[k] = v
	}
	return f.Back(t, "POST", "/v1/sessions", body).Want(t, 201).Text("token")
}

// Execute runs a tool. more adds to the body ("connection", "idempotency_key").
func (f *Fixture) Execute(t testing.TB, session, tool string, input, more Object) Answer {
	t.Helper()
	return f.Do(t, execution(session, tool, input, more))
}

// TryExecute is Execute for goroutines.
func (f *Fixture) TryExecute(session, tool string, input, more Object) (Answer, error) {
	return f.Try(execution(session, tool, input, more))
}

func execution(session, tool string, input, more Object) Request {
	body := Object{"tool": tool}
	if input != nil {
		body["input"] = input
	}
	for k, v := range more {
		body[k] = v
	}
	return Request{Method: "POST", Path: "/v1/execute", Token: session, Body: body}
}

// SCIM is a call of a tenant's identity provider.
func (f *Fixture) SCIM(t testing.TB, token, method, path string, body any) Answer {
	t.Helper()
	return f.Do(t, Request{Method: method, Path: "/scim/v2" + path, Token: token, Body: body, Header: http.Header{"Content-Type": {"application/scim+json"}}})
}

// Audit is a tenant's whole trail for one query ("kind=…"), newest first, over all pages.
func (f *Fixture) Audit(t testing.TB, tenant, query string) []Object {
	t.Helper()
	var out []Object
	cursor := ""
	for {
		a := f.Back(t, "GET", "/v1/tenants/"+tenant+"/audit?"+query+cursor, nil).Want(t, 200)
		out = append(out, a.List("records")...)
		c := a.Text("cursor")
		if c == "" {
			return out
		}
		cursor = "&cursor=" + c
	}
}

// WantRefused fails the test unless the answer is a refusal of the caller: 401, 403 or 404.
func (a Answer) WantRefused(t testing.TB) Answer {
	t.Helper()
	if a.Status != 401 && a.Status != 403 && a.Status != 404 {
		t.Fatalf("status %d, want a refusal: %.600s", a.Status, a.Body)
	}
	return a
}
