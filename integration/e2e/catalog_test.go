package e2e_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

// register gives a connector the client that the fixture's three providers have.
func register(t *testing.T, f *e2e.Fixture, connector string) {
	t.Helper()
	f.Back(t, "PUT", "/v1/connectors/"+connector+"/client", object{"client_id": "client-" + connector, "client_secret": e2e.ClientSecret}).Want(t, 200)
}

// registerApp gives github-app a client that signs, and returns its key.
func registerApp(t *testing.T, f *e2e.Fixture) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	f.Back(t, "PUT", "/v1/connectors/github-app/client", object{"client_id": "Iv23app", "private_key": private}).Want(t, 200)
	return private
}

func TestJourney_Linear_RotatesAndReadsErrorsInAGoodAnswer(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	register(t, f, "linear")
	id := f.Connect(t, "acme", "user_alice", "linear", "alice", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	got := f.Execute(t, session, "linear_get_viewer", nil, nil).Want(t, 200)
	if got.Text("data.viewer.email") != "alice@acme.example" {
		t.Errorf("%s", got.Body)
	}
	f.Execute(t, session, "linear_create_issue", object{"team_id": "team-acme", "title": "Fix login"}, nil).Want(t, 200)
	f.Execute(t, session, "linear_get_issue", object{"issue": "ENG-404"}, nil).WantCode(t, "provider_error") // status 200 there
	f.Fail(t, "linear", emulator.Fault{Kind: emulator.KindAPI, Mode: emulator.ModeRateLimited, RetryAfter: 30, Times: 9})
	f.Execute(t, session, "linear_create_comment", object{"issue_id": "i", "body": "x"}, nil).WantCode(t, "rate_limited") // 400 there
	f.Fail(t, "linear")
	// The reply to a refresh is lost: the replay window saves the connection.
	f.Clock.Advance(25 * time.Hour)
	f.Fail(t, "linear", emulator.Fault{Kind: emulator.KindRefresh, Mode: emulator.ModeLostReply, Times: 1})
	session = f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "linear_get_viewer", nil, nil)
	f.Clock.Advance(2 * time.Minute)
	f.Execute(t, session, "linear_get_viewer", nil, nil).Want(t, 200)
	gone(t, f, "acme", id, "revoked")
	f.Execute(t, session, "linear_get_viewer", nil, nil).WantCode(t, "revoked")
}

// gone revokes a connection and checks how the provider answered.
func gone(t *testing.T, f *e2e.Fixture, tenant, id, answer string) {
	t.Helper()
	f.Back(t, "DELETE", "/v1/tenants/"+tenant+"/connections/"+id, nil).Want(t, 200)
	f.Settle(t)
	a := f.Back(t, "GET", "/v1/tenants/"+tenant+"/connections/"+id, nil).Want(t, 200)
	if a.Text("status") != "revoked" || a.Text("revocation.provider") != answer {
		t.Errorf("%s", a.Body)
	}
}

func TestJourney_Gmail_RefreshTokenStaysAndRevocationReachesFar(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	register(t, f, "gmail")
	id := f.Connect(t, "acme", "user_alice", "gmail", "alice", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	if got := f.Execute(t, session, "gmail_get_profile", nil, nil).Want(t, 200); got.Text("data.emailAddress") != "alice@acme.example" {
		t.Errorf("%s", got.Body)
	}
	f.Execute(t, session, "gmail_send_message", object{"raw": "VG86IGphbmU="}, nil).WantCode(t, "scope_missing")
	f.Fail(t, "gmail", emulator.Fault{Kind: emulator.KindAPI, Mode: emulator.ModeRateLimited, RetryAfter: 30, Times: 9})
	f.Execute(t, session, "gmail_list_labels", nil, nil).WantCode(t, "rate_limited") // 403 there
	f.Fail(t, "gmail")
	for range 2 { // no answer brings a refresh token
		f.Clock.Advance(2 * time.Hour)
		session = f.Session(t, "acme", "user_alice", nil)
		f.Execute(t, session, "gmail_search_messages", object{"query": "is:unread"}, nil).Want(t, 200)
	}
	gone(t, f, "acme", id, "revoked")
	if n := f.Counters(t, "gmail").Revocations; n != 1 {
		t.Errorf("%d revocations", n)
	}
}

func TestJourney_HubSpot_PortalComesWithTheTokenAndScopesAreNamed(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	register(t, f, "hubspot")
	id := f.Connect(t, "acme", "user_alice", "hubspot", "alice", object{"scopes": []string{"crm.objects.contacts.read"}})
	a := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	if a.Text("account.id") != "1001" || a.Text("account.tenant_id") != "62515" {
		t.Errorf("%s", a.Body)
	}
	session := f.Session(t, "acme", "user_alice", nil)
	if got := f.Execute(t, session, "hubspot_search_contacts", object{"query": "jenny"}, nil).Want(t, 200); !strings.Contains(got.Body, "jenny@acme.example") {
		t.Errorf("%s", got.Body)
	}
	f.Execute(t, session, "hubspot_list_deals", nil, nil).WantCode(t, "scope_missing")
	for range 2 {
		f.Clock.Advance(time.Hour)
		session = f.Session(t, "acme", "user_alice", nil)
		f.Execute(t, session, "hubspot_get_contact", object{"contact_id": "101"}, nil).Want(t, 200)
	}
	if n := f.Counters(t, "hubspot").Refreshes; n != 2 {
		t.Errorf("%d refreshes", n)
	}
	gone(t, f, "acme", id, "revoked")
}

func TestJourney_GitHubApp_InstallationIsVouchedForAndItsTokensAreMinted(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	registerApp(t, f)
	// A user cannot name an installation: the app's key would sign for another customer's as well.
	body := object{"tenant": "acme", "principal": "user_alice", "connector": "github-app", "return_url": e2e.ReturnURL}
	if got := f.Back(t, "POST", "/v1/connect-links", body).WantCode(t, "invalid_input"); got.Text("field") != "/params/installation_id" {
		t.Errorf("%s", got.Body)
	}
	install := f.Key(t, "github-app", "alice")
	l := f.Link(t, "acme", "user_alice", "github-app", object{"params": install})
	b := f.NewBrowser(t)
	page := b.Open(t, l.Text("url")).Want(t, 200)
	b.Submit(t, l.Text("url"), e2e.Form(page, f.Key(t, "github-app", "carol"))).Want(t, 422) // fixed for this link
	b.Submit(t, l.Text("url"), e2e.Form(page, nil)).Want(t, 303)
	a := f.Confirm(t, l.Text("id"), "user_alice").Want(t, 200)
	if a.Text("connection.account.id") != install["installation_id"] || a.Text("connection.account.login") != "acme" {
		t.Errorf("%s", a.Body)
	}
	session := f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "github-app_create_issue", issue("one"), nil).Want(t, 200)
	f.Clock.Advance(2 * time.Hour)
	session = f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "github-app_get_issue", object{"owner": "acme", "repo": "billing", "issue_number": 1}, nil).Want(t, 200)
	if n := f.Counters(t, "github-app").TokenExchanges; n != 2 {
		t.Errorf("%d tokens", n)
	}
	gone(t, f, "acme", a.Text("connection_id"), "revoked")
	// An import names it too, and an installation that was removed is dead.
	again := f.Back(t, "POST", "/v1/tenants/acme/connections", object{"principal": "user_alice", "connector": "github-app", "credential": install}).Want(t, 201)
	if _, err := f.Emulator.RevokeGrant("github-app", "alice"); err != nil {
		t.Fatal(err)
	}
	f.Execute(t, session, "github-app_list_repositories", nil, nil).WantCode(t, "reauthorization_required")
	if got := f.Back(t, "GET", "/v1/tenants/acme/connections/"+again.Text("id"), nil).Want(t, 200); got.Text("status") != "reauthorization_required" {
		t.Errorf("%s", got.Body)
	}
}
