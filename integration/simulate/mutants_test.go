package simulate

import (
	"fmt"
	"slices"
	"testing"

	"behalf.dev/behalf/shared/catalog"
)

// TestMutants_EachIsCaught proves that the judge can see: every mistake breaks an invariant, or loses a consent that a
// sound system would not, under some single fault, some pair, or some random schedule.
func TestMutants_EachIsCaught(t *testing.T) {
	t.Parallel()
	names := make([]string, 0, len(Mutants()))
	for name := range Mutants() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			how := caught(t, Mutants()[name])
			if how == "" {
				t.Error("nobody notices")
			}
			t.Log(how)
		})
	}
}

// caught says which schedule gives a mutant away, "" if none does.
func caught(t *testing.T, broken Sabotage) string {
	for _, c := range Classes() {
		spec := specOf(t, c)
		sites := play(c, spec, Plan{}, nil, nil, true).sites
		for _, p := range append([]Plan{{}}, singles(c, spec)...) {
			out := Play(c, spec, p, broken, nil)
			switch {
			case len(out.Problems) > 0:
				return fmt.Sprintf("%s, %s: %s", c.Name, p, out.Problems[0])
			case out.Lost && (len(p.Faults) == 0 || !mayLose(c, p.Faults[0], sites)):
				return fmt.Sprintf("%s, %s: a consent is lost", c.Name, p)
			}
		}
	}
	classes := Classes()
	n := uint64(len(classes))
	specs := make([]*catalog.Connector, n)
	for i, c := range classes {
		specs[i] = specOf(t, c)
	}
	for seed := range uint64(50_000) {
		c := classes[seed%n]
		p := Plan{Seed: seed/n + 1, Rates: Stormy()}
		if out := Play(c, specs[seed%n], p, broken, nil); len(out.Problems) > 0 {
			return fmt.Sprintf("%s, %s: %s", c.Name, p, out.Problems[0])
		}
	}
	return ""
}
