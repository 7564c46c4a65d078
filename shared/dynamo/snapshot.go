package dynamo

import (
	"context"

	"golang.org/x/sync/errgroup"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// Snapshot reads all that decides about a call at one connector: two strong requests, side by side.
func (db *DB) Snapshot(ctx context.Context, s tenant.Scope, connector string) (toolcall.Snapshot, error) {
	return db.snapshot(ctx, s, connectorPrefix(connector))
}

// Connected is Snapshot over all connectors, for listing tools.
func (db *DB) Connected(ctx context.Context, s tenant.Scope) (toolcall.Snapshot, error) {
	return db.snapshot(ctx, s, "C#")
}

func (db *DB) snapshot(ctx context.Context, s tenant.Scope, prefix string) (toolcall.Snapshot, error) {
	var snap toolcall.Snapshot
	var items []item
	both, bctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		items, _, err = db.query(bctx, db.names.Vault, page{pk: principalPartition(s), prefix: prefix, strong: true})
		return err
	})
	both.Go(func() (err error) {
		snap.Gates, err = db.Gates(bctx, s)
		return err
	})
	if err := both.Wait(); err != nil {
		return toolcall.Snapshot{}, err
	}
	var err error
	snap.Connections, err = held(items)
	return snap, err
}

// held joins each connection with the slot of its current generation. Items come sorted: a connection, then its slots.
func held(items []item) ([]toolcall.Held, error) {
	var out []toolcall.Held
	for _, i := range items {
		if _, isSlot := i[attrGeneration]; !isSlot {
			c, err := readConnection(i)
			if err != nil {
				return nil, err
			}
			out = append(out, toolcall.Held{Connection: c})
			continue
		}
		if n := len(out); n > 0 && number(i, attrGeneration) == out[n-1].Refresh.Generation && out[n-1].Status != connection.Revoked {
			s, err := readSlot(i)
			if err != nil {
				return nil, err
			}
			out[n-1].Slot = s
		}
	}
	return out, nil
}

var _ toolcall.State = (*DB)(nil)
