package layout

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// file is one Go file of the tree.
type file struct {
	// name is the slash path below the root.
	name  string
	ast   *ast.File
	fset  *token.FileSet
	lines int
}

func (f file) dir() string                     { return path.Dir(f.name) }
func (f file) test() bool                      { return strings.HasSuffix(f.name, "_test.go") }
func (f file) line(p token.Pos) int            { return f.fset.Position(p).Line }
func (f file) at(p token.Pos) string           { return fmt.Sprintf("%s:%d", f.name, f.line(p)) }
func (f file) span(from, to token.Pos) (n int) { return f.line(to) - f.line(from) + 1 }

// tree is the whole repository, read once.
type tree struct {
	files []file
	// texts are the other source files (YAML, Python, TypeScript, shell), by name.
	texts map[string]string
	top   []string
}

// packages groups the files that are not tests by directory.
func (t tree) packages() map[string][]file {
	out := map[string][]file{}
	for _, f := range t.files {
		if !f.test() {
			out[f.dir()] = append(out[f.dir()], f)
		}
	}
	return out
}

// Check reads the tree below root and returns what breaks the rules, sorted, each as "file:line: what". The error says
// what could not be read or parsed.
func (r Rules) Check(root string) ([]string, error) {
	t, err := r.read(root)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, check := range []func(tree) []string{r.checkTop, r.checkNames, r.checkImports, r.checkGuards, r.checkSizes, r.checkDocs, r.checkState, r.checkNotes} {
		out = append(out, check(t)...)
	}
	slices.Sort(out)
	return out, nil
}

func (r Rules) read(root string) (tree, error) {
	t := tree{texts: map[string]string{}}
	entries, err := os.ReadDir(root)
	if err != nil {
		return t, fmt.Errorf("read the tree: %w", err)
	}
	for _, e := range entries {
		t.top = append(t.top, e.Name())
	}
	fset := token.NewFileSet()
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != root && slices.Contains(r.Ignored, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		return t.add(fset, p, filepath.ToSlash(rel))
	})
	return t, err
}

func (t *tree) add(fset *token.FileSet, p, name string) error {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".py", ".ts", ".sh", ".css", ".html":
		b, err := os.ReadFile(p)
		t.texts[name] = string(b)
		return err
	case ".go":
	default:
		return nil
	}
	a, err := parser.ParseFile(fset, p, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("parse %s: %w", name, err)
	}
	t.files = append(t.files, file{name, a, fset, fset.File(a.Pos()).LineCount()})
	return nil
}

// within reports that dir is one of list or below one.
func within(dir string, list ...string) bool {
	return slices.ContainsFunc(list, func(a string) bool { return dir == a || strings.HasPrefix(dir, a+"/") })
}
