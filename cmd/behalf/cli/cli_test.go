package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/cmd/behalf/cli"
	"behalf.dev/behalf/integration/localaws"
)

func noEnv(string) string { return "" }

func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), args, &out, &errs, noEnv)
	return code, out.String(), errs.String()
}

func TestDemo_JSON_EveryStepObserved(t *testing.T) {
	t.Parallel()
	began := time.Now()
	code, out, errs := run(t, "demo", "--json")
	var sum struct {
		OK    bool
		Steps []struct {
			Name     string
			OK       bool
			Observed map[string]any
		}
	}
	if err := json.Unmarshal([]byte(out), &sum); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("not one JSON line: %v\n%s", err, out)
	}
	if code != 0 || !sum.OK || len(sum.Steps) != 8 {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errs)
	}
	for _, s := range sum.Steps {
		if !s.OK || len(s.Observed) == 0 {
			t.Errorf("step %s observed nothing", s.Name)
		}
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the demo took %v, and promises half a minute", took)
	}
}

// dev runs `behalf dev` until stop is called, and returns the first line or the whole text that it printed when ready.
func dev(t *testing.T, args ...string) (printed func() string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	got := make(chan string, 64)
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := r.Read(buf)
			if n > 0 {
				got <- string(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	code := make(chan int, 1)
	var errs bytes.Buffer
	go func() { code <- cli.Run(ctx, append([]string{"dev"}, args...), w, &errs, noEnv); _ = w.Close() }()
	return func() string {
			select {
			case s := <-got:
				return s
			case c := <-code:
				t.Fatalf("dev ended with %d: %s", c, errs.String())
			}
			return ""
		}, func() int {
			cancel()
			return <-code
		}
}

func TestDev_JSON_ReadyLineAndCleanStop(t *testing.T) {
	t.Parallel()
	printed, stop := dev(t, "--port", "0", "--json")
	var ready struct {
		URL         string `json:"url"`
		APIKey      string `json:"api_key"`
		EmulatorURL string `json:"emulator_url"`
	}
	line := printed()
	if err := json.Unmarshal([]byte(line), &ready); err != nil || ready.APIKey == "" || ready.EmulatorURL == "" {
		t.Fatalf("%v: %s", err, line)
	}
	res, err := http.Get(ready.URL + "/healthz")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", res, err)
	}
	_ = res.Body.Close()
	if c := stop(); c != 0 {
		t.Errorf("exit code %d", c)
	}
	if _, err := http.Get(ready.URL + "/healthz"); err == nil {
		t.Error("it still answers after the stop")
	}
}

// TestDev_WalkThrough_WorksWhenPasted runs the printed commands in a shell, twice with a restart between, on one data
// directory.
func TestDev_WalkThrough_WorksWhenPasted(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the walk-through is made of curl lines, and curl is not installed")
	}
	data := filepath.Join(t.TempDir(), "data")
	for round := range 2 {
		printed, stop := dev(t, "--port", "0", "--data", data)
		text := printed()
		_, script, ok := strings.Cut(text, "top to bottom:")
		script, _, ok2 := strings.Cut(script, "Ctrl-C")
		if !ok || !ok2 {
			t.Fatalf("no walk-through in %q", text)
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-c", script)
		cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), `"login":"alice"`) || !strings.Contains(string(out), `"execution.outcome"`) || strings.Contains(string(out), `"code":`) {
			t.Errorf("round %d: %v\n%s", round, err, out)
		}
		if c := stop(); c != 0 {
			t.Errorf("round %d: exit code %d", round, c)
		}
	}
}

func TestRun_WrongUsage_TeachesAndExits2(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"nope"}, {"demo", "--nope"}, {"demo", "x"}, {"dev", "--port", "70000"}, {"dev", "--log", "loud"}, {"audit", "verify"}} {
		code, _, errs := run(t, args...)
		if code != 2 || !strings.Contains(errs, "behalf --help") {
			t.Errorf("%v: exit code %d: %s", args, code, errs)
		}
	}
}

func TestDev_PortTaken_SaysWhatToDo(t *testing.T) {
	t.Parallel()
	printed, stop := dev(t, "--port", "0", "--json")
	var ready struct{ URL string }
	if err := json.Unmarshal([]byte(printed()), &ready); err != nil {
		t.Fatal(err)
	}
	defer stop()
	code, _, errs := run(t, "dev", "--port", ready.URL[strings.LastIndex(ready.URL, ":")+1:])
	if code != 1 || !strings.Contains(errs, "--port 0") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

func TestConnectors_BrokenFolder_NamesFileAndLine(t *testing.T) {
	t.Parallel()
	if code, out, errs := run(t, "connectors"); code != 0 || !strings.Contains(out, "salesforce") {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mine", "connector.yaml"), []byte("id: mine\nname: Mine\ntypo: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := run(t, "connectors", "--connectors", dir)
	if code != 1 || !strings.Contains(errs, "mine/connector.yaml:3") {
		t.Errorf("%d %s", code, errs)
	}
}

func TestAuditVerify_TamperedExport_ExitsWithTheRecord(t *testing.T) {
	t.Parallel()
	f := filepath.Join(t.TempDir(), "trail.json")
	if err := os.WriteFile(f, []byte(`{"records":[{"id":"aud_1","kind":"x","time":"2026-01-01T00:00:00Z","tenant":"acme"}],"segments":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := run(t, "audit", "verify", f)
	if code != 1 || !strings.Contains(out, "aud_1") {
		t.Errorf("%d %s", code, out)
	}
}

// TestDemo_OtherEndpoint_SameStory runs the demo over HTTP against an account that enforces nothing, as LocalStack is,
// and refuses the real AWS.
func TestDemo_OtherEndpoint_SameStory(t *testing.T) {
	t.Parallel()
	account, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(account.Permissive())
	defer server.Close()
	at := func(url string) func(string) string {
		return func(name string) string {
			if name == "AWS_ENDPOINT_URL" {
				return url
			}
			return ""
		}
	}
	var out, errs bytes.Buffer
	if code := cli.Run(t.Context(), []string{"demo", "--json"}, &out, &errs, at(server.URL)); code != 0 || !strings.Contains(out.String(), `"ok":true`) || !strings.Contains(out.String(), "not enforced by this endpoint") {
		t.Errorf("exit code %d\n%s\n%s", code, out.String(), errs.String())
	}
	if account.Counter().Snapshot()["dynamodb:Query"] == 0 {
		t.Error("the account was not asked")
	}
	out.Reset()
	if code := cli.Run(t.Context(), []string{"demo"}, &out, &errs, at("https://dynamodb.us-east-1.amazonaws.com")); code != 1 {
		t.Errorf("real AWS was accepted: %s", out.String())
	}
}
