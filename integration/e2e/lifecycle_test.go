package e2e_test

import (
	"net/url"
	"testing"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

func scimToken(t *testing.T, f *e2e.Fixture, tenant string) string {
	t.Helper()
	return f.Back(t, "POST", "/v1/tenants/"+tenant+"/scim-tokens", object{"name": "directory"}).Want(t, 201).Text("token")
}

func scimUser(t *testing.T, f *e2e.Fixture, token, externalID string) string {
	t.Helper()
	return f.SCIM(t, token, "POST", "/Users", object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": externalID + "@acme.example", "externalId": externalID, "active": true}).Want(t, 201).Text("id")
}

func setActive(t *testing.T, f *e2e.Fixture, token, id string, active bool) {
	t.Helper()
	f.SCIM(t, token, "PATCH", "/Users/"+id, object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []object{{"op": "replace", "path": "active", "value": active}}}).Want(t, 200)
}

func status(t *testing.T, f *e2e.Fixture, tenant, id string) e2e.Answer {
	t.Helper()
	return f.Back(t, "GET", "/v1/tenants/"+tenant+"/connections/"+id, nil).Want(t, 200)
}

func TestSCIM_UserIsDeactivated_NextCallIsRevokedAndTheProviderIsTold(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	ids := map[string]string{}
	for provider := range whoami {
		ids[provider] = f.Connect(t, "acme", "user_alice", provider, "alice", nil)
	}
	bobs := f.Connect(t, "acme", "user_bob", "github", "bob", nil)
	token := scimToken(t, f, "acme")
	user := scimUser(t, f, token, "user_alice")
	alice, bob := f.Session(t, "acme", "user_alice", nil), f.Session(t, "acme", "user_bob", nil)
	f.Execute(t, alice, "github_get_authenticated_user", nil, nil).Want(t, 200)

	setActive(t, f, token, user, false)
	before := f.Counters(t, "github").APICalls
	for _, who := range whoami {
		f.Execute(t, alice, who.tool, nil, nil).WantCode(t, "revoked")
	}
	if got := f.Counters(t, "github").APICalls; got != before {
		t.Error("the provider was called after the deprovisioning")
	}
	f.Do(t, e2e.Request{Method: "GET", Path: "/v1/tools", Token: alice}).WantCode(t, "revoked")
	f.Back(t, "POST", "/v1/sessions", object{"tenant": "acme", "principal": "user_alice", "agent": "x"}).WantCode(t, "revoked")
	f.Back(t, "POST", "/v1/connect-links", object{"tenant": "acme", "principal": "user_alice", "connector": "github", "return_url": e2e.ReturnURL}).WantCode(t, "revoked")

	f.Settle(t)
	for provider, id := range ids {
		if c := f.Counters(t, provider); c.Revocations != 1 {
			t.Errorf("%s saw %d revocations", provider, c.Revocations)
		}
		a := status(t, f, "acme", id)
		if a.Text("status") != "revoked" || a.Text("reason") != "scim_deprovisioned" || a.Text("revocation.provider") != "revoked" {
			t.Errorf("%s", a.Body)
		}
	}

	setActive(t, f, token, user, true)
	f.Settle(t)
	for provider, id := range ids {
		if got := status(t, f, "acme", id).Text("status"); got != "revoked" {
			t.Errorf("%s came back as %s", provider, got)
		}
	}
	f.Execute(t, alice, "github_get_authenticated_user", nil, nil).WantCode(t, "revoked")
	fresh := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	if fresh == ids["github"] {
		t.Error("a revoked connection was used again")
	}
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "github_get_authenticated_user", nil, nil).Want(t, 200)

	f.Execute(t, bob, "github_get_authenticated_user", nil, nil).Want(t, 200)
	if got := status(t, f, "acme", bobs).Text("status"); got != "active" {
		t.Errorf("bob's connection is %s", got)
	}
}

func TestSCIM_UserIsDeleted_BeforeAnythingWasConnected_LaterConnectionsMeetIt(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	token := scimToken(t, f, "acme")
	setActive(t, f, token, scimUser(t, f, token, "user_alice"), false)
	f.Back(t, "POST", "/v1/connect-links", object{"tenant": "acme", "principal": "user_alice", "connector": "github", "return_url": e2e.ReturnURL}).WantCode(t, "revoked")
	bob := scimUser(t, f, token, "user_bob")
	link := f.Parked(t, "acme", "user_bob", "github", "bob", nil)
	f.SCIM(t, token, "DELETE", "/Users/"+bob, nil).Want(t, 204)
	before := f.Counters(t, "github").TokenExchanges
	f.Confirm(t, link, "user_bob").WantCode(t, "revoked")
	if got := f.Counters(t, "github").TokenExchanges; got != before {
		t.Error("the code was redeemed for somebody who had left")
	}
}

func TestSCIM_TokenOfAnotherTenant_ReachesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	acme, globex := scimToken(t, f, "acme"), scimToken(t, f, "globex")
	user := scimUser(t, f, acme, "user_alice")
	f.SCIM(t, globex, "GET", "/Users/"+user, nil).Want(t, 404)
	f.SCIM(t, globex, "DELETE", "/Users/"+user, nil).Want(t, 404)
	if n := f.SCIM(t, globex, "GET", "/Users", nil).Want(t, 200).JSON["totalResults"]; n != 0.0 {
		t.Errorf("globex sees %v users", n)
	}
}

func TestDeleteConnection_ReportsWhatTheProviderAnswered(t *testing.T) {
	t.Parallel()
	for provider, who := range whoami {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			id := f.Connect(t, "acme", "user_alice", provider, "alice", nil)
			a := f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
			if a.Text("status") != "revoked" || a.Text("revocation.provider") != "revoked" || a.JSON["erased"] != true {
				t.Errorf("%s", a.Body)
			}
			if c := f.Counters(t, provider); c.Revocations != 1 {
				t.Errorf("%d revocations", c.Revocations)
			}
			f.Execute(t, f.Session(t, "acme", "user_alice", nil), who.tool, nil, nil).WantCode(t, "revoked")
			f.Settle(t)
			f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
			if c := f.Counters(t, provider); c.Revocations != 1 {
				t.Errorf("%d revocations after the second DELETE", c.Revocations)
			}
		})
	}
}

func TestDeleteConnection_ProviderFails_IsPendingAndTheQueueGoesOn(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindRevoke, Mode: "status:503", Times: 3})
	a := f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	if a.Text("status") != "revoked" || a.Text("revocation.provider") != "pending" || a.JSON["erased"] != false {
		t.Errorf("%s", a.Body)
	}
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "github_get_authenticated_user", nil, nil).WantCode(t, "revoked")
	f.Fail(t, "github")
	f.Clock.Advance(15 * 60e9)
	f.Settle(t)
	if a := status(t, f, "acme", id); a.Text("revocation.provider") != "revoked" {
		t.Errorf("%s", a.Body)
	}
}

func TestConnect_SameAccountAgain_IsTheSameConnection(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	one := f.Connect(t, "acme", "user_alice", "salesforce", "alice", nil)
	if two := f.Connect(t, "acme", "user_alice", "salesforce", "alice", nil); two != one {
		t.Errorf("connected twice: %s and %s", one, two)
	}
	if n := len(f.Back(t, "GET", "/v1/tenants/acme/connections?status=active", nil).List("connections")); n != 1 {
		t.Errorf("%d active connections", n)
	}
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "salesforce_get_user_info", nil, nil).Want(t, 200)
}

func TestDeleteConnection_SameAccountOfAnotherPrincipal_StaysAlive(t *testing.T) {
	t.Parallel()
	for provider, who := range whoami {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			f.Connect(t, "acme", "_org", provider, "alice", nil)
			one := f.Connect(t, "acme", "user_alice", provider, "alice", nil)
			f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+one, nil).Want(t, 200)
			f.Execute(t, f.Session(t, "acme", "_org", nil), who.tool, nil, nil).Want(t, 200)
		})
	}
}

func TestPauseAndResume_StopAndStartCalls(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	at := "/v1/tenants/acme/connections/" + id
	f.Back(t, "POST", at+"/pause", nil).Want(t, 200)
	f.Back(t, "POST", at+"/pause", nil).Want(t, 200)
	before := f.Counters(t, "github").APICalls
	f.Execute(t, session, "github_get_authenticated_user", nil, nil).WantCode(t, "conflict")
	f.Execute(t, session, "github_get_authenticated_user", nil, object{"connection": id}).WantCode(t, "conflict")
	if got := f.Counters(t, "github").APICalls; got != before {
		t.Error("a paused connection was used")
	}
	if tools := f.Do(t, e2e.Request{Method: "GET", Path: "/v1/tools", Token: session}).Want(t, 200).List("tools"); len(tools) != 0 {
		t.Errorf("%d tools are listed for a paused connection", len(tools))
	}
	f.Back(t, "POST", at+"/resume", nil).Want(t, 200)
	f.Execute(t, session, "github_get_authenticated_user", nil, nil).Want(t, 200)
	f.Back(t, "DELETE", at, nil).Want(t, 200)
	f.Back(t, "POST", at+"/resume", nil).WantCode(t, "conflict")
}

func TestDeletePrincipal_EndsEverythingItHasAndNothingElse(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	const odd = "Zoë#|*/..@x" // opaque ids are opaque
	for provider := range whoami {
		f.Connect(t, "acme", odd, provider, "alice", nil)
	}
	bobs := f.Connect(t, "acme", "user_bob", "github", "bob", nil)
	a := f.Back(t, "DELETE", "/v1/tenants/acme/principals/"+url.PathEscape(odd), nil).Want(t, 200)
	if got := a.List("connections"); len(got) != 3 || a.Text("principal") != odd {
		t.Fatalf("%s", a.Body)
	}
	for _, c := range a.List("connections") {
		r, _ := c["revocation"].(object)
		if c["status"] != "revoked" || r["provider"] != "revoked" || c["erased"] != true {
			t.Errorf("%v", c)
		}
	}
	session := f.Session(t, "acme", odd, nil)
	for provider, who := range whoami {
		f.Execute(t, session, who.tool, nil, nil).WantCode(t, "revoked")
		if c := f.Counters(t, provider); c.Revocations != 1 {
			t.Errorf("%s saw %d revocations", provider, c.Revocations)
		}
	}
	if got := status(t, f, "acme", bobs).Text("status"); got != "active" {
		t.Errorf("bob's connection is %s", got)
	}
}

func TestDeleteTenant_KeysAreGone_EveryCallIsRefusedAndTheIDIsSpent(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Connect(t, "acme", "user_bob", "slack", "bob", nil)
	f.Connect(t, "globex", "user_carol", "github", "carol", nil)
	session, scim := f.Session(t, "acme", "user_alice", nil), scimToken(t, f, "acme")
	f.Back(t, "PUT", "/v1/tenants/acme/connectors/github/client", object{"client_id": "own", "client_secret": e2e.ClientSecret}).Want(t, 200)

	a := f.Back(t, "DELETE", "/v1/tenants/acme", nil).Want(t, 200)
	if a.JSON["deleted"] != true || a.JSON["keys_destroyed"] != true || len(a.List("connections")) != 2 {
		t.Errorf("%s", a.Body)
	}
	for _, provider := range []string{"github", "slack"} {
		if c := f.Counters(t, provider); c.Revocations != 1 {
			t.Errorf("%s saw %d revocations", provider, c.Revocations)
		}
	}
	for _, pk := range []string{"T#acme#K", "T#acme#X"} {
		if left := scan(t, f, "vault", pk); len(left) > 0 {
			t.Errorf("%d items are left in %s", len(left), pk)
		}
	}
	f.Execute(t, session, "github_get_authenticated_user", nil, nil).WantCode(t, "revoked")
	f.SCIM(t, scim, "GET", "/Users", nil).WantRefused(t)
	f.SCIM(t, scim, "POST", "/Users", object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "x"}).WantRefused(t)
	link := object{"tenant": "acme", "principal": "user_alice", "connector": "github", "return_url": e2e.ReturnURL}
	for _, r := range []struct {
		method, path string
		body         any
	}{
		{"PUT", "/v1/tenants/acme", object{}}, {"GET", "/v1/tenants/acme", nil}, {"POST", "/v1/sessions", object{"tenant": "acme", "principal": "user_alice", "agent": "x"}},
		{"POST", "/v1/connect-links", link}, {"POST", "/v1/tenants/acme/scim-tokens", object{}}, {"GET", "/v1/tenants/acme/connections", nil},
		{"PUT", "/v1/tenants/acme/connectors/github/client", object{"client_id": "x", "client_secret": "y"}}, {"DELETE", "/v1/tenants/acme/principals/user_alice", nil},
	} {
		if a := f.Back(t, r.method, r.path, r.body); a.JSON["code"] != "not_found" && a.JSON["code"] != "revoked" {
			t.Errorf("%s %s: %d %s", r.method, r.path, a.Status, a.Body)
		}
	}
	if records := f.Audit(t, "acme", "kind=tenant.deleted"); len(records) != 1 {
		t.Errorf("%d records of the deletion; the trail of a deleted tenant stays readable", len(records))
	}
	f.Back(t, "DELETE", "/v1/tenants/acme", nil).Want(t, 200)
	f.Execute(t, f.Session(t, "globex", "user_carol", nil), "github_get_authenticated_user", nil, nil).Want(t, 200)
}
