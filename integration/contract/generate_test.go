package contract

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator invents DynamoDB requests over few keys and attributes, so that they meet.
type generator struct {
	r      *rand.Rand
	names  map[string]string
	values map[string]any
}

type object = map[string]any

func (g *generator) pick(list ...string) string { return list[g.r.IntN(len(list))] }
func (g *generator) chance(percent int) bool    { return g.r.IntN(100) < percent }

func (g *generator) key() object {
	return object{"pk": object{"S": g.pick("a", "b", "c")}, "sk": object{"S": g.pick("1", "2", "3", "30", "4")}}
}

func (g *generator) number() string {
	return g.pick("0", "1", "2", "-1", "10", "1.5", "-2.50", "1e3", "0.001", "100", "12345678901234567890", "1E-7", "007", "-0", "99999999999999999999999999999999999999")
}

func (g *generator) scalar() object {
	switch g.r.IntN(6) {
	case 0, 1:
		return object{"S": g.pick("", "x", "xy", "xyz", "y", "ü", "a b")}
	case 2, 3:
		return object{"N": g.number()}
	case 4:
		return object{"B": base64.StdEncoding.EncodeToString([]byte(g.pick("", "b", "bc")))}
	}
	return object{"BOOL": g.chance(50)}
}

func (g *generator) set() object {
	switch g.r.IntN(3) {
	case 0:
		return object{"SS": subset(g, "x", "y", "xy")}
	case 1:
		return object{"NS": subset(g, "1", "2", "3.5")}
	}
	return object{"BS": subset(g, "YQ==", "Yg==")}
}

func subset(g *generator, all ...string) []any {
	out := []any{}
	for _, x := range all {
		if g.chance(50) {
			out = append(out, x)
		}
	}
	if len(out) == 0 && !g.chance(5) {
		out = append(out, all[0])
	}
	return out
}

func (g *generator) value(depth int) object {
	n := g.r.IntN(10)
	switch {
	case n < 6 || depth == 0:
		return g.scalar()
	case n == 6:
		return object{"NULL": true}
	case n == 7:
		return g.set()
	case n == 8:
		m := object{}
		for range g.r.IntN(3) {
			m[g.pick("p", "q")] = g.value(depth - 1)
		}
		return object{"M": m}
	}
	l := []any{}
	for range g.r.IntN(4) {
		l = append(l, g.value(depth-1))
	}
	return object{"L": l}
}

// attribute is one of the names that items have; "n" is usually a number, "m" a map, "l" a list.
func (g *generator) attribute() string { return g.pick("a", "n", "m", "l", "s", "d", "gpk") }

func (g *generator) valueFor(attr string) object {
	if g.chance(10) {
		return g.value(2)
	}
	switch attr {
	case "n", "gsk":
		return object{"N": g.number()}
	case "m":
		return object{"M": object{"p": g.value(1), "q": object{"N": g.number()}}}
	case "l":
		return object{"L": []any{g.value(1), g.value(1)}}
	case "s":
		return g.set()
	case "gpk":
		return object{"S": g.pick("g", "h")}
	}
	return g.value(2)
}

func (g *generator) item() object {
	it := g.key()
	for range g.r.IntN(6) {
		a := g.attribute()
		it[a] = g.valueFor(a)
	}
	if g.chance(50) {
		it["gpk"], it["gsk"] = object{"S": g.pick("g", "h")}, object{"N": g.number()}
	}
	if g.chance(2) {
		delete(it, g.pick("pk", "sk"))
	}
	return it
}

// name returns an attribute name, sometimes by placeholder.
func (g *generator) name(n string) string {
	if n != "data" && g.chance(60) {
		return n
	}
	ph := "#" + n
	g.names[ph] = n
	return ph
}

func (g *generator) path() string {
	a := g.attribute()
	switch {
	case a == "m" && g.chance(60):
		return g.name(a) + "." + g.name(g.pick("p", "q"))
	case a == "l" && g.chance(60):
		return fmt.Sprintf("%s[%d]", g.name(a), g.r.IntN(3))
	}
	return g.name(a)
}

func (g *generator) placeholder(v object) string {
	ph := fmt.Sprintf(":v%d", len(g.values))
	g.values[ph] = v
	return ph
}

func (g *generator) operand() string {
	switch g.r.IntN(8) {
	case 0:
		return "size(" + g.path() + ")"
	case 1, 2:
		return g.path()
	}
	return g.placeholder(g.scalar())
}

func (g *generator) condition(depth int) string {
	switch n := g.r.IntN(14); {
	case n < 2 && depth > 0:
		return g.condition(depth-1) + " AND " + g.condition(depth-1)
	case n == 2 && depth > 0:
		return "(" + g.condition(depth-1) + " OR " + g.condition(depth-1) + ")"
	case n == 3 && depth > 0:
		return "NOT " + g.condition(0)
	case n == 4:
		return "attribute_exists(" + g.path() + ")"
	case n == 5:
		return "attribute_not_exists(" + g.path() + ")"
	case n == 6:
		return "begins_with(" + g.path() + ", " + g.placeholder(object{"S": g.pick("x", "xy")}) + ")"
	case n == 7:
		return "contains(" + g.path() + ", " + g.placeholder(g.scalar()) + ")"
	case n == 8:
		return "attribute_type(" + g.path() + ", " + g.placeholder(object{"S": g.pick("S", "N", "M", "L", "SS", "NULL", "FOO")}) + ")"
	case n == 9:
		return g.path() + " IN (" + g.operand() + ", " + g.operand() + ")"
	case n == 10:
		return g.path() + " BETWEEN " + g.placeholder(object{"N": g.number()}) + " AND " + g.placeholder(object{"N": g.number()})
	}
	return g.path() + " " + g.pick("=", "<>", "<", "<=", ">", ">=") + " " + g.operand()
}

func (g *generator) setValue() string {
	switch g.r.IntN(7) {
	case 0:
		return "if_not_exists(" + g.path() + ", " + g.placeholder(g.value(1)) + ")"
	case 1:
		return "list_append(" + g.path() + ", " + g.placeholder(object{"L": []any{g.scalar()}}) + ")"
	case 2:
		return "if_not_exists(" + g.name("n") + ", " + g.placeholder(object{"N": "0"}) + ") + " + g.placeholder(object{"N": g.number()})
	case 3:
		return g.name("n") + " " + g.pick("+", "-") + " " + g.placeholder(object{"N": g.number()})
	case 4:
		return g.path()
	}
	return g.placeholder(g.value(2))
}

func (g *generator) update() string {
	var parts []string
	if g.chance(80) {
		parts = append(parts, "SET "+g.path()+" = "+g.setValue())
		if g.chance(40) {
			parts[0] += ", " + g.path() + " = " + g.setValue()
		}
	}
	if g.chance(25) {
		parts = append(parts, "REMOVE "+g.path())
	}
	if g.chance(20) {
		parts = append(parts, "ADD "+g.name(g.pick("n", "s", "d"))+" "+g.placeholder(g.addend()))
	}
	if g.chance(10) {
		parts = append(parts, "DELETE "+g.name("s")+" "+g.placeholder(g.set()))
	}
	if len(parts) == 0 {
		parts = append(parts, "SET "+g.name("d")+" = "+g.placeholder(g.scalar()))
	}
	return strings.Join(parts, " ")
}

func (g *generator) addend() object {
	if g.chance(50) {
		return object{"N": g.number()}
	}
	return g.set()
}

// attach puts the collected names and values into the request and forgets them.
func (g *generator) attach(req object) object {
	if len(g.names) > 0 {
		req["ExpressionAttributeNames"] = g.names
	}
	if len(g.values) > 0 {
		req["ExpressionAttributeValues"] = g.values
	}
	if g.chance(1) {
		req["ExpressionAttributeNames"] = map[string]string{"#unused": "a"}
	}
	g.names, g.values = map[string]string{}, map[string]any{}
	return req
}
