package policy_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/localaws/iam"
	"behalf.dev/behalf/integration/policy"
)

// grant is what a role is meant to have: actions on the partitions of a table. It is written from the design, not from the
// templates. '*' in a partition stands for any text. Sessions are of tenant acme and principal alice. The
// authorizer reads the hashes of all tenants, since it learns the tenant from one, and the sealer extends the chains of all.
type grant struct {
	role, table string
	actions     string
	partitions  string
}

const (
	all   = "GetItem Query BatchGetItem PutItem UpdateItem DeleteItem ConditionCheckItem"
	reads = "GetItem Query BatchGetItem"
)

// meant is every item permission of every role. What is not in it must be refused.
var meant = []grant{
	{"tenant-execute", "vault", reads, "T#acme#U#alice T#acme#K T#acme#S T#_deployment#S"},
	{"tenant-execute", "flow", "GetItem PutItem UpdateItem", "T#acme#U#alice"},
	{"tenant-execute", "flow", "UpdateItem", "T#acme#B"},
	{"tenant-execute", "audit", "PutItem", "T#acme#A#*"},

	{"tenant-refresh", "vault", all, "T#acme#U#* T#acme#L"},
	{"tenant-refresh", "vault", "GetItem Query PutItem", "T#acme#K"},
	{"tenant-refresh", "vault", "GetItem Query", "T#acme#X T#acme#S T#_deployment#X T#_deployment#K"},
	{"tenant-refresh", "audit", "PutItem", "T#acme#A#*"},

	{"tenant-connect", "vault", all, "T#acme#U#alice T#acme#K T#acme#X T#acme#L"},
	{"tenant-connect", "vault", "GetItem Query", "T#acme#S T#_deployment#X T#_deployment#K"},
	{"tenant-connect", "directory", "GetItem", "T#acme#D"},
	{"tenant-connect", "flow", all, "T#acme#F#*"},
	{"tenant-connect", "flow", "GetItem Query PutItem", "T#acme#U#alice"},
	{"tenant-connect", "audit", "PutItem", "T#acme#A#*"},

	{"tenant-keys", "vault", "GetItem Query PutItem DeleteItem", "T#acme#K"},
	{"tenant-keys", "vault", "BatchGetItem UpdateItem", "T#acme#U#*"},
	{"tenant-keys", "vault", "Query", "T#acme#L"},
	{"tenant-keys", "vault", "Query PutItem", "T#acme#X T#acme#W"},
	{"tenant-keys", "directory", "GetItem", "T#acme#D"},
	{"tenant-keys", "audit", "PutItem", "T#acme#A#*"},

	{"tenant-portal", "vault", reads + " PutItem", "T#acme#U#alice"},
	{"tenant-portal", "vault", reads, "T#acme#S"},
	{"tenant-portal", "directory", "GetItem", "T#acme#D"},
	{"tenant-portal", "flow", "GetItem PutItem", "T#acme#F#P#*"},
	{"tenant-portal", "flow", "GetItem PutItem", "T#acme#O#*"},
	{"tenant-portal", "flow", "GetItem Query PutItem", "T#acme#M#alice"},
	{"tenant-portal", "flow", "GetItem", "T#acme#R#alice"},
	{"tenant-portal", "audit", "PutItem", "T#acme#A#*"},

	{"tenant-directory", "directory", all, "T#acme#D T#acme#SCIM T#acme#AUTH"},
	{"tenant-directory", "vault", reads + " UpdateItem PutItem ConditionCheckItem", "T#acme#U#* T#acme#L T#acme#S"},
	{"tenant-directory", "vault", "DeleteItem Query", "T#acme#K T#acme#X T#acme#W"},
	{"tenant-directory", "flow", "Query GetItem DeleteItem UpdateItem", "T#acme#F#*"},
	{"tenant-directory", "flow", "GetItem PutItem", "T#acme#O#*"},
	{"tenant-directory", "flow", "GetItem Query PutItem", "T#acme#M#*"},
	{"tenant-directory", "vault", "GetItem", "T#_deployment#S"},
	{"tenant-directory", "audit", "PutItem Query GetItem", "T#acme#A#*"},
	{"tenant-directory", "audit", "Query GetItem", "T#acme#H"},

	{"tenant-notify", "vault", "GetItem Query PutItem DeleteItem", "T#acme#W"},
	{"tenant-notify", "vault", "GetItem Query PutItem", "T#acme#K"},
	{"tenant-notify", "directory", "GetItem", "T#acme#D"},
	{"tenant-notify", "audit", "PutItem", "T#acme#A#*"},

	{"authorizer", "directory", "GetItem", "T#*#AUTH"},
	{"admin", "directory", "GetItem PutItem UpdateItem DeleteItem Query", "T#_deployment#D T#_deployment#AUTH"},
	{"portal", "flow", "GetItem PutItem", "T#_deployment#O#*"},
	{"keys", "directory", "Query", "T#_deployment#D"},
	{"audit", "audit", "Query GetItem PutItem UpdateItem ConditionCheckItem", "T#*#H"},
	{"audit", "flow", "GetItem PutItem", "T#*#R#*"},
}

// universe is the partitions that are tried in every table: own, another principal's, another tenant's, the deployment's, and
// near misses of all of them.
func universe() []string {
	var out []string
	for _, tenant := range []string{"acme", "globex", "acme2", "acm", "ACME", "_deployment", "*", ""} {
		for _, rest := range []string{"U#alice", "U#bob", "U#_org", "U#alice2", "U#alic", "U#alice#x", "U#*", "U", "K", "K2", "X", "W", "L", "S", "D", "SCIM", "AUTH", "F#link", "F", "F#P#visit", "F#P", "R#alice", "R#bob", "R#alice2", "R", "O#login", "O", "M#alice", "M#bob", "M#alice2", "M", "A#2026112211", "A", "H", "H2", "B", "B2"} {
			out = append(out, "T#"+tenant+"#"+rest)
		}
	}
	return append(out, "T#acme", "acme", "#", "T#globex#x#T#acme#K", "D#0")
}

// itemActions are tried on every partition; those that no role may have are among them.
var itemActions = strings.Fields(all + " Scan BatchWriteItem PartiQLSelect PartiQLInsert PartiQLUpdate PartiQLDelete SearchVectors ExportTableToPointInTime DeleteTable UpdateTable PutResourcePolicy")

var tables = []string{"vault", "directory", "flow", "audit"}

func isMeant(role, table, action, partition string) bool {
	for _, g := range meant {
		if g.role != role || g.table != table || !slices.Contains(strings.Fields(g.actions), action) {
			continue
		}
		for _, p := range strings.Fields(g.partitions) {
			if ok, _ := regexp.MatchString("^"+strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*")+"$", partition); ok {
				return true
			}
		}
	}
	return false
}

// session is the tags that a role is assumed with in the matrix; functions' own roles have none.
func session(role string) map[string]string {
	switch role {
	case "tenant-execute", "tenant-connect", "tenant-portal":
		return tagged("acme", "alice")
	case "tenant-refresh", "tenant-directory", "tenant-keys", "tenant-notify":
		return tagged("acme", "")
	}
	return nil
}

// itemFaults compares one role with the matrix and names each difference.
func itemFaults(t *testing.T, j judge, role string) []string {
	t.Helper()
	var faults []string
	note := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	tags := session(role)
	for _, table := range tables {
		for _, action := range itemActions {
			if j.decide(t, role, tags, item(action, table)).Allowed {
				note("%s: %s on %s without a key is allowed", role, action, table)
			}
			for _, partition := range universe() {
				want := isMeant(role, table, action, partition)
				if got := j.decide(t, role, tags, item(action, table, partition)).Allowed; got != want {
					note("%s: %s on %s %s: allowed %v, meant %v", role, action, table, partition, got, want)
				}
				if want && j.decide(t, role, tags, item(action, table, partition, "T#initech#U#alice")).Allowed {
					note("%s: %s on %s %s together with a foreign partition is allowed", role, action, table, partition)
				}
				if want && tags != nil && j.decide(t, role, nil, item(action, table, partition)).Allowed {
					note("%s: %s on %s %s is allowed without session tags", role, action, table, partition)
				}
			}
		}
	}
	return faults
}

func TestItems_EveryRole_MayDoWhatIsMeantAndNothingElse(t *testing.T) {
	t.Parallel()
	j := judgeOf(t, load(t))
	for _, role := range slices.Sorted(maps.Keys(j.roles)) {
		for _, f := range itemFaults(t, j, role) {
			t.Error(f)
		}
	}
}

// unwraps is what each role may do with tenant keys: purposes of its own tenant by action, and of the deployment.
var unwraps = map[string]struct{ own, deployment map[string]string }{
	"tenant-execute": {own: map[string]string{"Decrypt": "at"}},
	"tenant-refresh": {own: map[string]string{"Decrypt": "at rt cs", "GenerateDataKey": "at rt cs"}, deployment: map[string]string{"Decrypt": "cs"}},
	"tenant-connect": {own: map[string]string{"Decrypt": "at rt cs", "GenerateDataKey": "at rt cs"}, deployment: map[string]string{"Decrypt": "cs"}},
	"tenant-keys":    {own: map[string]string{"Decrypt": "at rt cs wh", "GenerateDataKey": "at rt cs wh"}},
	"tenant-notify":  {own: map[string]string{"Decrypt": "wh", "GenerateDataKey": "wh"}},
}

var keyActions = strings.Fields("Decrypt GenerateDataKey GenerateDataKeyWithoutPlaintext Encrypt ReEncryptFrom ReEncryptTo CreateGrant ScheduleKeyDeletion DisableKey PutKeyPolicy Sign")

// keyFaults compares one role with unwraps, for whole contexts and for contexts with one thing wrong, on the deployment's key and
// on one that a tenant brings: what belongs to the deployment is never under such a key.
func keyFaults(t *testing.T, j judge, role string) []string {
	t.Helper()
	return slices.Concat(keyFaultsOn(t, j, role, "VaultKey"), keyFaultsOn(t, j, role, "CustomerKey"))
}

func keyFaultsOn(t *testing.T, j judge, role, key string) []string {
	t.Helper()
	var faults []string
	tags := session(role)
	for _, action := range keyActions {
		for _, tenant := range []string{"acme", "globex", "acme2", "acm", "ACME", "_deployment", "*"} {
			for _, purpose := range []string{"at", "rt", "cs", "wh", "AT", "*"} {
				full := []string{"app=behalf", "env=local", "tenant=" + tenant, "purpose=" + purpose, "ver=1"}
				may := unwraps[role].own[action]
				if key == "CustomerKey" && (tenant == "_deployment" || purpose == "wh") { // what signs webhooks neither
					may = ""
				} else if tenant == "_deployment" {
					may = unwraps[role].deployment[action]
				}
				want := (tenant == "acme" || tenant == "_deployment") && slices.Contains(strings.Fields(may), purpose)
				if got := j.decide(t, role, tags, j.wrapped(action, key, strings.Join(full, " "))).Allowed; got != want {
					faults = append(faults, fmt.Sprintf("%s: %s %s %v: allowed %v, meant %v", role, key, action, full, got, want))
				}
				for _, wrong := range spoiled(full) {
					if j.decide(t, role, tags, j.wrapped(action, key, wrong)).Allowed {
						faults = append(faults, fmt.Sprintf("%s: %s %s %s is allowed", role, key, action, wrong))
					}
				}
				if want && j.decide(t, role, nil, j.wrapped(action, key, strings.Join(full, " "))).Allowed {
					faults = append(faults, fmt.Sprintf("%s: %s %s %v is allowed without session tags", role, key, action, full))
				}
			}
		}
	}
	return faults
}

// spoiled is context with one key left out, one key more, one key in another case, or a foreign app or stage.
func spoiled(context []string) []string {
	out := []string{strings.Join(context, " ") + " extra=1", strings.Join(context, " ") + " principal=alice"}
	for i, pair := range context {
		out = append(out, strings.Join(slices.Delete(slices.Clone(context), i, i+1), " "))
		upper := slices.Clone(context)
		upper[i] = strings.ToUpper(pair[:1]) + pair[1:]
		out = append(out, strings.Join(upper, " "))
	}
	for i, pair := range []string{"app=other", "env=prod"} {
		foreign := slices.Clone(context)
		foreign[i] = pair
		out = append(out, strings.Join(foreign, " "))
	}
	return out
}

func TestKeys_EveryRole_UnwrapsWhatIsMeantAndNothingElse(t *testing.T) {
	t.Parallel()
	j := judgeOf(t, load(t))
	for _, role := range slices.Sorted(maps.Keys(j.roles)) {
		for _, f := range keyFaults(t, j, role) {
			t.Error(f)
		}
	}
}

// assumers is which function may assume which role, and which tags it must bring.
var assumers = map[string]struct {
	callers, tags string
	realTenant    bool
}{
	"tenant-execute":   {"authorizer keys", "tenant principal", true},
	"tenant-refresh":   {"refresh revoke keys", "tenant", false},
	"tenant-connect":   {"callback keys", "tenant principal", false},
	"tenant-portal":    {"portal", "tenant principal", true},
	"tenant-directory": {"admin scim", "tenant", false},
	"tenant-keys":      {"keys", "tenant", false},
	"tenant-notify":    {"notify", "tenant", false},
}

// stray is a role of the account that may do everything and that no policy of ours names: an administrator's, or a mistake.
func stray(t *testing.T) subject {
	t.Helper()
	return subject{arn: "arn:aws:iam::" + policy.Account + ":role/stray", policies: []*iam.Policy{parse(t, "stray", map[string]any{
		"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Action": "*", "Resource": "*"}}})}}
}

// trustFaults compares who may assume role, and with which tags, with assumers. Besides them the canary may, as its own tenants.
func trustFaults(t *testing.T, j judge, role string) []string {
	t.Helper()
	j.roles = maps.Clone(j.roles)
	j.roles["stray"] = stray(t)
	a := assumers[role]
	sets := []map[string]string{nil, tagged("acme", ""), tagged("acme", "alice"), tagged("acme", "_org"), tagged("", "alice"), tagged("_deployment", "_org"),
		{"tenant": "", "principal": "alice"}, {"tenant": "acme", "principal": "alice", "admin": "1"}, {"tenant": "acme", "project": "x"}, {"project": "x"},
		tagged("_canary-a", ""), tagged("_canary-a", "canary"), tagged("_canary-", "canary"), tagged("x_canary-a", "canary"), {"tenant": "_canary-a", "principal": "canary", "admin": "1"}}
	var faults []string
	for caller := range j.roles {
		for _, tags := range sets {
			for _, source := range []string{"", "acme"} {
				want := tags["admin"] == "" && tags["project"] == ""
				switch {
				case caller == "canary":
					want = want && a.tags != "" && strings.HasPrefix(tags["tenant"], "_canary-") && tags["tenant"] != "_canary-"
				case slices.Contains(strings.Fields(a.callers), caller):
					want = want && (!a.realTenant || !strings.HasPrefix(tags["tenant"], "_"))
				default:
					want = false
				}
				for _, k := range strings.Fields(a.tags) {
					want = want && tags[k] != ""
				}
				if got := j.assume(t, caller, role, session(caller), tags, source); got != want {
					faults = append(faults, fmt.Sprintf("%s assumes %s with %v (source %q): allowed %v, meant %v", caller, role, tags, source, got, want))
				}
			}
		}
	}
	return faults
}

func TestTrust_TenantRoles_OnlyTheirFunctionsWithTheirTags(t *testing.T) {
	t.Parallel()
	j := judgeOf(t, load(t))
	for role := range j.roles {
		for _, f := range trustFaults(t, j, role) {
			t.Error(f)
		}
	}
}
