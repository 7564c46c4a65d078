package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"behalf.dev/behalf/integration/e2e"
)

func scimPatch(ops ...object) object {
	return object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": ops}
}

// A rule about a group of the directory applies from the moment that the directory's request was answered.
func TestGroups_DirectoryChangesMembership_TheRuleFollowsAtOnce(t *testing.T) {
	t.Parallel()
	f, session := alice(t, "github", nil)
	token := scimToken(t, f, "acme")
	user := scimUser(t, f, token, "user_alice")
	f.Back(t, "PUT", "/v1/tenants/acme/policy", object{"rules": []object{{"id": "interns-read", "effect": "deny", "when": object{"groups": []string{"Interns"}, "effects": []string{"write"}}}}}).Want(t, 200)
	write := func() e2e.Answer { return f.Execute(t, session, "github_create_issue", issue("x"), nil) }
	denied := func() {
		t.Helper()
		if a := write().WantCode(t, "policy_denied"); a.Text("rule") != "interns-read" {
			t.Errorf("%s", a.Body)
		}
	}
	write().Want(t, 200)
	group := f.SCIM(t, token, "POST", "/Groups", object{"displayName": "Interns"}).Want(t, 201).Text("id")
	write().Want(t, 200)
	member := []object{{"value": user}}
	f.SCIM(t, token, "PATCH", "/Groups/"+group, scimPatch(object{"op": "add", "path": "members", "value": member})).Want(t, 200)
	denied()
	f.SCIM(t, token, "PATCH", "/Groups/"+group, scimPatch(object{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", user)})).Want(t, 200)
	write().Want(t, 200)
	f.SCIM(t, token, "PUT", "/Groups/"+group, object{"displayName": "Interns", "members": member}).Want(t, 200)
	denied()
	f.SCIM(t, token, "PATCH", "/Groups/"+group, scimPatch(object{"op": "replace", "path": "displayName", "value": "Alumni"})).Want(t, 200)
	write().Want(t, 200)
	f.SCIM(t, token, "PATCH", "/Groups/"+group, scimPatch(object{"op": "replace", "path": "displayName", "value": "Interns"})).Want(t, 200)
	denied()
	f.SCIM(t, token, "DELETE", "/Groups/"+group, nil).Want(t, 204)
	write().Want(t, 200)

	other := scimToken(t, f, "globex")
	foreign := scimUser(t, f, other, "user_alice")
	f.SCIM(t, other, "POST", "/Groups", object{"displayName": "Interns", "members": []object{{"value": foreign}}}).Want(t, 201)
	write().Want(t, 200)
}

// TestGroups_OfThousands_AreToldInTime measures what a large group costs; -v prints it. A record holds 390 KB, which is about
// nine thousand members.
func TestGroups_OfThousands_AreToldInTime(t *testing.T) {
	const members = 600
	measureGroup(t, members)
}

// maxCallsPerMember bounds what telling one member of a group costs: it decides how large a group one invocation can tell.
const maxCallsPerMember = 6

// processor is the processor time of this process so far.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkGroups_Large is the same with as many members as fit.
func BenchmarkGroups_Large(b *testing.B) {
	for b.Loop() {
		measureGroup(b, 8000)
	}
}

func measureGroup(t testing.TB, members int) {
	t.Helper()
	f := e2e.New(t)
	token := f.Back(t, "POST", "/v1/tenants/acme/scim-tokens", object{"name": "directory"}).Want(t, 201).Text("token")
	list := make([]object, members)
	for i := range list {
		id := f.SCIM(t, token, "POST", "/Users", object{"userName": fmt.Sprintf("u%d", i), "externalId": fmt.Sprintf("user_%d", i)}).Want(t, 201).Text("id")
		list[i] = object{"value": id}
	}
	f.Settle(t)
	took := func(what string, do func()) (calls map[string]int) {
		before, cpu, start := f.Account().Counter().Snapshot(), processor(), time.Now()
		do()
		wall, used := time.Since(start), processor()-cpu
		calls = f.Account().Counter().Snapshot()
		for op, n := range before {
			calls[op] -= n
		}
		maps.DeleteFunc(calls, func(op string, n int) bool {
			return n == 0 || !strings.HasPrefix(op, "dynamodb:") || strings.Contains(op, "Stream")
		})
		t.Logf("%d members: %s in %s, %s of processor time (the embedded AWS included), calls %v", members, what, wall.Round(time.Millisecond), used.Round(time.Millisecond), calls)
		return calls
	}
	group := ""
	took("created", func() {
		group = f.SCIM(t, token, "POST", "/Groups", object{"displayName": "All", "members": list}).Want(t, 201).Text("id")
	})
	took("one added or removed", func() {
		f.SCIM(t, token, "PATCH", "/Groups/"+group, scimPatch(object{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", list[0]["value"])})).Want(t, 200)
	})
	renamed := took("renamed", func() {
		f.SCIM(t, token, "PATCH", "/Groups/"+group, scimPatch(object{"op": "replace", "path": "displayName", "value": "Everyone"})).Want(t, 200)
	})
	total := 0
	for _, n := range renamed {
		total += n
	}
	if most := maxCallsPerMember * members; total > most {
		t.Errorf("%d members: renaming took %d DynamoDB calls, want at most %d: one invocation has to be enough for 8,000", members, total, most)
	}
	last := f.SCIM(t, token, "GET", "/Users/"+list[members-1]["value"].(string), nil).Want(t, 200).List("groups")
	if len(last) != 1 || !slices.Contains([]any{"Everyone"}, last[0]["display"]) {
		t.Errorf("the last member is in %v", last)
	}
}
