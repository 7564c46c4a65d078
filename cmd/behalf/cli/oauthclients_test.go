package cli_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"behalf.dev/behalf/cmd/behalf/cli"
	"behalf.dev/behalf/integration/e2e"
)

// oauthClients runs the command against f.
func oauthClients(t *testing.T, f *e2e.Fixture, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := map[string]string{"BEHALF_URL": f.URL, "BEHALF_API_KEY": f.APIKey()}
	code = cli.Run(t.Context(), append([]string{"oauth-clients"}, args...), &out, &errs, func(name string) string { return env[name] })
	if strings.Contains(out.String()+errs.String(), "PRIVATE KEY") || strings.Contains(out.String()+errs.String(), "from-a-file") {
		t.Errorf("prints a secret: %s%s", out.String(), errs.String())
	}
	return code, out.String(), errs.String()
}

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "credential")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestOAuthClients_KeyAndParams_ConnectWithoutMore: a customer's own GitHub App is stored from a file, and used at once.
func TestOAuthClients_KeyAndParams_ConnectWithoutMore(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Back(t, "PUT", "/v1/tenants/acme", e2e.Object{"name": "Acme"}).Want(t, 200)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private := file(t, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	f.Back(t, "PUT", "/v1/connectors/github-app/client", e2e.Object{"client_id": "Iv23app", "private_key": read(t, private)}).Want(t, 200) // the emulator learns of it
	install := f.Key(t, "github-app", "alice")["installation_id"]
	code, out, errs := oauthClients(t, f, "put", "--connector", "github-app", "--tenant", "acme", "--client-id", "Iv23app", "--private-key-file", private, "--param", "installation_id="+install)
	if code != 0 || strings.TrimSpace(out) != f.URL+"/oauth/callback/github-app~acme" {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	l := f.Link(t, "acme", "user_alice", "github-app", nil) // which names no installation
	b := f.NewBrowser(t)
	page := b.Open(t, l.Text("url")).Want(t, 200)
	b.Submit(t, l.Text("url"), e2e.Form(page, nil)).Want(t, 303)
	if a := f.Confirm(t, l.Text("id"), "user_alice").Want(t, 200); a.Text("connection.account.id") != install {
		t.Errorf("%s", a.Body)
	}
	if code, out, _ := oauthClients(t, f, "show", "--connector", "github-app", "--tenant", "acme"); code != 0 || !strings.Contains(out, `"installation_id": "`+install+`"`) {
		t.Errorf("exit code %d: %s", code, out)
	}
	if code, _, errs := oauthClients(t, f, "delete", "--connector", "github-app", "--tenant", "acme"); code != 2 || !strings.Contains(errs, "--confirm github-app") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if code, _, errs := oauthClients(t, f, "delete", "--connector", "github-app", "--tenant", "acme", "--confirm", "github-app"); code != 0 {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if code, _, errs := oauthClients(t, f, "show", "--connector", "github-app", "--tenant", "acme"); code != 1 {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The line break at the end of a file is not part of a secret.
func TestOAuthClients_SecretFile_LosesItsLineBreak(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	if code, out, errs := oauthClients(t, f, "put", "--connector", "slack", "--client-id", "client-slack", "--secret-file", file(t, e2e.ClientSecret+"\r\n")); code != 0 || !strings.HasSuffix(out, "/oauth/callback/slack\n") {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	f.Connect(t, "acme", "user_alice", "slack", "alice", nil)
	if code, _, errs := oauthClients(t, f, "put", "--connector", "slack", "--client-id", "x", "--private-key-file", file(t, "from-a-file")); code != 1 || !strings.Contains(errs, "client") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

func TestOAuthClients_WrongUsage_SaysHow(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	empty := file(t, "\n")
	for want, args := range map[string][]string{
		"--connector is missing": {"show"},
		"--client-id is missing": {"put", "--connector", "slack"},
		"secret or a private":    {"put", "--connector", "slack", "--client-id", "x", "--secret-file", empty, "--private-key-file", empty},
		"is empty":               {"put", "--connector", "slack", "--client-id", "x", "--secret-file", empty},
		"no such file":           {"put", "--connector", "slack", "--client-id", "x", "--secret-file", empty + ".not"},
		"more than":              {"put", "--connector", "slack", "--client-id", "x", "--secret-file", file(t, strings.Repeat("x", 64<<10+1))},
	} {
		if code, out, errs := oauthClients(t, f, args...); code == 0 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%v: exit code %d: %s%s", args, code, out, errs)
		}
	}
}
