package oauthflow_test

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
)

// desk is an OAuth provider with a host per customer.
const desk = `id: desk
name: Desk
description: A provider with subdomains.
docs_url: https://desk.example/docs
hosts: {web: {url: "https://{subdomain}.desk.example", params: {subdomain: '^[a-z0-9-]{1,20}$'}}}
fields: [{name: subdomain, label: Subdomain, required: true, pattern: '^[a-z0-9-]{1,20}$'}]
auth: {mode: oauth2, client_auth: client_secret_post, pkce: use}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token"}
scopes: {default: [read], known: {read: {description: Read, effect: read}}}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{web}/api"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
identity: {request: {method: GET, url: "{web}/me"}, map: {account_id: id}}
`

// bound is a client of a tenant that is for one customer of the provider.
type bound struct {
	clients
	params map[string]string
}

func (b bound) Owner(_ context.Context, t tenant.ID, connector string) (connection.StoredClient, error) {
	return connection.StoredClient{Owner: t, Connector: connector, ID: "client-1", Params: b.params}, nil
}

func deskWorld(t *testing.T, params map[string]string) *world {
	t.Helper()
	w := newWorld(t)
	c, err := catalog.Load(fstest.MapFS{"desk/connector.yaml": {Data: []byte(desk)}})
	if err != nil {
		t.Fatal(err)
	}
	deps := w.flow.Deps
	deps.Connector, deps.Clients = c.Connector, bound{params: params}
	w.flow = oauthflow.New(deps)
	return w
}

func onDesk(params map[string]string) func(*oauthflow.CreateRequest) {
	return func(q *oauthflow.CreateRequest) { q.Connector, q.Params = "desk", params }
}

func (w *world) sheet(made oauthflow.Created, cookie string) oauthflow.Sheet {
	w.t.Helper()
	p, err := w.flow.Show(w.t.Context(), token(made))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.flow.Sheet(p, cookie)
}

func TestSubmit_OAuthWithSubdomain_AsksThenGoesThere(t *testing.T) {
	t.Parallel()
	w := deskWorld(t, nil)
	made := w.create(onDesk(nil))
	if _, err := w.flow.Start(t.Context(), token(made), ""); !fault.Is(err, fault.InvalidInput) {
		t.Errorf("started without the form: %v", err)
	}
	s := w.sheet(made, "")
	send := func(fields map[string]string) (oauthflow.Submitted, error) {
		return w.flow.Submit(t.Context(), oauthflow.Submission{Token: token(made), Cookie: s.CookieValue(), Proof: s.Proof, Fields: fields})
	}
	if got, err := send(map[string]string{"subdomain": "evil.example/"}); err != nil || len(got.Problems) != 1 || got.URL != "" {
		t.Fatalf("%+v %v", got, err)
	}
	got, err := send(map[string]string{"subdomain": "globex"})
	if err != nil || !strings.HasPrefix(got.URL, "https://globex.desk.example/authorize?") {
		t.Fatalf("%+v %v", got, err)
	}
	s = w.sheet(made, got.CookieValue()) // the person comes back and corrects it
	if got, err = send(map[string]string{"subdomain": "acme"}); err != nil || !strings.HasPrefix(got.URL, "https://acme.desk.example/authorize?") {
		t.Fatalf("%+v %v", got, err)
	}
	u, err := url.Parse(got.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.arriveAt(t, made, u, got.CookieValue())
	c, err := w.flow.Confirm(t.Context(), w.link(made.Link.ID), "user_alice", "k")
	if err != nil || c.Metadata["subdomain"] != "acme" || c.Status != connection.Active {
		t.Errorf("%+v %v", c, err)
	}
}

func (w *world) arriveAt(t *testing.T, made oauthflow.Created, consent *url.URL, cookie string) {
	t.Helper()
	l := w.link(made.Link.ID)
	_, err := w.arrive(oauthflow.Arrival{Context: oauthflow.Context(l.Connector, l.ClientOwner), Query: url.Values{"state": {consent.Query().Get("state")}, "code": {"the-code"}}, Cookie: cookie})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCreate_Params_FromLinkAndClient(t *testing.T) {
	t.Parallel()
	w := deskWorld(t, map[string]string{"subdomain": "acme"})
	d, err := w.flow.Start(t.Context(), token(w.create(onDesk(nil))), "")
	if err != nil || !strings.HasPrefix(d.URL, "https://acme.desk.example/authorize?") {
		t.Errorf("%s %v", d.URL, err)
	}
	for name, params := range map[string]map[string]string{"another customer's": {"subdomain": "globex"}, "unknown": {"region": "eu"}, "hostile": {"subdomain": "a.b"}, "hostile too": {"subdomain": "a/b"}} {
		q := oauthflow.CreateRequest{Scope: alice, ReturnURL: "https://app.example/done"}
		onDesk(params)(&q)
		if _, err := w.flow.Create(t.Context(), q); !fault.Is(err, fault.InvalidInput) || !strings.HasPrefix(fault.From(err).Field, "/params/") {
			t.Errorf("%s: %v", name, err)
		}
	}
	w = deskWorld(t, nil)
	if d, err := w.flow.Start(t.Context(), token(w.create(onDesk(map[string]string{"subdomain": "globex"}))), ""); err != nil || !strings.HasPrefix(d.URL, "https://globex.desk.example/") {
		t.Errorf("%s %v", d.URL, err)
	}
}

func TestConfirm_TokensThatAreNotUsed_AreRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, err := w.flow.Confirm(t.Context(), w.parked(nil), "user_alice", "k")
	if err != nil {
		t.Fatal(err)
	}
	w.account = "2002"
	_, err = w.flow.Confirm(t.Context(), w.parked(func(q *oauthflow.CreateRequest) { q.Connection = first.ID }), "user_alice", "k")
	wantCode(t, err, fault.Conflict, "account_mismatch")
	if len(w.revoked) != 1 || w.revoked[0] != "/applications/client-1/token" {
		t.Errorf("revoked %v", w.revoked)
	}
	w.account = `null`
	_, err = w.flow.Confirm(t.Context(), w.parked(nil), "user_alice", "k")
	wantCode(t, err, fault.ProviderError, "")
	if len(w.revoked) != 2 {
		t.Errorf("revoked %v", w.revoked)
	}
	w.exchangeErr, w.revoked = errors.New("no token came"), nil
	if _, err = w.flow.Confirm(t.Context(), w.parked(nil), "user_alice", "k"); err == nil || len(w.revoked) != 0 {
		t.Errorf("%v, revoked %v", err, w.revoked)
	}
	if bytes.Contains(w.logs.Bytes(), []byte("ghu_access")) {
		t.Error("the log holds a token")
	}
}
