package dynamo

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// rules is the row that every execution reads about its tenant's switches and policy. The policy itself is a row per
// revision that never changes, so that a process reads it once.
type rules struct {
	Switches policy.Switches `json:"switches,omitzero"`
	// Policy is the revision in force, 0 for none.
	Policy uint64 `json:"policy,omitempty"`
}

// Rules reads the switches of a tenant, or of the deployment under tenant.Deployment, and the policy revision in force.
func (db *DB) Rules(ctx context.Context, t tenant.ID) (s policy.Switches, revision uint64, err error) {
	r, _, err := db.rules(ctx, t)
	return r.Switches, r.Policy, err
}

func (db *DB) rules(ctx context.Context, t tenant.ID) (r rules, version uint64, err error) {
	i, err := db.get(ctx, db.names.Vault, rulesKey(t))
	if err != nil || i == nil {
		return r, 0, err
	}
	return r, number(i, attrVersion), decode(i, &r)
}

// PutSwitches replaces the switches. Executions that begin after it see them.
func (db *DB) PutSwitches(ctx context.Context, t tenant.ID, s policy.Switches) error {
	return db.changeRules(ctx, t, func(r *rules) []types.TransactWriteItem { r.Switches = s; return nil })
}

// PutPolicy puts d in force, as the next revision; the zero Document puts none in force. It returns the revision.
func (db *DB) PutPolicy(ctx context.Context, t tenant.ID, d policy.Document) (revision uint64, err error) {
	var failed error
	err = db.changeRules(ctx, t, func(r *rules) []types.TransactWriteItem {
		r.Policy++
		revision = r.Policy
		i, err := document(policyKey(t, revision), 1, d)
		if err != nil {
			failed = err
			return nil
		}
		return []types.TransactWriteItem{db.putWrite(db.names.Vault, i, 0)}
	})
	return revision, errors.Join(failed, err)
}

// changeRules writes what change makes of the row, with the writes that belong to it, all or nothing.
func (db *DB) changeRules(ctx context.Context, t tenant.ID, change func(*rules) []types.TransactWriteItem) error {
	for range maxRaces {
		r, version, err := db.rules(ctx, t)
		if err != nil {
			return err
		}
		more := change(&r)
		i, err := document(rulesKey(t), version+1, r)
		if err != nil {
			return err
		}
		err = db.transact(ctx, append(more, db.putWrite(db.names.Vault, i, version))...)
		if !errors.Is(err, errLost) {
			return err
		}
	}
	return errLost
}

// PolicyDocument reads one revision of a tenant's policy; fault.NotFound.
func (db *DB) PolicyDocument(ctx context.Context, t tenant.ID, revision uint64) (d policy.Document, err error) {
	i, err := db.get(ctx, db.names.Vault, policyKey(t, revision))
	if err != nil {
		return d, err
	}
	if i == nil {
		return d, fault.New(fault.NotFound, "tenant %q has no policy of revision %d", t, revision)
	}
	return d, decode(i, &d)
}

// CountCall counts one call into a window of a budget; false, and not counted, when the window is full.
func (db *DB) CountCall(ctx context.Context, s tenant.Scope, u toolcall.BudgetUse) (bool, error) {
	_, err := db.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: &db.names.Flow, Key: budgetKey(s, u).item(),
		UpdateExpression: aws.String("SET #t = :t ADD n :one"), ConditionExpression: aws.String("attribute_not_exists(n) OR n < :limit"),
		ExpressionAttributeNames:  map[string]string{"#t": AttrTTL},
		ExpressionAttributeValues: item{":one": num(1), ":limit": num(u.Limit), ":t": num(u.Ends.Add(time.Hour).Unix())}})
	var full *types.ConditionalCheckFailedException
	if errors.As(err, &full) {
		return false, nil
	}
	return err == nil, classify("count", err)
}

// Approval reads one strongly; fault.NotFound.
func (db *DB) Approval(ctx context.Context, s tenant.Scope, id string) (a toolcall.Approval, err error) {
	i, err := db.get(ctx, db.names.Flow, approvalKey(s, id))
	if err != nil {
		return a, err
	}
	if i == nil {
		return a, fault.New(fault.NotFound, "principal %s has no approval %.80s", s.Principal, id)
	}
	return readApproval(i)
}

func readApproval(i item) (a toolcall.Approval, err error) {
	err = decode(i, &a)
	a.Version = number(i, attrVersion)
	return a, err
}

// approvalKept is how long a decided approval can still be looked at.
const approvalKept = 7 * 24 * time.Hour

// PutApproval writes a if the stored version is a's (0: none stored); fault.Conflict otherwise.
func (db *DB) PutApproval(ctx context.Context, a toolcall.Approval) (toolcall.Approval, error) {
	old := a.Version
	a.Version++
	i, err := document(approvalKey(a.Scope, a.ID), a.Version, a)
	if err != nil {
		return a, err
	}
	i[AttrTTL] = num(a.Expires.Add(approvalKept).Unix())
	_, err = db.put(ctx, db.names.Flow, i, old)
	return a, err
}

// ApprovalsOf lists a principal's approvals behind after, in the order of their ids; next is empty at the end.
func (db *DB) ApprovalsOf(ctx context.Context, s tenant.Scope, after string, limit int) (out []toolcall.Approval, next string, err error) {
	p := page{pk: principalPartition(s), prefix: approvalPrefix, limit: int32(limit), strong: true}
	if after != "" {
		p.after = approvalKey(s, after).sk
	}
	items, more, err := db.query(ctx, db.names.Flow, p)
	if err != nil {
		return nil, "", err
	}
	for _, i := range items {
		a, err := readApproval(i)
		if err != nil {
			return nil, "", err
		}
		out = append(out, a)
	}
	return out, strings.TrimPrefix(more, approvalPrefix), nil
}

var (
	_ toolcall.Rulebook  = (*DB)(nil)
	_ toolcall.Approvals = (*DB)(nil)
)
