package checks_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Pinned: another version has other opinions, and a change of them is a change of this file.
const (
	cfnLint = "cfn-lint==1.58.0"
	cdkNag  = "cdk-nag@2.38.2"
	cdkLib  = "aws-cdk-lib@2.270.0"
	cdkBase = "constructs@10.6.0"
)

// asked skips unless the checks were asked for: they need the network once, 190 MB of disk, Python and Node.
func asked(t *testing.T) {
	t.Helper()
	if os.Getenv("BEHALF_TEMPLATE_CHECKS") != "1" {
		t.Skip("set BEHALF_TEMPLATE_CHECKS=1 to check the templates (needs npm and Python 3; installs into BEHALF_TEST_CACHE)")
	}
}

// cache is BEHALF_TEST_CACHE or a directory below the user's cache.
func cache(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("BEHALF_TEST_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(base, "behalf-test")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// installed returns the directory name of the cache, filled by fill the first time. It is marked at the end, so that an install
// that was cut off is not taken for one that worked.
func installed(t *testing.T, name string, fill func(dir string) error) string {
	t.Helper()
	dir := filepath.Join(cache(t), name)
	mark := filepath.Join(dir, ".installed")
	if _, err := os.Stat(mark); err == nil {
		return dir
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := fill(dir); err != nil {
		t.Fatalf("install %s: %v", name, err)
	}
	if err := os.WriteFile(mark, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lint returns the command cfn-lint.
func lint(t *testing.T) string {
	t.Helper()
	dir := installed(t, strings.ReplaceAll(cfnLint, "==", "-"), func(dir string) error {
		if err := run(t, dir, "python3", "-m", "venv", "venv"); err != nil {
			return err
		}
		return run(t, dir, filepath.Join(dir, "venv", "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", cfnLint)
	})
	return filepath.Join(dir, "venv", "bin", "cfn-lint")
}

// nodeModules returns the directory that holds cdk-nag and what it needs.
func nodeModules(t *testing.T) string {
	t.Helper()
	dir := installed(t, strings.ReplaceAll(cdkNag, "@", "-"), func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private":true}`), 0o644); err != nil {
			return err
		}
		return run(t, dir, "npm", "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", cdkNag, cdkLib, cdkBase)
	})
	return filepath.Join(dir, "node_modules")
}

func run(t *testing.T, dir, name string, args ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
