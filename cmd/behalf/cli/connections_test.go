package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/cmd/behalf/cli"
	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

// at runs the command against f, with a key.
func at(t *testing.T, f *e2e.Fixture, key string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := map[string]string{"BEHALF_URL": f.URL, "BEHALF_API_KEY": key}
	code = cli.Run(t.Context(), append([]string{"connections"}, args...), &out, &errs, func(name string) string { return env[name] })
	return code, out.String(), errs.String()
}

func TestConnections_DueFailingAndATenants(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	github := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	slack := f.Connect(t, "globex", "user_bob", "slack", "bob", nil)
	key := f.APIKey()
	lines := func(args ...string) []string {
		code, out, errs := at(t, f, key, args...)
		if code != 0 {
			t.Fatalf("%v: exit code %d: %s", args, code, errs)
		}
		return strings.Split(strings.TrimSpace(out), "\n")[1:] // the heading
	}
	if got := lines("--due"); len(got) != 0 {
		t.Errorf("something is due at once: %q", got)
	}
	if got := lines("--due", "--within", "24h"); len(got) != 2 {
		t.Errorf("due within a day: %q", got)
	}
	if got := lines("--tenant", "globex"); len(got) != 1 || !strings.Contains(got[0], slack) || !strings.Contains(got[0], "active") {
		t.Errorf("globex has %q", got)
	}
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindRefresh, Mode: "status:503", Times: 100})
	if got := lines("--due", "--tenant", "acme", "--within", "24h"); len(got) != 1 || !strings.Contains(got[0], github) {
		t.Errorf("due of acme: %q", got)
	}
	f.Back(t, "POST", "/v1/tenants/acme/connections/"+github+"/refresh", nil)
	if got := lines("--due", "--failing"); len(got) != 1 || !strings.Contains(got[0], github) || !strings.Contains(got[0], "transient: http_503") {
		t.Errorf("failing: %q", got)
	}
	code, out, errs := at(t, f, key, "--due", "--within", "240h", "--limit", "1", "--json")
	var row struct {
		DueAt      time.Time `json:"due_at"`
		Connection struct {
			ID      string
			Refresh struct {
				Fails     int    `json:"fails"`
				LastError string `json:"last_error"`
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &row); err != nil || code != 0 || row.DueAt.IsZero() || row.Connection.ID == "" || !strings.Contains(errs, "more than these 1") {
		t.Errorf("exit code %d, %v: %s%s", code, err, out, errs)
	}
}

func TestConnections_KeyOfATenant_MayNotSeeAll(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	key := f.Back(t, "POST", "/v1/api-keys", e2e.Object{"name": "acme's", "permissions": []string{"connections:read"}, "tenant": "acme"}).Want(t, 201).Text("key")
	if code, out, errs := at(t, f, key, "--due"); code != 1 || !strings.Contains(errs, "limited to one") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	if code, _, errs := at(t, f, key, "--tenant", "acme"); code != 0 {
		t.Errorf("its own tenant: exit code %d: %s", code, errs)
	}
	if code, _, _ := at(t, f, key, "--tenant", "globex"); code != 1 {
		t.Errorf("another tenant: exit code %d", code)
	}
}

func TestConnections_WrongUsage_SaysHow(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"--within", "1h", "--tenant", "acme"}, {"--due", "--limit", "-1"}, {"--due"}, {"--due", "x"}} {
		code, out, errs := run(t, append([]string{"connections"}, args...)...) // without a key
		if code != 2 || errs == "" || out != "" {
			t.Errorf("%v: exit code %d: %s%s", args, code, out, errs)
		}
	}
}

// Links that nobody follows are due to be dropped when they expire. More rows than one page holds come all, and in order.
func TestConnections_ManyPages_NothingIsLeftOut(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	for i := range 9 {
		f.Back(t, "POST", "/v1/connect-links", e2e.Object{"tenant": "acme", "principal": fmt.Sprintf("user_%d", i), "connector": "github", "return_url": e2e.ReturnURL}).Want(t, 201)
	}
	seen := map[string]bool{}
	cursor := ""
	for pages := 0; pages == 0 || cursor != ""; pages++ {
		a := f.Back(t, "GET", "/v1/refresh/due?limit=2&within=86400&cursor="+cursor, nil).Want(t, 200)
		rows, _ := a.JSON["due"].([]any)
		for _, r := range rows {
			seen[fmt.Sprint(r.(map[string]any)["connection"].(map[string]any)["id"])] = true
		}
		cursor = a.Text("cursor")
		if len(rows) > 2 || pages > 9 {
			t.Fatalf("page %d has %d rows", pages, len(rows))
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d of 9 are listed", len(seen))
	}
}
