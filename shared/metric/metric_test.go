package metric_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/shared/metric"
	"behalf.dev/behalf/shared/metric/metrictest"
)

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func flushed(t *testing.T, add func(m *metric.Meter)) ([]metrictest.Point, string) {
	t.Helper()
	var out bytes.Buffer
	m := metric.New(&out, "local", noon)
	add(m)
	if err := m.Flush(); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if err := m.Flush(); err != nil || out.Len() != len(text) {
		t.Errorf("a second flush writes again, %v", err)
	}
	points, err := metrictest.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return points, text
}

func TestFlush_EachMetric_IsEmbeddedMetricFormat(t *testing.T) {
	t.Parallel()
	names := metric.Names()
	points, text := flushed(t, func(m *metric.Meter) {
		for _, n := range names {
			m.Add(n, 3, metric.Labels{Connector: "github", Outcome: "refreshed"})
			m.Add(n, 4, metric.Labels{Connector: "github", Outcome: "refreshed"})
			m.Add(n, 1, metric.Labels{})
		}
	})
	for _, n := range names {
		sets := map[string]bool{}
		for _, p := range points {
			if p.Name == string(n) && p.Namespace == "Behalf" && strings.HasSuffix(p.Dimensions, "Stage=local") {
				sets[p.Dimensions] = true
			}
		}
		if len(sets) == 0 {
			t.Errorf("%s is in no series", n)
		}
	}
	if strings.Count(text, "\n") != 2 {
		t.Errorf("two sets of labels make\n%s", text)
	}
	if got := metrictest.Sum(points, metric.Refreshes, "Outcome=refreshed,Stage=local"); got != 7 {
		t.Errorf("3 and 4 refreshes are %v", got)
	}
	if got := metrictest.Sum(points, metric.RefreshLag, "Connector=none,Stage=local"); got != 1 {
		t.Errorf("a lag at no connector is %v", got)
	}
}

func TestFlush_MoreValuesThanALineHolds_AllAreWritten(t *testing.T) {
	t.Parallel()
	points, text := flushed(t, func(m *metric.Meter) {
		for i := range 250 {
			m.Add(metric.RefreshLag, float64(i), metric.Labels{Connector: "slack"})
			m.Add(metric.Refreshes, 1, metric.Labels{Connector: "slack", Outcome: "refreshed"})
		}
	})
	if got := metrictest.Sum(points, metric.RefreshLag, "Connector=slack,Stage=local"); got != 249*250/2 {
		t.Errorf("the sum is %v", got)
	}
	if strings.Count(text, "\n") != 4 {
		t.Errorf("%d lines", strings.Count(text, "\n"))
	}
}

func TestAdd_ManyAtOnce_CountsAll(t *testing.T) {
	t.Parallel()
	points, _ := flushed(t, func(m *metric.Meter) {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { m.Add(metric.Executions, 1, metric.Labels{Outcome: "succeeded"}) })
		}
		wg.Wait()
	})
	if got := metrictest.Sum(points, metric.Executions, "Outcome=succeeded,Stage=local"); got != 50 {
		t.Errorf("%v", got)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no") }

func TestFlush_LogCannotBeWritten_IsSaid(t *testing.T) {
	t.Parallel()
	m := metric.New(broken{}, "local", noon)
	m.Add(metric.Sweeps, 1, metric.Labels{})
	if m.Flush() == nil {
		t.Error("no error")
	}
}

func TestRead_LinesThatCloudWatchDrops_AreRefused(t *testing.T) {
	t.Parallel()
	good := `{"Stage":"local","Connector":"github","N":1,"_aws":{"Timestamp":1763812800000,"CloudWatchMetrics":[{"Namespace":"Behalf","Dimensions":[["Stage","Connector"]],"Metrics":[{"Name":"N","Unit":"Count"}]}]}}`
	if p, err := metrictest.Read([]byte(good)); err != nil || len(p) != 1 {
		t.Fatalf("%v, %v", p, err)
	}
	for name, x := range map[string][2]string{
		"seconds":          {"1763812800000", "1763812800"},
		"no value":         {`"N":1`, `"M":1`},
		"text value":       {`"N":1`, `"N":"1"`},
		"too many values":  {`"N":1`, `"N":[` + strings.Repeat("1,", 100) + `1]`},
		"no dimension":     {`"Connector":"github",`, ""},
		"empty dimension":  {`"github"`, `""`},
		"unknown unit":     {`"Count"`, `"Apples"`},
		"by tenant":        {`Connector`, `Tenant`},
		"no namespace":     {`"Behalf"`, `""`},
		"no dimension set": {`[["Stage","Connector"]]`, `[]`},
	} {
		if _, err := metrictest.Read([]byte(strings.ReplaceAll(good, x[0], x[1]))); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}
