package layout_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/layout"
)

func TestRepository_KeepsItsShape(t *testing.T) {
	t.Parallel()
	problems, err := layout.Behalf().Check(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
}

// TestCheck_PlantedFault_IsFound runs the checks over one small tree per fault. Each tree is a file in testdata that
// holds the tree's files, separated by lines "-- name --"; want is part of the one complaint.
func TestCheck_PlantedFault_IsFound(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"clean":             "",
		"upward":            "shared/low/low.go:4: ring 0 imports shared/high of ring 1; imports go down",
		"sideways":          "shared/high/high.go:4: ring 1 imports shared/other of ring 1; imports go down",
		"function_peer":     "functions/a/a.go:4: ring 4 imports functions/b of ring 4; imports go down",
		"no_ring":           "shared/stray: this package has no ring",
		"guarded":           "shared/other/other.go:4: imports example.com/m/shared/secret, which is for shared/high",
		"guarded_in_test":   "shared/other/other_test.go:3: imports example.com/cdk/sub, which is for functions",
		"guard_unused":      "shared/high: may import example.com/m/shared/secret and does not",
		"banned_name":       `package name "util" says what it contains`,
		"bare":              "shared/x.go: shared holds folders only",
		"init":              "shared/low/low.go:4: func init runs unasked",
		"top":               "notes: nothing of this name belongs at the root",
		"long_main":         "functions/a/lambda/main.go: 10 lines of code; a main has at most 8",
		"long_file":         "shared/low/low.go: 21 lines; a file has at most 20",
		"long_function":     "shared/low/low.go:5: f has 7 lines; a function has at most 6",
		"no_package_doc":    "shared/low: this package has no comment",
		"undocumented":      "shared/low/low.go:4: F is exported and has no comment",
		"undocumented_var":  "shared/low/low.go:6: B is exported and has no comment",
		"undocumented_meth": "shared/low/low.go:7: M is exported and has no comment",
		"mutable":           "shared/low/low.go:4: package variable count can change",
		"written_table":     "shared/low/low.go:4: package variable table is a table and something writes to it",
		"note":              "shared/low/low.go:4: TO" + "DO; do it or file it",
		"note_in_yaml":      "connectors/x.yaml: FIX" + "ME; do it or file it",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := small().Check(plant(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if want == "" && len(got) > 0 {
				t.Fatalf("complaints about a clean tree: %q", got)
			}
			if want != "" && (len(got) != 1 || !strings.Contains(got[0], want)) {
				t.Fatalf("got %q, want one with %q", got, want)
			}
		})
	}
}

// small are rules for the trees in testdata.
func small() layout.Rules {
	return layout.Rules{
		Module: "example.com/m", Rings: map[string]int{"shared/secret": 0, "shared/low": 0, "shared/base0": 0, "shared/high": 1, "shared/other": 1, "functions": 4}, Peers: 3, Foundation: "shared/base0",
		Guards: []layout.Guard{{Path: "example.com/m/shared/secret", Allowed: []string{"shared/high"}, Exact: true}, {Path: "example.com/cdk", Allowed: []string{"functions"}, Tests: true}},
		Banned: []string{"util"}, Bare: []string{"shared"}, Top: []string{"shared", "functions", "connectors", "go.mod"}, Ignored: []string{"testdata", "build"},
		MainLines: 8, FileLines: 20, FuncLines: 6,
	}
}

// plant writes testdata/clean.txt and then testdata/<name>.txt over it into a directory.
func plant(t *testing.T, name string) string {
	t.Helper()
	root := t.TempDir()
	for _, n := range []string{"clean", name} {
		b, err := os.ReadFile(filepath.Join("testdata", n+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(b), "\n-- ")[1:] {
			file, text, ok := strings.Cut(part, " --\n")
			if !ok {
				t.Fatalf("%s: no name in %q", n, part)
			}
			p := filepath.Join(root, filepath.FromSlash(file))
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, []byte(text+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}
