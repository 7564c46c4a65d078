package toolcall

import "strings"

// escapes are the ways to write a character by its number. text is what stands before the number, digits how many there
// are at most and base their base; exact tells that there are no fewer. RFC 3986, section 2.1 (and a second time round); RFC
// 8259, section 7; JavaScript; HTML; RFC 2045, section 6.7.
var escapes = [...]struct {
	text         string
	digits, base int
	exact        bool
	end          string
}{
	{"%", 2, 16, true, ""}, {"%25", 2, 16, true, ""}, {`\u`, 4, 16, true, ""}, {`\\u`, 4, 16, true, ""}, {`\x`, 2, 16, true, ""}, {"&#x", 4, 16, false, ";"}, {"&#X", 4, 16, false, ";"},
	{"&#", 5, 10, false, ";"}, {"=", 2, 16, true, ""},
}

// named are the characters that are written by name, or behind a backslash.
var named = [...]struct {
	char byte
	text string
}{{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&apos;"}}

// escaped adds to next where an escape of c ends that starts at data[p]; more tells that the data ends within what may be one.
func (f *form) escaped(data []byte, p int, c byte, next *reached) (more bool) {
	rest := data[p:]
	for _, e := range escapes {
		if !begins(rest, e.text) {
			more = more || cut(rest, e.text)
			continue
		}
		n, value, short := number(rest[len(e.text):], e.digits, e.base)
		stop := len(e.text) + n
		switch {
		case short && (n < e.digits || e.end != ""):
			more = true
		case n == 0 || e.exact && n < e.digits || value > 0xff || !f.same(c, byte(value)):
		case e.end == "":
			next.add(p + stop)
		case stop < len(rest) && rest[stop] == ';':
			next.add(p + stop + 1)
		}
	}
	for _, e := range named {
		if e.char != c {
			continue
		}
		if begins(rest, e.text) {
			next.add(p + len(e.text))
		} else {
			more = more || cut(rest, e.text)
		}
	}
	return f.slashed(rest, p, c, next) || more
}

// slashed takes a backslash before c, and the escapes of the few controls that a credential might hold.
func (f *form) slashed(rest []byte, p int, c byte, next *reached) (more bool) {
	if rest[0] != '\\' {
		return false
	}
	if len(rest) < 2 {
		return true
	}
	if letter := strings.IndexByte("\n\r\t", c); letter >= 0 {
		if rest[1] == "nrt"[letter] {
			next.add(p + 2)
		}
		return false
	}
	if f.same(c, rest[1]) {
		next.add(p + 2)
	}
	return false
}

// begins reports that b starts with s, and cut that b is the beginning of s and too short to say.
func begins(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }

func cut(b []byte, s string) bool { return len(b) < len(s) && s[:len(b)] == string(b) }

// number reads up to digits digits; short tells that b ended before one that is no digit, or the last one that is wanted.
func number(b []byte, digits, base int) (n, value int, short bool) {
	for n < digits && n < len(b) {
		d := strings.IndexByte("0123456789abcdef", b[n]|0x20)
		if b[n] < 0x30 || d < 0 || d >= base { // |0x20 moves control characters onto digits
			return n, value, false
		}
		value, n = value*base+d, n+1
	}
	return n, value, n == len(b)
}
