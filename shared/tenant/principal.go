package tenant

import (
	"encoding/base32"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"behalf.dev/behalf/shared/fault"
)

// Principal is who a credential belongs to inside a tenant: the opaque id of a user, or Org. Make one with
// ParsePrincipal or OrgPrincipal only.
type Principal string

// Org is the tenant itself as a principal, for background jobs. A user whose id is "_org" cannot exist.
const Org Principal = "_org"

// MaxPrincipalBytes bounds a user id so that its encoding fits a session tag (256 characters).
const MaxPrincipalBytes = 128

// plain ids stand for themselves in keys and tags: no separator, no wildcard, no upper case.
var plain = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,99}$`)

var enc = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ParsePrincipal checks an opaque user id, or "_org" for the tenant itself: 1 to 128 bytes of valid UTF-8 without
// control characters. It returns fault.InvalidInput about field otherwise.
func ParsePrincipal(field, s string) (Principal, error) {
	switch {
	case s == "":
		return "", fault.Invalid(field, "the principal is missing")
	case len(s) > MaxPrincipalBytes:
		return "", fault.Invalid(field, "a principal is at most %d bytes", MaxPrincipalBytes)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "", fault.Invalid(field, "a principal is UTF-8 text without control characters")
	case strings.HasPrefix(s, "_") && s != string(Org):
		return "", fault.Invalid(field, "principals that start with '_' are reserved; \"_org\" is the tenant itself")
	}
	return Principal(s), nil
}

// Tag is the injective encoding of p for keys and session tags: a plain id stands for itself, any other becomes '='
// and the lower-case base32 of its bytes. '=' cannot occur in a plain id, so no two principals share a tag.
func (p Principal) Tag() string {
	if p == Org || plain.MatchString(string(p)) {
		return string(p)
	}
	return "=" + enc.EncodeToString([]byte(p))
}

// PrincipalFromTag reverses Tag. It returns fault.InvalidInput for text that Tag does not produce.
func PrincipalFromTag(tag string) (Principal, error) {
	if rest, ok := strings.CutPrefix(tag, "="); ok {
		b, err := enc.DecodeString(rest)
		if err != nil || Principal(b).Tag() != tag {
			return "", fault.Invalid("principal", "not an encoded principal")
		}
		return Principal(b), nil
	}
	if tag != string(Org) && !plain.MatchString(tag) {
		return "", fault.Invalid("principal", "not an encoded principal")
	}
	return Principal(tag), nil
}
