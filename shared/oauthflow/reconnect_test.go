package oauthflow_test

import (
	"slices"
	"testing"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
)

func TestReconnect_ChangesOnlyWhatWasAsked(t *testing.T) {
	t.Parallel()
	wide, narrow := []string{"read:user", "repo", "workflow"}, []string{"read:user", "repo"}
	for _, c := range []struct {
		name    string
		change  oauthflow.Change
		account string
		granted []string
		dead    bool
		reason  string
	}{
		{"the same again", oauthflow.Change{}, "1001", wide, false, ""},
		{"wider", oauthflow.Change{}, "1001", append(slices.Clone(wide), "gist"), false, ""},
		{"implied", oauthflow.Change{}, "1001", []string{"user", "repo", "workflow"}, false, ""},
		{"narrower", oauthflow.Change{}, "1001", narrow, false, "narrower_consent"},
		{"narrower, asked", oauthflow.Change{Narrower: true}, "1001", narrow, false, ""},
		{"narrower, of a dead grant", oauthflow.Change{}, "1001", narrow, true, ""},
		{"other account", oauthflow.Change{}, "2002", wide, false, "account_mismatch"},
		{"other account, of a dead grant", oauthflow.Change{}, "2002", wide, true, "account_mismatch"},
		{"other account, asked", oauthflow.Change{Account: true}, "2002", wide, false, ""},
		{"other account, and narrower asked", oauthflow.Change{Narrower: true}, "2002", narrow, false, "account_mismatch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.scopes = wide
			first, err := w.flow.Confirm(t.Context(), w.parked(func(q *oauthflow.CreateRequest) { q.Scopes = wide }), "user_alice", "k")
			if err != nil {
				t.Fatal(err)
			}
			if c.dead {
				if _, err := w.store.UpdateConnection(t.Context(), first.Connection, func(x connection.Connection) (connection.Connection, error) {
					x.Status = connection.ReauthorizationRequired
					return x, nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			w.account, w.scopes = c.account, c.granted
			l := w.parked(func(q *oauthflow.CreateRequest) { q.Connection, q.Change, q.Scopes = first.ID, c.change, narrow })
			if got := slices.Contains(l.Scopes, "workflow"); got == c.change.Narrower {
				t.Errorf("asks for %v", l.Scopes)
			}
			_, err = w.flow.Confirm(t.Context(), l, "user_alice", "k")
			if (err == nil) != (c.reason == "") || err != nil && fault.From(err).Detail["reason"] != c.reason {
				t.Errorf("%v", err)
			}
			now, err := w.store.Connection(t.Context(), first.Ref)
			if err != nil || c.reason != "" && (now.Grant != first.Grant || now.Account.ID != "1001" || !slices.Equal(now.Scopes, first.Scopes)) {
				t.Errorf("%+v %v", now, err)
			}
		})
	}
}

func TestCreate_ChangeWithoutAConnection_IsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.flow.Create(t.Context(), oauthflow.CreateRequest{Scope: tenant.Scope{Tenant: "acme", Principal: "user_alice"}, Connector: "github", ReturnURL: "https://app.example/", Change: oauthflow.Change{Account: true}})
	wantCode(t, err, fault.InvalidInput, "")
}
