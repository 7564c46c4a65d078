package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"

	"behalf.dev/behalf/shared/secret/reveal"
)

// Redacted is what every formatter prints in place of a secret.
const Redacted = "[redacted]"

// Text is a secret: a token, a client secret, an API key. The zero value is "no secret"; see IsZero.
// Copies share the same bytes, so Wipe on one wipes all.
type Text struct{ p *hidden }

// hidden keeps the bytes two pointers away from any printer that walks fields by reflection: fmt follows one pointer
// when a verb does not fit it (%s on an unexported pointer field prints what it points at), never two.
type hidden struct{ b *[]byte }

// New takes ownership of b: the caller must not keep or change it. An empty b gives the zero Text.
func New(b []byte) Text {
	if len(b) == 0 {
		return Text{}
	}
	return Text{&hidden{&b}}
}

// FromString copies s into a Text. Strings cannot be wiped, so prefer New where the bytes are at hand.
func FromString(s string) Text { return New([]byte(s)) }

// Reveal returns the secret bytes, nil for the zero Text. They stay owned by t: do not change or keep them.
func (t Text) Reveal(reveal.Key) []byte {
	return t.bytes()
}

// IsZero reports that t holds nothing.
func (t Text) IsZero() bool { return len(t.bytes()) == 0 }

// Equal compares in constant time.
func (t Text) Equal(o Text) bool {
	return subtle.ConstantTimeCompare(t.bytes(), o.bytes()) == 1
}

// Digest is the SHA-256 of the secret, for storing and looking up high-entropy secrets such as API keys.
func (t Text) Digest() [sha256.Size]byte { return sha256.Sum256(t.bytes()) }

// Wipe overwrites the bytes of t and of every copy of it.
func (t Text) Wipe() {
	clear(t.bytes())
}

func (t Text) bytes() []byte {
	if t.p == nil {
		return nil
	}
	return *t.p.b
}

// String implements fmt.Stringer.
func (t Text) String() string { return Redacted }

// GoString implements fmt.GoStringer.
func (t Text) GoString() string { return Redacted }

// Format implements fmt.Formatter, so that no verb (%x, %q, %d) reaches the bytes.
func (t Text) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, Redacted) }

// LogValue implements slog.LogValuer.
func (t Text) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements encoding.TextMarshaler; JSON, XML and YAML encoders use it.
func (t Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
