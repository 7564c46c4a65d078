package storetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Records is the first tier: what is written comes back, in order, in pages, to nobody else.
func Records(t *testing.T, open func(t *testing.T) Store) {
	run(t, open, map[string]test{
		"Connection_Created_ComesBackWhole":               connectionWhole,
		"Connection_OfSomebodyElse_NotFound":              connectionIsolated,
		"ConnectionsOf_OnePrincipal_InOrder":              connectionsOf,
		"Principals_WithHardNames_StayApart":              hardNames,
		"TenantConnections_InPages_NoneLostOrRepeated":    tenantConnections,
		"Slot_Written_ComesBackWhole":                     slotWhole,
		"Snapshot_ShadowOfNextGeneration_IsNotSeen":       snapshotShadow,
		"Snapshot_OfOneConnector_OldestFirst":             snapshotOrder,
		"Snapshot_RevokedConnection_WithoutTokens":        snapshotRevoked,
		"Snapshot_Gates_FollowTenantAndPrincipal":         snapshotGates,
		"EndSession_OfOnePrincipal_SurvivesSuspension":    endSession,
		"EndSession_ManyAtOnce_NoneIsLost":                endSessions,
		"Issuer_StoredReadDeleted_OfItsTenantOnly":        issuerCycle,
		"View_StoredReadDeleted_OfItsTenantOnly":          viewCycle,
		"ViewFor_OwnBeforeTheDeployments":                 viewOfAll,
		"Views_InPages_WithoutDeletedOnes":                viewList,
		"Due_StatusAndTime_Decide":                        dueStatus,
		"Due_OverAllShards_LongestOverdueFirst":           dueOrder,
		"Due_InSmallPages_EachOnce":                       duePages,
		"Link_ByIDAndByHash_OfItsTenantOnly":              linkWhole,
		"Client_StoredReadDeleted":                        clientCycle,
		"NewestKey_TenVersions_IsTheTenth":                newestKey,
		"Keys_EveryVersion_UntilDeleted":                  keysListed,
		"StoredSlots_Pages_BothSlots":                     storedSlots,
		"StoredClients_OfOneOwner":                        storedClients,
		"DestroyKeys_OfOneTenant_LeavesTheOther":          destroyKeys,
		"KeyRecords_OfBothKinds_InTheirPlaces":            keyRecords,
		"Webhook_StoredReadDeleted_OfItsOwnerOnly":        webhookCycle,
		"Tries_Added_NewestAreKept":                       webhookTries,
		"Tenant_Stored_ComesBackWhole":                    tenantWhole,
		"Tenants_InPages_WithoutDeletedOnes":              tenantList,
		"Visit_OpensOnce":                                 visits,
		"Activities_NewestFirst_NoneTwice_Bounded":        activities,
		"Logo_IsReplacedAndRemoved":                       tenantLogo,
		"Suspended_EachPrincipalAlone":                    suspended,
		"Records_NewestFirst_InPages":                     auditPages,
		"Rules_SwitchesAndRevisions_InForceAtOnce":        rulesCycle,
		"Budgets_EachCountsForItsOwn_NeverBeyondTheLimit": budgets,
		"Approvals_StoredReadListed_OfTheirPrincipalOnly": approvals,
		"ApprovalLink_StoredUpdated_OfItsTenantOnly":      approvalLinks,
		"Execution_AcrossAnHour_IntentThenOutcome":        execution,
		"Segments_Appended_InOrder":                       segments,
		"Append_BatchDeliveredAgain_IsNotSealedAgain":     appendAgain,
		"Unkept_ListsWhatIsBehindTheMark":                 unkept,
		"Reads_WithACanceledContext_Fail":                 canceled,
		"UpdateConnection_CallersSliceChanged_StoreKeeps": noSharing,
	})
}

func connectionWhole(t *testing.T, s Store) {
	c := conn(scope(acme, "alice"), "github", 1)
	got := create(t, s, c)
	same(t, "the connection", got, c)
	if got.Version != 1 {
		t.Errorf("a new connection has version %d, want 1", got.Version)
	}
	ref, err := s.FindConnection(context.Background(), acme, c.ID)
	must(t, err)
	if ref != c.Ref {
		t.Errorf("found at %v, want %v", ref, c.Ref)
	}
	next := update(t, s, got, func(c *connection.Connection) { c.Reason = "other" })
	if next.Version != 2 || next.Reason != "other" {
		t.Errorf("the update returns version %d, reason %q", next.Version, next.Reason)
	}
	same(t, "the updated connection", read(t, s, c.Ref), next)
}

func connectionIsolated(t *testing.T, s Store) {
	c := create(t, s, conn(scope(acme, "alice"), "github", 1))
	for _, ref := range []connection.Ref{
		{Scope: scope(other, "alice"), Connector: "github", ID: c.ID},
		{Scope: scope(acme, "bob"), Connector: "github", ID: c.ID},
		{Scope: scope(acme, "alice"), Connector: "slack", ID: c.ID},
		{Scope: scope(acme, "alice"), Connector: "github", ID: connID(2)},
	} {
		_, err := s.Connection(context.Background(), ref)
		want(t, err, fault.NotFound)
		if _, ok, err := s.Slot(context.Background(), ref, 1); ok || err != nil {
			t.Errorf("%v has a slot (%v)", ref, err)
		}
	}
	_, err := s.FindConnection(context.Background(), other, c.ID)
	want(t, err, fault.NotFound)
	_, err = s.FindConnection(context.Background(), acme, connID(2))
	want(t, err, fault.NotFound)
}

func connectionsOf(t *testing.T, s Store) {
	alice := scope(acme, "alice")
	for _, n := range []int{3, 1, 2} {
		c := create(t, s, conn(alice, "github", n))
		must(t, s.PutSlot(context.Background(), c.Ref, slot(1, 1, "x")))
	}
	create(t, s, conn(alice, "asana", 9))
	create(t, s, conn(scope(acme, "alicea"), "github", 4))
	create(t, s, conn(scope(acme, "bob"), "github", 5))
	create(t, s, conn(scope(other, "alice"), "github", 6))
	all, err := s.ConnectionsOf(context.Background(), alice)
	must(t, err)
	same(t, "the list", ids(all), []connection.ID{connID(9), connID(1), connID(2), connID(3)})
}

func ids(cs []connection.Connection) []connection.ID {
	out := []connection.ID{}
	for _, c := range cs {
		out = append(out, c.ID)
	}
	return out
}

func hardNames(t *testing.T, s Store) {
	names := []tenant.Principal{"a", "A", "a#C", "a#C#github", "*", "a*", "é", "e\u0301", "日本", "=me", "!x", "_org", "a b", "..",
		tenant.Principal(strings.Repeat("x", tenant.MaxPrincipalBytes)), tenant.Principal(strings.Repeat("Ü", tenant.MaxPrincipalBytes/2))}
	for n, p := range names {
		create(t, s, conn(scope(acme, p), "github", n))
	}
	for n, p := range names {
		all, err := s.ConnectionsOf(context.Background(), scope(acme, p))
		must(t, err)
		same(t, "what "+string(p)+" holds", ids(all), []connection.ID{connID(n)})
		ref, err := s.FindConnection(context.Background(), acme, connID(n))
		must(t, err)
		if ref.Principal != p {
			t.Errorf("the connection of %q is found with %q", p, ref.Principal)
		}
	}
	if due := allDue(t, s, epoch().Add(time.Hour)); len(due) != len(names) {
		t.Errorf("%d of %d principals are found when due", len(due), len(names))
	}
}

func tenantConnections(t *testing.T, s Store) {
	var wanted []connection.ID
	for n := range 6 {
		create(t, s, conn(scope(acme, tenant.Principal([]string{"zoe", "alice", "Bob"}[n%3])), []string{"slack", "github"}[n%2], n))
		wanted = append(wanted, connID(n))
	}
	create(t, s, conn(scope(other, "alice"), "github", 10))
	for _, limit := range []int{1, 2, 3, 5, 6, 7} {
		got := []connection.ID{}
		after := connection.ID("")
		for range 20 {
			page, next, err := s.TenantConnections(context.Background(), acme, after, limit)
			must(t, err)
			if len(page) > limit {
				t.Fatalf("a page of %d holds %d", limit, len(page))
			}
			got = append(got, ids(page)...)
			if after = next; next == "" { // a position is only handed back, never read
				break
			}
		}
		same(t, "the pages", got, wanted)
	}
}

func slotWhole(t *testing.T, s Store) {
	ref := conn(scope(acme, "alice"), "github", 1).Ref
	if _, ok, err := s.Slot(context.Background(), ref, 1); ok || err != nil {
		t.Errorf("an empty slot is ok=%v, %v", ok, err)
	}
	full, bare := slot(1, 7, "one"), connection.Slot{Generation: 2, Fence: 8, Access: []byte("at two")}
	must(t, s.PutSlot(context.Background(), ref, full))
	must(t, s.PutSlot(context.Background(), ref, bare))
	for _, w := range []connection.Slot{full, bare} {
		got, ok, err := s.Slot(context.Background(), ref, w.Generation)
		must(t, err)
		if !ok {
			t.Fatalf("generation %d is not there", w.Generation)
		}
		same(t, "the slot", got, w)
	}
	if got, _, err := s.Slot(context.Background(), ref, 2); err != nil || got.Refresh != nil {
		t.Errorf("no refresh token came back as %v (%v)", got.Refresh, err)
	}
	got, ok, err := s.Slot(context.Background(), ref, 3) // lives where generation 1 does
	if err != nil || !ok || got.Generation != 1 {
		t.Errorf("generation 3's slot holds %d, %v (%v), want 1", got.Generation, ok, err)
	}
}

func canceled(t *testing.T, s Store) {
	c := create(t, s, conn(scope(acme, "alice"), "github", 1))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Connection(ctx, c.Ref); err == nil {
		t.Error("a read with a canceled context succeeded")
	}
	if err := s.PutSlot(ctx, c.Ref, slot(1, 1, "x")); err == nil {
		t.Error("a write with a canceled context succeeded")
	}
}

func noSharing(t *testing.T, s Store) {
	c := create(t, s, conn(scope(acme, "alice"), "github", 1))
	c.Scopes[0], c.Metadata["instance_url"] = "changed", "changed"
	again := read(t, s, c.Ref)
	if again.Scopes[0] != "repo" || again.Metadata["instance_url"] != "https://x.example" {
		t.Error("a caller reached into the store")
	}
}
