package scim

import (
	"encoding/json"
	"strings"
	"time"

	filter "github.com/scim2/filter-parser/v2"
)

// compareAny applies one term to the values of an attribute: any one that satisfies it is enough (RFC 7644, section
// 3.4.2.2). An absent attribute satisfies "eq null" and "ne" of anything else.
func compareAny(v any, x *filter.AttributeExpression, name string) bool {
	values := flat(v)
	switch {
	case x.Operator == filter.PR:
		return len(values) > 0
	case x.CompareValue == nil:
		return (len(values) == 0) == (x.Operator == filter.EQ)
	case len(values) == 0:
		return x.Operator == filter.NE
	}
	for _, item := range values {
		known := name
		if m, ok := item.(map[string]any); ok { // the default sub-attribute (RFC 7643, section 2.4)
			item = m[keyOf(m, "value")]
			known += ".value"
		}
		if compare(item, x, known) {
			return true
		}
	}
	return false
}

func compare(v any, x *filter.AttributeExpression, name string) bool {
	switch have := v.(type) {
	case bool:
		return compareBool(have, x)
	case string:
		switch want := x.CompareValue.(type) {
		case string:
			return compareText(have, want, x.Operator, name)
		default:
			return x.Operator == filter.NE
		}
	case json.Number:
		if want, ok := x.CompareValue.(json.Number); ok {
			a, _ := have.Float64()
			b, _ := want.Float64()
			return ordered(a-b, x.Operator)
		}
	}
	return x.Operator == filter.NE
}

// compareBool also takes "True" and "False": Entra quotes them in filters too.
func compareBool(have bool, x *filter.AttributeExpression) bool {
	want, err := coerceBool("", x.CompareValue)
	equal := err == nil && want == have
	return equal == (x.Operator == filter.EQ) && (x.Operator == filter.EQ || x.Operator == filter.NE)
}

func compareText(have, want string, op filter.CompareOperator, name string) bool {
	if isTime(name) {
		a, errA := time.Parse(time.RFC3339Nano, have)
		b, errB := time.Parse(time.RFC3339Nano, want)
		if errA == nil && errB == nil {
			return ordered(float64(a.Compare(b)), op)
		}
	}
	if !caseExact(name) {
		have, want = strings.ToLower(have), strings.ToLower(want)
	}
	switch op {
	case filter.CO:
		return strings.Contains(have, want)
	case filter.SW:
		return strings.HasPrefix(have, want)
	case filter.EW:
		return strings.HasSuffix(have, want)
	}
	return ordered(float64(strings.Compare(have, want)), op)
}

func ordered(diff float64, op filter.CompareOperator) bool {
	switch op {
	case filter.EQ:
		return diff == 0
	case filter.NE:
		return diff != 0
	case filter.GT:
		return diff > 0
	case filter.GE:
		return diff >= 0
	case filter.LT:
		return diff < 0
	case filter.LE:
		return diff <= 0
	}
	return false
}

// caseExact lists the attributes that RFC 7643 compares exactly. All else, userName too, is compared without case.
func caseExact(name string) bool {
	switch strings.ToLower(name) {
	case "id", "externalid", "meta.version", "meta.location", "members.value", "groups.value", "groups.$ref", "members.$ref":
		return true
	}
	return false
}

func isTime(name string) bool {
	switch strings.ToLower(name) {
	case "meta.created", "meta.lastmodified":
		return true
	}
	return false
}
