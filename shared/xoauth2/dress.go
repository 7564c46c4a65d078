package xoauth2

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/secret/reveal"
)

const formType = "application/x-www-form-urlencoded"

// dress makes a token request what the connector wants: its headers, its constants in the body, the client's assertion,
// and JSON instead of a form. The library builds RFC 6749 requests only.
func (k *call) dress(r *http.Request) (*http.Request, error) {
	r = r.Clone(r.Context())
	for name, values := range k.c.TokenHeader() {
		r.Header[name] = values
	}
	params := k.c.TokenParams()
	if k.renews {
		params = k.c.RefreshParams()
	}
	if len(params) == 0 && !k.c.TokenJSON() && k.c.ClientAuth != catalog.ClientAuthPrivateKey {
		return r, nil
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the token request: %w", err)
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, fmt.Errorf("read the token request: %w", err)
	}
	for name, v := range params {
		form.Set(name, v)
	}
	if k.c.ClientAuth == catalog.ClientAuthPrivateKey {
		if err := k.identify(form, r.URL); err != nil {
			return nil, err
		}
	}
	return k.write(r, form)
}

func (k *call) write(r *http.Request, form url.Values) (*http.Request, error) {
	body := []byte(form.Encode())
	if k.c.TokenJSON() {
		doc := map[string]string{}
		for name := range form {
			doc[name] = form.Get(name)
		}
		var err error
		if body, err = json.Marshal(doc); err != nil {
			return nil, fmt.Errorf("write the token request: %w", err)
		}
		r.Header.Set("Content-Type", "application/json")
	}
	r.Body, r.ContentLength, r.GetBody = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	return r, nil
}

// clientAssertion is RFC 7523, section 2.2.
const clientAssertion = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionLife is how long a client assertion is good for; it is used at once.
const assertionLife = 5 * time.Minute

// identify puts the client's assertion into a form (RFC 7523, section 3; jti as OpenID Connect Core, section 9, wants it).
func (k *call) identify(form url.Values, endpoint *url.URL) error {
	key, err := catalog.ParsePrivateKey(k.who.PrivateKey.Reveal(reveal.Key{}))
	if err != nil {
		return fmt.Errorf("read the client's key: %w", err)
	}
	now := k.e.now()
	aud := url.URL{Scheme: endpoint.Scheme, Host: endpoint.Host, Path: endpoint.Path}
	a := catalog.Assertion{Algorithm: "RS256", Claims: map[string]any{"iss": k.who.ID, "sub": k.who.ID, "aud": aud.String(), "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix()}}
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
