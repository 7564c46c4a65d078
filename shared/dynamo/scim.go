package dynamo

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/tenant"
)

// attrRef is the id that a sentinel or a membership row points to.
const attrRef = "id"

// GetUser implements scim.UserReader.
func (db *DB) GetUser(ctx context.Context, t tenant.ID, id string) (scim.User, error) {
	i, err := db.get(ctx, db.names.Directory, scimUserKey(t, id))
	if err != nil {
		return scim.User{}, err
	}
	if i == nil {
		return scim.User{}, scim.Missing("User", id)
	}
	return scim.ParseRecord([]byte(text(i, attrDoc)))
}

// findAttempts bounds how often FindUser starts over; each time somebody renamed or removed the user in between.
const findAttempts = 8

// FindUser implements scim.UserReader: the sentinel of the value names the user.
func (db *DB) FindUser(ctx context.Context, t tenant.ID, by scim.Lookup, value string) (scim.User, error) {
	k := scimUserNameKey(t, value)
	if by == scim.ByExternalID {
		k = scimExternalKey(t, value)
	}
	for range findAttempts {
		i, err := db.get(ctx, db.names.Directory, k)
		if err != nil {
			return scim.User{}, err
		}
		if i == nil {
			break
		}
		u, err := db.GetUser(ctx, t, text(i, attrRef))
		if fault.Is(err, fault.NotFound) || err == nil && !has(u, by, value) {
			continue // renamed or deleted between the two reads: look again
		}
		return u, err
	}
	return scim.User{}, scim.Missing("User", value)
}

func has(u scim.User, by scim.Lookup, value string) bool {
	if by == scim.ByExternalID {
		return u.ExternalID == value
	}
	return scim.UserNameKey(u.UserName) == scim.UserNameKey(value)
}

// ListUsers implements scim.UserReader.
func (db *DB) ListUsers(ctx context.Context, t tenant.ID, cursor string, limit int) (out scim.UserPage, err error) {
	docs, next, err := db.scimPage(ctx, t, scimUserPrefix, cursor, limit)
	if err != nil {
		return out, err
	}
	for _, d := range docs {
		u, err := scim.ParseRecord(d)
		if err != nil {
			return out, err
		}
		out.Users = append(out.Users, u)
	}
	out.Next = next
	return out, nil
}

// scimPage reads records in the order of their keys. It asks for one more than limit, to know whether there is more.
func (db *DB) scimPage(ctx context.Context, t tenant.ID, prefix, cursor string, limit int) (docs [][]byte, next string, err error) {
	p := page{pk: scimPartition(t), prefix: prefix, limit: int32(limit) + 1, strong: true}
	if cursor != "" {
		p.after = prefix + cursor
	}
	items, more, err := db.query(ctx, db.names.Directory, p)
	if err != nil {
		return nil, "", err
	}
	if len(items) > limit { // a page may also end early, at DynamoDB's 1 MB
		items, more = items[:limit], text(items[limit-1], attrSK)
	}
	for _, i := range items {
		docs = append(docs, []byte(text(i, attrDoc)))
	}
	return docs, strings.TrimPrefix(more, prefix), nil
}

// CreateUser implements scim.UserWriter.
func (db *DB) CreateUser(ctx context.Context, t tenant.ID, u scim.User) error {
	i, err := userItem(t, u)
	if err != nil {
		return err
	}
	w := sentinels{db: db, t: t, id: u.ID}
	w.write(db.putWrite(db.names.Directory, i, 0), "")
	w.moveUser(scim.User{}, u)
	return w.commit(ctx, nil)
}

// ReplaceUser implements scim.UserWriter.
func (db *DB) ReplaceUser(ctx context.Context, t tenant.ID, old, changed scim.User) error {
	i, err := userItem(t, changed)
	if err != nil {
		return err
	}
	w := sentinels{db: db, t: t, id: changed.ID}
	w.write(db.putWrite(db.names.Directory, i, uint64(old.Meta.Version)), "")
	w.moveUser(old, changed)
	return w.commit(ctx, func() error { return db.staleUser(ctx, t, old.ID) })
}

// DeleteUser implements scim.UserWriter.
func (db *DB) DeleteUser(ctx context.Context, t tenant.ID, old scim.User) error {
	w := sentinels{db: db, t: t, id: old.ID}
	w.write(db.deleteWrite(db.names.Directory, scimUserKey(t, old.ID), uint64(old.Meta.Version)), "")
	w.moveUser(old, scim.User{})
	return w.commit(ctx, func() error { return db.staleUser(ctx, t, old.ID) })
}

func userItem(t tenant.ID, u scim.User) (item, error) {
	record, err := u.Record()
	if err != nil {
		return nil, err
	}
	return scimItem(scimUserKey(t, u.ID), u.Meta.Version, record)
}

// maxRecord is what fits DynamoDB's 400 KB beside the keys.
const maxRecord = 390 << 10

func scimItem(k key, version int64, record []byte) (item, error) {
	if len(record) > maxRecord {
		return nil, fault.New(fault.InvalidInput, "the resource is larger than %d bytes", maxRecord)
	}
	i := k.item()
	i[attrDoc], i[attrVersion], i[attrMark] = str(string(record)), num(uint64(version)), str(mark())
	return i, nil
}

// staleUser tells why a conditional write of a user was refused.
func (db *DB) staleUser(ctx context.Context, t tenant.ID, id string) error {
	if _, err := db.GetUser(ctx, t, id); err != nil {
		return err
	}
	return scim.Stale()
}

// sentinels is a transaction over one resource and the rows that keep its values unique.
type sentinels struct {
	db     *DB
	t      tenant.ID
	id     string
	writes []types.TransactWriteItem
	// attributes names what each write keeps unique; empty for the resource itself and for what cannot fail.
	attributes []string
}

func (w *sentinels) write(x types.TransactWriteItem, attribute string) {
	w.writes, w.attributes = append(w.writes, x), append(w.attributes, attribute)
}

func (w *sentinels) moveUser(from, to scim.User) {
	w.move("userName", scimUserNameKey(w.t, from.UserName), scimUserNameKey(w.t, to.UserName), from.UserName != "", to.UserName != "")
	w.move("externalId", scimExternalKey(w.t, from.ExternalID), scimExternalKey(w.t, to.ExternalID), from.ExternalID != "", to.ExternalID != "")
}

// move frees the row of the old value and takes that of the new one.
func (w *sentinels) move(attribute string, from, to key, had, has bool) {
	if had && has && from == to {
		return
	}
	table := &w.db.names.Directory
	if had {
		w.write(types.TransactWriteItem{Delete: &types.Delete{TableName: table, Key: from.item()}}, "")
	}
	if has {
		i := to.item()
		i[attrRef] = str(w.id)
		w.write(w.db.putWrite(*table, i, 0), attribute)
	}
}

// commit writes all or nothing. stale explains a refusal of the resource's own condition; nil means that its id exists.
func (w *sentinels) commit(ctx context.Context, stale func() error) error {
	failed, err := w.db.tryTransact(ctx, w.writes...)
	if err != nil || len(failed) == 0 {
		return err
	}
	if n := failed[0]; n > 0 {
		return scim.Taken(w.attributes[n])
	}
	if stale == nil {
		return errLost
	}
	return stale()
}

func (db *DB) deleteWrite(table string, k key, old uint64) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{TableName: &table, Key: k.item(), ConditionExpression: aws.String(condition(old)),
		ExpressionAttributeNames: conditionNames(old), ExpressionAttributeValues: conditionValues(old)}}
}

var _ scim.Store = (*DB)(nil)
