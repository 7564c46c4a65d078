package metric

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Labels are the values of a measurement's dimensions, both out of closed sets.
type Labels struct{ Connector, Outcome string }

// Meter collects measurements. It is safe for concurrent use.
type Meter struct {
	out   io.Writer
	stage string
	now   func() time.Time

	mu     sync.Mutex
	sheets map[Labels]*sheet
	order  []Labels
}

// sheet is what was measured under the same labels.
type sheet struct {
	values map[Name][]float64
	order  []Name
}

// New returns a Meter of a deployment's stage that writes to out; nil for nowhere.
func New(out io.Writer, stage string, now func() time.Time) *Meter {
	if out == nil {
		out = io.Discard
	}
	return &Meter{out: out, stage: stage, now: now, sheets: map[Labels]*sheet{}}
}

// Add notes one value of n, in the metric's unit.
func (m *Meter) Add(n Name, v float64, by Labels) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sheets[by]
	if s == nil {
		s = &sheet{values: map[Name][]float64{}}
		m.sheets[by] = s
		m.order = append(m.order, by)
	}
	old, known := s.values[n]
	switch {
	case !known:
		s.values[n] = []float64{v}
		s.order = append(s.order, n)
	case define(n).counted():
		old[0] += v
	default:
		s.values[n] = append(old, v)
	}
}

// maxValues is how many values of one metric a line may hold.
const maxValues = 100

// Flush writes what was collected and forgets it. Each line is one write, so that lines of others do not get between.
func (m *Meter) Flush() error {
	m.mu.Lock()
	sheets, order := m.sheets, m.order
	m.sheets, m.order = map[Labels]*sheet{}, nil
	m.mu.Unlock()
	for _, by := range order {
		for s := sheets[by]; len(s.order) > 0; s = s.rest() {
			line, err := json.Marshal(m.line(by, s))
			if err == nil {
				_, err = m.out.Write(append(line, '\n'))
			}
			if err != nil {
				return fmt.Errorf("write metrics: %w", err)
			}
		}
	}
	return nil
}

// rest is what does not fit into the line that s makes.
func (s *sheet) rest() *sheet {
	r := &sheet{values: map[Name][]float64{}}
	for _, n := range s.order {
		if v := s.values[n]; len(v) > maxValues {
			r.values[n] = v[maxValues:]
			r.order = append(r.order, n)
		}
	}
	return r
}

// directive is a MetricDirective of the specification; metric a MetricDefinition.
type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []metric
}

type metric struct{ Name, Unit string }

// line is the embedded metric format's root node.
func (m *Meter) line(by Labels, s *sheet) map[string]any {
	root := map[string]any{Stage: m.stage, Connector: orNone(by.Connector), Outcome: orNone(by.Outcome)}
	used := map[string]bool{Stage: true}
	var directives []*directive
	for _, n := range s.order {
		d := define(n)
		sets := make([][]string, len(d.sets))
		for i, set := range d.sets {
			sets[i] = append([]string{Stage}, set...)
			for _, name := range set {
				used[name] = true
			}
		}
		directives = place(directives, sets, metric{string(n), d.unit})
		if v := s.values[n]; len(v) == 1 {
			root[string(n)] = v[0]
		} else {
			root[string(n)] = v[:min(maxValues, len(v))]
		}
	}
	for _, name := range []string{Connector, Outcome} {
		if !used[name] {
			delete(root, name)
		}
	}
	root["_aws"] = map[string]any{"Timestamp": m.now().UnixMilli(), "CloudWatchMetrics": directives}
	return root
}

// place adds a metric to the directive of its dimensions.
func place(all []*directive, sets [][]string, m metric) []*directive {
	for _, d := range all {
		if slices.EqualFunc(d.Dimensions, sets, slices.Equal[[]string]) {
			d.Metrics = append(d.Metrics, m)
			return all
		}
	}
	return append(all, &directive{Namespace, sets, []metric{m}})
}

// orNone stands in for a label that is not known: CloudWatch drops a metric with an empty dimension.
func orNone(label string) string {
	if label == "" {
		return "none"
	}
	return label
}
