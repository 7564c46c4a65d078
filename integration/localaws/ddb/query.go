package ddb

import (
	"sort"
	"strconv"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// pageBytes is the most data that one Query or Scan reads.
const pageBytes = 1 << 20

// page is the walk of one Query or Scan.
type page struct {
	r       *Request
	b       *bound
	x       *index
	t       *table
	items   []Item
	count   int
	scanned int
	bytes   int
	last    *entry // where to go on, nil at the end
}

func (d *DB) query(r *Request) ([]byte, error) {
	b, err := d.bind(r)
	if err != nil {
		return nil, err
	}
	if r.op == "Scan" { // the list of partitions is cached, so a scan writes
		d.mu.Lock()
		defer d.mu.Unlock()
	} else {
		d.mu.RLock()
		defer d.mu.RUnlock()
	}
	p := &page{r: r, b: b}
	if err := p.open(d); err != nil {
		return nil, err
	}
	if r.op == "Scan" {
		err = p.scan()
	} else {
		err = p.query()
	}
	if err != nil {
		return nil, err
	}
	return p.encode(), nil
}

func (p *page) open(d *DB) error {
	r := p.r
	t, err := d.find(r.table)
	if err != nil {
		return err
	}
	p.t, p.x = t, t.base
	if r.index != "" {
		if p.x = t.gsi[r.index]; p.x == nil {
			return awserr.Validation("The table does not have the specified index: %s", r.index)
		}
		if r.consistent && !t.local(r.index) {
			return awserr.Validation("Consistent reads are not supported on global secondary indexes")
		}
	}
	if r.hasLimit && r.limit < 1 {
		return awserr.Validation("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1", r.limit)
	}
	switch r.selection {
	case "", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "COUNT", "SPECIFIC_ATTRIBUTES":
	default:
		return awserr.Validation("1 validation error detected: Value '%s' at 'select' failed to satisfy constraint: Member must satisfy enum value set: [SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]", r.selection)
	}
	return p.checkSelect()
}

func (t *table) local(index string) bool {
	for _, l := range t.spec.LocalSecondaryIndexes {
		if l.IndexName == index {
			return true
		}
	}
	return false
}

func (p *page) query() error {
	kr, err := p.keyRange()
	if err != nil {
		return err
	}
	if err := p.checkFilter(); err != nil {
		return err
	}
	l := p.x.parts[kr.hash]
	lo := sort.Search(len(l), func(i int) bool { return kr.side(l[i]) >= 0 })
	hi := sort.Search(len(l), func(i int) bool { return kr.side(l[i]) > 0 })
	if p.r.startKey != nil {
		from, err := p.startEntry()
		if err != nil {
			return err
		}
		if from.hash != kr.hash || kr.side(from) != 0 {
			return awserr.Validation("The provided starting key is outside query boundaries based on provided conditions")
		}
		if p.r.backward {
			hi = min(hi, sort.Search(len(l), func(i int) bool { return !l[i].less(from) }))
		} else {
			lo = max(lo, sort.Search(len(l), func(i int) bool { return from.less(l[i]) }))
		}
	}
	for n := hi - lo; n > 0 && p.last == nil; n-- {
		if p.r.backward {
			hi--
			p.visit(l[hi])
		} else {
			p.visit(l[lo])
			lo++
		}
	}
	return nil
}

func (p *page) scan() error {
	var from *entry
	if p.r.startKey != nil {
		var err error
		if from, err = p.startEntry(); err != nil {
			return err
		}
	}
	order := p.x.partitions()
	first := 0
	if from != nil {
		first = sort.SearchStrings(order, from.hash)
	}
	for _, h := range order[first:] {
		if !p.inSegment(h) {
			continue
		}
		for _, e := range p.x.parts[h] {
			if from != nil && h == from.hash && !from.less(e) {
				continue
			}
			if p.visit(e); p.last != nil {
				return nil
			}
		}
	}
	return nil
}

func (p *page) inSegment(hash string) bool {
	if p.r.segments < 2 {
		return true
	}
	sum := 0
	for i := range len(hash) {
		sum = (sum*31 + int(hash[i])) & 0xffff
	}
	return sum%p.r.segments == p.r.segment
}

// startEntry turns ExclusiveStartKey into a place in the index.
func (p *page) startEntry() (*entry, error) {
	want := map[string]bool{}
	for _, n := range append(p.t.base.keyNames(), p.x.keyNames()...) {
		want[n] = true
	}
	for n := range want {
		if v, ok := p.r.startKey[n]; !ok || v.Kind != p.t.types[n] {
			return nil, awserr.Validation("The provided starting key is invalid")
		}
	}
	if len(p.r.startKey) != len(want) {
		return nil, awserr.Validation("The provided starting key is invalid")
	}
	id, err := p.t.keyID(p.r.startKey, false)
	if err != nil {
		return nil, err
	}
	e, _ := p.x.entryFor(id, p.r.startKey)
	return e, nil
}

func (p *page) visit(e *entry) {
	p.scanned++
	it := p.x.view(e.item)
	p.bytes += itemSize(it)
	if p.b.filter == nil || p.b.filter.cond.eval(p.b.scope, it) {
		p.count++
		if p.r.selection != "COUNT" {
			p.items = append(p.items, p.b.proj.project(p.b.scope, it))
		}
	}
	if p.bytes >= pageBytes || p.r.limit > 0 && p.scanned == p.r.limit {
		p.last = e
	}
}

func (p *page) encode() []byte {
	out := append(make([]byte, 0, 256+p.bytes*3/2), `{"Count":`...)
	out = strconv.AppendInt(out, int64(p.count), 10)
	out = append(out, `,"ScannedCount":`...)
	out = strconv.AppendInt(out, int64(p.scanned), 10)
	if p.r.selection != "COUNT" {
		out = append(out, `,"Items":[`...)
		for i, it := range p.items {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendItem(out, it)
		}
		out = append(out, ']')
	}
	if p.last != nil {
		key := p.t.keyOf(p.last.item)
		for _, n := range p.x.keyNames() {
			key[n] = p.last.item[n]
		}
		out = appendItem(append(out, `,"LastEvaluatedKey":`...), key)
	}
	return append(out, '}')
}
