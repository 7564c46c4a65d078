package ddb

import (
	"sort"
	"strings"
)

// Kind is the type of an attribute value.
type Kind byte

// The ten attribute types of DynamoDB.
const (
	S Kind = iota + 1
	N
	B
	BOOL
	NULL
	M
	L
	SS
	NS
	BS
)

// String gives the wire name of the type ("S", "NS", ...).
func (k Kind) String() string {
	return [...]string{"", "S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}[k]
}

// longName is the spelling that update expression errors use.
func (k Kind) longName() string {
	return [...]string{"", "STRING", "NUMBER", "BINARY", "BOOLEAN", "NULL", "MAP", "LIST", "STRING_SET", "NUMBER_SET", "BINARY_SET"}[k]
}

// kindOf is the reverse of Kind.String; 0 when the name is not a type.
func kindOf(name string) Kind {
	for k := S; k <= BS; k++ {
		if k.String() == name {
			return k
		}
	}
	return 0
}

// element is the type of the members of a set, 0 for other types.
func (k Kind) element() Kind {
	switch k {
	case SS:
		return S
	case NS:
		return N
	case BS:
		return B
	}
	return 0
}

// Value is one attribute value. Values are immutable once built: stored items are shared with
// readers without a copy.
type Value struct {
	Kind Kind
	Str  string           // S: text; N: canonical decimal; B: raw bytes; BOOL: "true" or "false"
	M    map[string]Value // M
	L    []Value          // L, and the members of SS, NS, BS in order
}

// Item is a whole item or a key.
type Item = map[string]Value

// equal tells whether two values are the same; sets compare without order.
func (v Value) equal(w Value) bool {
	if v.Kind != w.Kind || v.Str != w.Str || len(v.L) != len(w.L) || len(v.M) != len(w.M) {
		return false
	}
	for i := range v.L {
		if !v.L[i].equal(w.L[i]) {
			return false
		}
	}
	for k, x := range v.M {
		y, ok := w.M[k]
		if !ok || !x.equal(y) {
			return false
		}
	}
	return true
}

// ordered tells whether the type has < and >.
func (k Kind) ordered() bool { return k == S || k == N || k == B }

// compare orders two values of one ordered type; ok is false when they have no order.
func (v Value) compare(w Value) (c int, ok bool) {
	if v.Kind != w.Kind || !v.Kind.ordered() {
		return 0, false
	}
	if v.Kind == N {
		return compareNumbers(v.Str, w.Str), true
	}
	return strings.Compare(v.Str, w.Str), true
}

// newSet builds a set value with its members sorted, so that equal sets have equal members.
func newSet(k Kind, members []Value) Value {
	sort.Slice(members, func(i, j int) bool {
		c, _ := members[i].compare(members[j])
		return c < 0
	})
	return Value{Kind: k, L: members}
}

// has tells whether a set contains a member.
func (v Value) has(member Value) bool {
	for _, x := range v.L {
		if x.equal(member) {
			return true
		}
	}
	return false
}

// size is the number that the size() function answers; ok is false for types without one.
func (v Value) size() (n int, ok bool) {
	switch v.Kind {
	case S, B:
		return len(v.Str), true
	case M:
		return len(v.M), true
	case L, SS, NS, BS:
		return len(v.L), true
	}
	return 0, false
}

// itemSize is the billed size in bytes of an item (DynamoDB Developer Guide, "Item sizes and formats").
func itemSize(it Item) int {
	n := 0
	for name, v := range it {
		n += len(name) + v.bytes()
	}
	return n
}

func (v Value) bytes() int {
	switch v.Kind {
	case S, B:
		return len(v.Str)
	case N:
		return numberSize(v.Str)
	case BOOL, NULL:
		return 1
	case M:
		return 3 + itemSize(v.M) + len(v.M)
	case L:
		n := 3
		for _, x := range v.L {
			n += x.bytes() + 1
		}
		return n
	}
	n := 0
	for _, x := range v.L {
		n += x.bytes()
	}
	return n
}

// depth is the nesting level, 0 for scalars.
func (v Value) depth() int {
	d := 0
	if v.Kind != M && v.Kind != L {
		return 0
	}
	for _, x := range v.M {
		d = max(d, x.depth())
	}
	for _, x := range v.L {
		d = max(d, x.depth())
	}
	return d + 1
}
