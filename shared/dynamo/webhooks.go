package dynamo

import (
	"context"
	"errors"
	"fmt"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/tenant"
)

// Endpoints lists the webhook endpoints of one owner, oldest first.
func (db *DB) Endpoints(ctx context.Context, owner tenant.ID) ([]notify.Endpoint, error) {
	items, _, err := db.query(ctx, db.names.Vault, page{pk: webhookPartition(owner), prefix: webhookPrefix, strong: true})
	if err != nil {
		return nil, err
	}
	out := make([]notify.Endpoint, len(items))
	for n, i := range items {
		if err := readEndpoint(i, &out[n]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Endpoint reads one strongly; fault.NotFound.
func (db *DB) Endpoint(ctx context.Context, owner tenant.ID, id string) (e notify.Endpoint, err error) {
	i, err := db.get(ctx, db.names.Vault, webhookKey(owner, id))
	if err != nil {
		return e, err
	}
	if i == nil {
		return e, fault.New(fault.NotFound, "there is no webhook %.40q", id)
	}
	return e, readEndpoint(i, &e)
}

func readEndpoint(i item, e *notify.Endpoint) error {
	err := decode(i, e)
	e.Version = number(i, attrVersion)
	return err
}

// PutEndpoint writes e if the stored version is e.Version (0: none stored); fault.Conflict otherwise.
func (db *DB) PutEndpoint(ctx context.Context, e notify.Endpoint) error {
	old := e.Version
	e.Version++
	i, err := document(webhookKey(e.Owner, e.ID), e.Version, e)
	if err != nil {
		return err
	}
	_, err = db.put(ctx, db.names.Vault, i, old)
	return err
}

// DeleteEndpoint removes an endpoint and its trail; removing what is not there is no error.
func (db *DB) DeleteEndpoint(ctx context.Context, owner tenant.ID, id string) error {
	if err := db.delete(ctx, db.names.Vault, webhookKey(owner, id)); err != nil {
		return err
	}
	return db.delete(ctx, db.names.Vault, triesKey(owner, id))
}

// DeleteEndpoints removes all endpoints of a tenant that is deleted, and their trails.
func (db *DB) DeleteEndpoints(ctx context.Context, owner tenant.ID) error {
	items, _, err := db.query(ctx, db.names.Vault, page{pk: webhookPartition(owner), strong: true})
	if err != nil {
		return fmt.Errorf("list webhooks: %w", err)
	}
	for _, i := range items {
		if err := db.delete(ctx, db.names.Vault, key{text(i, attrPK), text(i, attrSK)}); err != nil {
			return err
		}
	}
	return nil
}

// trail is the row of an endpoint's last tries. It is apart from the endpoint, which changes seldom and must not lose a race
// against it.
type trail struct{ Tries []notify.Try }

// Tries lists the last tries, newest first.
func (db *DB) Tries(ctx context.Context, owner tenant.ID, endpoint string) ([]notify.Try, error) {
	var t trail
	i, err := db.get(ctx, db.names.Vault, triesKey(owner, endpoint))
	if err == nil && i != nil {
		err = decode(i, &t)
	}
	return t.Tries, err
}

// AddTries puts tries before those that are there and forgets all beyond the newest.
func (db *DB) AddTries(ctx context.Context, owner tenant.ID, endpoint string, tries []notify.Try) error {
	k := triesKey(owner, endpoint)
	for range maxRaces {
		i, err := db.get(ctx, db.names.Vault, k)
		if err != nil {
			return err
		}
		var t trail
		if i != nil {
			if err := decode(i, &t); err != nil {
				return err
			}
		}
		old := number(i, attrVersion)
		doc, err := document(k, old+1, trail{notify.Newest(tries, t.Tries)})
		if err != nil {
			return err
		}
		if _, err = db.put(ctx, db.names.Vault, doc, old); !errors.Is(err, errLost) {
			return err
		}
	}
	return errLost
}

var (
	_ notify.Endpoints = (*DB)(nil)
	_ notify.Remover   = (*DB)(nil)
	_ notify.Trail     = (*DB)(nil)
)
