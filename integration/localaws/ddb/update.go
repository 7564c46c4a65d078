package ddb

import "strings"

// action is one clause of an update expression.
type action struct {
	verb string // SET REMOVE ADD DELETE
	path path
	expr *setExpr // SET
	arg  string   // ADD, DELETE: :placeholder
}

// setExpr is the right side of SET: an operand, a function or a sum.
type setExpr struct {
	op    string // "" operand, "+", "-", "if_not_exists", "list_append"
	value operand
	a, b  *setExpr
}

func compileUpdate(src string) (*expression, error) {
	p := newParser("UpdateExpression", src)
	e := &expression{what: p.what}
	if len(p.toks) == 0 {
		p.failf("The expression can not be empty;")
	}
	seen := map[string]bool{}
	for p.peek() != "" {
		verb := strings.ToUpper(p.peek())
		switch verb {
		case "SET", "REMOVE", "ADD", "DELETE":
		default:
			p.syntax()
		}
		p.i++
		if seen[verb] {
			p.failf("The \"%s\" section can only be used once in an update expression;", verb)
		}
		seen[verb] = true
		e.actions = append(e.actions, p.section(verb)...)
	}
	e.names, e.values = p.names, p.values
	return e, p.err
}

func (p *parser) section(verb string) []action {
	var out []action
	for {
		a := action{verb: verb, path: p.path()}
		switch verb {
		case "SET":
			p.expect("=")
			a.expr = p.sum()
		case "ADD", "DELETE":
			if t := p.peek(); len(t) < 2 || t[0] != ':' {
				p.syntax()
			}
			a.arg = p.next()
			p.values = append(p.values, a.arg)
		}
		out = append(out, a)
		if !p.accept(",") {
			return out
		}
	}
}

func (p *parser) sum() *setExpr {
	e := p.term()
	if t := p.peek(); t == "+" || t == "-" {
		p.i++
		return &setExpr{op: t, a: e, b: p.term()}
	}
	return e
}

func (p *parser) term() *setExpr {
	if p.accept("(") {
		e := p.sum()
		p.expect(")")
		return e
	}
	fn := p.peek()
	if p.at(1) != "(" {
		return &setExpr{value: p.operand()}
	}
	if fn != "if_not_exists" && fn != "list_append" {
		p.misplaced(fn)
	}
	p.i += 2
	e := &setExpr{op: fn, a: p.term()}
	n := 1
	for p.accept(",") {
		e.b = p.term()
		n++
	}
	p.expect(")")
	switch {
	case p.err != nil:
	case n != 2:
		p.failf("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", fn, n)
	case fn == "if_not_exists" && (e.a.op != "" || e.a.value.kind != pathOperand):
		p.failf("Operator or function requires a document path; operator or function: %s", fn)
	}
	return e
}

func compileProjection(src string) (*expression, error) {
	p := newParser("ProjectionExpression", src)
	if len(p.toks) == 0 {
		p.failf("The expression can not be empty;")
	}
	e := &expression{what: p.what, paths: []path{p.path()}}
	for p.accept(",") {
		e.paths = append(e.paths, p.path())
	}
	if p.err == nil && p.peek() != "" {
		p.syntax()
	}
	e.names = p.names
	return e, p.err
}
