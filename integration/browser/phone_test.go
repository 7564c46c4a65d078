package browser_test

import (
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"behalf.dev/behalf/integration/e2e"
)

// phone makes p's browser one of a small phone, of 320 pixels and with a finger.
func (p *person) phone() {
	p.t.Helper()
	p.do("become a phone", emulation.SetDeviceMetricsOverride(320, 568, 2, true), emulation.SetTouchEmulationEnabled(true))
}

// tap touches what the selector finds, and waits for then. The target must be large enough for a finger (WCAG 2.2, 2.5.8: 24
// pixels; ours are 44 in the flow).
func (p *person) tap(selector, then string) {
	p.t.Helper()
	x, y := p.middle(selector)
	var height float64
	p.eval(`document.querySelector(`+strconv.Quote(selector)+`).getBoundingClientRect().height`, &height)
	if height < 44 {
		p.t.Errorf("%s is %.0f pixels high", selector, height)
	}
	p.do("tap "+selector, chromedp.MouseClickXY(x, y))
	p.see(then)
}

// narrow fails the test if the page has to be scrolled sideways.
func (p *person) narrow(name string) {
	p.t.Helper()
	var wide int
	if p.eval(`document.documentElement.scrollWidth`, &wide); wide > 320 {
		p.t.Errorf("%s is %d pixels wide on a phone of 320", name, wide)
	}
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		p.shot(name + "-phone-" + scheme)
		p.axe(name + " phone " + scheme)
	}
}

// TestPhone_WholeWay connects an account, looks at it and disconnects it on a phone of 320 pixels.
func TestPhone_WholeWay(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	p.phone()
	s.signIn(p, "user_with_a_very_long_identifier_1234567890@subsidiary.acme-corporation.example")
	who := "user_with_a_very_long_identifier_1234567890@subsidiary.acme-corporation.example"
	p.open(s.link(who, "github", nil).Text("url"))
	p.says("GitHub", who)
	p.narrow("connect")
	p.tap(goOn, approve)
	p.consent("alice", approve, product)
	if got := p.text(); got != who+": consented active" {
		t.Fatalf("%s", got)
	}
	p.open(s.portal(who))
	p.see("article")
	p.narrow("portal")
	p.tap("article > a.button", goOn)
	p.narrow("disconnect")
	p.tap("button.danger", `p[role="status"]`)
	p.narrow("disconnected")
	p.open(f.URL + "/connect/nonsense")
	p.see(failed)
	p.narrow("no-link")
}

// TestConnect_ScopesAreMissing_NothingIsReplaced: asked to reconnect, Alice leaves out a permission that agents have. The connection
// stays as it was, and the product is told why.
func TestConnect_ScopesAreMissing_NothingIsReplaced(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	s.signIn(p, "user_alice")
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	l := s.link("user_alice", "github", e2e.Object{"connection": id})
	p.open(l.Text("url"))
	p.click(goOn, approve)
	p.click(`input[name="granted"][value="repo"]`, approve)
	p.consent("alice", approve, product)
	if got := p.text(); got != "user_alice: consented conflict" {
		t.Errorf("%s", got)
	}
	if got := f.Back(t, "GET", "/v1/connect-links/"+l.Text("id"), nil).Want(t, 200); got.Text("status") != "failed" {
		t.Errorf("%s", got.Body)
	}
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "github_create_issue", e2e.Object{"owner": "acme", "repo": "billing", "title": "still works"}, nil).Want(t, 200)
	p.open(l.Text("url"))
	p.see(failed)
	p.says("req_")
	p.inspect("failed-link")
}
