package scim

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
)

// MaxBodyBytes bounds a request body. A group of some ten thousand members fits.
const MaxBodyBytes = 1 << 20

// decodeObject reads one JSON object, numbers as json.Number. It returns an InvalidSyntax failure otherwise.
func decodeObject(body []byte) (map[string]any, error) {
	if len(body) > MaxBodyBytes {
		return nil, failure(InvalidValue, "the body is larger than %d bytes", MaxBodyBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var d map[string]any
	if err := dec.Decode(&d); err != nil {
		return nil, failure(InvalidSyntax, "the body is not a JSON object").WithCause(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, failure(InvalidSyntax, "the body holds more than one JSON value")
	}
	if d == nil {
		return nil, failure(InvalidSyntax, "the body is not a JSON object")
	}
	return d, nil
}

// normalise gives a copy of d with canonical names and lenient values made strict. Read-only attributes are dropped,
// as RFC 7644, sections 3.3 and 3.5.1 ask; so is password, which Okta sends even where none is wanted: it has no use
// here and must not be kept. An attribute given twice in different case is refused, since picking one would be a guess.
func (r resource) normalise(d map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(d))
	for _, key := range sortedKeys(d) {
		var err error
		name, value := key, d[key]
		if isURN(key) {
			name, value, err = r.normaliseExtension(key, value)
		} else {
			a := r.attribute("", key)
			if a.readOnly || a.name == "schemas" || a.name == "password" {
				continue
			}
			name = a.name
			value, err = coerce(a, value)
		}
		if err != nil {
			return nil, err
		}
		if value == nil { // null is "unassigned" (RFC 7643, section 2.5)
			continue
		}
		if taken := keyOf(out, name); out[taken] != nil {
			return nil, failure(InvalidSyntax, "the attribute %q is given twice", name)
		}
		out[name] = value
	}
	return out, nil
}

// normaliseExtension handles a URN key: the schema of an extension with an object of attributes.
func (r resource) normaliseExtension(key string, value any) (string, any, error) {
	if strings.EqualFold(key, EnterpriseUserSchema) {
		key = EnterpriseUserSchema
	}
	if value == nil {
		return key, nil, nil
	}
	in, ok := value.(map[string]any)
	if !ok {
		return key, nil, failure(InvalidValue, "the extension %q must be an object", key)
	}
	out := make(map[string]any, len(in))
	for _, k := range sortedKeys(in) {
		a := r.attribute(key, k)
		v, err := coerce(a, in[k])
		if err != nil {
			return key, nil, err
		}
		if v != nil {
			out[a.name] = v
		}
	}
	if len(out) == 0 {
		return key, nil, nil
	}
	return key, out, nil
}

// userFrom builds a User from a normalised document. Active is as in d, or defaultActive when d does not say.
func userFrom(d map[string]any, defaultActive bool) (User, error) {
	u := User{Extra: merged(d), Active: defaultActive}
	u.ExternalID = take(u.Extra, "externalId")
	u.UserName = take(u.Extra, "userName")
	u.DisplayName = take(u.Extra, "displayName")
	u.Title = take(u.Extra, "title")
	u.Locale = take(u.Extra, "locale")
	if b, ok := u.Extra["active"].(bool); ok {
		u.Active = b
	}
	delete(u.Extra, "active")
	var err error
	if m, ok := u.Extra["name"].(map[string]any); ok {
		if u.Name, err = nameFrom(m); err != nil {
			return User{}, err
		}
	}
	delete(u.Extra, "name")
	if u.Emails, err = emailsFrom(u.Extra["emails"]); err != nil {
		return User{}, err
	}
	delete(u.Extra, "emails")
	if u.UserName == "" {
		return User{}, failure(InvalidValue, "userName is required").WithField("userName")
	}
	return u, nil
}

func nameFrom(m map[string]any) (Name, error) {
	if err := textSubs("name", m, "formatted", "givenName", "familyName"); err != nil {
		return Name{}, err
	}
	n := Name{Extra: merged(m)}
	n.Formatted = take(n.Extra, "formatted")
	n.GivenName = take(n.Extra, "givenName")
	n.FamilyName = take(n.Extra, "familyName")
	return n, nil
}

func emailsFrom(v any) ([]Email, error) {
	list, _ := v.([]any)
	emails := make([]Email, 0, len(list))
	for _, item := range list {
		m, _ := item.(map[string]any) // normalise made every element an object
		if err := textSubs("emails", m, "value", "type"); err != nil {
			return nil, err
		}
		e := Email{Extra: merged(m)}
		e.Value = take(e.Extra, "value")
		e.Type = take(e.Extra, "type")
		e.Primary, _ = e.Extra["primary"].(bool)
		delete(e.Extra, "primary")
		emails = append(emails, e)
	}
	return emails, nil
}

// textSubs refuses sub-attributes that are there but are no strings; without it take would lose them silently.
func textSubs(attr string, m map[string]any, subs ...string) error {
	for _, s := range subs {
		if v, ok := m[s]; ok {
			if _, ok := v.(string); !ok {
				return failure(InvalidValue, "%s.%s must be a string", attr, s)
			}
		}
	}
	return nil
}

// take removes a string attribute from m and gives it.
func take(m map[string]any, key string) string {
	s, _ := m[key].(string)
	delete(m, key)
	return s
}

func schemasOf(core string, extra map[string]any) []string {
	list := []string{core}
	for _, k := range sortedKeys(extra) {
		if isURN(k) {
			list = append(list, k)
		}
	}
	return list
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// clone copies decoded JSON deeply.
func clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, e := range x {
			m[k] = clone(e)
		}
		return m
	case []any:
		l := make([]any, len(x))
		for i, e := range x {
			l[i] = clone(e)
		}
		return l
	}
	return v
}
