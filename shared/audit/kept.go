package audit

import (
	"fmt"
	"time"
)

// VerifyKept is Verify with the copies of segments that lie where nobody can change them, in ascending order. They are taken for
// the truth: somebody who can write the table can rebuild the whole chain in it, which then fits in itself, and no longer fits
// its copies. A segment that is only in the table may be younger than grace, and else was held back from the bucket.
func VerifyKept(records []Record, segments, kept []Segment, now time.Time, grace time.Duration) Report {
	bySeq := make(map[uint64]Segment, len(segments))
	for _, s := range segments {
		bySeq[s.Seq] = s
	}
	var found []string
	last := uint64(0)
	for _, k := range kept {
		last = max(last, k.Seq)
		switch s, ok := bySeq[k.Seq]; {
		case !ok:
			found = append(found, fmt.Sprintf("segment %d is in the bucket and not in the export: it was removed from the table", k.Seq))
		case s.Hash != k.Hash:
			found = append(found, fmt.Sprintf("segment %d differs from its copy in the bucket: the chain was rebuilt", k.Seq))
		}
	}
	whole := append([]Segment(nil), kept...)
	for _, s := range segments {
		if s.Seq <= last {
			continue
		}
		if now.Sub(s.Time) >= grace {
			found = append(found, fmt.Sprintf("segment %d of %s is not in the bucket", s.Seq, s.Time.Format(time.RFC3339)))
		}
		whole = append(whole, s)
	}
	rep := Verify(records, whole, now, grace)
	rep.Kept = len(kept)
	rep.Problems = append(found, rep.Problems...)
	return rep
}

// VerifySegments checks a chain without its records: that no segment was changed, removed or put in.
func VerifySegments(segments []Segment) Report {
	rep := Report{Segments: len(segments), Problems: []string{}}
	verifySegments(segments, &rep)
	return rep
}
