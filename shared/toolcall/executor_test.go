package toolcall_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/ident"
	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

var alice = tenant.Scope{Tenant: "acme", Principal: "user_alice"}

const accessToken = "ghu_0123456789abcdefghij"

// world is an executor over the store in memory; provider and refresher are functions.
type world struct {
	t     *testing.T
	store *memory.Store
	exec  *toolcall.Executor

	mu      sync.Mutex
	now     time.Time
	sent    []*http.Request
	answer  func(r *http.Request) (egress.Response, error)
	renewed []connection.RefreshRequest
	renew   func(connection.RefreshRequest) (connection.RefreshResult, error)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Do implements toolcall.Provider.
func (w *world) Do(r *http.Request) (egress.Response, error) {
	w.mu.Lock()
	w.sent = append(w.sent, r)
	w.mu.Unlock()
	return w.answer(r)
}

// Refresh implements toolcall.Refresher.
func (w *world) Refresh(_ context.Context, q connection.RefreshRequest) (connection.RefreshResult, error) {
	w.renewed = append(w.renewed, q)
	return w.renew(q)
}

// plainSealer does not seal; it checks that what is opened belongs to alice.
type plainSealer struct{}

func (plainSealer) Seal(_ context.Context, b connection.Binding, s secret.Text) ([]byte, error) {
	return append([]byte(b.Record+"|"), s.Reveal(reveal.Key{})...), nil
}

func (plainSealer) Open(_ context.Context, b connection.Binding, sealed []byte) (secret.Text, error) {
	s, ok := strings.CutPrefix(string(sealed), b.Record+"|")
	if !ok || b.Principal != alice.Principal || b.Purpose != connection.AccessToken {
		return secret.Text{}, fmt.Errorf("opened with %+v", b)
	}
	return secret.FromString(s), nil
}

func ok(body string) func(*http.Request) (egress.Response, error) {
	return func(*http.Request) (egress.Response, error) {
		return egress.Response{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}, nil
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), answer: ok(`{"number":7,"title":"x"}`)}
	w.renew = func(connection.RefreshRequest) (connection.RefreshResult, error) {
		return connection.RefreshResult{}, errors.New("no refresh was expected")
	}
	w.store = memory.New(w.clock)
	if _, err := w.store.PutTenant(t.Context(), dynamo.Tenant{ID: "acme", Created: w.now}); err != nil {
		t.Fatal(err)
	}
	cat, err := connectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	w.connect(1)
	w.exec = toolcall.New(toolcall.Deps{Tools: cat, State: w.store, Sealer: plainSealer{}, Refresher: w, Provider: w, Claims: w.store, Rules: w.store, Approvals: w.store, Recorder: w.store, Log: slog.New(slog.DiscardHandler),
		Now: w.clock, NewID: ident.NewSource(w.clock, nil).New})
	return w
}

// connect gives alice a GitHub connection with one hour to live.
func (w *world) connect(n int) connection.Ref {
	w.t.Helper()
	ref := connection.Ref{Scope: alice, Connector: "github", ID: connection.ID(fmt.Sprintf("conn_%026d", n))}
	c := connection.Connection{Ref: ref, Status: connection.Pending, Created: w.now, PendingUntil: w.now.Add(time.Hour)}
	if err := w.store.CreateConnection(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	c, err := w.store.Connection(w.t.Context(), ref)
	if err != nil {
		w.t.Fatal(err)
	}
	g := connection.Grant{ID: "grant_1", Connection: ref.ID, ScopesGranted: []string{"repo", "read:user"}}
	next, err := c.Activate(connection.Activated{Grant: g, ExpiresAt: w.now.Add(time.Hour)}, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	slot := connection.Slot{Generation: 1, Fence: next.Refresh.Fence, Access: []byte(string(ref.ID) + "|" + accessToken)}
	if err := w.store.Activate(w.t.Context(), next, slot, g); err != nil {
		w.t.Fatal(err)
	}
	return ref
}

func (w *world) run(tool, input, key string) (toolcall.Result, error) {
	return w.exec.Run(w.t.Context(), authn.Session{ID: "sess_1", Scope: alice}, toolcall.Call{Tool: tool, Input: json.RawMessage(input), IdempotencyKey: key})
}

func (w *world) create(key string) (toolcall.Result, error) {
	return w.run("github_create_issue", `{"owner":"acme","repo":"billing","title":"x"}`, key)
}

func (w *world) kinds() (out []audit.Kind) {
	w.t.Helper()
	records, _, err := w.store.Records(w.t.Context(), "acme", dynamo.AuditPage{From: w.now.Add(-time.Hour), To: w.now.Add(time.Hour), Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := len(records) - 1; i >= 0; i-- {
		out = append(out, records[i].Kind)
	}
	return out
}

func wantCode(t *testing.T, err error, code fault.Code, reason string) {
	t.Helper()
	if !fault.Is(err, code) || reason != "" && fault.From(err).Detail["reason"] != reason {
		t.Errorf("%v, want %s %s", err, code, reason)
	}
}

func TestRun_TokenIsEchoed_NeverComesBack(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 400, 500} {
		w := newWorld(t)
		w.answer = func(r *http.Request) (egress.Response, error) {
			if r.Header.Get("Authorization") != "Bearer "+accessToken {
				t.Errorf("sent with %q", r.Header.Get("Authorization"))
			}
			return egress.Response{Status: status, Header: http.Header{}, Body: []byte(`{"title":"you sent ` + accessToken + `","message":"` + accessToken + `"}`)}, nil
		}
		res, err := w.create("")
		var body []byte
		if err != nil {
			body, _ = fault.Problem(err, "")
		}
		if strings.Contains(string(res.Data)+string(body), accessToken) || err == nil && !strings.Contains(string(res.Data), secret.Redacted) {
			t.Errorf("%d: %s %s", status, res.Data, body)
		}
	}
}

func TestRun_IntentComesFirst_WithoutItNothingIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = func(*http.Request) (egress.Response, error) {
		if k := w.kinds(); k[len(k)-1] != audit.ExecutionIntent {
			t.Errorf("records when the provider is called: %v", k)
		}
		return egress.Response{Status: 200, Header: http.Header{}, Body: []byte(`{}`)}, nil
	}
	if _, err := w.create(""); err != nil {
		t.Fatal(err)
	}
	w.store.Fault = func(op string) error {
		if op == "Record" {
			return errors.New("no audit")
		}
		return nil
	}
	_, err := w.create("k-1")
	wantCode(t, err, fault.Internal, "")
	if len(w.sent) != 1 || !fault.From(err).Retryable() {
		t.Errorf("%d sent, %v", len(w.sent), err)
	}
	w.store.Fault = nil
	if _, err := w.create("k-1"); err != nil {
		t.Errorf("the key was not given back: %v", err)
	}
}

func TestRun_OutcomeCannotBeRecorded_TheCallStillSucceeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := 0
	w.store.Fault = func(op string) error {
		if op == "Record" {
			if n++; n == 2 {
				return errors.New("no audit")
			}
		}
		return nil
	}
	if _, err := w.create(""); err != nil {
		t.Error(err)
	}
}

func TestRun_Expired_OneRefreshAndOneMoreTry(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]int{"second try succeeds": 201, "second try is refused too": 401} {
		w := newWorld(t)
		w.renew = func(connection.RefreshRequest) (connection.RefreshResult, error) {
			return connection.RefreshResult{Status: connection.RefreshRefreshed}, nil
		}
		w.answer = func(*http.Request) (egress.Response, error) {
			status := 401
			if len(w.sent) > 1 {
				status = again
			}
			return egress.Response{Status: status, Header: http.Header{}, Body: []byte(`{"message":"Bad credentials"}`)}, nil
		}
		_, err := w.create("")
		if len(w.sent) != 2 || len(w.renewed) != 1 || w.renewed[0].Rejected != 1 {
			t.Errorf("%s: %d sent, refreshes %+v", name, len(w.sent), w.renewed)
		}
		if again == 201 && err != nil || again == 401 && !fault.Is(err, fault.ReauthorizationRequired) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRun_NoLiveToken_RefreshAnswersDecide(t *testing.T) {
	t.Parallel()
	for status, want := range map[connection.RefreshStatus]fault.Code{connection.RefreshNeedsReauth: fault.ReauthorizationRequired, connection.RefreshBusy: fault.ProviderError, connection.RefreshDelayed: fault.ProviderError, connection.RefreshFresh: ""} {
		w := newWorld(t)
		w.now = w.now.Add(2 * time.Hour)
		w.renew = func(connection.RefreshRequest) (connection.RefreshResult, error) {
			return connection.RefreshResult{Status: status, Reason: "x"}, nil
		}
		_, err := w.create("")
		if want == "" && err != nil || want != "" && !fault.Is(err, want) || want != "" && len(w.sent) > 0 {
			t.Errorf("%s: %v, %d sent", status, err, len(w.sent))
		}
		if want == fault.ProviderError && fault.From(err).RetryAfter < time.Second {
			t.Errorf("%s: no time to come back", status)
		}
	}
}

func TestRun_StopsBeforeTheProvider_WhenItMust(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare     func(w *world)
		tool, input string
		code        fault.Code
	}{
		"suspended": {func(w *world) { _, _ = w.store.SetSuspended(w.t.Context(), alice, true, "x") }, "github_create_issue", `{"owner":"a","repo":"b","title":"x"}`, fault.Revoked},
		"tenant deleted": {func(w *world) {
			c, _ := w.store.Tenant(w.t.Context(), "acme")
			c.Deleted = w.now
			_, _ = w.store.PutTenant(w.t.Context(), c)
		}, "github_create_issue", `{"owner":"a","repo":"b","title":"x"}`, fault.Revoked},
		"unknown tool": {func(*world) {}, "github_rm", `{}`, fault.NotFound}, "bad input": {func(*world) {}, "github_create_issue", `{}`, fault.InvalidInput}, "no connection": {func(*world) {}, "slack_auth_test", `{}`, fault.ConnectionRequired},
		"store down": {func(w *world) {
			w.store.Fault = func(op string) error {
				if op == "Snapshot" {
					return errors.New("down")
				}
				return nil
			}
		}, "github_create_issue", `{"owner":"a","repo":"b","title":"x"}`, fault.Internal},
	} {
		w := newWorld(t)
		c.prepare(w)
		_, err := w.run(c.tool, c.input, "k")
		if !fault.Is(err, c.code) || len(w.sent) > 0 || fault.From(err).Detail["execution_id"] == nil {
			t.Errorf("%s: %v, %d sent", name, err, len(w.sent))
		}
		if k := w.kinds(); len(k) != 1 || k[0] != audit.ExecutionRefused {
			t.Errorf("%s: records %v", name, k)
		}
	}
}

func TestClaim_Table(t *testing.T) {
	t.Parallel()
	lost := func(*http.Request) (egress.Response, error) {
		return egress.Response{}, fault.New(fault.ProviderError, "lost")
	}
	for name, c := range map[string]struct {
		first, second func(w *world) error
		code          fault.Code
		reason        string
		sent          int
	}{
		"again": {func(w *world) error { _, err := w.create("k"); return err }, func(w *world) error {
			r, err := w.create("k")
			if err == nil && !r.Replayed {
				return errors.New("not replayed")
			}
			return err
		}, "", "", 1},
		"other input": {func(w *world) error { _, err := w.create("k"); return err }, func(w *world) error {
			_, err := w.run("github_create_issue", `{"owner":"acme","repo":"billing","title":"y"}`, "k")
			return err
		}, fault.Conflict, "key_reused", 1},
		"same input in another order": {func(w *world) error { _, err := w.create("k"); return err }, func(w *world) error {
			_, err := w.run("github_create_issue", ` {"title":"x","repo":"billing","owner":"acme"}`, "k")
			return err
		}, "", "", 1},
		"after a lost answer": {func(w *world) error { w.answer = lost; _, err := w.create("k"); return err }, func(w *world) error { w.answer = ok("{}"); _, err := w.create("k"); return err }, fault.OutcomeUnknown, "", 1},
		"after a refusal": {func(w *world) error {
			w.answer = func(*http.Request) (egress.Response, error) {
				return egress.Response{Status: 422, Header: http.Header{}}, nil
			}
			_, err := w.create("k")
			return err
		}, func(w *world) error { w.answer = ok("{}"); _, err := w.create("k"); return err }, "", "", 2},
		"after an answer too large to keep": {func(w *world) error {
			w.answer = ok(`{"title":"` + strings.Repeat("x", 310<<10) + `"}`)
			_, err := w.create("k")
			return err
		}, func(w *world) error { _, err := w.create("k"); return err }, fault.Conflict, "not_kept", 1},
		"a day later": {func(w *world) error { _, err := w.create("k"); return err }, func(w *world) error {
			w.now = w.now.Add(24*time.Hour + time.Second)
			w.renew = func(connection.RefreshRequest) (connection.RefreshResult, error) {
				return connection.RefreshResult{Status: connection.RefreshFresh}, nil
			}
			_, err := w.create("k")
			return err
		}, "", "", 2},
		"key too long": {func(*world) error { return nil }, func(w *world) error { _, err := w.create(strings.Repeat("k", 256)); return err }, fault.InvalidInput, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			_ = c.first(w) // how it ends is the case's matter
			err := c.second(w)
			if c.code == "" && err != nil {
				t.Errorf("%v", err)
			} else if c.code != "" {
				wantCode(t, err, c.code, c.reason)
			}
			if len(w.sent) != c.sent {
				t.Errorf("%d sent, want %d", len(w.sent), c.sent)
			}
		})
	}
}

func TestClaim_ProcessDiedInFlight_ReadMayGoAgainWriteMayNot(t *testing.T) {
	t.Parallel()
	for tool, want := range map[string]fault.Code{"github_get_authenticated_user": "", "github_create_issue": fault.OutcomeUnknown} {
		w := newWorld(t)
		input := `{}`
		if tool == "github_create_issue" {
			input = `{"owner":"acme","repo":"billing","title":"x"}`
		}
		died := make(chan struct{})
		w.answer = func(*http.Request) (egress.Response, error) { // the process ends here: nothing is settled
			w.store.Fault = func(op string) error {
				if op == "PutClaim" {
					return errors.New("dead")
				}
				return nil
			}
			close(died)
			return egress.Response{}, fault.New(fault.ProviderError, "dead")
		}
		_, _ = w.run(tool, input, "k")
		<-died
		w.store.Fault, w.answer = nil, ok(`{"login":"alice"}`)
		_, err := w.run(tool, input, "k")
		wantCode(t, err, fault.Conflict, "in_flight")
		w.now = w.now.Add(2*time.Minute + time.Second)
		_, err = w.run(tool, input, "k")
		if want == "" && err != nil || want != "" && !fault.Is(err, want) {
			t.Errorf("%s: %v, want %q", tool, err, want)
		}
	}
}

func TestClaim_ManyAtOnce_OneIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := w.create("k"); err != nil && !fault.Is(err, fault.Conflict) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(w.sent) != 1 {
		t.Errorf("%d sent", len(w.sent))
	}
}
