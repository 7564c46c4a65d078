package localaws_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"behalf.dev/behalf/integration/localaws"
)

// tenantRights is the shape of Behalf's vended roles.
const tenantRights = `{"Version":"2012-10-17","Statement":[
	{"Sid":"Own","Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:Query","dynamodb:BatchGetItem","dynamodb:BatchWriteItem","dynamodb:PutItem","dynamodb:ConditionCheckItem"],
	 "Resource":["arn:aws:dynamodb:*:*:table/shared","arn:aws:dynamodb:*:*:table/shared/index/byOwner"],
	 "Condition":{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["T#${aws:PrincipalTag/tenant}#*"]},"Null":{"dynamodb:LeadingKeys":"false","aws:PrincipalTag/tenant":"false"}}},
	{"Sid":"Never","Effect":"Deny","Action":["dynamodb:Scan","dynamodb:DeleteItem"],"Resource":"*"}]}`

// tenant returns a client with a session of the tenant "acme", and one of the operator.
func tenant(t testing.TB) (a *localaws.AWS, own, admin *dynamodb.Client) {
	t.Helper()
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	admin = dynamodb.NewFromConfig(operator(a))
	attr := func(n string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &n, AttributeType: "S"}
	}
	hash := func(n string) []types.KeySchemaElement {
		return []types.KeySchemaElement{{AttributeName: &n, KeyType: "HASH"}}
	}
	_, err = admin.CreateTable(t.Context(), &dynamodb.CreateTableInput{TableName: aws.String("shared"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{attr("pk"), attr("owner")}, KeySchema: hash("pk"),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{IndexName: aws.String("byOwner"), KeySchema: hash("owner"), Projection: &types.Projection{ProjectionType: "ALL"}}}})
	if err != nil {
		t.Fatal(err)
	}
	role, err := a.SetRole("tenant", `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":["sts:AssumeRole","sts:TagSession"]}}`, tenantRights)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sts.NewFromConfig(operator(a)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("session"),
		Tags: []ststypes.Tag{{Key: aws.String("tenant"), Value: aws.String("acme")}}})
	if err != nil {
		t.Fatal(err)
	}
	c := s.Credentials
	return a, dynamodb.NewFromConfig(config(a, [3]string{*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken})), admin
}

func pk(v string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": text(v)}
}

func TestLeadingKeys_EveryWayToNameAForeignKey_IsDenied(t *testing.T) {
	t.Parallel()
	_, c, _ := tenant(t)
	const own, foreign = "T#acme#U#1", "T#globex#U#1"
	table := aws.String("shared")
	for name, call := range map[string]func(keys ...string) error{
		"batch get": func(keys ...string) error {
			in := types.KeysAndAttributes{}
			for _, k := range keys {
				in.Keys = append(in.Keys, pk(k))
			}
			_, err := c.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*table: in}})
			return err
		},
		"batch write": func(keys ...string) error {
			var in []types.WriteRequest
			for _, k := range keys {
				in = append(in, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: pk(k)}})
			}
			_, err := c.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*table: in}})
			return err
		},
		"transaction": func(keys ...string) error {
			in := &dynamodb.TransactWriteItemsInput{}
			for _, k := range keys {
				in.TransactItems = append(in.TransactItems, types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: table, Key: pk(k), ConditionExpression: aws.String("attribute_not_exists(pk)")}})
			}
			_, err := c.TransactWriteItems(t.Context(), in)
			return err
		},
		"index query": func(keys ...string) error {
			_, err := c.Query(t.Context(), &dynamodb.QueryInput{TableName: table, IndexName: aws.String("byOwner"), KeyConditionExpression: aws.String("#o = :o"),
				ExpressionAttributeNames: map[string]string{"#o": "owner"}, ExpressionAttributeValues: map[string]types.AttributeValue{":o": text(keys[len(keys)-1])}})
			return err
		},
	} {
		if err := call(own); err != nil {
			t.Errorf("%s of an own key: %v", name, err)
		}
		if err := call(own, foreign); errorCode(err) != "AccessDeniedException" {
			t.Errorf("%s with a foreign key: %v", name, err)
		}
	}
	_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Delete: &types.Delete{TableName: table, Key: pk(own)}}}})
	if errorCode(err) != "AccessDeniedException" {
		t.Errorf("delete inside a transaction: %v", err)
	}
}

func TestIndexLag_ReadsOldIndexUntilSettled(t *testing.T) {
	t.Parallel()
	a, _, admin := tenant(t)
	a.SetIndexLag(1)
	count := func() int32 {
		out, err := admin.Query(t.Context(), &dynamodb.QueryInput{TableName: aws.String("shared"), IndexName: aws.String("byOwner"), KeyConditionExpression: aws.String("#o = :o"),
			ExpressionAttributeNames: map[string]string{"#o": "owner"}, ExpressionAttributeValues: map[string]types.AttributeValue{":o": text("x")}})
		if err != nil {
			t.Fatal(err)
		}
		return out.Count
	}
	for i := range 2 {
		_, err := admin.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("shared"), Item: map[string]types.AttributeValue{"pk": text(fmt.Sprint(i)), "owner": text("x")}})
		if err != nil {
			t.Fatal(err)
		}
		if got := count(); got != int32(i) {
			t.Errorf("after write %d the index shows %d items", i, got)
		}
	}
	if a.Settle(); count() != 2 {
		t.Errorf("settled index shows %d items, want 2", count())
	}
}

// One hundred writers and readers on all kinds of calls: for the race detector, and for the sum.
func TestDynamoDB_HundredGoroutines_SumHolds(t *testing.T) {
	t.Parallel()
	_, c, admin := tenant(t)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			key := pk(fmt.Sprintf("T#acme#U#%d", i%5))
			_, err := admin.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
				{Update: &types.Update{TableName: aws.String("shared"), Key: key, UpdateExpression: aws.String("ADD n :one SET #o = :o"), ExpressionAttributeNames: map[string]string{"#o": "owner"},
					ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}, ":o": text(fmt.Sprint(i % 3))}}},
				{Update: &types.Update{TableName: aws.String("shared"), Key: pk("total"), UpdateExpression: aws.String("ADD n :one"), ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}}}}}})
			if err != nil {
				t.Errorf("transaction: %v", err)
			}
			if _, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("shared"), Key: key}); err != nil {
				t.Errorf("get: %v", err)
			}
			if _, err := admin.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("shared")}); err != nil {
				t.Errorf("scan: %v", err)
			}
		})
	}
	wg.Wait()
	out, err := admin.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("shared"), Key: pk("total")})
	if err != nil {
		t.Fatal(err)
	}
	if n := out.Item["n"].(*types.AttributeValueMemberN).Value; n != "100" {
		t.Errorf("total is %s, want 100", n)
	}
}

// BenchmarkGetItemTenant is BenchmarkGetItem with a tenant's session, so with IAM evaluated.
func BenchmarkGetItemTenant(b *testing.B) {
	_, c, _ := tenant(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.GetItem(context.Background(), &dynamodb.GetItemInput{TableName: aws.String("shared"), Key: pk("T#acme#U#1")}); err != nil {
			b.Fatal(err)
		}
	}
}
