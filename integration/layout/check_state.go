package layout

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// checkState refuses package variables that anything could change: a warm Lambda serves one tenant after another with
// the same variables. Error sentinels, compiled patterns, encodings, embedded files, values computed once and
// tables that nothing writes to are what remains.
func (r Rules) checkState(t tree) (out []string) {
	for dir, files := range t.packages() {
		if within(dir, r.Once...) {
			continue
		}
		written := writes(files)
		for _, f := range files {
			for _, d := range f.ast.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.VAR {
					continue
				}
				for _, s := range g.Specs {
					out = append(out, mutable(f, g, s.(*ast.ValueSpec), written)...)
				}
			}
		}
	}
	return out
}

func mutable(f file, g *ast.GenDecl, s *ast.ValueSpec, written map[string]bool) (out []string) {
	for i, n := range s.Names {
		switch {
		case n.Name == "_" || embedded(g.Doc) || embedded(s.Doc):
		case i >= len(s.Values) || !constant(s.Values[i]):
			out = append(out, fmt.Sprintf("%s: package variable %s can change; pass it in, or make it a function or a constant", f.at(n.Pos()), n.Name))
		case written[n.Name]:
			out = append(out, fmt.Sprintf("%s: package variable %s is a table and something writes to it", f.at(n.Pos()), n.Name))
		}
	}
	return out
}

func embedded(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// constant reports that a value, once made, is only read: a table, or what one of a few known calls returns.
func constant(v ast.Expr) bool {
	switch v := v.(type) {
	case *ast.CompositeLit, *ast.BasicLit:
		return true
	case *ast.CallExpr:
		sel, ok := v.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		if x, ok := sel.X.(*ast.Ident); ok {
			return known(x.Name + "." + sel.Sel.Name)
		}
		return constant(sel.X) // a chain: base32.NewEncoding(…).WithPadding(…)
	}
	return false
}

func known(call string) bool {
	switch call {
	case "errors.New", "fmt.Errorf", "awserr.New", "awserr.Validation", "sync.OnceValue", "sync.OnceValues", "fault.New", "fault.Invalid", "regexp.MustCompile", "base32.NewEncoding", "base64.NewEncoding", "strings.NewReplacer", "netip.MustParsePrefix", "time.Date":
		return true
	}
	return false
}

// writes lists identifiers that a package assigns to, deletes from, clears or takes the address of. Names are not
// resolved, so a local variable of the same name counts too: give one of them a better name.
func writes(files []file) map[string]bool {
	out := map[string]bool{}
	note := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
				continue
			case *ast.SelectorExpr:
				e = x.X
				continue
			case *ast.Ident:
				out[x.Name] = true
			}
			return
		}
	}
	for _, f := range files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, l := range n.Lhs {
					if n.Tok != token.DEFINE {
						note(l)
					}
				}
			case *ast.IncDecStmt:
				note(n.X)
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					note(n.X)
				}
			case *ast.CallExpr:
				if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "delete" || id.Name == "clear") && len(n.Args) > 0 {
					note(n.Args[0])
				}
			}
			return true
		})
	}
	return out
}
