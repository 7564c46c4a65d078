package authorizer

import (
	"context"
	"crypto/ecdsa"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/awskms"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/awssts"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
)

// Function is the authorizer.
type Function struct {
	issuer string
	signer *awskms.Signer
	keys   *dynamo.DB
	vendor *awssts.Vendor
	log    *slog.Logger
	now    func() time.Time
	// routes are the patterns of each kind of caller; they never change.
	routes map[apigw.Auth][]string
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.PublicURL, env.DirectoryTable, env.SessionKey, env.ExecuteRole}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	r.Require(env.Stage)
	f := &Function{issuer: r.Require(env.PublicURL), log: d.Log, now: d.Now, routes: patterns(),
		keys:   dynamo.New(dynamodb.NewFromConfig(d.AWS), dynamo.Names{Directory: r.Require(env.DirectoryTable)}, d.Now),
		signer: awskms.NewSigner(kms.NewFromConfig(d.AWS), r.Require(env.SessionKey)),
		vendor: awssts.NewVendor(sts.NewFromConfig(d.AWS), r.Require(env.ExecuteRole), d.Now)}
	return f, r.Err()
}

// Handle answers API Gateway. A caller who is not known gets a Deny with the reason in the context; the gateway turns
// it into a 401 problem document. Errors are our own failures.
func (f *Function) Handle(ctx context.Context, e events.APIGatewayCustomAuthorizerRequestTypeRequest) (events.APIGatewayCustomAuthorizerResponse, error) {
	ctx = awslambda.With(ctx, awslambda.Fields{RequestID: e.RequestContext.RequestID})
	values, kind, err := f.identify(ctx, e)
	if err == nil {
		out := f.answer("Allow", e.MethodArn, kind, values)
		if err = fits(out); err == nil {
			return out, nil
		}
	}
	if !fault.Is(err, fault.Unauthenticated) {
		f.log.ErrorContext(ctx, "cannot tell who calls", "error", err)
		return events.APIGatewayCustomAuthorizerResponse{}, err
	}
	f.log.InfoContext(ctx, "caller refused", "error", err)
	return f.answer("Deny", e.MethodArn, "", map[string]any{"message": fault.From(err).Message}), nil
}

func (f *Function) identify(ctx context.Context, e events.APIGatewayCustomAuthorizerRequestTypeRequest) (map[string]any, apigw.Auth, error) {
	token, err := bearer(e)
	if err != nil {
		return nil, "", err
	}
	ref, kerr := authn.ParseKey(token)
	if kerr != nil {
		return f.session(ctx, token)
	}
	k, err := f.keys.KeyRecord(ctx, ref)
	if err != nil {
		return nil, "", err
	}
	if err := k.Check(token, f.now()); err != nil {
		return nil, "", err
	}
	kind := apigw.Key
	if k.Kind == authn.SCIMKey {
		kind = apigw.SCIMKey
	}
	return apigw.KeyContext(k), kind, nil
}

// bearer reads the one credential of the request (RFC 6750, section 2.1). Two Authorization headers are refused: which
// one counts would differ between the gateway and us.
func bearer(e events.APIGatewayCustomAuthorizerRequestTypeRequest) (secret.Text, error) {
	var values []string
	for k, v := range e.MultiValueHeaders {
		if strings.EqualFold(k, "Authorization") {
			values = append(values, v...)
		}
	}
	if len(values) == 0 {
		for k, v := range e.Headers {
			if strings.EqualFold(k, "Authorization") {
				values = append(values, v)
			}
		}
	}
	if len(values) != 1 {
		return secret.Text{}, fault.New(fault.Unauthenticated, "send exactly one Authorization: Bearer header")
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " \t,") {
		return secret.Text{}, fault.New(fault.Unauthenticated, "send the credential as Authorization: Bearer …")
	}
	return secret.FromString(token), nil
}

func (f *Function) session(ctx context.Context, token secret.Text) (map[string]any, apigw.Auth, error) {
	key, kid, err := f.signer.PublicKey(ctx)
	if err != nil {
		return nil, "", err
	}
	v := authn.Verifier{Issuer: f.issuer, Keys: map[string]*ecdsa.PublicKey{kid: key}, Now: f.now}
	s, err := v.Verify(token)
	if err != nil {
		return nil, "", err
	}
	creds, err := f.vendor.ForPrincipal(ctx, s.Scope)
	if err != nil {
		return nil, "", err
	}
	values, err := apigw.SessionContext(s, creds)
	if user, ok := s.Behalf(); ok && err == nil {
		creds, err = f.vendor.ForPrincipal(ctx, user)
		apigw.BehalfContext(values, creds)
	}
	return values, apigw.Session, err
}

// answer is an IAM policy over the routes of one kind of caller. methodARN is
// arn:aws:execute-api:region:account:api/stage/METHOD/path.
func (f *Function) answer(effect, methodARN string, kind apigw.Auth, values map[string]any) events.APIGatewayCustomAuthorizerResponse {
	base := methodARN
	if p := strings.SplitN(methodARN, "/", 3); len(p) == 3 {
		base = p[0] + "/" + p[1]
	}
	resources := []string{base + "/*"}
	if effect == "Allow" {
		allowed := f.within(kind, apigw.Reach(values))
		resources = make([]string, len(allowed))
		for i, p := range allowed {
			resources[i] = base + "/" + p
		}
	}
	return events.APIGatewayCustomAuthorizerResponse{PrincipalID: string(kind), Context: values,
		PolicyDocument: events.APIGatewayCustomAuthorizerPolicy{Version: "2012-10-17", Statement: []events.IAMPolicyStatement{{Action: []string{"execute-api:Invoke"}, Effect: effect, Resource: resources}}}}
}

// patterns are the routes as IAM writes them, by kind of caller.
func patterns() map[apigw.Auth][]string {
	out := map[apigw.Auth][]string{}
	for _, r := range apigw.Routes() {
		out[r.Auth] = append(out[r.Auth], pattern(r))
	}
	return out
}

// within are the patterns of a kind of caller, as far as a token for the resource reach is for them.
func (f *Function) within(kind apigw.Auth, reach string) []string {
	if reach == "" {
		return f.routes[kind]
	}
	var out []string
	for _, r := range apigw.Routes() {
		if p, ok := part(r, reach); ok && r.Auth == kind {
			out = append(out, p)
		}
	}
	return out
}

// part is a route's pattern as far as a token for the resource reach is for it: a view alone when reach is one. false when it is not.
func part(r apigw.Route, reach string) (string, bool) {
	const views = apigw.MCPPath + "/{view}"
	switch {
	case r.Path == reach || reach == apigw.MCPPath && r.Path == views:
		return pattern(r), true
	case r.Path == views && strings.HasPrefix(reach, apigw.MCPPath+"/"):
		return r.Method + reach, true
	}
	return "", false
}

// pattern is a route as IAM writes it: a parameter is a wildcard.
func pattern(r apigw.Route) string {
	method := r.Method
	if method == "ANY" {
		method = "*"
	}
	parts := strings.Split(r.Path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = "*"
		}
	}
	return method + strings.Join(parts, "/")
}
