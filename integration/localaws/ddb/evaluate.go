package ddb

import "strings"

// scope carries the names and values of one request to a compiled expression.
type scope struct {
	names  map[string]string
	values Item
}

func (o operand) eval(s scope, it Item) (Value, bool) {
	var v Value
	ok := true
	if o.value != "" {
		v = s.values[o.value]
	} else {
		v, ok = o.path.lookup(it, s.names)
	}
	if o.kind != sizeOperand || !ok {
		return v, ok
	}
	n, ok := v.size()
	return Value{Kind: N, Str: itoa(n)}, ok
}

// eval tells whether the condition holds for the item; nil stands for "no condition".
func (n *node) eval(s scope, it Item) bool {
	if n == nil {
		return true
	}
	switch n.op {
	case "AND":
		return n.kids[0].eval(s, it) && n.kids[1].eval(s, it)
	case "OR":
		return n.kids[0].eval(s, it) || n.kids[1].eval(s, it)
	case "NOT":
		return !n.kids[0].eval(s, it)
	case "attribute_exists", "attribute_not_exists":
		_, ok := n.args[0].eval(s, it)
		return ok == (n.op == "attribute_exists")
	}
	left, ok := n.args[0].eval(s, it)
	if n.op == "IN" {
		return ok && n.evalIn(s, it, left)
	}
	right, ok2 := n.args[1].eval(s, it)
	if n.op == "<>" {
		return !(ok && ok2 && left.equal(right))
	}
	if !ok || !ok2 {
		return false
	}
	if n.op == "BETWEEN" {
		hi, ok := n.args[2].eval(s, it)
		return ok && compares(">=", left, right) && compares("<=", left, hi)
	}
	return compares(n.op, left, right)
}

func (n *node) evalIn(s scope, it Item, left Value) bool {
	for _, o := range n.args[1:] {
		if v, ok := o.eval(s, it); ok && left.equal(v) {
			return true
		}
	}
	return false
}

// compares applies a two-sided operator or function to present values.
func compares(op string, a, b Value) bool {
	switch op {
	case "=":
		return a.equal(b)
	case "begins_with":
		return a.Kind == b.Kind && (a.Kind == S || a.Kind == B) && strings.HasPrefix(a.Str, b.Str)
	case "attribute_type":
		return b.Kind == S && a.Kind.String() == b.Str
	case "contains":
		return a.contains(b)
	}
	c, ok := a.compare(b)
	if !ok {
		return false
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func (v Value) contains(x Value) bool {
	switch v.Kind {
	case S, B:
		return v.Kind == x.Kind && strings.Contains(v.Str, x.Str)
	case SS, NS, BS, L:
		return v.has(x)
	}
	return false
}
