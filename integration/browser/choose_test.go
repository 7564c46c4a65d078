package browser_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/env"
)

// places are what the account of the site connector reaches: one with an address as long as they come.
var places = []e2e.Object{
	{"id": "alpha", "name": "Alpha", "url": "https://alpha.site.example"},
	{"id": "beta", "name": "Research and Development, Northern Europe (sandbox copy of March)", "url": "https://research-and-development-northern-europe-sandbox-2026-03.site.example"},
	{"id": "gamma", "name": "gamma_0123456789abcdef0123456789abcdef0123456789abcdef", "url": "https://gamma.site.example"},
}

// newSite is a stack with a provider that asks nobody: it sends the browser back with a code.
func newSite(t *testing.T) *e2e.Fixture {
	t.Helper()
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		var answer any = e2e.Object{"account_id": "u-1", "name": "Alice"}
		switch r.URL.Path {
		case "/authorize":
			http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+url.Values{"code": {"code-1"}, "state": {r.FormValue("state")}}.Encode(), http.StatusFound)
			return
		case "/token":
			answer = e2e.Object{"access_token": "site-at-0123456789abcdef", "refresh_token": "site-rt-0123456789abcdef", "expires_in": 3600, "token_type": "Bearer"}
		case "/resources":
			answer = places
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(p.Close)
	// By another name than Behalf's, so that coming from there is coming from another site.
	web := strings.Replace(p.URL, "127.0.0.1", "localhost", 1)
	f := e2e.Start(t, e2e.Options{Connectors: "testdata", Getenv: func(name string) string {
		if name == env.ConnectorHosts {
			return fmt.Sprintf(`{"site":{"web":%q,"api":%q}}`, web, web)
		}
		return ""
	}})
	f.Back(t, "PUT", "/v1/connectors/site/client", e2e.Object{"client_id": "behalf", "client_secret": e2e.ClientSecret}).Want(t, 200)
	return f
}

// question walks a person up to the choice, and returns its address and the connection's id.
func question(t *testing.T, f *e2e.Fixture, p *person, who string) (at, connection string) {
	t.Helper()
	// The return page of this product confirms nothing by itself, so that the test sees the answer.
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { show(w, "Back in the product") }))
	t.Cleanup(back.Close)
	f.Back(t, "PUT", "/v1/tenants/acme", e2e.Object{"name": "Acme", "logo": logo(t), "accent": "#4a154b"}).Want(t, 200)
	l := f.Back(t, "POST", "/v1/connect-links", e2e.Object{"tenant": "acme", "principal": who, "connector": "site", "return_url": back.URL + "/connected"}).Want(t, 201)
	p.open(l.Text("url"))
	p.click(goOn, product)
	a := f.Confirm(t, l.Text("id"), who).Want(t, 202)
	return a.Text("choose_url"), a.Text("connection_id")
}

// TestChoose_ByKeyboard_OneOfSeveral_AndInNoOtherBrowser picks the second with the arrow key and sends the form with Enter.
func TestChoose_ByKeyboard_OneOfSeveral_AndInNoOtherBrowser(t *testing.T) {
	asked(t)
	t.Parallel()
	f := newSite(t)
	p, other := newPerson(t), newPerson(t)
	at, id := question(t, f, p, "user_alice")
	other.open(at)
	other.see(failed)
	other.says("req_")
	if strings.Contains(other.text(), "Alpha") {
		t.Error("another browser sees the places")
	}
	p.open(at)
	p.says("Which one in Site is this for?", "3 places", "Alpha", "https://alpha.site.example", "Acme", "user_alice")
	p.inspect("choose")
	p.do("press Tab, Space, Down", chromedp.KeyEvent("\t"), chromedp.KeyEvent(" "), chromedp.KeyEvent(kb.ArrowDown))
	var value string
	if p.eval(`document.querySelector('input[name=choice]:checked')?.value || ''`, &value); value != "beta" {
		t.Fatalf("the keys chose %q", value)
	}
	p.shot("choose-chosen")
	p.do("press Tab and Enter", chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"))
	p.see(product)
	if got := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200); got.Text("status") != "active" || got.Text("account.tenant_id") != "beta" {
		t.Errorf("%s", got.Body)
	}
}

// TestChoose_Phone_NothingChosen_IsSaid goes past the browser's own check, and then taps one.
func TestChoose_Phone_NothingChosen_IsSaid(t *testing.T) {
	asked(t)
	t.Parallel()
	f, p := newSite(t), newPerson(t)
	at, id := question(t, f, p, "user_with_a_very_long_identifier_1234567890@subsidiary.acme-corporation.example")
	p.phone()
	p.open(at)
	p.narrow("choose")
	p.eval(`document.querySelector('main form').noValidate = true`, nil)
	p.tap(goOn, "#e-choice")
	p.says("Choose one of these first")
	p.narrow("choose-nothing")
	p.tap(`label[for="c-2"]`, goOn)
	p.tap(goOn, product)
	if got := f.Back(t, "GET", "/v1/tenants/acme/connections/"+id, nil).Want(t, 200); got.Text("account.tenant_id") != "gamma" {
		t.Errorf("%s", got.Body)
	}
}
