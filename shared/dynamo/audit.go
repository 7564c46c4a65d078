package dynamo

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/ident"
	"behalf.dev/behalf/shared/tenant"
)

// auditKept is how long a record stays in the table; the sealer's segments outlive it.
const auditKept = 400 * 24 * time.Hour

// Record appends one audit row. It exists already only if a lost answer made the SDK repeat the write.
func (db *DB) Record(ctx context.Context, r audit.Record) error {
	i, err := document(auditKey(r.Tenant, r.Time, r.ID), 1, r.Stamp())
	if err != nil {
		return err
	}
	i[AttrTTL] = num(r.Time.Add(auditKept).Unix())
	_, err = db.put(ctx, db.names.Audit, i, 0)
	return err
}

// AuditPage asks for records, newest first.
type AuditPage struct {
	// From and To bound the time: From inclusive, To exclusive.
	From, To time.Time
	// Before continues behind the record of this time and id.
	Before   time.Time
	BeforeID string
	Limit    int
	// Keep filters; nil keeps all.
	Keep func(audit.Record) bool
}

// Records lists records newest first. more tells that older ones within From may exist beyond the last one returned.
// Only hours that the sealer saw, and the two newest, are looked into.
func (db *DB) Records(ctx context.Context, t tenant.ID, p AuditPage) (out []audit.Record, more bool, err error) {
	hours, err := db.auditHours(ctx, t, p.From, p.To)
	if err != nil {
		return nil, false, err
	}
	for _, h := range hours {
		if !p.Before.IsZero() && h.After(p.Before) {
			continue
		}
		items, _, err := db.query(ctx, db.names.Audit, page{pk: auditPartition(t, h), backward: true, strong: true})
		if err != nil {
			return nil, false, err
		}
		for _, i := range items {
			var r audit.Record
			if err := decode(i, &r); err != nil {
				return nil, false, err
			}
			if !inPage(r, p) {
				continue
			}
			if len(out) == p.Limit {
				return out, true, nil
			}
			out = append(out, r)
		}
	}
	return out, false, nil
}

// executionSpan is how long after an execution began its last record may have been written: API Gateway waits 29 seconds.
const executionSpan = time.Minute

// Execution returns the records of one execution that began at at, oldest first; none when there was no such execution.
// Records sort by time, so this reads no more than the tenant's records of that minute.
func (db *DB) Execution(ctx context.Context, t tenant.ID, id string, at time.Time) (out []audit.Record, err error) {
	end := at.Add(executionSpan)
	for h := at.UTC().Truncate(time.Hour); !h.After(end); h = h.Add(time.Hour) {
		items, _, err := db.query(ctx, db.names.Audit, page{pk: auditPartition(t, h), from: ident.Floor("aud", at), to: ident.Floor("aud", end), strong: true})
		if err != nil {
			return nil, err
		}
		for _, i := range items {
			var r audit.Record
			if err := decode(i, &r); err != nil {
				return nil, err
			}
			if r.Execution == id {
				out = append(out, r)
			}
		}
	}
	return out, nil
}

func inPage(r audit.Record, p AuditPage) bool {
	if r.Time.Before(p.From) || !r.Time.Before(p.To) {
		return false
	}
	if p.BeforeID != "" && r.ID >= p.BeforeID {
		return false
	}
	return p.Keep == nil || p.Keep(r)
}

// auditHours lists the hours that hold records, newest first.
func (db *DB) auditHours(ctx context.Context, t tenant.ID, from, to time.Time) ([]time.Time, error) {
	items, _, err := db.query(ctx, db.names.Audit, page{pk: chainPartition(t), prefix: "HOUR#", strong: true})
	if err != nil {
		return nil, err
	}
	set := map[time.Time]bool{}
	for _, h := range []time.Time{db.now(), db.now().Add(-time.Hour)} { // the sealer may be behind
		set[h.UTC().Truncate(time.Hour)] = true
	}
	for _, i := range items {
		if h, err := time.Parse("2006010215", strings.TrimPrefix(text(i, attrSK), "HOUR#")); err == nil {
			set[h] = true
		}
	}
	var hours []time.Time
	for h := range set {
		if h.Add(time.Hour).After(from) && h.Before(to) {
			hours = append(hours, h)
		}
	}
	slices.SortFunc(hours, func(a, b time.Time) int { return b.Compare(a) })
	return hours, nil
}

// Segments lists a tenant's chain in order.
func (db *DB) Segments(ctx context.Context, t tenant.ID) ([]audit.Segment, error) {
	items, _, err := db.query(ctx, db.names.Audit, page{pk: chainPartition(t), prefix: "SEG#", strong: true})
	if err != nil {
		return nil, err
	}
	out := make([]audit.Segment, len(items))
	for n, i := range items {
		if err := decode(i, &out[n]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Append seals records of one tenant into the next segment, and lists their hours. Records that the last segment holds already
// are a batch delivered again, and that segment is returned. Two sealers at once make two
// segments, one after the other.
func (db *DB) Append(ctx context.Context, t tenant.ID, records []audit.Record) (audit.Segment, error) {
	for range maxRaces {
		last, _, err := db.query(ctx, db.names.Audit, page{pk: chainPartition(t), prefix: "SEG#", limit: 1, backward: true, strong: true})
		if err != nil {
			return audit.Segment{}, err
		}
		var prev *audit.Segment
		if len(last) > 0 {
			prev = new(audit.Segment)
			if err := decode(last[0], prev); err != nil {
				return audit.Segment{}, err
			}
			if prev.Seals(records) {
				return *prev, db.listHours(ctx, t, records)
			}
		}
		s := audit.NextSegment(prev, records, db.now())
		i, err := document(segmentKey(t, s.Seq), 1, s)
		if err != nil {
			return s, err
		}
		if _, err = db.put(ctx, db.names.Audit, i, 0); err == nil {
			return s, db.listHours(ctx, t, records)
		} else if !errors.Is(err, errLost) {
			return s, err
		}
	}
	return audit.Segment{}, errLost
}

// Kept says up to which segment a chain has been copied to where nobody can change it.
type Kept struct {
	// Seq is the last copied segment, 0 for none.
	Seq uint64 `json:"seq"`

	version uint64
}

// Unkept lists the segments that were not copied yet, oldest first and at most limit, and the mark to move on with SetKept.
// A copy that failed is found again by it, and so are chains from before there was a bucket.
func (db *DB) Unkept(ctx context.Context, t tenant.ID, limit int) ([]audit.Segment, Kept, error) {
	var k Kept
	i, err := db.get(ctx, db.names.Audit, keptKey(t))
	if err != nil {
		return nil, k, err
	}
	if i != nil {
		if err := decode(i, &k); err != nil {
			return nil, k, err
		}
		k.version = number(i, attrVersion)
	}
	p := page{pk: chainPartition(t), prefix: "SEG#", limit: int32(limit), strong: true}
	if k.Seq > 0 {
		p.after = segmentKey(t, k.Seq).sk
	}
	items, _, err := db.query(ctx, db.names.Audit, p)
	if err != nil {
		return nil, k, err
	}
	out := make([]audit.Segment, len(items))
	for n, i := range items {
		if err := decode(i, &out[n]); err != nil {
			return nil, k, err
		}
	}
	return out, k, nil
}

// SetKept moves the mark that Unkept returned to seq. It is no error when another sealer moved it first: both copied the same.
func (db *DB) SetKept(ctx context.Context, t tenant.ID, old Kept, seq uint64) error {
	i, err := document(keptKey(t), old.version+1, Kept{Seq: seq})
	if err != nil {
		return err
	}
	if _, err = db.put(ctx, db.names.Audit, i, old.version); errors.Is(err, errLost) {
		return nil
	}
	return err
}

func (db *DB) listHours(ctx context.Context, t tenant.ID, records []audit.Record) error {
	done := map[key]bool{}
	for _, r := range records {
		k := hourKey(t, r.Time)
		if done[k] {
			continue
		}
		done[k] = true
		if _, err := db.put(ctx, db.names.Audit, k.item(), 0); err != nil && !errors.Is(err, errLost) {
			return err
		}
	}
	return nil
}

var _ audit.Recorder = (*DB)(nil)
