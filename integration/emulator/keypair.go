package emulator

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyPair is a public key that a provider knows, and the grant that it stands for.
type keyPair struct {
	public  *rsa.PublicKey
	grantID string
	who     Person
}

// newKeyPair makes a key pair and hands out the private half as PEM. The public
// half is kept in memory only: after a restart with Options.Dir it is unknown.
func (p *provider) newKeyPair(who Person) (*keyPair, string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, "", fmt.Errorf("make a key pair: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, "", fmt.Errorf("write the private key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return &keyPair{&key.PublicKey, p.settle(who, nil).ID, who}, string(text), nil
}

// claims are what the providers here look at.
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Scope    string `json:"scope"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// unverified reads header and claims of an RS256 JWT, before it is known who should have signed it.
func unverified(text string) (jws *jose.JSONWebSignature, kid string, c claims, ok bool) {
	jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || len(jws.Signatures) != 1 {
		return nil, "", c, false
	}
	return jws, jws.Signatures[0].Header.KeyID, c, json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &c) == nil
}

// timely holds a JWT to an hour at most, and to now.
func (c claims) timely(now time.Time) bool {
	return c.Expires-c.Issued <= 3600 && now.Unix() < c.Expires && c.Issued <= now.Unix()+60
}
