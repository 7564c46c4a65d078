package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

// Values are the fields of one connection, secrets included. They sit behind a function, so that no printer, logger or
// encoder that walks a struct finds them.
type Values struct{ all func() map[string]string }

func newValues(m map[string]string) Values { return Values{func() map[string]string { return m }} }

func (v Values) get(name string) (string, bool) {
	if v.all == nil {
		return "", false
	}
	s, ok := v.all()[name]
	return s, ok
}

// lookup finds a field, or a member of a JSON field.
func (v Values) lookup(name string) (string, bool) {
	field, member, nested := strings.Cut(name, ".")
	s, ok := v.get(field)
	if !ok || !nested {
		return s, ok
	}
	doc, err := decodeJSON([]byte(s))
	if err != nil {
		return "", false
	}
	return lookupText(doc, member)
}

// Problem is what is wrong with one field, in words for the person who filled it in. It never repeats a value.
type Problem struct{ Field, Message string }

// ReadValues checks what somebody gave: every field by its kind and pattern, nothing unknown, nothing missing. Blanks
// around a value are dropped, since they come with copying. Problems are in the order of the fields.
func (c *Connector) ReadValues(raw map[string]string) (Values, []Problem) {
	out := map[string]string{}
	var problems []Problem
	for _, f := range c.Fields {
		v, ok := raw[f.Name]
		v = strings.TrimSpace(strings.ReplaceAll(v, "\r\n", "\n"))
		if !ok || v == "" {
			if f.Required {
				problems = append(problems, Problem{f.Name, f.Label + " is missing."})
			}
			continue
		}
		msg := f.check(v)
		if msg == "" {
			msg = c.checkKeyIn(f, v)
		}
		if msg != "" {
			problems = append(problems, Problem{f.Name, msg})
			continue
		}
		out[f.Name] = v
	}
	for name := range raw {
		if _, known := c.m.field(name); !known {
			problems = append(problems, Problem{"", fmt.Sprintf("There is no field %q.", clip(name, 40))})
		}
	}
	return newValues(out), problems
}

// checkKeyIn looks at the private key inside of a JSON field, so that a damaged one is told while the person is there.
func (c *Connector) checkKeyIn(f Field, v string) string {
	a := c.m.Assertion
	if a == nil || f.Kind != FieldJSON || !strings.HasPrefix(a.Key, "{"+f.Name+".") {
		return ""
	}
	key, _ := c.AssertionKey(newValues(map[string]string{f.Name: v}))
	if _, err := ParsePrivateKey(key); err != nil {
		return fmt.Sprintf("The private key in %s is not usable: %v.", f.Label, err)
	}
	return ""
}

// check says what is wrong with v; empty when nothing is.
func (f Field) check(v string) string {
	switch {
	case len(v) > f.MaxLength:
		return fmt.Sprintf("%s is too long: at most %d characters.", f.Label, f.MaxLength)
	case !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool {
		return unicode.IsControl(r) && (r != '\n' && r != '\t' || !f.Multiline) || r == utf8.RuneError
	}):
		return f.Label + " holds a character that cannot be part of it. Copy it again."
	case f.Secret && len(v) < minSecret:
		return fmt.Sprintf("%s is too short to be one: at least %d characters.", f.Label, minSecret)
	case f.pattern != nil && !f.pattern.MatchString(v):
		return f.expected(" does not look right")
	}
	switch f.Kind {
	case FieldPEM:
		if _, err := ParsePrivateKey([]byte(v)); err != nil {
			return fmt.Sprintf("%s is not a usable private key: %v.", f.Label, err)
		}
	case FieldJSON:
		return f.checkJSON(v)
	}
	return ""
}

func (f Field) expected(what string) string {
	if f.Example == "" {
		return f.Label + what + "."
	}
	return f.Label + what + "; it should be like " + f.Example + "."
}

func (f Field) checkJSON(v string) string {
	doc, err := decodeJSON([]byte(v))
	object, ok := doc.(map[string]any)
	if err != nil || !ok {
		return f.Label + " is not a JSON object. Paste the whole file."
	}
	for _, path := range f.capture {
		if s, _ := lookupText(object, path); s == "" || len(s) > maxMetadata {
			return fmt.Sprintf("%s has no %q. Paste the whole file.", f.Label, path)
		}
	}
	return ""
}

// Metadata is what of the values is not secret: the fields that are not, and what the manifest captures from JSON. It can
// be stored, shown and used in requests.
func (c *Connector) Metadata(v Values) map[string]string {
	out := map[string]string{}
	for _, f := range c.Fields {
		if s, ok := v.get(f.Name); ok && !f.Secret {
			out[f.Name] = s
		}
		for name, path := range f.capture {
			if s, ok := v.lookup(f.Name + "." + path); ok {
				out[name] = s
			}
		}
	}
	return out
}

// CheckParams checks values that are given ahead of a form: known fields that are not secret. The error is
// fault.InvalidInput at "/params/<name>".
func (c *Connector) CheckParams(params map[string]string) error {
	for name, v := range params {
		at := "/params/" + clip(name, 40)
		spec, ok := c.m.field(name)
		switch {
		case !ok:
			return fault.Invalid(at, "%s takes no parameter %q", c.Name, clip(name, 40))
		case spec.Secret:
			return fault.Invalid(at, "%s is a secret; it is typed on the connect page, or imported", name)
		}
		for _, f := range c.Fields {
			if f.Name != name {
				continue
			}
			if msg := f.check(v); msg != "" {
				return fault.Invalid(at, "%s", msg)
			}
		}
	}
	return nil
}

// CheckVouched checks that a link has each value that only the application's back end may give. Such a value names something
// that the client can reach for any customer, an installation of a GitHub App: on a page a user could type another
// customer's. The error is fault.InvalidInput at "/params/<name>".
func (c *Connector) CheckVouched(params map[string]string) error {
	for _, f := range c.Fields {
		if _, ok := params[f.Name]; f.Vouched && !ok {
			return fault.Invalid("/params/"+f.Name, "%s takes %s from the application's back end, which has checked that it is this user's", c.Name, f.Name)
		}
	}
	return nil
}

// With adds parameters that were given elsewhere; those of v win.
func (v Values) With(params map[string]string) Values {
	out := maps.Clone(params)
	if out == nil {
		out = map[string]string{}
	}
	if v.all != nil {
		maps.Copy(out, v.all())
	}
	return newValues(out)
}

// Seed is what a connection starts from, in one sealed text: the values, and the scopes that were asked for.
type Seed struct {
	Values Values
	Scopes []string
}

type seedJSON struct {
	Fields map[string]string `json:"fields"`
	Scopes []string          `json:"scopes,omitempty"`
}

// Text writes s for sealing.
func (s Seed) Text() (secret.Text, error) {
	doc := seedJSON{Fields: map[string]string{}, Scopes: s.Scopes}
	if s.Values.all != nil {
		doc.Fields = s.Values.all()
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return secret.Text{}, fmt.Errorf("write the credential: %w", err)
	}
	return secret.New(b), nil
}

// ReadSeed reads what Text wrote. The error tells nothing of the content.
func ReadSeed(plain []byte) (Seed, error) {
	var doc seedJSON
	if json.Unmarshal(plain, &doc) != nil || doc.Fields == nil {
		return Seed{}, fault.New(fault.Internal, "the stored credential cannot be read").With("reason", "seed_unreadable")
	}
	return Seed{Values: newValues(doc.Fields), Scopes: doc.Scopes}, nil
}
