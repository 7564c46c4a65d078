package ddb

import (
	"behalf.dev/behalf/integration/localaws/awserr"
)

func (d *DB) getItem(r *Request) ([]byte, error) {
	b, err := d.bind(r)
	if err != nil {
		return nil, err
	}
	d.mu.RLock()
	it, err := d.lookup(r)
	d.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	if it == nil {
		return []byte("{}"), nil
	}
	out := append(make([]byte, 0, 1024), `{"Item":`...)
	return append(appendItem(out, b.proj.project(b.scope, it)), '}'), nil
}

// lookup finds the item of a Key; the caller holds the lock.
func (d *DB) lookup(r *Request) (Item, error) {
	t, err := d.find(r.table)
	if err != nil {
		return nil, err
	}
	id, err := t.keyID(r.key, true)
	if err != nil {
		return nil, err
	}
	if e := t.byID[id]; e != nil {
		return e.item, nil
	}
	return nil, nil
}

// gets runs the reads of a batch or transaction under one lock, so they see one state.
func (d *DB) gets(parts []part) ([]Item, error) {
	bounds := make([]*bound, len(parts))
	for i, p := range parts {
		b, err := d.bind(p.req)
		if err != nil {
			return nil, err
		}
		bounds[i] = b
	}
	out := make([]Item, len(parts))
	d.mu.RLock()
	defer d.mu.RUnlock()
	for i, p := range parts {
		it, err := d.lookup(p.req)
		if err != nil {
			return nil, err
		}
		out[i] = bounds[i].proj.project(bounds[i].scope, it)
	}
	return out, nil
}

func (d *DB) transactGet(r *Request) ([]byte, error) {
	if err := r.checkCount(100); err != nil {
		return nil, err
	}
	if err := d.distinct(r.parts, "Transaction request cannot include multiple operations on one item"); err != nil {
		return nil, err
	}
	items, err := d.gets(r.parts)
	if err != nil {
		return nil, err
	}
	out := []byte(`{"Responses":[`)
	for i, it := range items {
		if i > 0 {
			out = append(out, ',')
		}
		if it == nil {
			out = append(out, "{}"...)
			continue
		}
		out = append(appendItem(append(out, `{"Item":`...), it), '}')
	}
	return append(out, "]}"...), nil
}

func (r *Request) checkCount(most int) error {
	if n := len(r.parts); n == 0 || n > most {
		return awserr.Validation("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to %d and greater than or equal to 1", most)
	}
	return nil
}

func (d *DB) batchGet(r *Request) ([]byte, error) {
	if n := len(r.parts); n == 0 || n > 100 {
		return nil, awserr.Validation("Too many items requested for the BatchGetItem call")
	}
	if err := d.distinct(r.parts, "Provided list of item keys contains duplicates"); err != nil {
		return nil, err
	}
	items, err := d.gets(r.parts)
	if err != nil {
		return nil, err
	}
	out := []byte(`{"UnprocessedKeys":{},"Responses":{`)
	for i := range r.parts {
		name := r.parts[i].req.table
		if i == 0 || name != r.parts[i-1].req.table {
			if i > 0 {
				out = append(out, "],"...)
			}
			out = append(appendString(out, name), ":["...)
		}
		if items[i] == nil {
			continue
		}
		if out[len(out)-1] != '[' {
			out = append(out, ',')
		}
		out = appendItem(out, items[i])
	}
	return append(out, "]}}"...), nil
}

// distinct refuses two operations on one item.
func (d *DB) distinct(parts []part, message string) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	seen := make(map[string]bool, len(parts))
	for _, p := range parts {
		t, err := d.find(p.req.table)
		if err != nil {
			return err
		}
		m, exact := p.req.key, true
		if m == nil {
			m, exact = p.req.item, false
		}
		id, err := t.keyID(m, exact)
		if err != nil {
			return err
		}
		id = t.spec.TableName + "/" + id
		if seen[id] {
			return awserr.Validation("%s", message)
		}
		seen[id] = true
	}
	return nil
}

func (d *DB) batchWrite(r *Request) ([]byte, error) {
	if n := len(r.parts); n == 0 || n > 25 {
		return nil, awserr.Validation("Too many items requested for the BatchWriteItem call")
	}
	if err := d.distinct(r.parts, "Provided list of item keys contains duplicates"); err != nil {
		return nil, err
	}
	d.mu.Lock()
	changes := make([]change, 0, len(r.parts))
	for _, p := range r.parts {
		c, err := d.plan(p.verb, p.req, &bound{})
		if err != nil {
			d.mu.Unlock()
			return nil, unplanned(err)
		}
		changes = append(changes, c)
	}
	d.commit(changes)
	d.mu.Unlock()
	d.opt.Changed()
	return []byte(`{"UnprocessedItems":{}}`), nil
}
