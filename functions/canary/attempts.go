package canary

import (
	"context"
	"fmt"
	"maps"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/shared/tenant"
)

// attempt is one request. own ones must be allowed, all others refused.
type attempt struct {
	name string
	own  bool
	do   func(context.Context) error
}

// attacker is what the attempts need: a session of the own tenant for each role, and tenant keys of both tenants, wrapped.
type attacker struct {
	*Function
	sessions map[string]session
	wrapped  map[tenant.ID]map[string][]byte // by tenant and purpose
	hour     string                          // of the audit partition
}

// attempts vends the credentials and lists what to try with them.
func (f *Function) attempts(ctx context.Context) ([]attempt, error) {
	a := attacker{Function: f, sessions: map[string]session{}, wrapped: map[tenant.ID]map[string][]byte{}, hour: f.now().UTC().Format("2006010215")}
	for _, role := range roleNames() {
		s, err := f.vend(ctx, role, own)
		if err != nil {
			return nil, err
		}
		a.sessions[role] = s
	}
	victim, err := f.vend(ctx, "refresh", foreign)
	if err != nil {
		return nil, err
	}
	for t, s := range map[tenant.ID]session{own: a.sessions["refresh"], foreign: victim} {
		a.wrapped[t] = map[string][]byte{}
		for _, purpose := range []string{"at", "rt", "cs"} {
			if a.wrapped[t][purpose], err = s.generate(ctx, f.key, f.context(t, purpose)); err != nil {
				return nil, fmt.Errorf("make a key of %s for %s: %w", t, purpose, err)
			}
		}
	}
	out := append(a.ownItems(), a.ownKeys()...)
	for _, role := range roleNames() {
		out = append(out, a.foreignItems(role)...)
		out = append(out, a.wholeTables(role)...)
		out = append(out, a.foreignKeys(role)...)
		out = append(out, a.foreignRoles(role, a.sessions[role].sts)...)
	}
	return append(out, a.foreignTags()...), nil
}

// context is the encryption context of a tenant key.
func (f *Function) context(t tenant.ID, purpose string) map[string]string {
	return map[string]string{"app": "behalf", "env": f.stage, "tenant": string(t), "purpose": purpose, "ver": "1"}
}

func (a attacker) ownItems() []attempt {
	t, mine := a.tables, ofPrincipal(own, principal)
	execute, refresh, connect, directory := a.sessions["execute"], a.sessions["refresh"], a.sessions["connect"], a.sessions["directory"]
	return []attempt{
		{"execute: own connections", true, func(ctx context.Context) error { return execute.query(ctx, t.Vault, mine) }},
		{"execute: own connections and keys in one batch", true, func(ctx context.Context) error {
			return execute.batch(ctx, t.Vault, mine, at(own, "K"), at(own, "S"))
		}},
		{"execute: own idempotency", true, func(ctx context.Context) error { return execute.put(ctx, t.Flow, mine) }},
		{"execute: own audit", true, func(ctx context.Context) error { return execute.put(ctx, t.Audit, at(own, "A#"+a.hour)) }},
		{"refresh: own connections in one transaction", true, func(ctx context.Context) error {
			return refresh.transact(ctx, t.Vault, mine, at(own, "L"))
		}},
		{"refresh: the deployment's clients", true, func(ctx context.Context) error { return refresh.get(ctx, t.Vault, at(tenant.Deployment, "X")) }},
		{"connect: own connections", true, func(ctx context.Context) error { return connect.put(ctx, t.Vault, mine) }},
		{"connect: own settings", true, func(ctx context.Context) error { return connect.get(ctx, t.Directory, at(own, "D")) }},
		{"directory: own users", true, func(ctx context.Context) error { return directory.query(ctx, t.Directory, at(own, "SCIM")) }},
		{"directory: own audit", true, func(ctx context.Context) error { return directory.query(ctx, t.Audit, at(own, "A#"+a.hour)) }},
	}
}

func (a attacker) ownKeys() []attempt {
	open := func(role, purpose string) attempt {
		return attempt{role + ": own key " + purpose, true, func(ctx context.Context) error {
			return a.sessions[role].decrypt(ctx, a.key, a.wrapped[own][purpose], a.context(own, purpose))
		}}
	}
	return []attempt{open("execute", "at"), open("refresh", "at"), open("refresh", "rt"), open("refresh", "cs"), open("connect", "cs")}
}

// foreignItems are partitions of the other tenant, of another principal and of the deployment, alone and hidden behind own ones.
func (a attacker) foreignItems(role string) []attempt {
	s, t := a.sessions[role], a.tables
	mine, theirs := ofPrincipal(own, principal), ofPrincipal(foreign, principal)
	out := []attempt{
		{role + ": another tenant's connections", false, func(ctx context.Context) error { return s.query(ctx, t.Vault, theirs) }},
		{role + ": a tenant whose name is longer", false, func(ctx context.Context) error { return s.query(ctx, t.Vault, ofPrincipal(own+"2", principal)) }},
		{role + ": own and another tenant in one batch", false, func(ctx context.Context) error { return s.batch(ctx, t.Vault, mine, theirs) }},
		{role + ": own and another tenant in one transaction", false, func(ctx context.Context) error { return s.transact(ctx, t.Vault, mine, theirs) }},
		{role + ": another tenant's audit", false, func(ctx context.Context) error { return s.put(ctx, t.Audit, at(foreign, "A#"+a.hour)) }},
		{role + ": erases own audit", false, func(ctx context.Context) error { return s.remove(ctx, t.Audit, at(own, "A#"+a.hour)) }},
		{role + ": forges own chain", false, func(ctx context.Context) error { return s.put(ctx, t.Audit, at(own, "H")) }},
		{role + ": another tenant's idempotency", false, func(ctx context.Context) error { return s.put(ctx, t.Flow, theirs) }},
		{role + ": API keys", false, func(ctx context.Context) error { return s.query(ctx, t.Directory, at(tenant.Deployment, "AUTH")) }},
		{role + ": list of tenants", false, func(ctx context.Context) error { return s.query(ctx, t.Directory, at(tenant.Deployment, "D")) }},
		{role + ": overwrites the deployment's client", false, func(ctx context.Context) error { return s.put(ctx, t.Vault, at(tenant.Deployment, "X")) }},
	}
	for _, part := range []string{"K", "L", "S", "X"} {
		out = append(out, attempt{role + ": another tenant's " + part, false, func(ctx context.Context) error { return s.get(ctx, t.Vault, at(foreign, part)) }})
	}
	for _, part := range []string{"D", "SCIM", "AUTH"} {
		out = append(out, attempt{role + ": another tenant's " + part, false, func(ctx context.Context) error { return s.get(ctx, t.Directory, at(foreign, part)) }})
	}
	if byPrincipal(role) {
		for _, who := range []tenant.Principal{other, tenant.Org} {
			neighbour := ofPrincipal(own, who)
			out = append(out,
				attempt{role + ": connections of " + string(who), false, func(ctx context.Context) error { return s.query(ctx, t.Vault, neighbour) }},
				attempt{role + ": own and those of " + string(who) + " in one batch", false, func(ctx context.Context) error { return s.batch(ctx, t.Vault, mine, neighbour) }},
				attempt{role + ": writes for " + string(who), false, func(ctx context.Context) error { return s.put(ctx, t.Vault, neighbour) }})
		}
	}
	return out
}

// wholeTables are the requests that name no partition, or no item.
func (a attacker) wholeTables(role string) []attempt {
	s, t := a.sessions[role], a.tables
	out := []attempt{
		{role + ": the index of due connections", false, func(ctx context.Context) error { return s.due(ctx, t.Vault) }},
		{role + ": SQL on own connections", false, func(ctx context.Context) error { return s.sql(ctx, t.Vault, ofPrincipal(own, principal)) }},
	}
	for _, table := range []string{t.Vault, t.Directory, t.Flow, t.Audit} {
		out = append(out, attempt{role + ": scans " + table, false, func(ctx context.Context) error { return s.scan(ctx, table) }})
	}
	return out
}

// foreignKeys are tenant keys of the other tenant, own ones of a purpose that the role must not open, and altered contexts.
func (a attacker) foreignKeys(role string) []attempt {
	s := a.sessions[role]
	decrypt := func(name string, of tenant.ID, purpose string, change map[string]string) attempt {
		encryption := a.context(of, purpose)
		maps.Copy(encryption, change)
		maps.DeleteFunc(encryption, func(_, v string) bool { return v == "" })
		return attempt{role + ": " + name, false, func(ctx context.Context) error { return s.decrypt(ctx, a.key, a.wrapped[of][purpose], encryption) }}
	}
	generate := func(name string, of tenant.ID, purpose string) attempt {
		return attempt{role + ": " + name, false, func(ctx context.Context) error {
			_, err := s.generate(ctx, a.key, a.context(of, purpose))
			return err
		}}
	}
	out := []attempt{
		generate("makes a key of the deployment", tenant.Deployment, "cs"), generate("makes another tenant's key", foreign, "rt"),
		decrypt("own key as another tenant's", own, "at", map[string]string{"tenant": string(foreign)}),
		decrypt("own key in another stage", own, "at", map[string]string{"env": a.stage + "2"}),
		decrypt("own key without a tenant", own, "at", map[string]string{"tenant": ""}),
		decrypt("own key without a purpose", own, "at", map[string]string{"purpose": ""}),
		decrypt("own key with one more key", own, "at", map[string]string{"x": "1"}),
		decrypt("own key with the tenant in another case", own, "at", map[string]string{"tenant": "", "Tenant": string(own)}),
	}
	for _, purpose := range []string{"at", "rt", "cs"} {
		out = append(out, decrypt("another tenant's key "+purpose, foreign, purpose, nil))
		if role == "directory" || role == "execute" && purpose != "at" {
			out = append(out, decrypt("own key "+purpose, own, purpose, nil))
		}
	}
	if role == "execute" || role == "directory" {
		out = append(out, generate("makes own key", own, "at"))
	}
	return out
}

// foreignRoles are steps from vended credentials to others.
func (a attacker) foreignRoles(role string, c *sts.Client) []attempt {
	var out []attempt
	for _, target := range roleNames() {
		out = append(out, attempt{role + ": becomes " + target + " of another tenant", false, func(ctx context.Context) error {
			return assume(ctx, c, a.roles[target], "tenant", string(foreign), "principal", string(principal))
		}})
	}
	return out
}

// foreignTags are roles asked for by the canary itself with tags that it must not bring.
func (a attacker) foreignTags() []attempt {
	c := sts.NewFromConfig(a.aws)
	var out []attempt
	for _, role := range roleNames() {
		for name, tags := range map[string][]string{
			"a customer":             {"tenant", "canary-customer", "principal", string(principal)},
			"the deployment":         {"tenant", string(tenant.Deployment), "principal", string(principal)},
			"nobody":                 nil,
			"an empty tenant":        {"tenant", "", "principal", string(principal)},
			"a tenant and a tag":     {"tenant", string(own), "principal", string(principal), "admin", "1"},
			"a principal of nobody":  {"principal", string(principal)},
			"a nameless canary":      {"tenant", "_canary-", "principal", string(principal)},
			"a tenant of similar id": {"tenant", "x_canary-a", "principal", string(principal)},
		} {
			out = append(out, attempt{"canary: becomes " + role + " of " + name, false, func(ctx context.Context) error { return assume(ctx, c, a.roles[role], tags...) }})
		}
		if byPrincipal(role) {
			out = append(out, attempt{"canary: becomes " + role + " without a principal", false, func(ctx context.Context) error {
				return assume(ctx, c, a.roles[role], "tenant", string(own))
			}})
		}
	}
	return out
}
