package localaws_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"behalf.dev/behalf/integration/localaws"
)

// config is an SDK configuration for the embedded account.
func config(a *localaws.AWS, c [3]string) aws.Config {
	return aws.Config{Region: "us-east-1", HTTPClient: a.HTTPClient(), BaseEndpoint: aws.String("http://localaws.internal"),
		Credentials: credentials.NewStaticCredentialsProvider(c[0], c[1], c[2])}
}

func operator(a *localaws.AWS) aws.Config {
	key, secret := a.OperatorCredentials()
	return config(a, [3]string{key, secret, ""})
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// benchTable has 100 partitions of 10 items with 600 bytes each.
func benchTable(b *testing.B) *dynamodb.Client {
	b.Helper()
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		b.Fatal(err)
	}
	c := dynamodb.NewFromConfig(operator(a))
	_, err = c.CreateTable(b.Context(), &dynamodb.CreateTableInput{TableName: aws.String("bench"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: "S"}, {AttributeName: aws.String("sk"), AttributeType: "S"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: "HASH"}, {AttributeName: aws.String("sk"), KeyType: "RANGE"}}})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		if _, err := c.PutItem(b.Context(), putInput(i)); err != nil {
			b.Fatal(err)
		}
	}
	return c
}

func putInput(i int) *dynamodb.PutItemInput {
	return &dynamodb.PutItemInput{TableName: aws.String("bench"), Item: map[string]types.AttributeValue{
		"pk": text(fmt.Sprintf("p%d", i%100)), "sk": text(fmt.Sprintf("s%d", i/100%10)), "status": text("active"),
		"version": &types.AttributeValueMemberN{Value: fmt.Sprint(i)}, "sealed": &types.AttributeValueMemberB{Value: make([]byte, 600)}}}
}

func BenchmarkGetItem(b *testing.B) {
	c := benchTable(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			_, err := c.GetItem(context.Background(), &dynamodb.GetItemInput{TableName: aws.String("bench"), Key: map[string]types.AttributeValue{"pk": text(fmt.Sprintf("p%d", i%100)), "sk": text("s1")}})
			if err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkPutItem(b *testing.B) {
	c := benchTable(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := c.PutItem(context.Background(), putInput(i)); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkQuery(b *testing.B) {
	c := benchTable(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			out, err := c.Query(context.Background(), &dynamodb.QueryInput{TableName: aws.String("bench"), KeyConditionExpression: aws.String("pk = :p"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":p": text(fmt.Sprintf("p%d", i%100))}})
			if err != nil || len(out.Items) != 10 {
				b.Errorf("items %v, error %v", out, err)
			}
		}
	})
}
