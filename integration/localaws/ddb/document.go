package ddb

import (
	"maps"
	"sort"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// applyResults writes the computed values into a copy of the item. Only the containers on the
// way are copied, so readers of the old item are never disturbed. List removals run last and
// from the highest index down, because all indexes mean the list as it was.
func applyResults(s scope, old Item, results []result) (Item, error) {
	sort.SliceStable(results, func(i, j int) bool {
		a, b := results[i], results[j]
		if a.remove != b.remove {
			return !a.remove
		}
		return lastIndex(a.path)*sign(a.remove) < lastIndex(b.path)*sign(b.remove)
	})
	root := Value{Kind: M, M: old}
	for _, r := range results {
		next, err := r.write(s, root, r.path)
		if err != nil {
			return nil, err
		}
		root = next
	}
	if len(results) == 0 {
		return maps.Clone(old), nil
	}
	return root.M, nil
}

func sign(remove bool) int {
	if remove {
		return -1
	}
	return 1
}

func lastIndex(pa path) int { return pa[len(pa)-1].index }

var errBadPath = awserr.Validation("The document path provided in the update expression is invalid for update")

// write returns a copy of v in which the place named by pa has the result's value.
func (r result) write(s scope, v Value, pa path) (Value, error) {
	st := pa[0]
	if st.index >= 0 {
		if v.Kind != L {
			return v, errBadPath
		}
		return r.writeList(s, v, pa)
	}
	if v.Kind != M {
		return v, errBadPath
	}
	name := st.resolve(s.names)
	child, ok := v.M[name]
	m := make(map[string]Value, len(v.M)+1)
	maps.Copy(m, v.M)
	switch {
	case len(pa) > 1:
		if !ok {
			return v, errBadPath
		}
		c, err := r.write(s, child, pa[1:])
		if err != nil {
			return v, err
		}
		m[name] = c
	case r.remove:
		delete(m, name)
	default:
		m[name] = r.value
	}
	return Value{Kind: M, M: m}, nil
}

func (r result) writeList(s scope, v Value, pa path) (Value, error) {
	i := pa[0].index
	l := append(make([]Value, 0, len(v.L)+1), v.L...)
	switch {
	case len(pa) > 1:
		if i >= len(l) {
			return v, errBadPath
		}
		c, err := r.write(s, l[i], pa[1:])
		if err != nil {
			return v, err
		}
		l[i] = c
	case r.remove:
		if i < len(l) {
			l = append(l[:i], l[i+1:]...)
		}
	case i >= len(l):
		l = append(l, r.value)
	default:
		l[i] = r.value
	}
	return Value{Kind: L, L: l}, nil
}

// project picks the paths of a projection out of an item, keeping the nesting. List elements
// that are picked are packed, like DynamoDB does.
func (e *expression) project(s scope, it Item) Item {
	if e == nil || it == nil {
		return it
	}
	tree := &pick{}
	for _, pa := range e.paths {
		tree.add(s, pa)
	}
	if out := tree.from(Value{Kind: M, M: it}).M; out != nil {
		return out
	}
	return Item{}
}

// pick is a tree of wanted places.
type pick struct {
	all     bool
	names   map[string]*pick
	indexes map[int]*pick
}

func (t *pick) add(s scope, pa path) {
	if len(pa) == 0 {
		t.all = true
		return
	}
	var next *pick
	if pa[0].index >= 0 {
		if t.indexes == nil {
			t.indexes = map[int]*pick{}
		}
		if next = t.indexes[pa[0].index]; next == nil {
			next = &pick{}
			t.indexes[pa[0].index] = next
		}
	} else {
		if t.names == nil {
			t.names = map[string]*pick{}
		}
		name := pa[0].resolve(s.names)
		if next = t.names[name]; next == nil {
			next = &pick{}
			t.names[name] = next
		}
	}
	next.add(s, pa[1:])
}

func (t *pick) from(v Value) Value {
	switch {
	case t.all:
		return v
	case v.Kind == M && t.names != nil:
		m := map[string]Value{}
		for name, sub := range t.names {
			if c, ok := v.M[name]; ok {
				if got := sub.from(c); got.Kind != 0 {
					m[name] = got
				}
			}
		}
		if len(m) == 0 {
			return Value{} // a map of which nothing was picked does not show
		}
		return Value{Kind: M, M: m}
	case v.Kind == L && t.indexes != nil:
		var l []Value
		for i, c := range v.L {
			if sub := t.indexes[i]; sub != nil {
				if got := sub.from(c); got.Kind != 0 {
					l = append(l, got)
				}
			}
		}
		if l == nil {
			return Value{}
		}
		return Value{Kind: L, L: l}
	}
	return Value{}
}
