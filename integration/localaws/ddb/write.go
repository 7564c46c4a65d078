package ddb

import (
	"strconv"

	"behalf.dev/behalf/integration/localaws/awserr"
)

// change is one planned write.
type change struct {
	table    *table
	id       string
	old, new Item
	write    bool // false for a condition check
	expired  bool // deleted by TTL
}

// planned is an error that belongs to the state of an item, not to the request. A transaction
// reports it as the reason of that item.
type planned struct{ cause *awserr.Error }

func (p planned) Error() string { return p.cause.Error() }

// Unwrap makes errors.As find the service error.
func (p planned) Unwrap() error { return p.cause }

// plan checks one write against the current state; the caller holds the lock.
func (d *DB) plan(verb string, r *Request, b *bound) (change, error) {
	t, err := d.find(r.table)
	if err != nil {
		return change{}, err
	}
	c := change{table: t, write: verb != "ConditionCheck"}
	m := r.key
	if verb == "Put" {
		m = r.item
	}
	if c.id, err = t.keyID(m, verb != "Put"); err != nil {
		return c, err
	}
	if b.update != nil {
		if err := t.guardKeys(b); err != nil {
			return c, err
		}
	}
	if verb == "Put" {
		if err := t.checkItem(r.item); err != nil {
			return c, planned{err.(*awserr.Error)}
		}
	}
	if e := t.byID[c.id]; e != nil {
		c.old = e.item
	}
	if b.condition != nil && !b.condition.cond.eval(b.scope, c.old) {
		return c, conditionFailed(r, c.old)
	}
	return c, c.compute(verb, r, b)
}

func conditionFailed(r *Request, old Item) error {
	e := awserr.New("ConditionalCheckFailedException", "The conditional request failed")
	if r.onFailure == "ALL_OLD" && old != nil {
		e.Fields = map[string]any{"Item": old}
	}
	return e
}

// compute fills in the new item.
func (c *change) compute(verb string, r *Request, b *bound) error {
	switch verb {
	case "Put":
		c.new = r.item
	case "Update":
		start := c.old
		if start == nil {
			start = r.key
		}
		if b.update == nil {
			c.new = start
			return nil
		}
		var err error
		if c.new, err = b.update.update(b.scope, start); err != nil {
			return planned{err.(*awserr.Error)}
		}
		if err := c.table.checkItem(c.new); err != nil {
			return planned{err.(*awserr.Error)}
		}
	}
	return nil
}

// guardKeys refuses an update of a key attribute.
func (t *table) guardKeys(b *bound) error {
	for _, a := range b.update.actions {
		name := a.path[0].resolve(b.names)
		if name == t.base.hash || name == t.base.sort {
			return awserr.Validation("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", name)
		}
	}
	return nil
}

// apply makes a change visible; the caller holds the lock.
func (d *DB) apply(c change) {
	t := c.table
	if c.old != nil {
		t.size -= itemSize(c.old)
	}
	if c.new != nil {
		t.size += itemSize(c.new)
		e, _ := t.base.entryFor(c.id, c.new)
		t.byID[c.id] = e
		t.base.put(e)
	} else if old := t.byID[c.id]; old != nil {
		t.base.remove(old)
		delete(t.byID, c.id)
	}
	if len(t.gsi) > 0 {
		t.pending = append(t.pending, func() { t.reindex(c) })
		t.settle(d.lag)
	}
	if t.stream != nil && (c.old != nil || c.new != nil) {
		t.stream.add(d.opt.Now(), t, c)
	}
}

// settle applies the index writes except the newest keep ones.
func (t *table) settle(keep int) {
	for len(t.pending) > keep {
		t.pending[0]()
		t.pending = t.pending[1:]
	}
	if len(t.pending) == 0 {
		t.pending = nil
	}
}

func (t *table) reindex(c change) {
	for _, x := range t.gsi {
		if c.old != nil {
			if e, ok := x.entryFor(c.id, c.old); ok {
				x.remove(e)
			}
		}
		if c.new != nil {
			if e, ok := x.entryFor(c.id, c.new); ok {
				x.put(e)
			}
		}
	}
}

// SetIndexLag holds back the newest n writes of each table from its indexes, so a test can meet
// an eventually consistent index. 0 turns it off and settles.
func (d *DB) SetIndexLag(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lag = n
	for _, t := range d.tables {
		t.settle(n)
	}
}

// Settle makes all indexes current, whatever the lag.
func (d *DB) Settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.tables {
		t.settle(0)
	}
}

func (d *DB) writeItem(r *Request) ([]byte, error) {
	verb := r.op[:len(r.op)-len("Item")]
	if err := r.checkReturn(verb); err != nil {
		return nil, err
	}
	b, err := d.bind(r)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	c, err := d.plan(verb, r, b)
	if err == nil {
		d.commit([]change{c})
	}
	d.mu.Unlock()
	if err != nil {
		return nil, unplanned(err)
	}
	if c.table.stream != nil {
		d.opt.Changed()
	}
	return r.answer(c, b), nil
}

func unplanned(err error) error {
	if p, ok := err.(planned); ok {
		return p.cause
	}
	return err
}

func (r *Request) checkReturn(verb string) error {
	switch r.returnValues {
	case "", "NONE", "ALL_OLD":
		return nil
	case "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW":
		if verb == "Update" {
			return nil
		}
		return awserr.Validation("ReturnValues can only be ALL_OLD or NONE")
	}
	return awserr.Validation("1 validation error detected: Value '%s' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]", r.returnValues)
}

// answer encodes the attributes that ReturnValues asks for.
func (r *Request) answer(c change, b *bound) []byte {
	var it Item
	switch r.returnValues {
	case "ALL_OLD":
		it = c.old
	case "ALL_NEW":
		it = c.new
	case "UPDATED_OLD", "UPDATED_NEW":
		it = c.old
		if r.returnValues == "UPDATED_NEW" {
			it = c.new
		}
		it = updatedOnly(it, b)
	}
	if it == nil {
		return []byte("{}")
	}
	out := append(make([]byte, 0, 512), `{"Attributes":`...)
	return append(appendItem(out, it), '}')
}

func updatedOnly(it Item, b *bound) Item {
	if b.update == nil || it == nil {
		return nil
	}
	e := &expression{}
	for _, a := range b.update.actions {
		e.paths = append(e.paths, a.path)
	}
	if got := e.project(b.scope, it); len(got) > 0 {
		return got
	}
	return nil
}

// sequence formats a stream sequence number so that it sorts as text.
func sequence(n int64) string {
	s := strconv.FormatInt(n, 10)
	return "000000000000000000000"[:21-len(s)] + s
}
