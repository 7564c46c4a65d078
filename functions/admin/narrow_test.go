package admin_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
)

func narrow(t *testing.T, f *e2e.Fixture, session string, body object) e2e.Answer {
	t.Helper()
	if body["agent"] == nil {
		body["agent"] = "sub"
	}
	return f.Do(t, e2e.Request{Method: "POST", Path: "/v1/sessions/narrow", Token: session, Body: body})
}

func end(t *testing.T, f *e2e.Fixture, session, tenant, principal string) e2e.Answer {
	t.Helper()
	return f.Back(t, "DELETE", "/v1/sessions/"+session+"?"+url.Values{"tenant": {tenant}, "principal": {principal}}.Encode(), nil)
}

const me, issues = "github_get_authenticated_user", "github_list_issues"

func TestNarrow_SubAgent_MayDoLessAndTheTrailNamesBoth(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	made := f.Back(t, "POST", "/v1/sessions", object{"tenant": "acme", "principal": "user_alice", "agent": "lead", "run_id": "run-1", "tools": []string{me, issues}}).Want(t, 201)
	child := narrow(t, f, made.Text("token"), object{"tools": []string{me}, "ttl_seconds": 60}).Want(t, 201)
	if child.Text("principal") != "user_alice" || child.Text("session_id") == made.Text("session_id") {
		t.Errorf("%s", child.Body)
	}
	f.Execute(t, child.Text("token"), me, nil, nil).Want(t, 200)
	f.Execute(t, child.Text("token"), issues, object{"owner": "o", "repo": "r"}, nil).WantCode(t, "forbidden")
	leaf := narrow(t, f, child.Text("token"), object{"agent": "leaf"}).Want(t, 201)
	f.Execute(t, leaf.Text("token"), me, nil, nil).Want(t, 200)
	parents := func(r object) string {
		var out []string
		list, _ := r["parent_session_ids"].([]any)
		for _, x := range list {
			out = append(out, x.(string))
		}
		return strings.Join(out, " ")
	}
	chain := child.Text("session_id") + " " + made.Text("session_id")
	if r := latest(t, f, "execution.outcome"); r["agent"] != "leaf" || r["run_id"] != "run-1" || parents(r) != chain {
		t.Errorf("on record: %v", r)
	}
	if r := latest(t, f, "session.narrowed"); parents(r) != chain || r["by"] != child.Text("session_id") || r["verified_by"] != "session" || r["principal"] != "user_alice" {
		t.Errorf("on record: %v", r)
	}
	f.Clock.Advance(2 * time.Minute)
	f.Execute(t, child.Text("token"), me, nil, nil).WantCode(t, "unauthenticated")
	f.Execute(t, made.Text("token"), me, nil, nil).Want(t, 200)
}

func TestNarrow_Widening_IsForbiddenByName(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	s := f.Session(t, "acme", "user_alice", object{"connectors": []string{"github"}, "ttl_seconds": 120})
	for name, x := range map[string]struct {
		body               object
		code, field, names string
	}{
		"connector": {object{"connectors": []string{"github", "slack"}}, "forbidden", "/connectors", "slack"},
		"tool":      {object{"tools": []string{"slack_list_channels"}}, "forbidden", "/tools", "slack_list_channels"},
		"life":      {object{"ttl_seconds": 600}, "forbidden", "/ttl_seconds", "ends at"},
		"none":      {object{"connectors": []string{}}, "invalid_input", "/connectors", "at least one"},
		"no tools":  {object{"tools": []string{}}, "invalid_input", "/tools", "at least one"},
		"unknown":   {object{"tools": []string{"nothing"}}, "not_found", "/tools", "nothing"},
		"principal": {object{"principal": "user_bob"}, "invalid_input", "/principal", "unknown field"},
		"tenant":    {object{"tenant": "globex"}, "invalid_input", "/tenant", "unknown field"},
		"no agent":  {object{"agent": ""}, "invalid_input", "/agent", "agent"},
	} {
		a := narrow(t, f, s, x.body)
		if a.JSON["code"] != x.code || a.Text("field") != x.field || !strings.Contains(a.Text("detail"), x.names) {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	f.Do(t, e2e.Request{Method: "POST", Path: "/v1/sessions/narrow", Token: f.APIKey(), Body: object{"agent": "x"}}).WantCode(t, "unauthenticated")
	for range 3 {
		s = narrow(t, f, s, object{}).Want(t, 201).Text("token")
	}
	if a := narrow(t, f, s, object{}).WantCode(t, "forbidden"); a.Text("reason") != "wider_depth" {
		t.Errorf("%s", a.Body)
	}
}

func TestDeleteSession_EndsItAndWhatWasMadeFromIt_Now(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	make := func() e2e.Answer {
		return f.Back(t, "POST", "/v1/sessions", object{"tenant": "acme", "principal": "user_alice", "agent": "lead"}).Want(t, 201)
	}
	first, second := make(), make()
	child := narrow(t, f, first.Text("token"), object{}).Want(t, 201)
	leaf := narrow(t, f, child.Text("token"), object{}).Want(t, 201)
	for _, s := range []e2e.Answer{first, second, child, leaf} { // the authorizer's answers are kept from here on
		f.Execute(t, s.Text("token"), me, nil, nil).Want(t, 200)
	}
	id := first.Text("session_id")
	end(t, f, id, "acme", "user_bob").WantCode(t, "not_found")
	end(t, f, id, "globex", "user_alice").WantCode(t, "not_found")
	end(t, f, "narrow", "acme", "user_alice").WantCode(t, "not_found")
	f.Back(t, "DELETE", "/v1/sessions/"+id, nil).WantCode(t, "invalid_input")
	f.Execute(t, first.Text("token"), me, nil, nil).Want(t, 200)
	end(t, f, id, "acme", "user_alice").Want(t, 204)
	end(t, f, id, "acme", "user_alice").Want(t, 204)
	for name, s := range map[string]e2e.Answer{"itself": first, "child": child, "leaf": leaf} {
		if a := f.Execute(t, s.Text("token"), me, nil, nil).WantCode(t, "revoked"); a.Text("reason") != "session_revoked" {
			t.Errorf("%s: %s", name, a.Body)
		}
		f.Do(t, e2e.Request{Method: "GET", Path: "/v1/tools", Token: s.Text("token")}).WantCode(t, "revoked")
		narrow(t, f, s.Text("token"), object{}).WantRefused(t)
	}
	f.Execute(t, second.Text("token"), me, nil, nil).Want(t, 200)
	if r := latest(t, f, "session.revoked"); r["session_id"] != id || r["principal"] != "user_alice" {
		t.Errorf("on record: %v", r)
	}
	leafOnly := narrow(t, f, second.Text("token"), object{}).Want(t, 201)
	end(t, f, leafOnly.Text("session_id"), "acme", "user_alice").Want(t, 204)
	f.Execute(t, leafOnly.Text("token"), me, nil, nil).WantCode(t, "revoked")
	f.Execute(t, second.Text("token"), me, nil, nil).Want(t, 200)
}

// A key limited to one tenant ends nobody else's session.
func TestDeleteSession_KeyOfAnotherTenant_IsForbidden(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	made := f.Back(t, "POST", "/v1/sessions", object{"tenant": "acme", "principal": "user_alice", "agent": "lead"}).Want(t, 201)
	key := f.Back(t, "POST", "/v1/api-keys", object{"name": "globex", "tenant": "globex", "permissions": []string{"sessions:write", "tenants:write"}}).Want(t, 201).Text("key")
	path := "/v1/sessions/" + made.Text("session_id") + "?tenant=acme&principal=user_alice"
	f.Do(t, e2e.Request{Method: "DELETE", Path: path, Token: key}).WantCode(t, "forbidden")
	f.Do(t, e2e.Request{Method: "PUT", Path: "/v1/tenants/acme/issuer", Token: key, Body: object{"issuer": "https://idp.example", "audience": "x"}}).WantCode(t, "forbidden")
}
