package admin_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/authn/idptest"
)

type object = e2e.Object

// provider is acme's issuer, set in a running stack.
type provider struct {
	*idptest.Provider
	f   *e2e.Fixture
	key idptest.Key
}

func newProvider(t *testing.T, f *e2e.Fixture) *provider {
	t.Helper()
	key := idptest.RSA(t, "k1", jose.RS256, 2048)
	p := &provider{idptest.New(t, key), f, key}
	a := f.Back(t, "PUT", "/v1/tenants/acme/issuer", object{"issuer": p.URL, "audience": "saas"}).Want(t, 201)
	if a.Text("jwks_uri") != p.URL+"/keys" || a.Text("principal_claim") != "sub" || a.Text("issuer") != p.URL {
		t.Fatalf("%s", a.Body)
	}
	return p
}

func (p *provider) claims(change object) object {
	now := p.f.Clock.Now()
	c := object{"iss": p.URL, "aud": "saas", "sub": "user_alice", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	maps.Copy(c, change)
	return c
}

func (p *provider) session(t *testing.T, token string, more object) e2e.Answer {
	t.Helper()
	body := object{"tenant": "acme", "subject_token": token, "agent": "triage"}
	maps.Copy(body, more)
	return p.f.Back(t, "POST", "/v1/sessions", body)
}

// latest is the newest record of a kind.
func latest(t *testing.T, f *e2e.Fixture, kind string) object {
	t.Helper()
	all := f.Audit(t, "acme", "kind="+kind)
	if len(all) == 0 {
		t.Fatalf("no %s on record", kind)
	}
	return all[0]
}

func TestSubjectToken_OfTheTenantsIssuer_ActsForItsUser(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	p := newProvider(t, f)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	a := p.session(t, p.key.Sign(t, p.claims(nil), nil), object{"subject_token_type": authn.TypeIDToken, "tools": []string{"github_get_authenticated_user"}}).Want(t, 201)
	if a.Text("principal") != "user_alice" {
		t.Errorf("%s", a.Body)
	}
	if who := f.Execute(t, a.Text("token"), "github_get_authenticated_user", nil, nil).Want(t, 200); who.Text("data.login") != "alice" {
		t.Errorf("%s", who.Body)
	}
	if r := latest(t, f, "session.created"); r["verified_by"] != "oidc" || r["issuer"] != p.URL || r["principal"] != "user_alice" || r["session_id"] != a.Text("session_id") {
		t.Errorf("on record: %v", r)
	}
	p.session(t, p.key.Sign(t, p.claims(nil), nil), object{"principal": "user_alice"}).Want(t, 201)
	f.Session(t, "acme", "user_alice", nil)
	if r := latest(t, f, "session.created"); r["verified_by"] != "api_key" || r["issuer"] != nil {
		t.Errorf("on record: %v", r)
	}
}

func TestSubjectToken_NotAccepted_IsTypedAndOnRecord(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	p := newProvider(t, f)
	stranger := idptest.RSA(t, "k1", jose.RS256, 2048)
	for name, x := range map[string]struct {
		token        string
		more         object
		code, reason string
	}{
		"another user":    {p.key.Sign(t, p.claims(nil), nil), object{"principal": "user_bob"}, "forbidden", "principal_mismatch"},
		"another aud":     {p.key.Sign(t, p.claims(object{"aud": "x"}), nil), nil, "invalid_input", "wrong_audience"},
		"a stranger's":    {stranger.Sign(t, p.claims(nil), nil), nil, "invalid_input", "bad_signature"},
		"expired":         {p.key.Sign(t, p.claims(object{"exp": f.Clock.Now().Add(-time.Hour).Unix()}), nil), nil, "invalid_input", "expired"},
		"no issuer there": {p.key.Sign(t, p.claims(nil), nil), object{"tenant": "globex"}, "invalid_input", "no_issuer"},
	} {
		a := p.session(t, x.token, x.more).WantCode(t, x.code)
		if a.Text("reason") != x.reason {
			t.Errorf("%s: %s", name, a.Body)
		}
	}
	if n := len(f.Audit(t, "acme", "kind=session.refused")); n != 4 {
		t.Errorf("%d refusals on record, want 4", n)
	}
	if n := len(f.Audit(t, "acme", "kind=session.created")); n != 0 {
		t.Errorf("%d sessions were made", n)
	}
	p.session(t, p.key.Sign(t, p.claims(nil), nil), object{"tenant": "nobody"}).WantCode(t, "not_found")
	f.Back(t, "POST", "/v1/sessions", object{"tenant": "acme", "agent": "x"}).WantCode(t, "invalid_input")
	f.Back(t, "POST", "/v1/sessions", object{"tenant": "acme", "principal": "p", "subject_token_type": authn.TypeJWT, "agent": "x"}).WantCode(t, "invalid_input")
}

func TestSubjectToken_RotationAndOutage_AreFelt(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	p := newProvider(t, f)
	next := idptest.EC(t, "k2")
	p.Publish(next)
	f.Clock.Advance(time.Minute)
	p.session(t, next.Sign(t, p.claims(nil), nil), nil).Want(t, 201)
	p.Answer(http.StatusBadGateway)
	f.Clock.Advance(11 * time.Minute)
	a := p.session(t, next.Sign(t, p.claims(nil), nil), nil).WantCode(t, "provider_error")
	if a.JSON["retryable"] != true || a.Header.Get("Retry-After") == "" || a.Text("reason") != "issuer_unavailable" {
		t.Errorf("%s", a.Body)
	}
	p.Answer(http.StatusOK)
	f.Clock.Advance(10 * time.Second)
	p.session(t, next.Sign(t, p.claims(nil), nil), nil).Want(t, 201)
}

// A suspended user's own fresh ID token opens nothing.
func TestSubjectToken_OfASuspendedUser_MakesNoSession(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	p := newProvider(t, f)
	scim := f.Back(t, "POST", "/v1/tenants/acme/scim-tokens", object{}).Want(t, 201).Text("token")
	f.SCIM(t, scim, "POST", "/Users", object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "alice@acme.example", "externalId": "user_alice", "active": false}).Want(t, 201)
	a := p.session(t, p.key.Sign(t, p.claims(nil), nil), nil).WantCode(t, "revoked")
	if a.Text("reason") != "principal_suspended" {
		t.Errorf("%s", a.Body)
	}
}

func TestIssuer_Lifecycle_IsPerTenantAndOnRecord(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	p := newProvider(t, f)
	f.Back(t, "GET", "/v1/tenants/globex/issuer", nil).WantCode(t, "not_found")
	f.Back(t, "PUT", "/v1/tenants/nobody/issuer", object{"issuer": p.URL, "audience": "x"}).WantCode(t, "not_found")
	first := f.Back(t, "GET", "/v1/tenants/acme/issuer", nil).Want(t, 200)
	f.Clock.Advance(time.Minute)
	again := f.Back(t, "PUT", "/v1/tenants/acme/issuer", object{"issuer": p.URL, "audience": "other", "principal_claim": "oid", "jwks_uri": p.URL + "/keys"}).Want(t, 200)
	if again.Text("created_at") != first.Text("created_at") || again.Text("updated_at") == first.Text("updated_at") || again.Text("principal_claim") != "oid" {
		t.Errorf("%s, then %s", first.Body, again.Body)
	}
	if a := f.Back(t, "PUT", "/v1/tenants/acme/issuer", object{"issuer": "http://idp.example", "audience": "x"}).WantCode(t, "invalid_input"); a.Text("field") != "/issuer" {
		t.Errorf("%s", a.Body)
	}
	f.Back(t, "DELETE", "/v1/tenants/acme/issuer", nil).Want(t, 204)
	f.Back(t, "DELETE", "/v1/tenants/acme/issuer", nil).WantCode(t, "not_found")
	p.session(t, p.key.Sign(t, p.claims(nil), nil), nil).WantCode(t, "invalid_input")
	reasons := map[any]int{}
	for _, r := range f.Audit(t, "acme", "kind=issuer.changed") {
		if r["issuer"] != p.URL {
			t.Errorf("on record: %v", r)
		}
		reasons[r["reason"]]++
	}
	if reasons["issuer_set"] != 2 || reasons["issuer_deleted"] != 1 {
		t.Errorf("on record: %v", reasons)
	}
}
