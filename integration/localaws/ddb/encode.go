package ddb

import (
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"
)

// MarshalJSON writes the wire form, {"S":"x"}.
func (v Value) MarshalJSON() ([]byte, error) { return v.append(nil), nil }

// UnmarshalJSON reads the wire form and applies the same checks as a request does.
func (v *Value) UnmarshalJSON(b []byte) error {
	c := cursor{b: b}
	w, err := c.value()
	*v = w
	return err
}

func appendItem(b []byte, it Item) []byte {
	b = append(b, '{')
	first := true
	for name, v := range it {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(b, name)
		b = append(b, ':')
		b = v.append(b)
	}
	return append(b, '}')
}

func (v Value) append(b []byte) []byte {
	b = append(b, `{"`...)
	b = append(b, v.Kind.String()...)
	b = append(b, `":`...)
	switch v.Kind {
	case S, N, B:
		b = v.appendScalar(b)
	case BOOL:
		b = append(b, v.Str...)
	case NULL:
		b = append(b, "true"...)
	case M:
		b = appendItem(b, v.M)
	default:
		b = append(b, '[')
		for i, x := range v.L {
			if i > 0 {
				b = append(b, ',')
			}
			if v.Kind == L {
				b = x.append(b)
			} else {
				b = x.appendScalar(b)
			}
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func (v Value) appendScalar(b []byte) []byte {
	if v.Kind == B {
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, []byte(v.Str))
		return append(b, '"')
	}
	return appendString(b, v.Str)
}

// appendString quotes s; text that needs escapes takes the slow way.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == '"' || s[i] == '\\' || s[i] >= utf8.RuneSelf {
			q, _ := json.Marshal(s) // a string always marshals
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
