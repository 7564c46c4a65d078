package admin_test

import (
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

func TestRequireAssertion_On_RefusesWhatTheBackEndOnlySays(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	p := newProvider(t, f)
	settings := func(more object) e2e.Answer { return f.Back(t, "PUT", "/v1/tenants/acme", more) }
	before := f.Session(t, "acme", "user_alice", nil)
	if a := settings(object{"name": "Acme", "require_assertion": true}).Want(t, 200); a.JSON["require_assertion"] != true {
		t.Fatalf("%s", a.Body)
	}
	if r := latest(t, f, "tenant.changed"); r["reason"] != "assertion_required" || r["issuer"] != p.URL || r["by"] == nil {
		t.Errorf("on record: %v", r)
	}
	bare := object{"tenant": "acme", "principal": "user_alice", "agent": "triage"}
	if a := f.Back(t, "POST", "/v1/sessions", bare).WantCode(t, "forbidden"); a.Text("reason") != "assertion_required" || a.Text("field") != "/subject_token" {
		t.Errorf("%s", a.Body)
	}
	if r := latest(t, f, "session.refused"); r["reason"] != "assertion_required" || r["principal"] != "user_alice" || r["verified_by"] != "api_key" || r["code"] != "forbidden" {
		t.Errorf("on record: %v", r)
	}
	token := p.session(t, p.key.Sign(t, p.claims(nil), nil), nil).Want(t, 201).Text("token")
	f.Do(t, e2e.Request{Method: "POST", Path: "/v1/sessions/narrow", Token: token, Body: object{"agent": "sub"}}).Want(t, 201)
	f.Do(t, e2e.Request{Method: "GET", Path: "/v1/tools", Token: before}).Want(t, 200) // made before: it lives out its time
	f.Session(t, "globex", "user_carol", nil)                                          // another tenant demands nothing

	// Provisioning that does not know the setting leaves it on, and the issuer that it rests on stays.
	if a := settings(object{"name": "Acme Corp"}).Want(t, 200); a.JSON["require_assertion"] != true {
		t.Errorf("a PUT without the member switched it off: %s", a.Body)
	}
	f.Back(t, "DELETE", "/v1/tenants/acme/issuer", nil).WantCode(t, "conflict")
	settings(object{"require_assertion": false}).Want(t, 200)
	if r := latest(t, f, "tenant.changed"); r["reason"] != "assertion_optional" {
		t.Errorf("on record: %v", r)
	}
	if n := len(f.Audit(t, "acme", "kind=tenant.changed")); n != 2 {
		t.Errorf("%d changes on record, want 2", n)
	}
	f.Session(t, "acme", "user_alice", nil)
	f.Back(t, "DELETE", "/v1/tenants/acme/issuer", nil).Want(t, 204)
}

func TestRequireAssertion_WithoutAnIssuer_IsAConflict(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	for _, tenant := range []string{"acme", "initech"} { // one that exists, one that is made by the request
		if a := f.Back(t, "PUT", "/v1/tenants/"+tenant, object{"require_assertion": true}).WantCode(t, "conflict"); a.Text("field") != "/require_assertion" {
			t.Errorf("%s", a.Body)
		}
	}
	f.Back(t, "GET", "/v1/tenants/initech", nil).WantCode(t, "not_found")
	f.Session(t, "acme", "user_alice", nil)
}
