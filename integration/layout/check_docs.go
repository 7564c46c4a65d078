package layout

import (
	"fmt"
	"go/ast"
	"go/token"
)

// checkDocs wants a comment on each package and on everything that it exports. Test files export nothing to anybody.
func (r Rules) checkDocs(t tree) (out []string) {
	for dir, files := range t.packages() {
		documented := false
		for _, f := range files {
			documented = documented || f.ast.Doc != nil
			for _, d := range f.ast.Decls {
				for _, n := range undocumented(d) {
					out = append(out, fmt.Sprintf("%s: %s is exported and has no comment", f.at(n.Pos()), n.Name))
				}
			}
		}
		if !documented {
			out = append(out, dir+": this package has no comment that says what it is for")
		}
	}
	return out
}

func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		said := d.Recv != nil && d.Name.Name == "Error" // the interface error says what it is for
		if d.Doc == nil && !said && d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv)) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Tok != token.IMPORT && (d.Doc == nil || d.Tok == token.TYPE && d.Lparen.IsValid()) {
			return undocumentedSpecs(d)
		}
	}
	return nil
}

// undocumentedSpecs lists the exported names of a declaration without a comment of their own.
func undocumentedSpecs(d *ast.GenDecl) (out []*ast.Ident) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc == nil && s.Comment == nil {
				out = append(out, s.Name)
			}
		case *ast.ValueSpec:
			for _, n := range s.Names {
				if n.IsExported() && s.Doc == nil && s.Comment == nil {
					out = append(out, n)
				}
			}
		}
	}
	return out
}

// exportedReceiver reports that a method belongs to an exported type, which is when anybody can see it.
func exportedReceiver(recv *ast.FieldList) bool {
	t := recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}
