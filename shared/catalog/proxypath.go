package catalog

import (
	"net/http"
	"net/url"
	"strings"

	"behalf.dev/behalf/shared/fault"
)

// ProxyPath is a caller's path below the API base as it will be sent: with a leading slash, and each character written in one
// way only. It is what rules and records must go by, since the same path can be written in many ways. It returns
// fault.InvalidInput for a path that could leave the base, and for one that the provider might read differently: what is
// checked must be what the provider routes.
//
// A path may carry percent-encoded bytes, but none that decode to a percent sign, a backslash, a control character or
// a dot segment. %2F is passed on where the manifest says that the provider takes it for part of a name
// (api.encoded_slashes); elsewhere it could be taken for a slash, behind the back of a rule about paths.
func (c *Connector) ProxyPath(path string) (string, error) {
	return canonicalPath(path, c.m.API.EncodedSlashes)
}

// IdempotencyHeader is the request header in which the provider takes an idempotency key for a request that no tool covers;
// empty when it takes none with that method.
func (c *Connector) IdempotencyHeader(method string) string {
	if method != http.MethodPost && method != http.MethodPatch { // the others are idempotent by themselves
		return ""
	}
	return c.m.API.IdempotencyHeader
}

func canonicalPath(path string, slashes bool) (string, error) {
	var out strings.Builder
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for n, seg := range segments {
		plain, err := url.PathUnescape(seg)
		if err != nil || seg == "" && n < len(segments)-1 || // some providers drop an empty segment: a rule would judge another path
			strings.Contains(plain, "/") && !slashes {
			return "", badPath()
		}
		for i, name := range strings.Split(plain, "/") {
			if !pathName(name) || name == "" && plain != "" {
				return "", badPath()
			}
			out.WriteString([]string{"/", "%2F"}[min(i, 1)] + url.PathEscape(name))
		}
	}
	return out.String(), nil
}

// pathName reports that a decoded segment, or a part of one between encoded slashes, is a name and nothing else.
func pathName(name string) bool {
	bare, _, _ := strings.Cut(name, ";") // servlet containers drop parameters (RFC 3986, section 3.3) before they resolve dots
	return bare != "." && bare != ".." && !strings.ContainsAny(name, `\%?#`) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

func badPath() error {
	return fault.Invalid("path", "the path holds a dot segment, an empty segment or a character that is not allowed in a path")
}

// appendPath adds a path from a caller or a provider to u.
func appendPath(u *url.URL, path string, slashes bool) error {
	canonical, err := canonicalPath(path, slashes)
	if err != nil {
		return err
	}
	escaped := strings.TrimSuffix(u.EscapedPath(), "/") + canonical
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return badPath()
	}
	u.Path, u.RawPath = plain, escaped
	return nil
}
