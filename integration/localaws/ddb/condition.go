package ddb

import "strings"

// operandKind tells what an operand is.
type operandKind byte

const (
	pathOperand operandKind = iota
	valueOperand
	sizeOperand
)

type operand struct {
	kind  operandKind
	path  path
	value string // :placeholder
}

// node is a condition: a logical operator over kids or a test over args.
type node struct {
	op   string // AND OR NOT = <> < <= > >= BETWEEN IN or a function name
	kids []*node
	args []operand
}

// expression is a compiled condition, update or projection, free of the request's names and
// values, so one compilation serves every request that uses the same text.
type expression struct {
	what    string
	cond    *node
	actions []action
	paths   []path
	names   []string
	values  []string
}

func compileCondition(what, src string) (*expression, error) {
	p := newParser(what, src)
	if len(p.toks) == 0 {
		p.failf("The expression can not be empty;")
	}
	n := p.or()
	if p.err == nil && p.peek() != "" {
		p.syntax()
	}
	return &expression{what: what, cond: n, names: p.names, values: p.values}, p.err
}

func (p *parser) or() *node {
	n := p.and()
	for p.accept("OR") {
		n = &node{op: "OR", kids: []*node{n, p.and()}}
	}
	return n
}

func (p *parser) and() *node {
	n := p.not()
	for p.accept("AND") {
		n = &node{op: "AND", kids: []*node{n, p.not()}}
	}
	return n
}

func (p *parser) not() *node {
	if p.accept("NOT") {
		return &node{op: "NOT", kids: []*node{p.not()}}
	}
	if p.accept("(") {
		n := p.or()
		p.expect(")")
		return n
	}
	if p.at(1) == "(" && wordByte(p.peek()[0]) && p.peek() != "size" {
		return p.function()
	}
	return p.comparison()
}

func (p *parser) comparison() *node {
	left := p.operand()
	switch t := p.peek(); {
	case p.accept("BETWEEN"):
		lo := p.operand()
		p.expect("AND")
		return &node{op: "BETWEEN", args: []operand{left, lo, p.operand()}}
	case p.accept("IN"):
		p.expect("(")
		n := &node{op: "IN", args: append([]operand{left}, p.list()...)}
		if len(n.args) > 101 {
			p.failf("The IN operator is provided with too many operands; number of operands: %d", len(n.args)-1)
		}
		return n
	case t == "=", t == "<>", t == "<", t == "<=", t == ">", t == ">=":
		p.i++
		return &node{op: t, args: []operand{left, p.operand()}}
	}
	p.syntax()
	return &node{}
}

// list reads operands up to the closing parenthesis.
func (p *parser) list() []operand {
	out := []operand{p.operand()}
	for p.accept(",") {
		out = append(out, p.operand())
	}
	p.expect(")")
	return out
}

func (p *parser) operand() operand {
	t := p.peek()
	switch {
	case strings.HasPrefix(t, ":") && len(t) > 1:
		p.i++
		p.values = append(p.values, t)
		return operand{kind: valueOperand, value: t}
	case t == "size" && p.at(1) == "(":
		p.i += 2
		inner := p.operand()
		p.expect(")")
		if inner.kind == sizeOperand {
			p.failf("The function is not allowed to be used this way in an expression; function: size")
		}
		inner.path = append(path(nil), inner.path...)
		return operand{kind: sizeOperand, path: inner.path, value: inner.value}
	case p.at(1) == "(" && t != "" && wordByte(t[0]):
		p.misplaced(t)
	}
	return operand{kind: pathOperand, path: p.path()}
}

// misplaced reports a function where an operand belongs.
func (p *parser) misplaced(fn string) {
	if arity(fn) > 0 || fn == "if_not_exists" || fn == "list_append" {
		p.failf("The function is not allowed to be used this way in an expression; function: %s", fn)
		return
	}
	p.failf("Invalid function name; function: %s", fn)
}

// arity is the number of operands of a condition function, 0 when there is no such function.
func arity(fn string) int {
	switch fn {
	case "attribute_exists", "attribute_not_exists":
		return 1
	case "attribute_type", "begins_with", "contains":
		return 2
	}
	return 0
}

func (p *parser) function() *node {
	fn := p.next()
	want := arity(fn)
	if want == 0 {
		p.misplaced(fn)
	}
	p.expect("(")
	n := &node{op: fn, args: p.list()}
	switch {
	case p.err != nil:
	case len(n.args) != want:
		p.failf("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", fn, len(n.args))
	case want == 1 && n.args[0].kind != pathOperand:
		p.failf("Operator or function requires a document path; operator or function: %s", fn)
	}
	return n
}
