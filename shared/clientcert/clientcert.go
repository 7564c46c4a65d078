// Package clientcert is the certificate that an OAuth client shows in a TLS handshake (RFC 8705), and its way from whoever
// knows it to the one place that connects.
//
// It travels in a request's context, because the connection is made far below: whoever builds the request calls With, and
// package egress asks From. It is apart from both so that neither has to know the other. It keeps nothing and logs nothing.
package clientcert

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"time"
)

// Certificate is a certificate chain and its private key.
type Certificate struct {
	tls   tls.Certificate
	print string
}

// Parse reads a chain, the client's own certificate first, and its key, both as PEM. The error is for whoever registers them
// and holds nothing of the key.
func Parse(chain, key []byte) (*Certificate, error) {
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, errors.New("certificate and private key are not a pair of PEM texts that belong together")
	}
	sum := sha256.Sum256(pair.Leaf.Raw)
	return &Certificate{pair, hex.EncodeToString(sum[:])}, nil
}

// NotAfter is when the certificate ends.
func (c *Certificate) NotAfter() time.Time { return c.tls.Leaf.NotAfter.UTC() }

// NotBefore is when it begins.
func (c *Certificate) NotBefore() time.Time { return c.tls.Leaf.NotBefore.UTC() }

// Fingerprint is the SHA-256 of the certificate in hex.
func (c *Certificate) Fingerprint() string { return c.print }

// TLS is c for a handshake.
func (c *Certificate) TLS() tls.Certificate { return c.tls }

type contextKey struct{}

// With has requests made with ctx show c; nil changes nothing.
func With(ctx context.Context, c *Certificate) context.Context {
	if c == nil {
		return ctx
	}
	return context.WithValue(ctx, contextKey{}, c)
}

// From is what a request is to show; nil for none.
func From(ctx context.Context) *Certificate {
	c, _ := ctx.Value(contextKey{}).(*Certificate)
	return c
}
