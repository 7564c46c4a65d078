package memory

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/tenant"
)

// Record appends one audit row; fault.Conflict if its id exists at that time.
func (s *Store) Record(ctx context.Context, r audit.Record) error {
	return s.do(ctx, "Record", func() error {
		if s.recorded[idKey{r.Tenant, r.ID}] {
			return errLost
		}
		row, err := encode(r.Stamp(), 1)
		if err == nil {
			s.records[r.Tenant], s.recorded[idKey{r.Tenant, r.ID}] = append(s.records[r.Tenant], row), true
		}
		return err
	})
}

// Records lists records newest first. more tells that older ones may exist beyond the last one returned.
func (s *Store) Records(ctx context.Context, t tenant.ID, p dynamo.AuditPage) (out []audit.Record, more bool, err error) {
	var all []audit.Record
	err = s.do(ctx, "Records", func() error {
		for _, row := range s.records[t] {
			var r audit.Record
			if err := row.decode(&r); err != nil {
				return err
			}
			all = append(all, r)
		}
		return nil
	})
	slices.SortFunc(all, func(a, b audit.Record) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.ID, a.ID)) })
	for _, r := range all {
		outside := r.Time.Before(p.From) || !r.Time.Before(p.To) || p.BeforeID != "" && r.ID >= p.BeforeID
		if outside || p.Keep != nil && !p.Keep(r) {
			continue
		}
		if len(out) == p.Limit {
			return out, true, err
		}
		out = append(out, r)
	}
	return out, false, err
}

// Execution returns the records of one execution, oldest first.
func (s *Store) Execution(ctx context.Context, t tenant.ID, id string, at time.Time) ([]audit.Record, error) {
	all, _, err := s.Records(ctx, t, dynamo.AuditPage{From: at.Add(-time.Second), To: at.Add(2 * time.Minute), Limit: math.MaxInt, Keep: func(r audit.Record) bool { return r.Execution == id }})
	slices.Reverse(all)
	return all, err
}

// Segments lists a tenant's chain in order.
func (s *Store) Segments(ctx context.Context, t tenant.ID) (out []audit.Segment, err error) {
	err = s.do(ctx, "Segments", func() error {
		out = make([]audit.Segment, len(s.segments[t]))
		for n, r := range s.segments[t] {
			if err := r.decode(&out[n]); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// Append seals records of one tenant into the next segment, unless the last one holds them all.
func (s *Store) Append(ctx context.Context, t tenant.ID, records []audit.Record) (seg audit.Segment, err error) {
	err = s.do(ctx, "Append", func() error {
		var prev *audit.Segment
		if n := len(s.segments[t]); n > 0 {
			prev = new(audit.Segment)
			if err := s.segments[t][n-1].decode(prev); err != nil {
				return err
			}
			if prev.Seals(records) {
				seg = *prev
				return nil
			}
		}
		seg = audit.NextSegment(prev, records, s.now())
		r, err := encode(seg, 1)
		if err == nil {
			s.segments[t] = append(s.segments[t], r)
		}
		return err
	})
	return seg, err
}

// Unkept lists the segments behind the mark, oldest first and at most limit, and the mark.
func (s *Store) Unkept(ctx context.Context, t tenant.ID, limit int) (out []audit.Segment, k dynamo.Kept, err error) {
	err = s.do(ctx, "Unkept", func() error {
		k.Seq = s.kept[t]
		for _, r := range s.segments[t][min(k.Seq, uint64(len(s.segments[t]))):] {
			var seg audit.Segment
			if err := r.decode(&seg); err != nil || len(out) == limit {
				return err
			}
			out = append(out, seg)
		}
		return nil
	})
	return out, k, err
}

// SetKept moves the mark, unless it was moved since Unkept returned old.
func (s *Store) SetKept(ctx context.Context, t tenant.ID, old dynamo.Kept, seq uint64) error {
	return s.do(ctx, "SetKept", func() error {
		if s.kept[t] == old.Seq {
			s.kept[t] = seq
		}
		return nil
	})
}

var _ audit.Recorder = (*Store)(nil)
