package catalog

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"behalf.dev/behalf/shared/fault"
)

// template is "{host}/fixed/{variable}": a host of the connector, then path segments.
type template struct {
	host     string
	segments [][]part
	slash    bool // at the end, which some providers insist on
	vars     []string
}

type part struct {
	text string
	name string // of a variable; then text is empty
}

var (
	templateHead = regexp.MustCompile(`^\{([a-z][a-z0-9_]*)\}(/.*)?$`)
	templatePart = regexp.MustCompile(`\{((?:connection\.)?[A-Za-z_][A-Za-z0-9_]*)\}|[A-Za-z0-9._~:@-]+`)
)

func parseTemplate(s string) (template, error) {
	head := templateHead.FindStringSubmatch(s)
	if head == nil {
		return template{}, fmt.Errorf("%q: want {host}/path with a host of this connector", s)
	}
	t := template{host: head[1]}
	if head[2] == "" {
		return t, nil
	}
	path := head[2][1:]
	if path == "" || strings.HasSuffix(path, "/") {
		path, t.slash = strings.TrimSuffix(path, "/"), true
	}
	if path == "" {
		return t, nil
	}
	for _, seg := range strings.Split(path, "/") {
		parts := []part{}
		rest := seg
		for rest != "" {
			loc := templatePart.FindStringSubmatchIndex(rest)
			if loc == nil || loc[0] != 0 {
				return template{}, fmt.Errorf("%q: path segment %q holds a character that needs escaping, or a bad {variable}", s, seg)
			}
			if loc[2] >= 0 {
				name := rest[loc[2]:loc[3]]
				parts, t.vars = append(parts, part{name: name}), append(t.vars, name)
			} else {
				parts = append(parts, part{text: rest[:loc[1]]})
			}
			rest = rest[loc[1]:]
		}
		if seg == "" || seg == "." || seg == ".." {
			return template{}, fmt.Errorf("%q: empty or dot segment in the path", s)
		}
		t.segments = append(t.segments, parts)
	}
	return t, nil
}

// expand puts values into the path below base. A value stays inside its segment: a slash, backslash, control character,
// empty value or dot segment is fault.InvalidInput about "/input/<name>", everything else is percent-encoded.
func (t template) expand(base *url.URL, value func(name string) (string, bool)) (*url.URL, error) {
	escaped := strings.TrimSuffix(base.EscapedPath(), "/")
	for _, seg := range t.segments {
		var plain strings.Builder
		var last string
		for _, p := range seg {
			if p.name == "" {
				plain.WriteString(p.text)
				continue
			}
			v, ok := value(p.name)
			if err := checkSegmentValue(p.name, v, ok); err != nil {
				return nil, err
			}
			last = p.name
			plain.WriteString(v)
		}
		if s := plain.String(); s == "." || s == ".." {
			return nil, fault.Invalid("/input/"+last, "%s cannot be %q", last, s)
		}
		escaped += "/" + url.PathEscape(plain.String())
	}
	if t.slash {
		escaped += "/"
	}
	u := *base
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, fault.New(fault.Internal, "a URL could not be built").WithCause(err)
	}
	u.Path, u.RawPath = path, escaped
	return &u, nil
}

func checkSegmentValue(name, v string, ok bool) error {
	field := "/input/" + name
	switch {
	case !ok || v == "":
		return fault.Invalid(field, "%s is missing or empty", name)
	case strings.ContainsAny(v, `/\`):
		return fault.Invalid(field, `%s cannot contain "/" or "\"`, name)
	case strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
		return fault.Invalid(field, "%s contains a control character or text that is not UTF-8", name)
	}
	return nil
}

// url expands one of the manifest's addresses.
func (c *Connector) url(which string, meta, vars map[string]string) (*url.URL, error) {
	t := c.urls[which]
	base, err := c.hosts[t.host].resolve(meta)
	if err != nil {
		return nil, err
	}
	return t.expand(base, func(name string) (string, bool) {
		if m, ok := strings.CutPrefix(name, ofConnection); ok {
			v, ok := meta[m]
			return v, ok
		}
		v, ok := vars[name]
		return v, ok
	})
}

// appendPath adds a caller's path to u. The path may carry percent-encoded bytes, but none that decode to a slash, a
// backslash, a control character or a dot segment: what we check must be what the provider routes.
func appendPath(u *url.URL, path string) error {
	escaped := strings.TrimSuffix(u.EscapedPath(), "/")
	for _, seg := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		plain, err := url.PathUnescape(seg)
		bare, _, _ := strings.Cut(plain, ";") // servlet containers drop parameters (RFC 3986, section 3.3) before they resolve dots
		if err != nil || strings.ContainsAny(plain, `/\%?#`) || bare == "." || bare == ".." ||
			strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
			return fault.Invalid("path", "the path holds a dot segment or a character that is not allowed in a path")
		}
		escaped += "/" + url.PathEscape(plain)
	}
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return fault.Invalid("path", "the path is not valid")
	}
	u.Path, u.RawPath = plain, escaped
	return nil
}
