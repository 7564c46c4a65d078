package scim

// edit is one operation on one attribute: the value under key in holder.
type edit struct {
	holder map[string]any
	key    string
	tg     target
	o      operation
}

func (e edit) run() error {
	switch e.tg.attr.kind {
	case complexOne:
		return e.complexOne()
	case complexMany:
		return e.complexMany()
	}
	if e.tg.sub != "" || e.tg.where != nil {
		return failure(InvalidPath, "%s has no sub-attributes", e.tg.attr.name)
	}
	if e.o.op == opRemove {
		delete(e.holder, e.key)
		return nil
	}
	return e.set(e.key, e.o.value)
}

// set stores a coerced value; one that coerces to nothing is removed.
func (e edit) set(key string, value any) error {
	v, err := coerce(e.tg.attr, value)
	if err != nil {
		return err
	}
	if v == nil {
		delete(e.holder, key)
		return nil
	}
	e.holder[key] = v
	return nil
}

// complexOne edits a single object. Sub-attributes that a value does not name stay (RFC 7644, section 3.5.2.3).
func (e edit) complexOne() error {
	if e.tg.where != nil {
		return failure(InvalidPath, "%s is not multi-valued and takes no filter", e.tg.attr.name)
	}
	current, _ := e.holder[e.key].(map[string]any)
	switch {
	case e.o.op == opRemove && e.tg.sub == "":
		delete(e.holder, e.key)
	case e.o.op == opRemove:
		delete(current, keyOf(current, e.tg.sub))
		e.keep(current)
	case e.tg.sub != "":
		if current == nil {
			current = map[string]any{}
		}
		current[keyOf(current, e.tg.sub)] = e.o.value
		e.holder[e.key] = current
	default:
		v, err := coerceObject(e.tg.attr.name, e.o.value)
		if err != nil {
			return err
		}
		patch, _ := v.(map[string]any)
		if current == nil {
			current = map[string]any{}
		}
		overlay(current, patch)
		e.keep(current)
	}
	return nil
}

// keep stores an object, or nothing if it is empty.
func (e edit) keep(m map[string]any) {
	if len(m) == 0 {
		delete(e.holder, e.key)
		return
	}
	e.holder[e.key] = m
}

// complexMany edits a list.
func (e edit) complexMany() error {
	list, _ := e.holder[e.key].([]any)
	var err error
	switch {
	case e.tg.where != nil:
		list, err = e.selected(list)
	case e.tg.sub != "":
		list, err = e.everySub(list)
	case e.o.op == opRemove:
		list, err = e.removeFrom(list)
	case e.o.op == opReplace:
		list, err = e.elements()
	default:
		list, err = e.addTo(list)
	}
	if err != nil {
		return err
	}
	if len(list) == 0 {
		delete(e.holder, e.key)
		return nil
	}
	e.holder[e.key] = list
	return nil
}

// elements is the operation's value as a list.
func (e edit) elements() ([]any, error) {
	if e.tg.loose {
		if l, ok := e.o.value.([]any); ok {
			return l, nil
		}
		return []any{e.o.value}, nil
	}
	v, err := coerceList(e.tg.attr.name, e.o.value)
	if err != nil {
		return nil, err
	}
	l, _ := v.([]any)
	return l, nil
}

func (e edit) addTo(list []any) ([]any, error) {
	added, err := e.elements()
	if err != nil {
		return nil, err
	}
	index := e.indexOf(list)
	for _, v := range added {
		k, ok := e.identity(v)
		if i, dup := index[k]; ok && dup {
			if m, isMap := list[i].(map[string]any); isMap { // the same value again: only its other sub-attributes change
				overlay(m, v.(map[string]any))
				soloPrimary(list, m)
				continue
			}
		}
		if !ok && containsEqual(list, v) {
			continue
		}
		list = append(list, v)
		if ok {
			index[k] = len(list) - 1
		}
		if m, isMap := v.(map[string]any); isMap {
			soloPrimary(list, m)
		}
	}
	return list, nil
}

// removeFrom removes all elements, or those that a value names. The second form is Entra's without the
// aadOptscim062020 flag ({"op":"Remove","path":"members","value":[{"value":"u1"}]}): reading it as the first would
// empty the group. So a value that is there but names nothing removes nothing or is refused; it never removes all.
func (e edit) removeFrom(list []any) ([]any, error) {
	if !e.o.hasValue {
		return nil, nil
	}
	if e.o.value == nil {
		return nil, failure(InvalidValue, "the value of remove on %s is null; leave it out to remove all", e.tg.attr.name)
	}
	unwanted, err := e.elements()
	if err != nil {
		return nil, err
	}
	gone := make(map[string]bool, len(unwanted))
	var nameless []any // elements without a value are compared as a whole
	for _, v := range unwanted {
		if s, ok := valueOf(v); ok {
			gone[s] = true
		} else {
			nameless = append(nameless, v)
		}
	}
	var kept []any
	for _, v := range list {
		if s, ok := valueOf(v); ok && gone[s] || containsEqual(nameless, v) {
			continue
		}
		kept = append(kept, v)
	}
	return kept, nil
}

// everySub edits a sub-attribute of every element, as a path without a filter says; adding to an empty list makes one.
func (e edit) everySub(list []any) ([]any, error) {
	if len(list) == 0 && e.o.op != opRemove {
		list = []any{map[string]any{}}
	}
	for _, v := range list {
		if m, ok := v.(map[string]any); ok {
			e.editSub(m)
		}
	}
	return nonEmpty(list), nil
}

func (e edit) editSub(m map[string]any) {
	key := keyOf(m, e.tg.sub)
	if e.o.op == opRemove {
		delete(m, key)
		return
	}
	m[key] = e.o.value
}

// selected edits the elements that the filter matches. Where add and replace match none, an element is made from the
// filter: Entra expects it of replace, where the RFC says noTarget. remove is satisfied when there is nothing.
func (e edit) selected(list []any) ([]any, error) {
	var kept []any
	found := false
	for _, v := range list {
		m, ok := v.(map[string]any)
		if !ok || !element(e.tg, m) {
			kept = append(kept, v)
			continue
		}
		found = true
		if e.o.op == opRemove && e.tg.sub == "" {
			continue
		}
		if err := e.editElement(m); err != nil {
			return nil, err
		}
		kept = append(kept, m)
		soloPrimary(list, m)
	}
	if found || e.o.op == opRemove {
		return nonEmpty(kept), nil
	}
	m := map[string]any{}
	if !assertions(e.tg.where, m) {
		return nil, failure(NoTarget, "no element of %s matches the filter, and the filter does not describe one", e.tg.attr.name)
	}
	if err := e.editElement(m); err != nil {
		return nil, err
	}
	kept = append(kept, m)
	soloPrimary(kept, m)
	return kept, nil
}

// editElement changes one element: its sub-attribute, or, without one, the sub-attributes that the value names.
func (e edit) editElement(m map[string]any) error {
	if e.tg.sub != "" {
		e.editSub(m)
		return nil
	}
	v, err := coerceObject(e.tg.attr.name, e.o.value)
	if err != nil {
		return err
	}
	patch, _ := v.(map[string]any)
	overlay(m, patch)
	return nil
}
