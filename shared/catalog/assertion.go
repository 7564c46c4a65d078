package catalog

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

// assertionSpec describes the JWT of the modes that sign. All texts are templates over the fields, {client_id}, {scopes}
// and {key.fingerprint}.
type assertionSpec struct {
	Alg             string            `yaml:"alg"`
	Key             string            `yaml:"key"`
	KeyID           string            `yaml:"kid"`
	Issuer          string            `yaml:"iss"`
	Subject         string            `yaml:"sub"`
	Audience        string            `yaml:"aud"`
	Scope           string            `yaml:"scope"`
	TTLSeconds      int               `yaml:"ttl_seconds"`
	BackdateSeconds int               `yaml:"backdate_seconds"`
	Claims          map[string]string `yaml:"claims"`
}

// clientKey as assertion.key means the private key of the registered client.
const clientKey = "client"

// templates are the texts of a, by field.
func (a *assertionSpec) templates() map[string]string {
	out := map[string]string{"kid": a.KeyID, "iss": a.Issuer, "sub": a.Subject, "aud": a.Audience, "scope": a.Scope}
	for name, v := range a.Claims {
		out["claims."+name] = v
	}
	return out
}

// Assertion is a JWT before it is signed.
type Assertion struct {
	// Algorithm is "RS256" or "ES256" (RFC 7518, section 3.1); KeyID goes into the header, if it is not empty.
	Algorithm, KeyID string
	Claims           map[string]any
	Expires          time.Time
}

// AssertionKey is the private key, as PEM, with which a connection signs; false when the registered client's is used.
func (c *Connector) AssertionKey(v Values) ([]byte, bool) {
	if c.m.Assertion == nil || c.m.Assertion.Key == clientKey {
		return nil, false
	}
	t, _ := parseText(c.m.Assertion.Key) // checked at load
	key, _ := t.expand(v.lookup)
	return []byte(key), true
}

// Assertion builds the claims that a connection states at now. fingerprint is that of the signing key's public half, as
// Fingerprint gives it. It returns fault.InvalidInput when a value that a claim is made of is missing.
func (c *Connector) Assertion(s Seed, clientID, fingerprint string, now time.Time) (Assertion, error) {
	spec := c.m.Assertion
	if spec == nil {
		return Assertion{}, fault.New(fault.Internal, "connector %s signs nothing", c.ID)
	}
	get := func(name string) (string, bool) {
		switch name {
		case "client_id":
			return clientID, clientID != ""
		case "scopes":
			return c.JoinScopes(s.Scopes), true
		case "key.fingerprint":
			return fingerprint, true
		}
		return s.Values.lookup(name)
	}
	texts := map[string]string{}
	for field, tmpl := range spec.templates() {
		t, _ := parseText(tmpl) // checked at load
		v, missing := t.expand(get)
		if missing != "" && field != "scope" {
			return Assertion{}, fault.Invalid("/credential/"+missing, "%s is missing", missing)
		}
		texts[field] = v
	}
	expires := now.Add(time.Duration(spec.TTLSeconds) * time.Second)
	issued := now.Add(-time.Duration(spec.BackdateSeconds) * time.Second)
	claims := map[string]any{"iat": issued.Unix(), "exp": expires.Unix()}
	for _, name := range []string{"iss", "sub", "aud", "scope"} {
		if texts[name] != "" {
			claims[name] = texts[name]
		}
	}
	for name := range spec.Claims {
		claims[name] = texts["claims."+name]
	}
	return Assertion{Algorithm: spec.Alg, KeyID: texts["kid"], Claims: claims, Expires: expires}, nil
}

// ParsePrivateKey reads an RSA (2048 bits at least) or P-256 key from PEM: PKCS #8, PKCS #1 or SEC 1. The error is for the
// person who pasted it and holds nothing of the key.
func ParsePrivateKey(text []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return nil, errors.New("it is not PEM; it starts with -----BEGIN PRIVATE KEY-----")
	case strings.TrimSpace(string(rest)) != "":
		return nil, errors.New("there is more than one block in it")
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return nil, errors.New("it is encrypted; remove its passphrase first")
	}
	key, err := parseDER(block)
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < 2048 {
			return nil, errors.New("RSA keys need 2048 bits or more")
		}
		return k, nil
	case *ecdsa.PrivateKey:
		if k.Curve != elliptic.P256() {
			return nil, errors.New("of elliptic curves only P-256 is taken")
		}
		return k, nil
	}
	return nil, errors.New("it is neither RSA nor P-256")
}

func parseDER(block *pem.Block) (any, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, errors.New("it is not a private key")
	}
	if err != nil {
		return nil, errors.New("it is damaged; copy it again")
	}
	return key, nil
}

// credentialSpec says how the access token of a static mode is made of its fields.
type credentialSpec struct {
	Value  string `yaml:"value"`
	Encode string `yaml:"encode"`
}

// Credential is the access token of a static connection. It returns fault.InvalidInput when a value is missing.
func (c *Connector) Credential(v Values) (secret.Text, error) {
	if c.m.Credential == nil {
		return secret.Text{}, fault.New(fault.Internal, "connector %s has no credential of its own", c.ID)
	}
	t, _ := parseText(c.m.Credential.Value) // checked at load
	out, missing := t.expand(v.lookup)
	if missing != "" {
		return secret.Text{}, fault.Invalid("/credential/"+missing, "%s is missing", missing)
	}
	return secret.FromString(out), nil
}

// ClientOf is the OAuth client that a connection brings itself (its id and secret are fields); false when a registered
// one is used.
func (c *Connector) ClientOf(v Values) (id string, key secret.Text, ok bool) {
	if c.m.Auth.ClientID == "" {
		return "", secret.Text{}, false
	}
	idText, _ := parseText(c.m.Auth.ClientID) // checked at load
	keyText, _ := parseText(c.m.Auth.ClientSecret)
	id, _ = idText.expand(v.lookup)
	plain, _ := keyText.expand(v.lookup)
	return id, secret.FromString(plain), true
}
