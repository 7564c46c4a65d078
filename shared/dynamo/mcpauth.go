package dynamo

import (
	"context"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/mcpauth"
	"behalf.dev/behalf/shared/tenant"
)

// PutParked writes a request of nobody yet if the stored version is p's (0: none); fault.Conflict otherwise.
func (db *DB) PutParked(ctx context.Context, hash string, p mcpauth.Parked) (mcpauth.Parked, error) {
	old := p.Version
	p.Version++
	i, err := document(loginKey(tenant.Deployment, hash), p.Version, p)
	if err != nil {
		return p, err
	}
	i[AttrTTL] = num(p.Expires.Unix())
	_, err = db.put(ctx, db.names.Flow, i, old)
	return p, err
}

// Parked reads strongly; fault.NotFound.
func (db *DB) Parked(ctx context.Context, hash string) (p mcpauth.Parked, err error) {
	i, err := db.login(ctx, tenant.Deployment, hash)
	if err != nil {
		return p, err
	}
	if err := decode(i, &p); err != nil {
		return p, err
	}
	p.Version = number(i, attrVersion)
	return p, nil
}

func (db *DB) login(ctx context.Context, t tenant.ID, hash string) (item, error) {
	i, err := db.get(ctx, db.names.Flow, loginKey(t, hash))
	if err == nil && i == nil {
		err = fault.New(fault.NotFound, "this login does not exist or has expired; start again in your MCP client")
	}
	return i, err
}

// PutLogin writes l if the stored version is l's (0: none); fault.Conflict otherwise.
func (db *DB) PutLogin(ctx context.Context, hash string, l mcpauth.Login) (mcpauth.Login, error) {
	old := l.Version
	l.Version++
	i, err := document(loginKey(l.Tenant, hash), l.Version, l)
	if err != nil {
		return l, err
	}
	i[AttrTTL] = num(l.Expires.Add(keepAfter).Unix())
	_, err = db.put(ctx, db.names.Flow, i, old)
	return l, err
}

// Login reads strongly; fault.NotFound.
func (db *DB) Login(ctx context.Context, t tenant.ID, hash string) (l mcpauth.Login, err error) {
	i, err := db.login(ctx, t, hash)
	if err != nil {
		return l, err
	}
	if err := decode(i, &l); err != nil {
		return l, err
	}
	l.Version = number(i, attrVersion)
	return l, nil
}

// PutGrant writes g if the stored version is g's (0: none); fault.Conflict otherwise. It is kept for a day after its end.
func (db *DB) PutGrant(ctx context.Context, g mcpauth.Grant) (mcpauth.Grant, error) {
	old := g.Version
	g.Version++
	i, err := document(loginGrantKey(g.Scope, g.Session), g.Version, g)
	if err != nil {
		return g, err
	}
	i[AttrTTL] = num(g.Ends.Add(keepAfter).Unix())
	_, err = db.put(ctx, db.names.Flow, i, old)
	return g, err
}

// Grant reads strongly; fault.NotFound.
func (db *DB) Grant(ctx context.Context, s tenant.Scope, session string) (g mcpauth.Grant, err error) {
	i, err := db.get(ctx, db.names.Flow, loginGrantKey(s, session))
	if err == nil && i == nil {
		err = fault.New(fault.NotFound, "there is no such login")
	}
	if err != nil {
		return g, err
	}
	return readLoginGrant(i)
}

func readLoginGrant(i item) (g mcpauth.Grant, err error) {
	err = decode(i, &g)
	g.Version = number(i, attrVersion)
	return g, err
}

// GrantsOf lists what a principal allowed MCP clients, oldest first.
func (db *DB) GrantsOf(ctx context.Context, s tenant.Scope) (out []mcpauth.Grant, err error) {
	items, _, err := db.query(ctx, db.names.Flow, page{pk: loginGrantPartition(s), prefix: loginGrantPrefix, strong: true})
	if err != nil {
		return nil, err
	}
	for _, i := range items {
		g, err := readLoginGrant(i)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

var (
	_ mcpauth.Parking  = (*DB)(nil)
	_ mcpauth.Logins   = (*DB)(nil)
	_ mcpauth.Grants   = (*DB)(nil)
	_ mcpauth.Standing = (*DB)(nil)
)
