package admin_test

import (
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

// TestOnBehalfOf_SubjectToken_NamesTheUser: with "_org", the token of the tenant's issuer says on whose behalf.
func TestOnBehalfOf_SubjectToken_NamesTheUser(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	p := newProvider(t, f)
	id := f.Connect(t, "acme", "_org", "github", "alice", nil)
	f.Back(t, "PUT", "/v1/tenants/acme/connections/"+id+"/access", object{"principals": []string{"user_alice"}, "groups": []string{}}).Want(t, 200)
	token := func(user string) string { return p.key.Sign(t, p.claims(object{"sub": user}), nil) }
	who := func(session string) e2e.Answer {
		return f.Execute(t, session, "github_get_authenticated_user", nil, nil)
	}
	a := p.session(t, token("user_alice"), object{"principal": "_org"}).Want(t, 201)
	if a.Text("principal") != "_org" || a.Text("on_behalf_of") != "user_alice" {
		t.Errorf("%s", a.Body)
	}
	who(a.Text("token")).Want(t, 200)
	if r := latest(t, f, "session.created"); r["verified_by"] != "oidc" || r["principal"] != "_org" || r["on_behalf_of"] != "user_alice" || r["issuer"] != p.URL {
		t.Errorf("on record: %v", r)
	}
	p.session(t, token("user_alice"), object{"principal": "_org", "on_behalf_of": "user_alice"}).Want(t, 201)
	who(p.session(t, token("user_bob"), object{"principal": "_org"}).Want(t, 201).Text("token")).WantCode(t, "connection_required")

	// The back end that names another user than the token has mixed up two of them.
	mixed := p.session(t, token("user_bob"), object{"principal": "_org", "on_behalf_of": "user_alice"}).WantCode(t, "forbidden")
	if mixed.Text("reason") != "principal_mismatch" || mixed.Text("field") != "/on_behalf_of" {
		t.Errorf("%s", mixed.Body)
	}
	if r := latest(t, f, "session.refused"); r["reason"] != "principal_mismatch" || r["on_behalf_of"] != "user_alice" || r["principal"] != "_org" {
		t.Errorf("on record: %v", r)
	}
	// Nobody speaks for the tenant itself, and only it acts on behalf of somebody.
	p.session(t, token("_org"), object{"principal": "_org"}).WantCode(t, "invalid_input")
	p.session(t, token("user_alice"), object{"on_behalf_of": "user_alice"}).WantCode(t, "invalid_input")
	p.session(t, token("user_alice"), object{"principal": "user_alice", "on_behalf_of": "user_alice"}).WantCode(t, "invalid_input")
}

// TestOnBehalfOf_RequireAssertion_NeedsTheUsersToken: where only assertions count, the back end's word for the user does not, and
// neither does its word that there is none.
func TestOnBehalfOf_RequireAssertion_NeedsTheUsersToken(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	p := newProvider(t, f)
	f.Back(t, "PUT", "/v1/tenants/acme", object{"require_assertion": true}).Want(t, 200)
	for _, body := range []object{{"on_behalf_of": "user_alice"}, nil} {
		ask := object{"tenant": "acme", "principal": "_org", "agent": "a"}
		for k, v := range body {
			ask[k] = v
		}
		if a := f.Back(t, "POST", "/v1/sessions", ask).WantCode(t, "forbidden"); a.Text("reason") != "assertion_required" || a.Text("field") != "/subject_token" {
			t.Errorf("%v: %s", body, a.Body)
		}
	}
	// A key that may not make sessions for nobody can make this one: the token says for whom it is.
	key := f.Back(t, "POST", "/v1/api-keys", object{"name": "runner", "permissions": []string{"sessions:write"}}).Want(t, 201).Text("key")
	f.Do(t, e2e.Request{Method: "POST", Path: "/v1/sessions", Token: key, Body: object{"tenant": "acme", "principal": "_org", "agent": "a", "subject_token": p.key.Sign(t, p.claims(nil), nil)}}).Want(t, 201)
}
