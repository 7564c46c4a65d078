package e2e_test

import (
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/emulator"
)

// alive counts the access tokens of a person that a provider still takes. (GitHub and Slack end the token that they are given; the
// refresh token beside it is erased here, where alone it was.)
func alive(t *testing.T, f *e2e.Fixture, provider, login string) (n int) {
	t.Helper()
	grants, err := f.Emulator.Tokens(provider)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range grants {
		for _, token := range g.Tokens {
			if g.Login == login && !g.Revoked && token.Kind == "access" && token.State == "live" {
				n++
			}
		}
	}
	return n
}

// TestReplace_FormerAccount_IsEndedAtTheProvider: a reconnect that may change the account leaves nothing of the account before that
// works, at any provider that can end it, and nothing of the new one is ended with it.
func TestReplace_FormerAccount_IsEndedAtTheProvider(t *testing.T) {
	t.Parallel()
	for provider, tool := range map[string]string{"github": "github_get_authenticated_user", "slack": "slack_auth_test", "salesforce": "salesforce_get_user_info"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			id := f.Connect(t, "acme", "user_alice", provider, "alice", nil)
			if alive(t, f, provider, "alice") == 0 {
				t.Fatal("alice has no tokens")
			}
			if again := f.Connect(t, "acme", "user_alice", provider, "bob", object{"connection": id, "allow_other_account": true}); again != id {
				t.Fatalf("made %s", again)
			}
			f.Clock.Advance(2 * time.Minute)
			f.Settle(t)
			if n := alive(t, f, provider, "alice"); n != 0 {
				t.Errorf("%d tokens of the account before are alive", n)
			}
			if n := alive(t, f, provider, "bob"); n == 0 {
				t.Error("the tokens of the new account were ended")
			}
			f.Execute(t, f.Session(t, "acme", "user_alice", nil), tool, nil, nil).Want(t, 200)
			former := f.Back(t, "GET", "/v1/tenants/acme/connections?principal=user_alice&status=revoked", nil).Want(t, 200).List("connections")
			if len(former) != 1 || former[0]["reason"] != "account_replaced" || former[0]["id"] == id {
				t.Fatalf("%v", former)
			}
			if got := f.Back(t, "GET", "/v1/tenants/acme/connections/"+former[0]["id"].(string), nil).Want(t, 200); got.Text("revocation.provider") != "revoked" {
				t.Errorf("%s", got.Body)
			}
			if told := f.Audit(t, "acme", "kind=connection.provider_revocation"); len(told) != 1 || told[0]["connection_id"] != former[0]["id"] {
				t.Errorf("on record: %v", told)
			}
		})
	}
}

// TestReplace_ProviderIsDown_IsAskedAgain: the revocation outlives an outage, as every other does.
func TestReplace_ProviderIsDown_IsAskedAgain(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Fail(t, "github", emulator.Fault{Kind: emulator.KindRevoke, Mode: "status:503", Times: 2})
	f.Connect(t, "acme", "user_alice", "github", "bob", object{"connection": id, "allow_other_account": true})
	for range 6 {
		f.Clock.Advance(5 * time.Minute)
		f.Settle(t)
	}
	if n := alive(t, f, "github", "alice"); n != 0 {
		t.Errorf("%d tokens of the account before are alive", n)
	}
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), "github_get_authenticated_user", nil, nil).Want(t, 200)
}
