package scim

import (
	"encoding/json"
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

// parseFilter parses a filter (RFC 7644, section 3.4.2.2); an empty one is nil. It returns an invalidFilter failure.
// Limit of the parser in use: inside the brackets of a value path, one "and" or "or" of two terms.
func parseFilter(s string) (filter.Expression, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	if len(s) > maxExpressionBytes {
		return nil, failure(InvalidFilter, "a filter is at most %d bytes", maxExpressionBytes)
	}
	x, err := filter.ParseFilterNumber([]byte(spliced(strings.TrimSpace(s))))
	if err != nil {
		return nil, failure(InvalidFilter, "the filter is not valid").WithCause(err)
	}
	return checked(x)
}

// spliced rewrites Entra's emails[type eq "work"].value eq "x", which the RFC's grammar does not know, into
// emails[type eq "work" and value eq "x"], which says the same.
func spliced(s string) string {
	for from := 0; ; {
		i := outside(s, from, "]")
		if i < 0 {
			return s
		}
		from = i + 1
		if !strings.HasPrefix(s[from:], ".") {
			continue
		}
		term := s[from+1:]
		if end := termEnd(term); end > 0 {
			s = s[:i] + " and " + term[:end] + "]" + term[end:]
			from = i + len(" and ") + end + 1
		}
	}
}

// termEnd is the length of "name op value" or "name pr" at the start of s; 0 when there is no such term.
func termEnd(s string) int {
	name, rest, ok := strings.Cut(s, " ")
	if !ok {
		return 0
	}
	rest = strings.TrimLeft(rest, " ")
	if len(rest) < 2 {
		return 0
	}
	op := rest[:2]
	at := len(s) - len(rest) + 2
	switch {
	case strings.ContainsAny(name, `[]()"`):
		return 0
	case equalFold(op, "pr"):
		return at
	}
	for at < len(s) && s[at] == ' ' {
		at++
	}
	if i := outside(s, at, " )"); i >= 0 {
		return i
	}
	return len(s)
}

// outside finds the first byte at or after from that is one of set and in no quoted string; -1 when there is none.
func outside(s string, from int, set string) int {
	quoted := false
	for i := from; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(set, s[i]) >= 0:
			return i
		}
	}
	return -1
}

// checked gives a copy of x whose strings are unescaped (the parser leaves JSON escapes as they are) and refuses
// comparisons that have no meaning: ordering or matching of booleans and null.
func checked(x filter.Expression) (filter.Expression, error) {
	switch x := x.(type) {
	case *filter.AttributeExpression:
		return checkedTerm(*x)
	case *filter.LogicalExpression:
		l, err := checked(x.Left)
		if err != nil {
			return nil, err
		}
		r, err := checked(x.Right)
		if err != nil {
			return nil, err
		}
		return &filter.LogicalExpression{Left: l, Right: r, Operator: filter.LogicalOperator(strings.ToLower(string(x.Operator)))}, nil
	case *filter.NotExpression:
		in, err := checked(x.Expression)
		return &filter.NotExpression{Expression: in}, err
	case *filter.ValuePath:
		in, err := checked(x.ValueFilter)
		return &filter.ValuePath{AttributePath: x.AttributePath, ValueFilter: in}, err
	}
	return nil, failure(InvalidFilter, "the filter is not valid")
}

func checkedTerm(x filter.AttributeExpression) (filter.Expression, error) {
	switch v := x.CompareValue.(type) {
	case string:
		var s string
		if err := json.Unmarshal([]byte(`"`+v+`"`), &s); err != nil {
			return nil, failure(InvalidFilter, "a string in the filter is not valid").WithCause(err)
		}
		x.CompareValue = s
	case bool, nil:
		switch x.Operator {
		case filter.EQ, filter.NE, filter.PR:
		default:
			return nil, failure(InvalidFilter, "%s cannot be used with true, false or null", x.Operator)
		}
	}
	return &x, nil
}

// evaluate tells whether the document d of a resource r satisfies x; nil is satisfied by all.
func (r resource) evaluate(x filter.Expression, d map[string]any) bool {
	switch x := x.(type) {
	case nil:
		return true
	case *filter.LogicalExpression:
		if x.Operator == filter.AND {
			return r.evaluate(x.Left, d) && r.evaluate(x.Right, d)
		}
		return r.evaluate(x.Left, d) || r.evaluate(x.Right, d)
	case *filter.NotExpression:
		return !r.evaluate(x.Expression, d)
	case *filter.ValuePath:
		v, name := r.lookUp(x.AttributePath, d)
		for _, item := range flat(v) {
			if m, ok := item.(map[string]any); ok && r.within(name, x.ValueFilter, m) {
				return true
			}
		}
		return false
	case *filter.AttributeExpression:
		v, name := r.lookUp(x.AttributePath, d)
		return compareAny(v, x, name)
	}
	return false
}

// within evaluates a value filter on one element of the multi-valued attribute named attr.
func (r resource) within(attr string, x filter.Expression, m map[string]any) bool {
	switch x := x.(type) {
	case *filter.LogicalExpression:
		if x.Operator == filter.AND {
			return r.within(attr, x.Left, m) && r.within(attr, x.Right, m)
		}
		return r.within(attr, x.Left, m) || r.within(attr, x.Right, m)
	case *filter.NotExpression:
		return !r.within(attr, x.Expression, m)
	case *filter.AttributeExpression:
		sub := x.AttributePath.AttributeName
		return compareAny(m[keyOf(m, sub)], x, attr+"."+sub)
	}
	return false
}

// element tells whether the value filter of a PATCH path selects m.
func element(tg target, m map[string]any) bool {
	return resource{}.within(tg.attr.name, tg.where, m)
}

// lookUp gives the value of an attribute path in d, a list when it runs through a multi-valued attribute, and the
// attribute's name for caseExact.
func (r resource) lookUp(p filter.AttributePath, d map[string]any) (value any, name string) {
	path := p.AttributeName
	if p.URIPrefix != nil {
		path = *p.URIPrefix + ":" + path
	}
	schema, rest := r.splitURN(path, d)
	holder := d
	if schema != "" {
		v := d[keyOf(d, schema)]
		if rest == "" {
			return v, schema
		}
		if holder, _ = v.(map[string]any); holder == nil {
			return nil, rest
		}
	}
	value, name = holder[keyOf(holder, rest)], rest
	sub := p.SubAttributeName()
	if schema != "" { // extension attributes never share a name with an exact core attribute
		name = schema + ":" + name
	}
	if sub == "" {
		return value, name
	}
	var subs []any
	for _, item := range flat(value) {
		if m, ok := item.(map[string]any); ok {
			if v, ok := m[keyOf(m, sub)]; ok {
				subs = append(subs, flat(v)...)
			}
		}
	}
	return subs, name + "." + sub
}

// flat gives the elements of a list, a single value as one, nothing for null.
func flat(v any) []any {
	switch x := v.(type) {
	case nil:
		return nil
	case []any:
		return x
	}
	return []any{v}
}
