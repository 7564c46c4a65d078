package iam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Policy is a parsed policy document.
type Policy struct {
	Name       string // for Decision.Matched; not part of the document
	Statements []Statement
}

// Statement is one statement of a policy. Nil slices mean the element is absent.
type Statement struct {
	Sid                    string
	Deny                   bool
	Actions, NotActions    []string
	Resources, NotResource []string
	Principal, NotPrinc    *PrincipalSet
	Conditions             []Condition
}

// PrincipalSet is a Principal element.
type PrincipalSet struct {
	Any                    bool // "*"
	AWS, Service, Federate []string
}

// Condition is one line of a Condition block: an operator, a key and the wanted values.
type Condition struct {
	Set      string // "", "ForAllValues" or "ForAnyValue"
	Operator string // without set operator and IfExists
	IfExists bool
	Key      string // lower case
	Values   []string
}

// list accepts a string or a list of strings, numbers and booleans.
type list []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *list) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	many, ok := v.([]any)
	if !ok {
		many = []any{v}
	}
	*l = make([]string, 0, len(many))
	for _, x := range many {
		switch x.(type) {
		case string, bool, json.Number:
			*l = append(*l, fmt.Sprint(x))
		default:
			return fmt.Errorf("expected text in a policy, found %T", x)
		}
	}
	return nil
}

type rawStatement struct {
	Sid, Effect             string
	Action, NotAction       list
	Resource, NotResource   list
	Principal, NotPrincipal json.RawMessage
	Condition               map[string]map[string]list
}

// Parse reads a policy document (IAM User Guide, "JSON policy element reference"). Unknown
// elements are errors, because a misspelt element must not widen a policy.
func Parse(name string, document []byte) (*Policy, error) {
	var doc struct {
		Version, Id string
		Statement   json.RawMessage
	}
	if err := strict(document, &doc); err != nil {
		return nil, fmt.Errorf("parse policy %s: %w", name, err)
	}
	if s := bytes.TrimSpace(doc.Statement); len(s) > 0 && s[0] == '{' {
		doc.Statement = append(append([]byte{'['}, s...), ']')
	}
	var raws []rawStatement
	if err := strict(doc.Statement, &raws); err != nil {
		return nil, fmt.Errorf("parse policy %s: %w", name, err)
	}
	p := &Policy{Name: name}
	for i, r := range raws {
		s, err := r.statement()
		if err != nil {
			return nil, fmt.Errorf("parse policy %s, statement %d: %w", name, i, err)
		}
		p.Statements = append(p.Statements, s)
	}
	return p, nil
}

func strict(b []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

func (r rawStatement) statement() (Statement, error) {
	s := Statement{Sid: r.Sid, Deny: r.Effect == "Deny", Resources: patterns(r.Resource), NotResource: patterns(r.NotResource)}
	if !s.Deny && r.Effect != "Allow" {
		return s, fmt.Errorf("effect %q is neither Allow nor Deny", r.Effect)
	}
	if (r.Action == nil) == (r.NotAction == nil) {
		return s, fmt.Errorf("exactly one of Action and NotAction is needed")
	}
	s.Actions, s.NotActions = patterns(lower(r.Action)), patterns(lower(r.NotAction))
	var err error
	if s.Principal, err = principals(r.Principal); err != nil {
		return s, err
	}
	if s.NotPrinc, err = principals(r.NotPrincipal); err != nil {
		return s, err
	}
	for op, keys := range r.Condition {
		for key, values := range keys {
			s.Conditions = append(s.Conditions, newCondition(op, key, values))
		}
	}
	return s, nil
}

func lower(l list) list {
	for i := range l {
		l[i] = strings.ToLower(l[i])
	}
	return l
}

func principals(b json.RawMessage) (*PrincipalSet, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var all string
	if json.Unmarshal(b, &all) == nil {
		if all != "*" {
			return nil, fmt.Errorf("principal %q is not \"*\"", all)
		}
		return &PrincipalSet{Any: true}, nil
	}
	var m struct{ AWS, Service, Federated, CanonicalUser list }
	if err := strict(b, &m); err != nil {
		return nil, fmt.Errorf("principal: %w", err)
	}
	p := &PrincipalSet{AWS: m.AWS, Service: m.Service, Federate: m.Federated}
	for _, a := range m.AWS {
		p.Any = p.Any || a == "*"
	}
	return p, nil
}

func newCondition(op, key string, values list) Condition {
	c := Condition{Operator: op, Key: strings.ToLower(key)}
	if set, rest, ok := strings.Cut(op, ":"); ok {
		c.Set, c.Operator = set, rest
	}
	if o, ok := strings.CutSuffix(c.Operator, "IfExists"); ok {
		c.Operator, c.IfExists = o, true
	}
	c.Values = values
	if wildcards(c.Operator) {
		c.Values = patterns(values)
	}
	return c
}

// wildcards tells whether the operator's values are patterns.
func wildcards(op string) bool {
	switch op {
	case "StringLike", "StringNotLike", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike":
		return true
	}
	return false
}
