package contract

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// items is a shorthand of the SDK's item type.
type items = map[string]types.AttributeValue

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func num(n int) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}

// store is a table of the suite.
type store struct {
	*dynamodb.Client
	table string
}

// DynamoDB checks what the stores of Behalf rely on: conditions, transactions, leases under
// contention, indexes and pages. It creates and deletes tables whose names start with "contract-".
func DynamoDB(t *testing.T, cfg aws.Config) {
	s := store{dynamodb.NewFromConfig(cfg), "contract-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))}
	s.create(t)
	t.Run("CreatedTable_IsActive", s.active)
	t.Run("ConditionalPut_SecondTime_Fails", s.conditionalPut)
	t.Run("FailedCondition_AllOld_ReturnsItem", s.returnsItem)
	t.Run("Lease_ManyContenders_OneWins", s.lease)
	t.Run("Counter_ConcurrentAdds_AllCount", s.counter)
	t.Run("Transaction_OneConditionFails_NothingIsWritten", s.transaction)
	t.Run("Transaction_SameToken_IsAppliedOnce", s.token)
	t.Run("Query_Pages_ReturnEverythingInOrder", s.pages)
	t.Run("Query_SparseIndex_ShowsKeysOnly", s.sparse)
	t.Run("Update_Expressions_ComputeFromOldItem", s.expressions)
	t.Run("Batch_WriteAndGet_RoundTrips", s.batch)
	t.Run("WrongInput_IsAValidationException", s.wrongInput)
}

func (s store) create(t *testing.T) {
	t.Helper()
	attr := func(n string, k types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(n), AttributeType: k}
	}
	key := func(n string, k types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: aws.String(n), KeyType: k}
	}
	_, err := s.CreateTable(t.Context(), &dynamodb.CreateTableInput{TableName: &s.table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{attr("pk", "S"), attr("sk", "S"), attr("due", "S"), attr("at", "N")},
		KeySchema:            []types.KeySchemaElement{key("pk", "HASH"), key("sk", "RANGE")},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{IndexName: aws.String("due"), KeySchema: []types.KeySchemaElement{key("due", "HASH"), key("at", "RANGE")},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}}}})
	if err != nil {
		t.Fatalf("create table: %v", err)
	}
	t.Cleanup(func() {
		if _, err := s.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &s.table}); err != nil {
			t.Errorf("delete table: %v", err)
		}
	})
	if err := dynamodb.NewTableExistsWaiter(s.Client).Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: &s.table}, 60e9); err != nil {
		t.Fatalf("table does not become active: %v", err)
	}
}

func code(err error) string {
	var ae smithy.APIError
	if errors.As(err, &ae) {
		return ae.ErrorCode()
	}
	return fmt.Sprint(err)
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || code(err) != want {
		t.Errorf("error is %v, want code %s", err, want)
	}
}

func (s store) put(t *testing.T, it items) {
	t.Helper()
	if _, err := s.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &s.table, Item: it}); err != nil {
		t.Fatalf("put: %v", err)
	}
}

func (s store) get(t *testing.T, pk, sk string) items {
	t.Helper()
	out, err := s.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &s.table, Key: items{"pk": str(pk), "sk": str(sk)}, ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return out.Item
}

func (s store) active(t *testing.T) {
	out, err := s.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &s.table})
	if err != nil || out.Table.TableStatus != types.TableStatusActive || len(out.Table.GlobalSecondaryIndexes) != 1 {
		t.Errorf("describe: %+v, %v", out, err)
	}
	_, err = s.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("contract-no-such-table")})
	wantCode(t, err, "ResourceNotFoundException")
}

func (s store) conditionalPut(t *testing.T) {
	in := &dynamodb.PutItemInput{TableName: &s.table, Item: items{"pk": str("once"), "sk": str("a")}, ConditionExpression: aws.String("attribute_not_exists(pk)")}
	if _, err := s.PutItem(t.Context(), in); err != nil {
		t.Fatalf("first put: %v", err)
	}
	_, err := s.PutItem(t.Context(), in)
	wantCode(t, err, "ConditionalCheckFailedException")
}

func (s store) returnsItem(t *testing.T) {
	s.put(t, items{"pk": str("old"), "sk": str("a"), "v": num(7)})
	_, err := s.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &s.table, Item: items{"pk": str("old"), "sk": str("a")}, ConditionExpression: aws.String("v < :v"),
		ExpressionAttributeValues: items{":v": num(7)}, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld})
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) || len(failed.Item) != 3 {
		t.Errorf("error %v carries item %v, want the old item", err, failed)
	}
}

// lease is the pattern of the refresh worker: take it only if it is free or expired.
func (s store) lease(t *testing.T) {
	s.put(t, items{"pk": str("lease"), "sk": str("a"), "until": num(0), "fence": num(0)})
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			_, err := s.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &s.table, Key: items{"pk": str("lease"), "sk": str("a")},
				UpdateExpression: aws.String("SET #u = :until, fence = fence + :one"), ConditionExpression: aws.String("#u < :now"), ExpressionAttributeNames: map[string]string{"#u": "until"},
				ExpressionAttributeValues: items{":until": num(100), ":now": num(50), ":one": num(1)}})
			switch {
			case err == nil:
				won.Add(1)
			case code(err) != "ConditionalCheckFailedException":
				t.Errorf("take lease: %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d contenders took the lease, want 1", won.Load())
	}
}

func (s store) counter(t *testing.T) {
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			_, err := s.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &s.table, Key: items{"pk": str("count"), "sk": str("a")},
				UpdateExpression: aws.String("ADD n :one"), ExpressionAttributeValues: items{":one": num(1)}})
			if err != nil {
				t.Errorf("add: %v", err)
			}
		})
	}
	wg.Wait()
	if n, _ := s.get(t, "count", "a")["n"].(*types.AttributeValueMemberN); n == nil || n.Value != "50" {
		t.Errorf("counter is %v, want 50", n)
	}
}

func (s store) transaction(t *testing.T) {
	s.put(t, items{"pk": str("tx"), "sk": str("taken")})
	unique := aws.String("attribute_not_exists(pk)")
	_, err := s.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: &s.table, Item: items{"pk": str("tx"), "sk": str("free")}, ConditionExpression: unique}},
		{Put: &types.Put{TableName: &s.table, Item: items{"pk": str("tx"), "sk": str("taken")}, ConditionExpression: unique}}}})
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) || len(cancelled.CancellationReasons) != 2 {
		t.Fatalf("error is %v, want a cancellation with two reasons", err)
	}
	if a, b := *cancelled.CancellationReasons[0].Code, *cancelled.CancellationReasons[1].Code; a != "None" || b != "ConditionalCheckFailed" {
		t.Errorf("reasons are %s, %s", a, b)
	}
	if it := s.get(t, "tx", "free"); it != nil {
		t.Errorf("a cancelled transaction wrote %v", it)
	}
}

func (s store) token(t *testing.T) {
	in := func(n int) *dynamodb.TransactWriteItemsInput {
		return &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String("contract-token-" + s.table[max(0, len(s.table)-20):]), TransactItems: []types.TransactWriteItem{
			{Update: &types.Update{TableName: &s.table, Key: items{"pk": str("token"), "sk": str("a")}, UpdateExpression: aws.String("ADD n :n"), ExpressionAttributeValues: items{":n": num(n)}}}}}
	}
	for range 2 {
		if _, err := s.TransactWriteItems(t.Context(), in(1)); err != nil {
			t.Fatalf("transaction: %v", err)
		}
	}
	if n, _ := s.get(t, "token", "a")["n"].(*types.AttributeValueMemberN); n == nil || n.Value != "1" {
		t.Errorf("n is %v, want 1", n)
	}
	_, err := s.TransactWriteItems(t.Context(), in(2))
	wantCode(t, err, "IdempotentParameterMismatchException")
}
