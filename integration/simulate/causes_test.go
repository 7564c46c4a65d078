package simulate

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var strikes = regexp.MustCompile(`(\S+) strikes at (.+) \(point \d+\)`)

// TestLossCauses prints by what sequence of faults connections of the class with 30 seconds of grace are lost, at the rates of the
// loss table: BEHALF_SIM_CAUSES says how many schedules to play (40,000 take ten seconds).
func TestLossCauses(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("BEHALF_SIM_CAUSES"))
	if err != nil {
		t.Skip("BEHALF_SIM_CAUSES names no number of schedules")
	}
	c := Classes()[1]
	spec := specOf(t, c)
	causes := map[string][]int{}
	var mu sync.Mutex
	each(t, n, func(i int) string {
		plan := Plan{Seed: uint64(i + 1), Rates: Measured()}
		if !Play(c, spec, plan, nil, nil).Lost {
			return ""
		}
		var faults []string
		Play(c, spec, plan, nil, func(line string) { // the same again, told
			if m := strikes.FindStringSubmatch(line); m != nil {
				faults = append(faults, m[1]+" at "+m[2])
			}
		})
		mu.Lock()
		defer mu.Unlock()
		what := strings.Join(faults, ", then ")
		causes[what] = append(causes[what], i+1)
		return ""
	})
	var lines []string
	total := 0
	for what, seeds := range causes {
		total += len(seeds)
		slices.Sort(seeds)
		lines = append(lines, strconv.Itoa(len(seeds))+"  "+what+"  (seed "+strconv.Itoa(seeds[0])+")")
	}
	slices.Sort(lines)
	slices.Reverse(lines)
	t.Logf("%s: %d of %d schedules lose, %.0f per million\n%s", c.Name, total, n, float64(total)*1e6/float64(n), strings.Join(lines, "\n"))
}
