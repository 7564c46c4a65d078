package dynamo

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/tenant"
)

// The members of a group stand in its record, which decides. Beside it, a row per member points back from the member to
// the group, for GroupsOf. A transaction holds 100 items and a group may have thousands of members, so these rows are
// written around the transaction: new ones before it, superfluous ones after. A row too many is therefore possible and
// harmless (GroupsOf looks into the record), a row too few is not: each row carries the group's version, and is only
// removed by a writer whose version is not older.

// GetGroup implements scim.GroupReader.
func (db *DB) GetGroup(ctx context.Context, t tenant.ID, id string) (scim.Group, error) {
	i, err := db.get(ctx, db.names.Directory, scimGroupKey(t, id))
	if err != nil {
		return scim.Group{}, err
	}
	if i == nil {
		return scim.Group{}, scim.Missing("Group", id)
	}
	return scim.ParseGroupRecord([]byte(text(i, attrDoc)))
}

// ListGroups implements scim.GroupReader.
func (db *DB) ListGroups(ctx context.Context, t tenant.ID, cursor string, limit int) (out scim.GroupPage, err error) {
	docs, next, err := db.scimPage(ctx, t, scimGroupPrefix, cursor, limit)
	if err != nil {
		return out, err
	}
	for _, d := range docs {
		g, err := scim.ParseGroupRecord(d)
		if err != nil {
			return out, err
		}
		out.Groups = append(out.Groups, g)
	}
	out.Next = next
	return out, nil
}

// GroupsOf implements scim.GroupReader.
func (db *DB) GroupsOf(ctx context.Context, t tenant.ID, member string) ([]scim.Reference, error) {
	rows, _, err := db.query(ctx, db.names.Directory, page{pk: scimPartition(t), prefix: scimMemberPrefix(member), strong: true})
	if err != nil {
		return nil, err
	}
	var out []scim.Reference
	for start := 0; start < len(rows); start += 100 { // BatchGetItem's limit
		var keys []item
		for _, r := range rows[start:min(start+100, len(rows))] {
			keys = append(keys, scimGroupKey(t, text(r, attrRef)).item())
		}
		groups, err := db.batchGet(ctx, db.names.Directory, keys)
		if err != nil {
			return nil, err
		}
		for _, i := range groups {
			g, err := scim.ParseGroupRecord([]byte(text(i, attrDoc)))
			if err != nil {
				return nil, err
			}
			if isMember(g, member) {
				out = append(out, scim.Reference{Value: g.ID, Display: g.DisplayName})
			}
		}
	}
	slices.SortFunc(out, func(a, b scim.Reference) int { return cmp.Compare(a.Value, b.Value) })
	return out, nil
}

// GroupIDsOf implements scim.GroupReader.
func (db *DB) GroupIDsOf(ctx context.Context, t tenant.ID, member string) ([]string, error) {
	rows, _, err := db.query(ctx, db.names.Directory, page{pk: scimPartition(t), prefix: scimMemberPrefix(member), strong: true})
	if err != nil {
		return nil, err
	}
	out := make([]string, len(rows))
	for n, r := range rows {
		out[n] = text(r, attrRef)
	}
	return out, nil
}

func isMember(g scim.Group, member string) bool {
	return slices.ContainsFunc(g.Members, func(r scim.Reference) bool { return r.Value == member })
}

// CreateGroup implements scim.GroupWriter.
func (db *DB) CreateGroup(ctx context.Context, t tenant.ID, g scim.Group) error {
	i, err := groupItem(t, g)
	if err != nil {
		return err
	}
	w := sentinels{db: db, t: t, id: g.ID}
	w.write(db.putWrite(db.names.Directory, i, 0), "")
	w.moveGroup(scim.Group{}, g)
	if err := db.point(ctx, t, g, g.Members); err != nil {
		return err
	}
	return w.commit(ctx, nil)
}

// ReplaceGroup implements scim.GroupWriter.
func (db *DB) ReplaceGroup(ctx context.Context, t tenant.ID, old, changed scim.Group) error {
	i, err := groupItem(t, changed)
	if err != nil {
		return err
	}
	w := sentinels{db: db, t: t, id: changed.ID}
	w.write(db.putWrite(db.names.Directory, i, uint64(old.Meta.Version)), "")
	w.moveGroup(old, changed)
	if err := db.point(ctx, t, changed, without(changed.Members, old.Members)); err != nil {
		return err
	}
	if err := w.commit(ctx, func() error { return db.staleGroup(ctx, t, old.ID) }); err != nil {
		return err
	}
	return db.unpoint(ctx, t, changed, without(old.Members, changed.Members))
}

// DeleteGroup implements scim.GroupWriter.
func (db *DB) DeleteGroup(ctx context.Context, t tenant.ID, old scim.Group) error {
	w := sentinels{db: db, t: t, id: old.ID}
	w.write(db.deleteWrite(db.names.Directory, scimGroupKey(t, old.ID), uint64(old.Meta.Version)), "")
	w.moveGroup(old, scim.Group{})
	if err := w.commit(ctx, func() error { return db.staleGroup(ctx, t, old.ID) }); err != nil {
		return err
	}
	return db.unpoint(ctx, t, old, old.Members)
}

func groupItem(t tenant.ID, g scim.Group) (item, error) {
	record, err := g.Record()
	if err != nil {
		return nil, err
	}
	return scimItem(scimGroupKey(t, g.ID), g.Meta.Version, record)
}

func (w *sentinels) moveGroup(from, to scim.Group) {
	w.move("externalId", scimGroupExternalKey(w.t, from.ExternalID), scimGroupExternalKey(w.t, to.ExternalID), from.ExternalID != "", to.ExternalID != "")
}

func (db *DB) staleGroup(ctx context.Context, t tenant.ID, id string) error {
	if _, err := db.GetGroup(ctx, t, id); err != nil {
		return err
	}
	return scim.Stale()
}

// without is the part of a that is not in b, by value.
func without(a, b []scim.Reference) []scim.Reference {
	in := make(map[string]bool, len(b))
	for _, r := range b {
		in[r.Value] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(r scim.Reference) bool { return in[r.Value] })
}

// rowsAtOnce bounds the requests in flight when a group changes many members.
const rowsAtOnce = 16

// point writes the rows from members to g; one of a newer version stays.
func (db *DB) point(ctx context.Context, t tenant.ID, g scim.Group, members []scim.Reference) error {
	return eachMember(ctx, members, func(ctx context.Context, k key) error {
		i := k.item()
		i[attrRef], i[attrVersion] = str(g.ID), num(uint64(g.Meta.Version))
		_, err := db.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &db.names.Directory, Item: i,
			ConditionExpression: aws.String("attribute_not_exists(v) OR v < :v"), ExpressionAttributeValues: item{":v": num(uint64(g.Meta.Version))}})
		return unlessNewer(err)
	}, func(member string) key { return scimMemberKey(t, member, g.ID) })
}

// unpoint removes the rows from members to g, unless a newer version wrote them.
func (db *DB) unpoint(ctx context.Context, t tenant.ID, g scim.Group, members []scim.Reference) error {
	return eachMember(ctx, members, func(ctx context.Context, k key) error {
		_, err := db.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &db.names.Directory, Key: k.item(),
			ConditionExpression: aws.String("attribute_not_exists(v) OR v <= :v"), ExpressionAttributeValues: item{":v": num(uint64(g.Meta.Version))}})
		return unlessNewer(err)
	}, func(member string) key { return scimMemberKey(t, member, g.ID) })
}

func eachMember(ctx context.Context, members []scim.Reference, do func(context.Context, key) error, keyOf func(member string) key) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(rowsAtOnce)
	for _, m := range members {
		all.Go(func() error { return do(ctx, keyOf(m.Value)) })
	}
	return all.Wait()
}

func unlessNewer(err error) error {
	var newer *types.ConditionalCheckFailedException
	if errors.As(err, &newer) {
		return nil
	}
	return classify("write membership", err)
}

var _ scim.GroupStore = (*DB)(nil)
