package audit_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/audit"
)

// rebuilt is what an attacker with the table can do: change a record and make every segment anew, so that the chain fits.
func rebuilt(records []audit.Record, segments []audit.Segment) ([]audit.Record, []audit.Segment) {
	records = slices.Clone(records)
	records[1].Principal = "user_mallory"
	byID := map[string]audit.Record{}
	for _, r := range records {
		byID[r.ID] = r
	}
	var out []audit.Segment
	var prev *audit.Segment
	for _, s := range segments {
		var in []audit.Record
		for _, r := range s.Records {
			in = append(in, byID[r.ID])
		}
		n := audit.NextSegment(prev, in, s.Time)
		out, prev = append(out, n), &n
	}
	return records, out
}

func TestVerifyKept_RebuiltChain_FitsInItselfAndNotItsCopies(t *testing.T) {
	t.Parallel()
	records, kept := trail(4)
	late := t0.Add(24 * time.Hour)
	if rep := audit.VerifyKept(records, kept, kept, late, time.Minute); !rep.OK() || rep.Kept != 4 || rep.Records != 8 {
		t.Fatalf("untouched: %+v", rep)
	}
	changed, segments := rebuilt(records, kept)
	if rep := audit.Verify(changed, segments, late, time.Minute); !rep.OK() {
		t.Fatalf("the attacker was clumsy: %v", rep.Problems)
	}
	rep := audit.VerifyKept(changed, segments, kept, late, time.Minute)
	all := strings.Join(rep.Problems, "\n")
	if !strings.Contains(all, "segment 1 differs from its copy") || !strings.Contains(all, "record aud_000b was changed") {
		t.Errorf("%v", rep.Problems)
	}
}

func TestVerifyKept_EachDisagreement_IsNamed(t *testing.T) {
	t.Parallel()
	records, segments := trail(4)
	for name, c := range map[string]struct {
		records        []audit.Record
		segments, kept []audit.Segment
		at             time.Time
		want           string // "" for none
	}{
		"copy under way":         {records, segments, segments[:3], t0.Add(time.Second), ""},
		"copy held back":         {records, segments, segments[:3], t0.Add(time.Hour), "segment 4 of"},
		"tail cut off the table": {records[:6], segments[:3], segments, t0.Add(time.Hour), "segment 4 is in the bucket and not in the export"},
		"all deleted":            {nil, nil, segments, t0.Add(time.Hour), "record aud_000a of segment 1 is missing"},
		"gap in the bucket":      {records, segments, slices.Delete(slices.Clone(segments), 1, 2), t0.Add(time.Hour), "segment 3 stands where segment 2 should"},
		"nothing in the bucket":  {records, segments, nil, t0.Add(time.Hour), "segment 1 of"},
	} {
		rep := audit.VerifyKept(c.records, c.segments, c.kept, c.at, time.Minute)
		if all := strings.Join(rep.Problems, "\n"); c.want == "" != rep.OK() || !strings.Contains(all, c.want) {
			t.Errorf("%s: %v", name, rep.Problems)
		}
	}
}

func TestVerifySegments_ChainAlone(t *testing.T) {
	t.Parallel()
	_, segments := trail(3)
	if rep := audit.VerifySegments(segments); !rep.OK() || rep.Segments != 3 || rep.Head != segments[2].Hash {
		t.Errorf("%+v", rep)
	}
	segments[1].Time = segments[1].Time.Add(time.Second)
	if audit.VerifySegments(segments).OK() {
		t.Error("a changed segment was not noticed")
	}
}

func TestSeals_BatchDeliveredAgain_IsRecognised(t *testing.T) {
	t.Parallel()
	records, segments := trail(1)
	changed := slices.Clone(records)
	changed[0].Tool = "x"
	for name, c := range map[string]struct {
		records []audit.Record
		want    bool
	}{"all": {records, true}, "half": {records[:1], true}, "none": {nil, false}, "changed": {changed, false}, "one more": {append(slices.Clone(records), audit.Record{ID: "aud_x"}), false}} {
		if got := segments[0].Seals(c.records); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
