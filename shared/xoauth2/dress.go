package xoauth2

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/secret/reveal"
)

const formType = "application/x-www-form-urlencoded"

// dress makes a token request what the connector wants: its headers, its names and constants, the client's proof, and its
// format. The library builds RFC 6749 requests only.
func (k *call) dress(r *http.Request) (*http.Request, error) {
	r = r.Clone(r.Context())
	of := catalog.TokenCallOf{Renews: k.renews, Metadata: k.meta, ClientID: k.who.ID, RequestID: rand.Text()}
	shape, err := k.c.TokenShape(of)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the token request: %w", err)
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, fmt.Errorf("read the token request: %w", err)
	}
	if err := k.identify(r, form, of); err != nil {
		return nil, err
	}
	for name, values := range shape.Header {
		r.Header[name] = values
	}
	r.Method = shape.Method
	body, media, err := shape.Body(shape.Fields(form), r.URL)
	if err != nil {
		return nil, fmt.Errorf("write the token request: %w", err)
	}
	r.Header.Del("Content-Type")
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	// A body that cannot be rewound, even of a GET: net/http must not repeat what can be used once.
	r.Body, r.ContentLength, r.GetBody = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	return r, nil
}

// identify puts the client's proof where the library does not know to.
func (k *call) identify(r *http.Request, form url.Values, of catalog.TokenCallOf) error {
	switch k.c.ClientAuth {
	case catalog.ClientAuthPrivateKey:
		return k.assert(r, form, of)
	case catalog.ClientAuthAsUsername:
		form.Del("client_id")
		form.Del("client_secret")
		r.SetBasicAuth(string(k.who.Secret.Reveal(reveal.Key{})), "")
	case catalog.ClientAuthTLS: // RFC 8705, section 2: the client id says whose certificate to expect
		form.Set("client_id", k.who.ID)
		form.Del("client_secret")
	}
	return nil
}

// clientAssertion is RFC 7523, section 2.2.
const clientAssertion = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assert puts the client's assertion into a form.
func (k *call) assert(r *http.Request, form url.Values, of catalog.TokenCallOf) error {
	key, err := catalog.ParsePrivateKey(k.who.PrivateKey.Reveal(reveal.Key{}))
	if err != nil {
		return fmt.Errorf("read the client's key: %w", err)
	}
	endpoint := url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: r.URL.Path}
	a, err := k.c.ClientAssertion(of, endpoint.String(), k.e.now())
	if err != nil {
		return err
	}
	a.Algorithm = "RS256"
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		a.Algorithm = "ES256"
	}
	jwt, err := sign(key, a)
	if err != nil {
		return err
	}
	form.Set("client_id", k.who.ID)
	form.Del("client_secret")
	form.Set("client_assertion_type", clientAssertion)
	form.Set("client_assertion", string(jwt.text.Reveal(reveal.Key{})))
	return nil
}
