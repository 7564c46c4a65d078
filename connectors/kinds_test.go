package connectors_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/secret/reveal"
)

// privateKey is a fresh key as PEM; as a JSON string when it stands in a document.
func privateKey(t *testing.T) string {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func withKey(t *testing.T, values map[string]string, key string) map[string]string {
	t.Helper()
	inJSON, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, v := range values {
		out[name] = strings.ReplaceAll(strings.ReplaceAll(v, `"@KEY@"`, string(inJSON)), "@KEY@", key)
	}
	return out
}

func TestConnectors_Forms_AreReadAndRefused(t *testing.T) {
	t.Parallel()
	key := privateKey(t)
	each(t, func(t *testing.T, c *catalog.Connector, g golden) {
		good, bad := 0, 0
		for i, tc := range g.Credentials {
			v, problems := c.ReadValues(withKey(t, tc.Values, key))
			if tc.Problem != nil {
				bad++
				if len(problems) == 0 || problems[0].Field != *tc.Problem {
					t.Errorf("%d: %v, want a problem of %q", i, problems, *tc.Problem)
				}
				continue
			}
			good++
			if len(problems) > 0 {
				t.Errorf("%d: %v", i, problems)
				continue
			}
			if got := c.Metadata(v); len(tc.Want.Metadata)+len(got) > 0 && !maps.Equal(got, tc.Want.Metadata) {
				t.Errorf("%d: metadata %v", i, got)
			}
			if !c.Mode.Static() {
				continue
			}
			access, err := c.Credential(v)
			if plain := access.Reveal(reveal.Key{}); err != nil || string(plain) != tc.Want.Access || c.APIAuth.Value(plain) != tc.Want.Wire {
				t.Errorf("%d: %v, %q", i, err, c.APIAuth.Value(access.Reveal(reveal.Key{})))
			}
		}
		if c.Mode != catalog.ModeOAuth2 && (good == 0 || bad == 0) {
			t.Errorf("testdata needs credentials that are taken and some that are refused")
		}
	})
}

func TestConnectors_Assertions_StateWhatTheProviderWants(t *testing.T) {
	t.Parallel()
	key := privateKey(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	each(t, func(t *testing.T, c *catalog.Connector, g golden) {
		if signs := c.Mode == catalog.ModeJWT || c.Mode == catalog.ModeJWTBearer || c.Mode == catalog.ModeAppJWT; signs != (g.Assertion != nil) {
			t.Fatalf("assertion in testdata: %v, mode %s", g.Assertion != nil, c.Mode)
		}
		if g.Assertion == nil {
			return
		}
		v, problems := c.ReadValues(withKey(t, g.Assertion.Values, key))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		a, err := c.Assertion(catalog.Seed{Values: v, Scopes: g.Assertion.Scopes}, g.Assertion.Client, "FINGERPRINT", now)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range g.Assertion.Want.Claims {
			if got := fmt.Sprint(a.Claims[name]); got != fmt.Sprint(want) {
				t.Errorf("claim %s is %s, want %v", name, got, want)
			}
		}
		if a.Algorithm != g.Assertion.Want.Algorithm || a.KeyID != g.Assertion.Want.KeyID || len(a.Claims) != len(g.Assertion.Want.Claims) {
			t.Errorf("%+v", a)
		}
		if own, ok := c.AssertionKey(v); ok != (c.Mode != catalog.ModeAppJWT) || ok && strings.TrimSpace(string(own)) != strings.TrimSpace(key) {
			t.Errorf("signs with %d bytes, %v", len(own), ok)
		}
	})
}
