package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// connectionItem is the document plus the attributes of the due index.
func connectionItem(c connection.Connection) (item, error) {
	i, err := document(connectionKey(c.Ref), c.Version, c)
	if err != nil {
		return nil, err
	}
	if due := c.DueAt(); !due.IsZero() {
		i[attrDueK], i[attrDueAt] = str(dueShardOf(c.ID)), num(due.Unix())
	}
	return i, nil
}

func readConnection(i item) (connection.Connection, error) {
	var c connection.Connection
	if err := decode(i, &c); err != nil {
		return c, err
	}
	c.Version = number(i, attrVersion)
	return c, nil
}

func noConnection(id connection.ID) error {
	return fault.New(fault.NotFound, "there is no connection %s", id)
}

// Connection reads strongly; fault.NotFound.
func (db *DB) Connection(ctx context.Context, ref connection.Ref) (connection.Connection, error) {
	i, err := db.get(ctx, db.names.Vault, connectionKey(ref))
	if err != nil {
		return connection.Connection{}, err
	}
	if i == nil {
		return connection.Connection{}, noConnection(ref.ID)
	}
	return readConnection(i)
}

// CreateConnection stores a new connection and lists it under its tenant; fault.Conflict if the id exists.
func (db *DB) CreateConnection(ctx context.Context, c connection.Connection) error {
	writes, err := db.creation(c)
	if err != nil {
		return err
	}
	return db.transact(ctx, writes...)
}

func (db *DB) creation(c connection.Connection) ([]types.TransactWriteItem, error) {
	c.Version = 1
	i, err := connectionItem(c)
	if err != nil {
		return nil, err
	}
	l := listKey(c.Tenant, c.ID).item()
	l["p"], l["c"] = str(c.Principal.Tag()), str(c.Connector)
	return []types.TransactWriteItem{db.putWrite(db.names.Vault, i, 0), db.putWrite(db.names.Vault, l, 0)}, nil
}

// maxRaces bounds how often a write is tried again; each loss means that somebody else got on, so this many writers at
// once all succeed.
const maxRaces = 128

// maxReads bounds how often a batch that DynamoDB answered in part is asked for again.
const maxReads = 20

// UpdateConnection writes what change makes of c, if the stored version is still c's; otherwise it reads again and calls
// change again. change must be pure. An error of change ends it, with the connection that change saw.
func (db *DB) UpdateConnection(ctx context.Context, c connection.Connection, change func(connection.Connection) (connection.Connection, error)) (connection.Connection, error) {
	for range maxRaces {
		next, err := change(c)
		if err != nil {
			return c, err
		}
		next.Version = c.Version + 1
		i, err := connectionItem(next)
		if err != nil {
			return c, err
		}
		stored, err := db.put(ctx, db.names.Vault, i, c.Version)
		if err == nil {
			return next, nil
		}
		if !errors.Is(err, errLost) {
			return c, err
		}
		if len(stored) == 0 {
			return c, noConnection(c.ID)
		}
		if c, err = readConnection(stored); err != nil {
			return c, err
		}
	}
	return c, fault.New(fault.RateLimited, "connection %s changes too often; try again", c.ID).WithRetryAfter(time.Second)
}

// Activate stores grant, slot and connection in one transaction, with the connection's parts, if the stored versions are theirs.
func (db *DB) Activate(ctx context.Context, c connection.Connection, s connection.Slot, g connection.Grant, parts ...connection.PartActivation) error {
	writes, err := db.activation(c, s, g, parts...)
	if err != nil {
		return err
	}
	return db.transact(ctx, writes...)
}

func (db *DB) activation(c connection.Connection, s connection.Slot, g connection.Grant, parts ...connection.PartActivation) ([]types.TransactWriteItem, error) {
	old := c.Version
	c.Version++
	ci, err := connectionItem(c)
	if err != nil {
		return nil, err
	}
	gi, err := document(grantKey(c.Ref, g.ID), 1, g)
	if err != nil {
		return nil, err
	}
	si, err := slotItem(c.Ref, s)
	if err != nil {
		return nil, err
	}
	put := types.TransactWriteItem{Put: &types.Put{TableName: &db.names.Vault, Item: si}}
	writes := []types.TransactWriteItem{db.putWrite(db.names.Vault, ci, old), db.putWrite(db.names.Vault, gi, 0), put}
	for _, p := range parts {
		more, err := db.partWrites(p)
		if err != nil {
			return nil, err
		}
		writes = append(writes, more...)
	}
	return writes, nil
}

// FindConnection returns where a connection is, by its id alone; fault.NotFound.
func (db *DB) FindConnection(ctx context.Context, t tenant.ID, id connection.ID) (connection.Ref, error) {
	i, err := db.get(ctx, db.names.Vault, listKey(t, id))
	if err != nil {
		return connection.Ref{}, err
	}
	if i == nil {
		return connection.Ref{}, noConnection(id)
	}
	return readListed(t, id, i)
}

func readListed(t tenant.ID, id connection.ID, i item) (connection.Ref, error) {
	p, err := tenant.PrincipalFromTag(text(i, "p"))
	if err != nil {
		return connection.Ref{}, fmt.Errorf("listed connection %s: %w", id, err)
	}
	return connection.Ref{Scope: tenant.Scope{Tenant: t, Principal: p}, Connector: text(i, "c"), ID: id}, nil
}

// ConnectionsOf lists all connections of a principal, in any status, strongly.
func (db *DB) ConnectionsOf(ctx context.Context, s tenant.Scope) ([]connection.Connection, error) {
	items, _, err := db.query(ctx, db.names.Vault, page{pk: principalPartition(s), prefix: "C#", strong: true})
	if err != nil {
		return nil, err
	}
	var out []connection.Connection
	for _, i := range items {
		if _, isSlot := i[attrGeneration]; isSlot {
			continue
		}
		c, err := readConnection(i)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// TenantConnections lists a page of a tenant's connections by id, behind the id after; next is empty at the end.
func (db *DB) TenantConnections(ctx context.Context, t tenant.ID, after connection.ID, limit int) (out []connection.Connection, next connection.ID, err error) {
	p := page{pk: listPartition(t), prefix: "C#", limit: int32(limit)}
	if after != "" {
		p.after = listKey(t, after).sk
	}
	listed, more, err := db.query(ctx, db.names.Vault, p)
	if err != nil {
		return nil, "", err
	}
	refs := make([]connection.Ref, 0, len(listed))
	for _, i := range listed {
		ref, err := readListed(t, connection.ID(text(i, attrSK)[len("C#"):]), i)
		if err != nil {
			return nil, "", err
		}
		refs = append(refs, ref)
	}
	if out, err = db.connections(ctx, refs); err != nil {
		return nil, "", err
	}
	if more != "" {
		next = connection.ID(more[len("C#"):])
	}
	return out, next, nil
}

// connections reads many, strongly, in the order of refs; those that are gone are left out.
func (db *DB) connections(ctx context.Context, refs []connection.Ref) ([]connection.Connection, error) {
	found := make(map[connection.ID]connection.Connection, len(refs))
	for start := 0; start < len(refs); start += 100 { // BatchGetItem's limit
		var keys []item
		for _, r := range refs[start:min(start+100, len(refs))] {
			keys = append(keys, connectionKey(r).item())
		}
		items, err := db.batchGet(ctx, db.names.Vault, keys)
		if err != nil {
			return nil, err
		}
		for _, i := range items {
			c, err := readConnection(i)
			if err != nil {
				return nil, err
			}
			found[c.ID] = c
		}
	}
	out := make([]connection.Connection, 0, len(refs))
	for _, r := range refs {
		if c, ok := found[r.ID]; ok {
			out = append(out, c)
		}
	}
	return out, nil
}

func (db *DB) batchGet(ctx context.Context, table string, keys []item) ([]item, error) {
	var out []item
	req := map[string]types.KeysAndAttributes{table: {Keys: keys, ConsistentRead: aws.Bool(true)}}
	for range maxReads {
		res, err := db.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: req})
		if err != nil {
			return nil, classify("read", err)
		}
		out = append(out, res.Responses[table]...)
		if req = res.UnprocessedKeys; len(req) == 0 {
			return out, nil
		}
	}
	return nil, fault.New(fault.RateLimited, "the store is busy; try again").WithRetryAfter(time.Second)
}

// They are attributes of their own because the conditions of PutSlot and ResealSlot compare them.
const (
	attrGeneration = "g"
	attrFence      = "f"
	attrAccess     = "at"
	attrRefresh    = "rt"
)

func slotItem(ref connection.Ref, s connection.Slot) (item, error) {
	facts, err := json.Marshal(s.Facts)
	if err != nil {
		return nil, fmt.Errorf("encode token facts: %w", err)
	}
	i := slotKey(ref, s.Generation).item()
	i[attrGeneration], i[attrFence], i[attrDoc] = num(s.Generation), num(s.Fence), str(string(facts))
	if s.Access != nil {
		i[attrAccess] = bin(s.Access)
	}
	if s.Refresh != nil {
		i[attrRefresh] = bin(s.Refresh)
	}
	return i, nil
}

func readSlot(i item) (connection.Slot, error) {
	s := connection.Slot{Generation: number(i, attrGeneration), Fence: number(i, attrFence), Access: blob(i, attrAccess), Refresh: blob(i, attrRefresh)}
	return s, decode(i, &s.Facts)
}

// Slot reads the slot that generation g would live in, strongly; ok is false when it is empty.
func (db *DB) Slot(ctx context.Context, ref connection.Ref, g uint64) (s connection.Slot, ok bool, err error) {
	i, err := db.get(ctx, db.names.Vault, slotKey(ref, g))
	if err != nil || i == nil {
		return s, false, err
	}
	s, err = readSlot(i)
	return s, err == nil, err
}

// PutSlot writes s unless its slot holds a newer generation, or the same one under a newer fence: fault.Conflict.
// Writing the same slot again is no error, so a write whose answer was lost can be repeated.
func (db *DB) PutSlot(ctx context.Context, ref connection.Ref, s connection.Slot) error {
	i, err := slotItem(ref, s)
	if err != nil {
		return err
	}
	_, err = db.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &db.names.Vault, Item: i,
		ConditionExpression:       aws.String("attribute_not_exists(g) OR g < :g OR (g = :g AND f <= :f)"),
		ExpressionAttributeValues: item{":g": num(s.Generation), ":f": num(s.Fence)}})
	var lost *types.ConditionalCheckFailedException
	if errors.As(err, &lost) {
		return errLost
	}
	return classify("write", err)
}

// EraseSlots overwrites both slots with nothing but their numbers; no write of an older generation can come back after.
func (db *DB) EraseSlots(ctx context.Context, ref connection.Ref, generation uint64) error {
	for _, g := range []uint64{generation, generation + 1} {
		i, err := slotItem(ref, connection.Slot{Generation: g, Fence: 1 << 62})
		if err != nil {
			return err
		}
		if _, err := db.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &db.names.Vault, Item: i}); err != nil {
			return classify("erase", err)
		}
	}
	return nil
}

// Due lists connections of one shard that want attention at now, the longest overdue first: keys only, across tenants. It
// continues behind after, the last one that was seen; without an id, it begins at after's time; the zero Due begins at the first. An empty page is the end; a page may be shorter than
// limit without being the last.
func (db *DB) Due(ctx context.Context, shard int, now time.Time, after connection.Due, limit int) ([]connection.Due, error) {
	q := &dynamodb.QueryInput{TableName: &db.names.Vault, IndexName: aws.String(IndexDue), Limit: aws.Int32(int32(limit)),
		KeyConditionExpression: aws.String("dk = :k AND da <= :now"), ExpressionAttributeValues: item{":k": str(dueShard(shard)), ":now": num(now.Unix())}}
	switch {
	case after.ID != "":
		k := connectionKey(after.Ref)
		q.ExclusiveStartKey = item{attrPK: str(k.pk), attrSK: str(k.sk), attrDueK: str(dueShard(shard)), attrDueAt: num(after.At.Unix())}
	case !after.At.IsZero():
		q.KeyConditionExpression = aws.String("dk = :k AND da BETWEEN :from AND :now")
		q.ExpressionAttributeValues[":from"] = num(after.At.Unix())
		if after.At.Unix() > now.Unix() { // DynamoDB takes no empty interval
			return nil, nil
		}
	}
	out, err := db.client.Query(ctx, q)
	if err != nil {
		return nil, classify("query due", err)
	}
	page := make([]connection.Due, 0, len(out.Items))
	for _, i := range out.Items {
		ref, err := refFromKey(text(i, attrPK), text(i, attrSK))
		if err != nil {
			return nil, err
		}
		page = append(page, connection.Due{Ref: ref, At: time.Unix(int64(number(i, attrDueAt)), 0).UTC()})
	}
	return page, nil
}

// DueShards is how many shards Due has.
func DueShards() int { return dueShards }
