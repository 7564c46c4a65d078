package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

const manifest = `id: plain
name: Plain
description: A provider by the book.
docs_url: https://plain.example/docs
hosts: {web: https://plain.example}
auth: {mode: oauth2, client_auth: client_secret_basic, pkce: use}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token", capture: {user_id: user_id}}
scopes: {known: {items: {description: Read items, effect: read}}}
expires: {mode: field}
rotation: {class: CLASS}
api: {base: "{web}/api"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
identity: {capture: {account_id: user_id}, fixed: {user_id: ""}}
`

// The rotation classes as the manifest states them.
const (
	static = "static"
	grace  = "grace, grace_seconds: 30"
	strict = "strict"
)

// world is one connection, its store and its provider, in the time of a synctest bubble.
type world struct {
	t        *testing.T
	store    *memory.Store
	provider *provider
	spec     *catalog.Connector
	ref      connection.Ref

	mu     sync.Mutex // guards what follows, and the provider
	ids    int
	events []audit.Kind
	// queued is what the queue holds; rescued are the tokens in it. retired are those revoked at the provider.
	queued  []time.Duration
	rescued []connection.Slot
	retired []connection.Slot
	// revoked is set once the connection was seen revoked.
	revoked bool
}

const life = time.Hour

// newWorld makes a connection of generation 1 whose access token is due.
func newWorld(t *testing.T, class string) *world {
	t.Helper()
	cat, err := catalog.Load(fstest.MapFS{"plain/connector.yaml": {Data: []byte(strings.ReplaceAll(manifest, "CLASS", class))}})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: memory.New(time.Now), spec: cat.Connectors()[0]}
	w.ref = connection.Ref{Scope: tenant.Scope{Tenant: "acme", Principal: "alice"}, Connector: "plain", ID: "conn_00000000000000000000000001"}
	w.provider = newProvider(w, w.spec.Rotation)
	w.must(w.store.CreateConnection(t.Context(), connection.Connection{Ref: w.ref, Status: connection.Pending}))
	w.connect("grant_1")
	w.must(w.store.Record(t.Context(), audit.Record{ID: "aud_0", Tenant: "acme", Time: time.Now()}))
	time.Sleep(life - 4*time.Minute) // due, and still alive
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// connect puts a new grant in force, as the connect flow does.
func (w *world) connect(id connection.GrantID) {
	w.t.Helper()
	c := w.current()
	access, token := w.provider.consent()
	g := connection.Grant{ID: id, ScopesGranted: []string{"items", "more"}}
	next, err := c.Activate(connection.Activated{Grant: g, ExpiresAt: time.Now().Add(life), DueAt: time.Now().Add(life - 5*time.Minute), Metadata: map[string]string{"k": "v", "user_id": "u1"}}, time.Now())
	w.must(err)
	gen := next.Refresh.Generation
	w.must(w.store.Activate(context.Background(), next, connection.Slot{Generation: gen, Fence: next.Refresh.Fence, Access: seal(w.ref.Binding(connection.AccessToken, gen), access),
		Refresh: seal(w.ref.Binding(connection.RefreshToken, gen), token), Facts: connection.TokenFacts{ExpiresAt: next.ExpiresAt}}, g))
}

func (w *world) current() connection.Connection {
	w.t.Helper()
	c, err := w.store.Connection(context.Background(), w.ref)
	w.must(err)
	return c
}

// update changes the connection behind everybody's back.
func (w *world) update(change func(c connection.Connection) connection.Connection) {
	w.t.Helper()
	_, err := w.store.UpdateConnection(context.Background(), w.current(), func(c connection.Connection) (connection.Connection, error) { return change(c), nil })
	w.must(err)
}

// tokens opens what a reader would use now. It fails the test when that is half a generation.
func (w *world) tokens() (access, token string) {
	w.t.Helper()
	snap, err := w.store.Snapshot(context.Background(), w.ref.Scope, w.ref.Connector)
	w.must(err)
	h := snap.Connections[0]
	if h.Status == connection.Revoked || h.Status == connection.Pending {
		return "", ""
	}
	g := h.Refresh.Generation
	access, aerr := open(w.ref.Binding(connection.AccessToken, g), h.Slot.Access)
	token, rerr := open(w.ref.Binding(connection.RefreshToken, g), h.Slot.Refresh)
	if aerr != nil || rerr != nil && h.Slot.Refresh != nil {
		w.t.Errorf("a reader meets half of generation %d: %v, %v", g, aerr, rerr)
	}
	if !h.ExpiresAt.Equal(h.Slot.Facts.ExpiresAt) {
		w.t.Errorf("generation %d expires at %v, its tokens at %v", g, h.ExpiresAt, h.Slot.Facts.ExpiresAt)
	}
	return access, token
}

// look checks what must hold at every moment.
func (w *world) look() {
	w.t.Helper()
	w.tokens()
	w.mu.Lock()
	defer w.mu.Unlock()
	status := w.current().Status
	if w.revoked && status != connection.Revoked {
		w.t.Errorf("a revoked connection became %s", status)
	}
	w.revoked = w.revoked || status == connection.Revoked
}

// sealer binds as the vault does, in plain sight.
type sealer struct{}

func name(b connection.Binding) string {
	return fmt.Sprintf("%s/%s/%s/%s/%d:", b.Tenant, b.Principal, b.Record, b.Purpose, b.Generation)
}
func seal(b connection.Binding, text string) []byte { return []byte(name(b) + text) }
func open(b connection.Binding, sealed []byte) (string, error) {
	text, ok := strings.CutPrefix(string(sealed), name(b))
	if !ok {
		return "", fmt.Errorf("%q is not bound to %s", sealed, name(b))
	}
	return text, nil
}

func (sealer) Seal(_ context.Context, b connection.Binding, s secret.Text) ([]byte, error) {
	return seal(b, string(s.Reveal(reveal.Key{}))), nil
}

func (sealer) Open(_ context.Context, b connection.Binding, sealed []byte) (secret.Text, error) {
	text, err := open(b, sealed)
	return secret.FromString(text), err
}

func (sealer) Warm(context.Context, tenant.ID, ...connection.Purpose) error { return nil }

// worker is one process that refreshes. fault stands before ("lease") and behind ("lease/after") each of its steps.
type worker struct {
	*world
	fault  func(step string) error
	counts map[string]int
	dead   bool
	sealer refresh.Sealer
}

func (w *world) worker(fault func(step string) error) *worker {
	if fault == nil {
		fault = func(string) error { return nil }
	}
	return &worker{world: w, fault: fault, counts: map[string]int{}, sealer: sealer{}}
}

var (
	errCrashed = errors.New("the process died")
	errStore   = errors.New("the store gave no answer")
)

// step runs one access to the store. A process that died does nothing any more.
func (k *worker) step(op string, do func() error) error {
	k.counts[op]++
	at := fmt.Sprintf("%s %d", op, k.counts[op])
	if err := k.strike(at); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	k.look()
	return k.strike(at + "/after")
}

func (k *worker) strike(at string) error {
	if k.dead {
		return errCrashed
	}
	err := k.fault(at)
	if errors.Is(err, errCrashed) {
		k.dead = true
	}
	return err
}

func (k *worker) Connection(ctx context.Context, ref connection.Ref) (c connection.Connection, err error) {
	err = k.step("read", func() (err error) { c, err = k.store.Connection(ctx, ref); return err })
	return c, err
}

func (k *worker) UpdateConnection(ctx context.Context, c connection.Connection, change func(connection.Connection) (connection.Connection, error)) (out connection.Connection, err error) {
	err = k.step("update", func() (err error) { out, err = k.store.UpdateConnection(ctx, c, change); return err })
	return out, err
}

func (k *worker) Slot(ctx context.Context, ref connection.Ref, g uint64) (s connection.Slot, ok bool, err error) {
	err = k.step("slot", func() (err error) { s, ok, err = k.store.Slot(ctx, ref, g); return err })
	return s, ok, err
}

func (k *worker) PutSlot(ctx context.Context, ref connection.Ref, s connection.Slot) error {
	return k.step("shadow", func() error { return k.store.PutSlot(ctx, ref, s) })
}

func (k *worker) Refresh(ctx context.Context, _ *catalog.Connector, _ connection.Client, token secret.Text, _ map[string]string) (t connection.Tokens, err error) {
	err = k.step("call", func() (err error) {
		t, err = k.provider.refresh(ctx, string(token.Reveal(reveal.Key{})))
		return err
	})
	return t, err
}

func (k *worker) Client(context.Context, tenant.ID, string) (connection.Client, error) {
	return connection.Client{ID: "client"}, k.step("client", func() error { return nil })
}

func (k *worker) Record(ctx context.Context, r audit.Record) error {
	return k.step("audit", func() error { return k.store.Record(ctx, r) })
}

func (k *worker) ConnectionChanged(_ context.Context, kind audit.Kind, _ connection.Connection) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = append(k.events, kind)
	return nil
}

func (k *worker) Again(_ context.Context, _ connection.Ref, after time.Duration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queued = append(k.queued, after)
	return nil
}

func (k *worker) Rescue(_ context.Context, _ connection.Ref, s connection.Slot) error {
	if k.dead {
		return errCrashed
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rescued = append(k.rescued, s)
	return nil
}

func (k *worker) Retire(_ context.Context, _ connection.Connection, s connection.Slot) error {
	return k.step("retire", func() error {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.retired = append(k.retired, s)
		return nil
	})
}

func (k *worker) sleep(ctx context.Context, d time.Duration) error {
	if k.dead {
		return errCrashed
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (k *worker) coordinator() *refresh.Coordinator {
	return refresh.New(refresh.Deps{Connections: k, Slots: k, Sealer: k.sealer, Clients: k, Endpoint: k, Recorder: k, Events: k, Queue: k, Retirer: k,
		Connector: func(string) (*catalog.Connector, error) { return k.spec, nil }, Log: slog.New(slog.DiscardHandler), Now: time.Now, Sleep: k.sleep,
		Jitter: func() float64 { return 0.5 }, NewID: k.newID})
}

func (w *world) newID(prefix string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("%s_%d", prefix, w.ids)
}

func (k *worker) run(r connection.RefreshRequest) (connection.RefreshResult, error) {
	r.Ref, r.By = k.ref, "test"
	return k.coordinator().Refresh(context.Background(), r)
}

// twice applies each change, and again to what it made.
type twice struct{ *worker }

func (k twice) UpdateConnection(ctx context.Context, c connection.Connection, change func(connection.Connection) (connection.Connection, error)) (connection.Connection, error) {
	made, err := k.worker.UpdateConnection(ctx, c, change)
	if err != nil {
		return made, err
	}
	return k.worker.UpdateConnection(ctx, made, change)
}
