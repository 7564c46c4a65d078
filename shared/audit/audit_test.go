package audit_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/audit"
)

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC)

func trail(n int) (records []audit.Record, segments []audit.Segment) {
	var prev *audit.Segment
	for i := range n {
		a := audit.Record{ID: fmt.Sprintf("aud_%03da", i), Kind: audit.ExecutionIntent, Time: t0.Add(time.Duration(i) * time.Second), Tenant: "acme", Scopes: []string{"repo"}}
		b := a
		b.ID, b.Kind, b.Outcome = fmt.Sprintf("aud_%03db", i), audit.ExecutionOutcome, "succeeded"
		records = append(records, a, b)
		s := audit.NextSegment(prev, []audit.Record{b, a, a}, t0)
		segments = append(segments, s)
		prev = &s
	}
	return records, segments
}

func TestVerify_IntactTrail_SurvivesJSON(t *testing.T) {
	t.Parallel()
	recs, segs := trail(5)
	b, err := json.Marshal(map[string]any{"r": recs, "s": segs})
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		R []audit.Record
		S []audit.Segment
	}
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	rep := audit.Verify(back.R, back.S, t0, time.Minute)
	if !rep.OK() || rep.Records != 10 || rep.Segments != 5 || rep.Head != segs[4].Hash {
		t.Errorf("%+v", rep)
	}
}

func TestVerify_EachTamper_IsNamed(t *testing.T) {
	t.Parallel()
	late := t0.Add(24 * time.Hour)
	cases := map[string]struct {
		tamper func(r []audit.Record, s []audit.Segment) ([]audit.Record, []audit.Segment)
		want   string
	}{
		"changed record": {func(r []audit.Record, s []audit.Segment) ([]audit.Record, []audit.Segment) {
			r[3].Tool = "x"
			return r, s
		}, "aud_001b was changed"},
		"removed record": {func(r []audit.Record, s []audit.Segment) ([]audit.Record, []audit.Segment) {
			return slices.Delete(r, 2, 3), s
		}, "aud_001a of segment 2 is missing"},
		"inserted record": {func(r []audit.Record, s []audit.Segment) ([]audit.Record, []audit.Segment) {
			x := r[0]
			x.ID = "aud_zzz"
			return append(r, x), s
		}, "aud_zzz of"},
		"changed segment": {func(r []audit.Record, s []audit.Segment) ([]audit.Record, []audit.Segment) {
			s[1].Records[0].Hash = "00"
			return r, s
		}, "segment 2 was changed"},
		"removed segment": {func(r []audit.Record, s []audit.Segment) ([]audit.Record, []audit.Segment) {
			return r, slices.Delete(s, 1, 2)
		}, "segment 3 stands where segment 2 should"},
		"cut tail": {func(r []audit.Record, s []audit.Segment) ([]audit.Record, []audit.Segment) { return r, s[:3] }, "is in no segment"},
		"rebuilt link": {func(r []audit.Record, s []audit.Segment) ([]audit.Record, []audit.Segment) {
			s[2] = audit.NextSegment(nil, r[4:6], t0)
			return r, s
		}, "segment"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, s := c.tamper(trail(4))
			rep := audit.Verify(r, s, late, time.Minute)
			if rep.OK() || !strings.Contains(strings.Join(rep.Problems, "\n"), c.want) {
				t.Errorf("%+v", rep)
			}
		})
	}
}

func TestVerify_YoungRecord_IsUnsealedNotWrong(t *testing.T) {
	t.Parallel()
	r, s := trail(2)
	r = append(r, audit.Record{ID: "aud_new", Time: t0})
	rep := audit.Verify(r, s, t0.Add(time.Second), time.Minute)
	if !rep.OK() || rep.Unsealed != 1 {
		t.Errorf("%+v", rep)
	}
}
