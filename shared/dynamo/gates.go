package dynamo

import (
	"context"
	"errors"
	"slices"
	"time"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// principalState is the row that step 1 of every execution reads. Ended sessions are in it and not in rows of their own,
// so that asking for a session and all its parents costs nothing on top, and needs no permission more.
type principalState struct {
	Suspended bool   `json:"suspended"`
	Reason    string `json:"reason,omitempty"`
	// Epoch counts suspensions.
	Epoch uint64      `json:"epoch"`
	Ended authn.Ended `json:"ended,omitzero"`
	// Groups are the principal's groups in the directory, by display name, for policies.
	Groups []string `json:"groups,omitempty"`
}

// SetSuspended suspends or restores a principal; changed tells whether it was otherwise before. Principals that never
// connected anything get their row too, so that a later connection meets it.
func (db *DB) SetSuspended(ctx context.Context, s tenant.Scope, suspended bool, reason string) (changed bool, err error) {
	return db.changeState(ctx, s, func(st *principalState) bool {
		if st.Suspended == suspended {
			return false
		}
		st.Suspended, st.Reason = suspended, reason
		if suspended {
			st.Epoch++
		}
		return true
	})
}

// SetGroups notes the principal's groups in the directory, for policies.
func (db *DB) SetGroups(ctx context.Context, s tenant.Scope, groups []string) error {
	_, err := db.changeState(ctx, s, func(st *principalState) bool {
		if slices.Equal(st.Groups, groups) {
			return false
		}
		st.Groups = groups
		return true
	})
	return err
}

// EndSession ends a session of a principal, and with it every session narrowed from it. Ending one that does not exist or
// has ended is no error: sessions are not stored.
func (db *DB) EndSession(ctx context.Context, s tenant.Scope, session string, now time.Time) error {
	_, err := db.changeState(ctx, s, func(st *principalState) bool {
		st.Ended = st.Ended.With(session, now)
		return true
	})
	return err
}

// changeState changes a principal's row; change reports whether there is anything to write.
func (db *DB) changeState(ctx context.Context, s tenant.Scope, change func(*principalState) bool) (changed bool, err error) {
	k := principalStateKey(s)
	for range maxRaces {
		i, err := db.get(ctx, db.names.Vault, k)
		if err != nil {
			return false, err
		}
		var st principalState
		if i != nil {
			if err := decode(i, &st); err != nil {
				return false, err
			}
		}
		if !change(&st) {
			return false, nil
		}
		old := number(i, attrVersion)
		doc, err := document(k, old+1, st)
		if err != nil {
			return false, err
		}
		if _, err = db.put(ctx, db.names.Vault, doc, old); err == nil {
			return true, nil
		} else if !errors.Is(err, errLost) {
			return false, err
		}
	}
	return false, fault.New(fault.RateLimited, "the principal's state changes too often; try again")
}

// tenantState is what every execution reads about the tenant.
type tenantState struct {
	Closed bool `json:"closed"`
}

// Gates reads tenant and principal state, and the switches of tenant and deployment, in one strong request. A tenant
// without a state row does not exist: closed.
func (db *DB) Gates(ctx context.Context, s tenant.Scope) (toolcall.Gates, error) {
	items, err := db.batchGet(ctx, db.names.Vault, []item{tenantStateKey(s.Tenant).item(), principalStateKey(s).item(), rulesKey(s.Tenant).item(), rulesKey(tenant.Deployment).item()})
	if err != nil {
		return shut(), err
	}
	return readGates(items)
}

// shut is the state that admits nobody.
func shut() toolcall.Gates { return toolcall.Gates{TenantClosed: true, Suspended: true} }

// readGates reads state rows. What cannot be read counts as closed and suspended.
func readGates(items []item) (toolcall.Gates, error) {
	g := toolcall.Gates{TenantClosed: true}
	for _, i := range items {
		switch text(i, attrSK) {
		case "STATE":
			var st tenantState
			if err := decode(i, &st); err != nil {
				return shut(), err
			}
			g.TenantClosed = st.Closed
		case "A":
			var st principalState
			if err := decode(i, &st); err != nil {
				return shut(), err
			}
			g.Suspended, g.Epoch, g.Ended, g.Groups = st.Suspended, st.Epoch, st.Ended, st.Groups
		case "RULES":
			var r rules
			if err := decode(i, &r); err != nil {
				return shut(), err
			}
			g.Switches = append(g.Switches, r.Switches)
			if text(i, attrPK) != rulesKey(tenant.Deployment).pk { // the deployment has switches and no policy
				g.Policy = r.Policy
			}
		}
	}
	return g, nil
}

// Standing is Gates under the directory role, which may read the four rows, but by different statements.
func (db *DB) Standing(ctx context.Context, s tenant.Scope) (toolcall.Gates, error) {
	var items []item
	for _, k := range []key{tenantStateKey(s.Tenant), principalStateKey(s), rulesKey(s.Tenant), rulesKey(tenant.Deployment)} {
		i, err := db.get(ctx, db.names.Vault, k)
		if err != nil {
			return shut(), err
		}
		if i != nil {
			items = append(items, i)
		}
	}
	return readGates(items)
}

// Suspended reports whether the directory suspended the principal; fault.NotFound when the tenant does not exist or was
// deleted.
func (db *DB) Suspended(ctx context.Context, s tenant.Scope) (bool, error) {
	var items []item
	// Two reads, not Gates' one batch: the connect role may read both rows, but by different statements, and IAM wants
	// one statement to cover all keys of a batch.
	for _, k := range []key{tenantStateKey(s.Tenant), principalStateKey(s)} {
		i, err := db.get(ctx, db.names.Vault, k)
		if err != nil {
			return true, err
		}
		if i != nil {
			items = append(items, i)
		}
	}
	g, err := readGates(items)
	if err == nil && g.TenantClosed {
		err = noTenant(s.Tenant)
	}
	return g.Suspended, err
}
