package ddb

import (
	"encoding/json"
	"strconv"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// cursor walks a JSON document in place. encoding/json would scan every attribute value two
// or three times through reflection; this is the hot path of the benchmarks.
type cursor struct {
	b []byte
	i int
}

func (c *cursor) bad() error {
	return awserr.New("SerializationException", "unexpected JSON at byte %d", c.i)
}

// peek skips white space and returns the next byte, 0 at the end.
func (c *cursor) peek() byte {
	for c.i < len(c.b) {
		switch c.b[c.i] {
		case ' ', '\t', '\n', '\r':
			c.i++
		default:
			return c.b[c.i]
		}
	}
	return 0
}

func (c *cursor) take(want byte) bool {
	if c.peek() == want {
		c.i++
		return true
	}
	return false
}

// null consumes a JSON null.
func (c *cursor) null() bool {
	if c.peek() == 'n' && c.i+4 <= len(c.b) && string(c.b[c.i:c.i+4]) == "null" {
		c.i += 4
		return true
	}
	return false
}

// object calls f for each member with the cursor at its value.
func (c *cursor) object(f func(key []byte) error) error {
	if !c.take('{') {
		return c.bad()
	}
	if c.take('}') {
		return nil
	}
	for {
		k, err := c.text()
		if err != nil {
			return err
		}
		if !c.take(':') {
			return c.bad()
		}
		if err := f(k); err != nil {
			return err
		}
		if c.take('}') {
			return nil
		}
		if !c.take(',') {
			return c.bad()
		}
	}
}

// array calls f for each element.
func (c *cursor) array(f func() error) error {
	if !c.take('[') {
		return c.bad()
	}
	if c.take(']') {
		return nil
	}
	for {
		if err := f(); err != nil {
			return err
		}
		if c.take(']') {
			return nil
		}
		if !c.take(',') {
			return c.bad()
		}
	}
}

// text returns a string; without escapes it points into the document.
func (c *cursor) text() ([]byte, error) {
	if c.peek() != '"' {
		return nil, c.bad()
	}
	start := c.i
	for j := start + 1; j < len(c.b); j++ {
		switch c.b[j] {
		case '"':
			c.i = j + 1
			return c.b[start+1 : j], nil
		case '\\':
			return c.escaped(start, j)
		}
	}
	return nil, c.bad()
}

func (c *cursor) escaped(start, j int) ([]byte, error) {
	for ; j < len(c.b); j++ {
		switch c.b[j] {
		case '\\':
			j++
		case '"':
			var s string
			if err := json.Unmarshal(c.b[start:j+1], &s); err != nil {
				return nil, c.bad()
			}
			c.i = j + 1
			return []byte(s), nil
		}
	}
	return nil, c.bad()
}

func (c *cursor) str() (string, error) {
	if c.null() {
		return "", nil
	}
	t, err := c.text()
	return string(t), err
}

func (c *cursor) boolean() (bool, error) {
	raw, err := c.raw()
	if err != nil || (string(raw) != "true" && string(raw) != "false") {
		return false, c.bad()
	}
	return raw[0] == 't', nil
}

func (c *cursor) integer() (int, error) {
	raw, err := c.raw()
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil {
		return 0, c.bad()
	}
	return n, nil
}

// raw returns the next value undecoded.
func (c *cursor) raw() ([]byte, error) {
	c.peek()
	start := c.i
	if err := c.skip(); err != nil {
		return nil, err
	}
	return c.b[start:c.i], nil
}

func (c *cursor) skip() error {
	switch c.peek() {
	case '"':
		_, err := c.text()
		return err
	case '{':
		return c.object(func([]byte) error { return c.skip() })
	case '[':
		return c.array(c.skip)
	case 0:
		return c.bad()
	}
	start := c.i
	for c.i < len(c.b) {
		switch c.b[c.i] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			if c.i == start {
				return c.bad()
			}
			return nil
		}
		c.i++
	}
	return nil
}
