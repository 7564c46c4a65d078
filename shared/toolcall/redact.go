package toolcall

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// redact removes the injected token from a provider's answer in every encoding that a careless endpoint might echo it
// in: as it is, percent-encoded, with JSON's escaped slashes, hex, and base64 at each of the three alignments that a
// surrounding text can give it. Of a user and password, the password goes by itself too.
func redact(body []byte, token secret.Text, auth catalog.AuthHeader) []byte {
	for _, t := range auth.Parts(token.Reveal(reveal.Key{})) {
		if len(t) < 8 { // too short to be a credential, and to search for without harm
			continue
		}
		for _, form := range encodings(t) {
			if bytes.Contains(body, form) {
				body = bytes.ReplaceAll(body, form, []byte(secret.Redacted))
			}
		}
	}
	return body
}

func encodings(t []byte) [][]byte {
	forms := [][]byte{t}
	if e := url.QueryEscape(string(t)); e != string(t) {
		forms = append(forms, []byte(e), lowerEscapes(e), []byte(url.PathEscape(string(t))))
	}
	if bytes.ContainsRune(t, '/') {
		forms = append(forms, bytes.ReplaceAll(t, []byte("/"), []byte(`\/`)))
	}
	h := hex.EncodeToString(t)
	forms = append(forms, []byte(h), bytes.ToUpper([]byte(h)))
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			forms = append(forms, aligned(enc, t, shift))
		}
	}
	return forms
}

// lowerEscapes writes %2F as %2f; RFC 3986, section 2.1 allows both.
func lowerEscapes(s string) []byte {
	out := []byte(s)
	for i := 0; i+2 < len(out); i++ {
		if out[i] == '%' {
			copy(out[i+1:i+3], bytes.ToLower(out[i+1:i+3]))
		}
	}
	return out
}

// aligned is the part of base64(shift unknown bytes ‖ t ‖ anything) that depends on t alone.
func aligned(enc *base64.Encoding, t []byte, shift int) []byte {
	padded := append(make([]byte, shift), t...)
	whole := len(padded) / 3 * 3
	out := make([]byte, enc.EncodedLen(whole))
	enc.Encode(out, padded[:whole])
	return out[(shift*8+5)/6:]
}
