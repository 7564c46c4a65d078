package ddb

import (
	"encoding/json"
	"fmt"
	"time"
)

// itemRecord is the journal form of one changed item; New is nil for a deletion.
type itemRecord struct {
	Table   string
	Key     Item
	New     Item `json:",omitempty"`
	Expired bool `json:",omitempty"`
}

// commit journals a set of changes as one record, so that a transaction is restored whole or
// not at all, and applies them; the caller holds the lock.
func (d *DB) commit(changes []change) {
	recs := make([]itemRecord, 0, len(changes))
	for _, c := range changes {
		if !c.write || c.old == nil && c.new == nil {
			continue
		}
		key := c.new
		if key == nil {
			key = c.old
		}
		recs = append(recs, itemRecord{Table: c.table.spec.TableName, Key: c.table.keyOf(key), New: c.new, Expired: c.expired})
	}
	if len(recs) > 0 {
		d.opt.Journal("items", recs)
	}
	for _, c := range changes {
		if c.write {
			d.apply(c)
		}
	}
}

// install creates a table from its record.
func (d *DB) install(rec createRecord) *table {
	t := rec.Spec.build()
	t.arn, t.id, t.created = d.arn(rec.Spec.TableName), rec.ID, time.Unix(0, rec.Created)
	t.setTTL(rec.Spec.TimeToLive)
	_ = t.setPolicy(rec.Spec.ResourcePolicy) // parsed once already when the table was created
	if s := rec.Spec.StreamSpecification; s != nil && s.StreamEnabled {
		label := t.created.UTC().Format("2006-01-02T15:04:05.000")
		t.stream = &stream{arn: t.arn + "/stream/" + label, label: label, view: s.StreamViewType, seq: rec.Seq}
	}
	d.tables[rec.Spec.TableName] = t
	return t
}

// streamRecord is the journal form of a retained stream record.
type streamRecord struct {
	Table  string
	Seq    int64
	Record *Record
}

// Restore applies one journal record; call it before the DB is used.
func (d *DB) Restore(kind string, data []byte) error {
	switch kind {
	case "table":
		var rec createRecord
		if err := json.Unmarshal(data, &rec); err != nil {
			return fmt.Errorf("restore table: %w", err)
		}
		d.install(rec)
	case "drop":
		var name string
		if err := json.Unmarshal(data, &name); err != nil {
			return fmt.Errorf("restore table deletion: %w", err)
		}
		delete(d.tables, name)
	case "ttl":
		var rec ttlRecord
		if err := json.Unmarshal(data, &rec); err != nil {
			return fmt.Errorf("restore TTL: %w", err)
		}
		if t := d.tables[rec.Table]; t != nil {
			t.setTTL(rec.TTL)
		}
	case "stream":
		var rec streamRecord
		if err := json.Unmarshal(data, &rec); err != nil {
			return fmt.Errorf("restore stream: %w", err)
		}
		if t := d.tables[rec.Table]; t != nil && t.stream != nil {
			rec.Record.seq = rec.Seq
			t.stream.records = append(t.stream.records, rec.Record)
		}
	default:
		return d.restoreItems(kind, data)
	}
	return nil
}

// restoreItems replays item changes ("items") or loads a compacted item ("item", no stream record).
func (d *DB) restoreItems(kind string, data []byte) error {
	var recs []itemRecord
	if err := json.Unmarshal(data, &recs); err != nil {
		return fmt.Errorf("restore items: %w", err)
	}
	for _, rec := range recs {
		t := d.tables[rec.Table]
		if t == nil {
			continue
		}
		id, err := t.keyID(rec.Key, true)
		if err != nil {
			return fmt.Errorf("restore item of %s: %w", rec.Table, err)
		}
		c := change{table: t, id: id, new: rec.New, write: true, expired: rec.Expired}
		if e := t.byID[id]; e != nil {
			c.old = e.item
		}
		held := t.stream
		if kind == "item" {
			t.stream = nil
		}
		d.apply(c)
		t.stream = held
	}
	return nil
}

// Snapshot emits records that restore the present state, for compaction.
func (d *DB) Snapshot(emit func(kind string, record any)) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for name, t := range d.tables {
		rec := createRecord{Spec: t.spec, ID: t.id, Created: t.created.UnixNano()}
		if t.stream != nil {
			rec.Seq = t.stream.seq
		}
		emit("table", rec)
		for _, e := range t.byID {
			emit("item", []itemRecord{{Table: name, Key: t.keyOf(e.item), New: e.item}})
		}
		if t.stream == nil {
			continue
		}
		for _, r := range t.stream.records {
			emit("stream", streamRecord{name, r.seq, r})
		}
	}
}
