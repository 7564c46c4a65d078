package scim

import "strings"

// coerce brings value into the shape of a, forgiving what identity providers are known to send.
func coerce(a attribute, value any) (any, error) {
	if value == nil {
		return nil, nil
	}
	switch a.kind {
	case text:
		s, ok := unwrap(value).(string)
		if !ok {
			return nil, failure(InvalidValue, "%s must be a string", a.name)
		}
		if s == "" {
			return nil, nil
		}
		return s, nil
	case boolean:
		return coerceBool(a.name, unwrap(value))
	case complexOne:
		return coerceObject(a.name, value)
	case complexMany:
		return coerceList(a.name, value)
	}
	return value, nil
}

// unwrap takes the value out of [{"$ref":null,"value":"x"}], the form in which Entra sends single values without the
// aadOptscim062020 flag.
func unwrap(value any) any {
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	if m, ok := value.(map[string]any); ok {
		if v, ok := m[keyOf(m, "value")]; ok {
			return v
		}
	}
	return value
}

// coerceBool takes JSON booleans and, from Entra without its flag, "True" and "False".
func coerceBool(name string, value any) (any, error) {
	switch v := value.(type) {
	case bool:
		return v, nil
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return nil, failure(InvalidValue, "%s must be true or false", name)
}

// coerceObject makes an object. A bare string is the object's value: Entra sends manager so.
func coerceObject(name string, value any) (any, error) {
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	switch v := value.(type) {
	case string:
		if v == "" {
			return nil, nil
		}
		if name == "name" { // a name has no "value": a string here is a mistake, not a short form
			return nil, failure(InvalidValue, "name must be an object")
		}
		return map[string]any{"value": v}, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range sortedKeys(v) {
			c := canonicalSub(k)
			if _, twice := out[c]; twice {
				return nil, failure(InvalidSyntax, "the attribute %q is given twice in %s", c, name)
			}
			if v[k] == nil {
				continue
			}
			x := v[k]
			if c == "primary" {
				var err error
				if x, err = coerceBool(name+".primary", x); err != nil {
					return nil, err
				}
			}
			out[c] = x
		}
		if len(out) == 0 {
			return nil, nil
		}
		return out, nil
	}
	return nil, failure(InvalidValue, "%s must be an object", name)
}

// coerceList makes a list of objects. One object stands for a list of one, and a string for {"value": string}.
func coerceList(name string, value any) (any, error) {
	in, ok := value.([]any)
	if !ok {
		in = []any{value}
	}
	out := make([]any, 0, len(in))
	for _, v := range in {
		m, err := coerceObject(name, v)
		if err != nil {
			return nil, err
		}
		if m != nil {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}
