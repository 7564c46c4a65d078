package ddb

import (
	"sort"
	"strconv"
	"time"

	"behalf.dev/behalf/integration/localaws/awserr"
	"behalf.dev/behalf/integration/localaws/iam"
)

// table is one table with its indexes; all access is under DB.mu.
type table struct {
	spec    Spec
	arn, id string
	created time.Time
	types   map[string]Kind
	base    *index
	gsi     map[string]*index
	byID    map[string]*entry
	ttl     string
	stream  *stream
	size    int
	policy  *iam.Policy
	pending []func() // index writes held back by the lag hook
}

// index is the base table's order or a secondary index.
type index struct {
	name, hash, sort string
	keep             map[string]bool // attributes kept by the projection, nil for all
	parts            map[string][]*entry
	order            []string // partitions in scan order, nil when stale
}

// entry is an item in an index. hash and sort are order-preserving encodings.
type entry struct {
	hash, sort, id string
	item           Item
}

func newIndex(name string, keys []KeyElement) *index {
	x := &index{name: name, parts: map[string][]*entry{}}
	for _, k := range keys {
		if k.KeyType == "HASH" {
			x.hash = k.AttributeName
		} else {
			x.sort = k.AttributeName
		}
	}
	return x
}

// keyNames lists the key attributes, hash first.
func (x *index) keyNames() []string {
	if x.sort == "" {
		return []string{x.hash}
	}
	return []string{x.hash, x.sort}
}

// sortable encodes a key value so that encodings compare like the values.
func (v Value) sortable() string {
	if v.Kind == N {
		return orderedNumber(v.Str)
	}
	return v.Str
}

// entryFor places an item in the index; ok is false when it lacks an index key (sparse index).
func (x *index) entryFor(id string, it Item) (*entry, bool) {
	h, ok := it[x.hash]
	if !ok {
		return nil, false
	}
	e := &entry{hash: h.sortable(), id: id, item: it}
	if x.sort != "" {
		s, ok := it[x.sort]
		if !ok {
			return nil, false
		}
		e.sort = s.sortable()
	}
	return e, true
}

func (e *entry) less(o *entry) bool {
	if e.sort != o.sort {
		return e.sort < o.sort
	}
	return e.id < o.id
}

// put inserts or replaces the entry with the same place.
func (x *index) put(e *entry) {
	l := x.parts[e.hash]
	if l == nil {
		x.order = nil
	}
	i := sort.Search(len(l), func(i int) bool { return !l[i].less(e) })
	if i < len(l) && l[i].id == e.id && l[i].sort == e.sort {
		l[i] = e
		return
	}
	l = append(l, nil)
	copy(l[i+1:], l[i:])
	l[i] = e
	x.parts[e.hash] = l
}

func (x *index) remove(e *entry) {
	l := x.parts[e.hash]
	i := sort.Search(len(l), func(i int) bool { return !l[i].less(e) })
	if i >= len(l) || l[i].id != e.id {
		return
	}
	if len(l) == 1 {
		delete(x.parts, e.hash)
		x.order = nil
		return
	}
	copy(l[i:], l[i+1:])
	l[len(l)-1] = nil
	x.parts[e.hash] = l[:len(l)-1]
}

// partitions lists the partitions in scan order. The list is cached, so it needs the write lock.
func (x *index) partitions() []string {
	if x.order == nil {
		x.order = make([]string, 0, len(x.parts))
		for h := range x.parts {
			x.order = append(x.order, h)
		}
		sort.Strings(x.order)
	}
	return x.order
}

// view is what an index shows of an item.
func (x *index) view(it Item) Item {
	if x.keep == nil {
		return it
	}
	out := make(Item, len(x.keep))
	for k := range x.keep {
		if v, ok := it[k]; ok {
			out[k] = v
		}
	}
	return out
}

// keyID checks the key attributes of m and returns the item's identity.
// exact refuses further attributes, as for the Key parameter.
func (t *table) keyID(m Item, exact bool) (string, error) {
	names := t.base.keyNames()
	if exact && len(m) != len(names) {
		return "", awserr.Validation("The provided key element does not match the schema")
	}
	id := ""
	for _, n := range names {
		v, ok := m[n]
		switch {
		case !ok && exact:
			return "", awserr.Validation("The provided key element does not match the schema")
		case !ok:
			return "", awserr.Validation("One or more parameter values were invalid: Missing the key %s in the item", n)
		case v.Kind != t.types[n] && exact:
			return "", awserr.Validation("The provided key element does not match the schema")
		case v.Kind != t.types[n]:
			return "", awserr.Validation("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", n, t.types[n], v.Kind)
		case v.Str == "":
			return "", awserr.Validation("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", emptyName(v.Kind), n)
		}
		if err := checkKeySize(v, n == t.base.hash); err != nil {
			return "", err
		}
		k := v.sortable()
		id += strconv.Itoa(len(k)) + ":" + k
	}
	return id, nil
}

func emptyName(k Kind) string {
	if k == B {
		return "binary"
	}
	return "string"
}

func checkKeySize(v Value, hash bool) error {
	if hash && len(v.Str) > 2048 {
		return awserr.Validation("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes")
	}
	if !hash && len(v.Str) > 1024 {
		return awserr.Validation("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	}
	return nil
}

// keyOf picks the primary key out of an item.
func (t *table) keyOf(it Item) Item {
	k := make(Item, 2)
	for _, n := range t.base.keyNames() {
		k[n] = it[n]
	}
	return k
}

// maxItem is the size limit of an item in bytes.
const maxItem = 400 * 1024

// checkItem enforces the size limit and the types of index keys.
func (t *table) checkItem(it Item) error {
	if itemSize(it) > maxItem {
		return awserr.Validation("Item size has exceeded the maximum allowed size")
	}
	for _, v := range it {
		if (v.Kind == M || v.Kind == L) && v.depth() > 32 {
			return awserr.Validation("Nesting Levels have exceeded supported limits")
		}
	}
	for _, name := range t.spec.indexNames() {
		x := t.gsi[name]
		for _, n := range x.keyNames() {
			v, ok := it[n]
			switch {
			case !ok:
			case v.Kind != t.types[n]:
				return awserr.Validation("One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", n, t.types[n], v.Kind, x.name)
			case v.Str == "":
				return awserr.Validation("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s", emptyName(v.Kind), x.name, n)
			}
		}
	}
	return nil
}
