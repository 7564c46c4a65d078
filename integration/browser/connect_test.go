package browser_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"behalf.dev/behalf/integration/e2e"
)

const (
	goOn    = "main > form > button"
	approve = `button[value="approve"]`
	deny    = `button[value="deny"]`
	product = "#product"
	failed  = "main .next"
)

// consent signs in at the emulated provider's page and decides.
func (p *person) consent(login, decision, then string) {
	p.t.Helper()
	p.click(`input[name="login"][value="`+login+`"]`, decision)
	p.click(decision, then)
}

// nothingConnected fails the test if a principal has a connection that is good for anything, or a code was redeemed.
func nothingConnected(t *testing.T, f *e2e.Fixture, principal, provider string) {
	t.Helper()
	for _, c := range f.Back(t, "GET", "/v1/tenants/acme/connections?principal="+principal, nil).Want(t, 200).List("connections") {
		if c["status"] != "pending" && c["status"] != "revoked" {
			t.Errorf("%s has a connection: %v", principal, c)
		}
	}
	if n := f.Counters(t, provider).TokenExchanges; n != 0 {
		t.Errorf("%d codes were redeemed", n)
	}
}

func TestConnect_WholeWay_EndsAtTheProductWithAConnection(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	s.signIn(p, "user_alice")
	link := s.link("user_alice", "github", nil).Text("url")
	p.open(link)
	p.says("Acme", "GitHub", "user_alice", "Read your profile", "Change", "end this at any time")
	p.inspect("connect")
	p.click(goOn, approve)
	p.consent("alice", approve, product)
	if got := p.text(); got != "user_alice: consented active" || !strings.HasPrefix(p.at(), s.URL+"/connected?") {
		t.Errorf("%s at %s", got, p.at())
	}
	if got := f.Execute(t, f.Session(t, "acme", "user_alice", nil), "github_get_authenticated_user", nil, nil).Want(t, 200).Text("data.login"); got != "alice" {
		t.Errorf("acts as %s", got)
	}
	p.open(link) // somebody who comes back to it
	p.says("GitHub is connected")
	p.inspect("connected")
}

// TestConnect_RealServer_ItsOwnPages walks through a server that was not written for us, on another site than ours.
func TestConnect_RealServer_ItsOwnPages(t *testing.T) {
	asked(t)
	t.Parallel()
	n, f := newNotes(t)
	s, p := newSaaS(t, f), newPerson(t)
	s.signIn(p, "user_alice")
	p.open(s.link("user_alice", "notes", nil).Text("url"))
	p.click(goOn, `input[name="login"]`)
	p.do("sign in", chromedp.SendKeys(`input[name="login"]`, "alice-at-notes"), chromedp.SendKeys(`input[name="password"]`, "x"))
	p.click(`button[type="submit"]`, `input[name="prompt"][value="consent"] ~ button, form:has(input[value="consent"])`)
	if got := n.exchanges(); got != "0" {
		t.Errorf("%s exchanges before the confirmation", got)
	}
	p.click(`button[type="submit"]`, product)
	if got := p.text(); got != "user_alice: consented active" {
		t.Errorf("%s at %s", got, p.at())
	}
	if q := s.lastVisit(); q.Get("status") != "consented" || q.Has("code") || q.Has("iss") {
		t.Errorf("the product was given %v", q)
	}
	if got := f.Execute(t, f.Session(t, "acme", "user_alice", nil), "notes_who_am_i", nil, nil).Want(t, 200).Text("data.sub"); got != "alice-at-notes" {
		t.Errorf("acts as %s", got)
	}
	if got := n.exchanges(); got != "1" {
		t.Errorf("%s exchanges, want 1", got)
	}
}

func TestConnect_RealServer_PersonCancels(t *testing.T) {
	asked(t)
	t.Parallel()
	n, f := newNotes(t)
	s, p := newSaaS(t, f), newPerson(t)
	s.signIn(p, "user_alice")
	p.open(s.link("user_alice", "notes", nil).Text("url"))
	p.click(goOn, `input[name="login"]`)
	p.click(`a[href*="abort"]`, product)
	if q := s.lastVisit(); q.Get("status") != "denied" {
		t.Errorf("the product was given %v", q)
	}
	if got := n.exchanges(); got != "0" {
		t.Errorf("%s exchanges", got)
	}
}

// TestConnect_ForwardedLink_TheVictimsBrowserActivatesNothing: Mallory makes a link as herself and sends it to Bob, who
// consents; the product meets Bob.
func TestConnect_ForwardedLink_TheVictimsBrowserActivatesNothing(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, mallory, bob := newSaaS(t, f), newPerson(t), newPerson(t)
	s.signIn(mallory, "user_mallory")
	s.signIn(bob, "user_bob")
	l := s.link("user_mallory", "github", nil)
	mallory.open(l.Text("url")) // looking uses nothing up
	bob.open(l.Text("url"))
	bob.says("user_mallory")
	bob.click(goOn, approve)
	bob.consent("bob", approve, product)
	if got := bob.text(); got != "user_bob: consented forbidden" {
		t.Errorf("%s", got)
	}
	// Mallory cannot go on with it either, in her own browser.
	mallory.open(l.Text("url"))
	mallory.see(failed)
	nothingConnected(t, f, "user_mallory", "github")
	nothingConnected(t, f, "user_bob", "github")
	if got := f.Back(t, "GET", "/v1/connect-links/"+l.Text("id"), nil).Want(t, 200); got.Text("status") != "user_mismatch" {
		t.Errorf("%s", got.Body)
	}
}

// TestConnect_StolenStart_OtherBrowserIsRefused: Mallory starts the flow herself and sends Bob the provider's page.
func TestConnect_StolenStart_OtherBrowserIsRefused(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, mallory, bob := newSaaS(t, f), newPerson(t), newPerson(t)
	s.signIn(bob, "user_bob")
	mallory.open(s.link("user_mallory", "github", nil).Text("url"))
	mallory.click(goOn, approve)
	bob.open(mallory.at())
	bob.consent("bob", approve, failed)
	bob.says("You started this in another browser", "close this page", "req_", "Back to")
	bob.inspect("other-browser")
	nothingConnected(t, f, "user_mallory", "github")
}

func TestConnect_BackButtonAndReplay_ChangeNothing(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	s.signIn(p, "user_alice")
	link := s.link("user_alice", "github", nil).Text("url")
	p.open(link)
	p.click(goOn, approve)
	p.back(goOn)
	p.click(goOn, approve) // a new state
	p.consent("alice", approve, product)
	var callback string
	for _, h := range p.history() {
		if strings.Contains(h, "/oauth/callback/") {
			callback = h
		}
	}
	if callback != "" {
		t.Errorf("the code stays in the browser's history: %s", callback)
	}
	p.back(approve)
	p.consent("alice", approve, failed) // the provider issues another code for the spent state
	p.says("This link was already used", "If you finished connecting")
	p.inspect("already-done")
	if n := f.Counters(t, "github").TokenExchanges; n != 1 {
		t.Errorf("%d codes were redeemed", n)
	}
}

func TestConnect_DoubleClickOnContinue_GoesThrough(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	s.signIn(p, "user_alice")
	for _, connector := range []string{"github", "slack"} {
		p.open(s.link("user_alice", connector, nil).Text("url"))
		p.doubleClick(goOn, approve)
		p.consent("alice", approve, product)
		if got := p.text(); got != "user_alice: consented active" {
			t.Errorf("%s", got)
		}
	}
}

func TestConnect_TwoTabsAtOnce_BothGoThrough(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	s.signIn(p, "user_alice")
	q := p.tab()
	p.open(s.link("user_alice", "github", nil).Text("url"))
	q.open(s.link("user_alice", "slack", nil).Text("url"))
	p.click(goOn, approve)
	q.click(goOn, approve)
	for _, tab := range []*person{p, q} {
		tab.consent("alice", approve, product)
		if got := tab.text(); got != "user_alice: consented active" {
			t.Errorf("%s", got)
		}
	}
}

func TestConnect_ExpiredLink_SaysWhereToGo(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	link := s.link("user_alice", "github", nil).Text("url")
	p.open(link)
	f.Clock.Advance(16 * time.Minute)
	p.click(goOn, failed)
	p.says("This link has expired", "req_")
	p.inspect("expired")
	p.click("a.button", product)
	if at := p.at(); at != s.URL+"/connected" {
		t.Errorf("led to %s", at)
	}
	p.open(f.URL + "/connect/nonsense")
	p.says("This link does not work", "req_")
	p.inspect("no-link")
	nothingConnected(t, f, "user_alice", "github")
}

func TestConnect_PersonDenies_ProductIsTold(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	s.signIn(p, "user_alice")
	p.open(s.link("user_alice", "salesforce", nil).Text("url"))
	p.click(goOn, deny)
	p.consent("alice", deny, product)
	if q := s.lastVisit(); q.Get("status") != "denied" {
		t.Errorf("the product was given %v", q)
	}
	nothingConnected(t, f, "user_alice", "salesforce")
}

// TestConnect_NarrowerConsent_DoesNotReplaceTheWiderOne: Alice connects, and the second time leaves out a permission.
func TestConnect_NarrowerConsent_DoesNotReplaceTheWiderOne(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	s.signIn(p, "user_alice")
	for _, leaveOut := range []string{"", "repo"} {
		p.open(s.link("user_alice", "github", nil).Text("url"))
		p.click(goOn, approve)
		if leaveOut != "" {
			p.click(`input[name="granted"][value="`+leaveOut+`"]`, approve)
		}
		p.consent("alice", approve, product)
	}
	var scopes [][]string
	for _, c := range f.Back(t, "GET", "/v1/tenants/acme/connections?principal=user_alice&status=active", nil).Want(t, 200).List("connections") {
		var names []string
		for _, x := range c["scopes"].([]any) {
			names = append(names, x.(string))
		}
		scopes = append(scopes, names)
	}
	if len(scopes) != 2 || slices.Contains(scopes[0], "repo") == slices.Contains(scopes[1], "repo") {
		t.Errorf("connections with %v", scopes)
	}
}

// TestConnect_AnotherSiteSendsTheForm_IsRefused: a page of Mallory's sends Bob's browser straight past our page.
func TestConnect_AnotherSiteSendsTheForm_IsRefused(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	l := s.link("user_mallory", "github", nil)
	p.open(l.Text("url")) // even with our cookie
	p.open(s.URL + "/attack?to=" + url.QueryEscape(l.Text("url")))
	p.see(failed)
	p.says("This was not started on our page", "req_")
	p.inspect("cross-site")
	if got := f.Back(t, "GET", "/v1/connect-links/"+l.Text("id"), nil).Want(t, 200); got.Text("status") != "open" {
		t.Errorf("%s", got.Body)
	}
}

func TestConnect_CookiesAreOff_IsSaid(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	p.open(s.link("user_alice", "github", nil).Text("url"))
	p.forget()
	p.click(goOn, failed)
	p.says("did not keep our cookie", "allow cookies")
	p.inspect("no-cookie")
	nothingConnected(t, f, "user_alice", "github")
}

// TestConnect_TenantsOwnLook_IsShown puts a logo and a colour on the page, and reaches the button by keyboard alone.
func TestConnect_TenantsOwnLook_IsShown(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	f.Back(t, "PUT", "/v1/tenants/acme", e2e.Object{"name": "Acme Corporation", "accent": "#4a154b", "logo": logo(t)}).Want(t, 200)
	p.open(s.link("user_alice", "slack", nil).Text("url"))
	p.says("Acme Corporation", "Slack")
	var width int
	p.eval(`document.querySelector('header img').naturalWidth`, &width)
	if width != 64 {
		t.Errorf("the logo is %d pixels wide", width)
	}
	p.inspect("branded")
	p.do("press Tab and Enter", chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"))
	p.see(approve)
}

// TestConnect_Form_ByKeyboard fills in a form, is corrected, and never sees its secret again.
func TestConnect_Form_ByKeyboard(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	s.signIn(p, "user_alice")
	p.open(s.link("user_alice", "zendesk", nil).Text("url"))
	p.see(".field")
	p.says("Zendesk", "user_alice", "encrypted")
	p.inspect("form")
	p.eval(`document.querySelectorAll('main form input:not([type=hidden])').forEach(i => { i.removeAttribute('required'); i.value = i.type === 'password' ? 'typed-secret-9000' : '..//evil' })`, nil)
	p.click(goOn, ".field .error")
	p.says("Please correct what is marked")
	p.inspect("form-corrected")
	var html string
	p.eval(`document.documentElement.outerHTML`, &html)
	if strings.Contains(html, "typed-secret-9000") {
		t.Error("the page repeats a secret")
	}
}
