package storm

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Version of the OAuth server. Pinned: another one may answer differently, and a change of that is a change of this line.
const Version = "oidc-provider@9.13.3"

//go:embed server.mjs
var server []byte

// Settings are what the OAuth server is started with.
type Settings struct {
	// Modules is the node_modules directory that holds the server.
	Modules string `json:"modules"`
	// Issuer is the address by which everybody else knows it.
	Issuer string `json:"issuer"`
	// Client and Secret are Behalf's, Redirects its callbacks.
	Client    string   `json:"client"`
	Secret    string   `json:"secret"`
	Redirects []string `json:"redirects"`
}

// Tally is what the server says that it did for one account.
type Tally struct {
	// Refreshed counts grants of new tokens; Reused refresh tokens that came a second time; Refused other failures; Revoked
	// grants that it ended.
	Refreshed, Reused, Refused, Revoked int
}

// Provider is the OAuth server, a process of its own.
type Provider struct {
	// URL is where it listens; Front stands before it.
	URL   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// Install puts the server into a directory of the cache, the first time; it returns the node_modules directory.
func Install(ctx context.Context, cache string) (string, error) {
	dir := filepath.Join(cache, strings.ReplaceAll(Version, "@", "-"))
	mark := filepath.Join(dir, ".installed")
	if _, err := os.Stat(mark); err == nil {
		return filepath.Join(dir, "node_modules"), nil
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private":true}`), 0o600)); err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, "npm", "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", Version)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install %s: %w\n%s", Version, err, out)
	}
	return filepath.Join(dir, "node_modules"), os.WriteFile(mark, nil, 0o600) // last: an install that was cut off is not taken for one that worked
}

// StartProvider starts the server and waits until it listens. dir is for its script; what it prints goes to log.
func StartProvider(ctx context.Context, s Settings, dir string, log io.Writer) (*Provider, error) {
	script := filepath.Join(dir, "server.mjs")
	conf, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(script, server, 0o600); err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, "node", script)
	c.Env, c.Stderr = append(os.Environ(), "STORM_PROVIDER="+string(conf), "NODE_ENV=production", "DEBUG="), log
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start node: %w", err)
	}
	p := &Provider{cmd: c, stdin: in}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if port, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			p.URL = "http://127.0.0.1:" + port
			go func() { _, _ = io.Copy(log, out) }() // ends with the process
			return p, nil
		}
		_, _ = fmt.Fprintln(log, lines.Text())
	}
	return nil, errors.Join(errors.New("the OAuth server ended before it listened"), p.Close())
}

// Tallies asks the server what it did, by account.
func (p *Provider) Tallies(ctx context.Context) (map[string]Tally, error) {
	return p.control(ctx, "/__seen")
}

// Ahead sets the server's clock ahead of the system's.
func (p *Provider) Ahead(ctx context.Context, d time.Duration) error {
	_, err := p.control(ctx, fmt.Sprintf("/__ahead?ms=%d", d.Milliseconds()))
	return err
}

func (p *Provider) control(ctx context.Context, path string) (map[string]Tally, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the OAuth server: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	out := map[string]Tally{}
	return out, json.NewDecoder(res.Body).Decode(&out)
}

// Close ends the server.
func (p *Provider) Close() error {
	_ = p.stdin.Close() // it ends by itself then
	done := make(chan struct{})
	go func() {
		select {
		case <-done:
		case <-time.After(2 * time.Second):
			_ = p.cmd.Process.Kill()
		}
	}()
	err := p.cmd.Wait()
	close(done)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil
	}
	return err
}
