package e2e_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/functions/execute"
	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/ident"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/toolcall"
	"behalf.dev/behalf/shared/workspace"
)

// steps is one warm execution taken apart: what each step of it needs, over an AWS that answers from memory.
type steps struct {
	f       *e2e.Fixture
	aws     *replay
	event   events.APIGatewayProxyRequest
	session authn.Session
	creds   aws.CredentialsProvider
	open    *workspace.Opener
	ws      workspace.Workspace
	spec    *catalog.Connector
	tool    *catalog.Tool
	held    toolcall.Held
	token   secret.Text
	out     *egress.Client
	answer  egress.Response
}

// apart prepares the steps for a tool that takes arguments; live asks the embedded AWS each time.
func apart(t testing.TB, live bool) *steps {
	t.Helper()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	_, authorizer := vended(t, f, f.Session(t, "acme", "user_alice", nil))
	s := &steps{f: f}
	var cfg aws.Config
	cfg, s.aws = over(f.Role("execute"), live)
	lookup := env.FromMap(variables(t, f, "execute"))
	r := env.NewReader(lookup)
	s.open = workspace.NewOpener(cfg, r.Require(env.Stage), workspace.Tables(r), r.Require(env.VaultKey), f.Clock.Now)
	s.event = events.APIGatewayProxyRequest{Resource: "/v1/execute", Path: "/v1/execute", HTTPMethod: "POST", Body: `{"tool":"github_list_issues","input":{"owner":"alice","repo":"notes","state":"open"}}`,
		RequestContext: events.APIGatewayProxyRequestContext{RequestID: "req_warm", Authorizer: authorizer}}
	cat, err := connectors.FromEnv(lookup)
	must(t, err)
	s.session, s.creds, err = apigw.NewRequest(s.event).Session(f.Clock.Now())
	must(t, err)
	s.ws = s.open.Open(s.creds)
	s.spec, s.tool, err = cat.Tool("github_list_issues")
	must(t, err)
	snap, err := s.ws.DB.Snapshot(t.Context(), s.session.Scope, "github")
	must(t, err)
	s.held = snap.Connections[0]
	s.token, err = s.ws.Vault.Open(t.Context(), s.binding(), s.held.Slot.Access)
	must(t, err)
	s.out = egress.New(egress.Options{AllowPrivate: true})
	_, me, err := cat.Tool("github_get_authenticated_user")
	must(t, err)
	req, err := me.Bind(nil, s.held.Metadata)
	must(t, err)
	s.answer, err = s.ask(t.Context(), req)
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *steps) binding() connection.Binding {
	return s.held.Ref.Binding(connection.AccessToken, s.held.Slot.Generation)
}

// ask is a provider request as the executor sends it.
func (s *steps) ask(ctx context.Context, r catalog.Request) (egress.Response, error) {
	h, err := r.HTTP(ctx)
	if err != nil {
		return egress.Response{}, err
	}
	egress.Authorize(h, r.Auth.Put, s.token)
	return s.out.Do(h)
}

func (s *steps) record() audit.Record {
	return audit.Record{ID: "aud_" + ident.NewSource(s.f.Clock.Now, nil).New("x"), Kind: audit.ExecutionIntent, Time: s.f.Clock.Now(), Tenant: s.session.Tenant, Principal: string(s.session.Principal), Session: s.session.ID,
		Agent: s.session.Agent, Run: s.session.Run, Execution: "exec_x", Tool: s.tool.Name, Effect: "read", Connector: "github", Connection: string(s.held.ID), Grant: string(s.held.Grant), Scopes: s.held.Scopes, Generation: 1}
}

// counted runs step b.N times and reports how many AWS calls and how much processor time each takes.
func (s *steps) counted(b *testing.B, step func() error) {
	b.Helper()
	must(b, step()) // fills what is kept
	before := s.aws.calls.Load()
	n, cpu := 0, processor()
	b.ReportAllocs()
	for b.Loop() {
		if err := step(); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64((processor()-cpu).Nanoseconds())/1000/float64(n), "cpu-µs/op") // a busy machine makes the time longer, and not this
	b.ReportMetric(float64(s.aws.calls.Load()-before)/float64(n), "aws-calls/op")
}

// ruled is a policy with a rule, a budget and Cedar.
func ruled(t testing.TB) *policy.Policy {
	p, err := policy.Compile(policy.Document{Rules: []policy.Rule{{ID: "r", Effect: policy.EffectApprove, When: policy.When{Effects: []string{"destructive"}}}},
		Cedar: `permit (principal, action, resource); forbid (principal in Behalf::Group::"interns", action in Behalf::Action::"effect:destructive", resource); forbid (principal, action == Behalf::Action::"github_create_issue", resource) unless { context.input.owner == "acme" };`})
	must(t, err)
	return p
}

// BenchmarkStep is a warm execution step by step, in the order in which the executor takes them; AWS answers from memory, so
// that what is measured is our code, the SDK's, and for the provider's call a loopback connection.
func BenchmarkStep(b *testing.B) {
	s := apart(b, false)
	ctx := b.Context()
	payload, err := json.Marshal(s.event)
	must(b, err)
	input, err := s.tool.ValidateInput(json.RawMessage(`{"owner":"alice","repo":"notes","state":"open"}`))
	must(b, err)
	p := ruled(b)
	_, me, _ := toolOf(b, "github_get_authenticated_user", s)
	n := 0
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"01-event", func() error { var e events.APIGatewayProxyRequest; return json.Unmarshal(payload, &e) }},
		{"02-session", func() error {
			_, _, err := apigw.NewRequest(s.event).Session(s.f.Clock.Now())
			return err
		}},
		{"03-open-workspace", func() error { s.open.Open(s.creds); return nil }},
		{"04-validate-input", func() error {
			_, err := s.tool.ValidateInput(json.RawMessage(`{"owner":"alice","repo":"notes","state":"open"}`))
			return err
		}},
		{"05-read-batch", func() error { _, err := s.ws.DB.Snapshot(ctx, s.session.Scope, "github"); return err }},
		{"06-policy", func() error {
			return deniedOrNil(p.Decide(policy.Call{Principal: "user_alice", Agent: "e2e", Groups: []string{"staff"}, Connector: "github", Tool: s.tool.Name, Effect: "read", Connection: "conn_x", Input: input}))
		}},
		{"07-claim", func() error {
			n++
			_, err := s.ws.DB.PutClaim(ctx, toolcall.Claim{Scope: s.session.Scope, KeyHash: "k", Digest: "d", State: toolcall.ClaimInFlight, Execution: "exec_x", Claimed: s.f.Clock.Now(), Expires: s.f.Clock.Now().Add(time.Hour)}, s.f.Clock.Now())
			return err
		}},
		{"08-unseal", func() error { _, err := s.ws.Vault.Open(ctx, s.binding(), s.held.Slot.Access); return err }},
		{"09-audit-row", func() error { return s.ws.DB.Record(ctx, s.record()) }},
		{"10-bind", func() error { _, err := s.tool.Bind(input, s.held.Metadata); return err }},
		{"11-provider-call", func() error {
			r, err := me.Bind(nil, s.held.Metadata)
			if err == nil {
				_, err = s.ask(ctx, r)
			}
			return err
		}},
		{"12-classify", func() error { s.spec.ClassifyAPIResponse(200, s.answer.Header, s.answer.Body); return nil }},
		{"13-shape", func() error { _, err := me.Shape(200, s.answer.Body); return err }},
		{"14-answer", func() error {
			_, err := apigw.JSON(http.StatusOK, map[string]any{"execution_id": "exec_x", "data": json.RawMessage(s.answer.Body)})
			return err
		}},
	} {
		b.Run(step.name, func(b *testing.B) { s.counted(b, step.do) })
	}
	b.Run("direct-call", func(b *testing.B) { s.counted(b, func() error { return s.direct(me) }) })
}

func deniedOrNil(d policy.Decision) error {
	if d.Denied != nil {
		return d.Denied
	}
	return nil
}

func toolOf(t testing.TB, name string, s *steps) (*catalog.Connector, *catalog.Tool, error) {
	t.Helper()
	tools, err := s.spec.Tools()
	must(t, err)
	for _, x := range tools {
		if x.Name == name {
			return s.spec, x, nil
		}
	}
	t.Fatalf("no tool %s", name)
	return nil, nil, nil
}

// direct is the same request to the provider by net/http alone: what an agent that held the token itself would do.
func (s *steps) direct(t *catalog.Tool) error {
	r, err := t.Bind(nil, s.held.Metadata)
	if err != nil {
		return err
	}
	q, err := http.NewRequest(r.Method, r.URL.String(), nil)
	if err != nil {
		return err
	}
	q.Header.Set("Authorization", "Bearer "+string(s.token.Reveal(reveal.Key{})))
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return res.Body.Close()
}

// The requests of whole.
var (
	viaREST = events.APIGatewayProxyRequest{Resource: "/v1/execute", Path: "/v1/execute", HTTPMethod: "POST", Body: `{"tool":"github_get_authenticated_user"}`}
	viaMCP  = events.APIGatewayProxyRequest{Resource: "/mcp", Path: "/mcp", HTTPMethod: "POST", Headers: map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2025-11-25"},
		Body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"github_get_authenticated_user","arguments":{}}}`}
	listMCP = events.APIGatewayProxyRequest{Resource: "/mcp", Path: "/mcp", HTTPMethod: "POST", Headers: viaMCP.Headers, Body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`}
	list    = events.APIGatewayProxyRequest{Resource: "/v1/tools", Path: "/v1/tools", HTTPMethod: "GET"}
)

// whole is the execute function over an AWS that is counted, as one request reaches it.
func whole(t testing.TB, live bool, e events.APIGatewayProxyRequest) (invoke func() error, calls *replay) {
	t.Helper()
	f := e2e.New(t)
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	_, authorizer := vended(t, f, f.Session(t, "acme", "user_alice", nil))
	cfg, calls := over(f.Role("execute"), live)
	fn, err := execute.New(awslambda.Deps{AWS: cfg, Lookup: env.FromMap(variables(t, f, "execute")), Log: slog.New(slog.DiscardHandler), Now: f.Clock.Now, IDs: ident.NewSource(f.Clock.Now, nil)})
	must(t, err)
	p := newInvoker(fn.Handle)
	e.RequestContext = events.APIGatewayProxyRequestContext{RequestID: "req_warm", Authorizer: authorizer}
	payload, err := json.Marshal(e)
	must(t, err)
	return func() error { return p.ok(t.Context(), payload) }, calls
}

// BenchmarkExecution is the whole of a warm execution in its handler: with the embedded AWS, whose own work and that of the
// functions behind its streams is in it, and with an AWS that answers from memory, which leaves what is ours.
func BenchmarkExecution(b *testing.B) {
	for _, c := range []struct {
		name  string
		live  bool
		event events.APIGatewayProxyRequest
	}{{"rest/embedded-aws", true, viaREST}, {"rest/aws-from-memory", false, viaREST}, {"mcp/aws-from-memory", false, viaMCP}, {"mcp-list/aws-from-memory", false, listMCP}, {"rest-list/aws-from-memory", false, list}} {
		b.Run(c.name, func(b *testing.B) {
			invoke, aws := whole(b, c.live, c.event)
			(&steps{aws: aws}).counted(b, invoke)
		})
	}
}

// TestExecution_Warm_StaysWithinItsBudget holds what a warm call takes: AWS calls exactly, allocations and bytes with room for a
// new library or two. It is not parallel, because it counts what the process allocates. The loopback provider is in it.
func TestExecution_Warm_StaysWithinItsBudget(t *testing.T) {
	for name, c := range map[string]struct {
		event              events.APIGatewayProxyRequest
		calls              int64
		allocations, bytes uint64
	}{
		"REST execute":   {viaREST, 4, 2700, 250 << 10},
		"MCP tools/call": {viaMCP, 4, 3000, 600 << 10},
		"MCP tools/list": {listMCP, 2, 3000, 700 << 10},
		"REST tools":     {list, 2, 2000, 300 << 10},
	} {
		invoke, aws := whole(t, false, c.event)
		must(t, invoke())
		must(t, invoke())
		const rounds = 50
		var before, after runtime.MemStats
		calls := aws.calls.Load()
		runtime.ReadMemStats(&before)
		for range rounds {
			must(t, invoke())
		}
		runtime.ReadMemStats(&after)
		calls = (aws.calls.Load() - calls) / rounds
		allocations, bytes := (after.Mallocs-before.Mallocs)/rounds, (after.TotalAlloc-before.TotalAlloc)/rounds
		t.Logf("%s: %d AWS calls, %d allocations, %d bytes", name, calls, allocations, bytes)
		if calls != c.calls || allocations > c.allocations || bytes > c.bytes {
			t.Errorf("%s: %d AWS calls, %d allocations, %d bytes; want %d, and at most %d and %d", name, calls, allocations, bytes, c.calls, c.allocations, c.bytes)
		}
	}
}
