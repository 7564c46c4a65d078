package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
	"behalf.dev/behalf/shared/awssts"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/workspace"
)

// sink collects text from several goroutines.
type sink struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *sink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// known is a secret of the flow; mayShow lists the answers ("POST /v1/sessions") whose purpose is to hand it out.
type known struct {
	name, value string
	mayShow     string
}

// forms are a secret in each encoding in which it could hide.
func forms(s string) []string {
	b := []byte(s)
	out := []string{s, hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), url.QueryEscape(s), strings.Trim(fmt.Sprint(b), "[]")}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 { // whatever stands before it
			e := enc.EncodeToString(append(make([]byte, shift), b...))
			out = append(out, e[4:len(e)-4])
		}
	}
	return out
}

func holds(text, s string) bool {
	for _, f := range forms(s) {
		if strings.Contains(text, f) {
			return true
		}
	}
	return false
}

func TestHolds_FindsASecretInEachEncoding(t *testing.T) {
	t.Parallel()
	const s = "ghu_0123456789abcdefghijABCDEFGHIJ"
	for _, text := range []string{s, "x" + s + "y", hex.EncodeToString([]byte("ab" + s)), base64.StdEncoding.EncodeToString([]byte(`{"t":"` + s + `"}`)), base64.URLEncoding.EncodeToString([]byte("a" + s)),
		base64.StdEncoding.EncodeToString([]byte("ab" + s + "c")), fmt.Sprint([]byte(s))} {
		if !holds(text, s) {
			t.Errorf("not found in %q", text)
		}
	}
	if holds("ghu_0123456789", s) {
		t.Error("found where it is not")
	}
}

// TestNoSecretLeaves walks through everything once and looks for each secret in everything that came out: answers, logs
// at debug, every request to AWS (writes, messages, events, invocations) and every row of every table.
func TestNoSecretLeaves(t *testing.T) {
	t.Parallel()
	logs, requests := &sink{}, &sink{}
	f := e2e.Start(t, e2e.Options{Log: slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	f.Account().Faults().Hook("*", -1, func(body []byte) bool {
		if !bytes.Contains(body, []byte("methodArn")) { // vended's call of the authorizer, which API Gateway makes otherwise
			fmt.Fprintf(requests, "%s\n", body)
		}
		return false
	}, func() {})
	secrets := walk(t, f)
	f.Settle(t)
	if len(secrets) < 25 || len(logs.text()) < 1000 || len(requests.text()) < 100_000 || len(f.Transcript()) < 50 {
		t.Fatalf("too little to look at: %d secrets, %d bytes of logs, %d bytes of requests, %d answers", len(secrets), len(logs.text()), len(requests.text()), len(f.Transcript()))
	}
	places := map[string]string{"the logs": logs.text(), "a request to AWS": requests.text()}
	for _, table := range []string{"vault", "directory", "flow", "audit"} {
		b, err := json.Marshal(scan(t, f, table, ""))
		if err != nil {
			t.Fatal(err)
		}
		places["the table "+table] = string(b)
	}
	tokenLike := regexp.MustCompile(`gh[ur]_[A-Za-z0-9]{20}|xox[a-z][.-][A-Za-z0-9-]{10}|xoxe\.xox|00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{20}`)
	for place, text := range places {
		for _, s := range secrets {
			if holds(text, s.value) {
				t.Errorf("%s holds the %s", place, s.name)
			}
		}
		if m := tokenLike.FindString(text); m != "" {
			t.Errorf("%s holds what looks like a token: %.12s…", place, m)
		}
	}
	for _, x := range f.Transcript() {
		h, _ := json.Marshal(x.Header) // strings only: cannot fail
		text := string(h) + "\n" + x.Body
		for _, s := range secrets {
			if !(s.mayShow != "" && strings.HasPrefix(x.Method+" "+x.Path, s.mayShow)) && holds(text, s.value) {
				t.Errorf("the answer to %s %s (%d) holds the %s", x.Method, x.Path, x.Status, s.name)
			}
		}
		if m := tokenLike.FindString(text); m != "" {
			t.Errorf("the answer to %s %s holds what looks like a token: %.12s…", x.Method, x.Path, m)
		}
	}
}

// walk does everything that handles secrets, failures included, and returns the secrets.
func walk(t *testing.T, f *e2e.Fixture) []known {
	t.Helper()
	out := []known{{"API key", f.APIKey(), ""}, {"client secret", e2e.ClientSecret, ""}}
	out = append(out, known{"tenant's client secret", "own-" + e2e.ClientSecret, ""})
	f.Back(t, "PUT", "/v1/tenants/acme/connectors/slack/client", object{"client_id": "own", "client_secret": "own-" + e2e.ClientSecret}).Want(t, 200)
	for provider, who := range whoami {
		got, id := connectWatched(t, f, provider)
		out = append(out, got...)
		session := f.Session(t, "acme", "user_alice", nil)
		out = append(out, known{"session token", session, "POST /v1/sessions"})
		creds, _ := vended(t, f, session)
		out = append(out, known{"vended secret key", creds.SecretAccessKey, ""}, known{"vended session token", creds.SessionToken, ""})
		f.Execute(t, session, who.tool, nil, object{"idempotency_key": "key-" + provider}).Want(t, 200)
		out = append(out, tokens(t, f, provider, id)...)
		if _, err := f.Emulator.Expire(provider, "alice"); err != nil {
			t.Fatal(err)
		}
		f.Execute(t, session, who.tool, nil, nil).Want(t, 200)
		out = append(out, tokens(t, f, provider, id)...)
		for _, mode := range []emulator.Mode{"status:500", "status:400", emulator.ModeRateLimited, emulator.ModeLostReply, "error:missing_scope"} {
			f.Fail(t, provider, emulator.Fault{Kind: emulator.KindAPI, Mode: mode, Times: 2})
			f.Execute(t, session, who.tool, nil, nil)
		}
		f.Fail(t, provider, emulator.Fault{Kind: emulator.KindRefresh, Mode: "status:500"})
		f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil)
		f.Fail(t, provider, emulator.Fault{Kind: emulator.KindRevoke, Mode: "status:500"})
		f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
		f.Do(t, e2e.Request{Method: "POST", Path: "/v1/tools?x=1", Token: session + "x"})
	}
	out = append(out, walkForms(t, f)...)
	out = append(out, walkRegistered(t, f)...)
	scim := scimToken(t, f, "acme")
	out = append(out, known{"SCIM token", scim, "POST /v1/tenants/acme/scim-tokens"})
	setActive(t, f, scim, scimUser(t, f, scim, "user_alice"), false)
	f.Back(t, "GET", "/v1/tenants/acme/audit?include=segments&limit=1000", nil).Want(t, 200)
	f.Back(t, "GET", "/v1/tenants/acme/connections", nil).Want(t, 200)
	f.Back(t, "GET", "/v1/api-keys", nil).Want(t, 200)
	f.Back(t, "GET", "/v1/tenants/acme/scim-tokens", nil).Want(t, 200)
	return out
}

// walkForms does what handles pasted secrets: a form with a mistake, one that is refused, one that works, an import, and calls
// that fail; and returns the secrets.
func walkForms(t *testing.T, f *e2e.Fixture) (out []known) {
	t.Helper()
	tools := map[string]object{"stripe_get_account": nil, "zendesk_get_current_user": nil, "bigquery_query": {"query": "SELECT 1"}, "snowflake_run_statement": {"statement": "SELECT 1"}}
	for tool, input := range tools {
		provider, _, _ := strings.Cut(tool, "_")
		spec := f.Back(t, "GET", "/v1/connectors/"+provider, nil).Want(t, 200)
		fields := f.Key(t, provider, "alice")
		for _, field := range spec.List("fields") {
			name := field["name"].(string)
			if field["secret"] == true {
				out = append(out, secretsIn(t, provider, fields[name])...)
			}
		}
		l := f.Link(t, "acme", "user_alice", provider, nil)
		b := f.NewBrowser(t)
		wrong := maps.Clone(fields)
		wrong["nonsense"] = "x"
		page := b.Fill(t, l.Text("url"), wrong).Want(t, 422)
		b.Submit(t, l.Text("url"), e2e.Form(page, fields)).Want(t, 303)
		id := f.Confirm(t, l.Text("id"), "user_alice").Want(t, 200).Text("connection_id")
		session := f.Session(t, "acme", "user_alice", nil)
		out = append(out, known{"session token", session, "POST /v1/sessions"})
		f.Execute(t, session, tool, input, nil).Want(t, 200)
		out = append(out, tokens(t, f, provider, id)...)
		for _, mode := range []emulator.Mode{"status:500", emulator.ModeLostReply, emulator.ModeDropBefore, "error:nonsense"} {
			f.Fail(t, provider, emulator.Fault{Kind: emulator.KindAPI, Mode: mode, Times: 1})
			f.Execute(t, session, tool, input, nil)
		}
		f.Fail(t, provider)
		f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil)
		body := object{"principal": "user_bob", "connector": provider, "credential": fields}
		f.Back(t, "POST", "/v1/tenants/acme/connections", body).Want(t, 201)
		if _, err := f.Emulator.RevokeGrant(provider, "alice"); err != nil {
			t.Fatal(err)
		}
		f.Back(t, "POST", "/v1/tenants/acme/connections", body).WantCode(t, "conflict")
		f.Execute(t, session, tool, input, nil)
		refused := f.Filled(t, "acme", "user_carol", provider, fields, nil)
		f.Confirm(t, refused, "user_carol").WantCode(t, "conflict")
		f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	}
	return out
}

// walkRegistered connects at the providers whose clients the fixture does not register, and returns the secrets.
func walkRegistered(t *testing.T, f *e2e.Fixture) (out []known) {
	t.Helper()
	for provider, tool := range map[string]string{"linear": "linear_get_viewer", "gmail": "gmail_get_profile", "hubspot": "hubspot_list_deals"} {
		register(t, f, provider)
		got, id := connectWatched(t, f, provider)
		session := f.Session(t, "acme", "user_alice", nil)
		out = append(append(out, got...), known{"session token", session, "POST /v1/sessions"})
		f.Execute(t, session, tool, nil, nil).Want(t, 200)
		out = append(out, tokens(t, f, provider, id)...)
		f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	}
	out = append(out, secretsIn(t, "github-app", registerApp(t, f))...)
	body := object{"principal": "user_alice", "connector": "github-app", "credential": f.Key(t, "github-app", "alice")}
	id := f.Back(t, "POST", "/v1/tenants/acme/connections", body).Want(t, 201).Text("id")
	session := f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "github-app_list_repositories", nil, nil).Want(t, 200)
	return append(append(out, known{"session token", session, "POST /v1/sessions"}), tokens(t, f, "github-app", id)[0])
}

// secretsIn are a field's value and, since nobody would show a whole file, the lines of the private key in it.
func secretsIn(t *testing.T, provider, value string) []known {
	t.Helper()
	key := value
	var file struct {
		Key string `json:"private_key"`
	}
	if json.Unmarshal([]byte(value), &file) == nil {
		key = file.Key
	}
	lines := strings.Split(strings.TrimSpace(key), "\n")
	if len(lines) == 1 {
		return []known{{provider + "'s key", value, ""}}
	}
	if len(lines) < 20 {
		t.Fatalf("%s: a private key of %d lines", provider, len(lines))
	}
	return []known{{provider + "'s private key", lines[5], ""}, {provider + "'s private key", lines[12], ""}}
}

// connectWatched connects alice and notes each secret on the way.
func connectWatched(t *testing.T, f *e2e.Fixture, provider string) (out []known, id string) {
	t.Helper()
	l := f.Link(t, "acme", "user_alice", provider, nil)
	public := l.Text("url")[strings.LastIndex(l.Text("url"), ".")+1:]
	b := f.NewBrowser(t)
	back := b.Consent(t, l.Text("url"), "alice", "approve")
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	b.Open(t, back).Want(t, 303)
	out = append(out, known{provider + "'s link", public, "POST /v1/connect-links"}, known{provider + "'s code", u.Query().Get("code"), ""},
		known{provider + "'s state", u.Query().Get("state"), "POST /connect/"}, known{provider + "'s cookie", lastCookie(t, f, public), "GET /connect/"})
	if v := verifier(t, f, l.Text("id")); provider != "slack" { // Slack's connector uses no PKCE
		out = append(out, known{provider + "'s PKCE verifier", v, ""})
	}
	return out, f.Confirm(t, l.Text("id"), "user_alice").Want(t, 200).Text("connection_id")
}

// lastCookie is the cookie that a link's page set.
func lastCookie(t *testing.T, f *e2e.Fixture, public string) string {
	t.Helper()
	for _, x := range f.Transcript() {
		if x.Method == "GET" && strings.HasSuffix(x.Path, public) {
			_, rest, _ := strings.Cut(x.Header.Get("Set-Cookie"), "=")
			value, _, _ := strings.Cut(rest, ";")
			if len(value) < 20 {
				t.Fatalf("cookie %q", value)
			}
			return value
		}
	}
	t.Fatal("no flow was started")
	return ""
}

// open is acme's workspace as a function sees it.
func open(t *testing.T, f *e2e.Fixture, function, role string, s tenant.Scope) workspace.Workspace {
	t.Helper()
	v := awssts.NewVendor(sts.NewFromConfig(f.Role(function)), "arn:aws:iam::000000000000:role/behalf-local-tenant-"+role, f.Clock.Now)
	var creds aws.Credentials
	var err error
	if s.Principal == "" {
		creds, err = v.ForTenant(t.Context(), s.Tenant)
	} else {
		creds, err = v.ForPrincipal(t.Context(), s)
	}
	if err != nil {
		t.Fatal(err)
	}
	tables := dynamo.Names{Vault: "behalf-local-vault", Directory: "behalf-local-directory", Flow: "behalf-local-flow", Audit: "behalf-local-audit"}
	return workspace.NewOpener(f.Role(function), "local", tables, "", f.Clock.Now).OpenWith(creds)
}

// tokens opens what the vault holds for a connection now.
func tokens(t *testing.T, f *e2e.Fixture, provider, id string) []known {
	t.Helper()
	s := tenant.Scope{Tenant: "acme", Principal: "user_alice"}
	w := open(t, f, "refresh", "refresh", tenant.Scope{Tenant: s.Tenant})
	ref := connection.Ref{Scope: s, Connector: provider, ID: connection.ID(id)}
	c, err := w.DB.Connection(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	slot, ok, err := w.DB.Slot(t.Context(), ref, c.Refresh.Generation)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	plain := func(p connection.Purpose, sealed []byte) string {
		return shown(t, w, ref.Binding(p, slot.Generation), sealed)
	}
	out := []known{{provider + "'s access token", plain(connection.AccessToken, slot.Access), ""}}
	if slot.Refresh != nil {
		out = append(out, known{provider + "'s refresh token", plain(connection.RefreshToken, slot.Refresh), ""})
	}
	return out
}

// verifier opens the PKCE verifier that waits in a link.
func verifier(t *testing.T, f *e2e.Fixture, link string) string {
	t.Helper()
	w := open(t, f, "callback", "connect", tenant.Scope{Tenant: "acme", Principal: "user_alice"})
	l, err := w.DB.Link(t.Context(), "acme", link)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.Sum256([]byte(link))
	return shown(t, w, connection.Binding{Tenant: "acme", Principal: "user_alice", Record: "link:verifier:" + hex.EncodeToString(h[:]), Purpose: connection.RefreshToken}, l.Verifier)
}

func shown(t *testing.T, w workspace.Workspace, b connection.Binding, sealed []byte) string {
	t.Helper()
	var s secret.Text
	s, err := w.Vault.Open(context.WithoutCancel(t.Context()), b, sealed)
	if err != nil || len(s.Reveal(reveal.Key{})) < 20 {
		t.Fatalf("open %s of %s: %v", b.Purpose, b.Record, err)
	}
	return string(s.Reveal(reveal.Key{}))
}
