package keyring_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/keyring"
	"behalf.dev/behalf/shared/tenant"
)

// outlives is how long something may stay sealed under a version that the walk does not renew there.
type outlives struct {
	by   string
	life time.Duration
}

const walked = "walk"

// sealing is every place that seals, with what becomes of it when keys are rotated: a walk seals it again, or it is gone by itself
// before a version is retired.
var sealing = map[string][]outlives{
	"shared/refresh/steps.go":           {{walked, 0}, {walked, 0}}, // both tokens of a slot
	"shared/oauthflow/confirm.go":       {{walked, 0}, {walked, 0}}, // the same, of a new connection
	"shared/oauthflow/replace.go":       {{walked, 0}},              // the former account's tokens, in a slot of their own
	"shared/oauthclient/oauthclient.go": {{walked, 0}},
	"shared/notify/notify.go":           {{walked, 0}},
	"shared/keyring/reseal.go":          {{walked, 0}},
	"shared/oauthflow/browser.go":       {{"link", 20 * time.Minute}, {"link", 20 * time.Minute}}, // verifier and code of a flow under way
	"shared/oauthflow/form.go":          {{"link", 20 * time.Minute}},                             // what was typed into a form and is not confirmed
	"shared/toolcall/approve.go":        {{"approval", 25 * time.Hour}},
	"shared/toolcall/claims.go":         {{"stored result", 24 * time.Hour}},
}

// TestSealing_EveryPlace_IsWalkedOrShortLived fails when something new is sealed: say here what renews it.
func TestSealing_EveryPlace_IsWalkedOrShortLived(t *testing.T) {
	t.Parallel()
	found := map[string]int{}
	for _, tree := range []string{"shared", "functions", "cmd"} {
		root := filepath.Join("..", "..", tree)
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			n, err := seals(path)
			if n > 0 {
				found[filepath.ToSlash(strings.TrimPrefix(path, filepath.Join("..", "..")+string(filepath.Separator)))] = n
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if found[path] != len(sealing[path]) {
			t.Errorf("%s seals in %d places, and %d are known: how are they renewed when a tenant's keys are rotated?", path, found[path], len(sealing[path]))
		}
	}
	for path, known := range sealing {
		if found[path] == 0 {
			t.Errorf("%s seals nothing any more", path)
		}
		for _, x := range known {
			if x.by != walked && x.life >= keyring.RetireAfter {
				t.Errorf("%s: a %s lives for %v, and versions are retired after %v", path, x.by, x.life, keyring.RetireAfter)
			}
		}
	}
}

// seals counts the calls of a method Seal with a context, a binding and a text.
func seals(path string) (n int, err error) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return 0, err
	}
	ast.Inspect(f, func(x ast.Node) bool {
		if call, ok := x.(*ast.CallExpr); ok {
			if m, ok := call.Fun.(*ast.SelectorExpr); ok && m.Sel.Name == "Seal" && len(call.Args) == 3 {
				n++
			}
		}
		return true
	})
	return n, nil
}

// TestPurposes_AllThatExist_AreRotated fails when a purpose is added that keys rotate would leave at its first version.
func TestPurposes_AllThatExist_AreRotated(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "connection", "binding.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(f, func(x ast.Node) bool {
		if v, ok := x.(*ast.ValueSpec); ok && fmt.Sprint(v.Type) == "Purpose" {
			for _, value := range v.Values {
				if lit, ok := value.(*ast.BasicLit); ok {
					all = append(all, strings.Trim(lit.Value, `"`))
				}
			}
		}
		return true
	})
	var rotated []string
	for _, p := range keyring.Purposes("acme") {
		rotated = append(rotated, string(p))
	}
	slices.Sort(all)
	slices.Sort(rotated)
	if len(all) < 4 || !slices.Equal(all, rotated) {
		t.Errorf("purposes are %v, and these are rotated: %v", all, rotated)
	}
	for _, p := range keyring.Purposes(tenant.Deployment) {
		if p == connection.AccessToken || p == connection.RefreshToken {
			t.Errorf("the deployment has no %s", p)
		}
	}
}
