package dynamo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/shared/fault"
)

// Names are the physical names of the tables; a function leaves those out that it does not use.
type Names struct{ Vault, Directory, Flow, Audit string }

// DB is the four tables under one set of credentials. It is safe for concurrent use.
type DB struct {
	client *dynamodb.Client
	names  Names
	now    func() time.Time
}

// New returns a DB that uses the client's own credentials.
func New(client *dynamodb.Client, names Names, now func() time.Time) *DB {
	return &DB{client, names, now}
}

// With returns a DB over the same connections with other credentials: those vended for one tenant. Its signer is its own: a
// signer keeps the signing key that it derived, and knows it again by the access key's id alone.
func (db *DB) With(creds aws.CredentialsProvider) *DB {
	return &DB{dynamodb.New(db.client.Options(), func(o *dynamodb.Options) {
		o.Credentials, o.HTTPSignerV4, o.AuthSchemes = creds, v4.NewSigner(), nil
	}), db.names, db.now}
}

type item = map[string]types.AttributeValue

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func num[T int | int64 | uint64 | uint32](n T) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}
func bin(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

func (k key) item() item { return item{attrPK: str(k.pk), attrSK: str(k.sk)} }

func text(i item, name string) string {
	if s, ok := i[name].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func number(i item, name string) uint64 {
	if n, ok := i[name].(*types.AttributeValueMemberN); ok {
		v, err := strconv.ParseUint(n.Value, 10, 64)
		if err == nil {
			return v
		}
	}
	return 0
}

func blob(i item, name string) []byte {
	if b, ok := i[name].(*types.AttributeValueMemberB); ok {
		return b.Value
	}
	return nil
}

// The attributes of a document item.
const (
	attrDoc     = "doc"
	attrVersion = "v"
	attrMark    = "w" // random mark of the write, to recognise one whose answer was lost
)

// document builds an item from a JSON document.
func document(k key, version uint64, doc any) (item, error) {
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", k.sk, err)
	}
	i := k.item()
	i[attrDoc], i[attrVersion], i[attrMark] = str(string(b)), num(version), str(mark())
	return i, nil
}

func mark() string {
	var b [9]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand.Read)
	return hex.EncodeToString(b[:])
}

func decode(i item, into any) error {
	if err := json.Unmarshal([]byte(text(i, attrDoc)), into); err != nil {
		return fmt.Errorf("decode %s: %w", text(i, attrSK), err)
	}
	return nil
}

// get reads one item strongly; nil when there is none.
func (db *DB) get(ctx context.Context, table string, k key) (item, error) {
	out, err := db.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: k.item(), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, classify("read", err)
	}
	return out.Item, nil
}

// put writes a document if its stored version is old (0: absent). It returns errLost when somebody else wrote first,
// with the stored item.
func (db *DB) put(ctx context.Context, table string, i item, old uint64) (stored item, err error) {
	in := &dynamodb.PutItemInput{TableName: &table, Item: i, ConditionExpression: aws.String(condition(old)),
		ExpressionAttributeNames: conditionNames(old), ExpressionAttributeValues: conditionValues(old),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}
	for range maxRaces {
		_, err = db.client.PutItem(ctx, in)
		var held *types.TransactionConflictException
		if !errors.As(err, &held) {
			break // otherwise a transaction holds the item; it is over in moments
		}
	}
	var lost *types.ConditionalCheckFailedException
	if errors.As(err, &lost) {
		if len(lost.Item) > 0 && text(lost.Item, attrMark) == text(i, attrMark) {
			return nil, nil // the SDK repeated a write that had succeeded
		}
		return lost.Item, errLost
	}
	return nil, classify("write", err)
}

func condition(old uint64) string {
	if old == 0 {
		return "attribute_not_exists(#k)"
	}
	return "#k = :old"
}

func conditionNames(old uint64) map[string]string {
	if old == 0 {
		return map[string]string{"#k": attrPK}
	}
	return map[string]string{"#k": attrVersion}
}

func conditionValues(old uint64) item {
	if old == 0 {
		return nil
	}
	return item{":old": num(old)}
}

// errLost is a conditional write that somebody else won.
var errLost = fault.New(fault.Conflict, "somebody else changed this meanwhile; read it again")

func (db *DB) delete(ctx context.Context, table string, k key) error {
	_, err := db.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &table, Key: k.item()})
	return classify("delete", err)
}

// page is one page of a query.
type page struct {
	pk, prefix string
	from, to   string // bounds of the sort key, both included, instead of prefix
	after      string // sort key to start behind
	limit      int32
	backward   bool
	strong     bool
}

// query returns up to limit items, and the last sort key when there may be more.
func (db *DB) query(ctx context.Context, table string, p page) (items []item, next string, err error) {
	in := &dynamodb.QueryInput{TableName: &table, ConsistentRead: aws.Bool(p.strong), ScanIndexForward: aws.Bool(!p.backward),
		KeyConditionExpression: aws.String("pk = :pk AND begins_with(sk, :sk)"), ExpressionAttributeValues: item{":pk": str(p.pk), ":sk": str(p.prefix)}}
	if p.prefix == "" {
		in.KeyConditionExpression = aws.String("pk = :pk")
		delete(in.ExpressionAttributeValues, ":sk")
	}
	if p.to != "" {
		in.KeyConditionExpression = aws.String("pk = :pk AND sk BETWEEN :from AND :to")
		in.ExpressionAttributeValues = item{":pk": str(p.pk), ":from": str(p.from), ":to": str(p.to)}
	}
	if p.limit > 0 {
		in.Limit = &p.limit
	}
	if p.after != "" {
		in.ExclusiveStartKey = key{p.pk, p.after}.item()
	}
	for {
		out, err := db.client.Query(ctx, in)
		if err != nil {
			return nil, "", classify("query", err)
		}
		items = append(items, out.Items...)
		if out.LastEvaluatedKey == nil {
			return items, "", nil
		}
		if p.limit > 0 {
			return items, text(out.LastEvaluatedKey, attrSK), nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// transact writes all or nothing. It returns errLost when a condition failed.
func (db *DB) transact(ctx context.Context, writes ...types.TransactWriteItem) error {
	failed, err := db.tryTransact(ctx, writes...)
	if len(failed) > 0 {
		return errLost
	}
	return err
}

// tryTransact writes all or nothing. When conditions failed it returns the numbers of those writes. Another transaction
// that holds one of the items cancels this one (TransactionConflict); that is over in moments, so it is tried again under
// the same token, which keeps a write whose answer was lost from happening twice.
func (db *DB) tryTransact(ctx context.Context, writes ...types.TransactWriteItem) (failed []int, err error) {
	in := &dynamodb.TransactWriteItemsInput{TransactItems: writes, ClientRequestToken: aws.String(mark())}
	for range maxRaces {
		_, err = db.client.TransactWriteItems(ctx, in)
		var canceled *types.TransactionCanceledException
		if !errors.As(err, &canceled) {
			return nil, classify("write", err)
		}
		for n, r := range canceled.CancellationReasons {
			if aws.ToString(r.Code) == "ConditionalCheckFailed" {
				failed = append(failed, n)
			}
		}
		if len(failed) > 0 {
			return failed, nil
		}
		if !busy(canceled) {
			break
		}
	}
	return nil, classify("write", err)
}

func (db *DB) putWrite(table string, i item, old uint64) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{TableName: &table, Item: i, ConditionExpression: aws.String(condition(old)),
		ExpressionAttributeNames: conditionNames(old), ExpressionAttributeValues: conditionValues(old)}}
}
