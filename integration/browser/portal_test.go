package browser_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

// portal makes a link to a principal's own connections.
func (s *saas) portal(principal string) string {
	s.t.Helper()
	return s.f.Back(s.t, "POST", "/v1/portal-links", e2e.Object{"tenant": "acme", "principal": principal, "return_url": s.URL + "/connected"}).Want(s.t, 201).Text("url")
}

// busy is a stack in which agents of Alice and Bob did something.
func busy(t *testing.T) (*e2e.Fixture, *saas, string) {
	t.Helper()
	f := e2e.New(t)
	s := newSaaS(t, f)
	github := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Connect(t, "acme", "user_alice", "slack", "alice", nil)
	f.Connect(t, "acme", "user_bob", "github", "bob", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, "github_get_authenticated_user", nil, nil).Want(t, 200)
	f.Execute(t, session, "github_create_issue", e2e.Object{"owner": "acme", "repo": "billing", "title": "Secret plan 9000"}, nil).Want(t, 200)
	f.Execute(t, session, "github_get_issue", e2e.Object{"owner": "acme", "repo": "billing", "issue_number": 424242}, nil)
	f.Execute(t, f.Session(t, "acme", "user_bob", nil), "github_get_authenticated_user", nil, nil).Want(t, 200)
	f.Settle(t)
	return f, s, github
}

func TestPortal_PersonLooksAndDisconnects(t *testing.T) {
	asked(t)
	t.Parallel()
	f, s, github := busy(t)
	f.Back(t, "PUT", "/v1/tenants/acme", e2e.Object{"name": "Acme", "logo": logo(t), "accent": "#4a154b"}).Want(t, 200)
	p := newPerson(t)
	link := s.portal("user_alice")
	p.open(link)
	p.see("article")
	if p.at() != f.URL+"/portal" {
		t.Errorf("the link's secret stays in the address: %s", p.at())
	}
	p.eval(`document.querySelectorAll('details').forEach(d => d.open = true)`, nil)
	p.says("GitHub: alice", "Slack", "Connected", "Last used on", "Read your profile", "Change", "Create", "Done", "by e2e")
	if text := p.text(); strings.Contains(text, "Secret plan") || strings.Contains(text, "bob") || strings.Contains(text, "424242") {
		t.Errorf("the page shows what is not its visitor's to see:\n%s", text)
	}
	p.inspect("portal")
	before := len(f.Calls(t, "github", emulator.KindRevoke))
	p.click(`a[href="portal/connections/`+github+`"]`, goOn)
	p.says("Disconnect GitHub?", "at once")
	p.inspect("disconnect")
	p.click(`a.button.plain`, "article") // changed their mind
	p.click(`a[href="portal/connections/`+github+`"]`, goOn)
	p.doubleClick(goOn, `p[role="status"]`)
	p.says("GitHub is disconnected", "has confirmed that the access has ended there too")
	p.inspect("disconnected")
	if n := len(f.Calls(t, "github", emulator.KindRevoke)) - before; n != 1 {
		t.Errorf("the provider was told %d times", n)
	}
	a := f.Execute(t, f.Session(t, "acme", "user_alice", nil), "github_get_authenticated_user", nil, nil)
	if a.Status < 400 {
		t.Errorf("an agent still works: %s", a.Body)
	}
	if got := f.Back(t, "GET", "/v1/tenants/acme/connections/"+github, nil).Want(t, 200); got.Text("status") != "revoked" || got.Text("reason") != "disconnected_by_user" {
		t.Errorf("%s", got.Body)
	}
	p.click("a.button", "article")
	p.says("Disconnected lately", "Slack")
	p.back(`p[role="status"]`)
	p.open(link) // in the browser that opened it, it leads to the visit
	p.see("article")
	p.inspect("portal-after")
}

func TestPortal_OpensOnce_OnlyItsOwn(t *testing.T) {
	asked(t)
	t.Parallel()
	f, s, github := busy(t)
	alice, bob := newPerson(t), newPerson(t)
	link := s.portal("user_alice")
	alice.open(link)
	alice.see("article")
	bob.open(link)
	bob.see(failed)
	bob.says("This link was already used", "req_")
	bob.inspect("portal-used")
	bob.open(s.portal("user_bob"))
	bob.see("article")
	bob.says("GitHub: bob")
	bob.open(f.URL + "/portal/connections/" + github)
	bob.see(failed)
	bob.says("This connection is not here")
	bob.inspect("portal-not-yours")
	f.Clock.Advance(31 * time.Minute)
	alice.open(f.URL + "/portal")
	alice.see(failed)
	alice.says("Your visit has ended")
	alice.inspect("portal-ended")
	alice.open(s.portal("user_alice"))
	alice.see("article")
	late := s.portal("user_alice")
	f.Clock.Advance(11 * time.Minute)
	bob.open(late)
	bob.see(failed)
	bob.says("This link has expired")
	newPerson(t).open(f.URL + "/portal")
}

// TestPortal_FormsOfOthers_AreRefused: from another site, and with the guard of another visit.
func TestPortal_FormsOfOthers_AreRefused(t *testing.T) {
	asked(t)
	t.Parallel()
	f, s, github := busy(t)
	p := newPerson(t)
	p.open(s.portal("user_alice"))
	p.see("article")
	p.open(s.URL + "/attack?to=" + f.URL + "/portal/connections/" + github)
	p.see(failed)
	p.open(f.URL + "/portal/connections/" + github)
	p.see(goOn)
	p.eval(`document.querySelector('input[name=guard]').value = 'x'.repeat(52)`, nil)
	p.click(goOn, failed)
	p.says("This page was open for too long")
	if got := f.Back(t, "GET", "/v1/tenants/acme/connections/"+github, nil).Want(t, 200); got.Text("status") != "active" {
		t.Errorf("%s", got.Body)
	}
}

// TestPortal_Nothing_IsSaid also goes through the page by keyboard.
func TestPortal_Nothing_IsSaid(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	p.open(s.portal("user_nobody"))
	p.see("section.note")
	p.says("Nothing is connected")
	p.inspect("portal-empty")
	p.do("press Tab twice and Enter", chromedp.KeyEvent("\t"), chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r")) // past Sign out
	p.see(product)
	if !slices.Contains(p.history(), f.URL+"/portal") {
		t.Errorf("%v", p.history())
	}
}
