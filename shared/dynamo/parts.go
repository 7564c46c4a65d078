package dynamo

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/shared/connection"
)

// partWrites are the writes of a part: its connection, listed when it is new, and its slot.
func (db *DB) partWrites(p connection.PartActivation) ([]types.TransactWriteItem, error) {
	c := p.Connection
	old := c.Version
	c.Version++
	ci, err := connectionItem(c)
	if err != nil {
		return nil, err
	}
	si, err := slotItem(c.Ref, p.Slot)
	if err != nil {
		return nil, err
	}
	out := []types.TransactWriteItem{db.putWrite(db.names.Vault, ci, old), {Put: &types.Put{TableName: &db.names.Vault, Item: si}}}
	if old == 0 {
		l := listKey(c.Tenant, c.ID).item()
		l["p"], l["c"] = str(c.Principal.Tag()), str(c.Connector)
		out = append(out, db.putWrite(db.names.Vault, l, 0))
	}
	return out, nil
}
