package scim

import (
	"strings"
)

// maxOperations bounds one PATCH.
const maxOperations = 1000

// operation is one entry of a PatchOp message. hasValue tells an absent value from null.
type operation struct {
	op, path string
	value    any
	hasValue bool
}

const (
	opAdd     = "add"
	opReplace = "replace"
	opRemove  = "remove"
)

// readPatch decodes a PatchOp message. Member names and op are taken in any case: Entra sends Add, Replace, Remove, and
// a server that compares exactly drops its offboardings.
func readPatch(body []byte) ([]operation, error) {
	d, err := decodeObject(body)
	if err != nil {
		return nil, err
	}
	list, ok := d[keyOf(d, "Operations")].([]any)
	if !ok || len(list) == 0 {
		return nil, failure(InvalidSyntax, "Operations must be a list of at least one operation")
	}
	if len(list) > maxOperations {
		return nil, failure(InvalidValue, "a PATCH holds at most %d operations", maxOperations)
	}
	ops := make([]operation, len(list))
	for i, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			return nil, failure(InvalidSyntax, "operation %d is not an object", i)
		}
		if ops[i], err = readOperation(m); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

func readOperation(m map[string]any) (operation, error) {
	name, _ := m[keyOf(m, "op")].(string)
	o := operation{op: strings.ToLower(name)}
	switch o.op {
	case opAdd, opReplace, opRemove:
	default:
		return o, failure(InvalidValue, "op must be add, replace or remove, not %q", name)
	}
	if p, ok := m[keyOf(m, "path")]; ok && p != nil {
		if o.path, ok = p.(string); !ok {
			return o, failure(InvalidPath, "path must be a string")
		}
	}
	o.value, o.hasValue = m[keyOf(m, "value")]
	if o.op != opRemove && !o.hasValue {
		return o, failure(InvalidValue, "op %s needs a value", o.op)
	}
	if o.op == opRemove && strings.TrimSpace(o.path) == "" {
		return o, failure(NoTarget, "op remove needs a path")
	}
	return o, nil
}

// apply runs ops on a copy of attrs and gives the normalised result. id is the resource's id, which a body may repeat.
func (r resource) apply(id string, attrs map[string]any, ops []operation) (map[string]any, error) {
	p := patcher{r: r, id: id, d: clone(attrs).(map[string]any)}
	for _, o := range ops {
		o.value = clone(o.value) // edits reach into it, and a retry applies the same ops again
		var err error
		if strings.TrimSpace(o.path) == "" {
			err = p.object(o.op, "", o.value)
		} else {
			err = p.one(o)
		}
		if err != nil {
			return nil, err
		}
	}
	return r.normalise(p.d)
}

// patcher changes the document d in place; apply throws it away when an operation fails.
type patcher struct {
	r  resource
	id string
	d  map[string]any
}

// object applies an add or replace whose value is an object of attributes: one without a path, or one on a whole
// extension (prefix is then its URN). Keys are paths in their own right: with the aadOptscim062020 flag Entra sends
// "name.givenName" and "urn:…:User:department" there.
func (p *patcher) object(op, prefix string, value any) error {
	m, ok := value.(map[string]any)
	if !ok {
		return failure(InvalidValue, "without a path, the value must be an object of attributes")
	}
	for _, key := range sortedKeys(m) {
		if prefix == "" && p.ignorable(key, m[key]) {
			continue
		}
		path := key
		if prefix != "" {
			path = prefix + ":" + key
		}
		if err := p.one(operation{op: op, path: path, value: m[key], hasValue: true}); err != nil {
			return err
		}
	}
	return nil
}

// ignorable passes over schemas and an unchanged id: Okta repeats the id when it renames a group.
func (p *patcher) ignorable(key string, value any) bool {
	return equalFold(key, "schemas") || equalFold(key, "id") && value == p.id
}

// one applies an operation that has a path.
func (p *patcher) one(o operation) error {
	tg, err := p.r.target(o.path, p.d)
	if err != nil {
		return err
	}
	switch {
	case tg.attr.readOnly || tg.schema == "" && tg.attr.name == "schemas":
		return failure(Mutability, "%s cannot be changed", tg.attr.name)
	case tg.schema == "" && tg.attr.name == "password":
		return nil // never kept, see normalise
	case tg.attr.name == "":
		return p.extension(o, tg)
	}
	if o.op == opAdd && o.value == nil {
		return nil
	}
	if o.op == opReplace && o.value == nil { // null is "unassigned" (RFC 7643, section 2.5)
		o = operation{op: opRemove, path: o.path}
	}
	holder := p.holder(tg.schema, o.op != opRemove)
	if holder == nil { // remove from an extension that is not there
		return nil
	}
	key := keyOf(holder, tg.attr.name)
	if tg.attr.kind == free { // unknown attributes take the shape they have
		tg.attr.kind, tg.loose = shapeOf(holder[key], tg), true
	}
	return edit{holder: holder, key: key, tg: tg, o: o}.run()
}

// extension applies an operation on all of an extension, or on the core schema when it is named by its URN.
func (p *patcher) extension(o operation, tg target) error {
	switch {
	case o.op == opRemove && tg.schema == "":
		return failure(NoTarget, "op remove needs an attribute")
	case o.op == opRemove || o.value == nil:
		delete(p.d, keyOf(p.d, tg.schema))
		return nil
	case tg.schema == "":
		return p.object(o.op, "", o.value)
	}
	if _, ok := o.value.(map[string]any); !ok {
		return failure(InvalidValue, "the extension %q must be an object", tg.schema)
	}
	p.holder(tg.schema, true) // from now on the URN is known and its end is certain
	return p.object(o.op, tg.schema, o.value)
}

// holder is the object that holds the attributes of schema; nil if there is none and create is false.
func (p *patcher) holder(schema string, create bool) map[string]any {
	if schema == "" {
		return p.d
	}
	key := keyOf(p.d, schema)
	if m, ok := p.d[key].(map[string]any); ok {
		return m
	}
	if !create {
		return nil
	}
	m := map[string]any{}
	p.d[key] = m
	return m
}

// shapeOf guesses the kind of an attribute outside the tables from its value and from how the path uses it.
func shapeOf(v any, tg target) kind {
	switch v.(type) {
	case []any:
		return complexMany
	case map[string]any:
		return complexOne
	}
	switch {
	case tg.where != nil:
		return complexMany
	case tg.sub != "":
		return complexOne
	}
	return free
}
