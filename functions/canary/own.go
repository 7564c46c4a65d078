package canary

import (
	"context"

	"behalf.dev/behalf/shared/tenant"
)

// ownItems are what each role needs for its job.
func (a attacker) ownItems() []attempt {
	t, mine := a.tables, ofPrincipal(own, principal)
	execute, refresh, connect, directory := a.sessions["execute"], a.sessions["refresh"], a.sessions["connect"], a.sessions["directory"]
	portal, keys, notify := a.sessions["portal"], a.sessions["keys"], a.sessions["notify"]
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
		{"portal: own connections", true, func(ctx context.Context) error { return portal.query(ctx, t.Vault, mine) }},
		{"portal: own list of what was done", true, func(ctx context.Context) error { return portal.get(ctx, t.Flow, at(own, "R#"+string(principal))) }},
		{"directory: own users", true, func(ctx context.Context) error { return directory.query(ctx, t.Directory, at(own, "SCIM")) }},
		{"directory: own audit", true, func(ctx context.Context) error { return directory.query(ctx, t.Audit, at(own, "A#"+a.hour)) }},
		{"keys: own keys", true, func(ctx context.Context) error { return keys.query(ctx, t.Vault, at(own, "K")) }},
		{"keys: own slots", true, func(ctx context.Context) error { return keys.batch(ctx, t.Vault, mine) }},
		{"notify: own webhooks", true, func(ctx context.Context) error { return notify.query(ctx, t.Vault, at(own, "W")) }},
	}
}

// ownKeys are the tenant keys that each role needs.
func (a attacker) ownKeys() []attempt {
	var out []attempt
	for _, role := range rights() {
		for _, purpose := range role.opens {
			out = append(out, attempt{role.name + ": own key " + purpose, true, func(ctx context.Context) error {
				return a.sessions[role.name].decrypt(ctx, a.key, a.wrapped[own][purpose], a.context(own, purpose))
			}})
		}
	}
	return out
}

// beyondTheJob are rows of the own tenant, and of the own principal, that a role has no business with.
func (a attacker) beyondTheJob() []attempt {
	t, mine := a.tables, ofPrincipal(own, principal)
	list := func(p tenant.Principal) string { return at(own, "R#"+string(p)) }
	refuse := func(role, what string, do func(context.Context, session) error) attempt {
		return attempt{role + ": " + what, false, func(ctx context.Context) error { return do(ctx, a.sessions[role]) }}
	}
	out := []attempt{
		refuse("execute", "changes own connections", func(ctx context.Context, s session) error { return s.put(ctx, t.Vault, mine) }),
		refuse("execute", "reads own audit", func(ctx context.Context, s session) error { return s.query(ctx, t.Audit, at(own, "A#"+a.hour)) }),
		refuse("portal", "reads own audit", func(ctx context.Context, s session) error { return s.query(ctx, t.Audit, at(own, "A#"+a.hour)) }),
		refuse("portal", "reads connect links", func(ctx context.Context, s session) error { return s.get(ctx, t.Flow, at(own, "F#L#canary")) }),
		refuse("portal", "reads tool answers", func(ctx context.Context, s session) error { return s.get(ctx, t.Flow, mine) }),
		refuse("portal", "writes the list that it shows", func(ctx context.Context, s session) error { return s.put(ctx, t.Flow, list(principal)) }),
		refuse("portal", "reads what was done for "+string(other), func(ctx context.Context, s session) error { return s.get(ctx, t.Flow, list(other)) }),
		refuse("keys", "makes a connection", func(ctx context.Context, s session) error { return s.put(ctx, t.Vault, mine) }),
		refuse("keys", "deletes a connection", func(ctx context.Context, s session) error { return s.remove(ctx, t.Vault, mine) }),
		refuse("notify", "reads own connections", func(ctx context.Context, s session) error { return s.query(ctx, t.Vault, mine) }),
	}
	for _, role := range []string{"execute", "portal", "keys", "notify"} {
		out = append(out, refuse(role, "reads own users", func(ctx context.Context, s session) error { return s.query(ctx, t.Directory, at(own, "SCIM")) }))
	}
	for _, role := range []string{"execute", "refresh", "connect", "portal", "keys"} {
		out = append(out, refuse(role, "reads own webhooks", func(ctx context.Context, s session) error { return s.query(ctx, t.Vault, at(own, "W")) }))
	}
	for _, role := range []string{"execute", "portal", "notify"} {
		out = append(out, refuse(role, "reads own clients", func(ctx context.Context, s session) error { return s.get(ctx, t.Vault, at(own, "X")) }))
	}
	return out
}
