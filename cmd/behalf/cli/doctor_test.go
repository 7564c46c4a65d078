package cli_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/cmd/behalf/cli"
	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

// doctor runs the command with an environment, and gives what each check found.
func doctor(t *testing.T, url, key string) (code int, found map[string]string, errs string) {
	t.Helper()
	env := map[string]string{"BEHALF_URL": url, "BEHALF_API_KEY": key}
	var out, stderr bytes.Buffer
	code = cli.Run(t.Context(), []string{"doctor", "--json"}, &out, &stderr, func(name string) string { return env[name] })
	found = map[string]string{}
	d := json.NewDecoder(&out)
	for d.More() {
		var f struct{ Check, Result, Found, Do string }
		if err := d.Decode(&f); err != nil {
			t.Fatal(err)
		}
		if f.Result != "ok" && f.Result != "skipped" && f.Do == "" {
			t.Errorf("%s is a %s and nothing says what to do", f.Check, f.Result)
		}
		found[f.Check] = f.Result + ": " + f.Found
	}
	return code, found, stderr.String()
}

func TestDoctor_HealthyThenNot_SaysWhat(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	connection := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	code, found, errs := doctor(t, f.URL, f.APIKey())
	for _, check := range []string{"deployment", "clocks", "signing keys", "API", "refresh", "failing refreshes", "switches", "webhooks"} {
		if !strings.HasPrefix(found[check], "ok: ") {
			t.Errorf("%s of a healthy deployment: %q", check, found[check])
		}
	}
	if code != 0 {
		t.Errorf("exit code %d: %s", code, errs)
	}
	f.Back(t, "PUT", "/v1/switches", e2e.Object{"connectors": []string{"slack"}, "reason": "an incident"}).Want(t, 200)
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindRefresh, Mode: "status:503", Times: 100})
	f.Back(t, "POST", "/v1/tenants/acme/connections/"+connection+"/refresh", nil)
	code, found, errs = doctor(t, f.URL, f.APIKey())
	if code != 0 || found["switches"] != "warning: off: slack" || !strings.HasPrefix(found["failing refreshes"], "warning: 1 of") || !strings.Contains(found["failing refreshes"], "github") {
		t.Errorf("exit code %d: %q, %q %s", code, found["switches"], found["failing refreshes"], errs)
	}
}

func TestDoctor_KeyWithFewRightsOrNone_SkipsOrFails(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	poor := f.Back(t, "POST", "/v1/api-keys", e2e.Object{"name": "poor", "permissions": []string{"tenants:read"}}).Want(t, 201).Text("key")
	for key, want := range map[string]string{poor: "skipped: the API key may not see it", "": "skipped: BEHALF_API_KEY is not set", "bhf_key_wrong": "failed: the API key is not known"} {
		code, found, errs := doctor(t, f.URL, key)
		for _, check := range []string{"refresh", "switches", "webhooks"} {
			if found[check] != want {
				t.Errorf("key %.9q, %s: %q, want %q", key, check, found[check], want)
			}
		}
		if wantCode := strings.Count(want, "failed"); code != wantCode {
			t.Errorf("key %.9q: exit code %d, want %d: %s", key, code, wantCode, errs)
		}
	}
}

// overdue is a deployment of another version, whose clock is wrong and whose sweep stands still.
func overdue(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	answer := map[string]string{
		"/healthz": `{"status":"ok"}`, "/.well-known/jwks.json": `{"keys":[]}`, "/openapi.json": `{"openapi":"3.1.0"}`,
		"/v1/refresh/due": `{"due":[{"due_at":"` + time.Now().Add(-2*time.Hour).UTC().Format(time.RFC3339) + `","connection":{"id":"c1","tenant":"acme"}}]}`,
		"/v1/webhooks":    `{"webhooks":[{"id":"w1","status":"disabled","reason":"gone"}]}`,
	}[r.URL.Path]
	if answer == "" {
		w.WriteHeader(http.StatusInternalServerError)
	}
	_, _ = w.Write([]byte(answer))
}

func TestDoctor_SickDeployment_EachCheckTells(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(overdue))
	defer s.Close()
	code, found, errs := doctor(t, s.URL, "bhf_key_some")
	want := map[string]string{"clocks": "warning: differ by 1h", "signing keys": "failed: the key set is empty", "API": "warning: another version",
		"refresh": "failed: c1 of acme is due since 2h", "switches": "failed: ", "webhooks": "warning: failing or disabled: w1"}
	for check, text := range want {
		if !strings.HasPrefix(found[check], text) {
			t.Errorf("%s: %q, want %q", check, found[check], text)
		}
	}
	if code != 1 || !strings.Contains(errs, "checks failed") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

func TestDoctor_NothingAnswers_FailsOnceAndStops(t *testing.T) {
	t.Parallel()
	code, found, _ := doctor(t, "http://127.0.0.1:1", "")
	if code != 1 || !strings.HasPrefix(found["deployment"], "failed: ") || found["API"] != "" {
		t.Errorf("exit code %d: %v", code, found)
	}
	if code, _, _ := doctor(t, "http://behalf.example.com", ""); code != 2 {
		t.Errorf("plain http to the world: exit code %d", code)
	}
}

func TestDoctor_WithoutADeployment_LooksAtTheMachineOnly(t *testing.T) {
	t.Parallel()
	code, out, errs := run(t, "doctor")
	if code != 0 || !strings.Contains(out, "✓ go ") || strings.Contains(out, "deployment") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}
