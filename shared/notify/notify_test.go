package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/memory"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/webhook"
)

// world is a Service over a store in memory and a receiver that is a function.
type world struct {
	*notify.Service
	store *memory.Store
	log   bytes.Buffer
	told  []string
	// answer is the receiver.
	answer func(r *http.Request) (*http.Response, error)
	broken error // of the vault
}

func (w *world) Do(r *http.Request) (*http.Response, error) { return w.answer(r) }

func (w *world) WebhookChanged(_ context.Context, t events.Type, _ tenant.ID, _, reason string) error {
	w.told = append(w.told, string(t)+" "+reason)
	return nil
}

// sealer binds as the vault does, in plain text.
func (w *world) Seal(_ context.Context, b connection.Binding, s secret.Text) ([]byte, error) {
	return json.Marshal([]any{b, string(s.Reveal(reveal.Key{}))})
}

func (w *world) Open(_ context.Context, b connection.Binding, sealed []byte) (secret.Text, error) {
	if w.broken != nil {
		return secret.Text{}, w.broken
	}
	var got struct {
		b connection.Binding
		s string
	}
	if err := json.Unmarshal(sealed, &[]any{&got.b, &got.s}); err != nil || got.b != b {
		return secret.Text{}, errors.New("not sealed for this binding")
	}
	return secret.FromString(got.s), nil
}

func status(code int, header ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader("answer"))}, nil
	}
}

func newWorld() *world {
	n := 0
	w := &world{store: memory.New(time.Now), answer: status(204)}
	w.Service = notify.New(notify.Deps{Endpoints: w.store, Remover: w.store, Trail: w.store, Sealer: w, Poster: w, Publisher: w, Recorder: w.store,
		Log: slog.New(slog.NewTextHandler(&w.log, nil)), Now: time.Now, Jitter: func() float64 { return 0 }, Public: egress.Public,
		NewID: func(p string) string { n++; return p + "_" + strings.Repeat("0", 25) + string(rune('a'+n)) }})
	return w
}

func (w *world) create(t *testing.T) (notify.Endpoint, string) {
	t.Helper()
	e, s, err := w.Create(t.Context(), notify.Request{Owner: "acme", URL: "https://hooks.example/x?token=canary", Events: []string{"*"}, By: "key"})
	if err != nil {
		t.Fatal(err)
	}
	return e, string(s.Reveal(reveal.Key{}))
}

func (w *world) now(t *testing.T, e notify.Endpoint) notify.Endpoint {
	t.Helper()
	got, err := w.store.Endpoint(t.Context(), e.Owner, e.ID)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func message(e notify.Endpoint) events.WebhookWork {
	return events.WebhookWork{Owner: string(e.Owner), Endpoint: e.ID, Message: "evt_1", Type: events.ConnectionRevoked, Time: time.Now(), Data: json.RawMessage(`{"id":"evt_1","n":"<&>"}`), Since: time.Now()}
}

func TestCreate_EachBadURL_IsRefused(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "hooks.example", "/x", "http://hooks.example", "ftp://hooks.example", "https://", "https://u:p@hooks.example", "https://hooks.example/#f", "https://hooks.example/\\x",
		"https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest", "https://10.0.0.1", "https://[::ffff:10.0.0.1]/", "https://192.168.1.1:8443/", "https://localhost/", "https://LOCALHOST./", "https://a.localhost",
		"https://metadata.google.internal/", "https://printer.local/", "https://hooks.example/" + strings.Repeat("a", 1000)} {
		_, s, err := newWorld().Create(t.Context(), notify.Request{Owner: "acme", URL: u, Events: []string{"*"}})
		if f := fault.From(err); err == nil || f.Code != fault.InvalidInput || f.Field != "/url" || !s.IsZero() {
			t.Errorf("%q: %v", u, err)
		}
	}
}

func TestCreate_EachBadFilter_IsRefused(t *testing.T) {
	t.Parallel()
	for _, e := range [][]string{nil, {}, {"connection.exploded"}, {"*", "connection.revoked"}, {"connection.revoked", "connection.revoked"}, {"webhook.test"}, {""}} {
		_, _, err := newWorld().Create(t.Context(), notify.Request{Owner: "acme", URL: "https://hooks.example", Events: e})
		if f := fault.From(err); err == nil || f.Code != fault.InvalidInput || f.Field != "/events" {
			t.Errorf("%q: %v", e, err)
		}
	}
}

func TestCreate_TooMany_IsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for range notify.MaxEndpoints {
		w.create(t)
	}
	if _, _, err := w.Create(t.Context(), notify.Request{Owner: "acme", URL: "https://hooks.example", Events: []string{"*"}}); !fault.Is(err, fault.Conflict) {
		t.Error(err)
	}
}

func TestSelect_OwnersAndFilters_Decide(t *testing.T) {
	t.Parallel()
	e := func(id string, owner tenant.ID, s notify.Status, wants ...string) notify.Endpoint {
		return notify.Endpoint{ID: id, Owner: owner, Status: s, Events: wants}
	}
	all := []notify.Endpoint{e("deployment", tenant.Deployment, notify.Active, "*"), e("own", "acme", notify.Active, "connection.revoked"), e("foreign", "globex", notify.Active, "*"),
		e("other event", "acme", notify.Active, "connection.paused"), e("disabled", "acme", notify.Disabled, "*")}
	var got []string
	for _, m := range notify.Select(all, events.ConnectionRevoked, events.Head{ID: "evt_1", Tenant: "acme"}, nil, time.Now()) {
		got = append(got, m.Endpoint)
	}
	if !slices.Equal(got, []string{"deployment", "own"}) {
		t.Error(got)
	}
}

func TestDeliver_Success_IsSignedAndWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	e, s := w.create(t)
	var body []byte
	var header http.Header
	w.answer = func(r *http.Request) (*http.Response, error) {
		body, _ = io.ReadAll(r.Body)
		header = r.Header
		return status(200)(r)
	}
	r, err := w.Deliver(t.Context(), message(e))
	if err != nil || r.Try.Outcome != notify.Delivered || r.Again || r.Dead {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := webhook.Verify(header, body, time.Now(), s); err != nil || header.Get(webhook.HeaderID) != "evt_1" {
		t.Errorf("%v: %s", err, body)
	}
	var got struct {
		Type string
		Data struct{ N string }
	}
	if err := json.Unmarshal(body, &got); err != nil || got.Type != "connection.revoked" || got.Data.N != "<&>" {
		t.Errorf("%s, %v", body, err)
	}
	if now := w.now(t, e); now.Version != 1 {
		t.Errorf("a good delivery wrote the endpoint: version %d", now.Version)
	}
}

func TestDeliver_EachFailure_IsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		reason string
	}{
		"redirect":  {status(302, "Location", "http://169.254.169.254/"), "http_302"},
		"not found": {status(404), "http_404"},
		"error":     {status(500), "http_500"},
		"unreachable": {func(*http.Request) (*http.Response, error) {
			return nil, errors.New("dial https://hooks.example/x?token=canary")
		}, "unreachable"},
		"timeout": {func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded }, "timeout"},
		"guard":   {func(*http.Request) (*http.Response, error) { return nil, fault.New(fault.ProviderError, "private") }, "egress_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			e, _ := w.create(t)
			w.answer = c.answer
			r, err := w.Deliver(t.Context(), message(e))
			if err != nil || r.Try.Outcome != notify.Failed || r.Try.Reason != c.reason || !r.Again || r.Wait < 4*time.Second || r.Wait > 5*time.Second {
				t.Errorf("%+v, %+v, %v", r, r.Try, err)
			}
			if strings.Contains(w.log.String(), "canary") {
				t.Errorf("the log holds the URL: %s", w.log.String())
			}
		})
	}
}

// The guard of production, not a double: whatever the name resolved to, nothing is posted to loopback.
func TestDeliver_InProduction_ToAPrivateAddress_IsRefused(t *testing.T) {
	t.Parallel()
	called := false
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer srv.Close()
	w := newWorld()
	e, _ := w.create(t)
	e = w.now(t, e)
	e.URL = srv.URL // as if its name had come to mean this since
	if err := w.store.PutEndpoint(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	w.answer = egress.New(egress.Options{}).HTTP().Do
	r, err := w.Deliver(t.Context(), message(e))
	if err != nil || called || r.Try.Reason != "egress_refused" {
		t.Errorf("called %v, %+v, %v", called, r.Try, err)
	}
}

func TestDeliver_ReceiverThatNeverAnswers_TakesTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		e, _ := w.create(t)
		w.answer = func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }
		start := time.Now()
		r, err := w.Deliver(t.Context(), message(e))
		if err != nil || r.Try.Reason != "timeout" || time.Since(start) != notify.Timeout || r.Try.Took != notify.Timeout {
			t.Errorf("after %v: %+v, %v", time.Since(start), r.Try, err)
		}
	})
}

func TestDeliver_AgainAndAgain_TwelveTriesInThreeDays_ThenGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		e, _ := w.create(t)
		w.answer = status(500)
		m := message(e)
		var waits []time.Duration
		for {
			r, err := w.Deliver(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			if r.Dead {
				if r.Again || r.Try.Outcome != notify.GivenUp || !r.Try.Next.IsZero() {
					t.Errorf("%+v %+v", r, r.Try)
				}
				break
			}
			if r.Wait > notify.MaxWait || !r.Try.Next.Equal(time.Now().Add(r.Wait)) {
				t.Errorf("%+v %+v", r, r.Try)
			}
			waits = append(waits, r.Wait)
			time.Sleep(r.Wait)
		}
		if !slices.Equal(waits, notify.Delays()) {
			t.Errorf("%v", waits)
		}
		if d := time.Since(m.Since); d < 70*time.Hour || d > 75*time.Hour {
			t.Errorf("given up after %v", d)
		}
		// Sent again from the dead-letter queue: one more try.
		if r, err := w.Deliver(t.Context(), m); err != nil || !r.Dead {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestDeliver_RetryAfter_StretchesTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			status int
			header string
			want   time.Duration
		}{
			{429, "600", 10 * time.Minute}, {503, time.Now().Add(2 * time.Hour).UTC().Format(http.TimeFormat), 2 * time.Hour}, {503, "1", 5 * time.Second}, {503, "99999999", notify.MaxWait},
			{500, "600", 5 * time.Second}, {429, "soon", 5 * time.Second}, {429, "-5", 5 * time.Second},
		} {
			w := newWorld()
			e, _ := w.create(t)
			w.answer = status(c.status, "Retry-After", c.header)
			if r, err := w.Deliver(t.Context(), message(e)); err != nil || r.Wait != c.want {
				t.Errorf("%d %q: %v, %v", c.status, c.header, r.Wait, err)
			}
		}
	})
}

func TestDeliver_FailingForFiveDays_Disables_UnlessOneSucceededMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		e, _ := w.create(t)
		deliver := func() notify.Result {
			r, err := w.Deliver(t.Context(), message(e))
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		w.answer = status(500)
		deliver()
		time.Sleep(4 * 24 * time.Hour)
		w.answer = status(200)
		if deliver(); !w.now(t, e).FailingSince.IsZero() {
			t.Error("a success does not end the row of failures")
		}
		w.answer = status(500)
		deliver()
		time.Sleep(notify.DisableAfter - time.Second)
		if r := deliver(); r.Disabled {
			t.Error("disabled before its time")
		}
		time.Sleep(time.Second)
		if r := deliver(); !r.Disabled || r.Again || r.Dead || r.Wait != 0 {
			t.Errorf("%+v", r)
		}
		if now := w.now(t, e); now.Status != notify.Disabled || now.Reason != notify.ReasonFailing || !slices.Equal(w.told, []string{"webhook.disabled failing"}) {
			t.Errorf("%+v, told %v", now, w.told)
		}
		w.answer = func(*http.Request) (*http.Response, error) {
			t.Error("a disabled endpoint was called")
			return nil, io.EOF
		}
		if r := deliver(); r.Try != nil || r.Again || r.Dead {
			t.Errorf("%+v", r)
		}
	})
}

func TestDeliver_OurOwnFailure_IsNotTheReceivers(t *testing.T) {
	t.Parallel()
	w := newWorld()
	e, _ := w.create(t)
	w.answer = func(*http.Request) (*http.Response, error) { t.Error("sent without a signature"); return nil, io.EOF }
	w.broken = errors.New("KMS is away")
	if r, err := w.Deliver(t.Context(), message(e)); err == nil || r.Try != nil || w.now(t, e).Version != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	w.broken = fault.New(fault.NotFound, "the tenant's keys were destroyed")
	if r, err := w.Deliver(t.Context(), message(e)); err != nil || r.Try != nil || r.Again || r.Dead {
		t.Errorf("a tenant that is gone: %+v, %v", r, err)
	}
	w.broken = nil
	if err := w.Delete(t.Context(), e.Owner, e.ID, "key"); err != nil {
		t.Fatal(err)
	}
	if r, err := w.Deliver(t.Context(), message(e)); err != nil || r.Try != nil || r.Again || r.Dead {
		t.Errorf("an endpoint that is gone: %+v, %v", r, err)
	}
}

func TestRotate_Twice_LeavesTheTwoNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		e, first := w.create(t)
		_, second, err := w.Rotate(t.Context(), e.Owner, e.ID, "key")
		if err != nil {
			t.Fatal(err)
		}
		_, third, err := w.Rotate(t.Context(), e.Owner, e.ID, "key")
		if err != nil {
			t.Fatal(err)
		}
		accepted := func() (out []bool) {
			w.answer = func(r *http.Request) (*http.Response, error) {
				body, _ := io.ReadAll(r.Body)
				for _, s := range []string{first, string(second.Reveal(reveal.Key{})), string(third.Reveal(reveal.Key{}))} {
					out = append(out, webhook.Verify(r.Header, body, time.Now(), s) == nil)
				}
				return status(200)(r)
			}
			if _, _, err := w.Test(t.Context(), e.Owner, e.ID, "key"); err != nil {
				t.Fatal(err)
			}
			return out
		}
		if got := accepted(); !slices.Equal(got, []bool{false, true, true}) {
			t.Errorf("at once: %v", got)
		}
		time.Sleep(notify.Overlap)
		if got := accepted(); !slices.Equal(got, []bool{false, false, true}) {
			t.Errorf("after a day: %v", got)
		}
	})
}
