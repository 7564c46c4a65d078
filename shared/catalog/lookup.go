package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// pathSyntax is a dotted path into JSON; a number selects an array element: "0.errorCode", "team.id".
var pathSyntax = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// lookup follows path into v; "" is v itself. It reports false when nothing is there or it is null.
func lookup(v any, path string) (any, bool) {
	if path == "" {
		return v, v != nil
	}
	for key := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(node) {
				return nil, false
			}
			v = node[i]
		default:
			return nil, false
		}
	}
	return v, v != nil
}

// lookupText is lookup for a scalar, as text.
func lookupText(v any, path string) (string, bool) {
	found, ok := lookup(v, path)
	if !ok {
		return "", false
	}
	return scalar(found)
}

// scalar writes a JSON scalar as text. Whole numbers lose a ".0" or exponent, so that 7.0 selects issue 7.
func scalar(v any) (string, bool) {
	switch s := v.(type) {
	case string:
		return s, true
	case bool:
		return strconv.FormatBool(s), true
	case json.Number:
		if i, err := s.Int64(); err == nil {
			return strconv.FormatInt(i, 10), true
		}
		if f, err := s.Float64(); err == nil && math.Abs(f) < 1<<53 && f == math.Trunc(f) {
			return strconv.FormatInt(int64(f), 10), true
		}
		return s.String(), true
	case float64:
		return strconv.FormatFloat(s, 'f', -1, 64), true
	case int, int64, uint64:
		return fmt.Sprint(s), true
	}
	return "", false
}

// decodeJSON reads exactly one JSON value and keeps numbers exact.
func decodeJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}

// encodeJSON writes v without HTML escaping and without the encoder's newline.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// clip bounds provider text for messages: at most n runes, control characters as spaces.
func clip(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// texts are the members of a list that are text; none when v is no list.
func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
