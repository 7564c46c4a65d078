package layout_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	threat   = regexp.MustCompile(`(?m)^\| (\d+[a-z]?) \|(.*)\|([^|]*)\|$`)
	named    = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)(…?)`")
	declared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// tests are the names of all tests and fuzz targets of the repository.
func tests(t *testing.T) (out []string) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || len(d.Name()) > 2 && d.Name()[0] == '.'):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		b, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(b, -1) {
			out = append(out, string(m[1]))
		}
		return err
	})
	if err != nil || len(out) < 300 {
		t.Fatalf("%d tests found: %v", len(out), err)
	}
	return out
}

// unheld is what is wrong with a threat model: rows that name no test, and names that no test has. A name may be cut with "…".
func unheld(doc string, tests []string) (rows int, out []string) {
	for _, m := range threat.FindAllStringSubmatch(doc, -1) {
		rows++
		if !named.MatchString(m[3]) {
			out = append(out, "threat "+m[1]+" names no test")
		}
	}
	for _, m := range named.FindAllStringSubmatch(doc, -1) {
		found := false
		for _, have := range tests {
			found = found || have == m[1] || m[2] != "" && strings.HasPrefix(have, m[1])
		}
		if !found {
			out = append(out, "there is no test "+m[1]+m[2])
		}
	}
	return rows, out
}

func TestSecurityDocument_EachThreat_NamesATestThatExists(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, wrong := unheld(string(doc), tests(t))
	for _, w := range wrong {
		t.Error(w)
	}
	if rows < 27 {
		t.Errorf("%d threats found", rows)
	}
}

func TestSecurityDocument_Unheld_FindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	doc := "| # | threat | x | held by |\n|---|---|---|---|\n| 1 | a | b | `TestA_B` |\n| 2 | a | b | `shared/vault` |\n| 3 | a | b | `TestA_…`, `FuzzC` |\n"
	if rows, wrong := unheld(doc, []string{"TestA_B"}); rows != 3 || strings.Join(wrong, "; ") != "threat 2 names no test; there is no test FuzzC" {
		t.Errorf("%d %v", rows, wrong)
	}
}
