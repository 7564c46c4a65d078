package layout

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// checkTop keeps the root readable: a new folder there is a decision, not an accident.
func (r Rules) checkTop(t tree) (out []string) {
	for _, name := range t.top {
		if !slices.Contains(r.Top, name) && !slices.Contains(r.Ignored, name) {
			out = append(out, name+": nothing of this name belongs at the root")
		}
	}
	return out
}

// checkNames refuses package names that tell nothing, Go files in folders that only hold folders, and func init.
func (r Rules) checkNames(t tree) (out []string) {
	for _, f := range t.files {
		name := strings.TrimSuffix(f.ast.Name.Name, "_test")
		if slices.Contains(r.Banned, name) || slices.Contains(r.Banned, path.Base(f.dir())) && !slices.Contains(r.Bare, f.dir()) {
			out = append(out, fmt.Sprintf("%s: package name %q says what it contains, not what it provides", f.name, name))
		}
		if slices.Contains(r.Bare, f.dir()) {
			out = append(out, fmt.Sprintf("%s: %s holds folders only", f.name, f.dir()))
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				out = append(out, fmt.Sprintf("%s: func init runs unasked; do it where it is needed", f.at(fn.Pos())))
			}
		}
	}
	return out
}

// checkSizes holds files and functions to their limits. Tables of cases make tests long without making them hard.
func (r Rules) checkSizes(t tree) (out []string) {
	for _, f := range t.files {
		if f.test() {
			continue
		}
		if path.Base(f.name) == "main.go" && f.ast.Name.Name == "main" && f.codeLines() > r.MainLines {
			out = append(out, fmt.Sprintf("%s: %d lines of code; a main has at most %d and leaves the work to a package that tests can import", f.name, f.codeLines(), r.MainLines))
		}
		if f.lines-1 > r.FileLines {
			out = append(out, fmt.Sprintf("%s: %d lines; a file has at most %d", f.name, f.lines-1, r.FileLines))
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if fn, ok := n.(*ast.FuncDecl); ok && f.span(fn.Pos(), fn.End()) > r.FuncLines {
				out = append(out, fmt.Sprintf("%s: %s has %d lines; a function has at most %d", f.at(fn.Pos()), fn.Name.Name, f.span(fn.Pos(), fn.End()), r.FuncLines))
			}
			return true
		})
	}
	return out
}

// codeLines counts the lines on which something of the program begins or ends, single imports aside.
func (f file) codeLines() int {
	lines := map[int]bool{}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.Comment, *ast.CommentGroup, *ast.ImportSpec:
			return false
		case *ast.File: // it begins with its comment
		default:
			lines[f.line(n.Pos())], lines[f.line(n.End()-1)] = true, true
		}
		return true
	})
	return len(lines)
}

var notes = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

// checkNotes finds notes to self. In Go only comments count, elsewhere the whole text does.
func (r Rules) checkNotes(t tree) (out []string) {
	for _, f := range t.files {
		for _, g := range f.ast.Comments {
			for _, c := range g.List {
				if m := notes.FindString(c.Text); m != "" {
					out = append(out, fmt.Sprintf("%s: %s; do it or file it", f.at(c.Pos()), m))
				}
			}
		}
	}
	for name, text := range t.texts {
		if m := notes.FindString(text); m != "" {
			out = append(out, fmt.Sprintf("%s: %s; do it or file it", name, m))
		}
	}
	return out
}
