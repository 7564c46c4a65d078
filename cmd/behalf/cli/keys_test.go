package cli_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/integration/stack/template"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/secret"
)

// TestKeysCreate_KeyIsStoredAndValid cannot be parallel: the AWS SDK reads the process's environment.
func TestKeysCreate_KeyIsStoredAndValid(t *testing.T) {
	account, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stacks, err := template.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := account.LoadTemplates(stacks); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(account)
	defer server.Close()
	key, sec := account.OperatorCredentials()
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": sec, "AWS_REGION": "us-east-1"} {
		t.Setenv(name, value)
	}
	code, out, errs := run(t, "keys", "create", "--aws", "--stage", "local", "--name", "bootstrap")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	text := secret.FromString(strings.TrimSpace(out))
	ref, err := authn.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	db, err := dynamo.Open(t.Context(), "local", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	k, err := db.KeyRecord(t.Context(), ref)
	if err != nil || k.Check(text, time.Now()) != nil || k.Name != "bootstrap" {
		t.Errorf("%+v %v", k, err)
	}
	if code, _, errs := run(t, "keys", "create", "--aws", "--stage", "nowhere", "--name", "x"); code != 1 || !strings.Contains(errs, "behalf-nowhere-directory") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

func TestKeysCreate_WithoutConsentOrName_IsRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"--aws"}, {"--aws", "--stage", "x"}, {"--aws", "--stage", "x", "--name", "n", "--permission", "all"}} {
		if code, _, _ := run(t, append([]string{"keys", "create"}, args...)...); code != 2 {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}
