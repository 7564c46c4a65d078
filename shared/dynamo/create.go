package dynamo

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// tableWait is how long a new table may take to become active.
const tableWait = time.Minute

// CreateTables creates the tables of Schema under the names given, and waits until they are active. It is for local
// endpoints and tests; deployments create theirs with the CDK. A name that is empty is left out.
func CreateTables(ctx context.Context, client *dynamodb.Client, names Names) error {
	physical := map[string]string{"vault": names.Vault, "directory": names.Directory, "flow": names.Flow, "audit": names.Audit}
	for _, t := range Schema() {
		name := physical[t.Name]
		if name == "" {
			continue
		}
		if _, err := client.CreateTable(ctx, createInput(t, name)); err != nil {
			return fmt.Errorf("create table %s: %w", name, err)
		}
		if err := dynamodb.NewTableExistsWaiter(client).Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, tableWait); err != nil {
			return fmt.Errorf("wait for table %s: %w", name, err)
		}
		if t.TTL == "" {
			continue
		}
		enabled := true
		if _, err := client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{TableName: &name,
			TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &t.TTL, Enabled: &enabled}}); err != nil {
			return fmt.Errorf("set the time to live of table %s: %w", name, err)
		}
	}
	return nil
}

func createInput(t Table, name string) *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest, KeySchema: keySchema(t.PartitionKey, t.SortKey),
		AttributeDefinitions: []types.AttributeDefinition{attribute(t.PartitionKey, types.ScalarAttributeTypeS), attribute(t.SortKey, types.ScalarAttributeTypeS)}}
	for _, i := range t.Indexes {
		in.AttributeDefinitions = append(in.AttributeDefinitions, attribute(i.PartitionKey, types.ScalarAttributeTypeS), attribute(i.SortKey, types.ScalarAttributeTypeN))
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{IndexName: &i.Name,
			KeySchema: keySchema(i.PartitionKey, i.SortKey), Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}})
	}
	if t.Stream {
		on := true
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: &on, StreamViewType: types.StreamViewTypeNewImage}
	}
	return in
}

func keySchema(partition, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{{AttributeName: &partition, KeyType: types.KeyTypeHash}, {AttributeName: &sort, KeyType: types.KeyTypeRange}}
}

func attribute(name string, kind types.ScalarAttributeType) types.AttributeDefinition {
	return types.AttributeDefinition{AttributeName: &name, AttributeType: kind}
}
