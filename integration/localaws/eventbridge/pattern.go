package eventbridge

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Pattern is a parsed event pattern (EventBridge User Guide, "Event patterns").
type Pattern map[string]any

// ParsePattern reads an event pattern and rejects matchers that are not supported.
func ParsePattern(doc []byte) (Pattern, error) {
	var p Pattern
	if err := json.Unmarshal(doc, &p); err != nil {
		return nil, fmt.Errorf("parse event pattern: %w", err)
	}
	return p, checkPattern(p)
}

func checkPattern(p map[string]any) error {
	for k, v := range p {
		switch v := v.(type) {
		case map[string]any:
			if err := checkPattern(v); err != nil {
				return err
			}
		case []any:
			for _, x := range v {
				m, ok := x.(map[string]any)
				if !ok {
					continue
				}
				if k == "$or" {
					if err := checkPattern(m); err != nil {
						return err
					}
					continue
				}
				for op := range m {
					switch op {
					case "prefix", "suffix", "equals-ignore-case", "wildcard", "exists", "anything-but", "numeric":
					default:
						return fmt.Errorf("event pattern matcher %q is not supported", op)
					}
				}
			}
		default:
			return fmt.Errorf("event pattern: %s must be an object or an array", k)
		}
	}
	return nil
}

// Match tells whether an event (decoded JSON) has everything the pattern asks for.
func (p Pattern) Match(event map[string]any) bool { return matchObject(p, event) }

func matchObject(p map[string]any, ev map[string]any) bool {
	for k, want := range p {
		if k == "$or" {
			if !matchOr(want, ev) {
				return false
			}
			continue
		}
		have, ok := ev[k]
		if sub, isMap := want.(map[string]any); isMap {
			inner, _ := have.(map[string]any)
			if !matchObject(sub, inner) {
				return false
			}
			continue
		}
		if !matchLeaf(want.([]any), have, ok) {
			return false
		}
	}
	return true
}

func matchOr(alternatives any, ev map[string]any) bool {
	list, _ := alternatives.([]any)
	for _, alt := range list {
		if m, ok := alt.(map[string]any); ok && matchObject(m, ev) {
			return true
		}
	}
	return false
}

func matchLeaf(wants []any, have any, present bool) bool {
	haves, isList := have.([]any)
	if !isList {
		haves = []any{have}
	}
	for _, w := range wants {
		for _, h := range haves {
			if matchValue(w, h, present) {
				return true
			}
		}
	}
	return false
}

func matchValue(want, have any, present bool) bool {
	m, ok := want.(map[string]any)
	if !ok {
		return present && reflect.DeepEqual(want, have)
	}
	if e, ok := m["exists"]; ok {
		return e == present
	}
	if !present {
		return false
	}
	text, isText := have.(string)
	for op, arg := range m {
		s, _ := arg.(string)
		switch op {
		case "prefix":
			return isText && strings.HasPrefix(text, s)
		case "suffix":
			return isText && strings.HasSuffix(text, s)
		case "equals-ignore-case":
			return isText && strings.EqualFold(text, s)
		case "wildcard":
			return isText && wildcard(s, text)
		case "anything-but":
			return !matchLeaf(asList(arg), have, true)
		case "numeric":
			return matchNumeric(arg, have)
		}
	}
	return false
}

func asList(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

func wildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}

func matchNumeric(arg, have any) bool {
	f, ok := have.(float64)
	tests := asList(arg)
	for i := 0; ok && i+1 < len(tests); i += 2 {
		n, _ := tests[i+1].(float64)
		switch tests[i] {
		case "<":
			ok = f < n
		case "<=":
			ok = f <= n
		case ">":
			ok = f > n
		case ">=":
			ok = f >= n
		case "=":
			ok = f == n
		default:
			ok = false
		}
	}
	return ok
}
