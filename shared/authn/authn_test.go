package authn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/ident"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

type localKey struct{ k *ecdsa.PrivateKey }

func (l localKey) SignDigest(_ context.Context, d []byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, l.k, d)
}
func (l localKey) PublicKey(context.Context) (*ecdsa.PublicKey, string, error) {
	return &l.k.PublicKey, "kid-1", nil
}

func newKey(t *testing.T) localKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return localKey{k}
}

func session() authn.Session {
	return authn.Session{ID: "sess_1", Scope: tenant.Scope{Tenant: "acme", Principal: "user_alice"}, Connectors: []string{"github"}, Tools: []string{"github_list_issues"}, Agent: "triage", Run: "run_1", Expires: t0.Add(15 * time.Minute)}
}

func verifier(k localKey, now time.Time) authn.Verifier {
	return authn.Verifier{Issuer: "https://b.example", Keys: map[string]*ecdsa.PublicKey{"kid-1": &k.k.PublicKey}, Now: func() time.Time { return now }}
}

func TestSession_MintVerify_RoundTrip(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	tok, err := authn.Mint(t.Context(), k, "https://b.example", session(), t0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := verifier(k, t0.Add(time.Minute)).Verify(tok)
	if err != nil || s.Tenant != "acme" || s.Principal != "user_alice" || s.Agent != "triage" || s.Run != "run_1" || !s.Expires.Equal(t0.Add(15*time.Minute)) {
		t.Fatalf("%+v %v", s, err)
	}
	if !s.Allows("github", "github_list_issues") || s.Allows("github", "github_create_issue") || s.Allows("slack", "github_list_issues") {
		t.Error("limits are not kept")
	}
}

// forge rebuilds the token with changed header or claims and a signature made by sign.
func forge(t *testing.T, tok secret.Text, change func(head, body map[string]any), sign func(input string) []byte) secret.Text {
	t.Helper()
	parts := strings.Split(string(tok.Reveal(reveal.Key{})), ".")
	b64 := base64.RawURLEncoding
	var docs [2]map[string]any
	for i := range docs {
		b, _ := b64.DecodeString(parts[i])
		if err := json.Unmarshal(b, &docs[i]); err != nil {
			t.Fatal(err)
		}
	}
	change(docs[0], docs[1])
	for i := range docs {
		b, _ := json.Marshal(docs[i])
		parts[i] = b64.EncodeToString(b)
	}
	sig := parts[2]
	if sign != nil {
		sig = b64.EncodeToString(sign(parts[0] + "." + parts[1]))
	}
	return secret.FromString(parts[0] + "." + parts[1] + "." + sig)
}

func TestSession_EachForgery_IsRefused(t *testing.T) {
	t.Parallel()
	k, other := newKey(t), newKey(t)
	good, err := authn.Mint(t.Context(), k, "https://b.example", session(), t0)
	if err != nil {
		t.Fatal(err)
	}
	mint := func(key localKey, iss string, s authn.Session, at time.Time) secret.Text {
		tok, err := authn.Mint(t.Context(), key, iss, s, at)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	hs := func(in string) []byte {
		m := hmac.New(sha256.New, elliptic.MarshalCompressed(elliptic.P256(), k.k.X, k.k.Y))
		m.Write([]byte(in))
		return m.Sum(nil)
	}
	long := session()
	long.Expires = t0.Add(3 * time.Hour)
	cases := map[string]secret.Text{
		"other tenant":  forge(t, good, func(_, b map[string]any) { b["tid"] = "globex" }, nil),
		"other subject": forge(t, good, func(_, b map[string]any) { b["sub"] = "user_bob" }, nil),
		"alg none":      forge(t, good, func(h, _ map[string]any) { h["alg"] = "none" }, func(string) []byte { return nil }),
		"alg HS256":     forge(t, good, func(h, _ map[string]any) { h["alg"] = "HS256" }, hs),
		"unknown kid":   forge(t, good, func(h, _ map[string]any) { h["kid"] = "x" }, nil),
		"wrong typ":     forge(t, good, func(h, _ map[string]any) { h["typ"] = "JWT" }, nil),
		"embedded key":  forge(t, good, func(h, _ map[string]any) { h["jwk"] = map[string]any{"kty": "EC"} }, nil),
		"other key":     mint(other, "https://b.example", session(), t0),
		"other issuer":  mint(k, "https://evil.example", session(), t0),
		"not yet":       mint(k, "https://b.example", session(), t0.Add(10*time.Minute)),
		"too long":      mint(k, "https://b.example", long, t0),
		"empty":         {},
		"garbage":       secret.FromString("a.b.c"),
		"oversize":      secret.FromString(strings.Repeat("a", 9000) + ".b.c"),
		"an API key":    secret.FromString("bhf_key_x"),
	}
	for name, tok := range cases {
		if s, err := verifier(k, t0.Add(time.Minute)).Verify(tok); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
	_, err = verifier(k, t0.Add(15*time.Minute)).Verify(good)
	if !fault.Is(err, fault.Unauthenticated) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("expired: %v", err)
	}
}

func TestKey_ParseCheck(t *testing.T) {
	t.Parallel()
	ids := ident.NewSource(nil, nil)
	for _, kind := range []authn.KeyKind{authn.APIKey, authn.SCIMKey} {
		k, text := authn.NewKey(ids, kind, "acme", "ci", []string{"audit:read"}, t0)
		ref, err := authn.ParseKey(text)
		if err != nil || ref.ID != k.ID || ref.Kind != kind {
			t.Fatalf("%+v %v", ref, err)
		}
		if err := k.Check(text, t0); err != nil {
			t.Error(err)
		}
		_, other := authn.NewKey(ids, kind, "acme", "ci", nil, t0)
		if err := k.Check(other, t0); !fault.Is(err, fault.Unauthenticated) {
			t.Error("another key was accepted")
		}
		k.Expires = t0
		if err := k.Check(text, t0); !fault.Is(err, fault.Unauthenticated) {
			t.Error("an expired key was accepted")
		}
	}
	for _, bad := range []string{"", "bhf_key_", "bhf_key_a_b", "bhf_scim_A.x_y", "Bearer x", "bhf_key_" + strings.Repeat("a", 26) + "_" + strings.Repeat("A", 52)} {
		if _, err := authn.ParseKey(secret.FromString(bad)); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestCaller_Permissions(t *testing.T) {
	t.Parallel()
	c := authn.Caller{Tenant: "acme", Permissions: []string{"audit:read"}}
	if c.Require("audit:read") != nil || !fault.Is(c.Require("keys:write"), fault.Forbidden) {
		t.Error("permissions are not kept")
	}
	if c.MayTouch("acme") != nil || !fault.Is(c.MayTouch("globex"), fault.Forbidden) {
		t.Error("the tenant limit is not kept")
	}
}
