package e2e_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"behalf.dev/behalf/functions/authorizer"
	"behalf.dev/behalf/functions/execute"
	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/ident"
)

// process is one function in an environment of its own, with nothing cached, and the access key by which its calls are known.
type process struct {
	lambda.Handler
	key string
}

func newProcess(t testing.TB, f *e2e.Fixture, name string, wire func(awslambda.Deps) (any, error)) process {
	t.Helper()
	cfg := f.Role(name)
	c, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	vars := variables(t, f, name)
	for variable, alias := range map[string]string{env.SessionKey: "alias/behalf-local-session", env.VaultKey: "alias/behalf-local-vault"} { // ids of keys are made anew with each account
		k, err := kms.NewFromConfig(f.Operator()).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &alias})
		if err != nil {
			t.Fatal(err)
		}
		vars[variable] = *k.KeyMetadata.Arn
	}
	h, err := wire(awslambda.Deps{AWS: cfg, Lookup: env.FromMap(vars), Log: slog.New(slog.DiscardHandler), Now: f.Clock.Now, IDs: ident.NewSource(f.Clock.Now, nil)})
	if err != nil {
		t.Fatal(err)
	}
	return process{lambda.NewHandler(h), c.AccessKeyID}
}

func newAuthorizer(t testing.TB, f *e2e.Fixture) process {
	return newProcess(t, f, "authorizer", func(d awslambda.Deps) (any, error) {
		fn, err := authorizer.New(d)
		return fn.Handle, err
	})
}

// authorize asks the process who holds a credential.
func (p process) authorize(t testing.TB, payload []byte) map[string]any {
	t.Helper()
	out, err := p.Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var a events.APIGatewayCustomAuthorizerResponse
	if err := json.Unmarshal(out, &a); err != nil || a.PolicyDocument.Statement[0].Effect != "Allow" {
		t.Fatalf("%v %s", err, out)
	}
	return a.Context
}

func authorizerEvent(t testing.TB, credential string) []byte {
	t.Helper()
	b, err := json.Marshal(events.APIGatewayCustomAuthorizerRequestTypeRequest{Type: "REQUEST", MethodArn: "arn:aws:execute-api:us-east-1:000000000000:local/local/POST/v1/execute", Resource: "/v1/execute", Path: "/v1/execute",
		HTTPMethod: "POST", Headers: map[string]string{"Authorization": "Bearer " + credential}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// spent counts the AWS calls of some access keys while do runs.
func spent(f *e2e.Fixture, do func(), keys ...string) map[string]int {
	before := map[string]map[string]int{}
	for _, k := range keys {
		before[k] = f.Account().Counter().ByAccessKey(k)
	}
	do()
	out := map[string]int{}
	for _, k := range keys {
		for op, n := range f.Account().Counter().ByAccessKey(k) {
			out[op] += n - before[k][op]
		}
	}
	maps.DeleteFunc(out, func(_ string, n int) bool { return n == 0 })
	return out
}

func TestCost_Authorizer_ColdAndWarm(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	for name, c := range map[string]struct {
		credential string
		cold, warm map[string]int
	}{
		"session token": {f.Session(t, "acme", "user_alice", nil), map[string]int{"kms:GetPublicKey": 1, "sts:AssumeRole": 1}, map[string]int{}},
		"API key":       {f.APIKey(), map[string]int{"dynamodb:GetItem": 1}, map[string]int{"dynamodb:GetItem": 1}},
	} {
		p, payload := newAuthorizer(t, f), authorizerEvent(t, c.credential)
		for n, want := range []map[string]int{c.cold, c.warm, c.warm} {
			if got := spent(f, func() { p.authorize(t, payload) }, p.key); !maps.Equal(got, want) {
				t.Errorf("%s, call %d: AWS calls %v, want %v", name, n+1, got, want)
			}
		}
	}
}

// What one execution costs from the authorizer to the outcome on record, in two processes that have nothing cached, and after.
func TestCost_Execution_ColdAndWarm(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	auth := newAuthorizer(t, f)
	exec := newProcess(t, f, "execute", func(d awslambda.Deps) (any, error) {
		fn, err := execute.New(d)
		return fn.Handle, err
	})
	payload := authorizerEvent(t, f.Session(t, "acme", "user_alice", nil))
	for n, want := range []map[string]int{
		{"kms:GetPublicKey": 1, "sts:AssumeRole": 1, "dynamodb:Query": 1, "dynamodb:BatchGetItem": 1, "dynamodb:GetItem": 1, "kms:Decrypt": 1, "dynamodb:PutItem": 2},
		{"dynamodb:Query": 1, "dynamodb:BatchGetItem": 1, "dynamodb:PutItem": 2},
	} {
		var got map[string]int
		var context map[string]any
		first := spent(f, func() { context = auth.authorize(t, payload) }, auth.key)
		got = spent(f, func() { run(t, exec, context) }, exec.key, context["aws_access_key"].(string))
		for op, k := range first {
			got[op] += k
		}
		if !maps.Equal(got, want) {
			t.Errorf("execution %d: AWS calls %v, want %v", n+1, got, want)
		}
	}
}

// run executes a tool in a process, as the authorizer's answer says.
func run(t testing.TB, p process, context map[string]any) {
	t.Helper()
	b, err := json.Marshal(events.APIGatewayProxyRequest{Resource: "/v1/execute", Path: "/v1/execute", HTTPMethod: "POST", Body: `{"tool":"github_get_authenticated_user"}`,
		RequestContext: events.APIGatewayProxyRequestContext{RequestID: "req_cost", Authorizer: context}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Invoke(t.Context(), b)
	var res events.APIGatewayProxyResponse
	if err != nil || json.Unmarshal(out, &res) != nil || res.StatusCode != 200 {
		t.Fatalf("%v %.300s", err, out)
	}
}

// BenchmarkAuthorizerWarm is what the authorizer adds to a call: the whole invocation of the function's handler, of the embedded AWS
// where it asks any, and not API Gateway, which keeps an answer for a minute.
func BenchmarkAuthorizerWarm(b *testing.B) {
	f := e2e.New(b)
	for name, credential := range map[string]string{"session": f.Session(b, "acme", "user_alice", nil), "apikey": f.APIKey()} {
		b.Run(name, func(b *testing.B) {
			p, payload := newAuthorizer(b, f), authorizerEvent(b, credential)
			p.authorize(b, payload)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Invoke(b.Context(), payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAuthorizerCold is the first call of a new environment, without its start.
func BenchmarkAuthorizerCold(b *testing.B) {
	f := e2e.New(b)
	payload := authorizerEvent(b, f.Session(b, "acme", "user_alice", nil))
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		p := newAuthorizer(b, f)
		b.StartTimer()
		if _, err := p.Invoke(b.Context(), payload); err != nil {
			b.Fatal(err)
		}
	}
}
