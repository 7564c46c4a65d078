package refresh

import (
	"fmt"
	"testing"
	"time"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/env"
)

func connector(t *testing.T, id string) *catalog.Connector {
	t.Helper()
	cat, err := connectors.FromEnv(env.FromMap(nil))
	if err != nil {
		t.Fatal(err)
	}
	c, err := cat.Connector(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSwapped_AccountOrHostChanges_IsNamed(t *testing.T) {
	t.Parallel()
	const home = "https://acme.my.salesforce.com"
	for name, x := range map[string]struct {
		connector     string
		stored, fresh map[string]string
		want          string
	}{
		"same":                 {"salesforce", map[string]string{"instance_url": home}, map[string]string{"instance_url": home}, ""},
		"not repeated":         {"salesforce", map[string]string{"instance_url": home}, nil, ""},
		"other instance":       {"salesforce", map[string]string{"instance_url": home}, map[string]string{"instance_url": "https://other.my.salesforce.com"}, ReasonInstanceChanged},
		"not even a host":      {"salesforce", map[string]string{"instance_url": home}, map[string]string{"instance_url": "https://evil.example"}, ReasonInstanceChanged},
		"same Salesforce user": {"salesforce", map[string]string{"identity_url": "https://login.salesforce.com/id/00D1/0051"}, map[string]string{"identity_url": "https://acme.my.salesforce.com/id/00D1/0051"}, ""},
		"other organization":   {"salesforce", map[string]string{"identity_url": "https://login.salesforce.com/id/00D1/0051"}, map[string]string{"identity_url": "https://login.salesforce.com/id/00D2/0051"}, ReasonAccountChanged},
		"other Salesforce user": {"salesforce", map[string]string{"identity_url": "https://login.salesforce.com/id/00D1/0051", "instance_url": home},
			map[string]string{"identity_url": "https://login.salesforce.com/id/00D1/0052", "instance_url": home}, ReasonAccountChanged},
		"no identity any more": {"salesforce", map[string]string{"identity_url": "https://login.salesforce.com/id/00D1/0051"}, map[string]string{"identity_url": "nothing"}, ReasonAccountChanged},
		"same user":            {"slack", map[string]string{"team_id": "T1", "user_id": "U1"}, map[string]string{"team_id": "T1", "user_id": "U1"}, ""},
		"team renamed":         {"slack", map[string]string{"team_id": "T1", "team_name": "a"}, map[string]string{"team_id": "T1", "team_name": "b"}, ""},
		"other team":           {"slack", map[string]string{"team_id": "T1"}, map[string]string{"team_id": "T2"}, ReasonAccountChanged},
		"other user":           {"slack", map[string]string{"user_id": "U1"}, map[string]string{"user_id": "U2"}, ReasonAccountChanged},
		"joined an enterprise": {"slack", map[string]string{"team_id": "T1"}, map[string]string{"team_id": "T1", "enterprise_id": "E1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := job{spec: connector(t, x.connector), conn: connection.Connection{Metadata: x.stored}}
			if got := swapped(j, connection.TokenFacts{Metadata: x.fresh}); got != x.want {
				t.Errorf("got %q, want %q", got, x.want)
			}
		})
	}
}

func TestNarrower_CountsWhatIsImplied(t *testing.T) {
	t.Parallel()
	spec := connector(t, "github")
	for _, x := range []struct {
		before, after []string
		want          bool
	}{
		{[]string{"repo"}, []string{"repo"}, false},
		{[]string{"repo"}, []string{"repo", "user"}, false},
		{[]string{"read:user", "user:email"}, []string{"user"}, false},
		{[]string{"repo", "read:user"}, []string{"read:user"}, true},
		{[]string{"user"}, []string{"read:user", "user:email"}, true},
		{nil, nil, false},
	} {
		if got := narrower(spec, x.before, x.after); got != x.want {
			t.Errorf("from %v to %v: %v", x.before, x.after, got)
		}
	}
}

func TestDue_IdleConnection_IsKeptAliveOnly(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for name, x := range map[string]struct {
		used      time.Duration // ago
		life      time.Duration
		keep      time.Duration
		refreshes time.Duration // life of the refresh token
		want      time.Duration
	}{
		"in use":                       {time.Hour, time.Hour, 0, 0, 54 * time.Minute},
		"idle":                         {2 * day, time.Hour, 0, 0, 7 * day},
		"idle, the provider's limit":   {2 * day, time.Hour, 30 * day, 0, 30 * day},
		"idle, the refresh token ends": {2 * day, time.Hour, 30 * day, 10 * day, 8 * day},
		"idle, a long token":           {2 * day, 20 * day, 0, 0, 18 * day},
		"no expiry":                    {2 * day, 0, 30 * day, 0, 30 * day},
		"no expiry, no limit":          {2 * day, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := connection.Connection{Refresh: connection.RefreshState{UsedAt: now.Add(-x.used)}}
			if x.life > 0 {
				c.ExpiresAt = now.Add(x.life)
			}
			if x.refreshes > 0 {
				c.RefreshExpiresAt = now.Add(x.refreshes)
			}
			got := due(c, &catalog.Connector{Rotation: catalog.Rotation{KeepAliveSeconds: int(x.keep.Seconds())}}, now, 0)
			if want := now.Add(x.want); x.want > 0 && !got.Equal(want) || x.want == 0 && !got.IsZero() {
				t.Errorf("due at %v, want %v", got, want)
			}
		})
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	g := NewGate(Limits{PerSecond: 1, Burst: 20}, func() time.Time { return now })
	ref := connection.Ref{Connector: "plain", ID: "conn_1"}
	ref.Tenant = "acme"
	sibling := ref
	sibling.ID = "conn_2"
	other := ref
	other.Tenant = "umbrella"
	failed := &EndpointError{Sent: true}
	for range 4 {
		g.Report(ref, failed)
	}
	if w := g.Wait(ref); w != 0 {
		t.Errorf("four failures close the gate for %v", w)
	}
	g.Report(ref, failed)
	if w := g.Wait(ref); w != 10*time.Second {
		t.Errorf("five failures close it for %v", w)
	}
	if w := g.Wait(other); w != 0 {
		t.Errorf("another tenant waits %v", w)
	}
	now = now.Add(10 * time.Second)
	if first, again, second := g.Wait(ref), g.Wait(ref), g.Wait(sibling); first != 0 || again != 0 || second != probeFor {
		t.Errorf("the probe waits %v, who asks for the same %v, who asks for another %v", first, again, second)
	}
	g.Report(ref, failed)
	if w := g.Wait(ref); w != 20*time.Second {
		t.Errorf("a failed probe closes it for %v", w)
	}
	now = now.Add(20 * time.Second)
	g.Wait(ref)
	g.Report(ref, nil)
	if w := g.Wait(ref); w != 0 {
		t.Errorf("a success leaves it closed for %v", w)
	}
	g.Report(ref, &EndpointError{Outcome: catalog.Outcome{Kind: catalog.OutcomeTransient, Status: 429, RetryAfter: 90 * time.Second}})
	if w := g.Wait(ref); w != 90*time.Second {
		t.Errorf("429 closes it for %v", w)
	}
	g.Report(ref, &EndpointError{Outcome: catalog.Outcome{Kind: catalog.OutcomeDead}})
	passed := 0
	for i := range 100 {
		ref.ID = connection.ID(fmt.Sprintf("conn_%d", i+10))
		if g.Wait(ref) == 0 {
			passed++
		}
	}
	if passed == 0 || passed > 20 {
		t.Errorf("%d of 100 at once pass a burst of 20", passed)
	}
}

// Callers that race for one lease are one request to the provider; the rate limit must not send any of them away.
func TestGate_SameConnectionAtOnce_CountsOnce(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	g := NewGate(Limits{PerSecond: 1, Burst: 2}, func() time.Time { return now })
	one, two, three := connection.Ref{Connector: "plain", ID: "conn_1"}, connection.Ref{Connector: "plain", ID: "conn_2"}, connection.Ref{Connector: "plain", ID: "conn_3"}
	for range 50 {
		if g.Wait(one) != 0 {
			t.Fatal("a caller for the same connection is sent away")
		}
	}
	if g.Wait(two) != 0 || g.Wait(three) == 0 {
		t.Error("others are not counted one by one")
	}
	now = now.Add(raceFor)
	if g.Wait(one) != 0 || g.Wait(three) != 0 || g.Wait(two) == 0 { // two tokens came back
		t.Error("a later refresh of the same connection does not count")
	}
}
