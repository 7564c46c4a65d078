package ddb

import (
	"encoding/base64"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// item decodes a map of attribute values.
func (c *cursor) item() (Item, error) {
	if c.null() {
		return nil, nil
	}
	out := make(Item, 8)
	err := c.object(func(k []byte) error {
		name := string(k)
		v, err := c.value()
		out[name] = v
		return err
	})
	return out, err
}

// value decodes one attribute value, {"S":"x"}.
func (c *cursor) value() (Value, error) {
	var v Value
	n := 0
	err := c.object(func(k []byte) error {
		kind := kindOf(string(k))
		if kind == 0 {
			return c.skip()
		}
		if c.null() {
			return nil
		}
		n++
		var err error
		v, err = c.member(kind)
		return err
	})
	switch {
	case err != nil:
		return v, err
	case n == 0:
		return v, awserr.Validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	case n > 1:
		return v, awserr.Validation("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	return v, nil
}

func (c *cursor) member(k Kind) (Value, error) {
	switch k {
	case S, N, B:
		return c.scalar(k)
	case BOOL:
		b, err := c.boolean()
		if b {
			return Value{Kind: BOOL, Str: "true"}, err
		}
		return Value{Kind: BOOL, Str: "false"}, err
	case NULL:
		b, err := c.boolean()
		if err == nil && !b {
			err = awserr.Validation("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
		return Value{Kind: NULL}, err
	case M:
		m, err := c.item()
		return Value{Kind: M, M: m}, err
	case L:
		l := []Value{}
		err := c.array(func() error {
			v, err := c.value()
			l = append(l, v)
			return err
		})
		return Value{Kind: L, L: l}, err
	}
	return c.set(k)
}

func (c *cursor) scalar(k Kind) (Value, error) {
	t, err := c.text()
	if err != nil {
		return Value{}, err
	}
	switch k {
	case N:
		s, err := canonicalNumber(string(t))
		return Value{Kind: N, Str: s}, err
	case B:
		raw := make([]byte, base64.StdEncoding.DecodedLen(len(t)))
		n, err := base64.StdEncoding.Decode(raw, t)
		if err != nil {
			return Value{}, awserr.New("SerializationException", "invalid base64 in a B attribute")
		}
		return Value{Kind: B, Str: string(raw[:n])}, nil
	}
	return Value{Kind: S, Str: string(t)}, nil
}

// setNames are the words of the empty-set error.
func setName(k Kind) string {
	switch k {
	case SS:
		return "string set"
	case NS:
		return "number set"
	}
	return "binary set"
}

func (c *cursor) set(k Kind) (Value, error) {
	var members []Value
	err := c.array(func() error {
		v, err := c.scalar(k.element())
		members = append(members, v)
		return err
	})
	if err != nil {
		return Value{}, err
	}
	if len(members) == 0 {
		return Value{}, awserr.Validation("One or more parameter values were invalid: An %s may not be empty", setName(k))
	}
	v := newSet(k, members)
	for i := 1; i < len(v.L); i++ {
		if v.L[i].equal(v.L[i-1]) {
			if k == NS {
				return Value{}, awserr.Validation("Input collection contains duplicates")
			}
			return Value{}, awserr.Validation("One or more parameter values were invalid: Input collection %s contains duplicates.", v.listing())
		}
	}
	return v, nil
}

// listing prints set members like AWS does in its errors.
func (v Value) listing() string {
	s := "["
	for i, x := range v.L {
		if i > 0 {
			s += ", "
		}
		s += x.Str
	}
	return s + "]"
}
