package contract

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"behalf.dev/behalf/integration/contract/dynamolocal"
	"behalf.dev/behalf/integration/localaws"
)

func embedded(t *testing.T) *localaws.AWS {
	t.Helper()
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func static(cfg aws.Config, key, secret, token string) aws.Config {
	cfg = cfg.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(key, secret, token)
	return cfg
}

// suite runs every part of the contract.
func suite(t *testing.T, a *localaws.AWS, cfg aws.Config) {
	t.Run("DynamoDB", func(t *testing.T) { DynamoDB(t, cfg) })
	t.Run("KMS", func(t *testing.T) { KMS(t, cfg) })
	t.Run("SQS", func(t *testing.T) { SQS(t, cfg) })
	t.Run("EventBridge", func(t *testing.T) { EventBridge(t, cfg) })
	t.Run("Isolation", func(t *testing.T) { Isolation(t, isolated(t, a, cfg)) })
}

func TestContract_EmbeddedInProcess_Holds(t *testing.T) {
	a := embedded(t)
	key, secret := a.OperatorCredentials()
	suite(t, a, static(aws.Config{Region: "us-east-1", HTTPClient: a.HTTPClient(), BaseEndpoint: aws.String("http://localaws.internal")}, key, secret, ""))
}

func TestContract_EmbeddedOverHTTP_Holds(t *testing.T) {
	a := embedded(t)
	s := httptest.NewServer(a)
	defer s.Close()
	key, secret := a.OperatorCredentials()
	for k, v := range map[string]string{"AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	suite(t, a, cfg)
}

func TestContract_DynamoDBLocal_Holds(t *testing.T) {
	url := dynamolocal.Endpoint(t)
	DynamoDB(t, static(aws.Config{Region: "us-east-1", BaseEndpoint: &url}, "local", "local", ""))
}

// isolated sets up the roles, table and key of the isolation suite.
func isolated(t *testing.T, a *localaws.AWS, cfg aws.Config) Isolated {
	t.Helper()
	x := Isolated{Table: "contract-isolation"}
	_, err := dynamodb.NewFromConfig(cfg).CreateTable(t.Context(), &dynamodb.CreateTableInput{TableName: &x.Table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: "S"}}, KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: "HASH"}}})
	if err != nil {
		t.Fatal(err)
	}
	k, err := kms.NewFromConfig(cfg).CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	x.Key = *k.KeyMetadata.Arn
	caller, err := a.SetRole("contract-caller", `{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}`)
	if err != nil {
		t.Fatal(err)
	}
	trust := fmt.Sprintf(`{"Statement":{"Effect":"Allow","Principal":{"AWS":%q},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{
		"StringLike":{"aws:RequestTag/tenant":"?*"},"ForAllValues:StringEquals":{"aws:TagKeys":["tenant"]},"Null":{"aws:TagKeys":"false"}}}}`, caller)
	rights := fmt.Sprintf(`{"Statement":[
		{"Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:PutItem","dynamodb:Query"],"Resource":"arn:aws:dynamodb:*:*:table/%s",
		 "Condition":{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["T#${aws:PrincipalTag/tenant}#*"]},"Null":{"dynamodb:LeadingKeys":"false"}}},
		{"Effect":"Allow","Action":["kms:Encrypt","kms:Decrypt"],"Resource":%q,"Condition":{"StringEquals":{"kms:EncryptionContext:tenant":"${aws:PrincipalTag/tenant}"}}}]}`, x.Table, x.Key)
	if x.TenantRole, err = a.SetRole("contract-tenant", trust, rights); err != nil {
		t.Fatal(err)
	}
	key, secret, token := a.RoleCredentials(caller)
	x.Caller = static(cfg, key, secret, token)
	return x
}
