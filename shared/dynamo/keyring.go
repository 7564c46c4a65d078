package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/keyring"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/vault"
)

// Keys lists every version of every purpose of a tenant, strongly.
func (db *DB) Keys(ctx context.Context, t tenant.ID) ([]vault.WrappedKey, error) {
	items, _, err := db.query(ctx, db.names.Vault, page{pk: tenantKeysPartition(t), prefix: "TK#", strong: true})
	if err != nil {
		return nil, err
	}
	out := make([]vault.WrappedKey, len(items))
	for n, i := range items {
		if err := decode(i, &out[n]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// DeleteKey deletes one version for good; deleting what is not there is no error. Point-in-time recovery keeps a copy for up
// to 35 days.
func (db *DB) DeleteKey(ctx context.Context, t tenant.ID, p connection.Purpose, version uint32) error {
	return db.delete(ctx, db.names.Vault, tenantKeyKey(t, p, version))
}

// StoredSlots lists the slots of a page of a tenant's connections by id, behind the id after, strongly; next is empty at the
// end. Slots that were never written are left out.
func (db *DB) StoredSlots(ctx context.Context, t tenant.ID, after connection.ID, limit int) (slots []connection.StoredSlot, next connection.ID, err error) {
	p := page{pk: listPartition(t), prefix: "C#", limit: int32(limit), strong: true}
	if after != "" {
		p.after = listKey(t, after).sk
	}
	listed, more, err := db.query(ctx, db.names.Vault, p)
	if err != nil {
		return nil, "", err
	}
	whose := map[key]connection.Ref{}
	var keys []item
	for _, i := range listed {
		ref, err := readListed(t, connection.ID(text(i, attrSK)[len("C#"):]), i)
		if err != nil {
			return nil, "", err
		}
		for g := range uint64(2) {
			k := slotKey(ref, g)
			whose[k], keys = ref, append(keys, k.item())
		}
	}
	if slots, err = db.slots(ctx, keys, whose); err != nil {
		return nil, "", err
	}
	if more != "" {
		next = connection.ID(more[len("C#"):])
	}
	return slots, next, nil
}

func (db *DB) slots(ctx context.Context, keys []item, whose map[key]connection.Ref) ([]connection.StoredSlot, error) {
	var out []connection.StoredSlot
	for start := 0; start < len(keys); start += 100 { // BatchGetItem's limit
		items, err := db.batchGet(ctx, db.names.Vault, keys[start:min(start+100, len(keys))])
		if err != nil {
			return nil, err
		}
		for _, i := range items {
			s, err := readSlot(i)
			if err != nil {
				return nil, err
			}
			out = append(out, connection.StoredSlot{Ref: whose[key{text(i, attrPK), text(i, attrSK)}], Slot: s})
		}
	}
	return out, nil
}

// ResealSlot replaces the sealed tokens of old, if exactly old is stored, to the byte: fault.Conflict otherwise. A slot that
// was erased or written by anybody else meanwhile stays as it is.
func (db *DB) ResealSlot(ctx context.Context, ref connection.Ref, old connection.Slot, access, refresh []byte) error {
	in := &dynamodb.UpdateItemInput{TableName: &db.names.Vault, Key: slotKey(ref, old.Generation).item(),
		ExpressionAttributeNames:  map[string]string{"#g": attrGeneration, "#f": attrFence},
		ExpressionAttributeValues: item{":g": num(old.Generation), ":f": num(old.Fence)}}
	condition, set := "#g = :g AND #f = :f", ""
	for _, x := range []struct {
		name     string
		old, new []byte
	}{{attrAccess, old.Access, access}, {attrRefresh, old.Refresh, refresh}} {
		name := "#" + x.name
		in.ExpressionAttributeNames[name] = x.name
		if x.old == nil {
			condition += " AND attribute_not_exists(" + name + ")"
			continue
		}
		condition += " AND " + name + " = :old" + x.name
		set += ", " + name + " = :new" + x.name
		in.ExpressionAttributeValues[":old"+x.name], in.ExpressionAttributeValues[":new"+x.name] = bin(x.old), bin(x.new)
	}
	if set == "" {
		return errLost
	}
	in.ConditionExpression, in.UpdateExpression = &condition, aws.String("SET "+set[2:])
	_, err := db.client.UpdateItem(ctx, in)
	return lostOr(err)
}

// lostOr reads the error of a swap. A transaction that holds the item is somebody else's write too.
func lostOr(err error) error {
	var lost *types.ConditionalCheckFailedException
	var held *types.TransactionConflictException
	if errors.As(err, &lost) || errors.As(err, &held) {
		return errLost
	}
	return classify("write", err)
}

// StoredClients lists the OAuth clients of an owner, strongly.
func (db *DB) StoredClients(ctx context.Context, owner tenant.ID) ([]connection.StoredClient, error) {
	items, _, err := db.query(ctx, db.names.Vault, page{pk: clientKey(owner, "").pk, prefix: clientPrefix, strong: true})
	if err != nil {
		return nil, err
	}
	out := make([]connection.StoredClient, len(items))
	for n, i := range items {
		if err := decode(i, &out[n]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ResealClient replaces the sealed secret of old, if exactly old is stored: fault.Conflict otherwise. Its revision stays, so
// that whoever replaces the client at the same time wins.
func (db *DB) ResealClient(ctx context.Context, old connection.StoredClient, sealed []byte) error {
	was, err := json.Marshal(old)
	if err != nil {
		return fmt.Errorf("encode the client of %s: %w", old.Connector, err)
	}
	next := old
	next.Sealed = sealed
	i, err := document(clientKey(old.Owner, old.Connector), old.Revision, next)
	if err != nil {
		return err
	}
	_, err = db.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &db.names.Vault, Item: i, ConditionExpression: aws.String("#d = :d"),
		ExpressionAttributeNames: map[string]string{"#d": attrDoc}, ExpressionAttributeValues: item{":d": str(string(was))}})
	return lostOr(err)
}

// Walk reads how far re-sealing came for a tenant; the zero Walk when there is none.
func (db *DB) Walk(ctx context.Context, t tenant.ID) (w keyring.Walk, err error) {
	i, err := db.get(ctx, db.names.Vault, walkKey(t))
	if err != nil || i == nil {
		return w, err
	}
	err = decode(i, &w)
	w.Version = number(i, attrVersion)
	return w, err
}

// PutWalk writes w if the stored version is w's, and returns it with its new version; fault.Conflict otherwise.
func (db *DB) PutWalk(ctx context.Context, t tenant.ID, w keyring.Walk) (keyring.Walk, error) {
	next := w
	next.Version++
	i, err := document(walkKey(t), next.Version, next)
	if err != nil {
		return w, err
	}
	if _, err := db.put(ctx, db.names.Vault, i, w.Version); err != nil {
		return w, err
	}
	return next, nil
}

var (
	_ keyring.Keys    = (*DB)(nil)
	_ keyring.Records = (*DB)(nil)
	_ keyring.Clients = (*DB)(nil)
	_ keyring.Walks   = (*DB)(nil)
)
