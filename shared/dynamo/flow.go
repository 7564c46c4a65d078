package dynamo

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// keepAfter is how long a one-time thing stays readable after its end, so that a late visitor is told what happened.
const keepAfter = 24 * time.Hour

func linkItem(l oauthflow.Link) (item, error) {
	i, err := document(linkKey(l.Tenant, l.ID), l.Version, l)
	if err == nil {
		i[AttrTTL] = num(l.Expires.Add(keepAfter).Unix())
	}
	return i, err
}

// CreateLink stores l under its id and under the hash of its public token; fault.Conflict if either exists.
func (db *DB) CreateLink(ctx context.Context, l oauthflow.Link, tokenHash string) error {
	l.Version = 1
	i, err := linkItem(l)
	if err != nil {
		return err
	}
	return db.transact(ctx, db.putWrite(db.names.Flow, i, 0), db.putWrite(db.names.Flow, refItem(l.Tenant, tokenHash, l.ID, l.Expires), 0))
}

func refItem(t tenant.ID, hash, id string, expires time.Time) item {
	i := linkHashKey(t, hash).item()
	i["id"], i[AttrTTL] = str(id), num(expires.Add(keepAfter).Unix())
	return i
}

// Link reads strongly by id; fault.NotFound.
func (db *DB) Link(ctx context.Context, t tenant.ID, id string) (l oauthflow.Link, err error) {
	i, err := db.get(ctx, db.names.Flow, linkKey(t, id))
	if err != nil {
		return l, err
	}
	if i == nil {
		return l, fault.New(fault.NotFound, "this link does not exist or has expired; make a new one")
	}
	if err := decode(i, &l); err != nil {
		return l, err
	}
	l.Version = number(i, attrVersion)
	return l, nil
}

// UpdateLink writes l if the stored version is l's; fault.Conflict otherwise.
func (db *DB) UpdateLink(ctx context.Context, l oauthflow.Link) (oauthflow.Link, error) {
	old := l.Version
	l.Version++
	i, err := linkItem(l)
	if err != nil {
		return l, err
	}
	_, err = db.put(ctx, db.names.Flow, i, old)
	return l, err
}

// LinkIDByHash returns the link id behind a public token or a state; fault.NotFound.
func (db *DB) LinkIDByHash(ctx context.Context, t tenant.ID, hash string) (string, error) {
	i, err := db.get(ctx, db.names.Flow, linkHashKey(t, hash))
	if err != nil {
		return "", err
	}
	if i == nil {
		return "", fault.New(fault.NotFound, "this link does not exist or has expired; ask for a new one")
	}
	return text(i, "id"), nil
}

// PutLinkHash lets hash find the link until expires.
func (db *DB) PutLinkHash(ctx context.Context, t tenant.ID, hash, id string, expires time.Time) error {
	return db.transact(ctx, types.TransactWriteItem{Put: &types.Put{TableName: &db.names.Flow, Item: refItem(t, hash, id, expires)}})
}

// PutClaim stores c if the stored version is c's (0: none, or expired at now). Otherwise it returns fault.Conflict and
// the stored claim.
func (db *DB) PutClaim(ctx context.Context, c toolcall.Claim, now time.Time) (toolcall.Claim, error) {
	for range maxRaces {
		old := c.Version
		next := c
		next.Version++
		i, err := document(claimKey(c.Scope, c.KeyHash), next.Version, next)
		if err != nil {
			return c, err
		}
		i[AttrTTL] = num(c.Expires.Unix())
		stored, err := db.put(ctx, db.names.Flow, i, old)
		if err == nil {
			return next, nil
		}
		if !errors.Is(err, errLost) || len(stored) == 0 {
			return c, err
		}
		var found toolcall.Claim
		if derr := decode(stored, &found); derr != nil {
			return c, derr
		}
		found.Version = number(stored, attrVersion)
		if old != 0 || now.Before(found.Expires) {
			return found, err
		}
		c.Version = found.Version // expired, and TTL has not removed it yet: take its place
	}
	return c, errLost
}

var (
	_ oauthflow.Links       = (*DB)(nil)
	_ oauthflow.LinkLookup  = (*DB)(nil)
	_ oauthflow.Connections = (*DB)(nil)
	_ oauthflow.Finder      = (*DB)(nil)
	_ oauthflow.Principals  = (*DB)(nil)
	_ toolcall.Claims       = (*DB)(nil)
)
