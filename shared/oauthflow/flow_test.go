package oauthflow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/ident"
	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// world is a flow over the store in memory, and a provider that is a struct.
type world struct {
	t     *testing.T
	now   time.Time
	store *memory.Store
	flow  *oauthflow.Flow
	logs  bytes.Buffer

	// The provider.
	exchanges   []exchange
	exchangeErr error
	account     string
	revoked     []string
	retired     []connection.Ref
	retireErr   error
	scopes      []string
}

type exchange struct{ code, verifier, redirect string }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), account: "1001"}
	clock := func() time.Time { return w.now }
	w.store = memory.New(clock)
	if _, err := w.store.PutTenant(t.Context(), dynamo.Tenant{ID: "acme", Created: w.now}); err != nil {
		t.Fatal(err)
	}
	cat, err := connectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	ids := ident.NewSource(clock, nil)
	w.flow = oauthflow.New(oauthflow.Deps{Links: w.store, Lookup: w.store, Connections: w.store, Siblings: w.store, Replacements: w.store, Retirements: w, Finder: w.store, Principals: w.store, Sealer: sealer{}, Clients: clients{}, Endpoint: w, Provider: w,
		Recorder: w.store, Events: silent{}, Connector: cat.Connector, Log: slog.New(slog.NewTextHandler(&w.logs, nil)), Now: clock, NewID: ids.New, NewSecret: ids.Secret, Jitter: func() float64 { return 0 }, PublicURL: "https://behalf.example"})
	return w
}

// Retire implements oauthflow.Retirements.
func (w *world) Retire(_ context.Context, ref connection.Ref, _ string, delay time.Duration) error {
	if w.retireErr == nil && delay >= 30*time.Second {
		w.retired = append(w.retired, ref)
	}
	return w.retireErr
}

// Exchange implements oauthflow.Endpoint.
func (w *world) Exchange(_ context.Context, _ *catalog.Connector, _ connection.Client, r connection.Redemption) (connection.Tokens, error) {
	w.exchanges = append(w.exchanges, exchange{string(r.Code.Reveal(reveal.Key{})), string(r.Verifier.Reveal(reveal.Key{})), r.RedirectURI})
	if w.exchangeErr != nil {
		return connection.Tokens{}, w.exchangeErr
	}
	return connection.Tokens{Access: secret.FromString("ghu_access"), Refresh: secret.FromString("ghr_refresh"), Facts: connection.TokenFacts{ExpiresAt: w.now.Add(8 * time.Hour), Scopes: w.scopes}}, nil
}

// Refresh implements oauthflow.Endpoint.
func (w *world) Refresh(context.Context, *catalog.Connector, connection.Client, secret.Text, map[string]string) (connection.Tokens, error) {
	return connection.Tokens{}, errors.New("nothing mints here")
}

// Do implements oauthflow.Provider: it is asked for the account, and to revoke what is not used.
func (w *world) Do(r *http.Request) (egress.Response, error) {
	if r.Method == http.MethodDelete {
		w.revoked = append(w.revoked, r.URL.Path)
		return egress.Response{Status: 204}, nil
	}
	return egress.Response{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: fmt.Appendf(nil, `{"id":%s,"login":"alice"}`, w.account)}, nil
}

// sealer marks what was sealed with its binding, and refuses another one.
type sealer struct{}

func (sealer) Seal(_ context.Context, b connection.Binding, s secret.Text) ([]byte, error) {
	return []byte(fmt.Sprintf("%v|", b) + string(s.Reveal(reveal.Key{}))), nil
}

func (sealer) Open(_ context.Context, b connection.Binding, sealed []byte) (secret.Text, error) {
	s, ok := strings.CutPrefix(string(sealed), fmt.Sprintf("%v|", b))
	if !ok {
		return secret.Text{}, errors.New("sealed for something else")
	}
	return secret.FromString(s), nil
}

type clients struct{}

func (clients) Owner(_ context.Context, _ tenant.ID, connector string) (connection.StoredClient, error) {
	return connection.StoredClient{Owner: tenant.Deployment, Connector: connector, ID: "client-1"}, nil
}

func (clients) Client(context.Context, tenant.ID, string) (connection.Client, error) {
	return connection.Client{ID: "client-1", Secret: secret.FromString("cs")}, nil
}

type silent struct{}

func (silent) ConnectionChanged(context.Context, audit.Kind, connection.Connection) error { return nil }
func (silent) LinkChanged(context.Context, events.Type, connection.Ref, string) error     { return nil }

var alice = tenant.Scope{Tenant: "acme", Principal: "user_alice"}

func (w *world) create(more func(*oauthflow.CreateRequest)) oauthflow.Created {
	w.t.Helper()
	q := oauthflow.CreateRequest{Scope: alice, Connector: "github", ReturnURL: "https://app.example/done"}
	if more != nil {
		more(&q)
	}
	made, err := w.flow.Create(w.t.Context(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

func token(c oauthflow.Created) string { return c.URL[strings.LastIndex(c.URL, "/")+1:] }

// start opens the flow in a browser; it returns the cookie and the query of the consent page.
func (w *world) start(token, cookie string) (string, url.Values) {
	w.t.Helper()
	d, err := w.flow.Start(w.t.Context(), token, cookie)
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(d.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	return d.CookieValue(), u.Query()
}

// arrive comes back to GitHub's address unless a says otherwise.
func (w *world) arrive(a oauthflow.Arrival) (string, error) {
	w.t.Helper()
	if a.Context == "" {
		a.Context = "github"
	}
	l, err := w.flow.ByState(w.t.Context(), a.Query.Get("state"))
	if err != nil {
		return "", err
	}
	return w.flow.Callback(w.t.Context(), l, a)
}

// parked walks up to the parked code.
func (w *world) parked(more func(*oauthflow.CreateRequest)) oauthflow.Link {
	w.t.Helper()
	made := w.create(more)
	cookie, q := w.start(token(made), "")
	if _, err := w.arrive(oauthflow.Arrival{Context: made.Link.Connector, Query: url.Values{"state": {q.Get("state")}, "code": {"the-code"}}, Cookie: cookie}); err != nil {
		w.t.Fatal(err)
	}
	return w.link(made.Link.ID)
}

func (w *world) link(id string) oauthflow.Link {
	w.t.Helper()
	l, err := w.store.Link(w.t.Context(), "acme", id)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func wantCode(t *testing.T, err error, code fault.Code, reason string) {
	t.Helper()
	if !fault.Is(err, code) || reason != "" && fault.From(err).Detail["reason"] != reason {
		t.Errorf("%v (%v), want %s %s", err, fault.From(err), code, reason)
	}
}

func TestFlow_WholeWay_RedeemsOnceWithPKCEAndActivates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.create(nil)
	if !strings.HasPrefix(made.URL, "https://behalf.example/connect/acme.") || strings.Contains(made.URL, strings.TrimPrefix(made.Link.ID, "cl_")) {
		t.Errorf("the URL %s must not give the id away", made.URL)
	}
	cookie, q := w.start(token(made), "")
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("redirect_uri") != "https://behalf.example/oauth/callback/github" || q.Get("client_id") != "client-1" {
		t.Errorf("%v", q)
	}
	to, err := w.arrive(oauthflow.Arrival{Context: "github", Query: url.Values{"state": {q.Get("state")}, "code": {"the-code"}}, Cookie: cookie})
	if err != nil || len(w.exchanges) != 0 {
		t.Fatalf("%v; %d exchanges before the confirmation", err, len(w.exchanges))
	}
	if u, _ := url.Parse(to); u.Query().Get("connect_link") != made.Link.ID || u.Query().Get("status") != "consented" {
		t.Errorf("sent to %s", to)
	}
	c, err := w.flow.Confirm(t.Context(), w.link(made.Link.ID), "user_alice", "key-1")
	if err != nil || c.Status != connection.Active || c.Account.ID != "1001" || !slices.Equal(c.Scopes, made.Link.Scopes) {
		t.Fatalf("%+v %v", c, err)
	}
	if len(w.exchanges) != 1 || w.exchanges[0].code != "the-code" || len(w.exchanges[0].verifier) < 43 || w.exchanges[0].redirect != q.Get("redirect_uri") {
		t.Errorf("%+v", w.exchanges)
	}
	l := w.link(made.Link.ID)
	if l.Code != nil || l.Verifier != nil || l.StateHash != "" || l.CookieHash != "" {
		t.Error("what was parked is still there")
	}
	slot, ok, err := w.store.Slot(t.Context(), c.Ref, 1)
	if err != nil || !ok || slot.Access == nil || slot.Refresh == nil {
		t.Errorf("%v %v %+v", ok, err, slot)
	}
}

func TestFlow_StateMachine_EachStepOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do     func(w *world) error
		code   fault.Code
		reason string
	}{
		"confirm before consent": {func(w *world) error {
			_, err := w.flow.Confirm(w.t.Context(), w.create(nil).Link, "user_alice", "k")
			return err
		}, fault.Conflict, ""},
		"confirm twice": {func(w *world) error {
			l := w.parked(nil)
			_, _ = w.flow.Confirm(w.t.Context(), l, "user_alice", "k")
			_, err := w.flow.Confirm(w.t.Context(), w.link(l.ID), "user_alice", "k")
			return err
		}, fault.Conflict, "link_used"},
		"confirm twice with what was read before": {func(w *world) error {
			l := w.parked(nil)
			_, _ = w.flow.Confirm(w.t.Context(), l, "user_alice", "k")
			_, err := w.flow.Confirm(w.t.Context(), l, "user_alice", "k")
			return err
		}, fault.Conflict, "state_used"},
		"confirm late": {func(w *world) error {
			l := w.parked(nil)
			w.now = w.now.Add(oauthflow.ParkTTL)
			_, err := w.flow.Confirm(w.t.Context(), l, "user_alice", "k")
			return err
		}, fault.NotFound, "link_expired"},
		"show after consent": {func(w *world) error {
			made := w.create(nil)
			cookie, q := w.start(token(made), "")
			_, _ = w.arrive(oauthflow.Arrival{Query: url.Values{"state": {q.Get("state")}, "code": {"x"}}, Cookie: cookie})
			_, err := w.flow.Show(w.t.Context(), token(made))
			return err
		}, fault.Conflict, "link_used"},
		"start late": {func(w *world) error {
			made := w.create(nil)
			w.now = w.now.Add(oauthflow.LinkTTL)
			_, err := w.flow.Start(w.t.Context(), token(made), "")
			return err
		}, fault.NotFound, "link_expired"},
		"start in a second browser": {func(w *world) error {
			made := w.create(nil)
			w.start(token(made), "")
			_, err := w.flow.Start(w.t.Context(), token(made), "another")
			return err
		}, fault.Conflict, "link_used"},
		"the id in place of the token": {func(w *world) error {
			_, err := w.flow.Start(w.t.Context(), w.create(nil).Link.ID, "")
			return err
		}, fault.NotFound, ""},
		"a state nobody made": {func(w *world) error {
			_, err := w.arrive(oauthflow.Arrival{Query: url.Values{"state": {"acme." + strings.Repeat("0", 52)}, "code": {"x"}}})
			return err
		}, fault.InvalidInput, ""},
		"a public token as state": {func(w *world) error {
			made := w.create(nil)
			cookie, _ := w.start(token(made), "")
			_, err := w.arrive(oauthflow.Arrival{Query: url.Values{"state": {token(made)}, "code": {"x"}}, Cookie: cookie})
			return err
		}, fault.Conflict, "state_replaced"},
		"the state of an earlier attempt": {func(w *world) error {
			made := w.create(nil)
			cookie, q := w.start(token(made), "")
			w.start(token(made), cookie)
			_, err := w.arrive(oauthflow.Arrival{Query: url.Values{"state": {q.Get("state")}, "code": {"x"}}, Cookie: cookie})
			return err
		}, fault.Conflict, "state_replaced"},
		"without the cookie": {func(w *world) error {
			_, q := w.start(token(w.create(nil)), "")
			_, err := w.arrive(oauthflow.Arrival{Query: url.Values{"state": {q.Get("state")}, "code": {"x"}}})
			return err
		}, fault.Forbidden, "other_browser"},
		"at another connector's address": {func(w *world) error {
			cookie, q := w.start(token(w.create(nil)), "")
			_, err := w.arrive(oauthflow.Arrival{Context: "slack", Query: url.Values{"state": {q.Get("state")}, "code": {"x"}}, Cookie: cookie})
			return err
		}, fault.Forbidden, "other_context"},
		"two codes": {func(w *world) error {
			cookie, q := w.start(token(w.create(nil)), "")
			_, err := w.arrive(oauthflow.Arrival{Query: url.Values{"state": {q.Get("state")}, "code": {"x", "y"}}, Cookie: cookie})
			return err
		}, fault.InvalidInput, ""},
		"a suspended principal": {func(w *world) error {
			l := w.parked(nil)
			_, _ = w.store.SetSuspended(w.t.Context(), alice, true, "x")
			_, err := w.flow.Confirm(w.t.Context(), l, "user_alice", "k")
			return err
		}, fault.Revoked, ""},
		"somebody else": {func(w *world) error {
			_, err := w.flow.Confirm(w.t.Context(), w.parked(nil), "user_bob", "k")
			return err
		}, fault.Forbidden, "user_mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			wantCode(t, c.do(w), c.code, c.reason)
			if n := len(w.exchanges); n > 1 || n == 1 && !strings.HasPrefix(name, "confirm twice") {
				t.Errorf("%d exchanges", n)
			}
		})
	}
}

func TestCallback_ProviderSaysNo_LinkIsDenied(t *testing.T) {
	t.Parallel()
	for reason, q := range map[string]url.Values{"consent_denied": {"error": {"access_denied"}}, "provider_error": {"error": {"server_error"}, "code": {"x"}}, "no_code": {}} {
		w := newWorld(t)
		made := w.create(nil)
		cookie, sent := w.start(token(made), "")
		q.Set("state", sent.Get("state"))
		to, err := w.arrive(oauthflow.Arrival{Query: q, Cookie: cookie})
		if l := w.link(made.Link.ID); err != nil || l.Status != oauthflow.LinkDenied || l.Reason != reason || l.Code != nil || !strings.Contains(to, "status=denied") {
			t.Errorf("%s: %v %+v %s", reason, err, l, to)
		}
	}
}

func TestConfirm_ExchangeFails_LinkFailsAndNothingIsActive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exchangeErr = fault.New(fault.ProviderError, "no answer")
	l := w.parked(nil)
	_, err := w.flow.Confirm(t.Context(), l, "user_alice", "k")
	wantCode(t, err, fault.ProviderError, "")
	if got := w.link(l.ID); got.Status != oauthflow.LinkFailed {
		t.Errorf("link %s", got.Status)
	}
	c, err := w.store.Connection(t.Context(), connection.Ref{Scope: alice, Connector: "github", ID: l.Connection})
	if err != nil || c.Status != connection.Pending {
		t.Errorf("%v %v", c.Status, err)
	}
	if strings.Contains(w.logs.String(), "the-code") {
		t.Error("the code is in the log")
	}
}

func TestConfirm_GrantCannotBeRecorded_IsNotInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.parked(nil)
	w.store.Fault = func(op string) error {
		if op == "Record" {
			return errors.New("no audit")
		}
		return nil
	}
	if _, err := w.flow.Confirm(t.Context(), l, "user_alice", "k"); err == nil {
		t.Fatal("activated without a record")
	}
	w.store.Fault = nil
	c, err := w.store.Connection(t.Context(), connection.Ref{Scope: alice, Connector: "github", ID: l.Connection})
	if err != nil || c.Status != connection.Pending {
		t.Errorf("%v %v", c.Status, err)
	}
}

func TestReconnect_OtherAccountIsRefused_WiderScopesAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, err := w.flow.Confirm(t.Context(), w.parked(func(q *oauthflow.CreateRequest) { q.Scopes = []string{"repo", "read:user", "workflow"} }), "user_alice", "k")
	if err != nil {
		t.Fatal(err)
	}
	again := func(q *oauthflow.CreateRequest) { q.Connection, q.Scopes = first.ID, []string{"read:user"} }
	if l := w.parked(again); !l.Reconnect || !slices.Contains(l.Scopes, "workflow") {
		t.Errorf("asks for %v, must keep what is granted", l.Scopes)
	}
	w.account = "2002"
	_, err = w.flow.Confirm(t.Context(), w.parked(again), "user_alice", "k")
	wantCode(t, err, fault.Conflict, "account_mismatch")
	w.account = "1001"
	second, err := w.flow.Confirm(t.Context(), w.parked(again), "user_alice", "k")
	if err != nil || second.ID != first.ID || second.Refresh.Generation != 2 || second.Grant == first.Grant {
		t.Errorf("%+v %v", second, err)
	}
}

func TestCreate_ConnectionOfSomebodyElse_IsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, err := w.flow.Confirm(t.Context(), w.parked(nil), "user_alice", "k")
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]oauthflow.CreateRequest{
		"another principal": {Scope: tenant.Scope{Tenant: "acme", Principal: "user_bob"}, Connector: "github"},
		"another connector": {Scope: alice, Connector: "slack"},
	} {
		q.Connection, q.ReturnURL = c.ID, "https://app.example/done"
		if _, err := w.flow.Create(t.Context(), q); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
