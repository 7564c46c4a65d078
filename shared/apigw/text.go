package apigw

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

func ascii(s string) bool {
	for _, c := range []byte(s) {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// loneSurrogate tells that a JSON text has an escaped half of a surrogate pair without the other (RFC 8259, section 8.2): decoders
// turn each into the same replacement character, and two names become one.
func loneSurrogate(b []byte) bool {
	for i := bytes.IndexByte(b, '\\'); i >= 0 && i+1 < len(b); {
		next := i + 2
		if b[i+1] == 'u' {
			first, next1 := escaped(b[i:])
			second, next2 := escaped(b[i+next1:])
			switch {
			case !utf16.IsSurrogate(first):
				next = i + next1
			case utf16.DecodeRune(first, second) == utf8.RuneError:
				return true
			default:
				next = i + next1 + next2
			}
		}
		more := bytes.IndexByte(b[min(next, len(b)):], '\\')
		if more < 0 {
			return false
		}
		i = next + more
	}
	return false
}

// escaped reads \uXXXX at the beginning of b and tells how long it is; 0 and 2 for anything else.
func escaped(b []byte) (rune, int) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, min(2, len(b))
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return 0, 2
	}
	return rune(n), 6
}
