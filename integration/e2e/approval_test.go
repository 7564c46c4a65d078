package e2e_test

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
)

// held is a stack whose policy wants an approval of each write, and one call that waits for it.
type held struct {
	*e2e.Fixture
	session, id, path string
}

func hold(t *testing.T) held {
	t.Helper()
	f, session := alice(t, "github", nil)
	f.Back(t, "PUT", "/v1/tenants/acme/policy", object{"rules": []object{{"id": "four-eyes", "effect": "require_approval", "when": object{"effects": []string{"write"}}, "reason": "writes are looked at"}}}).Want(t, 200)
	h := held{Fixture: f, session: session}
	a := h.write(t, "x").WantCode(t, "approval_required")
	h.id = a.Text("approval_id")
	h.path = strings.TrimSuffix(a.Text("approve.path"), "/link")
	return h
}

func (h held) write(t *testing.T, title string) e2e.Answer {
	t.Helper()
	return h.Execute(t, h.session, "github_create_issue", issue(title), nil)
}

func (h held) decide(t *testing.T, decision string) e2e.Answer {
	t.Helper()
	return h.Back(t, "POST", h.path+"/decision", object{"decision": decision, "approver": "carol", "note": "seen"})
}

func TestApproval_Approved_TheSameCallPassesOnce(t *testing.T) {
	t.Parallel()
	h := hold(t)
	a := h.Back(t, "GET", h.path, nil).Want(t, 200)
	if a.Text("status") != "pending" || a.Text("input.title") != "x" || a.Text("rule") != "four-eyes" || a.Text("tool") != "github_create_issue" || a.Text("effect") != "write" {
		t.Errorf("%s", a.Body)
	}
	h.decide(t, "maybe").WantCode(t, "invalid_input")
	h.Back(t, "POST", h.path+"/decision", object{"decision": "approve"}).WantCode(t, "invalid_input")
	h.Back(t, "POST", h.path+"/decision", object{"decision": "approve", "approver": "carol", "requested_at": "2026-01-01T00:00:00Z"}).WantCode(t, "conflict")
	if d := h.decide(t, "approve").Want(t, 200); d.Text("status") != "approved" || d.Text("approver") != "carol" || d.Text("note") != "seen" {
		t.Errorf("%s", d.Body)
	}
	h.write(t, "other arguments").WantCode(t, "approval_required")
	h.write(t, "x").Want(t, 200)
	if posts(t, h.Fixture, "github") != 1 {
		t.Error("it was not sent once")
	}
	if got := h.Back(t, "GET", h.path, nil).Want(t, 200); got.Text("status") != "used" || got.Text("execution_id") == "" {
		t.Errorf("%s", got.Body)
	}
	if again := h.write(t, "x").WantCode(t, "approval_required"); again.Text("approval_id") != h.id {
		t.Errorf("%s", again.Body)
	}
	if n := len(h.Back(t, "GET", h.path[:strings.LastIndex(h.path, "/")]+"?status=pending", nil).Want(t, 200).List("approvals")); n != 2 {
		t.Errorf("%d approvals are pending, want 2", n)
	}
	audited := h.Back(t, "GET", "/v1/tenants/acme/audit?kind=approval.decided", nil).Want(t, 200).List("records")
	if len(audited) != 1 || audited[0]["approval_id"] != h.id || audited[0]["approved_by"] != "carol" || audited[0]["reason"] != "approved" {
		t.Errorf("%v", audited)
	}
}

func TestApproval_Refused_TheCallIsDenied(t *testing.T) {
	t.Parallel()
	h := hold(t)
	h.decide(t, "refuse").Want(t, 200)
	if a := h.write(t, "x").WantCode(t, "policy_denied"); a.Text("reason") != "approval_refused" {
		t.Errorf("%s", a.Body)
	}
	if a := h.decide(t, "approve").WantCode(t, "conflict"); a.Text("approval_status") != "refused" {
		t.Errorf("%s", a.Body)
	}
	h.Back(t, "POST", h.path+"/link", object{"approver": "carol"}).WantCode(t, "conflict")
}

func TestApproval_TooLate_NothingToDecideOrUse(t *testing.T) {
	t.Parallel()
	h := hold(t)
	h.Clock.Advance(25 * time.Hour)
	if a := h.decide(t, "approve").WantCode(t, "conflict"); a.Text("approval_status") != "expired" {
		t.Errorf("%s", a.Body)
	}
	h.session = h.Session(t, "acme", "user_alice", nil)
	h.write(t, "x").WantCode(t, "approval_required") // asked anew
	h.decide(t, "approve").Want(t, 200)
	h.Clock.Advance(2 * time.Hour)
	h.session = h.Session(t, "acme", "user_alice", nil)
	h.write(t, "x").WantCode(t, "approval_required")
	if posts(t, h.Fixture, "github") != 0 {
		t.Error("a late call was sent")
	}
}

func TestApproval_ManyDeciders_OneWins(t *testing.T) {
	t.Parallel()
	h := hold(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	won := map[string]int{}
	for i := range 12 {
		all.Go(func() {
			a, err := h.Try(e2e.Request{Method: "POST", Path: h.path + "/decision", Token: h.APIKey(), Body: object{"decision": []string{"approve", "refuse"}[i%2], "approver": "carol"}})
			mu.Lock()
			defer mu.Unlock()
			if err == nil && a.Status == 200 {
				won[a.Text("status")]++
			} else if err != nil || a.JSON["code"] != "conflict" {
				t.Errorf("%v %s", err, a.Body)
			}
		})
	}
	all.Wait()
	got := h.Back(t, "GET", h.path, nil).Want(t, 200).Text("status")
	if len(won) != 1 || won[got] != 1 {
		t.Errorf("won %v, stored %s", won, got)
	}
}

func TestApproval_OthersAndTheDeparted_Refused(t *testing.T) {
	t.Parallel()
	h := hold(t)
	bob := strings.Replace(h.path, "user_alice", "user_bob", 1)
	globex := strings.Replace(h.path, "acme", "globex", 1)
	for _, p := range []string{bob, globex, h.path[:len(h.path)-1] + "x"} {
		h.Back(t, "GET", p, nil).WantCode(t, "not_found")
		h.Back(t, "POST", p+"/decision", object{"decision": "approve", "approver": "carol"}).WantCode(t, "not_found")
		h.Back(t, "POST", p+"/link", object{"approver": "carol"}).WantCode(t, "not_found")
	}
	read := h.Back(t, "POST", "/v1/api-keys", object{"name": "r", "tenant": "acme", "permissions": []string{"approvals:read"}}).Want(t, 201).Text("key")
	h.Do(t, e2e.Request{Method: "GET", Path: h.path, Token: read}).Want(t, 200)
	h.Do(t, e2e.Request{Method: "POST", Path: h.path + "/decision", Token: read, Body: object{"decision": "approve", "approver": "carol"}}).WantCode(t, "forbidden")
	h.Do(t, e2e.Request{Method: "POST", Path: h.path + "/decision", Token: h.session, Body: object{"decision": "approve", "approver": "agent"}}).WantCode(t, "unauthenticated")
	foreign := h.Back(t, "POST", "/v1/api-keys", object{"name": "g", "tenant": "globex", "permissions": []string{"*"}}).Want(t, 201).Text("key")
	h.Do(t, e2e.Request{Method: "GET", Path: h.path, Token: foreign}).WantCode(t, "forbidden")
	link := h.Back(t, "POST", h.path+"/link", object{"approver": "carol"}).Want(t, 201).Text("url")

	token := scimToken(t, h.Fixture, "acme")
	setActive(t, h.Fixture, token, scimUser(t, h.Fixture, token, "user_alice"), false)
	h.decide(t, "approve").WantCode(t, "revoked")
	if p := h.NewBrowser(t).Open(t, link); p.Status != 403 && p.Status != 409 && p.Status != 410 {
		t.Errorf("a suspended principal's page: %d", p.Status)
	}
	h.Back(t, "DELETE", "/v1/tenants/acme", nil).Want(t, 200)
	h.Back(t, "GET", h.path, nil).WantCode(t, "not_found")
	h.decide(t, "approve").WantCode(t, "not_found")
}

var formToken = regexp.MustCompile(`name="form" value="([0-9a-f]{64})"`)

// review opens a link in a browser, as far as the arguments, and returns the page and its forms' token.
func review(t *testing.T, b *e2e.Browser, link string) (e2e.Answer, string) {
	t.Helper()
	if first := b.Open(t, link).Want(t, 200); strings.Contains(first.Body, "billing") || formToken.MatchString(first.Body) {
		t.Errorf("the arguments are shown to whoever opens the link: %s", first.Body)
	}
	b.Submit(t, link, url.Values{"action": {"open"}}).Want(t, 303)
	page := b.Open(t, link).Want(t, 200)
	m := formToken.FindStringSubmatch(page.Body)
	if m == nil {
		t.Fatalf("no form: %s", page.Body)
	}
	return page, m[1]
}

func answer(action, form string) url.Values {
	return url.Values{"action": {action}, "form": {form}, "note": {"<b>fine</b>"}}
}

func TestApprovalPage_Approved_TheSameCallPassesOnce(t *testing.T) {
	t.Parallel()
	h := hold(t)
	l := h.Back(t, "POST", h.path+"/link", object{"approver": "Carol <script>"}).Want(t, 201)
	b := h.NewBrowser(t)
	page, form := review(t, b, l.Text("url"))
	for _, part := range []string{"billing", "writes are looked at", "Carol &lt;script&gt;", "Approve this one call", "Refuse"} {
		if !strings.Contains(page.Body, part) {
			t.Errorf("the page lacks %q: %s", part, page.Body)
		}
	}
	if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || page.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", page.Header)
	}
	done := b.Submit(t, l.Text("url"), answer("approve", form)).Want(t, 200)
	if !strings.Contains(done.Body, "You approved") {
		t.Errorf("%s", done.Body)
	}
	b.Submit(t, l.Text("url"), answer("refuse", form)).Want(t, 409)
	b.Open(t, l.Text("url")).Want(t, 409)
	if got := h.Back(t, "GET", h.path, nil).Want(t, 200); got.Text("status") != "approved" || got.Text("approver") != "Carol <script>" || got.Text("note") != "<b>fine</b>" {
		t.Errorf("%s", got.Body)
	}
	h.write(t, "x").Want(t, 200)
	h.write(t, "x").WantCode(t, "approval_required") // the same approval again, which the old link must not decide
	b.Submit(t, l.Text("url"), answer("approve", form)).Want(t, 409)
	h.write(t, "x").WantCode(t, "approval_required")
}

func TestApprovalPage_ForgedRequests_DecideNothing(t *testing.T) {
	t.Parallel()
	h := hold(t)
	link := h.Back(t, "POST", h.path+"/link", object{"approver": "carol"}).Want(t, 201).Text("url")
	other := h.Back(t, "POST", h.path+"/link", object{"approver": "carol"}).Want(t, 201).Text("url")
	b := h.NewBrowser(t)
	b.Submit(t, link, answer("approve", strings.Repeat("0", 64))).Want(t, 409) // before it was opened
	_, form := review(t, b, link)
	_, foreign := review(t, b, other)
	b.Submit(t, link, answer("approve", foreign)).Want(t, 403)
	b.Submit(t, link, answer("approve", "")).Want(t, 403)
	b.Submit(t, link, url.Values{"action": {"approve", "refuse"}, "form": {form}}).Want(t, 400)
	b.Submit(t, link, url.Values{"action": {"delete"}, "form": {form}}).Want(t, 400)
	second := h.NewBrowser(t)
	second.Submit(t, link, answer("approve", form)).Want(t, 409)
	second.Submit(t, link, url.Values{"action": {"open"}}).Want(t, 409)
	if p := second.Open(t, link).Want(t, 200); strings.Contains(p.Body, "billing") {
		t.Error("another browser is shown the arguments")
	}
	forged := link[:len(link)-4] + "AAAA"
	b.Open(t, forged).Want(t, 404)
	b.Open(t, strings.Replace(link, "acme.", "globex.", 1)).Want(t, 404)
	b.Submit(t, forged, answer("approve", form)).Want(t, 404)
	if a := h.Do(t, e2e.Request{Method: "POST", Path: link, Body: answer("approve", form).Encode(), Header: map[string][]string{"Sec-Fetch-Site": {"cross-site"}}}); a.Status != 403 {
		t.Errorf("a form of another site: %d %s", a.Status, a.Body)
	}
	if got := h.Back(t, "GET", h.path, nil).Want(t, 200).Text("status"); got != "pending" {
		t.Errorf("now it is %s", got)
	}
	h.Clock.Advance(16 * time.Minute)
	b.Submit(t, link, answer("approve", form)).Want(t, 404)
	if posts(t, h.Fixture, "github") != 0 {
		t.Error("it was sent")
	}
}

func TestApprovalPage_DoubleSubmit_OneAnswerCounts(t *testing.T) {
	t.Parallel()
	h := hold(t)
	link := h.Back(t, "POST", h.path+"/link", object{"approver": "carol"}).Want(t, 201).Text("url")
	b := h.NewBrowser(t)
	_, form := review(t, b, link)
	var all sync.WaitGroup
	var mu sync.Mutex
	status, counted := map[int]int{}, map[string]int{}
	for i := range 6 {
		all.Go(func() {
			decision := []string{"approve", "refuse"}[i%2]
			a := b.Submit(t, link, answer(decision, form))
			mu.Lock()
			if status[a.Status]++; a.Status == 200 {
				counted[decision]++
			}
			mu.Unlock()
		})
	}
	all.Wait()
	// The same answer twice is one click too many, and is shown what the first led to; the other answer is told that it is too late.
	if status[200]+status[409] != 6 || len(counted) != 1 {
		t.Errorf("answers %v, counted %v", status, counted)
	}
	n := 0
	for _, r := range h.Back(t, "GET", "/v1/tenants/acme/audit?kind=approval.decided", nil).Want(t, 200).List("records") {
		if r["outcome"] == "succeeded" {
			n++
		} else {
			n--
		}
	}
	if n != 1 {
		t.Errorf("on record, decisions that succeeded less those that failed: %d, want 1", n)
	}
}
