package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a webhook (Standard Webhooks, "Webhook headers").
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp" // seconds since 1970
	HeaderSignature = "Webhook-Signature" // one or more "v1,<base64>", separated by spaces
)

// Tolerance is how far the timestamp may be from the receiver's clock, either way.
const Tolerance = 5 * time.Minute

// Errors of Verify.
var (
	ErrHeaders   = errors.New("a webhook header is missing, doubled or malformed")
	ErrTimestamp = errors.New("the webhook was signed too long ago, or in the future")
	ErrSignature = errors.New("no signature of the webhook is right")
)

const (
	secretPrefix = "whsec_"
	// The specification asks for 24 to 64 bytes.
	secretBytes, minBytes, maxBytes = 32, 24, 64
)

// NewSecret makes a signing secret of 32 bytes, as text: "whsec_<base64>".
func NewSecret(random io.Reader) (string, error) {
	b := make([]byte, secretBytes)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("make a webhook secret: %w", err)
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(b), nil
}

// key reads a secret. The error does not repeat it.
func key(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	b, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(b) < minBytes || len(b) > maxBytes {
		return nil, errors.New(`not a webhook secret: they look like "whsec_<base64>" and hold 24 to 64 bytes`)
	}
	return b, nil
}

func mac(key []byte, id, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = io.WriteString(h, id+"."+timestamp+".") // a hash never fails
	_, _ = h.Write(body)
	return h.Sum(nil)
}

// Sign sets the three headers for body, with a signature by each secret: while a secret is replaced there are two. id must hold
// no full stop, which separates what is signed.
func Sign(h http.Header, id string, at time.Time, body []byte, secrets ...string) error {
	if id == "" || strings.ContainsAny(id, ". ") || len(secrets) == 0 {
		return errors.New("a webhook needs an id without full stop, and a secret")
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, 0, len(secrets))
	for _, s := range secrets {
		k, err := key(s)
		if err != nil {
			return err
		}
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac(k, id, timestamp, body)))
	}
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, timestamp)
	h.Set(HeaderSignature, strings.Join(signatures, " "))
	return nil
}

// Verify reports whether body came from whoever holds one of secrets, and lately: nil, or ErrHeaders, ErrTimestamp, ErrSignature,
// or what is wrong with a secret. body must be the bytes as they came, not JSON that was decoded and encoded again.
func Verify(h http.Header, body []byte, now time.Time, secrets ...string) error {
	id, okID := only(h, HeaderID)
	timestamp, okTime := only(h, HeaderTimestamp)
	signatures, okSignature := only(h, HeaderSignature)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if !okID || !okTime || !okSignature || err != nil || strings.Contains(id, ".") {
		return ErrHeaders
	}
	right := false
	for _, s := range secrets {
		k, err := key(s)
		if err != nil {
			return err
		}
		right = right || signed(mac(k, id, timestamp, body), signatures)
	}
	if !right {
		return ErrSignature
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return ErrTimestamp
	}
	return nil
}

func only(h http.Header, name string) (string, bool) {
	v := h.Values(name)
	if len(v) != 1 || v[0] == "" {
		return "", false
	}
	return v[0], true
}

// signed reports whether one of the signatures is want. Those of other versions are skipped, as the specification asks.
func signed(want []byte, signatures string) bool {
	for _, s := range strings.Fields(signatures) {
		text, ok := strings.CutPrefix(s, "v1,")
		got, err := base64.StdEncoding.DecodeString(text)
		if ok && err == nil && hmac.Equal(got, want) {
			return true
		}
	}
	return false
}
