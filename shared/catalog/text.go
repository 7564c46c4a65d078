package catalog

import (
	"fmt"
	"regexp"
	"strings"
)

// text is a template for one value: fixed text and {references}, "{email}/token:{api_token}". A reference may name a
// member of a JSON field ({service_account.client_email}) and change case ({account|upper}).
type text []textPart

type textPart struct {
	fixed string
	name  string // of a reference; then fixed is empty
	upper bool
	lower bool
}

var textRef = regexp.MustCompile(`\{([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)?)(\|upper|\|lower)?\}`)

func parseText(s string) (text, error) {
	var t text
	rest := 0
	fixed := func(part string) error {
		if strings.ContainsAny(part, "{}") {
			return fmt.Errorf("%q: a reference is {name}, {name.member} or {name|upper}", s)
		}
		if part != "" {
			t = append(t, textPart{fixed: part})
		}
		return nil
	}
	for _, m := range textRef.FindAllStringSubmatchIndex(s, -1) {
		if err := fixed(s[rest:m[0]]); err != nil {
			return nil, err
		}
		p := textPart{name: s[m[2]:m[3]]}
		if m[4] >= 0 {
			p.upper, p.lower = s[m[4]:m[5]] == "|upper", s[m[4]:m[5]] == "|lower"
		}
		t, rest = append(t, p), m[1]
	}
	return t, fixed(s[rest:])
}

// names are the references of t.
func (t text) names() []string {
	var out []string
	for _, p := range t {
		if p.name != "" {
			out = append(out, p.name)
		}
	}
	return out
}

// expand writes t with the values that get knows; missing names the first that it does not.
func (t text) expand(get func(name string) (string, bool)) (out, missing string) {
	var b strings.Builder
	for _, p := range t {
		v, ok := p.fixed, true
		if p.name != "" {
			v, ok = get(p.name)
		}
		switch {
		case !ok || v == "":
			return "", p.name
		case p.upper:
			v = strings.ToUpper(v)
		case p.lower:
			v = strings.ToLower(v)
		}
		b.WriteString(v)
	}
	return b.String(), ""
}
