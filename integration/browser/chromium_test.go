package browser_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// asked skips unless the browser tests were asked for: they need Chromium and, once, the network.
func asked(t *testing.T) {
	t.Helper()
	if os.Getenv("BEHALF_BROWSER") != "1" {
		t.Skip("set BEHALF_BROWSER=1 to run in a real browser (needs Chromium and npm; installs into BEHALF_TEST_CACHE)")
	}
}

// engine is one Chromium process for all tests of this program: each test has cookies of its own in it.
type engine struct {
	ctx  context.Context
	stop func()
	err  error
}

// chromiumOf starts the engine once.
var chromiumOf = sync.OnceValue(func() engine {
	path, err := thisMachine().chromium()
	if err != nil {
		return engine{err: err}
	}
	o := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-quic", true), chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-color-profile", "srgb"))
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), o...)
	ctx, stop := chromedp.NewContext(alloc)
	if err := chromedp.Run(ctx); err != nil {
		return engine{err: fmt.Errorf("start %s: %w", path, err)}
	}
	return engine{ctx: ctx, stop: func() { stop(); stopAlloc() }}
})

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("BEHALF_BROWSER") == "1" {
		if e := chromiumOf(); e.err == nil {
			e.stop()
		}
	}
	os.Exit(code)
}

// cached returns a directory of the test cache, filled by fill the first time. The mark is made at the end, so that an install
// that was cut off is not taken for one that worked.
func cached(t *testing.T, name string, fill func(dir string) error) string {
	t.Helper()
	base := os.Getenv("BEHALF_TEST_CACHE")
	if base == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		base = filepath.Join(user, "behalf-test")
	}
	dir := filepath.Join(base, name)
	mark := filepath.Join(dir, ".installed")
	installing.Lock()
	defer installing.Unlock()
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

// installing keeps parallel tests from installing the same thing twice.
var installing sync.Mutex

// npm installs one pinned package and returns the directory of its node_modules.
func npm(t *testing.T, name, version string) string {
	t.Helper()
	dir := cached(t, name+"-"+version, func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private":true}`), 0o644); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, "npm", "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", name+"@"+version)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("npm install %s: %w\n%.2000s", name, err, out)
		}
		return nil
	})
	return filepath.Join(dir, "node_modules")
}
