package dynamo

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/shared/connection"
)

// ActivateOver is Activate, and in the same transaction former gets a row, a place in its tenant's list, and the slot kept.
// fault.Conflict if c's version is not the stored one, or former exists.
func (db *DB) ActivateOver(ctx context.Context, c connection.Connection, s connection.Slot, g connection.Grant, former connection.Connection, kept connection.Slot, parts ...connection.PartActivation) error {
	now, err := db.activation(c, s, g, parts...)
	if err != nil {
		return err
	}
	before, err := db.creation(former)
	if err != nil {
		return err
	}
	slot, err := slotItem(former.Ref, kept)
	if err != nil {
		return err
	}
	return db.transact(ctx, slices.Concat(now, before, []types.TransactWriteItem{{Put: &types.Put{TableName: &db.names.Vault, Item: slot}}})...)
}
