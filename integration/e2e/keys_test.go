package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/tenant"
)

// operatorDB reads the tables as the account's owner.
func operatorDB(f *e2e.Fixture) *dynamo.DB {
	return dynamo.New(dynamodb.NewFromConfig(f.Operator()), dynamo.Names{Vault: "behalf-local-vault", Directory: "behalf-local-directory", Flow: "behalf-local-flow", Audit: "behalf-local-audit"}, f.Clock.Now)
}

// newestVersions are the newest versions by purpose, as the API says.
func newestVersions(a e2e.Answer) map[string]int {
	out := map[string]int{}
	for _, k := range a.List("keys") {
		if k["newest"] == true {
			out[k["purpose"].(string)] = int(k["version"].(float64))
		}
	}
	return out
}

func wantNewest(t *testing.T, a e2e.Answer, version int) {
	t.Helper()
	if got := fmt.Sprint(newestVersions(a)); got != fmt.Sprintf("map[at:%d cs:%d rt:%d]", version, version, version) {
		t.Errorf("newest versions %s, want %d each", got, version)
	}
}

// walkKeys takes every step of a walk and adds up.
func walkKeys(t *testing.T, f *e2e.Fixture, owner string, retireAfter time.Duration) (resealed int, retired []string) {
	t.Helper()
	body := object{}
	if retireAfter > 0 {
		body["retire_after_seconds"] = int(retireAfter.Seconds())
	}
	for {
		a := f.Back(t, "POST", "/v1/tenants/"+owner+"/keys/reseal", body).Want(t, 200)
		resealed += int(a.JSON["resealed"].(float64))
		if a.JSON["unreadable"] != 0.0 {
			t.Errorf("%s", a.Body)
		}
		for _, k := range a.List("retired") {
			retired = append(retired, fmt.Sprint(k["purpose"], "/", k["version"]))
		}
		if body["cursor"] = a.Text("cursor"); body["cursor"] == "" {
			return resealed, retired
		}
	}
}

const whoGithub = "github_get_authenticated_user"

func TestKeys_RotateResealRetire_CallsAndRefreshesGoOn(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	id := f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	gone := f.Connect(t, "acme", "user_bob", "github", "bob", nil)
	f.Back(t, "PUT", "/v1/tenants/acme/connectors/slack/client", object{"client_id": "own-slack", "client_secret": e2e.ClientSecret}).Want(t, 200)
	f.Back(t, "DELETE", "/v1/tenants/acme/connections/"+gone, nil).Want(t, 200)
	f.Settle(t)
	works := func(when string) {
		t.Helper()
		if a := f.Execute(t, f.Session(t, "acme", "user_alice", nil), whoGithub, nil, nil); a.Status != 200 {
			t.Fatalf("%s: %d %s", when, a.Status, a.Body)
		}
	}
	works("before")
	wantNewest(t, f.Back(t, "GET", "/v1/tenants/acme/keys", nil).Want(t, 200), 1)
	wantNewest(t, f.Back(t, "POST", "/v1/tenants/acme/keys/rotate", nil).Want(t, 200), 2)
	works("after the rotation")

	resealed, retired := walkKeys(t, f, "acme", 0)
	if resealed != 2 || len(retired) != 0 { // alice's slot and the client; bob's slots are erased
		t.Errorf("%d records re-sealed, %v retired", resealed, retired)
	}
	works("after re-sealing")
	f.Clock.Advance(time.Hour) // every cache has forgotten: the new version is unwrapped
	works("with cold caches")
	f.Back(t, "POST", "/v1/tenants/acme/connections/"+id+"/refresh", nil).Want(t, 200)
	works("after a refresh")

	if _, retired := walkKeys(t, f, "acme", 2*time.Hour); len(retired) != 0 {
		t.Errorf("%v retired too early", retired)
	}
	f.Clock.Advance(time.Hour)
	if _, retired := walkKeys(t, f, "acme", 2*time.Hour); strings.Join(retired, " ") != "at/1 cs/1 rt/1" {
		t.Errorf("retired %v", retired)
	}
	keys, err := operatorDB(f).Keys(t.Context(), "acme")
	if err != nil || len(keys) != 3 {
		t.Errorf("wrapped keys that are left: %+v, %v", keys, err)
	}
	f.Clock.Advance(20 * time.Minute)
	works("after the old version is gone")
	f.Clock.Advance(9 * time.Hour)
	works("after a refresh under the new version alone")

	bobs := connection.Ref{Scope: tenant.Scope{Tenant: "acme", Principal: "user_bob"}, Connector: "github", ID: connection.ID(gone)}
	for g := range uint64(2) {
		if s, _, err := operatorDB(f).Slot(t.Context(), bobs, g); err != nil || s.Access != nil || s.Refresh != nil {
			t.Errorf("a revoked connection's slot is back: %v", err)
		}
	}
	kinds := map[any]int{}
	for _, r := range f.Audit(t, "acme", "limit=1000") {
		kinds[r["kind"]]++
	}
	if kinds["keys.rotated"] != 1 || kinds["keys.retired"] != 3 {
		t.Errorf("on record: %v", kinds)
	}
}

func TestKeys_OfTheDeployment_OnlyForKeysOfTheDeployment(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	a := f.Back(t, "POST", "/v1/tenants/_deployment/keys/rotate", nil).Want(t, 200)
	if got := newestVersions(a); len(got) != 1 || got["cs"] != 2 {
		t.Errorf("%v", got)
	}
	if resealed, _ := walkKeys(t, f, "_deployment", 0); resealed != 3 {
		t.Errorf("%d clients re-sealed, want 3", resealed)
	}
	f.Clock.Advance(9 * time.Hour) // the refresh opens the client's secret
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), whoGithub, nil, nil).Want(t, 200)
	f.Back(t, "PUT", "/v1/tenants/_deployment/kms-key", object{"kms_key_arn": "arn:aws:kms:us-east-1:111122223333:key/x"}).WantCode(t, "invalid_input")
	// Elsewhere the deployment is no tenant, and a key of one tenant reaches neither it nor another.
	f.Back(t, "GET", "/v1/tenants/_deployment", nil).WantCode(t, "invalid_input")
	limited := f.Back(t, "POST", "/v1/api-keys", object{"name": "acme only", "permissions": []string{"tenants:read", "tenants:write"}, "tenant": "acme"}).Want(t, 201).Text("key")
	for path, status := range map[string]int{"acme": 200, "_deployment": 403, "globex": 403} {
		f.Do(t, e2e.Request{Method: "GET", Path: "/v1/tenants/" + path + "/keys", Token: limited}).Want(t, status)
	}
	reader := f.Back(t, "POST", "/v1/api-keys", object{"name": "reads", "permissions": []string{"tenants:read"}}).Want(t, 201).Text("key")
	f.Do(t, e2e.Request{Method: "POST", Path: "/v1/tenants/acme/keys/rotate", Token: reader}).Want(t, 403)
	f.Back(t, "POST", "/v1/tenants/nobody/keys/rotate", nil).WantCode(t, "not_found")
	f.Back(t, "DELETE", "/v1/tenants/acme", nil).Want(t, 200)
	for _, what := range []string{"keys/rotate", "keys/reseal"} {
		f.Back(t, "POST", "/v1/tenants/acme/"+what, nil).WantCode(t, "not_found")
	}
	f.Back(t, "PUT", "/v1/tenants/acme/keys/rotate", nil).Want(t, 404)
}

// customerPolicy is a key policy of a customer: the roles by short name, each allowed its actions.
func customerPolicy(t *testing.T, roles map[string]string) string {
	t.Helper()
	var statements []any
	for role, actions := range roles {
		statements = append(statements, object{"Effect": "Allow", "Principal": object{"AWS": "arn:aws:iam::000000000000:role/behalf-local-tenant-" + role}, "Action": strings.Fields(actions), "Resource": "*",
			"Condition": object{"StringEquals": object{"kms:EncryptionContext:app": "behalf", "kms:EncryptionContext:tenant": "acme"}}})
	}
	b, err := json.Marshal(object{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const makes, opens = "kms:GenerateDataKey kms:Decrypt", "kms:Decrypt"

func TestKMSKey_OfTheTenant_RefusedWithWhatItLacks_ThenUsed_ThenGivenBack(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Back(t, "PUT", "/v1/tenants/acme/connectors/slack/client", object{"client_id": "own-slack", "client_secret": e2e.ClientSecret}).Want(t, 200)
	f.Back(t, "POST", "/v1/tenants/acme/keys/rotate", nil).Want(t, 200)
	whole := map[string]string{"keys": makes, "execute": opens, "refresh": makes, "connect": makes}
	arn, err := f.Account().ForeignKey("111122223333", customerPolicy(t, map[string]string{"execute": opens, "refresh": makes, "connect": makes}))
	if err != nil {
		t.Fatal(err)
	}
	policy := func(p string) {
		t.Helper()
		if _, err := kms.NewFromConfig(f.Operator()).PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &arn, Policy: &p}); err != nil {
			t.Fatal(err)
		}
	}
	put := func() e2e.Answer {
		t.Helper()
		return f.Back(t, "PUT", "/v1/tenants/acme/kms-key", object{"kms_key_arn": arn})
	}
	for _, forgotten := range []string{"keys", "execute", "refresh", "connect"} {
		short := map[string]string{}
		for role, actions := range whole {
			if role != forgotten {
				short[role] = actions
			}
		}
		policy(customerPolicy(t, short))
		a := put().WantCode(t, "invalid_input")
		if !strings.HasSuffix(a.Text("role"), "tenant-"+forgotten) || !strings.HasPrefix(a.Text("action"), "kms:") || a.Text("field") != "/kms_key_arn" {
			t.Errorf("forgot %s: %s", forgotten, a.Body)
		}
	}
	wantNewest(t, f.Back(t, "GET", "/v1/tenants/acme/keys", nil), 2) // nothing was changed by a refusal

	policy(customerPolicy(t, whole))
	a := put().Want(t, 200)
	if a.Text("kms_key_arn") != arn || a.JSON["own_kms_key"] != true {
		t.Errorf("%s", a.Body)
	}
	f.Back(t, "PUT", "/v1/tenants/globex/kms-key", object{"kms_key_arn": arn}).WantCode(t, "invalid_input") // its policy says acme
	walkKeys(t, f, "acme", 0)
	wantNewest(t, f.Back(t, "POST", "/v1/tenants/acme/keys/rotate", nil).Want(t, 200), 4)
	if got := f.Back(t, "GET", "/v1/tenants/acme/keys", nil).Text("kms_key_arn"); got != arn {
		t.Errorf("a rotation left the tenant's key for %s", got)
	}
	walkKeys(t, f, "acme", 0)
	f.Clock.Advance(9 * time.Hour)
	session := f.Session(t, "acme", "user_alice", nil)
	f.Execute(t, session, whoGithub, nil, nil).Want(t, 200)

	// The customer closes the door: nothing opens any more, once the caches forget.
	if _, err := kms.NewFromConfig(f.Operator()).DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	f.Clock.Advance(20 * time.Minute)
	if a := f.Execute(t, f.Session(t, "acme", "user_alice", nil), whoGithub, nil, nil); a.Status == 200 {
		t.Error("a call went through although the customer's key is disabled")
	}
	if a := put().WantCode(t, "invalid_input"); !strings.Contains(a.Body, "disabled") {
		t.Errorf("%s", a.Body)
	}
	if _, err := kms.NewFromConfig(f.Operator()).EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}

	a = f.Back(t, "DELETE", "/v1/tenants/acme/kms-key", nil).Want(t, 200)
	if a.JSON["own_kms_key"] != false || a.Text("kms_key_arn") == arn {
		t.Errorf("%s", a.Body)
	}
	walkKeys(t, f, "acme", 0)
	f.Clock.Advance(2 * time.Hour)
	walkKeys(t, f, "acme", time.Hour)
	keys, err := operatorDB(f).Keys(t.Context(), "acme")
	for _, k := range keys {
		if k.KeyARN == arn {
			t.Errorf("version %d of %s is still under the customer's key", k.Version, k.Purpose)
		}
	}
	if err != nil || len(keys) != 3 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	f.Execute(t, f.Session(t, "acme", "user_alice", nil), whoGithub, nil, nil).Want(t, 200)
	if n := len(f.Audit(t, "acme", "kind=keys.kms_key_changed")); n != 2 {
		t.Errorf("%d changes on record, want 2", n)
	}
}

func TestKMSKey_ThatCannotBe_IsRefusedBeforeKMSIsAsked(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	for arn, say := range map[string]string{
		"":    "missing",
		"key": "not the ARN",
		"arn:aws:kms:us-east-1:111122223333:alias/theirs": "alias",
		"alias/theirs": "alias",
		"arn:aws:s3:us-east-1:111122223333:key/abc":          "not the ARN",
		"arn:aws:kms:us-east-1:111122223333:key/*":           "not the ARN",
		"arn:aws:kms:eu-west-1:111122223333:key/1234":        "Region",
		"arn:aws:kms:us-east-1:444455556666:key/1234":        "tenantKeys",
		"arn:aws:kms:us-east-1:111122223333:key/1234-absent": "",
	} {
		a := f.Back(t, "PUT", "/v1/tenants/acme/kms-key", object{"kms_key_arn": arn}).WantCode(t, "invalid_input")
		if a.Text("field") != "/kms_key_arn" || !strings.Contains(a.Text("detail"), say) {
			t.Errorf("%q: %s", arn, a.Body)
		}
	}
}

func TestKeysSchedule_Monthly_RotatesThenReseals_AndEndsWithOneVersion(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Connect(t, "globex", "user_carol", "github", "carol", nil)
	after := func(d time.Duration) {
		t.Helper()
		f.Clock.Advance(d)
		f.Account().FireSchedules()
		f.Settle(t)
	}
	keys := func(owner tenant.ID) (text []string) {
		t.Helper()
		all, err := operatorDB(f).Keys(t.Context(), owner)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range all {
			text = append(text, fmt.Sprint(k.Purpose, "/", k.Version))
		}
		return text
	}
	want := func(when, tenants, deployment string) {
		t.Helper()
		for owner, want := range map[tenant.ID]string{"acme": tenants, "globex": tenants, tenant.Deployment: deployment} {
			if got := strings.Join(keys(owner), " "); got != want {
				t.Errorf("%s, %s: %s, want %s", when, owner, got, want)
			}
		}
	}
	after(24 * time.Hour)
	want("the first day", "at/1 rt/1", "cs/1")
	after(30 * 24 * time.Hour)
	want("after a month", "at/1 at/2 rt/1 rt/2", "cs/1 cs/2")
	after(24 * time.Hour)
	want("the next day", "at/1 at/2 rt/1 rt/2", "cs/1 cs/2")
	after(15 * 24 * time.Hour)
	after(24 * time.Hour)
	want("half a month later", "at/2 rt/2", "cs/2")
	for who, in := range map[string]string{"user_alice": "acme", "user_carol": "globex"} {
		a := f.Execute(t, f.Session(t, in, who, nil), whoGithub, nil, nil)
		if a.Status != 200 {
			t.Errorf("%s: %d %s", who, a.Status, a.Body)
		}
	}
	if r := f.Audit(t, "acme", "kind=keys.rotated"); len(r) != 1 || r[0]["by"] != "schedule" {
		t.Errorf("%v", r)
	}
}
