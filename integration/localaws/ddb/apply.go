package ddb

import (
	"strconv"

	"behalf.dev/behalf/integration/localaws/awserr"
)

func itoa(n int) string { return strconv.Itoa(n) }

// checkActions finds overlapping paths and operands of a wrong type in an update expression.
func (u *usage) checkActions(e *expression) error {
	for i, a := range e.actions {
		for _, b := range e.actions[:i] {
			if err := u.overlap(e.what, b.path, a.path); err != nil {
				return err
			}
		}
		if a.arg == "" {
			continue
		}
		v := u.values[a.arg]
		if v.Kind.element() == 0 && (a.verb == "DELETE" || v.Kind != N) {
			return awserr.Validation("Invalid UpdateExpression: Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: %s", a.verb, v.Kind.longName(), allowedFor(a.verb))
		}
	}
	return u.checkArithmetic(e)
}

func allowedFor(verb string) string {
	if verb == "ADD" {
		return "ALLOWED_FOR_ADD_OPERAND"
	}
	return "ALLOWED_FOR_DELETE_OPERAND"
}

// checkArithmetic rejects constant operands that can never be added or appended.
func (u *usage) checkArithmetic(e *expression) error {
	for _, a := range e.actions {
		if a.expr == nil {
			continue
		}
		if err := u.checkExpr(a.expr); err != nil {
			return err
		}
	}
	return nil
}

func (u *usage) checkExpr(x *setExpr) error {
	if x == nil || x.op == "" {
		return nil
	}
	for _, k := range []*setExpr{x.a, x.b} {
		if err := u.checkExpr(k); err != nil {
			return err
		}
		if k.op != "" || k.value.kind != valueOperand {
			continue
		}
		kind := u.values[k.value.value].Kind
		if x.op == "list_append" && kind != L || (x.op == "+" || x.op == "-") && kind != N {
			return awserr.Validation("Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: %s, operand type: %s", x.op, kind)
		}
	}
	return nil
}

func (u *usage) overlap(what string, a, b path) error {
	n := min(len(a), len(b))
	for i := range n {
		if (a[i].index < 0) != (b[i].index < 0) {
			return awserr.Validation("Invalid %s: Two document paths conflict with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", what, a.text(u.names), b.text(u.names))
		}
		if a[i].index != b[i].index || a[i].resolve(u.names) != b[i].resolve(u.names) {
			return nil
		}
	}
	return awserr.Validation("Invalid %s: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", what, a.text(u.names), b.text(u.names))
}

// result is the effect of one action: a new value, or removal.
type result struct {
	path   path
	value  Value
	remove bool
	skip   bool
}

// update computes the new item; every operand is read from the item as it was before.
func (e *expression) update(s scope, old Item) (Item, error) {
	var results []result
	for _, a := range e.actions {
		r, err := a.eval(s, old)
		if err != nil {
			return nil, err
		}
		if !r.skip {
			results = append(results, r)
		}
	}
	return applyResults(s, old, results)
}

func (a action) eval(s scope, old Item) (result, error) {
	r := result{path: a.path}
	var err error
	switch a.verb {
	case "REMOVE":
		r.remove = true
	case "SET":
		r.value, err = a.expr.eval(s, old)
	default:
		cur, ok := a.path.lookup(old, s.names)
		r.value, r.remove, r.skip, err = combine(a.verb, cur, ok, s.values[a.arg])
	}
	return r, err
}

var errOperandType = awserr.Validation("An operand in the update expression has an incorrect data type")

func (x *setExpr) eval(s scope, old Item) (Value, error) {
	if x.op == "" {
		v, ok := x.value.eval(s, old)
		if !ok {
			return v, awserr.Validation("The provided expression refers to an attribute that does not exist in the item")
		}
		return v, nil
	}
	if x.op == "if_not_exists" {
		if v, ok := x.a.value.eval(s, old); ok {
			return v, nil
		}
		return x.b.eval(s, old)
	}
	a, err := x.a.eval(s, old)
	if err != nil {
		return a, err
	}
	b, err := x.b.eval(s, old)
	if err != nil {
		return b, err
	}
	if x.op == "list_append" {
		if a.Kind != L || b.Kind != L {
			return a, errOperandType
		}
		return Value{Kind: L, L: append(append(make([]Value, 0, len(a.L)+len(b.L)), a.L...), b.L...)}, nil
	}
	if a.Kind != N || b.Kind != N {
		return a, errOperandType
	}
	sum, err := addNumbers(a.Str, b.Str, x.op == "-")
	return Value{Kind: N, Str: sum}, err
}

// combine does ADD and DELETE.
func combine(verb string, cur Value, exists bool, arg Value) (v Value, remove, skip bool, err error) {
	switch {
	case !exists && verb == "DELETE":
		return v, false, true, nil
	case !exists:
		return arg, false, false, nil
	case cur.Kind != arg.Kind:
		return v, false, false, errOperandType
	case arg.Kind == N:
		sum, err := addNumbers(cur.Str, arg.Str, false)
		return Value{Kind: N, Str: sum}, false, false, err
	}
	var members []Value
	if verb == "ADD" {
		members = append(members, arg.L...)
	}
	for _, x := range cur.L {
		if !arg.has(x) {
			members = append(members, x)
		}
	}
	if len(members) == 0 {
		return v, true, false, nil
	}
	return newSet(cur.Kind, members), false, false, nil
}
