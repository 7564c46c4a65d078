package xoauth2_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/xoauth2"
)

const manifest = `id: plain
name: Plain
description: A provider by the book.
docs_url: https://plain.example/docs
hosts: {web: https://plain.example}
auth: {mode: oauth2, client_auth: CLIENT_AUTH, pkce: use}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token"}
scopes: {known: {items: {description: Read items, effect: read}}}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{web}/api"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
`

const marker = "gho_LEAKED0123456789"

// provider is a token endpoint that counts its requests.
type provider struct {
	*httptest.Server
	requests atomic.Int32
	form     atomic.Pointer[url.Values]
	basic    atomic.Bool
}

func newProvider(t *testing.T, answer func(w http.ResponseWriter)) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		_ = r.ParseForm() // a broken form shows as a missing field
		p.form.Store(&r.Form)
		_, _, ok := r.BasicAuth()
		p.basic.Store(ok)
		answer(w)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) connector(t *testing.T, auth string) *catalog.Connector {
	t.Helper()
	c, err := catalog.Load(fstest.MapFS{"plain/connector.yaml": {Data: []byte(strings.Replace(manifest, "CLIENT_AUTH", auth, 1))}},
		catalog.WithHosts(catalog.Hosts{"plain": {"web": p.URL}}))
	if err != nil {
		t.Fatal(err)
	}
	return c.Connectors()[0]
}

func endpoint() *xoauth2.Endpoint {
	return xoauth2.New(egress.New(egress.Options{AllowPrivate: true, MaxResponse: 1 << 20}).HTTP(), time.Now)
}

var redemption = connection.Redemption{Code: secret.FromString("the-code"), Verifier: secret.FromString(strings.Repeat("v", 43)), RedirectURI: "https://behalf.example/cb"}

var client = connection.Client{ID: "client-1", Secret: secret.FromString("cs_SECRET0123456789")}

func say(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// cut hangs up without an answer.
func cut(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func (p *provider) both(t *testing.T, auth string) map[string]error {
	t.Helper()
	c, e := p.connector(t, auth), endpoint()
	_, exchanged := e.Exchange(t.Context(), c, client, redemption)
	_, refreshed := e.Refresh(t.Context(), c, client, secret.FromString("ghr_REFRESH0123456789"), nil)
	return map[string]error{"exchange": exchanged, "refresh": refreshed}
}

func TestEndpoint_Failure_SendsOnceAndTheErrorHoldsNoBody(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter){
		"400": say(400, `{"error":"invalid_grant","error_description":"`+marker+`","access_token":"`+marker+`"}`), "401": say(401, `{"error":"invalid_client","x":"`+marker+`"}`),
		"500": say(500, marker), "503": say(503, `{"error":"temporarily_unavailable"}`), "200 without a token": say(200, `{"x":"`+marker+`"}`), "200 that is no JSON": say(200, "<html>"+marker), "302": say(302, marker), "cut": cut,
	} {
		for _, auth := range []string{"client_secret_basic", "client_secret_post"} {
			t.Run(name+" "+auth, func(t *testing.T) {
				t.Parallel()
				p := newProvider(t, answer)
				for call, err := range p.both(t, auth) {
					if err == nil {
						t.Fatalf("%s succeeded", call)
					}
					for _, s := range []string{marker, "the-code", "ghr_REFRESH", "cs_SECRET"} {
						if strings.Contains(err.Error(), s) {
							t.Errorf("%s: the error holds %s: %v", call, s, err)
						}
					}
				}
				if n := p.requests.Load(); n != 2 {
					t.Errorf("%d requests for one exchange and one refresh", n)
				}
				if p.basic.Load() != (auth == "client_secret_basic") || (p.form.Load().Get("client_secret") != "") == p.basic.Load() {
					t.Errorf("basic %v, form %v", p.basic.Load(), *p.form.Load())
				}
			})
		}
	}
}

func TestRefresh_Failure_SaysWhetherItWasSentAndWhatItMeans(t *testing.T) {
	t.Parallel()
	dead := newProvider(t, say(200, "{}"))
	gone := dead.connector(t, "client_secret_basic")
	dead.Close()
	for name, c := range map[string]struct {
		connector *catalog.Connector
		sent      bool
		kind      catalog.OutcomeKind
	}{
		"nobody there":  {gone, false, ""},
		"cut":           {newProvider(t, cut).connector(t, "client_secret_basic"), true, ""},
		"invalid_grant": {newProvider(t, say(400, `{"error":"invalid_grant"}`)).connector(t, "client_secret_basic"), true, catalog.OutcomeDead},
		"503":           {newProvider(t, say(503, "")).connector(t, "client_secret_basic"), true, catalog.OutcomeTransient},
	} {
		_, err := endpoint().Refresh(t.Context(), c.connector, client, secret.FromString("ghr_REFRESH0123456789"), nil)
		var e *refresh.EndpointError
		if !errors.As(err, &e) || e.Sent != c.sent || e.Outcome.Kind != c.kind {
			t.Errorf("%s: %#v, want sent=%v kind=%q", name, e, c.sent, c.kind)
		}
	}
}

func TestRefresh_ContextEnds_CountsAsSent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p := newProvider(t, func(http.ResponseWriter) { cancel() })
	_, err := endpoint().Refresh(ctx, p.connector(t, "client_secret_post"), client, secret.FromString("ghr_REFRESH0123456789"), nil)
	var e *refresh.EndpointError
	if !errors.As(err, &e) || !e.Sent {
		t.Errorf("%#v", err)
	}
}

func TestExchange_Success_GivesTokensAndFacts(t *testing.T) {
	t.Parallel()
	p := newProvider(t, say(200, `{"access_token":"at-1","refresh_token":"rt-1","expires_in":3600,"scope":"items"}`))
	got, err := endpoint().Exchange(t.Context(), p.connector(t, "client_secret_basic"), client, redemption)
	if err != nil || string(got.Access.Reveal(reveal.Key{})) != "at-1" || string(got.Refresh.Reveal(reveal.Key{})) != "rt-1" || len(got.Facts.Scopes) != 1 || time.Until(got.Facts.ExpiresAt) < 59*time.Minute {
		t.Errorf("%+v %v", got, err)
	}
	f := *p.form.Load()
	if f.Get("grant_type") != "authorization_code" || f.Get("code") != "the-code" || f.Get("redirect_uri") != "https://behalf.example/cb" || len(f.Get("code_verifier")) != 43 {
		t.Errorf("%v", f)
	}
}

func TestRefresh_AnswerWithoutRefreshToken_LeavesItZero(t *testing.T) {
	t.Parallel()
	p := newProvider(t, say(200, `{"access_token":"at-2","expires_in":3600}`))
	got, err := endpoint().Refresh(t.Context(), p.connector(t, "client_secret_basic"), client, secret.FromString("ghr_REFRESH0123456789"), nil)
	if err != nil || !got.Refresh.IsZero() || got.Facts.Scopes != nil {
		t.Errorf("%+v %v", got, err)
	}
	if f := *p.form.Load(); f.Get("grant_type") != "refresh_token" || f.Get("refresh_token") != "ghr_REFRESH0123456789" {
		t.Errorf("%v", f)
	}
}

func TestExchange_Failure_IsAProviderError(t *testing.T) {
	t.Parallel()
	for call, err := range newProvider(t, cut).both(t, "client_secret_basic") {
		if call == "exchange" && !fault.Is(err, fault.ProviderError) {
			t.Errorf("%v", err)
		}
	}
}
