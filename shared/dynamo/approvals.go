package dynamo

import (
	"context"

	"behalf.dev/behalf/shared/approval"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// ApprovalLink reads strongly by the token's hash; fault.NotFound.
func (db *DB) ApprovalLink(ctx context.Context, t tenant.ID, hash string) (l approval.Link, err error) {
	i, err := db.get(ctx, db.names.Flow, approvalLinkKey(t, hash))
	if err != nil {
		return l, err
	}
	if i == nil {
		return l, fault.New(fault.NotFound, "this link does not exist or has expired; ask for a new one")
	}
	err = decode(i, &l)
	l.Version = number(i, attrVersion)
	return l, err
}

// PutApprovalLink writes l if the stored version is l's (0: none stored); fault.Conflict otherwise.
func (db *DB) PutApprovalLink(ctx context.Context, l approval.Link) (approval.Link, error) {
	old := l.Version
	l.Version++
	i, err := document(approvalLinkKey(l.Tenant, l.Hash), l.Version, l)
	if err != nil {
		return l, err
	}
	i[AttrTTL] = num(l.Expires.Add(keepAfter).Unix())
	_, err = db.put(ctx, db.names.Flow, i, old)
	return l, err
}

var _ approval.Links = (*DB)(nil)
