package dynamo

import (
	"context"
	"errors"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Visit is somebody's way to their own connections: a link that opens once, or, under another secret, the visit that it
// opened in one browser.
type Visit struct {
	tenant.Scope
	// ReturnURL is the product's page to go back to; empty for none.
	ReturnURL string
	// Opened tells that the link was used.
	Opened bool
	// Guard is repeated by each form of the visit; empty for a link.
	Guard   string
	Expires time.Time
	// Version is the store's.
	Version uint64
}

// PutVisit writes v under a secret's hash, if the stored version is v's (0: none); fault.Conflict otherwise.
func (db *DB) PutVisit(ctx context.Context, hash string, v Visit) (Visit, error) {
	old := v.Version
	v.Version++
	i, err := document(visitKey(v.Tenant, hash), v.Version, v)
	if err != nil {
		return v, err
	}
	i[AttrTTL] = num(v.Expires.Add(keepAfter).Unix())
	_, err = db.put(ctx, db.names.Flow, i, old)
	return v, err
}

// Visit reads strongly; fault.NotFound.
func (db *DB) Visit(ctx context.Context, t tenant.ID, hash string) (v Visit, err error) {
	i, err := db.get(ctx, db.names.Flow, visitKey(t, hash))
	if err != nil {
		return v, err
	}
	if i == nil {
		return v, fault.New(fault.NotFound, "this link does not exist or has expired; ask for a new one")
	}
	if err := decode(i, &v); err != nil {
		return v, err
	}
	v.Version = number(i, attrVersion)
	return v, nil
}

// activityKept is how long a principal's list outlives its last entry.
const activityKept = 90 * 24 * time.Hour

type activityList struct{ Items []audit.Activity }

// AddActivities puts entries into a principal's list of what was done lately.
func (db *DB) AddActivities(ctx context.Context, s tenant.Scope, more []audit.Activity) error {
	k := activityKey(s)
	for range maxRaces {
		stored, err := db.get(ctx, db.names.Flow, k)
		if err != nil {
			return err
		}
		var list activityList
		if stored != nil {
			if err := decode(stored, &list); err != nil {
				return err
			}
		}
		version := number(stored, attrVersion)
		i, err := document(k, version+1, activityList{audit.Recent(list.Items, more)})
		if err != nil {
			return err
		}
		i[AttrTTL] = num(db.now().Add(activityKept).Unix())
		if _, err = db.put(ctx, db.names.Flow, i, version); !errors.Is(err, errLost) {
			return err
		}
	}
	return errLost
}

// Activities lists what was done lately for a principal, newest first.
func (db *DB) Activities(ctx context.Context, s tenant.Scope) ([]audit.Activity, error) {
	i, err := db.get(ctx, db.names.Flow, activityKey(s))
	if err != nil || i == nil {
		return nil, err
	}
	var list activityList
	return list.Items, decode(i, &list)
}
