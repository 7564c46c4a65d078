package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/vault"
)

func TestExecute_ConnectionOfSomebodyElse_IsNotFound(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	bobs := f.Connect(t, "acme", "user_bob", "github", "bob", nil)
	carols := f.Connect(t, "globex", "user_carol", "github", "carol", nil)
	alice := f.Session(t, "acme", "user_alice", nil)
	before := f.Counters(t, "github").APICalls
	for _, id := range []string{bobs, carols, "conn_00000000000000000000000000"} {
		a := f.Execute(t, alice, "github_get_authenticated_user", nil, object{"connection": id}).WantCode(t, "not_found")
		if a.Text("field") != "/connection" || strings.Contains(a.Body, "bob") {
			t.Errorf("%s", a.Body)
		}
	}
	// What the request says besides does not count: the token alone names tenant and principal.
	for _, extra := range []object{{"tenant": "globex"}, {"principal": "user_bob"}} {
		f.Execute(t, alice, "github_get_authenticated_user", nil, extra).WantCode(t, "invalid_input")
	}
	if got := f.Counters(t, "github").APICalls; got != before {
		t.Errorf("the provider was called %d times", got-before)
	}
}

func TestExecute_PrincipalWithoutConnection_NeverBorrowsOne(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_bob", "github", "bob", nil)
	f.Connect(t, "acme", "_org", "slack", "bob", nil)
	for _, tool := range []string{"github_get_authenticated_user", "slack_auth_test"} {
		a := f.Execute(t, f.Session(t, "acme", "user_alice", nil), tool, nil, nil).WantCode(t, "connection_required")
		way, _ := a.JSON["connect"].(object)
		if body, _ := way["body"].(object); body["principal"] != "user_alice" || body["tenant"] != "acme" {
			t.Errorf("the way to a link is %v", way)
		}
	}
}

// vended is what the authorizer hands to the execute function for a session.
func vended(t testing.TB, f *e2e.Fixture, session string) (aws.Credentials, map[string]any) {
	t.Helper()
	e := events.APIGatewayCustomAuthorizerRequestTypeRequest{Type: "REQUEST", MethodArn: "arn:aws:execute-api:us-east-1:000000000000:local/local/POST/v1/execute", Resource: "/v1/execute", Path: "/v1/execute",
		HTTPMethod: "POST", Headers: map[string]string{"Authorization": "Bearer " + session}}
	payload, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	out, err := lambda.NewFromConfig(f.Operator()).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("behalf-local-authorizer"), Payload: payload})
	if err != nil || out.FunctionError != nil {
		t.Fatalf("authorizer: %v %s", err, out.Payload)
	}
	var a events.APIGatewayCustomAuthorizerResponse
	if err := json.Unmarshal(out.Payload, &a); err != nil {
		t.Fatal(err)
	}
	text := func(k string) string { s, _ := a.Context[k].(string); return s }
	c := aws.Credentials{AccessKeyID: text("aws_access_key"), SecretAccessKey: text("aws_secret_key"), SessionToken: text("aws_session_token")}
	if c.AccessKeyID == "" || c.SessionToken == "" {
		t.Fatalf("no credentials in %v", a.Context)
	}
	return c, a.Context
}

func wantDenied(t *testing.T, what string, err error) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || !strings.HasPrefix(api.ErrorCode(), "AccessDenied") {
		t.Errorf("%s: %v, want AccessDenied", what, err)
	}
}

// attacker is a DynamoDB client with vended credentials, and one request of each kind.
type attacker struct{ *dynamodb.Client }

func (a attacker) each(ctx context.Context, table, pk, sk string) map[string]error {
	k := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}, "sk": &types.AttributeValueMemberS{Value: sk}}
	out := map[string]error{}
	_, out["GetItem"] = a.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: k})
	_, out["Query"] = a.Query(ctx, &dynamodb.QueryInput{TableName: &table, KeyConditionExpression: aws.String("pk = :p"), ExpressionAttributeValues: map[string]types.AttributeValue{":p": k["pk"]}})
	_, out["BatchGetItem"] = a.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{table: {Keys: []map[string]types.AttributeValue{k}}}})
	_, out["TransactGetItems"] = a.TransactGetItems(ctx, &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{{Get: &types.Get{TableName: &table, Key: k}}}})
	_, out["PutItem"] = a.PutItem(ctx, &dynamodb.PutItemInput{TableName: &table, Item: k})
	_, out["UpdateItem"] = a.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: &table, Key: k, UpdateExpression: aws.String("SET x = :p"), ExpressionAttributeValues: map[string]types.AttributeValue{":p": k["pk"]}})
	_, out["DeleteItem"] = a.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &table, Key: k})
	_, out["BatchWriteItem"] = a.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: {{PutRequest: &types.PutRequest{Item: k}}}}})
	_, out["TransactWriteItems"] = a.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Put: &types.Put{TableName: &table, Item: k}}}})
	_, out["Scan"] = a.Scan(ctx, &dynamodb.ScanInput{TableName: &table})
	return out
}

func TestVendedCredentials_PartitionsOfOthers_AreDeniedByPolicy(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Connect(t, "acme", "user_bob", "github", "bob", nil)
	f.Connect(t, "globex", "user_carol", "github", "carol", nil)
	creds, _ := vended(t, f, f.Session(t, "acme", "user_alice", nil))
	a := attacker{dynamodb.NewFromConfig(f.AWS(credentials.StaticCredentialsProvider{Value: creds}))}

	own, err := a.Query(t.Context(), &dynamodb.QueryInput{TableName: aws.String("behalf-local-vault"), KeyConditionExpression: aws.String("pk = :p"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":p": &types.AttributeValueMemberS{Value: "T#acme#U#user_alice"}}})
	if err != nil || len(own.Items) < 2 {
		t.Fatalf("her own partition: %v, %d items; without it the refusals below prove nothing", err, len(own.Items))
	}
	for _, foreign := range []string{"T#acme#U#user_bob", "T#globex#U#user_carol", "T#globex#U#user_alice", "T#acme#U#_org", "T#acme#X", "T#acme#L", "T#acme#D", "T#acme#AUTH", "T#acme#SCIM",
		"T#acme#F#x", "T#globex#K", "T#globex#S", "T#globex#A#2026112212", "T#_deployment#X", "T#_deployment#K", "T#_deployment#AUTH"} {
		for _, table := range []string{"vault", "directory", "flow", "audit"} {
			for op, err := range a.each(t.Context(), "behalf-local-"+table, foreign, "A") {
				wantDenied(t, op+" "+table+" "+foreign, err)
			}
		}
	}
	for _, op := range []string{"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"} {
		wantDenied(t, op+" of her own tokens", a.each(t.Context(), "behalf-local-vault", "T#acme#U#user_alice", "C#x")[op])
	}
}

func TestVendedCredentials_KeysOfOthers_AreDeniedByPolicy(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	f.Connect(t, "globex", "user_carol", "github", "carol", nil)
	creds, _ := vended(t, f, f.Session(t, "acme", "user_alice", nil))
	a := kms.NewFromConfig(f.AWS(credentials.StaticCredentialsProvider{Value: creds}))
	operator := dynamo.New(dynamodb.NewFromConfig(f.Operator()), dynamo.Names{Vault: "behalf-local-vault"}, f.Clock.Now)
	stored := func(who tenant.ID, p connection.Purpose) vault.WrappedKey {
		k, ok, err := operator.NewestKey(t.Context(), who, p)
		if err != nil || !ok {
			t.Fatalf("key %s of %s: %v %v", p, who, ok, err)
		}
		return k
	}
	decrypt := func(k vault.WrappedKey, ec map[string]string) error {
		_, err := a.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: k.Wrapped, KeyId: &k.KeyARN, EncryptionContext: ec})
		return err
	}
	as := func(who, purpose string) map[string]string {
		return map[string]string{"app": "behalf", "env": "local", "tenant": who, "purpose": purpose, "ver": "1"}
	}
	if err := decrypt(stored("acme", connection.AccessToken), as("acme", "at")); err != nil {
		t.Fatalf("her own key: %v; without it the refusals below prove nothing", err)
	}
	wantDenied(t, "another tenant's key", decrypt(stored("globex", connection.AccessToken), as("globex", "at")))
	wantDenied(t, "refresh tokens' key", decrypt(stored("acme", connection.RefreshToken), as("acme", "rt")))
	wantDenied(t, "client secrets' key", decrypt(stored("acme", connection.AccessToken), as("acme", "cs")))
	wantDenied(t, "the deployment's key", decrypt(stored(tenant.Deployment, connection.ClientSecret), as("_deployment", "cs")))
	wantDenied(t, "no context", decrypt(stored("acme", connection.AccessToken), nil))
	for k := range as("", "") {
		ec := as("acme", "at")
		delete(ec, k)
		wantDenied(t, "context without "+k, decrypt(stored("acme", connection.AccessToken), ec))
	}
	more := maps.Clone(as("acme", "at"))
	more["x"] = "y"
	wantDenied(t, "context with more", decrypt(stored("acme", connection.AccessToken), more))
	var api smithy.APIError
	if err := decrypt(stored("globex", connection.AccessToken), as("acme", "at")); !errors.As(err, &api) || api.ErrorCode() != "InvalidCiphertextException" {
		t.Errorf("another tenant's key under her own context: %v", err)
	}
	k := stored("acme", connection.AccessToken)
	_, err := a.GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{KeyId: &k.KeyARN, KeySpec: "AES_256", EncryptionContext: as("globex", "at")})
	wantDenied(t, "a new key for another tenant", err)
}

func TestVendedCredentials_CannotBecomeSomebodyElse(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	creds, _ := vended(t, f, f.Session(t, "acme", "user_alice", nil))
	for name, cfg := range map[string]aws.Config{"her session": f.AWS(credentials.StaticCredentialsProvider{Value: creds}), "the execute function": f.Role("execute")} {
		c := sts.NewFromConfig(cfg)
		for _, role := range []string{"execute", "refresh", "connect", "directory"} {
			_, err := c.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::000000000000:role/behalf-local-tenant-" + role), RoleSessionName: aws.String("t-acme")})
			wantDenied(t, name+" assumes tenant-"+role, err)
		}
	}
	for op, err := range (attacker{dynamodb.NewFromConfig(f.Role("execute"))}).each(t.Context(), "behalf-local-vault", "T#acme#U#user_alice", "A") {
		wantDenied(t, "the execute function by itself: "+op, err)
	}
}
