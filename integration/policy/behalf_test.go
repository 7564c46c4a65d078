package policy_test

import (
	"strings"
	"testing"
)

// asOrg is a partition of the matrix as it is for sessions of the tenant itself: what is alice's there is "_org"'s here, and
// "_org"'s is nobody's of theirs.
func asOrg(partition string) string {
	swap := strings.NewReplacer("U#alice", "U#_org", "U#_org", "U#alice", "R#alice", "R#_org", "R#_org", "R#alice", "M#alice", "M#_org", "M#_org", "M#alice")
	return swap.Replace(partition)
}

// TestItems_SessionsOfTheTenantItself_HaveOnePrincipalLikeAnyOther: a session of "_org" on behalf of a named user carries two sets of
// credentials, and neither opens what the other does. What the organization has is not alice's, and her rows are not the
// organization's, even though the session names her.
func TestItems_SessionsOfTheTenantItself_HaveOnePrincipalLikeAnyOther(t *testing.T) {
	t.Parallel()
	j := judgeOf(t, load(t))
	org, alice := tagged("acme", "_org"), tagged("acme", "alice")
	partitions := append(universe(), "T#acme#R#_org", "T#globex#R#_org", "T#acme#M#_org", "T#globex#M#_org")
	for _, role := range []string{"tenant-execute", "tenant-connect", "tenant-portal"} {
		both := 0
		for _, table := range tables {
			for _, action := range itemActions {
				for _, partition := range partitions {
					want := isMeant(role, table, action, asOrg(partition))
					got := j.decide(t, role, org, item(action, table, partition)).Allowed
					if got != want {
						t.Errorf("%s of _org: %s on %s %s: allowed %v, meant %v", role, action, table, partition, got, want)
					}
					personal := strings.Contains(partition, "#U#") || strings.Contains(partition, "#R#") || strings.Contains(partition, "#M#")
					if got && personal && j.decide(t, role, alice, item(action, table, partition)).Allowed {
						t.Errorf("%s: %s on %s %s is allowed to _org and to the user it acts on behalf of", role, action, table, partition)
					}
					if got && personal {
						both++
					}
				}
			}
		}
		if both == 0 {
			t.Errorf("%s of _org may do nothing in its own partition", role)
		}
	}
	// The two sets that such a session is given, on the two rows that decide about its call.
	for _, c := range []struct {
		tags      map[string]string
		partition string
		want      bool
	}{{org, "T#acme#U#_org", true}, {org, "T#acme#U#alice", false}, {alice, "T#acme#U#alice", true}, {alice, "T#acme#U#_org", false}, {alice, "T#acme#U#bob", false}} {
		if got := j.decide(t, "tenant-execute", c.tags, item("GetItem", "vault", c.partition)).Allowed; got != c.want {
			t.Errorf("%v reads %s: %v", c.tags, c.partition, got)
		}
	}
}
