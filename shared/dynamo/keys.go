package dynamo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
	"time"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// key is a primary key. Only the functions below make one.
type key struct{ pk, sk string }

// safePart is what may stand in a key as it is: no separator, nothing that IAM reads as a wildcard. 256 is the length of
// a session tag: whatever fits one must stand as it is, because IAM compares it.
var safePart = regexp.MustCompile(`^[A-Za-z0-9_.=~:-]{1,256}$`)

// part makes any text a key part. What does not fit is replaced by its hash, marked by '!', so that two texts never
// meet in one key and a caller's text never ends a part early.
func part(s string) string {
	if safePart.MatchString(s) {
		return s
	}
	h := sha256.Sum256([]byte(s))
	return "!" + hex.EncodeToString(h[:])
}

func partition(t tenant.ID, suffix string) string { return "T#" + part(t.Tag()) + "#" + suffix }

// vault

func principalPartition(s tenant.Scope) string {
	return partition(s.Tenant, "U#"+part(s.Principal.Tag()))
}
func principalStateKey(s tenant.Scope) key    { return key{principalPartition(s), "A"} }
func connectorPrefix(connector string) string { return "C#" + part(connector) + "#" }
func connectionKey(r connection.Ref) key {
	return key{principalPartition(r.Scope), connectorPrefix(r.Connector) + part(string(r.ID))}
}
func slotKey(r connection.Ref, generation uint64) key {
	k := connectionKey(r)
	return key{k.pk, fmt.Sprintf("%s#S%d", k.sk, generation%2)}
}
func grantKey(r connection.Ref, g connection.GrantID) key {
	return key{principalPartition(r.Scope), "G#" + part(string(r.ID)) + "#" + part(string(g))}
}
func tenantKeysPartition(t tenant.ID) string      { return partition(t, "K") }
func tenantKeyPrefix(p connection.Purpose) string { return "TK#" + part(string(p)) + "#" }
func tenantKeyKey(t tenant.ID, p connection.Purpose, version uint32) key {
	return key{tenantKeysPartition(t), fmt.Sprintf("%s%010d", tenantKeyPrefix(p), version)}
}
func walkKey(t tenant.ID) key { return key{tenantKeysPartition(t), "WALK"} }

const clientPrefix = "APP#"

func clientKey(owner tenant.ID, connector string) key {
	return key{partition(owner, "X"), clientPrefix + part(connector)}
}
func tenantStateKey(t tenant.ID) key { return key{partition(t, "S"), "STATE"} }
func rulesKey(t tenant.ID) key       { return key{partition(t, "S"), "RULES"} }
func policyKey(t tenant.ID, revision uint64) key {
	return key{partition(t, "S"), fmt.Sprintf("POLICY#%010d", revision)}
}

// viewPrefix and viewKey are for the views of MCP, beside the state because sessions may read that partition.
const viewPrefix = "VIEW#"

func viewKey(t tenant.ID, name string) key { return key{partition(t, "S"), viewPrefix + part(name)} }

const webhookPrefix = "EP#"

func webhookPartition(owner tenant.ID) string { return partition(owner, "W") }
func webhookKey(owner tenant.ID, id string) key {
	return key{webhookPartition(owner), webhookPrefix + part(id)}
}
func triesKey(owner tenant.ID, id string) key {
	return key{webhookPartition(owner), "TRY#" + part(id)}
}
func listPartition(t tenant.ID) string { return partition(t, "L") }
func listKey(t tenant.ID, id connection.ID) key {
	return key{listPartition(t), "C#" + part(string(id))}
}

// dueShards spreads the due index: ten million connections refreshed hourly write 2,800 times a second, twice each (in and
// out), so 16 shards take 350 writes a second each, below a partition's 1,000.
const dueShards = 16

func dueShard(n int) string { return fmt.Sprintf("D#%02d", n) }
func dueShardOf(id connection.ID) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return dueShard(int(h.Sum32() % dueShards))
}

// refFromKey reads a connection's key back; the due index holds nothing else.
func refFromKey(pk, sk string) (connection.Ref, error) {
	p, c := strings.Split(pk, "#"), strings.Split(sk, "#")
	if len(p) != 4 || p[0] != "T" || p[2] != "U" || len(c) != 3 || c[0] != "C" {
		return connection.Ref{}, fmt.Errorf("key %q %q is no connection's", pk, sk)
	}
	t, err := tenant.Parse("tenant", p[1])
	if err != nil {
		return connection.Ref{}, err
	}
	who, err := tenant.PrincipalFromTag(p[3])
	if err != nil {
		return connection.Ref{}, err
	}
	return connection.Ref{Scope: tenant.Scope{Tenant: t, Principal: who}, Connector: c[1], ID: connection.ID(c[2])}, nil
}

// directory

func tenantKey(t tenant.ID) key        { return key{partition(t, "D"), "CFG"} }
func logoKey(t tenant.ID) key          { return key{partition(t, "D"), "LOGO"} }
func issuerKey(t tenant.ID) key        { return key{partition(t, "D"), "ISSUER"} }
func tenantsPartition() string         { return partition(tenant.Deployment, "D") }
func tenantListKey(t tenant.ID) key    { return key{tenantsPartition(), "TENANT#" + part(t.Tag())} }
func authPartition(t tenant.ID) string { return partition(t, "AUTH") }
func authKey(t tenant.ID, kind, id string) key {
	return key{authPartition(t), part(kind) + "#" + part(id)}
}

// scim; the values of a directory enter keys as hashes only
const (
	scimUserPrefix  = "USER#"
	scimGroupPrefix = "GRP#"
)

func scimPartition(t tenant.ID) string       { return partition(t, "SCIM") }
func scimUserKey(t tenant.ID, id string) key { return key{scimPartition(t), scimUserPrefix + part(id)} }
func scimGroupKey(t tenant.ID, id string) key {
	return key{scimPartition(t), scimGroupPrefix + part(id)}
}
func scimUserNameKey(t tenant.ID, n string) key {
	return key{scimPartition(t), "UN#" + hashed(scim.UserNameKey(n))}
}
func scimExternalKey(t tenant.ID, x string) key { return key{scimPartition(t), "EX#" + hashed(x)} }
func scimGroupExternalKey(t tenant.ID, x string) key {
	return key{scimPartition(t), "GX#" + hashed(x)}
}
func scimMemberPrefix(member string) string { return "MEM#" + part(member) + "#" }
func scimMemberKey(t tenant.ID, member, group string) key {
	return key{scimPartition(t), scimMemberPrefix(member) + part(group)}
}

// flow

func linkKey(t tenant.ID, id string) key       { return key{partition(t, "F#L#"+hashed(id)), "LINK"} }
func linkHashKey(t tenant.ID, hash string) key { return key{partition(t, "F#H#"+part(hash)), "REF"} }
func visitKey(t tenant.ID, hash string) key    { return key{partition(t, "F#P#"+part(hash)), "VISIT"} }

// A login's secrets and its grants have partitions of their own, since who stores credentials may write all of F.
func loginKey(t tenant.ID, hash string) key { return key{partition(t, "O#"+part(hash)), "LOGIN"} }
func loginGrantPartition(s tenant.Scope) string {
	return partition(s.Tenant, "M#"+part(s.Principal.Tag()))
}
func loginGrantKey(s tenant.Scope, session string) key {
	return key{loginGrantPartition(s), loginGrantPrefix + part(session)}
}

const loginGrantPrefix = "G#"

func activityKey(s tenant.Scope) key {
	return key{partition(s.Tenant, "R#"+part(s.Principal.Tag())), "LATELY"}
}
func approvalLinkKey(t tenant.ID, hash string) key {
	return key{partition(t, "F#P#"+part(hash)), "LINK"}
}
func claimKey(s tenant.Scope, keyHash string) key {
	return key{principalPartition(s), "I#" + part(keyHash)}
}

func approvalKey(s tenant.Scope, id string) key {
	return key{principalPartition(s), approvalPrefix + part(id)}
}

const approvalPrefix = "P#"

// budgetKey is a window of a budget: a principal's in its own partition, the others in one of the tenant.
func budgetKey(s tenant.Scope, u toolcall.BudgetUse) key {
	window := fmt.Sprintf("#%012d", u.Window)
	switch u.Per {
	case policy.PerPrincipal:
		return key{principalPartition(s), "B#" + part(u.ID) + window}
	case policy.PerAgent:
		return key{partition(s.Tenant, "B"), "A#" + part(u.ID) + "#" + part(u.Agent) + window}
	}
	return key{partition(s.Tenant, "B"), "T#" + part(u.ID) + window}
}

// audit

func auditPartition(t tenant.ID, at time.Time) string {
	return partition(t, "A#"+at.UTC().Format("2006010215"))
}
func auditKey(t tenant.ID, at time.Time, id string) key { return key{auditPartition(t, at), part(id)} }
func chainPartition(t tenant.ID) string                 { return partition(t, "H") }
func segmentKey(t tenant.ID, seq uint64) key {
	return key{chainPartition(t), fmt.Sprintf("SEG#%012d", seq)}
}
func keptKey(t tenant.ID) key { return key{chainPartition(t), "KEPT"} }
func hourKey(t tenant.ID, at time.Time) key {
	return key{chainPartition(t), "HOUR#" + at.UTC().Format("2006010215")}
}

func hashed(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// IsAuditRecord tells the partition of an audit record from that of a chain; the sealer sees both in the stream.
func IsAuditRecord(pk string) bool {
	p := strings.Split(pk, "#")
	return len(p) == 4 && p[0] == "T" && p[2] == "A"
}
