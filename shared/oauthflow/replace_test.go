package oauthflow_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/secret/reveal"
)

// replaced connects 1001, and reconnects as 2002; err is how the reconnect ended.
func replaced(t *testing.T, w *world) (first connection.Connection, err error) {
	t.Helper()
	done, err := w.flow.Confirm(t.Context(), w.parked(nil), "user_alice", "k")
	if err != nil {
		t.Fatal(err)
	}
	first = done.Connection
	w.account = "2002"
	l := w.parked(func(q *oauthflow.CreateRequest) { q.Connection, q.Change = first.ID, oauthflow.Change{Account: true} })
	_, err = w.flow.Confirm(t.Context(), l, "user_alice", "k")
	return first, err
}

// TestReplace_FormerAccount_IsARevokedConnectionWithItsTokens: the queue is told of it, and it holds what the provider must be told.
func TestReplace_FormerAccount_IsARevokedConnectionWithItsTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, err := replaced(t, w)
	if err != nil {
		t.Fatal(err)
	}
	now, err := w.store.Connection(t.Context(), first.Ref)
	if err != nil || now.Account.ID != "2002" || now.Status != connection.Active || len(w.retired) != 1 {
		t.Fatalf("%+v %v, retired %v", now, err, w.retired)
	}
	former, err := w.store.Connection(t.Context(), w.retired[0])
	if err != nil || former.Account.ID != "1001" || former.Status != connection.Revoked || former.Reason != oauthflow.ReasonAccountReplaced || former.Revocation.Erased || former.Grant != first.Grant || former.ID == first.ID {
		t.Errorf("%+v %v", former, err)
	}
	slot, ok, err := w.store.Slot(t.Context(), former.Ref, former.Refresh.Generation)
	if err != nil || !ok {
		t.Fatalf("%v %v", ok, err)
	}
	for purpose, c := range map[connection.Purpose]struct {
		sealed []byte
		want   string
	}{connection.AccessToken: {slot.Access, "ghu_access"}, connection.RefreshToken: {slot.Refresh, "ghr_refresh"}} {
		text, err := sealer{}.Open(t.Context(), former.Ref.Binding(purpose, slot.Generation), c.sealed)
		if err != nil || string(text.Reveal(reveal.Key{})) != c.want {
			t.Errorf("%s: %s %v", purpose, text.Reveal(reveal.Key{}), err)
		}
	}
	records := w.records(audit.ConnectionRevoked)
	if len(records) != 1 || records[0].Connection != string(former.ID) || records[0].Reason != oauthflow.ReasonAccountReplaced {
		t.Errorf("on record: %+v", records)
	}
}

// TestReplace_QueueIsDown_ChangesNothing: a former account that nobody would end must not come to be.
func TestReplace_QueueIsDown_ChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.retireErr = errors.New("queue is down")
	first, err := replaced(t, w)
	if err == nil || !strings.Contains(err.Error(), "queue is down") {
		t.Fatalf("%v", err)
	}
	all, err := w.store.ConnectionsOf(t.Context(), alice)
	if err != nil || len(all) != 1 || all[0].Account.ID != "1001" || all[0].Grant != first.Grant {
		t.Errorf("%+v %v", all, err)
	}
}

// TestMerge_ImpliedScopes_CountAsGranted: "user" is more than "read:user", so connecting again with it renews the connection.
func TestMerge_ImpliedScopes_CountAsGranted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		first, second []string
		merged        bool
	}{
		{[]string{"read:user", "repo"}, []string{"user", "repo"}, true},
		{[]string{"user", "repo"}, []string{"read:user", "repo"}, false},
		{[]string{"public_repo"}, []string{"repo"}, true},
		{[]string{"repo"}, []string{"public_repo"}, false},
	} {
		w := newWorld(t)
		w.scopes = c.first
		first, err := w.flow.Confirm(t.Context(), w.parked(nil), "user_alice", "k")
		if err != nil {
			t.Fatal(err)
		}
		w.scopes = c.second
		second, err := w.flow.Confirm(t.Context(), w.parked(nil), "user_alice", "k")
		if err != nil || (second.ID == first.ID) != c.merged || !slices.Equal(second.Scopes, c.second) {
			t.Errorf("%v, then %v: %v %v %v", c.first, c.second, second.ID == first.ID, second.Scopes, err)
		}
	}
}

// records are what is on record of acme, of one kind.
func (w *world) records(kind audit.Kind) (out []audit.Record) {
	w.t.Helper()
	all, _, err := w.store.Records(w.t.Context(), "acme", dynamo.AuditPage{From: w.now.Add(-time.Hour), To: w.now.Add(time.Hour), Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range all {
		if r.Kind == kind {
			out = append(out, r)
		}
	}
	return out
}
