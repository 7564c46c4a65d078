package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

// serve runs handler and returns a client for it.
func serve(t *testing.T, handler http.HandlerFunc, opts ...client.Option) *client.Client {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return newClient(t, srv.URL, opts...)
}

func writeProblem(w http.ResponseWriter, err error) {
	body, status := fault.Problem(err, "req_1")
	w.Header().Set("Content-Type", fault.ContentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func TestClient_Problem_ComesBackAsTheFault(t *testing.T) {
	t.Parallel()
	for _, code := range fault.Codes() {
		sent := fault.New(code, "what to do").WithField("/principal").WithRetryAfter(1500*time.Millisecond).With("connector", "github").With("missing_scopes", []string{"repo"})
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeProblem(w, sent) }, client.WithRetries(1, 0))
		_, err := c.Tenant(t.Context(), "acme")
		var got *fault.Error
		if !errors.As(err, &got) {
			t.Fatalf("%s: %v is no fault", code, err)
		}
		if got.Code != code || got.Message != "what to do" || got.Field != "/principal" || got.RetryAfter != 2*time.Second {
			t.Errorf("%+v", got)
		}
		if fmt.Sprint(got.Detail) != "map[connector:github missing_scopes:[repo] request_id:req_1]" || client.RequestID(err) != "req_1" {
			t.Errorf("details %v", got.Detail)
		}
	}
}

func TestClient_AnswerThatIsNoProblem_IsClassifiedAndNotQuoted(t *testing.T) {
	t.Parallel()
	const page = "<html>secret-page</html>"
	for status, want := range map[int]fault.Code{301: fault.Internal, 400: fault.InvalidInput, 401: fault.Unauthenticated, 403: fault.Forbidden, 404: fault.NotFound, 409: fault.Conflict,
		418: fault.Internal, 429: fault.RateLimited, 500: fault.Internal, 502: fault.OutcomeUnknown, 503: fault.Internal, 504: fault.OutcomeUnknown} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, page)
		})
		_, err := c.PauseConnection(t.Context(), "acme", conn)
		if !fault.Is(err, want) || strings.Contains(err.Error(), "secret-page") {
			t.Errorf("%d: %v", status, err)
		}
	}
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	if _, err := c.Tenant(t.Context(), "acme"); err == nil || strings.Contains(err.Error(), "secret-page") {
		t.Errorf("a page with status 200: %v", err)
	}
}

func TestConnectRequest_MissingConnection_IsReadyToSend(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, fault.New(fault.ConnectionRequired, "connect").With("connect", map[string]any{"method": "POST", "path": "/v1/connect-links",
			"body": map[string]any{"tenant": "acme", "principal": "user_alice", "connector": "github", "scopes": []string{"repo"}}}))
	})
	_, err := c.Session(secret.FromString(session)).Execute(t.Context(), client.Call{Tool: "github_list_issues"})
	got, ok := client.ConnectRequest(fmt.Errorf("run the step: %w", err))
	if !ok || got.Tenant != "acme" || got.Principal != "user_alice" || got.Connector != "github" || len(got.Scopes) != 1 {
		t.Errorf("%v %+v", ok, got)
	}
	for _, other := range []error{nil, errors.New("x"), fault.New(fault.Conflict, "x"), fault.New(fault.Revoked, "x").With("connect", map[string]any{"body": map[string]any{"tenant": "acme"}})} {
		if _, ok := client.ConnectRequest(other); ok {
			t.Errorf("%v carries no request", other)
		}
	}
}

func TestNew_BaseURL_MustKeepCredentialsSafe(t *testing.T) {
	t.Parallel()
	for _, ok := range []string{"https://behalf.example.com", "https://behalf.example.com/prod/", "http://localhost:8787", "http://127.0.0.1:1", "http://[::1]:1"} {
		if _, err := client.New(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "behalf.example.com", "http://behalf.example.com", "http://localhost.evil.example", "ftp://localhost", "https://u:p@behalf.example.com", "https://x.example?a=b", "https://x.example#a", "https://"} {
		if _, err := client.New(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestClient_PathParameters_AreEscapedAndNeverEmpty(t *testing.T) {
	t.Parallel()
	var got string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.EscapedPath()
		_, _ = io.WriteString(w, "{}")
	})
	for principal, want := range map[string]string{"user_alice": "user_alice", "a/b?c#d": "a%2Fb%3Fc%23d", "..": "%2E%2E", "é x": "%C3%A9%20x", "100%": "100%25"} {
		if _, err := c.DeletePrincipal(t.Context(), "acme", principal); err != nil || got != "/v1/tenants/acme/principals/"+want {
			t.Errorf("%q: %s %v", principal, got, err)
		}
	}
	got = ""
	if _, err := c.DeletePrincipal(t.Context(), "acme", ""); !fault.Is(err, fault.InvalidInput) || got != "" {
		t.Errorf("an empty principal was sent to %s: %v", got, err)
	}
}

func TestClient_BasePath_IsKept(t *testing.T) {
	t.Parallel()
	var got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.URL.Path; _, _ = io.WriteString(w, "{}") }))
	t.Cleanup(srv.Close)
	if err := newClient(t, srv.URL+"/prod/").Health(t.Context()); err != nil || got != "/prod/healthz" {
		t.Errorf("%s %v", got, err)
	}
}

func TestClient_Redirect_IsNotFollowed(t *testing.T) {
	t.Parallel()
	followed := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	t.Cleanup(other.Close)
	own := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}, client.WithHTTPClient(own))
	if _, err := c.Tenant(t.Context(), "acme"); err == nil || followed {
		t.Errorf("followed: %v, %v", followed, err)
	}
}

func TestClient_NoCredential_SendsNothing(t *testing.T) {
	t.Parallel()
	sent := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent = true }))
	t.Cleanup(srv.Close)
	bare, err := client.New(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bare.Tenant(t.Context(), "acme"); !fault.Is(err, fault.Unauthenticated) || sent {
		t.Errorf("%v", err)
	}
	// An empty session token must not become the API key.
	if _, err := newClient(t, srv.URL).Session(secret.Text{}).Tools(t.Context(), "", ""); !fault.Is(err, fault.Unauthenticated) || sent {
		t.Errorf("%v", err)
	}
}

// Everything that can be printed about a failed call, and the client itself, is free of what must not be known.
func TestClient_Errors_HoldNoSecret(t *testing.T) {
	t.Parallel()
	const link = "cl_acme.linkcanary00000000000"
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	html := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path+r.Header.Get("Authorization"))
	}
	hang := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	for name, c := range map[string]*client.Client{"refused": newClient(t, dead.URL), "not JSON": serve(t, html), "hung up": serve(t, hang)} {
		_, err1 := c.ConnectLink(t.Context(), link)
		_, err2 := c.ConfirmConnectLink(t.Context(), link, "user_alice")
		_, err3 := c.PutOAuthClient(t.Context(), "github", client.OAuthClientSettings{ClientID: "id", ClientSecret: secret.FromString("clientcanary"), PrivateKey: secret.FromString("clientcanary")})
		for _, err := range []error{err1, err2, err3} {
			if err == nil {
				t.Fatalf("%s: no error", name)
			}
			text := fmt.Sprintf("%v %+v %#v %+v", err, err, err, c)
			for e := err; e != nil; e = errors.Unwrap(e) {
				text += " " + e.Error()
			}
			for _, canary := range []string{"linkcanary", "bhf_key_canary", "clientcanary"} {
				if strings.Contains(text, canary) {
					t.Errorf("%s: %s in %s", name, canary, text)
				}
			}
		}
	}
}

func TestClient_LostAnswer_IsUnknownOnlyIfItWasSent(t *testing.T) {
	t.Parallel()
	hang := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	run := func(c *client.Client) error {
		_, err := c.Session(secret.FromString(session)).Execute(t.Context(), client.Call{Tool: "github_create_issue"})
		return err
	}
	if err := run(serve(t, hang)); !fault.Is(err, fault.OutcomeUnknown) {
		t.Errorf("hung up after the request: %v", err)
	}
	refuse := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }}}
	err := run(newClient(t, "http://127.0.0.1:1", client.WithHTTPClient(refuse)))
	var f *fault.Error
	if err == nil || errors.As(err, &f) {
		t.Errorf("never sent: %v", err)
	}
	if _, err := serve(t, hang).Tenant(t.Context(), "acme"); err == nil || errors.As(err, &f) {
		t.Errorf("a read without an answer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := serve(t, hang).Tenant(ctx, "acme"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// scripted answers with one status after the other, then 200, without a network, so that time can be faked.
type scripted struct {
	statuses   []int
	retryAfter string
	calls      int
}

func (s *scripted) RoundTrip(*http.Request) (*http.Response, error) {
	status := http.StatusOK
	if s.calls < len(s.statuses) {
		status = s.statuses[s.calls]
	}
	s.calls++
	h := http.Header{}
	if s.retryAfter != "" {
		h.Set("Retry-After", s.retryAfter)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

func TestClient_Retries_ReadsThatMayBeRepeated(t *testing.T) {
	t.Parallel()
	read := func(ctx context.Context, c *client.Client) error { _, err := c.Tenant(ctx, "acme"); return err }
	write := func(ctx context.Context, c *client.Client) error {
		_, err := c.PauseConnection(ctx, "acme", conn)
		return err
	}
	remove := func(ctx context.Context, c *client.Client) error { return c.DeleteAPIKey(ctx, "id") }
	for name, c := range map[string]struct {
		script    scripted
		do        func(context.Context, *client.Client) error
		deadline  time.Duration
		wantCalls int
		wantWait  time.Duration
		wantCode  fault.Code
	}{
		"once":               {scripted{statuses: []int{429}, retryAfter: "2"}, read, 0, 2, 2 * time.Second, ""},
		"twice":              {scripted{statuses: []int{503, 429}, retryAfter: "2"}, read, 0, 3, 4 * time.Second, ""},
		"bounded":            {scripted{statuses: []int{429, 429, 429, 429}, retryAfter: "2"}, read, 0, 3, 4 * time.Second, fault.RateLimited},
		"a date":             {scripted{statuses: []int{503}, retryAfter: "Sat, 01 Jan 2000 00:00:07 GMT"}, read, 0, 2, 7 * time.Second, ""},
		"no Retry-After":     {scripted{statuses: []int{429}}, read, 0, 1, 0, fault.RateLimited},
		"too long":           {scripted{statuses: []int{429}, retryAfter: "31"}, read, 0, 1, 0, fault.RateLimited},
		"nonsense":           {scripted{statuses: []int{429}, retryAfter: "-1"}, read, 0, 1, 0, fault.RateLimited},
		"past the deadline":  {scripted{statuses: []int{429}, retryAfter: "20"}, read, 10 * time.Second, 1, 0, fault.RateLimited},
		"another failure":    {scripted{statuses: []int{500}, retryAfter: "2"}, read, 0, 1, 0, fault.Internal},
		"a write":            {scripted{statuses: []int{429}, retryAfter: "2"}, write, 0, 1, 0, fault.RateLimited},
		"a write of another": {scripted{statuses: []int{503}, retryAfter: "2"}, remove, 0, 1, 0, fault.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // its clock starts at 2000-01-01 and runs only while everybody waits
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				start, script := time.Now(), c.script
				err := c.do(ctx, newClient(t, "https://behalf.example.com", client.WithHTTPClient(&http.Client{Transport: &script})))
				if script.calls != c.wantCalls || time.Since(start) != c.wantWait {
					t.Errorf("%d calls in %s, want %d in %s", script.calls, time.Since(start), c.wantCalls, c.wantWait)
				}
				if (c.wantCode == "") != (err == nil) || err != nil && !fault.Is(err, c.wantCode) {
					t.Errorf("%v, want %q", err, c.wantCode)
				}
			})
		})
	}
}

func TestClient_Lists_YieldEveryPageOnce(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
		if n == 3 {
			writeProblem(w, fault.New(fault.Internal, "page 4 fails"))
			return
		}
		cursor := ""
		if r.URL.Query().Get("principal") == "fails" || n < 2 {
			cursor = strconv.Itoa(n + 1)
		}
		item := map[string]any{"id": strconv.Itoa(n)}
		_ = json.NewEncoder(w).Encode(map[string]any{"tenants": []any{item}, "connections": []any{item}, "records": []any{item}, "cursor": cursor})
	})
	got := ""
	for id, err := range c.AllTenants(t.Context()) {
		got += fmt.Sprint(id, err, " ")
	}
	for x, err := range c.AllConnections(t.Context(), "acme", client.ConnectionFilter{}) {
		got += fmt.Sprint(x.ID, err, " ")
		if x.ID == "1" {
			break
		}
	}
	errs := 0
	for r, err := range c.AllAudit(t.Context(), "acme", client.AuditFilter{Principal: "fails"}) {
		got += r.ID
		if err != nil {
			errs++
		}
	}
	if got != "0<nil> 1<nil> 2<nil> 0<nil> 1<nil> 012" || errs != 1 {
		t.Errorf("%q, %d errors", got, errs)
	}
}

func TestSession_Execute_TellsReplays(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Idempotent-Replayed", "true")
		_, _ = io.WriteString(w, `{"execution_id":"exec_1","data":{"n":12345678901234567890}}`)
	})
	got, err := c.Session(secret.FromString(session)).Execute(t.Context(), client.Call{Tool: "t"})
	if err != nil || !got.Replayed || got.ID != "exec_1" || string(got.Data) != `{"n":12345678901234567890}` {
		t.Errorf("%+v %v", got, err)
	}
}
