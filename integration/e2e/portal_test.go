package e2e_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

func portalLink(t *testing.T, f *e2e.Fixture, principal string) string {
	t.Helper()
	return f.Back(t, "POST", "/v1/portal-links", object{"tenant": "acme", "principal": principal}).Want(t, 201).Text("url")
}

// visit opens a link in a new browser.
func visit(t *testing.T, f *e2e.Fixture, link string) *e2e.Browser {
	t.Helper()
	b := f.NewBrowser(t)
	if a := b.Open(t, link).Want(t, 303); a.Header.Get("Location") != f.URL+"/portal" {
		t.Fatalf("led to %s", a.Header.Get("Location"))
	}
	return b
}

var guard = regexp.MustCompile(`name="guard" value="([^"]+)"`)

func TestPortal_DisconnectsOwn_AndNothingElse(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	own, bobs := f.Connect(t, "acme", "user_alice", "github", "alice", nil), f.Connect(t, "acme", "user_bob", "github", "bob", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "github_get_authenticated_user", nil, nil).Want(t, 200)
	f.Settle(t)
	b := visit(t, f, portalLink(t, f, "user_alice"))
	list := b.Open(t, f.URL+"/portal").Want(t, 200).Body
	if !strings.Contains(list, "GitHub: alice") || !strings.Contains(list, "Get the connected GitHub user") || strings.Contains(list, bobs) || strings.Contains(list, "bob") {
		t.Errorf("%s", list)
	}
	at := f.URL + "/portal/connections/" + own
	g := guard.FindStringSubmatch(b.Open(t, at).Want(t, 200).Body)
	if g == nil {
		t.Fatal("no guard in the form")
	}
	form := url.Values{"guard": {g[1]}}
	for name, a := range map[string]e2e.Answer{
		"no guard": b.Submit(t, at, nil), "wrong guard": b.Submit(t, at, url.Values{"guard": {strings.Repeat("a", 52)}}), "no visit": f.NewBrowser(t).Submit(t, at, form),
		"bob's connection": b.Submit(t, f.URL+"/portal/connections/"+bobs, form), "no connection": b.Submit(t, f.URL+"/portal/connections/x", form),
		"alice's guard in bob's visit": visit(t, f, portalLink(t, f, "user_bob")).Submit(t, f.URL+"/portal/connections/"+bobs, form),
	} {
		if a.Status < 400 || a.Status > 404 {
			t.Errorf("%s: %d", name, a.Status)
		}
		wantPage(t, a, a.Status)
	}
	f.Execute(t, session, "github_get_authenticated_user", nil, nil).Want(t, 200)
	b.Submit(t, at, form).Want(t, 303)
	b.Submit(t, at, form).Want(t, 303) // twice is once
	if report := b.Open(t, at).Want(t, 200).Body; !strings.Contains(report, "has confirmed") {
		t.Errorf("%s", report)
	}
	if a := f.Execute(t, session, "github_get_authenticated_user", nil, nil); a.Status < 400 {
		t.Errorf("still works: %s", a.Body)
	}
	if status(t, f, "acme", bobs).Text("status") != "active" {
		t.Error("bob's connection ended too")
	}
	if r := f.Audit(t, "acme", "kind=connection.revoked"); len(r) != 1 || r[0]["by"] != "portal" || r[0]["reason"] != "disconnected_by_user" {
		t.Errorf("%v", r)
	}
}

func TestPortal_Link_OpensOnceUnderAnyRace(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	link := portalLink(t, f, "user_alice")
	var all sync.WaitGroup
	var opened atomic.Int32
	for range 12 {
		all.Go(func() {
			a, err := f.Try(e2e.Request{Method: "GET", Path: link, Header: http.Header{"Accept": {"text/html"}}})
			if err != nil {
				t.Error(err)
			}
			if a.Status == 303 && a.Header.Get("Set-Cookie") != "" {
				opened.Add(1)
			}
		})
	}
	all.Wait()
	if opened.Load() != 1 {
		t.Errorf("opened %d times", opened.Load())
	}
	a := f.Do(t, e2e.Request{Method: "GET", Path: portalLink(t, f, "user_alice"), Header: http.Header{"Accept": {"text/html"}, "Sec-Purpose": {"prefetch"}}})
	wantPage(t, a, 403)
}

func TestPortal_SuspendedPerson_IsRefused(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	b := visit(t, f, portalLink(t, f, "user_alice"))
	token := scimToken(t, f, "acme")
	setActive(t, f, token, scimUser(t, f, token, "user_alice"), false)
	wantPage(t, b.Open(t, f.URL+"/portal"), 403)
	f.Back(t, "POST", "/v1/portal-links", object{"tenant": "acme", "principal": "user_alice"}).WantCode(t, "revoked")
}

func TestPortal_BadInput_IsAProblem(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Back(t, "PUT", "/v1/tenants/globex", object{"return_urls": []string{"https://app.example/x"}}).Want(t, 200)
	for field, body := range map[string]object{"/tenant": {"tenant": "A!", "principal": "u"}, "/principal": {"tenant": "acme", "principal": ""}, "/extra": {"tenant": "acme", "principal": "u", "extra": 1},
		"/return_url": {"tenant": "globex", "principal": "u", "return_url": "https://evil.example/"}} {
		if a := f.Back(t, "POST", "/v1/portal-links", body); a.Status != 400 || a.JSON["field"] != field {
			t.Errorf("%s: %d %s", field, a.Status, a.Body)
		}
	}
	f.Back(t, "POST", "/v1/portal-links", object{"tenant": "nobody-here", "principal": "u"}).WantCode(t, "not_found")
	cookie := http.Header{"Accept": {"text/html"}, "Cookie": {"behalf_portal=acme." + strings.Repeat("a", 52)}}
	wantPage(t, f.Do(t, e2e.Request{Method: "GET", Path: "/portal", Header: cookie}), 401)
	wantPage(t, f.Do(t, e2e.Request{Method: "GET", Path: "/portal/acme." + strings.Repeat("a", 52), Header: cookie}), 404)
	link := portalLink(t, f, "user_alice") // a link's own secret is no visit
	cookie.Set("Cookie", "behalf_portal="+link[strings.LastIndex(link, "/")+1:])
	wantPage(t, f.Do(t, e2e.Request{Method: "GET", Path: "/portal", Header: cookie}), 401)
}

// TestTenant_LogoAndAccent_ComeBackAsPut: what was read can be changed and written.
func TestTenant_LogoAndAccent_ComeBackAsPut(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	const logo = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
	f.Back(t, "PUT", "/v1/tenants/acme", object{"name": "Acme", "logo": logo, "accent": "#4a154b"}).Want(t, 200)
	if a := f.Back(t, "GET", "/v1/tenants/acme", nil).Want(t, 200); a.Text("logo") != logo || a.Text("accent") != "#4a154b" {
		t.Errorf("%.300s", a.Body)
	}
	if a := f.Back(t, "PUT", "/v1/tenants/acme", object{"logo": "https://acme.example/logo.png"}); a.Status != 400 || a.JSON["field"] != "/logo" {
		t.Errorf("%s", a.Body)
	}
	f.Back(t, "PUT", "/v1/tenants/acme", object{"name": "Acme"}).Want(t, 200)
	if a := f.Back(t, "GET", "/v1/tenants/acme", nil).Want(t, 200); a.Text("logo") != "" || a.Text("accent") != "" {
		t.Errorf("%.300s", a.Body)
	}
}
