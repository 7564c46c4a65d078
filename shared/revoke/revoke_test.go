package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/revoke"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
)

const manifest = `id: plain
name: Plain
description: A provider by the book.
docs_url: https://plain.example/docs
hosts: {web: https://plain.example}
auth: {mode: oauth2, client_auth: client_secret_basic, pkce: use}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token"}
scopes: {known: {items: {description: Read items, effect: read}}}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{web}/api"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
revoke:
  method: POST
  url: "{web}/revoke"
  auth: none
  token: refresh
  param: token
  format: form
  success: {status: [200]}
  already_gone: [{status: [400]}]
  blast_radius: token
`

func now() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// world is one revoked connection, and the provider that is told.
type world struct {
	store *memory.Store
	ref   connection.Ref
	told  []string
	// at runs when the provider is told about a token.
	at func(token string) error
	// ids counts.
	ids int
}

func newWorld(t *testing.T) (*world, *revoke.Revoker) {
	t.Helper()
	cat, err := catalog.Load(fstest.MapFS{"plain/connector.yaml": {Data: []byte(manifest)}})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{store: memory.New(now), at: func(string) error { return nil },
		ref: connection.Ref{Scope: tenant.Scope{Tenant: "acme", Principal: "alice"}, Connector: "plain", ID: "conn_00000000000000000000000001"}}
	c := connection.Connection{Ref: w.ref, Status: connection.Active, Refresh: connection.RefreshState{Generation: 3, Fence: 5}}.Revoke("asked", now())
	if err := w.store.CreateConnection(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.slot(t, 3, time.Hour)
	return w, revoke.New(revoke.Deps{Connections: w.store, Slots: w.store, Sealer: w, Clients: w, Provider: w, Recorder: w.store, Events: w, Connector: cat.Connector,
		Log: slog.New(slog.DiscardHandler), Now: now, NewID: func(p string) string { w.ids++; return fmt.Sprintf("%s_%d", p, w.ids) }})
}

func slotOf(g uint64, life time.Duration) connection.Slot {
	return connection.Slot{Generation: g, Fence: 5, Access: fmt.Appendf(nil, "at%d", g), Refresh: fmt.Appendf(nil, "rt%d", g), Facts: connection.TokenFacts{ExpiresAt: now().Add(life)}}
}

func (w *world) slot(t *testing.T, g uint64, life time.Duration) {
	t.Helper()
	if err := w.store.PutSlot(t.Context(), w.ref, slotOf(g, life)); err != nil {
		t.Fatal(err)
	}
}

func (*world) Open(_ context.Context, _ connection.Binding, sealed []byte) (secret.Text, error) {
	return secret.FromString(string(sealed)), nil
}

func (*world) Client(context.Context, tenant.ID, string) (connection.Client, error) {
	return connection.Client{ID: "client"}, nil
}

func (*world) ConnectionChanged(context.Context, audit.Kind, connection.Connection) error { return nil }

func (w *world) Do(r *http.Request) (egress.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return egress.Response{}, err
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return egress.Response{}, err
	}
	w.told = append(w.told, form.Get("token"))
	return egress.Response{Status: http.StatusOK}, w.at(form.Get("token"))
}

func (w *world) want(t *testing.T, tokens string, erased bool) {
	t.Helper()
	if got := strings.Join(w.told, " "); got != tokens {
		t.Errorf("the provider was told about %q, want %q", got, tokens)
	}
	for _, g := range []uint64{3, 4} {
		if s, _, err := w.store.Slot(t.Context(), w.ref, g); err != nil || erased && s.Access != nil {
			t.Errorf("generation %d: %q, %v", g, s.Access, err)
		}
	}
	if c, err := w.store.Connection(t.Context(), w.ref); err != nil || c.Revocation.Erased != erased {
		t.Errorf("%+v, %v", c.Revocation, err)
	}
}

func TestFinish_TokensOfAnUnfinishedRefresh_GoFirst(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t)
	w.slot(t, 4, time.Hour)
	c, err := r.Finish(t.Context(), w.ref, false)
	if err != nil || c.Revocation.Provider != revoke.Done {
		t.Errorf("%+v, %v", c.Revocation, err)
	}
	w.want(t, "rt4 rt3", true)
	if _, err := r.Finish(t.Context(), w.ref, false); err != nil {
		t.Error(err)
	}
	w.want(t, "rt4 rt3", true) // once is enough
}

// What died by itself is not worth a request, if it is not all there is: some providers refuse it.
func TestFinish_OlderTokenExpired_OnlyTheNewest(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t)
	w.slot(t, 3, -time.Hour)
	w.slot(t, 4, time.Hour)
	if _, err := r.Finish(t.Context(), w.ref, false); err != nil {
		t.Fatal(err)
	}
	w.want(t, "rt4", true)
}

func TestFinish_NothingStored_NothingToTell(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t)
	if err := w.store.EraseSlots(t.Context(), w.ref, 3); err != nil {
		t.Fatal(err)
	}
	if c, err := r.Finish(t.Context(), w.ref, false); err != nil || c.Revocation.Provider != revoke.Nothing {
		t.Errorf("%+v, %v", c.Revocation, err)
	}
	w.want(t, "", true)
}

func TestFinish_TokensAppearMeanwhile_AreToldToo(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t)
	w.at = func(token string) error {
		if token == "rt3" {
			w.slot(t, 4, time.Hour)
		}
		return nil
	}
	if _, err := r.Finish(t.Context(), w.ref, false); err != nil {
		t.Fatal(err)
	}
	w.want(t, "rt3 rt4", true)
}

func TestFinish_NewestCannotBeTold_TriedAgainAndThenGivenUp(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t)
	w.slot(t, 4, time.Hour)
	w.at = func(string) error { return errors.New("no answer") }
	if c, err := r.Finish(t.Context(), w.ref, false); err == nil || c.Revocation.Provider != revoke.Pending {
		t.Errorf("%+v, %v", c.Revocation, err)
	}
	w.want(t, "rt4", false)
	if c, err := r.Finish(t.Context(), w.ref, true); err != nil || c.Revocation.Provider != revoke.Failed {
		t.Errorf("%+v, %v", c.Revocation, err)
	}
	w.want(t, "rt4 rt4", true)
}

func TestRetire(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t)
	c, err := w.store.Connection(t.Context(), w.ref)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{r.Retire(t.Context(), c, slotOf(4, time.Hour)), r.Retire(t.Context(), c, connection.Slot{Generation: 4})} {
		if err != nil {
			t.Error(err)
		}
	}
	w.want(t, "rt4", false)
	c.Status = connection.Active
	if err := r.Retire(t.Context(), c, slotOf(4, time.Hour)); err == nil {
		t.Error("tokens of an active connection were revoked")
	}
}
