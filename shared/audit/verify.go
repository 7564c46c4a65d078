package audit

import (
	"fmt"
	"time"
)

// Report is the result of Verify.
type Report struct {
	Records  int `json:"records"`
	Segments int `json:"segments"`
	// Unsealed are records newer than the last segment: not yet covered, not wrong.
	Unsealed int `json:"unsealed"`
	// Kept are copies of segments from the bucket that the export was held against.
	Kept int `json:"kept,omitempty"`
	// Head is the hash of the last segment; whoever kept an earlier head can see that the chain only grew.
	Head string `json:"head"`
	// Problems name what does not fit, first break first. Empty means that the trail is intact.
	Problems []string `json:"problems"`
}

// OK reports that nothing was changed, removed or inserted.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// Verify recomputes the chain of one tenant. records and segments are a complete export, in any order of records and
// ascending order of segments. A record that no segment seals counts as unsealed while it is younger than grace, and as
// a problem after: the sealer is behind, or the row was inserted past it.
func Verify(records []Record, segments []Segment, now time.Time, grace time.Duration) Report {
	rep := Report{Records: len(records), Segments: len(segments), Problems: []string{}}
	sealed := verifySegments(segments, &rep)
	have := make(map[string]string, len(records))
	for _, r := range records {
		have[r.ID] = HashRecord(r)
		want, ok := sealed[r.ID]
		switch {
		case !ok && now.Sub(r.Time) < grace:
			rep.Unsealed++
		case !ok:
			rep.problem("record %s of %s is in no segment", r.ID, r.Time.Format(time.RFC3339))
		case want != have[r.ID] && r.Format > Format:
			rep.problem("record %s has format %d, which is newer than this program (%d): verify it with a newer one", r.ID, r.Format, Format)
		case want != have[r.ID]:
			rep.problem("record %s was changed after it was sealed", r.ID)
		}
	}
	for _, s := range segments {
		for _, r := range s.Records {
			if _, ok := have[r.ID]; !ok {
				rep.problem("record %s of segment %d is missing", r.ID, s.Seq)
			}
		}
	}
	return rep
}

// verifySegments checks the links and returns record hashes by id.
func verifySegments(segments []Segment, rep *Report) map[string]string {
	sealed := map[string]string{}
	for i, s := range segments {
		if s.Seq != uint64(i+1) {
			rep.problem("segment %d stands where segment %d should", s.Seq, i+1)
		}
		if s.sum() != s.Hash {
			rep.problem("segment %d was changed: its hash does not match its content", s.Seq)
		}
		if i > 0 && s.Prev != segments[i-1].Hash || i == 0 && s.Prev != "" {
			rep.problem("segment %d does not follow the one before it", s.Seq)
		}
		for _, r := range s.Records {
			if old, ok := sealed[r.ID]; ok && old != r.Hash {
				rep.problem("record %s was sealed twice with different content", r.ID)
			}
			sealed[r.ID] = r.Hash
		}
		rep.Head = s.Hash
	}
	return sealed
}

func (r *Report) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}
