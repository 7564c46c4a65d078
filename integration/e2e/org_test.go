package e2e_test

import (
	"testing"

	"behalf.dev/behalf/integration/e2e"
)

func TestOrg_Connection_ReachedOnBehalfOfThoseOnItsListOnly(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "_org", "github", "alice", nil)
	path := "/v1/tenants/acme/connections/" + id + "/access"
	who := func(s string) e2e.Answer { return f.Execute(t, s, "github_get_authenticated_user", nil, nil) }
	who(f.Session(t, "acme", "_org", nil)).Want(t, 200)
	who(f.Session(t, "acme", "user_alice", nil)).WantCode(t, "connection_required")
	alice, bob := f.Session(t, "acme", "_org", object{"on_behalf_of": "user_alice"}), f.Session(t, "acme", "_org", object{"on_behalf_of": "user_bob"})
	who(alice).WantCode(t, "connection_required")
	f.Back(t, "PUT", path, object{"principals": []string{"user_alice"}, "groups": []string{}}).Want(t, 200)
	who(alice).Want(t, 200)
	who(bob).WantCode(t, "connection_required")
	f.Back(t, "PUT", path, object{"principals": []string{}, "groups": []string{}}).Want(t, 200)
	who(alice).WantCode(t, "connection_required")
}
