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
	victims := map[string]session{}
	for _, role := range rights() {
		var err error
		if a.sessions[role.name], err = f.vend(ctx, role, own); err != nil {
			return nil, err
		}
		if victims[role.name], err = f.vend(ctx, role, foreign); err != nil {
			return nil, err
		}
	}
	for t, sessions := range map[tenant.ID]map[string]session{own: a.sessions, foreign: victims} {
		a.wrapped[t] = map[string][]byte{}
		for purpose, maker := range purposes() {
			var err error
			if a.wrapped[t][purpose], err = sessions[maker].generate(ctx, f.key, f.context(t, purpose)); err != nil {
				return nil, fmt.Errorf("make a key of %s for %s: %w", t, purpose, err)
			}
		}
	}
	out := append(a.ownItems(), a.ownKeys()...)
	for _, role := range rights() {
		out = append(out, a.foreignItems(role)...)
		out = append(out, a.wholeTables(role.name)...)
		out = append(out, a.foreignKeys(role)...)
		out = append(out, a.foreignRoles(role.name, a.sessions[role.name].sts)...)
	}
	return append(append(out, a.beyondTheJob()...), a.foreignTags()...), nil
}

// context is the encryption context of a tenant key.
func (f *Function) context(t tenant.ID, purpose string) map[string]string {
	return map[string]string{"app": "behalf", "env": f.stage, "tenant": string(t), "purpose": purpose, "ver": "1"}
}

// foreignItems are partitions of the other tenant, of another principal and of the deployment, alone and hidden behind own ones.
func (a attacker) foreignItems(r right) []attempt {
	role, s, t := r.name, a.sessions[r.name], a.tables
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
	for _, part := range []string{"K", "L", "S", "X", "W"} {
		out = append(out, attempt{role + ": another tenant's " + part, false, func(ctx context.Context) error { return s.get(ctx, t.Vault, at(foreign, part)) }})
	}
	for _, part := range []string{"D", "SCIM", "AUTH"} {
		out = append(out, attempt{role + ": another tenant's " + part, false, func(ctx context.Context) error { return s.get(ctx, t.Directory, at(foreign, part)) }})
	}
	if r.byPrincipal {
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
func (a attacker) foreignKeys(r right) []attempt {
	role, s := r.name, a.sessions[r.name]
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
	for purpose := range purposes() {
		out = append(out, decrypt("another tenant's key "+purpose, foreign, purpose, nil))
		if !r.mayOpen(purpose) {
			out = append(out, decrypt("own key "+purpose, own, purpose, nil))
		}
		if !r.makes || !r.mayOpen(purpose) {
			out = append(out, generate("makes own key "+purpose, own, purpose))
		}
	}
	return out
}

// foreignRoles are steps from vended credentials to others.
func (a attacker) foreignRoles(role string, c *sts.Client) []attempt {
	var out []attempt
	for _, target := range rights() {
		out = append(out, attempt{role + ": becomes " + target.name + " of another tenant", false, func(ctx context.Context) error {
			return assume(ctx, c, a.roles[target.name], "tenant", string(foreign), "principal", string(principal))
		}})
	}
	return out
}

// foreignTags are roles asked for by the canary itself with tags that it must not bring.
func (a attacker) foreignTags() []attempt {
	c := sts.NewFromConfig(a.aws)
	var out []attempt
	for _, r := range rights() {
		role := r.name
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
		if r.byPrincipal {
			out = append(out, attempt{"canary: becomes " + role + " without a principal", false, func(ctx context.Context) error {
				return assume(ctx, c, a.roles[role], "tenant", string(own))
			}})
		}
	}
	return out
}
