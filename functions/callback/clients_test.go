package callback

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
)

const certifiedConnector = `id: pay
name: Pay
description: Payroll.
docs_url: https://pay.example/docs
hosts: {web: https://pay.example}
auth: {mode: oauth2, client_auth: AUTH, pkce: use, mtls: [token]}
authorize: {url: "{web}/authorize"}
token: {url: "{web}/token"}
scopes: {mode: fixed}
expires: {mode: field}
rotation: {class: strict}
api: {base: "{web}/api"}
errors: {token: {dialect: rfc6749}, api: {dialect: status}}
`

func pair(t *testing.T, until time.Time) (chain, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.Add(-time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain}))
}

func TestRegistration_Certificate_IsCheckedBeforeItIsStored(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	chain, key := pair(t, now.Add(30*time.Minute))
	late, lateKey := pair(t, now)
	_, otherKey := pair(t, now.Add(time.Hour))
	for name, tc := range map[string]struct {
		auth string
		body clientBody
		at   string
	}{
		"with a secret":       {"client_secret_basic", clientBody{ClientSecret: "s", PrivateKey: key, Certificate: chain}, ""},
		"alone":               {"tls_client_auth", clientBody{PrivateKey: key, Certificate: chain}, ""},
		"secret not wanted":   {"tls_client_auth", clientBody{ClientSecret: "s", PrivateKey: key, Certificate: chain}, "/client_secret"},
		"secret missing":      {"client_secret_basic", clientBody{PrivateKey: key, Certificate: chain}, "/client_secret"},
		"key missing":         {"tls_client_auth", clientBody{Certificate: chain}, "/private_key"},
		"certificate missing": {"tls_client_auth", clientBody{PrivateKey: key}, "/certificate"},
		"of another key":      {"tls_client_auth", clientBody{PrivateKey: otherKey, Certificate: chain}, "/certificate"},
		"over":                {"tls_client_auth", clientBody{PrivateKey: lateKey, Certificate: late}, "/certificate"},
		"too long":            {"tls_client_auth", clientBody{PrivateKey: key, Certificate: chain + strings.Repeat("x", maxCertificate)}, "/certificate"},
	} {
		c, err := catalog.Load(fstest.MapFS{"pay/connector.yaml": {Data: []byte(strings.Replace(certifiedConnector, "AUTH", tc.auth, 1))}})
		if err != nil {
			t.Fatal(err)
		}
		tc.body.ClientID = "id"
		in, err := tc.body.registration(c.Connectors()[0], now)
		if tc.at == "" {
			if err != nil || in.Certificate != chain || in.PrivateKey.IsZero() {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if f := fault.From(err); err == nil || f.Field != tc.at || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", name, err)
		}
	}
	view := (&Function{}).clientView(connection.StoredClient{Connector: "pay", Certificate: chain})["certificate"].(map[string]any)
	if len(view["sha256"].(string)) != 64 || !view["not_after"].(time.Time).Equal(now.Add(30*time.Minute)) {
		t.Error(view)
	}
}
