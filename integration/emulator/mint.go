package emulator

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// mint makes random strings. A failing source of randomness panics: there is no
// safe way to go on, and crypto/rand itself never fails.
type mint struct{ rand io.Reader }

// chars returns n random characters of the alphabet, without modulo bias.
func (m mint) chars(n int, alphabet string) string {
	limit := byte(256 - 256%len(alphabet))
	out := make([]byte, 0, n)
	buf := make([]byte, n)
	for len(out) < n {
		if _, err := io.ReadFull(m.rand, buf); err != nil {
			panic("emulator: read randomness: " + err.Error())
		}
		for _, b := range buf {
			if len(out) < n && (limit == 0 || b < limit) {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}

func (m mint) text(n int) string   { return m.chars(n, base62) }
func (m mint) hex(n int) string    { return m.chars(n, base62[:10]+"abcdef") }
func (m mint) digits(n int) string { return m.chars(n, base62[:10]) }

// hashOf is how a token, code or secret is stored and looked up.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// fingerprintOf is what the observation API shows instead of a token.
func fingerprintOf(hash string) string { return hash[:12] }
