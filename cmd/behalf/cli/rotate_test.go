package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"behalf.dev/behalf/cmd/behalf/cli"
	"behalf.dev/behalf/integration/stack"
)

// runWith runs the command line with an API key in the environment.
func runWith(t *testing.T, key string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = cli.Run(t.Context(), args, &stdout, &stderr, func(name string) string {
		if name == "BEHALF_API_KEY" {
			return key
		}
		return ""
	})
	return code, stdout.String(), stderr.String()
}

func TestKeysRotate_AgainstTheLocalStack(t *testing.T) {
	t.Parallel()
	s, err := stack.Start(t.Context(), stack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	put := func(path, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+s.APIKey())
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); res.StatusCode/100 != 2 {
			t.Fatalf("%s: %d %s", path, res.StatusCode, b)
		}
	}
	const client = `{"client_id":"id","client_secret":"hush"}`
	for _, path := range []string{"/v1/tenants/acme", "/v1/tenants/globex"} {
		put(path, `{}`)
	}
	put("/v1/connectors/github/client", client)
	put("/v1/tenants/acme/connectors/github/client", client)

	code, out, errs := runWith(t, s.APIKey(), "keys", "rotate", "--url", s.URL, "--tenant", "acme")
	if code != 0 || !strings.Contains(out, "acme") || !strings.Contains(out, "cs/2") || !strings.Contains(out, "1 records re-sealed") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	code, out, errs = runWith(t, s.APIKey(), "keys", "rotate", "--url", s.URL, "--all", "--json")
	if code != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	seen := map[string]uint32{}
	for line := range strings.Lines(out) {
		var r struct {
			Tenant   string
			Versions map[string]uint32
			Resealed int
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		seen[r.Tenant] = r.Versions["cs"]
		if want := map[string]int{"_deployment": 1, "acme": 1}[r.Tenant]; r.Resealed != want {
			t.Errorf("%s: %d records re-sealed, want %d", r.Tenant, r.Resealed, want)
		}
	}
	if len(seen) != 3 || seen["_deployment"] != 2 || seen["acme"] != 3 || seen["globex"] != 1 {
		t.Errorf("newest versions of cs: %v", seen)
	}
	if code, out, _ = runWith(t, s.APIKey(), "keys", "rotate", "--url", s.URL, "--tenant", "acme", "--reseal-only"); code != 0 || !strings.Contains(out, "cs/3, 0 records") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if code, out, errs = runWith(t, s.APIKey(), "keys", "rotate", "--url", s.URL, "--tenant", "nobody"); code != 1 || !strings.Contains(out, "no tenant") || !strings.Contains(errs, "1 were not") && !strings.Contains(errs, "of 1 ") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	if code, out, errs = runWith(t, "bhf_key_wrong", "keys", "rotate", "--url", s.URL, "--all"); code != 1 || strings.Contains(out+errs, "bhf_key_wrong") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}

func TestKeysRotate_WrongUse_TeachesAndChangesNothing(t *testing.T) {
	t.Parallel()
	const url = "https://behalf.example.com"
	for say, args := range map[string][]string{
		"--url":          {"--tenant", "acme"},
		"whose keys":     {"--url", url},
		"--tenant acme":  {"--url", url, "--tenant", "acme", "--all"},
		"https":          {"--url", "http://behalf.example.com", "--all"},
		"--retire-after": {"--url", url, "--all", "--retire-after", "5m"},
		"nothing to do":  {"--url", url, "--all", "--no-reseal", "--reseal-only"},
	} {
		if code, _, errs := runWith(t, "bhf_key_x", append([]string{"keys", "rotate"}, args...)...); code != 2 || !strings.Contains(errs, say) {
			t.Errorf("%v: exit code %d: %s", args, code, errs)
		}
	}
	if code, _, errs := runWith(t, "", "keys", "rotate", "--url", url, "--all"); code != 2 || !strings.Contains(errs, "BEHALF_API_KEY") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
