package apigw

import (
	"encoding/base64"

	"behalf.dev/behalf/shared/fault"
)

// Cursor makes a position opaque to callers.
func Cursor(position string) string {
	if position == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte("1" + position))
}

// Position reads the parameter "cursor"; empty when absent. It returns fault.InvalidInput for one that is not ours.
func (r *Request) Position() (string, error) {
	s := r.query.Get("cursor")
	if s == "" {
		return "", nil
	}
	return ParseCursor("cursor", s)
}

// ParseCursor is the position behind a cursor; field is what the error names. It returns fault.InvalidInput.
func ParseCursor(field, s string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < 2 || b[0] != '1' {
		return "", fault.Invalid(field, "this cursor is not one of ours; leave it out to start over")
	}
	return string(b[1:]), nil
}
