package e2e_test

import (
	"strings"
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

func TestOrg_Connection_ReachedOnBehalfOfThoseOnItsListOnly(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "_org", "github", "alice", nil)
	path := "/v1/tenants/acme/connections/" + id + "/access"
	who := func(s string) e2e.Answer { return f.Execute(t, s, "github_get_authenticated_user", nil, nil) }
	who(f.Session(t, "acme", "_org", nil)).Want(t, 200)
	who(f.Session(t, "acme", "user_alice", nil)).WantCode(t, "connection_required")
	alice, bob := f.Session(t, "acme", "_org", object{"on_behalf_of": "user_alice"}), f.Session(t, "acme", "_org", object{"on_behalf_of": "user_bob"})
	who(alice).WantCode(t, "connection_required")
	f.Back(t, "PUT", path, object{"principals": []string{"user_alice"}, "groups": []string{}}).Want(t, 200)
	who(alice).Want(t, 200)
	who(bob).WantCode(t, "connection_required")
	f.Back(t, "PUT", path, object{"principals": []string{}, "groups": []string{}}).Want(t, 200)
	who(alice).WantCode(t, "connection_required")
}

// A user who leaves the group, or the directory, is out with the next call; the trail names both.
func TestOrg_GroupsAndSuspension_AreReadWithEachCall(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "_org", "github", "alice", nil)
	token := scimToken(t, f, "acme")
	user := scimUser(t, f, token, "user_alice")
	f.Back(t, "PUT", "/v1/tenants/acme/connections/"+id+"/access", object{"principals": []string{}, "groups": []string{"Finance"}}).Want(t, 200)
	session := f.Session(t, "acme", "_org", object{"on_behalf_of": "user_alice"})
	who := func() e2e.Answer { return f.Execute(t, session, "github_get_authenticated_user", nil, nil) }
	who().WantCode(t, "connection_required")
	group := f.SCIM(t, token, "POST", "/Groups", object{"displayName": "Finance", "members": []object{{"value": user}}}).Want(t, 201).Text("id")
	done := who().Want(t, 200).Text("execution_id")
	tools := f.Do(t, e2e.Request{Method: "GET", Path: "/v1/tools", Token: session}).Want(t, 200).List("tools")
	if len(tools) == 0 {
		t.Error("no tools are listed")
	}
	f.Settle(t)
	for _, r := range f.Audit(t, "acme", "execution="+done) {
		if r["principal"] != "_org" || r["on_behalf_of"] != "user_alice" {
			t.Errorf("on record: %v", r)
		}
	}
	f.SCIM(t, token, "DELETE", "/Groups/"+group, nil).Want(t, 204)
	who().WantCode(t, "connection_required")
	f.Back(t, "PUT", "/v1/tenants/acme/connections/"+id+"/access", object{"principals": []string{"user_alice"}, "groups": []string{}}).Want(t, 200)
	who().Want(t, 200)
	setActive(t, f, token, user, false)
	who().WantCode(t, "revoked")
}

func TestOrg_Sessions_NeedWhatTheyMay(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "_org", "github", "alice", nil)
	key := f.Back(t, "POST", "/v1/api-keys", object{"name": "runner", "permissions": []string{"sessions:write"}}).Want(t, 201).Text("key")
	ask := func(more object) e2e.Answer {
		body := object{"tenant": "acme", "principal": "_org", "agent": "a"}
		for k, v := range more {
			body[k] = v
		}
		return f.Do(t, e2e.Request{Method: "POST", Path: "/v1/sessions", Token: key, Body: body})
	}
	ask(nil).WantCode(t, "forbidden")
	ask(object{"on_behalf_of": "user_alice"}).Want(t, 201)
	ask(object{"principal": "user_bob", "on_behalf_of": "user_alice"}).WantCode(t, "invalid_input")
	ask(object{"on_behalf_of": "_org"}).WantCode(t, "invalid_input")
	for _, bad := range []object{{"principals": []string{""}, "groups": []string{}}, {"principals": []string{"_org"}, "groups": []string{}}, {"groups": []string{""}}, {"members": []string{}}} {
		f.Back(t, "PUT", "/v1/tenants/acme/connections/"+id+"/access", bad).WantCode(t, "invalid_input")
	}
	mine := f.Connect(t, "acme", "user_bob", "github", "bob", nil)
	if a := f.Back(t, "PUT", "/v1/tenants/acme/connections/"+mine+"/access", object{"principals": []string{"user_alice"}, "groups": []string{}}); a.Status < 400 {
		t.Errorf("a user's own connection was shared: %s", a.Body)
	}
}

// One key used on behalf of two users is a conflict, not somebody else's answer.
func TestOrg_IdempotencyKey_IsBoundToTheUser(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "_org", "github", "alice", nil)
	f.Back(t, "PUT", "/v1/tenants/acme/connections/"+id+"/access", object{"principals": []string{"user_alice", "user_bob"}, "groups": []string{}}).Want(t, 200)
	alice, bob := f.Session(t, "acme", "_org", object{"on_behalf_of": "user_alice"}), f.Session(t, "acme", "_org", object{"on_behalf_of": "user_bob"})
	key := object{"idempotency_key": "k"}
	f.Execute(t, alice, "github_create_issue", issue("one"), key).Want(t, 200)
	f.Execute(t, bob, "github_create_issue", issue("one"), key).WantCode(t, "conflict")
	f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil).Want(t, 200)
	f.Execute(t, alice, "github_get_authenticated_user", nil, nil).Want(t, 200)
	f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200)
	f.Execute(t, alice, "github_get_authenticated_user", nil, nil).WantCode(t, "revoked")
}

func TestOrg_NarrowedSession_StillActsForThatUserOnly(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "_org", "github", "alice", nil)
	access := func(principals ...string) {
		f.Back(t, "PUT", "/v1/tenants/acme/connections/"+id+"/access", object{"principals": append([]string{}, principals...), "groups": []string{}}).Want(t, 200)
	}
	access("user_alice")
	parent := f.Session(t, "acme", "_org", object{"on_behalf_of": "user_alice"})
	child := f.Do(t, e2e.Request{Method: "POST", Path: "/v1/sessions/narrow", Token: parent, Body: object{"agent": "sub"}}).Want(t, 201).Text("token")
	who := func() e2e.Answer { return f.Execute(t, child, "github_get_authenticated_user", nil, nil) }
	who().Want(t, 200)
	f.Do(t, e2e.Request{Method: "GET", Path: "/v1/proxy/github/user", Token: child}).Want(t, 200)
	access("user_bob")
	who().WantCode(t, "connection_required")
	f.Do(t, e2e.Request{Method: "GET", Path: "/v1/proxy/github/user", Token: child}).WantCode(t, "connection_required")
}

// TestOrg_KeptAnswer_IsNotGivenToWhoeverLeftTheList: an idempotency key keeps its answer for a day, and an access list counts at
// once. Another connection that the user does reach must not let the answer of this one out.
func TestOrg_KeptAnswer_IsNotGivenToWhoeverLeftTheList(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	first := f.Connect(t, "acme", "_org", "github", "alice", nil)
	access := func(id string, principals ...string) {
		t.Helper()
		f.Back(t, "PUT", "/v1/tenants/acme/connections/"+id+"/access", object{"principals": append([]string{}, principals...), "groups": []string{}}).Want(t, 200)
	}
	access(first, "user_alice")
	session := f.Session(t, "acme", "_org", object{"on_behalf_of": "user_alice"})
	again := func() e2e.Answer {
		return f.Execute(t, session, "github_create_issue", issue("one"), object{"idempotency_key": "k"})
	}
	want := again().Want(t, 200)
	if got := again().Want(t, 200); got.Header.Get("Idempotent-Replayed") != "true" || got.Body != want.Body {
		t.Errorf("%v %s", got.Header, got.Body)
	}
	second := f.Connect(t, "acme", "_org", "github", "bob", nil)
	access(second, "user_alice")
	access(first, "user_bob")
	if got := again().WantCode(t, "forbidden"); got.Text("reason") != "access_withdrawn" || strings.Contains(got.Body, `"one"`) {
		t.Errorf("%s", got.Body)
	}
	access(second)
	again().WantCode(t, "connection_required")
	access(first, "user_alice")
	again().Want(t, 200)
	if n := posts(t, f, "github"); n != 1 {
		t.Errorf("%d issues were made", n)
	}
}
