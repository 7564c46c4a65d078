package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/shared/dynamo"
)

// newData makes the data stack: the tables of dynamo.Schema, by short name, and the bucket of sealed audit segments.
func newData(scope constructs.Construct, o Options) (awscdk.Stack, map[string]awsdynamodb.TableV2) {
	stack := newStack(scope, o, "data", "Behalf: tables and audit bucket")
	n, key := namingIn(stack, o), newTableKey(stack, o)
	tables := map[string]awsdynamodb.TableV2{}
	for _, t := range dynamo.Schema() {
		tables[t.Name] = newTable(stack, n, o, key, t)
	}
	newAuditBucket(stack, n, o)
	return stack, tables
}

// newTableKey makes the key of the tables at rest. DynamoDB uses it for whoever may use a table, and for nobody else: so the
// roles need no permission on it, and a role without KMS rights stays without.
func newTableKey(scope constructs.Construct, o Options) awskms.Key {
	key := awskms.NewKey(scope, jsii.String("TableKey"), &awskms.KeyProps{
		Alias:             jsii.String("alias/behalf-" + o.Stage + "-tables"),
		Description:       jsii.String("Behalf: encrypts the tables at rest"),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     o.removal(),
	})
	stack := awscdk.Stack_Of(scope)
	s := statement{sid: "DynamoDBOnly", resources: []string{"*"},
		actions: []string{"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"},
		conditions: conditions{"StringEquals": {
			"kms:CallerAccount": *stack.Account(), "kms:ViaService": "dynamodb." + *stack.Region() + ".amazonaws.com"}},
	}.props()
	s.Principals = &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()}
	key.AddToResourcePolicy(awsiam.NewPolicyStatement(s), jsii.Bool(false))
	return key
}

func newTable(stack awscdk.Stack, n naming, o Options, key awskms.IKey, t dynamo.Table) awsdynamodb.TableV2 {
	props := &awsdynamodb.TablePropsV2{
		TableName:                        jsii.String(n.name(t.Name)),
		PartitionKey:                     text(t.PartitionKey),
		SortKey:                          text(t.SortKey),
		Billing:                          awsdynamodb.Billing_OnDemand(nil),
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: jsii.Bool(true)},
		DeletionProtection:               jsii.Bool(!o.Destroy),
		RemovalPolicy:                    o.removal(),
		ResourcePolicy:                   onlyNamed(n, o, t.Name),
	}
	if t.TTL != "" {
		props.TimeToLiveAttribute = jsii.String(t.TTL)
	}
	if t.Stream {
		props.DynamoStream = awsdynamodb.StreamViewType_NEW_IMAGE
	}
	var indexes []*awsdynamodb.GlobalSecondaryIndexPropsV2
	for _, i := range t.Indexes {
		indexes = append(indexes, &awsdynamodb.GlobalSecondaryIndexPropsV2{
			IndexName: jsii.String(i.Name), PartitionKey: text(i.PartitionKey), ProjectionType: awsdynamodb.ProjectionType_KEYS_ONLY,
			SortKey: &awsdynamodb.Attribute{Name: jsii.String(i.SortKey), Type: awsdynamodb.AttributeType_NUMBER},
		})
	}
	if len(indexes) > 0 {
		props.GlobalSecondaryIndexes = &indexes
	}
	table := awsdynamodb.NewTableV2(stack, jsii.String(title(t.Name)), props)
	encrypt(table, key)
	return table
}

// encrypt sets the key of a table at rest. The construct itself refuses to in a stack that is not bound to one Region.
func encrypt(table awsdynamodb.TableV2, key awskms.IKey) {
	cfn := table.Node().DefaultChild().(awsdynamodb.CfnGlobalTable)
	cfn.AddPropertyOverride(jsii.String("SSESpecification"), map[string]any{"SSEEnabled": true, "SSEType": "KMS"})
	cfn.AddPropertyOverride(jsii.String("Replicas.0.SSESpecification"), map[string]any{"KMSMasterKeyId": key.KeyArn()})
}

func text(name string) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: jsii.String(name), Type: awsdynamodb.AttributeType_STRING}
}
