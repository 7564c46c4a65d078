package toolcall

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/secret"
)

// each writes every byte of s with format.
func each(format, s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

// wrapped breaks s into lines of n characters.
func wrapped(s, with string, n int) string {
	var b strings.Builder
	for i := 0; i < len(s); i += n {
		b.WriteString(s[i:min(i+n, len(s))] + with)
	}
	return b.String()
}

func wide(s string, big bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		pair := []byte{byte(u), byte(u >> 8)}
		if big {
			pair[0], pair[1] = pair[1], pair[0]
		}
		b.Write(pair)
	}
	return b.String()
}

// encoded is s in every encoding that is looked for.
func encoded(s string) map[string]string {
	j, _ := json.Marshal(s)
	std, raw := base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s))
	h := hex.EncodeToString([]byte(s))
	out := map[string]string{
		"plain": s, "query": url.QueryEscape(s), "path": url.PathEscape(s), "percent, all": each("%%%02X", s), "percent, lower case": each("%%%02x", s), "percent, twice": url.QueryEscape(url.QueryEscape(s)), "percent, all, twice": each("%%25%02X", s),
		"JSON": string(j), "JSON in JSON": strings.Trim(fmt.Sprintf("%q", string(j)), `"`), "JSON, slashes": strings.ReplaceAll(s, "/", `\/`), "unicode escapes": each(`\u%04x`, s), "UNICODE escapes": each(`\u%04X`, s), "unicode escapes in JSON in JSON": each(`\\u%04x`, s),
		"JavaScript": each(`\x%02x`, s), "HTML": html.EscapeString(s), "HTML, hex": each("&#x%X;", s), "HTML, padded": each("&#x%04x;", s), "HTML, decimal": each("&#%d;", s), "quoted-printable": each("=%02X", s), "quoted-printable, broken": wrapped(s, "=\r\n", 7),
		"hex": h, "HEX": strings.ToUpper(h), "hex with colons": each(":%02x", s)[1:], "hex dump": each(" %02x", s)[1:], "hex, escaped": each(`\u%04x`, h),
		"UTF-16LE": wide(s, false), "UTF-16BE": wide(s, true), "MIME base64": wrapped(std, "\r\n", 10), "PEM in JSON": wrapped(std, `\n`, 10), "base64 in a query": url.QueryEscape(std), "base64 in JSON": strings.ReplaceAll(std, "/", `\/`),
		"base64url, escaped": each(`\u%04x`, raw), "every other character": alternately(s),
	}
	for before := range 4 {
		text := []byte(strings.Repeat("a", before) + s + "zz")
		for name, enc := range map[string]*base64.Encoding{"std": base64.StdEncoding, "url": base64.URLEncoding, "raw std": base64.RawStdEncoding, "raw url": base64.RawURLEncoding} {
			out[fmt.Sprintf("%s base64, %d before", name, before)] = enc.EncodeToString(text)
		}
	}
	return out
}

func alternately(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&b, "%%%02X", s[i])
		case 1:
			b.WriteByte(s[i])
		default:
			fmt.Fprintf(&b, `\u%04x`, s[i])
		}
	}
	return b.String()
}

// inPieces scans text cut at the given places.
func inPieces(s string, text []byte, cuts ...int) ([]byte, int) {
	sc := newScanner(secret.FromString(s), catalog.AuthHeader{})
	var out []byte
	from := 0
	for _, c := range cuts {
		piece := bytes.Clone(text[from:c])
		out = append(out, sc.feed(piece, false)...)
		clear(piece) // a caller uses its buffer again
		from = c
	}
	return append(out, sc.feed(text[from:], true)...), sc.found
}

func TestScanner_EachEncodingAtEachSplit_SameAsWhole(t *testing.T) {
	t.Parallel()
	for name, form := range encoded(token) {
		text := []byte(`{"before":"100% \u00e9","echo":"` + form + `","after":"&amp; c29tZSB0ZXh0"}`)
		whole, found := inPieces(token, text)
		if found != 1 || left(whole, token) > 4 || !bytes.HasPrefix(whole, []byte(`{"before":"100% \u00e9","echo":`)) || !bytes.HasSuffix(whole, []byte(`after":"&amp; c29tZSB0ZXh0"}`)) {
			t.Errorf("%s: %d found: %q became %q", name, found, text, whole)
			continue
		}
		for i := range len(text) {
			for _, cuts := range [][]int{{i}, {i, min(i+7, len(text))}} {
				if got, _ := inPieces(token, text, cuts...); !bytes.Equal(got, whole) {
					t.Fatalf("%s, cut at %v: %q, whole %q", name, cuts, got, whole)
				}
			}
		}
		every := make([]int, len(text))
		for i := range every {
			every[i] = i
		}
		if got, _ := inPieces(token, text, every...); !bytes.Equal(got, whole) {
			t.Errorf("%s, byte by byte: %q, whole %q", name, got, whole)
		}
	}
}

func TestScanner_NearMisses_PassUnchanged(t *testing.T) {
	t.Parallel()
	for _, s := range []string{token[:len(token)-1], token[1:], strings.Replace(token, "!", "?", 1), "00D5g%2", `\u003`, "&#x", "&am", "=", "%", strings.Repeat("00D5g!AQEAQ.1a", 50), strings.Repeat("%25", 99) + "%"} {
		for i := range len(s) {
			if got, found := inPieces(token, []byte(s), i); string(got) != s || found != 0 {
				t.Errorf("%q cut at %d became %q", s, i, got)
			}
		}
	}
}

// What is held back is bounded by the longest way to write the credential, however long the body is.
func TestScanner_HoldsBackLittle(t *testing.T) {
	t.Parallel()
	sc := newScanner(secret.FromString(token), catalog.AuthHeader{})
	r := rand.New(rand.NewPCG(1, 2))
	forms := encoded(token)
	most := 0
	for range 200 {
		for _, form := range forms {
			piece := []byte(form[:r.IntN(len(form))] + "%")
			sc.feed(piece, false)
			most = max(most, len(sc.held))
		}
	}
	if most > 12*len(token) || most == 0 {
		t.Errorf("%d bytes held back for a credential of %d", most, len(token))
	}
}

func FuzzScan(f *testing.F) {
	f.Add("ghu_0123456789abcdef", "before ", " after", uint64(1))
	f.Add(token, `{"a":"%2`, `\u00"}`, uint64(77))
	f.Add("%25%25%25%25", "%", "25", uint64(3))
	f.Fuzz(func(t *testing.T, s, before, after string, seed uint64) {
		if len(s) < 12 || len(s) > 300 || strings.Contains(secret.Redacted, s) {
			return
		}
		r := rand.New(rand.NewPCG(seed, 1))
		echo := randomly(r, s)
		text := []byte(before + echo + after)
		whole, found := inPieces(s, text)
		if found == 0 {
			t.Fatalf("%q is in %q and was not found", s, text)
		}
		var cuts []int
		for c := r.IntN(9); c < len(text); c += 1 + r.IntN(9) {
			cuts = append(cuts, c)
		}
		if got, _ := inPieces(s, text, cuts...); !bytes.Equal(got, whole) {
			t.Fatalf("%q cut at %v: %q, whole %q", text, cuts, got, whole)
		}
		if bytes.Contains(whole, []byte(echo)) {
			t.Fatalf("%q is still there: %q", echo, whole)
		}
	})
}

// randomly writes each character in a way of its own, after an encoding of the whole.
func randomly(r *rand.Rand, s string) string {
	switch r.IntN(4) {
	case 0:
		s = hex.EncodeToString([]byte(s))
	case 1:
		s = base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", r.IntN(3)) + s))
	}
	var b strings.Builder
	for i := range len(s) {
		format := []string{"%c", "%%%02x", `\u%04x`, "&#%d;", "&#x%02X;", "=%02X", "%%25%02X", `\x%02x`}[r.IntN(8)]
		if format == "%c" {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, format, s[i])
		}
		if r.IntN(20) == 0 {
			b.WriteString("\r\n")
		}
	}
	return b.String()
}

func BenchmarkScan(b *testing.B) {
	text := []byte(strings.Repeat(`{"id":12345,"name":"a file \"of\" some length","url":"https://api.example.com/v1/files?q=a%20b&c=d","ok":true},`, 1000))
	sc := newScanner(secret.FromString(token), catalog.AuthHeader{})
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		sc.feed(text, false)
	}
}
