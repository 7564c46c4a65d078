package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/tenant"
)

// Attempt is one request made with the credentials that were vended for a session.
type Attempt struct {
	Name string
	// Own tells that the request is for the session's own data, and should succeed.
	Own bool
	// Allowed tells whether the account let it pass.
	Allowed bool
}

// AttackAs takes the AWS credentials that the authorizer vends for a session, as code that broke out of the execute
// function could, and tries them on the data of a victim. What refuses is the account's policies: no Behalf code is in
// the way.
func (s *Stack) AttackAs(ctx context.Context, sessionToken, victimTenant, victim string) ([]Attempt, error) {
	own, creds, err := s.vended(ctx, sessionToken)
	if err != nil {
		return nil, err
	}
	cfg := s.config(creds)
	db := dynamo.New(dynamodb.NewFromConfig(cfg), dynamo.Names{Vault: "behalf-local-vault", Directory: "behalf-local-directory", Flow: "behalf-local-flow", Audit: "behalf-local-audit"}, s.opt.Now)
	other := tenant.Scope{Tenant: tenant.ID(victimTenant), Principal: tenant.Principal(victim)}
	tries := []struct {
		name string
		own  bool
		do   func() error
	}{
		{"read her own connections", true, func() error { _, err := db.ConnectionsOf(ctx, own); return err }},
		{"read " + victim + "'s connections", false, func() error { _, err := db.ConnectionsOf(ctx, other); return err }},
		{"read another tenant's connections", false, func() error {
			_, err := db.ConnectionsOf(ctx, tenant.Scope{Tenant: "globex", Principal: "user_carol"})
			return err
		}},
		{"scan the whole vault", false, func() error {
			_, err := dynamodb.NewFromConfig(cfg).Scan(ctx, &dynamodb.ScanInput{TableName: ptr("behalf-local-vault")})
			return err
		}},
		{"unwrap her tenant's refresh-token key", false, func() error { return s.unwrap(ctx, kms.NewFromConfig(cfg), own.Tenant) }},
		{"assume the role for " + victim, false, func() error {
			_, err := sts.NewFromConfig(cfg).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: ptr("arn:aws:iam::000000000000:role/behalf-local-tenant-execute"), RoleSessionName: ptr("break-out")})
			return err
		}},
	}
	out := make([]Attempt, 0, len(tries))
	for _, t := range tries {
		err := t.do()
		if err != nil && !dynamo.Denied(err) {
			return out, fmt.Errorf("%s: %w", t.name, err)
		}
		out = append(out, Attempt{t.name, t.own, err == nil})
	}
	return out, nil
}

func ptr(s string) *string { return &s }

// unwrap asks KMS for the tenant's refresh-token key, whose wrapped form the operator reads for the attacker.
func (s *Stack) unwrap(ctx context.Context, k *kms.Client, t tenant.ID) error {
	db := dynamo.New(dynamodb.NewFromConfig(s.operatorConfig()), dynamo.Names{Vault: "behalf-local-vault"}, s.opt.Now)
	key, ok, err := db.NewestKey(ctx, t, "rt")
	if err != nil || !ok {
		return errors.Join(err, errors.New("the tenant has no refresh-token key yet"))
	}
	_, err = k.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: key.Wrapped, KeyId: &key.KeyARN,
		EncryptionContext: map[string]string{"app": "behalf", "env": "local", "tenant": t.Tag(), "purpose": "rt", "ver": fmt.Sprint(key.Version)}})
	return err
}

// vended asks the authorizer function for a session's credentials, as API Gateway does.
func (s *Stack) vended(ctx context.Context, token string) (tenant.Scope, credentials.StaticCredentialsProvider, error) {
	var none credentials.StaticCredentialsProvider
	payload, err := json.Marshal(events.APIGatewayCustomAuthorizerRequestTypeRequest{Type: "REQUEST", MethodArn: "arn:aws:execute-api:us-east-1:000000000000:local/local/POST/v1/execute",
		MultiValueHeaders: map[string][]string{"Authorization": {"Bearer " + token}}})
	if err != nil {
		return tenant.Scope{}, none, err
	}
	out, err := s.functions["authorizer"](ctx, payload)
	if err != nil {
		return tenant.Scope{}, none, err
	}
	var a events.APIGatewayCustomAuthorizerResponse
	if err := json.Unmarshal(out, &a); err != nil {
		return tenant.Scope{}, none, err
	}
	r := apigw.NewRequest(events.APIGatewayProxyRequest{RequestContext: events.APIGatewayProxyRequestContext{Authorizer: a.Context}})
	sess, provider, err := r.Session(s.opt.Now())
	if err != nil {
		return tenant.Scope{}, none, err
	}
	c, err := provider.Retrieve(ctx)
	return sess.Scope, credentials.StaticCredentialsProvider{Value: c}, err
}
