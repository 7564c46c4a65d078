package e2e_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"behalf.dev/behalf/functions/execute"
	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/integration/stack/template"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/ident"
)

// variables is the environment that the templates give a function, with what the local stack adds.
func variables(t testing.TB, f *e2e.Fixture, function string) map[string]string {
	t.Helper()
	stacks, err := template.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := a.LoadTemplates(stacks)
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := json.Marshal(map[string]map[string]string{"github": {"web": f.EmulatorURL + "/github", "api": f.EmulatorURL + "/github/api"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range d.Functions {
		if strings.HasSuffix(fn.Name, "-"+function) {
			out := maps.Clone(fn.Environment)
			out[env.PublicURL], out[env.ConnectorHosts], out[env.AllowPrivateHosts] = f.URL, string(hosts), "true"
			return out
		}
	}
	t.Fatalf("no function %s in the templates", function)
	return nil
}

// warm is the execute function by itself, as alice's session reaches it, after a first call that fetched the tenant's key.
func warm(t testing.TB, f *e2e.Fixture, context map[string]any) (invoke func(body object) error) {
	t.Helper()
	fn, err := execute.New(awslambda.Deps{AWS: f.Role("execute"), Lookup: env.FromMap(variables(t, f, "execute")), Log: slog.New(slog.DiscardHandler), Now: f.Clock.Now, IDs: ident.NewSource(f.Clock.Now, nil)})
	if err != nil {
		t.Fatal(err)
	}
	h := lambda.NewHandler(fn.Handle)
	invoke = func(body object) error {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload, err := json.Marshal(events.APIGatewayProxyRequest{Resource: "/v1/execute", Path: "/v1/execute", HTTPMethod: "POST", Body: string(b),
			RequestContext: events.APIGatewayProxyRequestContext{RequestID: "req_warm", Authorizer: context}})
		if err != nil {
			return err
		}
		out, err := h.Invoke(t.Context(), payload)
		if err == nil && !strings.Contains(string(out), `"statusCode":200`) {
			err = fmt.Errorf("%.500s", out)
		}
		return err
	}
	if err := invoke(object{"tool": "github_get_authenticated_user", "idempotency_key": "first"}); err != nil {
		t.Fatal(err)
	}
	return invoke
}

func TestExecute_WarmCall_CostsFourAWSCalls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key  string
		puts int
	}{"plain": {"", 2}, "with an idempotency key": {"second", 4}} { // intent and outcome; the claim and its settlement
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := e2e.New(t)
			f.Connect(t, "acme", "user_alice", "github", "alice", nil)
			creds, context := vended(t, f, f.Session(t, "acme", "user_alice", nil))
			invoke := warm(t, f, context)
			before := f.Account().Counter().ByAccessKey(creds.AccessKeyID)
			if err := invoke(object{"tool": "github_get_authenticated_user", "idempotency_key": c.key}); err != nil {
				t.Fatal(err)
			}
			got := f.Account().Counter().ByAccessKey(creds.AccessKeyID)
			for op, n := range before {
				got[op] -= n
			}
			maps.DeleteFunc(got, func(_ string, n int) bool { return n == 0 })
			if want := map[string]int{"dynamodb:Query": 1, "dynamodb:BatchGetItem": 1, "dynamodb:PutItem": c.puts}; !maps.Equal(got, want) {
				t.Errorf("AWS calls %v, want %v; each one is paid for by every execution", got, want)
			}
		})
	}
}

// TestExecute_ColdAndWarmCall_OwnRoleAsksNothing: the function's own credentials are for asking the refresh function only.
func TestExecute_ColdAndWarmCall_OwnRoleAsksNothing(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	_, context := vended(t, f, f.Session(t, "acme", "user_alice", nil))
	exec := newProcess(t, f, "execute", func(d awslambda.Deps) (any, error) {
		fn, err := execute.New(d)
		return fn.Handle, err
	})
	if got := spent(f, func() { run(t, exec, context); run(t, exec, context) }, exec.key); len(got) != 0 {
		t.Errorf("AWS calls by the function's own role: %v", got)
	}
}

// BenchmarkExecuteWarm is one execution through the function's handler, provider call over loopback included; API
// Gateway and the authorizer are not.
func BenchmarkExecuteWarm(b *testing.B) {
	f := e2e.New(b)
	f.Connect(b, "acme", "user_alice", "github", "alice", nil)
	_, context := vended(b, f, f.Session(b, "acme", "user_alice", nil))
	invoke := warm(b, f, context)
	b.ReportAllocs()
	for b.Loop() {
		if err := invoke(object{"tool": "github_get_authenticated_user"}); err != nil {
			b.Fatal(err)
		}
	}
}
