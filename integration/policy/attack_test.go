package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/localaws/iam"
	"behalf.dev/behalf/integration/policy"
)

// attempt is one request, of one session, that must be allowed (may) or refused.
type attempt struct {
	name string
	role string
	tags map[string]string
	asks []ask // all that the request needs, such as the items of a transaction
	may  bool
}

var (
	alice = tagged("acme", "alice")
	acme  = tagged("acme", "")
)

// own is allowed, and foreign refused, of a session of tenant acme and principal alice.
func own(name, role string, asks ...ask) attempt {
	return attempt{name, "tenant-" + role, alice, asks, true}
}
func foreign(name, role string, asks ...ask) attempt {
	return attempt{name, "tenant-" + role, alice, asks, false}
}

// bare is refused of a function that has assumed nothing.
func bare(name, role string, asks ...ask) attempt { return attempt{name, role, nil, asks, false} }

func legitimate() []attempt {
	return []attempt{
		own("reads its connection", "execute", item("Query", "vault", "T#acme#U#alice")),
		own("reads connection and key in one batch", "execute", item("BatchGetItem", "vault", "T#acme#U#alice", "T#acme#K", "T#acme#S")),
		own("claims an idempotency key", "execute", item("PutItem", "flow", "T#acme#U#alice")),
		own("records its intent", "execute", item("PutItem", "audit", "T#acme#A#2026112211")),
		own("takes a lease", "refresh", item("UpdateItem", "vault", "T#acme#U#bob")),
		own("writes slot and pointer in one transaction", "refresh", item("PutItem", "vault", "T#acme#U#alice"), item("UpdateItem", "vault", "T#acme#U#alice"), item("ConditionCheckItem", "vault", "T#acme#U#alice")),
		own("reads the deployment's client", "refresh", item("GetItem", "vault", "T#_deployment#X")),
		own("stores a grant in one transaction", "connect", item("PutItem", "vault", "T#acme#U#alice"), item("UpdateItem", "flow", "T#acme#F#link"), item("PutItem", "audit", "T#acme#A#2026112211")),
		own("decides about an approval", "connect", item("GetItem", "flow", "T#acme#U#alice"), item("PutItem", "flow", "T#acme#U#alice"), item("PutItem", "audit", "T#acme#A#2026112211")),
		own("lists approvals", "connect", item("Query", "flow", "T#acme#U#alice")),
		own("reads the tenant's settings", "connect", item("GetItem", "directory", "T#acme#D")),
		own("suspends a user", "directory", item("UpdateItem", "vault", "T#acme#U#bob"), item("PutItem", "directory", "T#acme#SCIM")),
		own("shreds the tenant", "directory", item("DeleteItem", "vault", "T#acme#K")),
		own("reads the audit trail", "directory", item("Query", "audit", "T#acme#A#2026112211"), item("GetItem", "audit", "T#acme#H")),
		own("retires a key", "keys", item("DeleteItem", "vault", "T#acme#K"), item("PutItem", "audit", "T#acme#A#2026112211")),
		own("swaps what a slot holds", "keys", item("BatchGetItem", "vault", "T#acme#U#alice", "T#acme#U#bob"), item("UpdateItem", "vault", "T#acme#U#bob")),
		{"renews the deployment's client", "tenant-keys", tagged("_deployment", ""), []ask{item("PutItem", "vault", "T#_deployment#X")}, true},
		{"lists the tenants", "keys", nil, []ask{item("Query", "directory", "T#_deployment#D")}, true},
		{"sets up a deployment-wide client", "tenant-connect", tagged("_deployment", "_org"), []ask{item("PutItem", "vault", "T#_deployment#X")}, true},
		{"finds what is due", "refresh", nil, []ask{item("Query", "vault/index/due", "D#0")}, true},
		{"finds an API key", "authorizer", nil, []ask{item("GetItem", "directory", "T#_deployment#AUTH")}, true},
		{"creates a tenant", "admin", nil, []ask{item("PutItem", "directory", "T#_deployment#D")}, true},
		{"reads the stream", "audit", nil, []ask{item("GetRecords", "audit/stream/2026-01-01T00:00:00.000")}, true},
		{"asks for a refresh", "execute", nil, []ask{lambda("refresh")}, true},
		{"tells that an approval was asked for", "audit", nil, []ask{event("behalf-local")}, true},
		own("reads a view of its own and one of the deployment", "execute", item("BatchGetItem", "vault", "T#acme#S", "T#_deployment#S")),
	}
}

func lambda(function string) ask {
	return ask{"lambda:InvokeFunction", "arn:aws:lambda:" + policy.Region + ":" + policy.Account + ":function:behalf-local-" + function, nil}
}

func queue(action, name string) ask {
	return ask{"sqs:" + action, "arn:aws:sqs:" + policy.Region + ":" + policy.Account + ":behalf-local-" + name, nil}
}

func event(bus string) ask {
	return ask{"events:PutEvents", "arn:aws:events:" + policy.Region + ":" + policy.Account + ":event-bus/" + bus, nil}
}

func role(action, name string) ask {
	return ask{action, "arn:aws:iam::" + policy.Account + ":role/behalf-local-" + name, iam.Context{}}
}

func tenantAttacks() []attempt {
	return []attempt{
		foreign("other tenant, same principal", "execute", item("Query", "vault", "T#globex#U#alice")),
		foreign("other tenant's keys", "execute", item("GetItem", "vault", "T#globex#K")),
		foreign("other tenant's state", "execute", item("GetItem", "vault", "T#globex#S")),
		foreign("other tenant's audit", "execute", item("PutItem", "audit", "T#globex#A#2026112211")),
		foreign("other tenant's idempotency", "execute", item("PutItem", "flow", "T#globex#U#alice")),
		foreign("other tenant's connections", "refresh", item("Query", "vault", "T#globex#U#alice")),
		foreign("other tenant's clients", "refresh", item("GetItem", "vault", "T#globex#X")),
		foreign("other tenant's links", "connect", item("UpdateItem", "flow", "T#globex#F#link")),
		foreign("other tenant's settings", "connect", item("GetItem", "directory", "T#globex#D")),
		foreign("other tenant's users", "directory", item("Query", "directory", "T#globex#SCIM")),
		foreign("other tenant's tokens", "directory", item("PutItem", "directory", "T#globex#AUTH")),
		foreign("other tenant's audit, reading", "directory", item("Query", "audit", "T#globex#A#2026112211")),
		foreign("shreds another tenant", "directory", item("DeleteItem", "vault", "T#globex#K")),
		foreign("deployment's API keys", "directory", item("PutItem", "directory", "T#_deployment#AUTH")),
		foreign("list of tenants", "directory", item("Query", "directory", "T#_deployment#D")),
		foreign("overwrites the deployment's client", "connect", item("PutItem", "vault", "T#_deployment#X")),
		foreign("overwrites the deployment's keys", "refresh", item("PutItem", "vault", "T#_deployment#K")),
		foreign("deletes another tenant's keys", "keys", item("DeleteItem", "vault", "T#globex#K")),
		foreign("deletes the deployment's keys", "keys", item("DeleteItem", "vault", "T#_deployment#K")),
		foreign("swaps another tenant's slot", "keys", item("UpdateItem", "vault", "T#globex#U#alice")),
		foreign("overwrites another tenant's client", "keys", item("PutItem", "vault", "T#globex#X")),
		foreign("deletes a connection", "keys", item("DeleteItem", "vault", "T#acme#U#alice")),
		foreign("writes a connection", "keys", item("PutItem", "vault", "T#acme#U#alice")),
		foreign("opens a closed tenant", "keys", item("PutItem", "vault", "T#acme#S")),
		foreign("renames a tenant", "keys", item("PutItem", "directory", "T#acme#D")),
		foreign("longer tenant", "execute", item("Query", "vault", "T#acme2#U#alice")),
		foreign("shorter tenant", "execute", item("Query", "vault", "T#acm#U#alice")),
		foreign("tenant in upper case", "execute", item("Query", "vault", "T#ACME#U#alice")),
		foreign("wildcard as tenant", "execute", item("Query", "vault", "T#*#U#alice")),
		foreign("own partition as a suffix", "execute", item("Query", "vault", "T#globex#U#T#acme#U#alice")),
		foreign("own partition as a suffix, open pattern", "refresh", item("Query", "vault", "T#globex#T#acme#U#alice")),
		foreign("empty tenant", "execute", item("Query", "vault", "T##U#alice")),
		foreign("longer tenant, open pattern", "refresh", item("PutItem", "audit", "T#acme2#A#2026112211")),
		{"a session without tags", "tenant-execute", nil, []ask{item("Query", "vault", "T#acme#U#alice")}, false},
		{"a session without tags, empty tenant", "tenant-refresh", nil, []ask{item("Query", "vault", "T##U#alice")}, false},
		{"a session without a principal", "tenant-execute", acme, []ask{item("Query", "vault", "T#acme#U#")}, false},
		{"a session whose tags are wildcards", "tenant-execute", tagged("*", "*"), []ask{item("Query", "vault", "T#acme#U#alice")}, false},
		{"a session whose tenant is a wildcard, open pattern", "tenant-refresh", tagged("*", ""), []ask{item("Query", "vault", "T#acme#U#alice")}, false},
		{"a session whose tenant ends in a wildcard, open pattern", "tenant-refresh", tagged("ac*", ""), []ask{item("Query", "vault", "T#acme#U#alice")}, false},
	}
}

func principalAttacks() []attempt {
	return []attempt{
		foreign("other principal", "execute", item("Query", "vault", "T#acme#U#bob")),
		foreign("the tenant itself", "execute", item("Query", "vault", "T#acme#U#_org")),
		foreign("longer principal", "execute", item("Query", "vault", "T#acme#U#alice2")),
		foreign("shorter principal", "execute", item("Query", "vault", "T#acme#U#alic")),
		foreign("principal with a separator", "execute", item("Query", "vault", "T#acme#U#alice#x")),
		foreign("other principal's idempotency", "execute", item("UpdateItem", "flow", "T#acme#U#bob")),
		foreign("stores for another principal", "connect", item("PutItem", "vault", "T#acme#U#bob")),
		foreign("stores for the tenant itself", "connect", item("PutItem", "vault", "T#acme#U#_org")),
		foreign("shows another principal's connections", "portal", item("Query", "vault", "T#acme#U#bob")),
		foreign("ends another principal's connections", "portal", item("PutItem", "vault", "T#acme#U#bob")),
		foreign("reads what was done for another principal", "portal", item("GetItem", "flow", "T#acme#R#bob")),
		foreign("reads the trail from the portal", "portal", item("Query", "audit", "T#acme#A#2026112211")),
		foreign("reads connect links from the portal", "portal", item("GetItem", "flow", "T#acme#F#L#x")),
		foreign("reads tool answers from the portal", "portal", item("GetItem", "flow", "T#acme#U#alice")),
		foreign("reads what another principal allowed MCP clients", "portal", item("Query", "flow", "T#acme#M#bob")),
		foreign("allows an MCP client for another principal", "portal", item("PutItem", "flow", "T#acme#M#bob")),
		foreign("reads a login of another tenant", "portal", item("GetItem", "flow", "T#globex#O#login")),
		foreign("erases a used code", "portal", item("DeleteItem", "flow", "T#acme#O#login")),
		foreign("makes a code where credentials are stored", "connect", item("PutItem", "flow", "T#acme#O#login")),
		foreign("makes a login where tools are called", "execute", item("PutItem", "flow", "T#acme#M#alice")),
		foreign("reads logins where tools are called", "execute", item("GetItem", "flow", "T#acme#O#login")),
		foreign("gives tokens for another tenant's code", "directory", item("GetItem", "flow", "T#globex#O#login")),
		foreign("ends another tenant's logins", "directory", item("PutItem", "flow", "T#globex#M#alice")),
		foreign("switches the deployment off", "directory", item("PutItem", "vault", "T#_deployment#S")),
		bare("reads a tenant's login without its role", "portal", item("GetItem", "flow", "T#acme#O#login")),
		bare("parks a request where tokens are given", "admin", item("PutItem", "flow", "T#_deployment#O#login")),
		foreign("writes its own list", "portal", item("PutItem", "flow", "T#acme#R#alice")),
		foreign("approves for another principal", "connect", item("PutItem", "flow", "T#acme#U#bob")),
		foreign("reads another principal's approvals", "connect", item("Query", "flow", "T#acme#U#bob")),
		foreign("approves in another tenant", "connect", item("PutItem", "flow", "T#globex#U#alice")),
		foreign("erases an approval", "connect", item("DeleteItem", "flow", "T#acme#U#alice")),
		foreign("resets a budget", "connect", item("UpdateItem", "flow", "T#acme#B")),
		foreign("approves as the directory", "directory", item("PutItem", "flow", "T#acme#U#alice")),
		foreign("own and another principal in one batch", "execute", item("BatchGetItem", "vault", "T#acme#U#alice", "T#acme#U#bob")),
		foreign("own and another tenant in one batch", "execute", item("BatchGetItem", "vault", "T#acme#U#alice", "T#globex#U#alice")),
		foreign("a foreign item hidden among fifty", "refresh", item("BatchGetItem", "vault", append(many("T#acme#U#alice", 50), "T#globex#K")...)),
		foreign("a transaction with one foreign write", "connect", item("PutItem", "vault", "T#acme#U#alice"), item("PutItem", "vault", "T#acme#U#bob")),
		foreign("a transaction with one foreign check", "refresh", item("PutItem", "vault", "T#acme#U#alice"), item("ConditionCheckItem", "vault", "T#globex#U#alice")),
	}
}

// stateAttacks are on the rows by which a tenant or a principal is switched off: by those who must not undo it.
func stateAttacks() []attempt {
	var out []attempt
	for _, action := range []string{"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "ConditionCheckItem"} {
		out = append(out,
			foreign(action+" on the principal's own rows, its state among them", "execute", item(action, "vault", "T#acme#U#alice")),
			foreign(action+" on the tenant's state", "execute", item(action, "vault", "T#acme#S")),
			foreign(action+" on the tenant's state", "connect", item(action, "vault", "T#acme#S")),
			foreign(action+" on the tenant's state", "refresh", item(action, "vault", "T#acme#S")),
			foreign(action+" on another tenant's state", "directory", item(action, "vault", "T#globex#S")),
			foreign(action+" on the tenant's settings", "execute", item(action, "directory", "T#acme#D")),
			foreign(action+" on the tenant's settings and issuer", "connect", item(action, "directory", "T#acme#D")),
			foreign(action+" on the tenant's keys", "execute", item(action, "vault", "T#acme#K")))
	}
	return append(out,
		foreign("reads the vault's stream, of which there is none to read", "execute", item("GetRecords", "vault/stream/2026-01-01T00:00:00.000")),
		foreign("own state in a batch with another's", "execute", item("BatchGetItem", "vault", "T#acme#S", "T#globex#S")),
		foreign("writes by SQL", "execute", item("PartiQLUpdate", "vault", "T#acme#U#alice")),
		foreign("inserts by SQL", "connect", item("PartiQLInsert", "vault", "T#acme#U#alice")),
		foreign("deletes by SQL", "refresh", item("PartiQLDelete", "vault", "T#acme#U#alice")),
		foreign("a transaction that writes the own connection and the tenant's state", "connect", item("PutItem", "vault", "T#acme#U#alice"), item("UpdateItem", "vault", "T#acme#S")),
		foreign("reads the index of the audit table, of which there is none", "directory", item("Query", "audit/index/due", "T#acme#A#2026112211")),
		// Leading keys tell partitions apart, not rows within one: what connect may write for its principal covers the state row. The
		// condition of each write, and that only scim and admin write that row, hold it; docs/security.md says so.
		own("could write its own principal's state row: IAM cannot tell rows apart", "connect", item("UpdateItem", "vault", "T#acme#U#alice")))
}

// TestAttempts_EveryKindOfTheDesignIsThere counts what the design asks to be tried, by what is asked for and not by name.
func TestAttempts_EveryKindOfTheDesignIsThere(t *testing.T) {
	t.Parallel()
	refused, kinds := 0, map[string]int{}
	for _, a := range attempts(judgeOf(t, load(t))) {
		if a.may {
			kinds["own"]++
			continue
		}
		refused++
		for _, k := range kindsOf(a) {
			kinds[k]++
		}
	}
	for kind, least := range map[string]int{"own": 18, "other tenant": 15, "other principal": 5, "prefix": 10, "no leading keys": 12, "batch or transaction": 5, "scan": 4, "sql": 8,
		"index": 8, "stream": 12, "context": 8, "purpose": 3, "assume": 2, "state": 30} {
		if kinds[kind] < least {
			t.Errorf("%s: %d attempts, want %d", kind, kinds[kind], least)
		}
	}
	if refused < 80 {
		t.Errorf("%d foreign attempts, want 80", refused)
	}
	t.Logf("%d foreign attempts: %v", refused, kinds)
}

// kindsOf names what an attempt tries.
func kindsOf(a attempt) []string {
	var out []string
	add := func(kind string, is bool) {
		if is {
			out = append(out, kind)
		}
	}
	ask := a.asks[0]
	text := fmt.Sprint(a.asks)
	action := ask.action[strings.IndexByte(ask.action, ':')+1:]
	add("other tenant", strings.Contains(text, "globex"))
	add("other principal", strings.Contains(text, "#bob") || strings.Contains(text, "_org"))
	add("prefix", strings.Contains(text, "acme2") || strings.Contains(text, "acm#") || strings.Contains(text, "alice2") || strings.Contains(text, "alic]") || strings.Contains(text, "alice#x") || strings.Contains(text, "T#*") || strings.Contains(text, "T##") || strings.Contains(text, "ACME") || strings.Contains(fmt.Sprint(a.tags), "*"))
	add("no leading keys", strings.HasPrefix(ask.action, "dynamodb:") && len(ask.context["dynamodb:leadingkeys"]) == 0)
	add("batch or transaction", len(a.asks) > 1 || len(ask.context["dynamodb:leadingkeys"]) > 1)
	add("scan", action == "Scan")
	add("sql", strings.HasPrefix(action, "PartiQL"))
	add("index", strings.Contains(ask.resource, "/index/"))
	add("stream", strings.Contains(ask.resource, "/stream/"))
	add("context", strings.HasPrefix(ask.action, "kms:") && !strings.Contains(text, "globex"))
	add("purpose", strings.Contains(a.name, "refresh token") || strings.Contains(a.name, "client secret"))
	add("assume", strings.HasPrefix(ask.action, "sts:"))
	add("state", strings.Contains(a.name, "state") || strings.Contains(a.name, "settings"))
	return out
}

func many(s string, n int) []string { return strings.Fields(strings.Repeat(s+" ", n)) }

func wholeTableAttacks() []attempt {
	var out []attempt
	for _, r := range []string{"execute", "refresh", "connect", "directory", "keys", "notify"} {
		out = append(out,
			foreign("scans the vault", r, item("Scan", "vault")),
			foreign("scans with a leading key", r, item("Scan", "vault", "T#acme#U#alice")),
			foreign("selects by SQL", r, item("PartiQLSelect", "vault", "T#acme#U#alice")),
			foreign("selects by SQL without a key", r, item("PartiQLSelect", "vault")),
			foreign("exports the table", r, item("ExportTableToPointInTime", "vault")),
			foreign("reads without leading keys", r, item("GetItem", "vault")),
			foreign("queries without leading keys", r, item("Query", "vault")),
			foreign("writes audit without leading keys", r, item("PutItem", "audit")),
			foreign("queries the index of due connections", r, item("Query", "vault/index/due", "D#0")),
			foreign("queries the index by an own key", r, item("Query", "vault/index/due", "T#acme#U#alice")),
			foreign("reads the audit stream", r, item("GetRecords", "audit/stream/2026-01-01T00:00:00.000")),
			foreign("opens the audit stream", r, item("GetShardIterator", "audit/stream/2026-01-01T00:00:00.000")),
			foreign("describes the audit stream", r, item("DescribeStream", "audit/stream/2026-01-01T00:00:00.000")),
			foreign("rewrites the audit trail", r, item("UpdateItem", "audit", "T#acme#A#2026112211")),
			foreign("erases the audit trail", r, item("DeleteItem", "audit", "T#acme#A#2026112211")),
			foreign("forges the chain", r, item("PutItem", "audit", "T#acme#H")),
		)
	}
	return out
}

func keyAttacks(j judge) []attempt {
	vault := func(action, context string) ask { return j.wrapped(action, "VaultKey", context) }
	ctx := func(tenant, purpose string) string {
		return "app=behalf env=local tenant=" + tenant + " purpose=" + purpose + " ver=1"
	}
	return []attempt{
		own("opens its access token", "execute", vault("Decrypt", ctx("acme", "at"))),
		own("opens its refresh token", "refresh", vault("Decrypt", ctx("acme", "rt"))),
		own("makes a tenant key", "refresh", vault("GenerateDataKey", ctx("acme", "rt"))),
		own("opens the deployment's client secret", "refresh", vault("Decrypt", ctx("_deployment", "cs"))),
		own("opens the deployment's client secret", "connect", vault("Decrypt", ctx("_deployment", "cs"))),
		foreign("opens a refresh token", "execute", vault("Decrypt", ctx("acme", "rt"))),
		foreign("opens a client secret", "execute", vault("Decrypt", ctx("acme", "cs"))),
		foreign("opens the deployment's client secret", "execute", vault("Decrypt", ctx("_deployment", "cs"))),
		foreign("makes a tenant key", "execute", vault("GenerateDataKey", ctx("acme", "at"))),
		foreign("opens another tenant's access token", "execute", vault("Decrypt", ctx("globex", "at"))),
		foreign("opens another tenant's refresh token", "refresh", vault("Decrypt", ctx("globex", "rt"))),
		foreign("opens a longer tenant's token", "connect", vault("Decrypt", ctx("acme2", "at"))),
		foreign("makes a key of the deployment", "refresh", vault("GenerateDataKey", ctx("_deployment", "cs"))),
		foreign("opens an access token of the deployment", "connect", vault("Decrypt", ctx("_deployment", "at"))),
		own("opens its webhook secret", "notify", vault("Decrypt", ctx("acme", "wh"))),
		own("opens a webhook secret to renew it", "keys", vault("Decrypt", ctx("acme", "wh"))),
		own("makes a key for webhook secrets", "keys", vault("GenerateDataKey", ctx("acme", "wh"))),
		foreign("renews another tenant's webhook secret", "keys", vault("Decrypt", ctx("globex", "wh"))),
		own("makes a key for webhook secrets", "notify", vault("GenerateDataKey", ctx("acme", "wh"))),
		foreign("opens its tenant's access token", "notify", vault("Decrypt", ctx("acme", "at"))),
		foreign("opens its tenant's refresh token", "notify", vault("Decrypt", ctx("acme", "rt"))),
		foreign("opens its tenant's client secret", "notify", vault("Decrypt", ctx("acme", "cs"))),
		foreign("opens the deployment's client secret", "notify", vault("Decrypt", ctx("_deployment", "cs"))),
		foreign("opens another tenant's webhook secret", "notify", vault("Decrypt", ctx("globex", "wh"))),
		foreign("forges the deployment's webhooks", "notify", vault("Decrypt", ctx("_deployment", "wh"))),
		foreign("makes a key for tokens", "notify", vault("GenerateDataKey", ctx("acme", "at"))),
		foreign("forges webhooks", "execute", vault("Decrypt", ctx("acme", "wh"))),
		foreign("forges webhooks", "refresh", vault("Decrypt", ctx("acme", "wh"))),
		foreign("forges webhooks", "connect", vault("Decrypt", ctx("acme", "wh"))),
		foreign("forges webhooks", "directory", vault("Decrypt", ctx("acme", "wh"))),
		foreign("no context", "execute", vault("Decrypt", "")),
		foreign("no tenant", "execute", vault("Decrypt", "app=behalf env=local purpose=at ver=1")),
		foreign("no purpose", "execute", vault("Decrypt", "app=behalf env=local tenant=acme ver=1")),
		foreign("no version", "execute", vault("Decrypt", "app=behalf env=local tenant=acme purpose=at")),
		foreign("another stage", "execute", vault("Decrypt", "app=behalf env=prod tenant=acme purpose=at ver=1")),
		foreign("another app", "execute", vault("Decrypt", "app=other env=local tenant=acme purpose=at ver=1")),
		foreign("one key too many", "execute", vault("Decrypt", ctx("acme", "at")+" x=1")),
		foreign("a key in another case", "execute", vault("Decrypt", "app=behalf env=local Tenant=acme purpose=at ver=1")),
		foreign("any key at all", "directory", vault("Decrypt", ctx("acme", "at"))),
		foreign("makes any key at all", "directory", vault("GenerateDataKey", ctx("acme", "at"))),
		foreign("hands the key on", "connect", vault("CreateGrant", ctx("acme", "at"))),
		foreign("decrypts with the tables' key", "execute", j.wrapped("Decrypt", "TableKey", ctx("acme", "at"))),
		foreign("decrypts with the tables' key", "refresh", j.wrapped("Decrypt", "TableKey", ctx("acme", "at"))),
		foreign("decrypts with the tables' key", "refresh", j.wrapped("Decrypt", "TableKey", ctx("_deployment", "cs"))),
		foreign("decrypts with the tables' key", "connect", j.wrapped("Decrypt", "TableKey", ctx("acme", "at"))),
		foreign("decrypts with the tables' key", "connect", j.wrapped("Decrypt", "TableKey", ctx("_deployment", "cs"))),
		own("opens its refresh token", "keys", vault("Decrypt", ctx("acme", "rt"))),
		own("makes a tenant key", "keys", vault("GenerateDataKey", ctx("acme", "cs"))),
		{"makes a key of the deployment", "tenant-keys", tagged("_deployment", ""), []ask{vault("GenerateDataKey", ctx("_deployment", "cs"))}, true},
		foreign("opens another tenant's refresh token", "keys", vault("Decrypt", ctx("globex", "rt"))),
		foreign("opens a longer tenant's token", "keys", vault("Decrypt", ctx("acme2", "rt"))),
		foreign("makes a key of another tenant", "keys", vault("GenerateDataKey", ctx("globex", "rt"))),
		foreign("opens the deployment's client secret", "keys", vault("Decrypt", ctx("_deployment", "cs"))),
		foreign("opens for an unknown purpose", "keys", vault("Decrypt", ctx("acme", "session"))),
		foreign("one key too many", "keys", vault("Decrypt", ctx("acme", "at")+" x=1")),
		{"a session without tags", "tenant-keys", nil, []ask{vault("Decrypt", ctx("acme", "at"))}, false},
		foreign("decrypts with the tables' key", "keys", j.wrapped("Decrypt", "TableKey", ctx("acme", "at"))),
		bare("opens a refresh token before it assumes a role", "keys", vault("Decrypt", ctx("acme", "rt"))),
		foreign("signs a session", "keys", j.wrapped("Sign", "SessionKey", "")),
		foreign("decrypts with the tables' key", "notify", j.wrapped("Decrypt", "TableKey", ctx("acme", "wh"))),
		foreign("signs a session", "execute", j.wrapped("Sign", "SessionKey", "")),
		bare("opens an access token before it assumes a role", "execute", vault("Decrypt", ctx("acme", "at"))),
		bare("opens a refresh token before it assumes a role", "refresh", vault("Decrypt", ctx("acme", "rt"))),
		bare("signs a session", "authorizer", j.wrapped("Sign", "SessionKey", "")),
		bare("opens anything", "admin", vault("Decrypt", ctx("acme", "at"))),
	}
}

// customerAttacks are on a KMS key that a tenant brings.
func customerAttacks(j judge) []attempt {
	ctx := func(tenant, purpose string) string {
		return "app=behalf env=local tenant=" + tenant + " purpose=" + purpose + " ver=3"
	}
	on := func(arn, action, context string) ask {
		a := j.wrapped(action, "CustomerKey", context)
		a.resource = arn
		return a
	}
	customer := func(action, context string) ask { return on(customerKey, action, context) }
	var out []attempt
	for _, r := range []string{"refresh", "connect", "keys"} {
		out = append(out,
			own("opens its refresh token", r, customer("Decrypt", ctx("acme", "rt"))),
			own("makes a tenant key", r, customer("GenerateDataKey", ctx("acme", "at"))),
			foreign("opens another tenant's token", r, customer("Decrypt", ctx("globex", "rt"))),
			foreign("makes another tenant's key", r, customer("GenerateDataKey", ctx("globex", "at"))),
			foreign("opens the deployment's client secret", r, customer("Decrypt", ctx("_deployment", "cs"))),
			foreign("without a context", r, customer("Decrypt", "")),
			foreign("with another stage's context", r, customer("Decrypt", "app=behalf env=prod tenant=acme purpose=at ver=1")),
			foreign("hands the key on", r, customer("CreateGrant", ctx("acme", "at"))),
			foreign("uses a key of an account that is not named", r, on(otherKey, "Decrypt", ctx("acme", "at"))),
			attempt{"a session without tags", "tenant-" + r, nil, []ask{customer("Decrypt", ctx("acme", "at"))}, false},
		)
	}
	return append(out,
		own("opens its access token", "execute", customer("Decrypt", ctx("acme", "at"))),
		foreign("opens a refresh token", "execute", customer("Decrypt", ctx("acme", "rt"))),
		foreign("makes a tenant key", "execute", customer("GenerateDataKey", ctx("acme", "at"))),
		foreign("opens another tenant's token", "execute", customer("Decrypt", ctx("globex", "at"))),
		foreign("uses a key of an account that is not named", "execute", on(otherKey, "Decrypt", ctx("acme", "at"))),
		foreign("opens anything", "directory", customer("Decrypt", ctx("acme", "at"))),
		bare("opens a token before it assumes a role", "keys", customer("Decrypt", ctx("acme", "at"))),
	)
}

func functionAttacks() []attempt {
	return []attempt{
		bare("reads the vault before it assumes a role", "execute", item("Query", "vault", "T#acme#U#alice")),
		bare("assumes the role that it is served by", "execute", role("sts:AssumeRole", "tenant-execute")),
		bare("assumes the refresh role", "execute", role("sts:AssumeRole", "tenant-refresh")),
		bare("asks for a revocation", "execute", lambda("revoke")),
		bare("forges a refresh message", "execute", queue("SendMessage", "refresh")),
		bare("forges a revocation message", "execute", queue("SendMessage", "revoke")),
		bare("drains the revocations", "callback", queue("ReceiveMessage", "revoke")),
		bare("asks for a revocation", "callback", lambda("revoke")),
		bare("tells the back end of an approval that nobody gave", "execute", event("behalf-local")),
		foreign("tells the back end of an approval that nobody gave", "execute", event("behalf-local")),
		bare("publishes on another bus", "audit", event("default")),
		foreign("changes a view of the deployment", "execute", item("PutItem", "vault", "T#_deployment#S")),
		foreign("changes a view of the deployment for a tenant", "directory", item("PutItem", "vault", "T#_deployment#S")),
		bare("forges a refresh message", "scim", queue("SendMessage", "refresh")),
		bare("reads the vault before it assumes a role", "callback", item("Query", "vault", "T#acme#U#alice")),
		bare("reads the vault table behind the index", "refresh", item("Query", "vault", "T#acme#U#alice")),
		bare("scans the index", "refresh", item("Scan", "vault/index/due")),
		bare("lists a tenant's users", "authorizer", item("Query", "directory", "T#acme#AUTH")),
		bare("reads a tenant's directory", "authorizer", item("GetItem", "directory", "T#acme#SCIM")),
		bare("makes itself an API key", "authorizer", item("PutItem", "directory", "T#_deployment#AUTH")),
		bare("reads a tenant's directory", "admin", item("Query", "directory", "T#acme#SCIM")),
		bare("makes a SCIM token without the tenant's role", "admin", item("PutItem", "directory", "T#acme#AUTH")),
		bare("reads the audit table without a chain", "audit", item("Query", "audit", "T#acme#A#2026112211")),
		bare("reads the vault from the sealer", "audit", item("Query", "vault", "T#acme#U#alice")),
		bare("reads the vault before it assumes a role", "keys", item("Query", "vault", "T#acme#K")),
		bare("deletes a tenant's keys before it assumes a role", "keys", item("DeleteItem", "vault", "T#acme#K")),
		bare("adds a tenant to the list", "keys", item("PutItem", "directory", "T#_deployment#D")),
		bare("lists API keys", "keys", item("Query", "directory", "T#_deployment#AUTH")),
		bare("assumes the directory role", "keys", role("sts:AssumeRole", "tenant-directory")),
		bare("drains the revocations", "scim", queue("ReceiveMessage", "revoke")),
		bare("reads the vault before it assumes a role", "notify", item("Query", "vault", "T#acme#W")),
		bare("asks for a refresh", "notify", lambda("refresh")),
		bare("forges a revocation message", "notify", queue("SendMessage", "revoke")),
		bare("forges a webhook message", "execute", queue("SendMessage", "webhooks")),
		bare("forges a webhook message", "admin", queue("SendMessage", "webhooks")),
		bare("reads webhooks on their way", "refresh", queue("ReceiveMessage", "webhooks")),
		bare("takes back what it put aside", "notify", queue("ReceiveMessage", "webhooks-dead")),
	}
}

func attempts(j judge) []attempt {
	var out []attempt
	for _, group := range [][]attempt{legitimate(), tenantAttacks(), principalAttacks(), stateAttacks(), wholeTableAttacks(), keyAttacks(j), customerAttacks(j), functionAttacks()} {
		out = append(out, group...)
	}
	return out
}

func TestAttempts_OwnIsAllowed_ForeignIsRefused(t *testing.T) {
	t.Parallel()
	j := judgeOf(t, load(t))
	for _, a := range attempts(j) {
		if _, ok := j.roles[a.role]; !ok {
			t.Errorf("%s: there is no role %s", a.name, a.role)
		}
	}
	for role := range j.roles {
		for _, f := range attemptFaults(t, j, role) {
			t.Error(f)
		}
	}
}

// attemptFaults judges the attempts of one role.
func attemptFaults(t *testing.T, j judge, role string) []string {
	t.Helper()
	var faults []string
	for _, a := range attempts(j) {
		if a.role != role {
			continue
		}
		allowed := true
		for _, ask := range a.asks {
			allowed = allowed && j.decide(t, a.role, a.tags, ask).Allowed
		}
		if allowed != a.may {
			faults = append(faults, fmt.Sprintf("%s: %s: allowed %v", a.role, a.name, allowed))
		}
	}
	return faults
}

// A permission that someone adds later must not open these: they are denied, not only not allowed.
func TestWholeTable_TenantRoles_AreDeniedExplicitly(t *testing.T) {
	t.Parallel()
	j := judgeOf(t, load(t))
	for r := range assumers {
		for _, f := range denyFaults(t, j, r) {
			t.Error(f)
		}
	}
}

func denyFaults(t *testing.T, j judge, role string) []string {
	t.Helper()
	var faults []string
	for _, action := range strings.Fields("Scan PartiQLSelect PartiQLInsert PartiQLUpdate PartiQLDelete ExportTableToPointInTime DescribeStream GetRecords GetShardIterator") {
		for _, on := range []string{"vault", "audit", "audit/stream/2026-01-01T00:00:00.000", "vault/index/due"} {
			if !j.decide(t, role, session(role), item(action, on, "T#acme#K")).ExplicitDeny {
				faults = append(faults, role+": "+action+" on "+on+" is not denied explicitly")
			}
		}
	}
	return faults
}
