package canary

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"behalf.dev/behalf/shared/awssts"
	"behalf.dev/behalf/shared/tenant"
)

// The canary's tenants and principals. The leading underscore keeps the tenants outside the grammar of tenant ids.
const (
	own       tenant.ID        = "_canary-a"
	foreign   tenant.ID        = "_canary-b"
	principal tenant.Principal = "canary"
	other     tenant.Principal = "canary2"
)

// session is one set of vended credentials.
type session struct {
	db  *dynamodb.Client
	kms *kms.Client
	sts *sts.Client
}

// vend assumes role for a tenant by the code that serves customers.
func (f *Function) vend(ctx context.Context, role right, t tenant.ID) (session, error) {
	v := awssts.NewVendor(sts.NewFromConfig(f.aws), f.roles[role.name], f.now)
	get := func() (aws.Credentials, error) { return v.ForTenant(ctx, t) }
	if role.byPrincipal {
		get = func() (aws.Credentials, error) {
			return v.ForPrincipal(ctx, tenant.Scope{Tenant: t, Principal: principal})
		}
	}
	c, err := get()
	if err != nil {
		return session{}, fmt.Errorf("role %s: %w", role.name, err)
	}
	cfg := f.aws.Copy()
	cfg.Credentials = credentials.StaticCredentialsProvider{Value: c}
	return session{dynamodb.NewFromConfig(cfg), kms.NewFromConfig(cfg), sts.NewFromConfig(cfg)}, nil
}

// at writes a partition as an attacker would who has read the source. The constructors of package dynamo are not used on
// purpose: they refuse to build what is tried here. That the own ones are right is proved by their being allowed.
func at(t tenant.ID, rest string) string { return "T#" + string(t) + "#" + rest }

func ofPrincipal(t tenant.ID, p tenant.Principal) string { return at(t, "U#"+string(p)) }

func key(pk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: "CANARY"}}
}

// never is a condition that no write of the canary meets: nothing has its sort key. So a write that is permitted fails, and shows
// by how it fails that it was permitted.
const never = "attribute_exists(pk)"

func (s session) get(ctx context.Context, table, pk string) error {
	_, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key(pk)})
	return err
}

func (s session) query(ctx context.Context, table, pk string) error {
	_, err := s.db.Query(ctx, &dynamodb.QueryInput{TableName: &table, Limit: aws.Int32(1), KeyConditionExpression: aws.String("pk = :pk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": &types.AttributeValueMemberS{Value: pk}}})
	return err
}

func (s session) batch(ctx context.Context, table string, pks ...string) error {
	var keys []map[string]types.AttributeValue
	for _, pk := range pks {
		keys = append(keys, key(pk))
	}
	_, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{table: {Keys: keys}}})
	return err
}

func (s session) put(ctx context.Context, table, pk string) error {
	_, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: key(pk), ConditionExpression: aws.String(never)})
	return err
}

func (s session) remove(ctx context.Context, table, pk string) error {
	_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &table, Key: key(pk), ConditionExpression: aws.String(never)})
	return err
}

// transact checks items in one transaction.
func (s session) transact(ctx context.Context, table string, pks ...string) error {
	var items []types.TransactWriteItem
	for _, pk := range pks {
		items = append(items, types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: &table, Key: key(pk), ConditionExpression: aws.String(never)}})
	}
	_, err := s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
	return err
}

func (s session) scan(ctx context.Context, table string) error {
	_, err := s.db.Scan(ctx, &dynamodb.ScanInput{TableName: &table, Limit: aws.Int32(1)})
	return err
}

func (s session) sql(ctx context.Context, table, pk string) error {
	_, err := s.db.ExecuteStatement(ctx, &dynamodb.ExecuteStatementInput{Statement: aws.String(`SELECT pk FROM "` + table + `" WHERE pk = '` + pk + `'`)})
	return err
}

// due asks the one index for its first shard.
func (s session) due(ctx context.Context, table string) error {
	_, err := s.db.Query(ctx, &dynamodb.QueryInput{TableName: &table, IndexName: aws.String("due"), Limit: aws.Int32(1), KeyConditionExpression: aws.String("dk = :dk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":dk": &types.AttributeValueMemberS{Value: "D#00"}}})
	return err
}

func (s session) decrypt(ctx context.Context, key string, wrapped []byte, encryption map[string]string) error {
	_, err := s.kms.Decrypt(ctx, &kms.DecryptInput{KeyId: &key, CiphertextBlob: wrapped, EncryptionContext: encryption})
	return err
}

// generate makes a data key and forgets it; what is left is its wrapped form.
func (s session) generate(ctx context.Context, key string, encryption map[string]string) ([]byte, error) {
	out, err := s.kms.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &key, KeySpec: kmstypes.DataKeySpecAes256, EncryptionContext: encryption})
	if err != nil {
		return nil, err
	}
	return out.CiphertextBlob, nil
}

// assume asks for a role with tags written name, value, name, value.
func assume(ctx context.Context, c *sts.Client, role string, tags ...string) error {
	in := &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("canary"), DurationSeconds: aws.Int32(900)}
	for i := 0; i+1 < len(tags); i += 2 {
		in.Tags = append(in.Tags, ststypes.Tag{Key: &tags[i], Value: &tags[i+1]})
	}
	_, err := c.AssumeRole(ctx, in)
	return err
}
