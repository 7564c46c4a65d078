// Package idptest runs an OpenID provider for tests: a discovery document and a key set over HTTP on loopback, and tokens
// signed by its keys. Tests of the verifier and end-to-end tests forge their tokens with it.
package idptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Claims are the claims of a token.
type Claims = map[string]any

// Key is a signing key of a provider.
type Key struct {
	ID        string
	Algorithm jose.SignatureAlgorithm
	Private   crypto.Signer
}

// RSA makes a key of that many bits for RS256 or PS256.
func RSA(t testing.TB, id string, a jose.SignatureAlgorithm, bits int) Key {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return Key{id, a, k}
}

// EC makes a P-256 key for ES256.
func EC(t testing.TB, id string) Key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Key{id, jose.ES256, k}
}

// JWK is the public half, as a key set has it.
func (k Key) JWK() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.Private.Public(), KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"}
}

// Sign makes a token. header adds to the protected header ("typ").
func (k Key) Sign(t testing.TB, c Claims, header map[string]any) string {
	t.Helper()
	return Sign(t, jose.SigningKey{Algorithm: k.Algorithm, Key: jose.JSONWebKey{Key: k.Private, KeyID: k.ID}}, c, header)
}

// Sign makes a token with any key, even one of another kind than its algorithm's.
func Sign(t testing.TB, k jose.SigningKey, c Claims, header map[string]any) string {
	t.Helper()
	o := &jose.SignerOptions{}
	for name, v := range header {
		o = o.WithHeader(jose.HeaderKey(name), v)
	}
	s, err := jose.NewSigner(k, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Provider is a running OpenID provider.
type Provider struct {
	// URL is its issuer.
	URL string

	mu     sync.Mutex
	keys   []any
	status int
	doc    Claims
	hits   map[string]int
}

// New starts a provider that publishes keys; the test's end stops it.
func New(t testing.TB, keys ...Key) *Provider {
	t.Helper()
	p := &Provider{status: http.StatusOK, hits: map[string]int{}}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	p.URL = srv.URL
	p.Publish(keys...)
	return p
}

// Publish replaces the published keys.
func (p *Provider) Publish(keys ...Key) {
	var out []any
	for _, k := range keys {
		out = append(out, k.JWK())
	}
	p.PublishRaw(out...)
}

// PublishRaw replaces the published keys by anything that encodes to JSON.
func (p *Provider) PublishRaw(keys ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

// Answer makes every request be answered with this status; 200 is normal.
func (p *Provider) Answer(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

// Discovery changes members of the discovery document; nil removes one.
func (p *Provider) Discovery(members Claims) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doc = members
}

// Fetches counts the requests for the key set.
func (p *Provider) Fetches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits["/keys"]
}

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hits[r.URL.Path]++
	w.Header().Set("Content-Type", "application/json")
	if p.status >= 300 && p.status < 400 {
		w.Header().Set("Location", p.URL+"/elsewhere")
	}
	w.WriteHeader(p.status)
	switch r.URL.Path {
	case "/keys":
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": p.keys})
	case "/.well-known/openid-configuration":
		doc := Claims{"issuer": p.URL, "jwks_uri": p.URL + "/keys"}
		maps.Copy(doc, p.doc)
		_ = json.NewEncoder(w).Encode(doc)
	default:
		_, _ = fmt.Fprint(w, `"nothing here"`)
	}
}
