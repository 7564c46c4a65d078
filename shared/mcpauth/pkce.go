package mcpauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

const challengeLen = 43 // base64url of a SHA-256

// verifier reports whether s is made of the characters of a code verifier or challenge (RFC 7636, sections 4.1 and 4.2).
func verifier(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~", r)
	})
}

// proves reports whether v is the verifier behind an S256 challenge.
func proves(v, challenge string) bool {
	if len(v) < 43 || len(v) > 128 || !verifier(v) {
		return false
	}
	h := sha256.Sum256([]byte(v))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(h[:])), []byte(challenge)) == 1
}

// Digest is what is stored of a secret.
func Digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func same(hash, s string) bool {
	return hash != "" && s != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(Digest(s))) == 1
}
