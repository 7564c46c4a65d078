package toolcall

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
)

// leastSecret is the length in bytes below which a credential is not searched for: it would be found everywhere.
const leastSecret = 8

// scanner replaces a credential in a body that comes in pieces, in every encoding that a careless endpoint might echo it in:
//
//	text     as it is, and with any of its characters written %2F, %252F, \u002f, \x2f, &#x2F;, &#47;, &amp; or =2F, or behind a
//	         backslash
//	hex      in either case, with or without separators
//	base64   both alphabets, at each of the three alignments that a surrounding text can give it
//
// with line breaks or NUL bytes (UTF-16) between any two characters. What might still become a match is held back, so that what comes out does
// not depend on how the body was cut into pieces. A compressed body says nothing: package egress lets none through.
type scanner struct {
	forms  []form
	starts [256]uint32 // the forms that can start with a byte, as bits; a credential has two parts at most, of five forms each
	joins  [256]bool   // bytes that can stand at the start of an escape, or in a gap
	// held waits for what comes next; work and out are kept for their memory.
	held, work, out []byte
	// found counts what was replaced.
	found int
}

// form is one encoding of a credential: the characters to look for, each in any way that accept knows.
type form struct {
	text string
	// fold takes letters in either case; alphabet takes + for - and / for _; separated skips what stands between the
	// bytes of a hex dump.
	fold, alphabet, separated bool
}

func newScanner(token secret.Text, auth catalog.AuthHeader) *scanner {
	s := &scanner{}
	for _, t := range auth.Parts(token.Reveal(reveal.Key{})) {
		if len(t) < leastSecret {
			continue
		}
		s.forms = append(s.forms, form{text: string(t)}, form{text: hex.EncodeToString(t), fold: true, separated: true})
		for shift := range 3 {
			s.forms = append(s.forms, form{text: string(aligned(base64.RawStdEncoding, t, shift)), alphabet: true})
		}
	}
	for i, f := range s.forms {
		for b := range 256 {
			if f.same(f.text[0], byte(b)) {
				s.starts[b] |= 1 << i
			}
		}
		for _, b := range []byte(`%\&=`) {
			s.starts[b] |= 1 << i
		}
	}
	for _, b := range []byte("%\\&=\r\n\x00: -,") {
		s.joins[b] = true
	}
	return s
}

// aligned is the part of base64(shift unknown bytes ‖ t ‖ anything) that depends on t alone.
func aligned(enc *base64.Encoding, t []byte, shift int) []byte {
	padded := append(make([]byte, shift), t...)
	whole := len(padded) / 3 * 3
	out := make([]byte, enc.EncodedLen(whole))
	enc.Encode(out, padded[:whole])
	return out[(shift*8+5)/6:]
}

// feed takes the next piece and returns what is ready to go out; with last it holds nothing back. The answer may share
// memory with piece, and is valid until the next call.
func (s *scanner) feed(piece []byte, last bool) []byte {
	data := piece
	if len(s.held) > 0 {
		s.work = append(append(s.work[:0], s.held...), piece...)
		data, s.held = s.work, s.held[:0]
	}
	if len(s.forms) == 0 {
		return data
	}
	s.out = s.out[:0]
	from := 0 // what is before it is in out
	for at := 0; at < len(data); {
		if s.starts[data[at]] == 0 {
			at++
			continue
		}
		end, more := s.match(data, at, last)
		if more {
			s.held = append(s.held, data[at:]...)
			data = data[:at]
			break
		}
		if end == 0 {
			at++
			continue
		}
		s.out = append(append(s.out, data[from:at]...), secret.Redacted...)
		at, from = end, end
		s.found++
	}
	if from == 0 {
		return data
	}
	s.out = append(s.out, data[from:]...)
	return s.out
}

// whole scans a body that is there entirely. The answer is the caller's to keep.
func (s *scanner) whole(body []byte) []byte {
	before := s.found
	if out := s.feed(body, true); s.found > before {
		return bytes.Clone(out)
	}
	return body
}

// match looks for a form that starts at data[at], the first one first, and returns its end; 0 when there is none. more
// tells that the data ends before that can be said.
func (s *scanner) match(data []byte, at int, last bool) (end int, more bool) {
	escape := s.joins[data[at]]
	if escape && !s.worth(data[at:]) {
		return 0, false
	}
	for i := range s.forms {
		f := &s.forms[i]
		if s.starts[data[at]]>>i&1 == 0 || !escape && at+1 < len(data) && !f.same(f.text[1], data[at+1]) && !s.joins[data[at+1]] {
			continue
		}
		if end, more = f.match(data, at); more && !last {
			return 0, true
		}
		if end > 0 {
			return end, false
		}
	}
	return 0, false
}

// worth is a quick look at whether an escape at the start of b, or b[0] itself, can begin a form; most cannot.
func (s *scanner) worth(b []byte) bool {
	if len(b) < 2 {
		return true
	}
	for i := range s.forms {
		if c := s.forms[i].text[0]; c == b[0] || c == '&' {
			return true
		}
	}
	switch b[0] {
	case '%', '=':
		if len(b) < 3 || b[1] == '2' && b[2] == '5' {
			return true
		}
		n, value, _ := number(b[1:], 2, 16)
		return n == 2 && s.starts[value] != 0
	case '\\':
		return s.starts[b[1]] != 0 || strings.IndexByte("uxnrt", b[1]) >= 0
	case '&':
		return strings.IndexByte("#lgqa", b[1]) >= 0
	}
	return true
}

// reached is the positions that a match can have got to: mostly one, and more where an encoded character could also be
// taken as it stands.
type reached struct {
	at [8]int
	n  int
}

func (r *reached) add(p int) {
	for _, q := range r.at[:r.n] {
		if q == p {
			return
		}
	}
	if r.n < len(r.at) {
		r.at[r.n] = p
		r.n++
	}
}

// match follows f.text through data from at on. end is 0 when f is not there; more tells that it could be if data went on.
func (f *form) match(data []byte, at int) (end int, more bool) {
	var now, next reached
	now.add(at)
	for k := range len(f.text) {
		next.n = 0
		for _, p := range now.at[:now.n] {
			more = f.step(data, p, k, &next) || more
		}
		if next.n == 0 {
			return 0, more
		}
		now = next
	}
	for _, p := range now.at[:now.n] {
		end = max(end, p)
	}
	return end, more
}

// step adds to next where the k-th character ends that starts at p, or behind a gap at p.
func (f *form) step(data []byte, p, k int, next *reached) (more bool) {
	var starts reached
	starts.add(p)
	if k > 0 {
		more = f.gap(data, p, k, &starts)
	}
	for _, q := range starts.at[:starts.n] {
		if q >= len(data) {
			return true
		}
		if f.same(f.text[k], data[q]) {
			next.add(q + 1)
		}
		switch data[q] {
		case '%', '\\', '&', '=':
			more = f.escaped(data, q, f.text[k], next) || more
		}
	}
	return more
}

// same reports that b stands for c.
func (f *form) same(c, b byte) bool {
	switch {
	case b == c:
		return true
	case f.fold:
		return b|0x20 == c && c >= 'a' && c <= 'f'
	case f.alphabet:
		return c == '+' && b == '-' || c == '/' && b == '_'
	}
	return false
}

// breaks are what may stand between two characters of an encoded text: the line breaks of MIME and PEM, as they are and
// in JSON, and the soft ones of quoted-printable (RFC 2045). NUL is half of a character in UTF-16.
var breaks = [...]string{"\r\n", "\n", `\r\n`, `\n`, "=\r\n", "=\n", "\x00"}

// gap adds the positions behind what may stand between two characters.
func (f *form) gap(data []byte, p, k int, out *reached) (more bool) {
	if p >= len(data) {
		return false // step sees that too
	}
	for _, b := range breaks {
		if b[0] != data[p] {
			continue
		}
		switch rest := data[p:]; {
		case len(rest) >= len(b) && string(rest[:len(b)]) == b:
			out.add(p + len(b))
		case len(rest) < len(b) && strings.HasPrefix(b, string(rest)):
			more = true
		}
	}
	if f.separated && k%2 == 0 && strings.IndexByte(": -,", data[p]) >= 0 {
		out.add(p + 1)
	}
	return more
}
