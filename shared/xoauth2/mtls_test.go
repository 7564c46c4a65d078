package xoauth2_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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

const payroll = head + `auth: {mode: oauth2, client_auth: AUTH, pkce: use, mtls: [token, api]}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token"}
expires: {mode: introspect, seconds: 3600}
introspect: {method: POST, url: "{web}/introspect", auth: bearer, token: access, param: token, format: form}
rotation: {class: static}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
identity: {request: {method: GET, url: "{web}/me"}, map: {account_id: id}}
`

// certified makes a client with a certificate of its own.
func certified(t *testing.T, id string) connection.Client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: id}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return connection.Client{ID: id, Secret: secret.FromString("cs_SECRET0123456789"), PrivateKey: secret.FromString(pemOf(t, key)),
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// certs is a provider that serves nobody without a certificate, and notes whose it saw where.
type certs struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
	form []string
}

func newCerts(t *testing.T) *certs {
	t.Helper()
	p := &certs{}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a cut body shows as a missing field
		p.mu.Lock()
		p.seen = append(p.seen, r.URL.Path+" "+r.TLS.PeerCertificates[0].Subject.CommonName+" "+r.Header.Get("Authorization"))
		p.form = append(p.form, string(body))
		p.mu.Unlock()
		say(200, `{"access_token":"at-bound-1","refresh_token":"rt-1","id":"u1","active":true}`)(w)
	}))
	p.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func (p *certs) connector(t *testing.T, auth string) (*catalog.Connector, *egress.Client) {
	t.Helper()
	c, err := catalog.Load(fstest.MapFS{"plain/connector.yaml": {Data: []byte(strings.Replace(payroll, "AUTH", auth, 1))}}, catalog.WithHosts(catalog.Hosts{"plain": {"web": p.URL}}))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	return c.Connectors()[0], egress.New(egress.Options{AllowPrivate: true, Roots: roots})
}

// TestMTLS_CertificateIsShown_ForTokensAndCalls: the certificate goes from the client to its tokens, and from the token to each
// call, on connections of its own.
func TestMTLS_CertificateIsShown_ForTokensAndCalls(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"tls_client_auth", "client_secret_basic"} {
		p := newCerts(t)
		c, out := p.connector(t, auth)
		e := xoauth2.New(out.HTTP(), time.Now)
		for _, id := range []string{"acme", "umbrella"} {
			who := certified(t, id)
			got, err := e.Exchange(t.Context(), c, who, redemption)
			if err != nil {
				t.Fatal(err)
			}
			if got, err = e.Refresh(t.Context(), c, who, got.Refresh, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := e.Introspect(t.Context(), c, who, got.Access, nil); err != nil {
				t.Fatal(err)
			}
			req, _, err := c.IdentityRequest(nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := req.HTTP(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			egress.Authorize(r, req.Auth.Put, got.Access)
			if res, err := out.Do(r); err != nil || res.Status != 200 {
				t.Fatal(res, err)
			}
			for _, part := range c.APIAuth.Parts(got.Access.Reveal(reveal.Key{})) {
				if string(part) != "at-bound-1" {
					t.Errorf("redacted is %q", part)
				}
			}
		}
		for i, line := range p.seen {
			who := []string{"acme", "umbrella"}[i/4]
			if !strings.Contains(line, " "+who+" ") {
				t.Errorf("%d: %s", i, line)
			}
			if i%4 >= 2 && !strings.HasSuffix(line, "Bearer at-bound-1") {
				t.Errorf("%d: %s", i, line)
			}
			if i%4 < 2 && (auth == "tls_client_auth") != strings.Contains(p.form[i], "client_id="+who) {
				t.Errorf("%s: %s", auth, p.form[i])
			}
			if strings.Contains(p.form[i], "PRIVATE") || strings.Contains(p.form[i], "client_secret") || i%4 == 2 && p.form[i] != "token=at-bound-1" {
				t.Errorf("%s: %s", line, p.form[i])
			}
		}
		if len(p.seen) != 8 {
			t.Errorf("%v", p.seen)
		}
	}
}

func TestMTLS_WithoutTheCertificate_NothingIsSent(t *testing.T) {
	t.Parallel()
	p := newCerts(t)
	c, out := p.connector(t, "client_secret_basic")
	who := certified(t, "acme")
	who.Certificate = ""
	if _, err := xoauth2.New(out.HTTP(), time.Now).Exchange(t.Context(), c, who, redemption); fault.From(err).Detail["reason"] != "request_unbuildable" || strings.Contains(fmt.Sprintf("%+v", err), "PRIVATE") {
		t.Error(err)
	}
	var failed *refresh.EndpointError
	if _, err := xoauth2.New(out.HTTP(), time.Now).Refresh(t.Context(), c, who, secret.FromString("rt-1"), nil); !errors.As(err, &failed) || failed.Sent || failed.Outcome.Kind != catalog.OutcomeConfig {
		t.Errorf("%#v", failed)
	}
	other := certified(t, "other")
	other.PrivateKey = certified(t, "acme").PrivateKey
	if _, err := xoauth2.New(out.HTTP(), time.Now).Exchange(t.Context(), c, other, redemption); err == nil {
		t.Error("a certificate with the key of another one")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Do(r); err == nil || len(p.seen) != 0 {
		t.Error(err, p.seen)
	}
}
