package ddb

import (
	"sort"
	"strings"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// usage collects which placeholders the expressions of a request used.
type usage struct {
	scope
	any  bool
	used map[string]bool
}

// bind checks that every placeholder of e is defined and that constant operands have usable types.
func (u *usage) bind(e *expression) error {
	if e == nil {
		return nil
	}
	u.any = true
	for _, n := range e.names {
		if _, ok := u.names[n]; !ok {
			return awserr.Validation("Invalid %s: An expression attribute name used in the document path is not defined; attribute name: %s", e.what, n)
		}
		u.mark(n)
	}
	for _, v := range e.values {
		if _, ok := u.values[v]; !ok {
			return awserr.Validation("Invalid %s: An expression attribute value used in expression is not defined; attribute value: %s", e.what, v)
		}
		u.mark(v)
	}
	if err := u.checkNode(e.what, e.cond); err != nil {
		return err
	}
	for i, pa := range e.paths {
		for _, earlier := range e.paths[:i] {
			if err := u.overlap(e.what, earlier, pa); err != nil {
				return err
			}
		}
	}
	return u.checkActions(e)
}

func (u *usage) mark(placeholder string) {
	if u.used == nil {
		u.used = make(map[string]bool, 8)
	}
	u.used[placeholder] = true
}

// unused reports placeholders that no expression used, which AWS refuses.
func (u *usage) unused() error {
	if !u.any && len(u.names) > 0 {
		return awserr.Validation("ExpressionAttributeNames can only be specified when using expressions")
	}
	var names, values []string
	for n := range u.names {
		if !u.used[n] {
			names = append(names, n)
		}
	}
	for v := range u.values {
		if !u.used[v] {
			values = append(values, v)
		}
	}
	sort.Strings(names)
	sort.Strings(values)
	if len(names) > 0 {
		return awserr.Validation("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", strings.Join(names, ", "))
	}
	if len(values) > 0 {
		return awserr.Validation("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", strings.Join(values, ", "))
	}
	return nil
}

// checkNode rejects constants of a type that the operator cannot take.
func (u *usage) checkNode(what string, n *node) error {
	if n == nil {
		return nil
	}
	for _, k := range n.kids {
		if err := u.checkNode(what, k); err != nil {
			return err
		}
	}
	for i, o := range n.args {
		if o.value == "" {
			continue
		}
		v := u.values[o.value]
		if o.kind == sizeOperand {
			if _, ok := v.size(); !ok {
				return badOperand(what, "size", v)
			}
			continue
		}
		if !operandFits(n.op, i, v) {
			return badOperand(what, n.op, v)
		}
		if n.op == "attribute_type" && i == 1 && kindOf(v.Str) == 0 {
			return awserr.Validation("Invalid %s: Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", what, v.Str)
		}
	}
	if n.op == "BETWEEN" {
		return u.checkBounds(what, n)
	}
	return u.distinct(what, n)
}

// distinct rejects "a = a" and "a IN (b, a)", which AWS refuses.
func (u *usage) distinct(what string, n *node) error {
	switch n.op {
	case "=", "<>", "<", "<=", ">", ">=", "IN":
	default:
		return nil
	}
	for _, o := range n.args[1:] {
		if first := n.args[0]; first.kind == o.kind && o.value == "" && first.value == "" && first.path.text(u.names) == o.path.text(u.names) {
			return awserr.Validation("Invalid %s: The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s", what, n.op, first.path.text(u.names))
		}
	}
	return nil
}

func badOperand(what, op string, v Value) error {
	return awserr.Validation("Invalid %s: Incorrect operand type for operator or function; operator or function: %s, operand type: %s", what, op, v.Kind)
}

func operandFits(op string, i int, v Value) bool {
	switch op {
	case "<", "<=", ">", ">=", "BETWEEN":
		return v.Kind.ordered()
	case "begins_with":
		return v.Kind == S || v.Kind == B
	case "attribute_type":
		return i == 0 || v.Kind == S
	case "contains":
		return i == 1 || v.Kind == S || v.Kind == B || v.Kind == L || v.Kind.element() != 0
	}
	return true
}

func (u *usage) checkBounds(what string, n *node) error {
	lo, hi := n.args[1], n.args[2]
	if lo.kind != valueOperand || hi.kind != valueOperand {
		return nil
	}
	a, b := u.values[lo.value], u.values[hi.value]
	if a.Kind != b.Kind {
		return awserr.Validation("Invalid %s: The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s", what, a.debug(), b.debug())
	}
	if c, _ := a.compare(b); c > 0 {
		return awserr.Validation("Invalid %s: The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: %s, upper bound operand: AttributeValue: %s", what, a.debug(), b.debug())
	}
	return nil
}

// debug prints a scalar like AWS does in errors: {N:5}.
func (v Value) debug() string { return "{" + v.Kind.String() + ":" + v.Str + "}" }
