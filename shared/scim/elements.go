package scim

import (
	"reflect"

	filter "github.com/scim2/filter-parser/v2"
)

// assertions writes what the eq terms of a filter say into m; false if the filter says more than eq and and.
func assertions(x filter.Expression, m map[string]any) bool {
	switch x := x.(type) {
	case *filter.AttributeExpression:
		if x.Operator != filter.EQ || x.CompareValue == nil || x.AttributePath.SubAttribute != nil {
			return false
		}
		m[canonicalSub(x.AttributePath.AttributeName)] = x.CompareValue
		return true
	case *filter.LogicalExpression:
		return x.Operator == filter.AND && assertions(x.Left, m) && assertions(x.Right, m)
	}
	return false
}

// overlay writes the entries of patch into m; null removes.
func overlay(m, patch map[string]any) {
	for k, v := range patch {
		key := keyOf(m, k)
		if v == nil {
			delete(m, key)
			continue
		}
		m[key] = v
	}
}

// soloPrimary makes m the only primary element, if it is primary (RFC 7644, section 3.5.2).
func soloPrimary(list []any, m map[string]any) {
	if b, _ := coerceBool("primary", m["primary"]); b != true {
		return
	}
	same := reflect.ValueOf(m).Pointer()
	for _, v := range list {
		if o, ok := v.(map[string]any); ok && reflect.ValueOf(o).Pointer() != same {
			delete(o, "primary")
		}
	}
}

// valueOf is what an element is known by when removing: its value, or itself if it is a plain string.
func valueOf(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case map[string]any:
		s, ok := x[keyOf(x, "value")].(string)
		return s, ok
	}
	return "", false
}

// identity is what an element is known by when adding: type and value, since one number may be both work and mobile.
// A member of a group is its value alone.
func (e edit) identity(v any) (string, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return "", false
	}
	value, ok := m["value"].(string)
	if !ok {
		return "", false
	}
	if e.tg.attr.name == "members" {
		return value, true
	}
	kind, _ := m["type"].(string)
	return kind + "\x00" + value, true
}

func (e edit) indexOf(list []any) map[string]int {
	index := make(map[string]int, len(list))
	for i, v := range list {
		if k, ok := e.identity(v); ok {
			index[k] = i
		}
	}
	return index
}

func containsEqual(list []any, v any) bool {
	for _, x := range list {
		if reflect.DeepEqual(x, v) {
			return true
		}
	}
	return false
}

// nonEmpty drops objects that lost their last sub-attribute.
func nonEmpty(list []any) []any {
	var out []any
	for _, v := range list {
		if m, ok := v.(map[string]any); ok && len(m) == 0 {
			continue
		}
		out = append(out, v)
	}
	return out
}
