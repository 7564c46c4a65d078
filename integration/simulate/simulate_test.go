package simulate

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"behalf.dev/behalf/shared/catalog"
)

func specOf(t testing.TB, c Class) *catalog.Connector {
	t.Helper()
	cat, err := catalog.Load(fstest.MapFS{"plain/connector.yaml": {Data: []byte(Manifest(c))}})
	if err != nil {
		t.Fatal(err)
	}
	return cat.Connectors()[0]
}

// singles are all plans with one fault, for a class: each kind at each point of an undisturbed schedule.
func singles(c Class, spec *catalog.Connector) []Plan {
	return extended(c, spec, Plan{}, 0)
}

// extended are all plans with one fault more than p, behind the point after.
func extended(c Class, spec *catalog.Connector, p Plan, after int) []Plan {
	var out []Plan
	for i, at := range play(c, spec, p, nil, nil, true).sites {
		if i+1 <= after {
			continue
		}
		for _, k := range at.possible() {
			out = append(out, Plan{Faults: append(p.Faults[:len(p.Faults):len(p.Faults)], Fault{i + 1, k})})
		}
	}
	return out
}

// each plays plans on all cores, and stops at the first that judge calls wrong.
func each(t *testing.T, n int, play func(i int) string) {
	t.Helper()
	var next, failed atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || failed.Load() >= 3 {
					return
				}
				if problem := play(i); problem != "" {
					failed.Add(1)
					t.Error(problem)
				}
			}
		})
	}
	all.Wait()
}

// mayLose tells which single faults cost a consent: for a strict provider an answer that gets lost, and a process that
// dies between the answer and its write.
func mayLose(c Class, f Fault, sites []site) bool {
	if !strings.HasPrefix(c.Rotation, "strict") {
		return false
	}
	at := sites[f.At-1]
	return f.Kind == LostReply || f.Kind == Crash && (at == siteAnswer || at == siteSlot)
}

func TestSchedules_NoFault_OneCall(t *testing.T) {
	t.Parallel()
	for _, c := range Classes() {
		out := Play(c, specOf(t, c), Plan{}, nil, nil)
		if len(out.Problems) > 0 || out.Lost || out.Calls != 2 { // one, and the last call
			t.Errorf("%s: %+v", c.Name, out)
		}
	}
}

func TestSchedules_EachFaultAtEachPoint(t *testing.T) {
	t.Parallel()
	for _, c := range Classes() {
		spec := specOf(t, c)
		sites := play(c, spec, Plan{}, nil, nil, true).sites
		plans, lost := singles(c, spec), 0
		for _, p := range plans {
			out := Play(c, spec, p, nil, nil)
			if out.Lost {
				lost++
			}
			if len(out.Problems) > 0 {
				t.Errorf("%s, %s: %q", c.Name, p, out.Problems)
			}
			if out.Lost && !mayLose(c, p.Faults[0], sites) {
				t.Errorf("%s, %s: a person has to consent again", c.Name, p)
			}
		}
		t.Logf("%-12s %4d schedules with one fault, %d of them lose", c.Name, len(plans), lost)
	}
}

func TestSchedules_EachPairOfFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of schedules")
	}
	start := time.Now()
	total := 0
	for _, c := range Classes() {
		spec := specOf(t, c)
		var plans []Plan
		for _, p := range singles(c, spec) {
			plans = append(plans, extended(c, spec, p, p.Faults[0].At)...)
		}
		var lost atomic.Int64
		each(t, len(plans), func(i int) string {
			out := Play(c, spec, plans[i], nil, nil)
			if out.Lost {
				lost.Add(1)
			}
			if len(out.Problems) > 0 {
				return fmt.Sprintf("%s, %s: %q", c.Name, plans[i], out.Problems)
			}
			return ""
		})
		total += len(plans)
		t.Logf("%-12s %6d schedules with two faults, %d of them lose", c.Name, len(plans), lost.Load())
	}
	t.Logf("%d schedules, %.0f per second", total, float64(total)/time.Since(start).Seconds())
}

// schedules is how many random schedules to play.
func schedules() int {
	if n, err := strconv.Atoi(os.Getenv("BEHALF_SIM_SCHEDULES")); err == nil {
		return n
	}
	return 60_000
}

func TestSchedules_Random(t *testing.T) {
	n, start := schedules(), time.Now()
	classes := Classes()
	specs := make([]*catalog.Connector, len(classes))
	for i, c := range classes {
		specs[i] = specOf(t, c)
	}
	each(t, n, func(i int) string {
		k := i % len(classes)
		seed := uint64(i/len(classes) + 1)
		out := Play(classes[k], specs[k], Plan{Seed: seed, Rates: Stormy()}, nil, nil)
		if len(out.Problems) == 0 {
			return ""
		}
		return fmt.Sprintf("%s: %q\nreplay: BEHALF_SIM_REPLAY=%d:%d go test ./integration/simulate -run Replay -v", classes[k].Name, out.Problems, k, seed)
	})
	t.Logf("%d schedules, %.0f per second", n, float64(n)/time.Since(start).Seconds())
}

// TestLossTable prints how many connections a million refreshes lose at a thousandth of faults per step, next to what an
// independent, coarser simulation of the design published (fewer steps per refresh, so fewer double faults). What a class
// allows to recover must not be lost: a static token and a long grace period never, a short one only to two faults at once.
func TestLossTable(t *testing.T) {
	classes := map[string]struct {
		published string
		faults    int // that it takes to lose
	}{"static": {"0", 1 << 30}, "grace 30 s": {"168", 2}, "grace 10 min": {"10", 1 << 30}, "strict": {"2,948", 1}, "strict, lenient": {"-", 1}}
	n := schedules() / 6
	for _, c := range Classes() {
		spec, want := specOf(t, c), classes[c.Name]
		var lost atomic.Int64
		each(t, n, func(i int) string {
			out := Play(c, spec, Plan{Seed: uint64(i + 1), Rates: Measured()}, nil, nil)
			if out.Lost {
				lost.Add(1)
			}
			if len(out.Problems) > 0 || out.Lost && len(out.Struck) < want.faults {
				return fmt.Sprintf("%s, seed %d: lost %v to %v, %q", c.Name, i+1, out.Lost, out.Struck, out.Problems)
			}
			return ""
		})
		t.Logf("%-16s %6.0f lost per million (published: %5s), no requests side by side, %d schedules", c.Name, float64(lost.Load())*1e6/float64(n), want.published, n)
	}
}

// TestReplay shows one schedule, step by step: BEHALF_SIM_REPLAY is "class:seed", or "class:kind@point,kind@point".
func TestReplay(t *testing.T) {
	what, ok := os.LookupEnv("BEHALF_SIM_REPLAY")
	if !ok {
		t.Skip("BEHALF_SIM_REPLAY names no schedule")
	}
	class, how, _ := strings.Cut(what, ":")
	k, err := strconv.Atoi(class)
	if err != nil || k < 0 || k >= len(Classes()) {
		t.Fatalf("no class %q", class)
	}
	plan := Plan{Rates: Stormy()}
	if plan.Seed, err = strconv.ParseUint(how, 10, 64); err != nil {
		for _, f := range strings.Split(how, ",") {
			kind, at, _ := strings.Cut(f, "@")
			n, err := strconv.Atoi(at)
			if err != nil {
				t.Fatal(err)
			}
			plan.Faults = append(plan.Faults, Fault{n, Kind(kind)})
		}
	}
	c := Classes()[k]
	out := Play(c, specOf(t, c), plan, nil, func(line string) { t.Log(line) })
	t.Logf("%s, %s: lost %v, %d calls", c.Name, plan, out.Lost, out.Calls)
	for _, p := range out.Problems {
		t.Error(p)
	}
}
