package scim

import (
	"encoding/json"
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

// Project renders u with the attributes and excludedAttributes parameters applied (RFC 7644, section 3.9). Each entry
// may hold several names with commas. id and schemas are always there. Names that u does not have are simply not there.
func (u User) Project(attributes, excluded []string) ([]byte, error) {
	d, err := userResource.project(u.document(), attributes, excluded)
	if err != nil {
		return nil, err
	}
	return json.Marshal(d)
}

func (r resource) project(d map[string]any, attributes, excluded []string) (map[string]any, error) {
	wanted, unwanted := splitNames(attributes), splitNames(excluded)
	if len(wanted) > 0 {
		return r.only(d, wanted)
	}
	if len(unwanted) == 0 {
		return d, nil
	}
	out := clone(d).(map[string]any)
	for _, name := range unwanted {
		schema, attr, sub, err := r.attributeName(name, d)
		if err != nil {
			return nil, err
		}
		if schema == "" && (equalFold(attr, "id") || equalFold(attr, "schemas")) {
			continue
		}
		drop(out, schema, attr, sub)
	}
	return out, nil
}

// only keeps the named attributes, id and schemas.
func (r resource) only(d map[string]any, names []string) (map[string]any, error) {
	out := map[string]any{"id": d["id"], "schemas": d["schemas"]}
	for _, name := range names {
		schema, attr, sub, err := r.attributeName(name, d)
		if err != nil {
			return nil, err
		}
		from, to := d, out
		if schema != "" {
			key := keyOf(d, schema)
			if from, _ = d[key].(map[string]any); from == nil {
				continue
			}
			if attr == "" {
				out[key] = from
				continue
			}
			if to, _ = out[key].(map[string]any); to == nil {
				to = map[string]any{}
				out[key] = to
			}
		}
		pick(from, to, attr, sub)
	}
	return out, nil
}

// pick copies one attribute, or one sub-attribute of it, beside what was picked before.
func pick(from, to map[string]any, attr, sub string) {
	key := keyOf(from, attr)
	v, ok := from[key]
	if !ok {
		return
	}
	if sub == "" {
		to[key] = v
		return
	}
	switch x := v.(type) {
	case map[string]any:
		m, _ := to[key].(map[string]any)
		if m = merged(m); x[keyOf(x, sub)] != nil {
			m[keyOf(x, sub)] = x[keyOf(x, sub)]
		}
		to[key] = m
	case []any:
		old, _ := to[key].([]any)
		list := make([]any, len(x))
		for i, item := range x {
			m := map[string]any{}
			if i < len(old) {
				m = merged(old[i].(map[string]any))
			}
			if e, ok := item.(map[string]any); ok && e[keyOf(e, sub)] != nil {
				m[keyOf(e, sub)] = e[keyOf(e, sub)]
			}
			list[i] = m
		}
		to[key] = list
	}
}

// drop removes one attribute or one sub-attribute from d, which it may change.
func drop(d map[string]any, schema, attr, sub string) {
	if schema != "" {
		key := keyOf(d, schema)
		if attr == "" {
			delete(d, key)
			return
		}
		if d, _ = d[key].(map[string]any); d == nil {
			return
		}
	}
	key := keyOf(d, attr)
	if sub == "" {
		delete(d, key)
		return
	}
	for _, item := range flat(d[key]) {
		if m, ok := item.(map[string]any); ok {
			delete(m, keyOf(m, sub))
		}
	}
}

// attributeName splits an attribute name of the query. It returns an invalidValue failure for one that cannot be.
func (r resource) attributeName(name string, d map[string]any) (schema, attr, sub string, err error) {
	schema, rest := r.splitURN(name, d)
	if rest == "" {
		return schema, "", "", nil
	}
	p, perr := filter.ParseAttrPath([]byte(rest))
	if perr != nil || p.URIPrefix != nil {
		return "", "", "", failure(InvalidValue, "%q is not an attribute name", name).WithCause(perr)
	}
	return schema, p.AttributeName, p.SubAttributeName(), nil
}

func splitNames(list []string) []string {
	var out []string
	for _, entry := range list {
		for name := range strings.SplitSeq(entry, ",") {
			if name = strings.TrimSpace(name); name != "" {
				out = append(out, name)
			}
		}
	}
	return out
}
