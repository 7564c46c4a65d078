package xoauth2

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// signed is a JWT and when it ends.
type signed struct {
	text    secret.Text
	expires time.Time
}

// assertion signs what the connector states, with the connection's key or the client's.
func (e *Endpoint) assertion(c *catalog.Connector, client connection.Client, seed catalog.Seed) (signed, error) {
	text, own := c.AssertionKey(seed.Values)
	if !own {
		text = client.PrivateKey.Reveal(reveal.Key{})
	}
	key, err := catalog.ParsePrivateKey(text)
	if err != nil {
		return signed{}, fmt.Errorf("read the signing key: %w", err)
	}
	print, err := Fingerprint(key.Public())
	if err != nil {
		return signed{}, err
	}
	a, err := c.Assertion(seed, client.ID, print, e.now())
	if err != nil {
		return signed{}, err
	}
	return sign(key, a)
}

// Fingerprint is the standard base64 of the SHA-256 of a public key's SubjectPublicKeyInfo (RFC 5280, section 4.1), as
// Snowflake shows it behind "SHA256:".
func Fingerprint(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("write the public key: %w", err)
	}
	h := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(h[:]), nil
}

// sign writes a JWT in compact form (RFC 7515, section 7.1).
func sign(key crypto.Signer, a catalog.Assertion) (signed, error) {
	opts := (&jose.SignerOptions{}).WithType("JWT")
	if a.KeyID != "" {
		opts = opts.WithHeader("kid", a.KeyID)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(a.Algorithm), Key: key}, opts)
	if err != nil {
		return signed{}, errors.New("this key cannot sign with " + a.Algorithm)
	}
	payload, err := json.Marshal(a.Claims)
	if err != nil {
		return signed{}, fmt.Errorf("write the claims: %w", err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		return signed{}, errors.New("this key cannot sign with " + a.Algorithm)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		return signed{}, fmt.Errorf("write the JWT: %w", err)
	}
	return signed{secret.FromString(text), a.Expires}, nil
}
