package browser_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/env"
)

// oidcProvider is pinned: another version has other pages.
const oidcProvider = "9.13.3"

// notes is a provider that nobody wrote for Behalf: oidc-provider in a process of its own, with its own pages.
type notes struct {
	t   *testing.T
	url string
}

// newNotes starts the provider and a stack that knows it by a connector folder.
func newNotes(t *testing.T) (*notes, *e2e.Fixture) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	n := &notes{t, fmt.Sprintf("http://localhost:%d", port)} // another site than Behalf's, as it is in life
	f := e2e.Start(t, e2e.Options{Connectors: "testdata", Getenv: func(name string) string {
		if name == env.ConnectorHosts {
			return fmt.Sprintf(`{"notes":{"web":%q}}`, n.url)
		}
		return ""
	}})
	n.start(port, f)
	f.Back(t, "PUT", "/v1/connectors/notes/client", e2e.Object{"client_id": "behalf", "client_secret": e2e.ClientSecret}).Want(t, 200)
	return n, f
}

func (n *notes) start(port int, f *e2e.Fixture) {
	n.t.Helper()
	conf, err := json.Marshal(map[string]any{"modules": npm(n.t, "oidc-provider", oidcProvider), "port": port, "secret": e2e.ClientSecret, "redirects": []string{f.URL + "/oauth/callback/notes"}})
	if err != nil {
		n.t.Fatal(err)
	}
	c := exec.CommandContext(n.t.Context(), "node", "testdata/provider.mjs")
	c.Env = append(os.Environ(), "PROVIDER="+string(conf))
	var complaints strings.Builder
	c.Stderr = &complaints
	in, err := c.StdinPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		n.t.Fatalf("start the OAuth server (Node 20 or newer): %v", err)
	}
	n.t.Cleanup(func() {
		_ = in.Close()
		_ = c.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	n.t.Fatalf("the OAuth server did not start: %s", complaints.String())
}

// exchanges is how many codes and refresh tokens the provider took.
func (n *notes) exchanges() string {
	n.t.Helper()
	res, err := http.Get(n.url + "/__exchanges")
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(b)
}
