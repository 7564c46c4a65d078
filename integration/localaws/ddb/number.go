package ddb

import (
	"math/big"
	"strconv"
	"strings"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// maxDigits is the precision of a DynamoDB number.
const maxDigits = 38

// decimal is 0.digits * 10^exp; zero has no digits.
type decimal struct {
	neg    bool
	digits string
	exp    int
}

// parseDecimal reads any notation that DynamoDB accepts ("1", "-1.50", "1e3").
func parseDecimal(s string) (d decimal, ok bool) {
	mant, exp := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil {
			return d, false
		}
		mant, exp = s[:i], e
	}
	if mant != "" && (mant[0] == '-' || mant[0] == '+') {
		d.neg, mant = mant[0] == '-', mant[1:]
	}
	whole, frac, _ := strings.Cut(mant, ".")
	all := whole + frac
	if all == "" || strings.Trim(all, "0123456789") != "" {
		return d, false
	}
	trimmed := strings.TrimLeft(all, "0")
	d.exp = len(whole) + exp - (len(all) - len(trimmed))
	d.digits = strings.TrimRight(trimmed, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

// check enforces precision and range.
func (d decimal) check() error {
	switch {
	case d.digits == "":
		return nil
	case len(d.digits) > maxDigits:
		return awserr.Validation("Attempting to store more than 38 significant digits in a Number")
	case d.exp > 126:
		return awserr.Validation("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case d.exp < -129:
		return awserr.Validation("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	}
	return nil
}

// String writes the number without exponent and without superfluous zeros.
func (d decimal) String() string {
	if d.digits == "" {
		return "0"
	}
	var b strings.Builder
	if d.neg {
		b.WriteByte('-')
	}
	switch n := len(d.digits); {
	case d.exp <= 0:
		b.WriteString("0.")
		b.WriteString(strings.Repeat("0", -d.exp))
		b.WriteString(d.digits)
	case d.exp >= n:
		b.WriteString(d.digits)
		b.WriteString(strings.Repeat("0", d.exp-n))
	default:
		b.WriteString(d.digits[:d.exp] + "." + d.digits[d.exp:])
	}
	return b.String()
}

// plainInteger tells whether s is already canonical: a short integer without leading zero.
func plainInteger(s string) bool {
	if s == "" || len(s) > 18 || (s[0] == '0' && len(s) > 1) {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// canonicalNumber checks a number and gives its one spelling.
func canonicalNumber(s string) (string, error) {
	if plainInteger(s) {
		return s, nil
	}
	if s == "" {
		return "", awserr.Validation("The parameter cannot be converted to a numeric value")
	}
	d, ok := parseDecimal(s)
	if !ok {
		return "", awserr.Validation("The parameter cannot be converted to a numeric value: %s", s)
	}
	if err := d.check(); err != nil {
		return "", err
	}
	return d.String(), nil
}

// compareNumbers orders two canonical numbers.
func compareNumbers(a, b string) int {
	if a == b {
		return 0
	}
	return strings.Compare(orderedNumber(a), orderedNumber(b))
}

// orderedNumber turns a canonical number into bytes that sort like the number, so that index
// keys compare as plain strings.
func orderedNumber(s string) string {
	d, _ := parseDecimal(s)
	if d.digits == "" {
		return "\x01"
	}
	out := make([]byte, 0, len(d.digits)+4)
	e := d.exp + 512
	out = append(out, 2, byte(e>>8), byte(e))
	out = append(out, d.digits...)
	out = append(out, 0)
	if d.neg {
		for i := range out {
			out[i] = ^out[i]
		}
		out[0] = 0
	}
	return string(out)
}

func (d decimal) scaled(scale int) *big.Int {
	n, _ := new(big.Int).SetString("0"+d.digits, 10)
	shift := int64(d.exp - len(d.digits) - scale)
	n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(shift), nil))
	if d.neg {
		n.Neg(n)
	}
	return n
}

// addNumbers adds or subtracts two canonical numbers.
func addNumbers(a, b string, subtract bool) (string, error) {
	x, _ := parseDecimal(a)
	y, _ := parseDecimal(b)
	if subtract {
		y.neg = !y.neg
	}
	scale := min(x.exp-len(x.digits), y.exp-len(y.digits))
	sum := x.scaled(scale)
	sum.Add(sum, y.scaled(scale))
	d, _ := parseDecimal(sum.String() + "e" + strconv.Itoa(scale))
	if err := d.check(); err != nil {
		return "", err
	}
	return d.String(), nil
}

// numberSize is about one byte per two digits plus one.
func numberSize(s string) int {
	d, _ := parseDecimal(s)
	n := (len(d.digits)+1)/2 + 1
	if d.neg {
		n++
	}
	return n
}
