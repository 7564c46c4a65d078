package iam

import "strings"

// Wildcards inside a prepared pattern. Control characters cannot occur in policy text, so a
// literal "*" that comes from a variable or from ${*} stays literal.
const (
	anyText = '\x01'
	anyChar = '\x02'
)

// patterns prepares policy texts: wildcards become markers, except inside ${...}.
func patterns(texts []string) []string {
	if texts == nil {
		return nil
	}
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = pattern(t)
	}
	return out
}

func pattern(t string) string {
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		switch {
		case strings.HasPrefix(t[i:], "${"):
			end := strings.IndexByte(t[i:], '}')
			if end < 0 {
				b.WriteString(t[i:])
				return b.String()
			}
			b.WriteString(t[i : i+end+1])
			i += end
		case t[i] == '*':
			b.WriteByte(anyText)
		case t[i] == '?':
			b.WriteByte(anyChar)
		default:
			b.WriteByte(t[i])
		}
	}
	return b.String()
}

// glob matches a prepared pattern in linear space, backtracking only to the last star.
func glob(p, s string) bool {
	star, mark, i, j := -1, 0, 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == anyText:
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == anyChar || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == anyText {
		i++
	}
	return i == len(p)
}

// expand replaces policy variables (IAM User Guide, "IAM policy elements: Variables and tags").
// ok is false when a variable has no value, which makes the element not match.
func expand(t string, c Context) (string, bool) {
	if !strings.Contains(t, "${") {
		return t, true
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(t, "${")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", false
		}
		v, ok := variable(name, c)
		if !ok {
			return "", false
		}
		b.WriteString(v)
		t = after
	}
}

func variable(name string, c Context) (string, bool) {
	switch name {
	case "*", "?", "$":
		return name, true
	}
	name, fallback, hasDefault := strings.Cut(name, ",")
	v := c[strings.ToLower(strings.TrimSpace(name))]
	if len(v) == 1 {
		return v[0], true
	}
	if hasDefault && len(v) == 0 {
		return strings.Trim(strings.TrimSpace(fallback), "'"), true
	}
	return "", false
}

// matchAny tells whether any pattern matches; variables without value match nothing.
func matchAny(patterns []string, s string, c Context) bool {
	for _, p := range patterns {
		if e, ok := expand(p, c); ok && glob(e, s) {
			return true
		}
	}
	return false
}
