package ddb

import (
	"strings"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// keyRange is what a key condition asks for: one partition and a range of sort keys.
type keyRange struct {
	hash    string
	hashKey Value
	op      string // of the sort key, "" for all
	lo, hi  string
}

// side tells whether an entry lies before (-1), in (0) or after (1) the range.
func (k *keyRange) side(e *entry) int {
	s := e.sort
	switch k.op {
	case "=":
		return strings.Compare(s, k.lo)
	case "<":
		return btoi(s >= k.lo)
	case "<=":
		return btoi(s > k.lo)
	case ">":
		return -btoi(s <= k.lo)
	case ">=":
		return -btoi(s < k.lo)
	case "BETWEEN":
		return btoi(s > k.hi) - btoi(s < k.lo)
	case "begins_with":
		if strings.HasPrefix(s, k.lo) {
			return 0
		}
		return strings.Compare(s, k.lo)
	}
	return 0
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// keyTest is one comparison of a key condition, with its values looked up.
type keyTest struct {
	name   string
	op     string
	values []Value
}

// keyTests flattens a key condition into its comparisons.
func keyTests(n *node, s scope) ([]keyTest, error) {
	switch n.op {
	case "AND":
		a, err := keyTests(n.kids[0], s)
		if err != nil {
			return nil, err
		}
		b, err := keyTests(n.kids[1], s)
		return append(a, b...), err
	case "OR", "NOT", "IN", "<>":
		return nil, awserr.Validation("Invalid operator used in KeyConditionExpression: %s", n.op)
	case "attribute_exists", "attribute_not_exists", "attribute_type", "contains":
		return nil, awserr.Validation("Invalid operator used in KeyConditionExpression: %s", n.op)
	}
	t := keyTest{op: n.op}
	for i, o := range n.args {
		switch {
		case o.kind == sizeOperand:
			return nil, awserr.Validation("KeyConditionExpressions cannot contain nested operations")
		case o.kind == pathOperand && len(o.path) > 1:
			return nil, awserr.Validation("KeyConditionExpressions cannot have conditions on nested attributes")
		case o.kind == pathOperand && t.name != "":
			return nil, awserr.Validation("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
		case o.kind == pathOperand:
			t.name = o.path[0].resolve(s.names)
			if i == 1 {
				t.op = mirrored(t.op)
			}
		default:
			t.values = append(t.values, s.values[o.value])
		}
	}
	if t.name == "" {
		return nil, awserr.Validation("Invalid condition in KeyConditionExpression: No attribute name used in condition")
	}
	return []keyTest{t}, nil
}

// mirrored turns ":v < a" into "a > :v".
func mirrored(op string) string {
	switch op {
	case "<":
		return ">"
	case "<=":
		return ">="
	case ">":
		return "<"
	case ">=":
		return "<="
	}
	return op
}

func (p *page) keyRange() (*keyRange, error) {
	if p.b.keyCond == nil {
		return nil, awserr.Validation("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	tests, err := keyTests(p.b.keyCond.cond, p.b.scope)
	if err != nil {
		return nil, err
	}
	byName := map[string]keyTest{}
	for _, t := range tests {
		if _, ok := byName[t.name]; ok {
			return nil, awserr.Validation("KeyConditionExpressions must only contain one condition per key")
		}
		byName[t.name] = t
	}
	return p.rangeOf(byName)
}

func (p *page) rangeOf(byName map[string]keyTest) (*keyRange, error) {
	h, ok := byName[p.x.hash]
	if !ok {
		return nil, awserr.Validation("Query condition missed key schema element: %s", p.x.hash)
	}
	if len(byName) > 2 {
		return nil, awserr.Validation("Conditions can be of length 1 or 2 only")
	}
	s, hasSort := byName[p.x.sort]
	if len(byName) == 2 && (!hasSort || p.x.sort == "") {
		if p.x.sort == "" {
			return nil, awserr.Validation("Query key condition not supported")
		}
		return nil, awserr.Validation("Query condition missed key schema element: %s", p.x.sort)
	}
	if h.op != "=" {
		return nil, awserr.Validation("Query key condition not supported")
	}
	for _, t := range byName {
		for _, v := range t.values {
			if v.Kind != p.t.types[t.name] {
				return nil, awserr.Validation("One or more parameter values were invalid: Condition parameter type does not match schema type")
			}
			if v.Str == "" && t.op != "begins_with" {
				return nil, awserr.Validation("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", emptyName(v.Kind), t.name)
			}
		}
	}
	k := &keyRange{hash: h.values[0].sortable(), hashKey: h.values[0]}
	if hasSort && p.x.sort != "" {
		k.op, k.lo = s.op, s.values[0].sortable()
		if s.op == "BETWEEN" {
			k.hi = s.values[1].sortable()
		}
	}
	return k, nil
}
