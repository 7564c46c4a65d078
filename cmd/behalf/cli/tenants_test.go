package cli_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"behalf.dev/behalf/cmd/behalf/cli"
	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/client"
)

func tenants(t *testing.T, f *e2e.Fixture, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := map[string]string{"BEHALF_URL": f.URL, "BEHALF_API_KEY": f.APIKey()}
	code = cli.Run(t.Context(), append([]string{"tenants"}, args...), &out, &errs, func(name string) string { return env[name] })
	return code, out.String(), errs.String()
}

func TestTenants_PutShowList_ChangeOnlyWhatIsNamed(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	logo := filepath.Join(t.TempDir(), "logo.png")
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(logo, picture.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	put := func(args ...string) client.Tenant {
		t.Helper()
		code, out, errs := tenants(t, f, append([]string{"put", "initech"}, args...)...)
		var got client.Tenant
		if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
			t.Fatalf("%v: exit code %d: %s%s", args, code, out, errs)
		}
		return got
	}
	put("--name", "Initech", "--principal-mapping", "userName", "--return-url", "https://a.example.com/x", "--return-url", "https://b.example.com/x", "--logo", logo)
	got := put("--accent", "#0b5fff")
	if got.Name != "Initech" || got.PrincipalMapping != "userName" || len(got.ReturnURLs) != 2 || got.Accent != "#0b5fff" || !strings.HasPrefix(got.Logo, "data:image/png;base64,") {
		t.Errorf("a second put lost something: %+v", got)
	}
	if got := put("--logo", "", "--name", "Initech Inc"); got.Logo != "" || got.Name != "Initech Inc" || got.Accent == "" {
		t.Errorf("clearing the logo: %+v", got)
	}
	if code, out, _ := tenants(t, f, "list"); code != 0 || !strings.Contains("\n"+out, "\ninitech\n") {
		t.Errorf("list: exit code %d: %s", code, out)
	}
	if code, out, _ := tenants(t, f, "show", "initech"); code != 0 || !strings.Contains(out, "Initech Inc") {
		t.Errorf("show: exit code %d: %s", code, out)
	}
}

func TestTenants_Delete_OnlyWhenConfirmed_ReportsTheProvider(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	connection := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	for _, args := range [][]string{{"delete", "acme"}, {"delete", "acme", "--confirm", "globex"}, {"delete"}, {"show", "a", "b"}} {
		if code, _, errs := tenants(t, f, args...); code != 2 || errs == "" {
			t.Errorf("%v: exit code %d, want 2: %s", args, code, errs)
		}
	}
	if code, _, errs := tenants(t, f, "show", "acme"); code != 0 {
		t.Fatalf("it is gone already: %s", errs)
	}
	code, out, errs := tenants(t, f, "delete", "acme", "--confirm", "acme")
	if !strings.Contains(out, connection) || !strings.Contains(out, "github") {
		t.Errorf("the report does not name the connection: exit code %d: %s%s", code, out, errs)
	}
	if code != 0 { // the provider is told by a queue
		f.Settle(t)
		if code, _, errs = tenants(t, f, "delete", "acme", "--confirm", "acme"); code != 0 {
			t.Errorf("exit code %d: %s", code, errs)
		}
	}
	if code, _, errs := tenants(t, f, "show", "acme"); code != 1 || !strings.Contains(errs, "not_found") {
		t.Errorf("after it: exit code %d: %s", code, errs)
	}
}
