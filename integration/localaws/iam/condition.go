package iam

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Context holds the condition keys of a request by lower-case name. An absent name means the
// key is absent; so does an empty list.
type Context map[string][]string

// Set stores a key; names are case-insensitive.
func (c Context) Set(name string, values ...string) { c[strings.ToLower(name)] = values }

// holds evaluates one condition. The error says what is not supported.
func (k *Condition) holds(c Context) (bool, error) {
	have := c[k.Key]
	if k.Operator == "Null" {
		if len(k.Values) != 1 || k.Set != "" || k.IfExists {
			return false, fmt.Errorf("condition Null on %s: unsupported form", k.Key)
		}
		return (k.Values[0] == "true") == (len(have) == 0), nil
	}
	test, negated, err := operator(k.Operator)
	if err != nil {
		return false, err
	}
	if k.IfExists && len(have) == 0 {
		return true, nil
	}
	wants := make([]string, 0, len(k.Values))
	for _, w := range k.Values {
		e, ok := expand(w, c)
		if !ok {
			return false, nil // a variable without value never matches
		}
		wants = append(wants, e)
	}
	one := func(h string) bool {
		for _, w := range wants {
			if test(w, h) {
				return !negated
			}
		}
		return negated
	}
	return k.quantify(have, one, negated)
}

// quantify applies the set operator.
func (k *Condition) quantify(have []string, one func(string) bool, negated bool) (bool, error) {
	switch k.Set {
	case "ForAllValues": // true when the key is absent: the documented trap
		for _, h := range have {
			if !one(h) {
				return false, nil
			}
		}
		return true, nil
	case "ForAnyValue":
		for _, h := range have {
			if one(h) {
				return true, nil
			}
		}
		return false, nil
	case "":
	default:
		return false, fmt.Errorf("set operator %q is not supported", k.Set)
	}
	switch len(have) {
	case 0:
		return negated, nil
	case 1:
		return one(have[0]), nil
	}
	return false, fmt.Errorf("condition key %s has %d values but no set operator", k.Key, len(have))
}

// operator returns the positive test of an operator and whether the operator negates it.
func operator(op string) (test func(want, have string) bool, negated bool, err error) {
	switch op {
	case "StringEquals", "StringNotEquals":
		test = func(w, h string) bool { return w == h }
	case "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase":
		test = strings.EqualFold
	case "StringLike", "StringNotLike":
		test = glob
	case "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike":
		test = globARN
	case "Bool":
		test = strings.EqualFold
	case "BinaryEquals":
		test = func(w, h string) bool { _, err := base64.StdEncoding.DecodeString(w); return err == nil && w == h }
	default:
		return ordered(op)
	}
	return test, strings.Contains(op, "Not"), nil
}

// ordered covers the numeric and date operators.
func ordered(op string) (func(want, have string) bool, bool, error) {
	family, rest := "Numeric", strings.TrimPrefix(op, "Numeric")
	if rest == op {
		family, rest = "Date", strings.TrimPrefix(op, "Date")
	}
	var accept func(c int) bool
	switch rest {
	case "Equals", "NotEquals":
		accept = func(c int) bool { return c == 0 }
	case "LessThan":
		accept = func(c int) bool { return c < 0 }
	case "LessThanEquals":
		accept = func(c int) bool { return c <= 0 }
	case "GreaterThan":
		accept = func(c int) bool { return c > 0 }
	case "GreaterThanEquals":
		accept = func(c int) bool { return c >= 0 }
	}
	if accept == nil || op == rest {
		return nil, false, fmt.Errorf("condition operator %q is not supported", op)
	}
	test := func(want, have string) bool {
		h, ok1 := measure(family, have)
		w, ok2 := measure(family, want)
		return ok1 && ok2 && accept(compare(h, w))
	}
	return test, rest == "NotEquals", nil
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func measure(family, s string) (float64, bool) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f, true
	}
	if family == "Date" {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return float64(t.Unix()), true
		}
	}
	return 0, false
}

// globARN matches the six parts of an ARN one by one, so a star does not cross a colon.
func globARN(w, h string) bool {
	ws, hs := strings.SplitN(w, ":", 6), strings.SplitN(h, ":", 6)
	if len(ws) != 6 || len(hs) != 6 {
		return w == string(rune(anyText))
	}
	for i := range ws {
		if !glob(ws[i], hs[i]) {
			return false
		}
	}
	return true
}
