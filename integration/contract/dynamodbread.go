package contract

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func (s store) pages(t *testing.T) {
	for i := range 25 {
		s.put(t, items{"pk": str("pages"), "sk": str(fmt.Sprintf("c#%02d", i))})
	}
	for _, forward := range []bool{true, false} {
		p := dynamodb.NewQueryPaginator(s.Client, &dynamodb.QueryInput{TableName: &s.table, Limit: aws.Int32(4), ScanIndexForward: &forward,
			KeyConditionExpression: aws.String("pk = :p AND begins_with(sk, :c)"), ExpressionAttributeValues: items{":p": str("pages"), ":c": str("c#")}})
		var got []string
		for p.HasMorePages() {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatalf("page: %v", err)
			}
			for _, it := range out.Items {
				got = append(got, it["sk"].(*types.AttributeValueMemberS).Value)
			}
		}
		first := map[bool]string{true: "c#00", false: "c#24"}[forward]
		if len(got) != 25 || got[0] != first {
			t.Errorf("forward %v: %d items starting with %v", forward, len(got), got)
		}
	}
}

func (s store) sparse(t *testing.T) {
	s.put(t, items{"pk": str("sparse"), "sk": str("a"), "due": str("0"), "at": num(20), "secret": str("x")})
	s.put(t, items{"pk": str("sparse"), "sk": str("b"), "due": str("0"), "at": num(3)})
	s.put(t, items{"pk": str("sparse"), "sk": str("c"), "at": num(1)})
	out, err := s.Query(t.Context(), &dynamodb.QueryInput{TableName: &s.table, IndexName: aws.String("due"), KeyConditionExpression: aws.String("due = :d AND #at <= :now"),
		ExpressionAttributeNames: map[string]string{"#at": "at"}, ExpressionAttributeValues: items{":d": str("0"), ":now": num(20)}})
	if err != nil || len(out.Items) != 2 {
		t.Fatalf("query index: %+v, %v", out, err)
	}
	if len(out.Items[1]) != 4 || out.Items[0]["sk"].(*types.AttributeValueMemberS).Value != "b" {
		t.Errorf("index shows %v, want the keys only, in numeric order", out.Items)
	}
}

func (s store) expressions(t *testing.T) {
	key := items{"pk": str("expr"), "sk": str("a")}
	s.put(t, items{"pk": str("expr"), "sk": str("a"), "n": num(1), "l": &types.AttributeValueMemberL{Value: []types.AttributeValue{str("x")}},
		"m": &types.AttributeValueMemberM{Value: items{"k": str("v"), "gone": str("g")}}, "tags": &types.AttributeValueMemberSS{Value: []string{"a", "b"}}})
	out, err := s.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &s.table, Key: key, ReturnValues: types.ReturnValueAllNew,
		UpdateExpression:          aws.String("SET kept = n, n = n + :one, l = list_append(l, :l), m.k = if_not_exists(m.k, :x), fresh = if_not_exists(nothing, :x) REMOVE m.gone DELETE tags :b"),
		ExpressionAttributeValues: items{":one": num(1), ":l": &types.AttributeValueMemberL{Value: []types.AttributeValue{num(2)}}, ":x": str("x"), ":b": &types.AttributeValueMemberSS{Value: []string{"b"}}}})
	if err != nil {
		t.Fatalf("update: %v", err)
	}
	got := fmt.Sprint(plain(&types.AttributeValueMemberM{Value: out.Attributes}))
	if want := "map[fresh:x kept:1 l:[x 2] m:map[k:v] n:2 pk:expr sk:a tags:[a]]"; got != want {
		t.Errorf("item is %s, want %s", got, want)
	}
}

// plain turns an attribute value into printable Go values.
func plain(v types.AttributeValue) any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberSS:
		return v.Value
	case *types.AttributeValueMemberL:
		out := []any{}
		for _, x := range v.Value {
			out = append(out, plain(x))
		}
		return out
	case *types.AttributeValueMemberM:
		out := map[string]any{}
		for k, x := range v.Value {
			out[k] = plain(x)
		}
		return out
	}
	return fmt.Sprintf("%T", v)
}

func (s store) batch(t *testing.T) {
	var writes []types.WriteRequest
	var keys []items
	for i := range 25 {
		k := items{"pk": str("batch"), "sk": str(fmt.Sprint(i))}
		writes, keys = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: k}}), append(keys, k)
	}
	if _, err := s.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{s.table: writes}}); err != nil {
		t.Fatalf("batch write: %v", err)
	}
	out, err := s.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{s.table: {Keys: keys}}})
	if err != nil || len(out.Responses[s.table]) != 25 {
		t.Errorf("batch get: %d items, %v", len(out.Responses[s.table]), err)
	}
}

func (s store) wrongInput(t *testing.T) {
	key := items{"pk": str("wrong"), "sk": str("a")}
	for name, in := range map[string]*dynamodb.UpdateItemInput{
		"reserved word": {UpdateExpression: aws.String("SET status = :v"), ExpressionAttributeValues: items{":v": num(1)}},
		"unused value":  {UpdateExpression: aws.String("SET a = :v"), ExpressionAttributeValues: items{":v": num(1), ":w": num(1)}},
		"unused name":   {UpdateExpression: aws.String("SET a = :v"), ExpressionAttributeNames: map[string]string{"#x": "x"}, ExpressionAttributeValues: items{":v": num(1)}},
		"key attribute": {UpdateExpression: aws.String("SET pk = :v"), ExpressionAttributeValues: items{":v": str("x")}},
		"overlap":       {UpdateExpression: aws.String("SET a.b = :v, a = :v"), ExpressionAttributeValues: items{":v": num(1)}},
		"index type":    {UpdateExpression: aws.String("SET due = :v"), ExpressionAttributeValues: items{":v": num(1)}},
		"no such path":  {UpdateExpression: aws.String("SET a.b = :v"), ExpressionAttributeValues: items{":v": num(1)}},
	} {
		in.TableName, in.Key = &s.table, key
		if _, err := s.UpdateItem(t.Context(), in); err == nil || code(err) != "ValidationException" {
			t.Errorf("%s: error is %v, want a ValidationException", name, err)
		}
	}
	_, err := s.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &s.table, Item: items{"pk": str("wrong"), "sk": str("a"), "big": str(strings.Repeat("x", 400*1024))}})
	wantCode(t, err, "ValidationException")
}
