package contract

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// Isolated names the resources that Isolation needs; the caller creates them, because on a
// real account they come from a deployment.
type Isolated struct {
	Caller     aws.Config // credentials of a role that may assume TenantRole with a tenant tag
	TenantRole string     // ARN; its rights depend on the tag "tenant"
	Table      string     // hash key "pk" (text), partitions "T#<tenant>#..."; the role may get, put, query and transact there
	Key        string     // KMS key usable with encryption context tenant=<tag>
}

// Isolation checks STS and that IAM refuses what a tenant's credentials must not reach.
func Isolation(t *testing.T, x Isolated) {
	t.Run("AssumeRole_WithoutTag_IsRefused", func(t *testing.T) {
		_, err := x.assume(t, nil)
		wantCode(t, err, "AccessDenied")
	})
	t.Run("AssumeRole_ForeignTagKey_IsRefused", func(t *testing.T) {
		_, err := x.assume(t, map[string]string{"tenant": "acme", "admin": "true"})
		wantCode(t, err, "AccessDenied")
	})
	t.Run("AssumeRole_WildcardInTag_IsRefused", func(t *testing.T) {
		for _, v := range []string{"*", "a?", "a#b", "${x}"} {
			_, err := x.assume(t, map[string]string{"tenant": v})
			wantCode(t, err, "ValidationError")
		}
	})
	cfg, err := x.assume(t, map[string]string{"tenant": "acme"})
	if err != nil {
		t.Fatalf("assume tenant role: %v", err)
	}
	t.Run("Table_OwnAndForeignKeys", func(t *testing.T) { x.table(t, dynamodb.NewFromConfig(cfg)) })
	t.Run("Key_OwnAndForeignContext", func(t *testing.T) { x.key(t, kms.NewFromConfig(cfg)) })
	t.Run("Session_CannotChangeTenant", func(t *testing.T) {
		y := x
		y.Caller = cfg
		_, err := y.assume(t, map[string]string{"tenant": "globex"})
		wantCode(t, err, "AccessDenied")
	})
}

// assume returns the configuration of a tenant session.
func (x Isolated) assume(t *testing.T, tags map[string]string) (aws.Config, error) {
	t.Helper()
	in := &sts.AssumeRoleInput{RoleArn: &x.TenantRole, RoleSessionName: aws.String("contract")}
	for k, v := range tags {
		in.Tags = append(in.Tags, ststypes.Tag{Key: &k, Value: &v})
	}
	out, err := sts.NewFromConfig(x.Caller).AssumeRole(t.Context(), in)
	if err != nil {
		return aws.Config{}, err
	}
	cfg := x.Caller.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	return cfg, nil
}

func (x Isolated) table(t *testing.T, c *dynamodb.Client) {
	own, foreign := items{"pk": str("T#acme#U#alice")}, items{"pk": str("T#globex#U#bob")}
	prefix := items{"pk": str("T#acme2#U#eve")}
	get := func(k items) error {
		_, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &x.Table, Key: k})
		return err
	}
	put := func(k items) error {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &x.Table, Item: k})
		return err
	}
	query := func(pk string) error {
		_, err := c.Query(t.Context(), &dynamodb.QueryInput{TableName: &x.Table, KeyConditionExpression: aws.String("pk = :p"), ExpressionAttributeValues: items{":p": str(pk)}})
		return err
	}
	transact := func(ks ...items) error {
		in := &dynamodb.TransactWriteItemsInput{}
		for _, k := range ks {
			in.TransactItems = append(in.TransactItems, types.TransactWriteItem{Put: &types.Put{TableName: &x.Table, Item: k}})
		}
		_, err := c.TransactWriteItems(t.Context(), in)
		return err
	}
	for name, err := range map[string]error{"put": put(own), "get": get(own), "query": query("T#acme#U#alice"), "transaction": transact(own)} {
		if err != nil {
			t.Errorf("own %s: %v", name, err)
		}
	}
	_, scan := c.Scan(t.Context(), &dynamodb.ScanInput{TableName: &x.Table})
	for name, err := range map[string]error{"get": get(foreign), "get of a longer tenant": get(prefix), "put": put(foreign), "query": query("T#globex#U#bob"),
		"transaction": transact(foreign), "mixed transaction": transact(own, foreign), "scan": scan} {
		if code(err) != "AccessDeniedException" {
			t.Errorf("foreign %s: error is %v, want AccessDeniedException", name, err)
		}
	}
}

func (x Isolated) key(t *testing.T, c *kms.Client) {
	own, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &x.Key, Plaintext: []byte("k"), EncryptionContext: map[string]string{"tenant": "acme"}})
	if err != nil {
		t.Fatalf("encrypt for own tenant: %v", err)
	}
	for name, ec := range map[string]map[string]string{"foreign": {"tenant": "globex"}, "missing": nil, "case": {"Tenant": "globex"}} {
		_, err := c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: own.CiphertextBlob, EncryptionContext: ec})
		if code(err) != "AccessDeniedException" {
			t.Errorf("%s context: error is %v, want AccessDeniedException", name, err)
		}
	}
}
