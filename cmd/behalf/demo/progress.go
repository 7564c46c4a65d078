package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// Step is one step of the story as it went.
type Step struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// MS is how long it took, in milliseconds.
	MS int64 `json:"ms"`
	// Observed is what was seen, by name.
	Observed map[string]any `json:"observed,omitempty"`
	Error    string         `json:"error,omitempty"`
}

// Summary is the machine-readable end of the story.
type Summary struct {
	OK         bool   `json:"ok"`
	DurationMS int64  `json:"duration_ms"`
	Steps      []Step `json:"steps"`
	Error      string `json:"error,omitempty"`
}

// printer writes progress for people.
type printer struct {
	w     io.Writer
	color bool
	n     int
}

func (p *printer) paint(code, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p *printer) begin(title string) {
	p.n++
	_, _ = fmt.Fprintf(p.w, "\n%s %s\n", p.paint("1;36", fmt.Sprintf("%d", p.n)), p.paint("1", title))
}

func (p *printer) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, "  %s\n", fmt.Sprintf(format, args...))
}

func (p *printer) seen(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, "  %s %s\n", p.paint("32", "✓"), fmt.Sprintf(format, args...))
}

func (p *printer) failed(err error) {
	_, _ = fmt.Fprintf(p.w, "  %s %s\n", p.paint("31", "✗"), strings.ReplaceAll(err.Error(), "\n", "\n    "))
}

// run does one step and notes how it went.
func (s *story) run(ctx context.Context, name, title string, do func(context.Context) error) error {
	s.out.begin(title)
	s.observed = map[string]any{}
	began := time.Now()
	err := do(ctx)
	step := Step{Name: name, OK: err == nil, MS: time.Since(began).Milliseconds(), Observed: s.observed}
	if err != nil {
		step.Error = err.Error()
		s.out.failed(err)
	}
	s.sum.Steps = append(s.sum.Steps, step)
	return err
}

// saw notes a fact, for the summary and for the reader.
func (s *story) saw(key string, value any, format string, args ...any) {
	s.observed[key] = value
	s.out.seen(format, args...)
}
