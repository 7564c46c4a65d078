package layout

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

func imports(f file) map[string]string {
	out := map[string]string{}
	for _, im := range f.ast.Imports {
		if q, err := strconv.Unquote(im.Path.Value); err == nil {
			out[q] = f.at(im.Pos())
		}
	}
	return out
}

// checkImports lets imports go down only: to a lower ring, to a package's own sub-packages, and from Peers up sideways.
// Test files are free: a test of a service may well use the adapter above it.
func (r Rules) checkImports(t tree) (out []string) {
	for dir := range t.packages() {
		if _, ok := r.ring(dir); !ok && !slices.Contains(r.Bare, dir) {
			out = append(out, fmt.Sprintf("%s: this package has no ring; add it to the table and say why it exists", dir))
		}
	}
	for _, f := range t.files {
		own, ok := r.ring(f.dir())
		if f.test() || !ok {
			continue
		}
		for path, at := range imports(f) {
			in, ours := strings.CutPrefix(path, r.Module+"/")
			other, known := r.ring(in)
			if ours && known && !r.mayImport(f.dir(), own, in, other) {
				out = append(out, fmt.Sprintf("%s: ring %d imports %s of ring %d; imports go down", at, own, in, other))
			}
		}
	}
	return out
}

func (r Rules) mayImport(dir string, own int, in string, other int) bool {
	if other < own || within(in, dir) || own == other && in == r.Foundation {
		return true
	}
	return other == own && own >= r.Peers && (!within(in, "functions") || within(in, path.Dir(dir)) && path.Base(dir) == "lambda")
}

func (r Rules) ring(dir string) (int, bool) {
	for d := dir; d != "." && d != "/"; d = path.Dir(d) {
		if n, ok := r.Rings[d]; ok {
			return n, true
		}
	}
	return 0, false
}

// checkGuards holds imports to the lists of who may have them.
func (r Rules) checkGuards(t tree) (out []string) {
	used := map[string][]string{}
	for _, f := range t.files {
		for path, at := range imports(f) {
			for _, g := range r.Guards {
				if !within(path, g.Path) || f.test() && !g.Tests {
					continue
				}
				used[g.Path] = append(used[g.Path], f.dir())
				if !within(f.dir(), g.Allowed...) {
					out = append(out, fmt.Sprintf("%s: imports %s, which is for %s", at, path, strings.Join(g.Allowed, ", ")))
				}
			}
		}
	}
	for _, g := range r.Guards {
		for _, a := range g.Allowed {
			if g.Exact && !slices.ContainsFunc(used[g.Path], func(d string) bool { return within(d, a) }) {
				out = append(out, fmt.Sprintf("%s: may import %s and does not; take it off the list", a, g.Path))
			}
		}
	}
	return out
}
