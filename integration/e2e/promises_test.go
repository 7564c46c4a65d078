package e2e_test

import (
	"sync"
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

type object = e2e.Object

// whoami is a tool of each provider that tells whose account is used, and where its answer says so.
var whoami = map[string]struct{ tool, says string }{
	"github": {"github_get_authenticated_user", "data.login"}, "slack": {"slack_auth_test", "data.user"}, "salesforce": {"salesforce_get_user_info", "data.email"},
}

func TestExecute_EachPrincipalAtEachProvider_ReachesTheirOwnAccount(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	people := []struct{ tenant, principal, person string }{{"acme", "user_alice", "alice"}, {"acme", "user_bob", "bob"}, {"globex", "user_carol", "carol"}}
	says := func(provider, person, tenant string) string {
		if provider == "salesforce" {
			return person + "@" + tenant + ".example"
		}
		return person
	}
	sessions := map[string]string{}
	for _, p := range people {
		for provider := range whoami {
			f.Connect(t, p.tenant, p.principal, provider, p.person, nil)
		}
		sessions[p.principal] = f.Session(t, p.tenant, p.principal, nil)
	}
	var all sync.WaitGroup
	for range 5 {
		for _, p := range people {
			for provider, who := range whoami {
				all.Go(func() {
					a, err := f.TryExecute(sessions[p.principal], who.tool, nil, nil)
					if err != nil || a.Status != 200 || a.Text(who.says) != says(provider, p.person, p.tenant) {
						t.Errorf("%s at %s: %v %d %s", p.principal, provider, err, a.Status, a.Body)
					}
				})
			}
		}
	}
	all.Wait()
	for provider := range whoami {
		c := f.Counters(t, provider)
		for _, p := range people {
			if got := c.ByPerson[p.person].APICalls; got < 5 {
				t.Errorf("%s saw %d calls as %s, want at least 5", provider, got, p.person)
			}
		}
	}
}
