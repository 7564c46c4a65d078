package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
)

func TestForm_APIKey_ConnectsAndCalls(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	key := f.Key(t, "stripe", "alice")
	link := f.Filled(t, "acme", "user_alice", "stripe", key, nil)
	if n := f.Counters(t, "stripe").APICalls; n != 0 {
		t.Fatalf("%d calls before the confirmation", n)
	}
	a := f.Confirm(t, link, "user_alice").Want(t, 200)
	if a.Text("connection.account.id") != "acct_1Alice" || a.Text("connection.client") != "none" {
		t.Errorf("%s", a.Body)
	}
	session := f.Session(t, "acme", "user_alice", nil)
	got := f.Execute(t, session, "stripe_search_customers", object{"query": "email:'jenny@acme.example'"}, nil).Want(t, 200)
	if !strings.Contains(got.Body, "jenny@acme.example") {
		t.Errorf("%s", got.Body)
	}
	f.Execute(t, session, "stripe_create_customer", object{"email": "x@y.example"}, object{"idempotency_key": "k1"}).Want(t, 200)

	// The person deletes the key: the connection needs a person, and nobody loops.
	if _, err := f.Emulator.RevokeGrant("stripe", "alice"); err != nil {
		t.Fatal(err)
	}
	before := f.Counters(t, "stripe").APICalls
	f.Execute(t, session, "stripe_get_account", nil, nil).WantCode(t, "reauthorization_required")
	f.Execute(t, session, "stripe_get_account", nil, nil).WantCode(t, "reauthorization_required")
	if n := f.Counters(t, "stripe").APICalls - before; n != 1 {
		t.Errorf("%d calls with a dead key", n)
	}
	if got := f.Back(t, "GET", "/v1/tenants/acme/connections/"+a.Text("connection_id"), nil).Want(t, 200); got.Text("status") != "reauthorization_required" || got.Text("reason") != "credential_rejected" {
		t.Errorf("%s", got.Body)
	}
	// A new key for the same account mends the same connection.
	b := f.Confirm(t, f.Filled(t, "acme", "user_alice", "stripe", f.Key(t, "stripe", "alice"), object{"connection": a.Text("connection_id")}), "user_alice").Want(t, 200)
	if b.Text("connection_id") != a.Text("connection_id") {
		t.Errorf("another connection: %s", b.Body)
	}
	f.Execute(t, session, "stripe_get_account", nil, nil).Want(t, 200)
	id := a.Text("connection_id")
	f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	f.Settle(t)
	gone := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	if gone.Text("status") != "revoked" || gone.Text("revocation.provider") != "unsupported" {
		t.Errorf("%s", gone.Body)
	}
}

func TestForm_KeyIsRefused_LinkFailsAndNothingIsConnected(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	link := f.Filled(t, "acme", "user_alice", "stripe", map[string]string{"api_key": "rk_test_" + strings.Repeat("x", 40)}, nil)
	a := f.Confirm(t, link, "user_alice").WantCode(t, "conflict")
	if a.Text("reason") != "credential_rejected" || strings.Contains(a.Body, "xxxx") {
		t.Errorf("%s", a.Body)
	}
	l := f.Back(t, "GET", "/v1/connect-links/"+link, nil).Want(t, 200)
	if l.Text("status") != "failed" || l.Text("reason") != "credential_rejected" {
		t.Errorf("%s", l.Body)
	}
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "stripe_get_account", nil, nil).WantCode(t, "connection_required")
	got := f.Back(t, "GET", "/v1/tenants/acme/connections", nil).Want(t, 200).List("connections")
	if len(got) != 1 || got[0]["status"] != "pending" || got[0]["grant_id"] != nil {
		t.Errorf("%v", got)
	}
}

func TestForm_FieldsAreWrong_PageSaysWhichAndShowsNoSecret(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	l := f.Link(t, "acme", "user_alice", "stripe", nil)
	b := f.NewBrowser(t)
	const secret = "sk_live_0123456789abcdefghijkl"
	page := b.Fill(t, l.Text("url"), map[string]string{"api_key": secret}).Want(t, 422)
	if !strings.Contains(page.Body, "aria-invalid") || strings.Contains(page.Body, secret) || !strings.Contains(page.Body, "Restricted key does not look right") {
		t.Errorf("%s", page.Body)
	}
	b.Submit(t, l.Text("url"), e2e.Form(page, f.Key(t, "stripe", "alice"))).Want(t, 303)
	f.Confirm(t, l.Text("id"), "user_alice").Want(t, 200)
}

func TestForm_SentFromElsewhereTwiceOrLate_IsRefused(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	key := f.Key(t, "stripe", "alice")
	l := f.Link(t, "acme", "user_alice", "stripe", nil)
	b, thief := f.NewBrowser(t), f.NewBrowser(t)
	page := b.Open(t, l.Text("url")).Want(t, 200)
	thief.Submit(t, l.Text("url"), e2e.Form(page, key)).Want(t, 403) // no cookie
	thief.Open(t, l.Text("url")).Want(t, 200)
	thief.Submit(t, l.Text("url"), e2e.Form(page, key)).Want(t, 403) // another browser's cookie
	b.Submit(t, l.Text("url"), e2e.Form(e2e.Answer{}, key)).Want(t, 403)
	twice := e2e.Form(page, key)
	twice.Add("api_key", "rk_test_0123456789012345")
	b.Submit(t, l.Text("url"), twice).Want(t, 400)
	more := e2e.Form(page, key)
	more.Set("account", "x")
	b.Submit(t, l.Text("url"), more).Want(t, 422)
	b.Submit(t, l.Text("url"), e2e.Form(page, key)).Want(t, 303)
	b.Submit(t, l.Text("url"), e2e.Form(page, key)).Want(t, 303) // a second click leads home and changes nothing
	if a := b.Open(t, l.Text("url")).Want(t, 200); !strings.Contains(a.Body, "Nearly done") {
		t.Errorf("%.300s", a.Body)
	}
	f.Confirm(t, l.Text("id"), "user_bob").WantCode(t, "forbidden")
	f.Confirm(t, l.Text("id"), "user_alice").WantCode(t, "conflict")
	if n := f.Counters(t, "stripe").APICalls; n != 0 {
		t.Errorf("%d calls", n)
	}
	late := f.Filled(t, "acme", "user_alice", "stripe", key, nil)
	f.Clock.Advance(6 * time.Minute)
	f.Confirm(t, late, "user_alice").WantCode(t, "not_found")
}

func TestImport_APIKey_IsProvedFirst(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	body := object{"principal": "user_alice", "connector": "stripe", "credential": f.Key(t, "stripe", "alice")}
	a := f.Back(t, "POST", "/v1/tenants/acme/connections", body).Want(t, 201)
	if a.Text("status") != "active" || a.Text("account.id") != "acct_1Alice" {
		t.Errorf("%s", a.Body)
	}
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "stripe_get_account", nil, nil).Want(t, 200)
	body["credential"] = object{"api_key": "rk_test_" + strings.Repeat("z", 40)}
	bad := f.Back(t, "POST", "/v1/tenants/acme/connections", body).WantCode(t, "conflict")
	if bad.Text("reason") != "credential_rejected" {
		t.Errorf("%s", bad.Body)
	}
	for field, c := range map[string]object{
		"/credential/api_key": {"api_key": "nonsense-nonsense"}, "/credential/": {"api_key": f.Key(t, "stripe", "bob")["api_key"], "x": "y"}, "/credential": {},
	} {
		body["credential"] = c
		if got := f.Back(t, "POST", "/v1/tenants/acme/connections", body).WantCode(t, "invalid_input").Text("field"); got != field {
			t.Errorf("%v: field %s, want %s", c, got, field)
		}
	}
	if n := len(f.Back(t, "GET", "/v1/tenants/acme/connections", nil).Want(t, 200).List("connections")); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestImport_RefreshToken_IsProvedByARefresh(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	var refresh string
	for _, k := range tokens(t, f, "github", id) {
		if strings.HasSuffix(k.name, "refresh token") {
			refresh = k.value
		}
	}
	body := object{"principal": "user_bob", "connector": "github", "credential": object{"refresh_token": refresh}}
	a := f.Back(t, "POST", "/v1/tenants/acme/connections", body).Want(t, 201)
	if a.Text("account.login") != "alice" || f.Counters(t, "github").Refreshes != 1 {
		t.Errorf("%s", a.Body)
	}
	bad := f.Back(t, "POST", "/v1/tenants/acme/connections", body).WantCode(t, "conflict") // used up
	if bad.Text("reason") != "credential_rejected" || strings.Contains(bad.Body, refresh) {
		t.Errorf("%s", bad.Body)
	}
	body["credential"] = object{"access_token": "ghu_0123456789"}
	f.Back(t, "POST", "/v1/tenants/acme/connections", body).WantCode(t, "invalid_input")
	f.Do(t, e2e.Request{Method: http.MethodPost, Path: "/v1/tenants/globex/connections", Token: "bhk_nonsense", Body: body}).WantRefused(t)
}

func TestForm_ServiceAccount_MintsRefreshesAndDies(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	file := f.Key(t, "bigquery", "alice")
	a := f.Confirm(t, f.Filled(t, "acme", "user_alice", "bigquery", file, nil), "user_alice").Want(t, 200)
	if a.Text("connection.account.id") != "agent-alice@acme-analytics.iam.gserviceaccount.com" || a.Text("connection.expires_at") == "" {
		t.Errorf("%s", a.Body)
	}
	session := f.Session(t, "acme", "user_alice", nil)
	query := object{"query": "SELECT id, name FROM sales.customers"}
	if got := f.Execute(t, session, "bigquery_query", query, nil).Want(t, 200); !strings.Contains(got.Body, "Jenny of acme") {
		t.Errorf("%s", got.Body)
	}
	f.Clock.Advance(2 * time.Hour) // the token is dead; the next call has a new one minted
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "bigquery_query", query, nil).Want(t, 200)
	if n := f.Counters(t, "bigquery").TokenExchanges; n != 2 {
		t.Errorf("%d tokens minted", n)
	}
	if _, err := f.Emulator.Expire("bigquery", "alice"); err != nil { // before its time
		t.Fatal(err)
	}
	session = f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "bigquery_check_query", query, nil).Want(t, 200)
	if _, err := f.Emulator.RevokeGrant("bigquery", "alice"); err != nil { // the key is deleted
		t.Fatal(err)
	}
	f.Execute(t, session, "bigquery_check_query", query, nil).WantCode(t, "reauthorization_required")
	got := f.Back(t, "GET", "/v1/tenants/acme/connections/"+a.Text("connection_id"), nil).Want(t, 200)
	if got.Text("status") != "reauthorization_required" || got.Text("reason") != "revoked_by_provider" {
		t.Errorf("%s", got.Body)
	}
	// A file that names another account's key is refused by the provider.
	forged := map[string]string{"service_account": strings.Replace(f.Key(t, "bigquery", "bob")["service_account"], "agent-bob@acme", "agent-carol@globex", 1)}
	f.Confirm(t, f.Filled(t, "acme", "user_alice", "bigquery", forged, nil), "user_alice").WantCode(t, "conflict")
}

func TestForm_KeyPair_SignsPerAccountHost(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	key := f.Key(t, "snowflake", "alice")
	a := f.Confirm(t, f.Filled(t, "acme", "user_alice", "snowflake", key, nil), "user_alice").Want(t, 200)
	if a.Text("connection.account.id") != "ALICE" || a.Text("connection.account.tenant_id") != "LOCACME" {
		t.Errorf("%s", a.Body)
	}
	statement := object{"statement": "SELECT CURRENT_WAREHOUSE()"}
	if got := f.Execute(t, f.Session(t, "acme", "user_alice", nil), "snowflake_run_statement", statement, nil).Want(t, 200); !strings.Contains(got.Body, "COMPUTE_WH") {
		t.Errorf("%s", got.Body)
	}
	f.Clock.Advance(3 * time.Hour)
	session := f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "snowflake_run_statement", statement, nil).Want(t, 200)
	if _, err := f.Emulator.RevokeGrant("snowflake", "alice"); err != nil { // the public key is taken from the user
		t.Fatal(err)
	}
	f.Execute(t, session, "snowflake_run_statement", statement, nil).WantCode(t, "reauthorization_required")
	if got := f.Back(t, "GET", "/v1/tenants/acme/connections/"+a.Text("connection_id"), nil).Want(t, 200); got.Text("status") != "reauthorization_required" {
		t.Errorf("%s", got.Body)
	}
	// Somebody else's key does not sign for carol.
	other := f.Key(t, "snowflake", "carol")
	other["private_key"] = key["private_key"]
	f.Confirm(t, f.Filled(t, "acme", "user_alice", "snowflake", other, nil), "user_alice").WantCode(t, "conflict")
}

func TestForm_Basic_SubdomainFromTheLinkAndHostsAreHeldTo(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	key := f.Key(t, "zendesk", "alice")
	delete(key, "subdomain")
	l := f.Link(t, "acme", "user_alice", "zendesk", object{"params": object{"subdomain": "acme"}})
	b := f.NewBrowser(t)
	page := b.Open(t, l.Text("url")).Want(t, 200)
	if strings.Contains(page.Body, `name="subdomain"`) {
		t.Errorf("the page asks for what is known: %s", page.Body)
	}
	other := e2e.Form(page, key)
	other.Set("subdomain", "globex")
	b.Submit(t, l.Text("url"), other).Want(t, 422)
	b.Submit(t, l.Text("url"), e2e.Form(page, key)).Want(t, 303)
	a := f.Confirm(t, l.Text("id"), "user_alice").Want(t, 200)
	if a.Text("connection.account.login") != "alice@acme.example" || a.Text("connection.account.tenant_id") != "acme" {
		t.Errorf("%s", a.Body)
	}
	session := f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "zendesk_update_ticket", object{"ticket_id": 1, "comment": "On it.", "public": false}, nil).Want(t, 200)
	if got := f.Execute(t, session, "zendesk_list_comments", object{"ticket_id": 1}, nil).Want(t, 200); !strings.Contains(got.Body, "On it.") {
		t.Errorf("%s", got.Body)
	}
	// Zendesk greets a wrong token with 200 and an anonymous user.
	key["api_token"] = strings.Repeat("x", 40)
	key["subdomain"] = "acme"
	bad := f.Confirm(t, f.Filled(t, "acme", "user_bob", "zendesk", key, nil), "user_bob").WantCode(t, "conflict")
	if bad.Text("reason") != "credential_rejected" {
		t.Errorf("%s", bad.Body)
	}
	for _, evil := range []string{"evil.example/", "acme/x", "acme#", "acme?", "acme@evil.example", "acme:8080", "acme.evil.example", "acme%2f", "-acme", "", "acme ", "acme\\x", "127.0.0.1", "acme\n"} {
		if evil != "" {
			f.Back(t, "POST", "/v1/connect-links", object{"tenant": "acme", "principal": "user_alice", "connector": "zendesk", "return_url": e2e.ReturnURL, "params": object{"subdomain": evil + "."}}).WantCode(t, "invalid_input")
		}
		key["subdomain"] = evil + "/"
		f.Back(t, "POST", "/v1/tenants/acme/connections", object{"principal": "user_alice", "connector": "zendesk", "credential": key}).WantCode(t, "invalid_input")
		l := f.Link(t, "acme", "user_alice", "zendesk", nil)
		key["subdomain"] = evil + "."
		f.NewBrowser(t).Fill(t, l.Text("url"), key).Want(t, 422)
	}
	f.Back(t, "POST", "/v1/connect-links", object{"tenant": "acme", "principal": "user_alice", "connector": "zendesk", "return_url": e2e.ReturnURL, "params": object{"api_token": strings.Repeat("x", 40)}}).WantCode(t, "invalid_input")
	f.Back(t, "PUT", "/v1/connectors/zendesk/client", object{"client_id": "x", "client_secret": "y"}).WantCode(t, "conflict")
}
