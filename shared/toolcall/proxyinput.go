package toolcall

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// proxyInput is a request, with its path in the one spelling in which it is sent, as policies and approvers see it. It must say what
// the provider will read: a body counts as JSON only where every reader reads the same in it.
func proxyInput(p ProxyCall) map[string]any {
	in := map[string]any{"method": p.Method, "path": p.Path}
	if len(p.Query) > 0 {
		query := map[string]any{}
		for k, v := range p.Query {
			query[k] = strings.Join(v, ",")
		}
		in["query"] = query
	}
	if len(p.Body) > 0 {
		in["body"] = string(p.Body)
		if v, err := plainJSON(p.Body); err == nil {
			in["body"] = v
		}
	}
	return in
}

var errAmbiguous = errors.New("readers differ about this JSON")

// plainJSON reads one JSON value that means the same to every reader (RFC 8259, sections 4 and 8.1): UTF-8, nothing behind it,
// and no object with two members of one name, of which some readers take the first and others the last.
func plainJSON(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errAmbiguous
	}
	names := json.NewDecoder(bytes.NewReader(data))
	if err := once(names, 0); err != nil {
		return nil, err
	}
	if _, err := names.Token(); err != io.EOF {
		return nil, errAmbiguous
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// deepest is how deep JSON may be nested that policies look into.
const deepest = 100

// once reads one value and fails on a name that an object has twice.
func once(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if depth > deepest {
		return errAmbiguous
	}
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			s, _ := name.(string)
			if seen[s] {
				return errAmbiguous
			}
			seen[s] = true
		}
		if err := once(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
