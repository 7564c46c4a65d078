package e2e_test

import (
	"strings"
	"sync"
	"testing"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

func issue(title string) object { return object{"owner": "acme", "repo": "billing", "title": title} }

// alice is a stack with her account at a provider, and her session.
func alice(t *testing.T, provider string, more object) (*e2e.Fixture, string) {
	t.Helper()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", provider, "alice", more)
	return f, f.Session(t, "acme", "user_alice", nil)
}

func posts(t *testing.T, f *e2e.Fixture, provider string) (n int) {
	t.Helper()
	for _, c := range f.Calls(t, provider, emulator.KindAPI) {
		if c.Method == "POST" {
			n++
		}
	}
	return n
}

func TestIdempotencyKey_SameCallAgain_SameAnswerAndOneWrite(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	key := object{"idempotency_key": "k-1"}
	first := f.Execute(t, session, "github_create_issue", issue("one"), key).Want(t, 200)
	again := f.Execute(t, session, "github_create_issue", issue("one"), key).Want(t, 200)
	if first.Body != again.Body || again.Header.Get("Idempotent-Replayed") != "true" || first.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("first %s\nagain %s %v", first.Body, again.Body, again.Header)
	}
	if n := posts(t, f, "github"); n != 1 {
		t.Errorf("%d writes", n)
	}
	a := f.Execute(t, session, "github_create_issue", issue("two"), key).WantCode(t, "conflict")
	if a.Text("field") != "/idempotency_key" || a.Text("reason") != "key_reused" {
		t.Errorf("%s", a.Body)
	}
	f.Execute(t, session, "github_close_issue", object{"owner": "acme", "repo": "billing", "issue_number": 1}, key).WantCode(t, "conflict")
	// A key belongs to one principal.
	f.Connect(t, "acme", "user_bob", "github", "bob", nil)
	f.Execute(t, f.Session(t, "acme", "user_bob", nil), "github_create_issue", issue("two"), key).Want(t, 200)
}

func TestIdempotencyKey_TenAtOnce_OneWrite(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			a, err := f.TryExecute(session, "github_create_issue", issue("one"), object{"idempotency_key": "k-1"})
			if err != nil || a.Status != 200 && a.JSON["reason"] != "in_flight" {
				t.Errorf("%v %s", err, a.Body)
			}
		})
	}
	all.Wait()
	if n := posts(t, f, "github"); n != 1 {
		t.Errorf("%d writes", n)
	}
}

func TestIdempotencyKey_CallWasRefused_KeyCanBeUsedAgain(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	key := object{"idempotency_key": "k-1"}
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindAPI, Mode: "status:422"})
	f.Execute(t, session, "github_create_issue", issue("one"), key).WantCode(t, "provider_error")
	f.Execute(t, session, "github_create_issue", issue("one"), key).Want(t, 200)
}

func TestExecute_ReplyToAWriteIsLost_OutcomeUnknownAndNotRepeated(t *testing.T) {
	t.Parallel()
	for _, key := range []object{nil, {"idempotency_key": "k-1"}} {
		f, session := alice(t, "github", nil)
		f.Execute(t, session, "github_get_authenticated_user", nil, nil).Want(t, 200) // a kept-alive connection: the case in which net/http may repeat
		f.Fail(t, "github", emulator.Fault{Kind: emulator.KindAPI, Mode: emulator.ModeLostReply})
		a := f.Execute(t, session, "github_create_issue", issue("one"), key).WantCode(t, "outcome_unknown")
		if a.JSON["retryable"] != false {
			t.Errorf("%s", a.Body)
		}
		if n := posts(t, f, "github"); n != 1 {
			t.Errorf("the provider saw %d writes", n)
		}
		if r := f.Audit(t, "acme", "kind=execution.outcome&tool=github_create_issue"); len(r) != 1 || r[0]["outcome"] != "unknown" {
			t.Errorf("%v", r)
		}
		if key != nil {
			f.Execute(t, session, "github_create_issue", issue("one"), key).WantCode(t, "outcome_unknown")
			if n := posts(t, f, "github"); n != 1 {
				t.Errorf("the provider saw %d writes after the same key came again", n)
			}
		}
	}
}

func TestExecute_ConnectionIsCut_ReadFailsPlainlyAndWriteIsUnknown(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindAPI, Mode: emulator.ModeDropBefore, Times: 5})
	f.Execute(t, session, "github_get_authenticated_user", nil, nil).WantCode(t, "provider_error")
	f.Execute(t, session, "github_create_issue", issue("one"), nil).WantCode(t, "outcome_unknown")
}

func TestExecute_ProviderLimitsTheRate_SaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	for provider, who := range whoami {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			f, session := alice(t, provider, nil)
			modes := []emulator.Mode{emulator.ModeRateLimited, "status:429"}
			for _, mode := range modes {
				f.Fail(t, provider, emulator.Fault{Kind: emulator.KindAPI, Mode: mode, RetryAfter: 17})
				a := f.Execute(t, session, who.tool, nil, nil).WantCode(t, "rate_limited")
				if provider == "salesforce" && mode == emulator.ModeRateLimited {
					continue // its daily limit names no time
				}
				if a.JSON["retry_after"] != 17.0 || a.Header.Get("Retry-After") != "17" || a.JSON["retryable"] != true {
					t.Errorf("%s: %s %v", mode, a.Body, a.Header)
				}
			}
		})
	}
}

func TestExecute_ScopeWasNotGranted_IsSaidBeforeTheProviderIsAsked(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "slack", object{"scopes": []string{"channels:read"}})
	before := f.Counters(t, "slack").APICalls
	a := f.Execute(t, session, "slack_send_message", object{"channel": "C0ACME0GEN", "text": "x"}, nil).WantCode(t, "scope_missing")
	if !strings.Contains(a.Body, `"missing_scopes":["chat:write"]`) || !strings.Contains(a.Body, `"connect"`) {
		t.Errorf("%s", a.Body)
	}
	if got := f.Counters(t, "slack").APICalls; got != before {
		t.Error("the provider was called")
	}
	way, _ := a.JSON["connect"].(object)
	body, _ := way["body"].(object)
	if body["connection"] == nil {
		t.Errorf("the way to more scopes names no connection: %v", way)
	}
}

func TestExecute_SessionLimits_Hold(t *testing.T) {
	t.Parallel()
	f, _ := alice(t, "github", nil)
	narrow := f.Session(t, "acme", "user_alice", object{"tools": []string{"github_get_authenticated_user"}})
	f.Execute(t, narrow, "github_get_authenticated_user", nil, nil).Want(t, 200)
	f.Execute(t, narrow, "github_create_issue", issue("x"), nil).WantCode(t, "forbidden")
	other := f.Session(t, "acme", "user_alice", object{"connectors": []string{"slack"}})
	f.Execute(t, other, "github_get_authenticated_user", nil, nil).WantCode(t, "forbidden")
	if tools := f.Do(t, e2e.Request{Method: "GET", Path: "/v1/tools", Token: narrow}).Want(t, 200).List("tools"); len(tools) != 1 {
		t.Errorf("%d tools listed, want 1", len(tools))
	}
	f.Clock.Advance(16 * 60e9)
	f.Execute(t, narrow, "github_get_authenticated_user", nil, nil).WantCode(t, "unauthenticated")
}
