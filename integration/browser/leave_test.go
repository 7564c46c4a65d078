package browser_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

const signOut = ".bar button"

// TestPortal_SignOut_EndsTheVisit: the cookie is gone, and a copy of it opens nothing.
func TestPortal_SignOut_EndsTheVisit(t *testing.T) {
	asked(t)
	t.Parallel()
	f, s, _ := busy(t)
	p, thief := newPerson(t), newPerson(t)
	p.open(s.portal("user_alice"))
	p.see("article")
	var jar []*network.Cookie
	p.do("read the cookies", chromedp.ActionFunc(func(ctx context.Context) (err error) {
		jar, err = network.GetCookies().WithURLs([]string{f.URL}).Do(ctx)
		return err
	}))
	if len(jar) != 1 || !jar[0].HTTPOnly {
		t.Fatalf("%d cookies", len(jar))
	}
	steal := func() {
		thief.do("take the cookie", network.SetCookie(jar[0].Name, jar[0].Value).WithURL(f.URL).WithHTTPOnly(true))
		thief.open(f.URL + "/portal")
	}
	steal()
	thief.see("article") // whoever has the cookie is in, until it is ended
	p.doubleClick(signOut, `p[role="status"]`)
	p.says("Acme", "You are signed out", "stay as they are", "Back to Acme")
	p.inspect("signed-out")
	p.do("read the cookies", chromedp.ActionFunc(func(ctx context.Context) (err error) {
		jar2, err := network.GetCookies().WithURLs([]string{f.URL}).Do(ctx)
		if len(jar2) != 0 {
			t.Errorf("%d cookies are left", len(jar2))
		}
		return err
	}))
	steal()
	thief.see(failed)
	thief.says("Your visit has ended")
	p.back(failed)
	p.says("This page needs a link")
	if text := p.text(); strings.Contains(text, "GitHub: alice") {
		t.Errorf("the back button shows the page again:\n%s", text)
	}
	if got := f.Execute(t, f.Session(t, "acme", "user_alice", nil), "github_get_authenticated_user", nil, nil); got.Status != 200 {
		t.Errorf("signing out ended a connection: %s", got.Body)
	}
}

// TestPortal_WhatWasNotDone_IsSaidInPlainWords: calls that failed, that a rule forbids, that wait for somebody, that the person has
// not allowed.
func TestPortal_WhatWasNotDone_IsSaidInPlainWords(t *testing.T) {
	asked(t)
	t.Parallel()
	f := e2e.New(t)
	s, p := newSaaS(t, f), newPerson(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Connect(t, "acme", "user_alice", "slack", "alice", nil)
	f.Back(t, "PUT", "/v1/tenants/acme/policy", e2e.Object{"rules": []e2e.Object{
		{"id": "ask", "effect": "require_approval", "when": e2e.Object{"tools": []string{"github_create_issue"}}},
		{"id": "never", "effect": "deny", "when": e2e.Object{"tools": []string{"slack_send_message"}}, "reason": "no posting"}}}).Want(t, 200)
	session := f.Session(t, "acme", "user_alice", e2e.Object{"agent": "triage-bot"})
	f.Execute(t, session, "github_get_authenticated_user", nil, nil).Want(t, 200)
	f.Clock.Advance(time.Minute)
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindAPI, Mode: "status:403", Times: 1})
	f.Execute(t, session, "github_get_authenticated_user", nil, nil).WantCode(t, "provider_error")
	f.Clock.Advance(time.Minute)
	f.Execute(t, session, "github_create_issue", e2e.Object{"owner": "acme", "repo": "billing", "title": "Secret plan 9000"}, nil).WantCode(t, "approval_required")
	f.Execute(t, session, "slack_send_message", e2e.Object{"channel": "C-GENERAL", "text": "Secret plan 9000"}, nil).WantCode(t, "policy_denied")
	f.Settle(t)
	p.open(s.portal("user_alice"))
	p.see("article")
	p.eval(`document.querySelectorAll('details').forEach(d => d.open = true)`, nil)
	p.says("Done", "Did not work: GitHub refused it or had an error", "Not done: somebody has to approve it first", "Not done: your organisation's rules forbid it", "by triage-bot")
	if text := p.text(); strings.Contains(text, "Secret plan") || strings.Contains(text, "no posting") || strings.Contains(text, "policy_denied") {
		t.Errorf("the page shows more than it should:\n%s", text)
	}
	p.inspect("portal-refusals")
}
