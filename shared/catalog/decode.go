package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// source is one YAML file and the problems found in it. All of them are reported, so that an author fixes a new
// connector in one go.
type source struct {
	path     string
	data     []byte
	tree     *ast.File
	problems []error
}

// readStrict decodes a YAML file into v. An unknown or repeated field is an error that names file, line and column.
func readStrict(fsys fs.FS, path string, v any) (*source, error) {
	data, err := fs.ReadFile(fsys, path)
	if err != nil {
		return nil, fmt.Errorf("read connector file: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(data, v, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, positioned(path, err))
	}
	return &source{path: path, data: data}, nil
}

// positioned rewrites a YAML library error as one line with its position; the library's own text spans several lines.
func positioned(path string, err error) error {
	var ye yaml.Error
	if !errors.As(err, &ye) || ye.GetToken() == nil || ye.GetToken().Position == nil {
		return err
	}
	p := ye.GetToken().Position
	return fmt.Errorf("%s:%d:%d: %s", path, p.Line, p.Column, ye.GetMessage())
}

// add records a problem at a field ("rotation.class", "[2].request.url").
func (s *source) add(field, format string, args ...any) {
	where := s.path
	if line := s.line(field); line > 0 {
		where = fmt.Sprintf("%s:%d", s.path, line)
	}
	s.problems = append(s.problems, fmt.Errorf("%s: %s: %s", where, field, fmt.Sprintf(format, args...)))
}

// line finds the field, or its nearest parent that is there; 0 when none is. Only faulty files pay for the second parse.
func (s *source) line(field string) int {
	if s.tree == nil {
		tree, err := parser.ParseBytes(s.data, 0)
		if err != nil {
			return 0
		}
		s.tree = tree
	}
	for field != "" {
		if n := s.node(field); n != nil {
			return n.GetToken().Position.Line
		}
		field = field[:max(strings.LastIndexAny(field, ".["), 0)]
	}
	return 0
}

func (s *source) node(field string) ast.Node {
	root := "$."
	if strings.HasPrefix(field, "[") {
		root = "$"
	}
	p, err := yaml.PathString(root + field)
	if err != nil {
		return nil
	}
	n, err := p.FilterFile(s.tree)
	if err != nil || n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return nil
	}
	return n
}

// err joins the problems in a stable order, whatever the order in which maps were walked.
func (s *source) err() error {
	slices.SortStableFunc(s.problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(s.problems...)
}
