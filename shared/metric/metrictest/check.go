package metrictest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"behalf.dev/behalf/shared/metric"
)

// Point is what CloudWatch makes of one metric in one line: a series for each set of dimensions.
type Point struct {
	Namespace, Name, Unit string
	// Dimensions are "name=value", sorted and with commas.
	Dimensions string
	Values     []float64
}

type node struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	} `json:"_aws"`
}

// Read returns what CloudWatch makes of the metric lines in log, and passes other lines by. The error names the first rule that
// a line breaks (CloudWatch User Guide, "Specification: Embedded metric format"; quotas of metrics and log events).
func Read(log []byte) ([]Point, error) {
	var out []Point
	for line := range bytes.Lines(log) {
		if !bytes.Contains(line, []byte(`"_aws"`)) {
			continue
		}
		points, err := read(line)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, line)
		}
		out = append(out, points...)
	}
	return out, nil
}

func read(line []byte) ([]Point, error) {
	var n node
	root := map[string]any{}
	if err := errors.Join(json.Unmarshal(line, &n), json.Unmarshal(line, &root)); err != nil {
		return nil, err
	}
	if n.AWS.Timestamp < 1e12 {
		return nil, errors.New("the timestamp is not in milliseconds")
	}
	if len(n.AWS.CloudWatchMetrics) == 0 || len(line) > 256<<10 {
		return nil, errors.New("no directive, or a line of more than 256 KiB")
	}
	var out []Point
	for _, d := range n.AWS.CloudWatchMetrics {
		if d.Namespace == "" || len(d.Namespace) > 255 || len(d.Metrics) > 100 || len(d.Metrics) == 0 || len(d.Dimensions) == 0 {
			return nil, errors.New("a directive has 1 to 100 metrics, dimensions and a namespace")
		}
		for _, m := range d.Metrics {
			values, err := valuesOf(root, m.Name, m.Unit)
			if err != nil {
				return nil, err
			}
			for _, set := range d.Dimensions {
				text, err := dimensions(root, set)
				if err != nil {
					return nil, err
				}
				out = append(out, Point{d.Namespace, m.Name, m.Unit, text, values})
			}
		}
	}
	return out, nil
}

func valuesOf(root map[string]any, name, unit string) ([]float64, error) {
	if name == "" || len(name) > 255 || !slices.Contains([]string{"Count", "Percent", "Seconds", "Milliseconds"}, unit) {
		return nil, fmt.Errorf("metric %q has unit %q", name, unit)
	}
	list, ok := root[name].([]any)
	if !ok {
		list = []any{root[name]}
	}
	if len(list) == 0 || len(list) > 100 {
		return nil, fmt.Errorf("%s has %d values of at most 100", name, len(list))
	}
	var out []float64
	for _, v := range list {
		f, ok := v.(float64)
		if !ok {
			return nil, fmt.Errorf("%s is %v", name, v)
		}
		out = append(out, f)
	}
	return out, nil
}

func dimensions(root map[string]any, set []string) (string, error) {
	if len(set) > 30 {
		return "", errors.New("more than 30 dimensions")
	}
	var out []string
	for _, name := range set {
		v, ok := root[name].(string)
		if !ok || v == "" || len(v) > 1024 {
			return "", fmt.Errorf("dimension %s is %v", name, root[name])
		}
		if !slices.Contains([]string{metric.Stage, metric.Connector, metric.Outcome}, name) {
			return "", fmt.Errorf("%s is a dimension that nobody bounded", name)
		}
		out = append(out, name+"="+v)
	}
	slices.Sort(out)
	return strings.Join(out, ","), nil
}

// Sum adds up all values of one series.
func Sum(points []Point, n metric.Name, dimensions string) float64 {
	total := 0.0
	for _, p := range points {
		if p.Name == string(n) && p.Dimensions == dimensions {
			for _, v := range p.Values {
				total += v
			}
		}
	}
	return total
}
