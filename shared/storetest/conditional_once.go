package storetest

import (
	"context"
	"testing"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

func linkConsumed(t *testing.T, s Store) {
	ctx := context.Background()
	must(t, s.CreateLink(ctx, link(acme, "cl_1"), "h"))
	first, err := s.Link(ctx, acme, "cl_1")
	must(t, err)
	second := first
	first.Status = oauthflow.LinkConfirmed
	done, err := s.UpdateLink(ctx, first)
	must(t, err)
	if done.Version != 2 {
		t.Errorf("version %d, want 2", done.Version)
	}
	second.Status = oauthflow.LinkFailed
	_, err = s.UpdateLink(ctx, second)
	want(t, err, fault.Conflict)
	got, err := s.Link(ctx, acme, "cl_1")
	must(t, err)
	same(t, "the link", got, done)
}

func linkHashTaken(t *testing.T, s Store) {
	ctx := context.Background()
	must(t, s.CreateLink(ctx, link(acme, "cl_1"), "h"))
	want(t, s.CreateLink(ctx, link(acme, "cl_2"), "h"), fault.Conflict)
	_, err := s.Link(ctx, acme, "cl_2")
	want(t, err, fault.NotFound)
	want(t, s.CreateLink(ctx, link(acme, "cl_1"), "h2"), fault.Conflict)
	_, err = s.LinkIDByHash(ctx, acme, "h2")
	want(t, err, fault.NotFound)
}

func claim(p tenant.Principal, execution string) toolcall.Claim {
	return toolcall.Claim{Scope: scope(acme, p), KeyHash: "k", Digest: "d", State: toolcall.ClaimInFlight, Execution: execution, Claimed: epoch(), Expires: epoch().Add(time.Hour)}
}

func claimStates(t *testing.T, s Store) {
	ctx, now := context.Background(), epoch()
	first, err := s.PutClaim(ctx, claim("alice", "one"), now)
	must(t, err)
	stored, err := s.PutClaim(ctx, claim("alice", "two"), now)
	want(t, err, fault.Conflict)
	same(t, "the stored claim", stored, first)
	done := first
	done.State, done.Result, done.Connection, done.Grant = toolcall.ClaimDone, []byte{0, 255}, connID(1), "grant_1"
	done, err = s.PutClaim(ctx, done, now)
	must(t, err)
	stored, err = s.PutClaim(ctx, first, now) // from the version before
	want(t, err, fault.Conflict)
	same(t, "the finished claim", stored, done)
	late := claim("alice", "three")
	late.Claimed, late.Expires = now.Add(time.Hour), now.Add(2*time.Hour)
	got, err := s.PutClaim(ctx, late, now.Add(time.Hour)) // expired, though nothing was deleted yet
	must(t, err)
	stored, err = s.PutClaim(ctx, claim("alice", "four"), now.Add(time.Hour))
	want(t, err, fault.Conflict)
	same(t, "the claim that took its place", stored, got)
	if stored.Execution != "three" || stored.Result != nil {
		t.Errorf("it is that of %q with result %v", stored.Execution, stored.Result)
	}
}

func claimIsolated(t *testing.T, s Store) {
	_, err := s.PutClaim(context.Background(), claim("alice", "one"), epoch())
	must(t, err)
	_, err = s.PutClaim(context.Background(), claim("bob", "two"), epoch())
	must(t, err)
}

func clientRevisions(t *testing.T, s Store) {
	ctx := context.Background()
	put := func(revision uint64) error {
		return s.PutClient(ctx, connection.StoredClient{Owner: acme, Connector: "github", ID: "id", Revision: revision})
	}
	want(t, put(2), fault.Conflict)
	must(t, put(1))
	want(t, put(1), fault.Conflict)
	must(t, put(2))
	want(t, put(2), fault.Conflict)
	want(t, put(4), fault.Conflict)
	got, err := s.StoredClient(ctx, acme, "github")
	must(t, err)
	if got.Revision != 2 {
		t.Errorf("revision %d is stored, want 2", got.Revision)
	}
}

func keyOnce(t *testing.T, s Store) {
	ctx := context.Background()
	k := wrapped(connection.AccessToken, 1)
	must(t, s.PutKey(ctx, acme, k))
	second := k
	second.Wrapped = []byte("second")
	want(t, s.PutKey(ctx, acme, second), fault.Conflict)
	got, err := s.Key(ctx, acme, connection.AccessToken, 1)
	must(t, err)
	same(t, "the key", got, k)
}

func keyRecordOnce(t *testing.T, s Store) {
	k := apiKey(authn.APIKey, acme, "one")
	must(t, s.PutKeyRecord(context.Background(), k))
	k.Permissions, k.Tenant = []string{"*", "more"}, tenant.Deployment
	want(t, s.PutKeyRecord(context.Background(), k), fault.Conflict)
}

func tenantStale(t *testing.T, s Store) {
	row := openTenant(t, s, acme)
	row.Name = "new"
	now, err := s.PutTenant(context.Background(), row)
	must(t, err)
	for _, version := range []uint64{0, 1} {
		_, err = s.PutTenant(context.Background(), dynamo.Tenant{ID: acme, Version: version, Deleted: epoch()})
		want(t, err, fault.Conflict)
	}
	got, err := s.Tenant(context.Background(), acme)
	must(t, err)
	same(t, "the tenant", got, now)
	_, err = s.Suspended(context.Background(), scope(acme, "alice")) // nor was it closed
	must(t, err)
}

func recordOnce(t *testing.T, s Store) {
	ctx := context.Background()
	first, second := record(acme, 1), record(acme, 1)
	second.Outcome = "forged"
	must(t, s.Record(ctx, first))
	want(t, s.Record(ctx, second), fault.Conflict)
	_, err := s.Append(ctx, acme, []audit.Record{first}) // makes the hour known
	must(t, err)
	got, _, err := s.Records(ctx, acme, dynamo.AuditPage{From: epoch().Add(-time.Hour), To: epoch().Add(time.Hour), Limit: 10})
	must(t, err)
	if len(got) != 1 || got[0].Outcome != "succeeded" {
		t.Errorf("the trail holds %v", got)
	}
}
