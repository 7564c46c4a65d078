package mcp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
)

// seen is what a client would give to a model.
type seen struct {
	Tools, Texts []string
	Revision     string
}

// What frameworks give to a model must say all: several drop error data, structured content or isError. The test lists and calls
// as each framework does and reads what the model would read; between calls a person approves, and an administrator disconnects.
func TestFrameworks_TheModelReads_ReasonAndLink(t *testing.T) {
	if os.Getenv("BEHALF_MCP_CONFORMANCE") != "1" {
		t.Skip("set BEHALF_MCP_CONFORMANCE=1 to try clients of frameworks (needs npm and Python 3; installs into BEHALF_TEST_CACHE)")
	}
	t.Parallel()
	for language, l := range map[string]struct {
		command func(*testing.T) *exec.Cmd
		clients []string
	}{
		"python": {pythonClients, []string{"mcp", "langchain-mcp-adapters", "openai-agents"}},
		"node":   {nodeClients, []string{"@modelcontextprotocol/sdk", "@ai-sdk/mcp"}},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			cmd := l.command(t)
			f := &framework{Fixture: e2e.New(t), paths: map[string]string{}}
			f.Back(t, "PUT", "/v1/tenants/acme/policy", e2e.Object{"rules": []e2e.Object{{"id": "four-eyes", "effect": "require_approval", "when": e2e.Object{"tools": []string{"github_create_issue"}}}}}).Want(t, 200)
			got := f.run(t, cmd, l.clients)
			for _, client := range l.clients {
				t.Run(client, func(t *testing.T) { f.check(t, client, got[client]) })
			}
		})
	}
}

// framework is a stack with a user for each client.
type framework struct {
	*e2e.Fixture
	mu    sync.Mutex
	paths map[string]string // of the users' connections
}

// run runs the clients of one language.
func (f *framework) run(t *testing.T, cmd *exec.Cmd, clients []string) map[string]seen {
	t.Helper()
	tokens := map[string]string{}
	for i, c := range clients {
		principal := "user_" + string(rune('a'+i))
		f.paths[c] = "/v1/tenants/acme/connections/" + f.Connect(t, "acme", principal, "github", "alice", nil)
		tokens[c] = f.Session(t, "acme", principal, nil)
	}
	hooks := httptest.NewServer(http.HandlerFunc(f.between))
	t.Cleanup(hooks.Close)
	write := e2e.Object{"tool": "github_create_issue", "arguments": e2e.Object{"owner": "alice", "repo": "notes", "title": "x"}}
	read := e2e.Object{"tool": "github_get_authenticated_user", "arguments": e2e.Object{}}
	job, err := json.Marshal(e2e.Object{"url": f.URL + "/mcp", "clients": tokens, "steps": []e2e.Object{read,
		{"tool": "github_list_issues", "arguments": e2e.Object{"owner": "alice", "repo": "no-such-repository"}},
		write, {"get": hooks.URL + "/approve?client="}, write, {"get": hooks.URL + "/disconnect?client="}, read}})
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(job), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, tail(errs.String(), 6000))
	}
	got := map[string]seen{}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %.2000s", err, out.String())
	}
	return got
}

// between does what people do between two calls of an agent.
func (f *framework) between(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	client := r.URL.Query().Get("client")
	a, err := f.Try(e2e.Request{Method: "GET", Path: f.paths[client], Token: f.APIKey()})
	approvals := "/v1/tenants/acme/principals/" + a.Text("principal") + "/approvals"
	if err == nil && r.URL.Path == "/disconnect" {
		a, err = f.Try(e2e.Request{Method: "DELETE", Path: f.paths[client], Token: f.APIKey()})
	} else if err == nil {
		if a, err = f.Try(e2e.Request{Method: "GET", Path: approvals + "?status=pending", Token: f.APIKey()}); err == nil && len(a.List("approvals")) == 1 {
			id, _ := a.List("approvals")[0]["id"].(string)
			a, err = f.Try(e2e.Request{Method: "POST", Path: approvals + "/" + id + "/decision", Token: f.APIKey(), Body: e2e.Object{"decision": "approve", "approver": "carol"}})
		}
	}
	if err != nil || a.Status != http.StatusOK {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (f *framework) check(t *testing.T, client string, got seen) {
	if !slices.Contains(got.Tools, "github_list_issues") || len(got.Texts) != 5 {
		t.Fatalf("%+v", got)
	}
	if got.Revision != "" {
		t.Logf("revision %s", got.Revision)
	}
	wants(t, got.Texts[0], "alice")
	wants(t, got.Texts[1], "provider_error: ", "What to do: ")
	wants(t, got.Texts[2], "approval_required: ", "a person must approve", "POST "+f.URL+"/v1/tenants/acme/principals/user_", "make the same call")
	wants(t, got.Texts[3], "number")
	wants(t, got.Texts[4], "revoked: ", "POST "+f.URL+"/v1/connect-links", "Tell the user")
}

func wants(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, s := range all {
		if !strings.Contains(text, s) {
			t.Errorf("the model does not read %q:\n%s", s, text)
		}
	}
}

// pythonClients is the program that calls through Python clients.
func pythonClients(t *testing.T) *exec.Cmd {
	t.Helper()
	return limited(t, pythonProgram(t), "clients.py", "OPENAI_AGENTS_DISABLE_TRACING=1")
}

// pythonProgram is a Python with the clients and SDKs that tests use, in an environment of its own. Pinned.
func pythonProgram(t *testing.T) string {
	t.Helper()
	onePython.Lock() // two tests use it, and it is installed once
	defer onePython.Unlock()
	dir := cached(t, "mcp-clients-python-2", func(dir string) [][]string {
		return [][]string{{"python3", "-m", "venv", "venv"},
			{filepath.Join(dir, "venv", "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "mcp==1.30.0", "langchain-mcp-adapters==0.3.2", "openai-agents==0.24.0",
				"openai==3.54.0", "anthropic==2.12.0", "google-genai==3.4.0", "jsonschema==4.26.0"}}
	})
	return filepath.Join(dir, "venv", "bin", "python")
}

var onePython, oneNode sync.Mutex

// nodeClients is the program that calls through JavaScript clients.
func nodeClients(t *testing.T) *exec.Cmd { return javascript(t, "clients.mjs") }

// javascript is a program with the JavaScript clients. Pinned.
func javascript(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	oneNode.Lock()
	defer oneNode.Unlock()
	dir := cached(t, "mcp-clients-node-1", func(string) [][]string {
		return [][]string{{"npm", "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix", ".", "@modelcontextprotocol/sdk@1.32.2", "@ai-sdk/mcp@1.0.101"}}
	})
	return limited(t, "node", script, "MODULES="+filepath.Join(dir, "node_modules"))
}

// limited runs one of the programs in testdata, which must not take long.
func limited(t *testing.T, program, script string, env ...string) *exec.Cmd {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", script))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, script)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), env...)
	return cmd
}

// cached is a directory of BEHALF_TEST_CACHE in which the commands were run once, all of them.
func cached(t *testing.T, name string, commands func(dir string) [][]string) string {
	t.Helper()
	dir := filepath.Join(cacheDir(t), name)
	mark := filepath.Join(dir, ".installed")
	if exists(mark) {
		return dir
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range commands(dir) {
		cmd := exec.CommandContext(t.Context(), c[0], c[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", strings.Join(c, " "), err, tail(string(out), 4000))
		}
	}
	if err := os.WriteFile(mark, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
