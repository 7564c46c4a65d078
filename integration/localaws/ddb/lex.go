package ddb

import (
	"strings"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// token is one word of an expression with its place, for the "near" part of errors.
type token struct {
	text       string
	start, end int
}

// parser reads one expression. The first error sticks and makes every later peek return the
// end, so the grammar functions need no error returns of their own.
type parser struct {
	what   string // parameter name used in errors: "ConditionExpression", ...
	src    string
	toks   []token
	i      int
	err    error
	names  []string // #placeholders in order of appearance
	values []string // :placeholders
}

func newParser(what, src string) *parser {
	p := &parser{what: what, src: src}
	for i := 0; i < len(src); {
		n := tokenLen(src[i:])
		if strings.IndexByte(" \t\r\n", src[i]) < 0 {
			p.toks = append(p.toks, token{src[i : i+n], i, i + n})
		}
		i += n
	}
	return p
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func tokenLen(s string) int {
	c := s[0]
	if c == '<' || c == '>' {
		if len(s) > 1 && (s[1] == '=' || c == '<' && s[1] == '>') {
			return 2
		}
		return 1
	}
	n := 0
	if c == '#' || c == ':' {
		n = 1
	}
	for n < len(s) && wordByte(s[n]) {
		n++
	}
	return max(n, 1)
}

// failf records the first error, prefixed like AWS does.
func (p *parser) failf(format string, args ...any) {
	if p.err == nil {
		p.err = awserr.Validation("Invalid "+p.what+": "+format, args...)
	}
}

func (p *parser) syntax() {
	if p.err != nil {
		return
	}
	if p.i >= len(p.toks) {
		near := ""
		if len(p.toks) > 0 {
			near = p.toks[len(p.toks)-1].text
		}
		p.failf("Syntax error; token: \"<EOF>\", near: \"%s\"", near)
		return
	}
	from, to := p.toks[max(p.i-1, 0)], p.toks[min(p.i+1, len(p.toks)-1)]
	p.failf("Syntax error; token: \"%s\", near: \"%s\"", p.toks[p.i].text, p.src[from.start:to.end])
}

func (p *parser) at(off int) string {
	if p.err != nil || p.i+off >= len(p.toks) {
		return ""
	}
	return p.toks[p.i+off].text
}

func (p *parser) peek() string { return p.at(0) }

func (p *parser) next() string {
	t := p.peek()
	p.i++
	return t
}

// accept consumes the token when it is the given word, in any case.
func (p *parser) accept(word string) bool {
	if t := p.peek(); t != "" && strings.EqualFold(t, word) {
		p.i++
		return true
	}
	return false
}

func (p *parser) expect(word string) {
	if p.err == nil && !p.accept(word) {
		p.syntax()
	}
}

// step is one element of a document path: a name (or #placeholder) or a list index.
type step struct {
	name  string
	index int // -1 for a name
}

type path []step

// path reads a document path such as #a.b[2].c.
func (p *parser) path() path {
	out := path{p.name()}
	for p.err == nil {
		switch {
		case p.accept("."):
			out = append(out, p.name())
		case p.accept("["):
			out = append(out, step{index: p.index()})
			p.expect("]")
		default:
			return out
		}
	}
	return out
}

func (p *parser) index() int {
	t := p.peek()
	if t == "" || strings.Trim(t, "0123456789") != "" || len(t) > 9 {
		p.syntax()
		return 0
	}
	p.i++
	n := 0
	for _, c := range t {
		n = n*10 + int(c-'0')
	}
	return n
}

func (p *parser) name() step {
	t := p.peek()
	switch {
	case t == "" || t == "#" || t[0] != '#' && (!wordByte(t[0]) || t[0] >= '0' && t[0] <= '9' || t[0] == '_'):
		p.syntax()
	case t[0] == '#':
		p.names = append(p.names, t)
	case reservedWord(t):
		p.failf("Attribute name is a reserved keyword; reserved keyword: %s", t)
	}
	p.i++
	return step{name: t, index: -1}
}

// text writes a path like AWS does in errors: [a, b, [2]].
func (pa path) text(names map[string]string) string {
	parts := make([]string, len(pa))
	for i, s := range pa {
		if s.index >= 0 {
			parts[i] = "[" + itoa(s.index) + "]"
		} else {
			parts[i] = s.resolve(names)
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// resolve gives the attribute name that a step means.
func (s step) resolve(names map[string]string) string {
	if s.name != "" && s.name[0] == '#' {
		return names[s.name]
	}
	return s.name
}

// lookup follows the path through an item.
func (pa path) lookup(it Item, names map[string]string) (Value, bool) {
	v, ok := it[pa[0].resolve(names)]
	for _, s := range pa[1:] {
		switch {
		case !ok:
			return Value{}, false
		case s.index < 0:
			if v.Kind != M {
				return Value{}, false
			}
			v, ok = v.M[s.resolve(names)]
		case v.Kind != L || s.index >= len(v.L):
			return Value{}, false
		default:
			v = v.L[s.index]
		}
	}
	return v, ok
}
