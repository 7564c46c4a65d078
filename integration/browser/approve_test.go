package browser_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"behalf.dev/behalf/integration/e2e"
)

// waiting is a stack in which an agent's call waits for somebody's approval.
type waiting struct {
	*e2e.Fixture
	t             *testing.T
	session, path string
}

const long = "A body that is long enough to be folded, so that the page shows its beginning and the person opens the rest. "

func newWaiting(t *testing.T) *waiting {
	t.Helper()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Back(t, "PUT", "/v1/tenants/acme", e2e.Object{"name": "Acme", "logo": logo(t), "accent": "#4a154b"}).Want(t, 200)
	f.Back(t, "PUT", "/v1/tenants/acme/policy", e2e.Object{"rules": []e2e.Object{{"id": "four-eyes", "effect": "require_approval", "when": e2e.Object{"effects": []string{"write"}}, "reason": "writes are looked at by a second person"}}}).Want(t, 200)
	w := &waiting{Fixture: f, t: t}
	w.session = f.Session(t, "acme", "user_alice", e2e.Object{"agent": "triage-bot", "run_id": "run-42"})
	w.path = strings.TrimSuffix(w.call().WantCode(t, "approval_required").Text("approve.path"), "/link")
	return w
}

// call is what the agent wants to do.
func (w *waiting) call() e2e.Answer {
	w.t.Helper()
	return w.Execute(w.t, w.session, "github_create_issue", e2e.Object{"owner": "acme", "repo": "billing", "title": "Fix login", "body": strings.Repeat(long, 8)}, nil)
}

// link is a link for an approver.
func (w *waiting) link(approver string) string {
	w.t.Helper()
	return w.Back(w.t, "POST", w.path+"/link", e2e.Object{"approver": approver}).Want(w.t, 201).Text("url")
}

const (
	review  = `button`
	sayYes  = `.decide:has(input[value="approve"]) button`
	sayNo   = `.decide:has(input[value="refuse"]) button`
	decided = `p[role="status"]`
)

func (w *waiting) status() string {
	w.t.Helper()
	return w.Back(w.t, "GET", w.path, nil).Want(w.t, 200).Text("status")
}

// TestApprove_PersonApproves_TheCallPassesOnce also comes back to the used link, by the back button and by opening it again.
func TestApprove_PersonApproves_TheCallPassesOnce(t *testing.T) {
	asked(t)
	t.Parallel()
	w, p := newWaiting(t), newPerson(t)
	link := w.link("carol@acme.example")
	p.open(link)
	p.says("triage-bot", "asks for your approval", "GitHub", "user_alice", "Acme", "carol@acme.example", "second person")
	if strings.Contains(p.text(), "Fix login") {
		t.Error("the arguments are shown before the link is opened")
	}
	p.inspect("approve")
	p.click(review, sayYes)
	p.says("Exactly these arguments", "Fix login", "billing")
	p.inspect("approve-open")
	p.do("open the long text", chromedp.Evaluate(`document.querySelector('.arguments details').open = true`, nil))
	p.says(strings.TrimSpace(strings.Repeat(long, 8)))
	p.do("write a note", chromedp.SendKeys("#approve-note", "looks right"))
	p.doubleClick(sayYes, decided)
	p.says("You approved this call", "It has not been made yet", "carol@acme.example")
	p.inspect("approved")
	if got := w.Back(t, "GET", w.path, nil).Want(t, 200); got.Text("status") != "approved" || got.Text("approver") != "carol@acme.example" || got.Text("note") != "looks right" {
		t.Errorf("%s", got.Body)
	}
	p.open(link)
	p.see(failed)
	p.says("This link was already used", "What you can do", "req_")
	p.inspect("approve-used")
	w.call().Want(t, 200)
	w.call().WantCode(t, "approval_required")
}

func TestApprove_PersonRefuses_NothingIsDone(t *testing.T) {
	asked(t)
	t.Parallel()
	w, p := newWaiting(t), newPerson(t)
	p.open(w.link("carol"))
	p.click(review, sayNo)
	p.do("say why", chromedp.SendKeys("#refuse-note", "not today"))
	p.click(sayNo, decided)
	p.says("You refused this call", "Nothing was done")
	p.inspect("refused")
	if got := w.Back(t, "GET", w.path, nil).Want(t, 200); got.Text("status") != "refused" || got.Text("note") != "not today" {
		t.Errorf("%s", got.Body)
	}
	w.call().WantCode(t, "policy_denied")
	p.back(failed) // the form is gone; what is shown says so
	p.says("This link was already used")
}

func TestApprove_TooLate_IsSaidAndNothingCounts(t *testing.T) {
	asked(t)
	t.Parallel()
	w, p := newWaiting(t), newPerson(t)
	p.open(w.link("carol"))
	p.click(review, sayYes)
	w.Clock.Advance(25 * time.Hour)
	p.click(sayYes, failed)
	p.says("What you can do", "not counted", "req_")
	p.inspect("approve-late")
	if got := w.status(); got != "expired" {
		t.Errorf("status %s", got)
	}
	p.open(w.URL + "/approve/nonsense")
	p.see(failed)
	p.says("This link no longer works", "req_")
}

// TestApprove_OtherBrowser_SeesNoArgumentsAndDecidesNothing: whoever the link was forwarded to comes second.
func TestApprove_OtherBrowser_SeesNoArgumentsAndDecidesNothing(t *testing.T) {
	asked(t)
	t.Parallel()
	w, carol, mallory := newWaiting(t), newPerson(t), newPerson(t)
	link := w.link("carol")
	mallory.open(link) // looking uses nothing up
	carol.open(link)
	carol.click(review, sayYes)
	mallory.click(review, failed)
	mallory.says("opened in another browser", "req_")
	mallory.inspect("approve-other-browser")
	if strings.Contains(mallory.text(), "Fix login") {
		t.Error("the arguments are shown to another browser")
	}
	saas := newSaaS(t, w.Fixture)
	carol.open(saas.URL + "/attack?to=" + link) // a form of another site, in the right browser
	carol.see(failed)
	if got := w.status(); got != "pending" {
		t.Errorf("status %s", got)
	}
	carol.open(link)
	carol.click(sayYes, decided)
	if got := w.status(); got != "approved" {
		t.Errorf("status %s", got)
	}
}

// TestApprove_ByKeyboard reaches the button that opens the call, and the answer, without a mouse.
func TestApprove_ByKeyboard(t *testing.T) {
	asked(t)
	t.Parallel()
	w, p := newWaiting(t), newPerson(t)
	p.open(w.link("carol"))
	p.do("press Tab and Enter", chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"))
	p.see(sayYes)
	var at string
	for range 20 {
		p.do("press Tab", chromedp.KeyEvent("\t"))
		if p.eval(`(document.activeElement.closest('.decide') && document.activeElement.tagName) || ''`, &at); at == "BUTTON" {
			break
		}
	}
	p.do("press Enter", chromedp.KeyEvent("\r"))
	p.see(decided)
	if got := w.status(); got != "approved" {
		t.Errorf("status %s: the first button that the keyboard reaches does not approve", got)
	}
}
