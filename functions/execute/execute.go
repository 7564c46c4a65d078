package execute

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
	"behalf.dev/behalf/shared/workspace"
)

// Function is the agent plane.
type Function struct {
	*apigw.Mux
	deps     awslambda.Deps
	open     *workspace.Opener
	catalog  *catalog.Catalog
	out      *egress.Client
	refresh  awslambda.Refresher
	retries  *toolcall.Retries
	policies *toolcall.Policies
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.PublicURL, env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable, env.VaultKey, env.RefreshFunction}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	stage, _ := r.Require(env.Stage), r.Require(env.PublicURL)
	tables := workspace.Tables(r)
	key, refresh := r.Require(env.VaultKey), r.Require(env.RefreshFunction)
	if err := r.Err(); err != nil {
		return nil, err
	}
	cat, err := connectors.FromEnv(d.Lookup)
	if err != nil {
		return nil, err
	}
	f := &Function{deps: d, catalog: cat, retries: toolcall.NewRetries(), policies: toolcall.NewPolicies(), open: workspace.NewOpener(d.AWS, stage, tables, key, d.Now),
		out:     egress.New(egress.Options{AllowPrivate: r.Optional(env.AllowPrivateHosts, "") == "true", Wrap: d.Trace.Transport}),
		refresh: awslambda.Refresher{Caller: awslambda.NewCaller(lambda.NewFromConfig(d.AWS)), Function: refresh}}
	f.Mux = apigw.NewMux(d.Log, map[string]apigw.Handler{"GET /v1/tools": f.tools, "POST /v1/execute": f.execute, "POST /v1/execute/batch": f.batch,
		"ANY /v1/proxy/{connector}/{path+}": f.proxy})
	return f, nil
}

// executor is a toolcall.Executor under the session's own credentials.
func (f *Function) executor(creds aws.CredentialsProvider) *toolcall.Executor {
	w := f.open.Open(creds)
	return toolcall.New(toolcall.Deps{Tools: f.catalog, State: w.DB, Sealer: w.Vault, Refresher: f.refresh, Provider: f.out, Claims: w.DB, Rules: w.DB, Approvals: w.DB, Policies: f.policies,
		Recorder: w.DB, Retries: f.retries, Log: f.deps.Log, Now: f.deps.Now, NewID: f.deps.IDs.New})
}

// caller is the session of a request, and the executor for it.
func (f *Function) caller(ctx context.Context, r *apigw.Request) (context.Context, authn.Session, *toolcall.Executor, error) {
	s, creds, err := r.Session(f.deps.Now())
	if err != nil {
		return ctx, s, nil, err
	}
	return awslambda.With(ctx, awslambda.Fields{Session: s.ID}), s, f.executor(creds), nil
}

func (f *Function) tools(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	ctx, s, ex, err := f.caller(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := r.Only("format", "q"); err != nil {
		return nil, err
	}
	format := r.Query().Get("format")
	if format == "" {
		format = catalog.FormatMCP
	}
	if !slices.Contains(catalog.Formats(), format) {
		return nil, fault.Invalid("format", "unknown format %q; known are %s", format, strings.Join(catalog.Formats(), ", "))
	}
	list, err := ex.List(ctx, s, r.Query().Get("q"))
	if err != nil {
		return nil, err
	}
	defs := make([]any, len(list))
	for i, t := range list {
		defs[i] = t.Definition(format)
	}
	return apigw.JSON(http.StatusOK, map[string]any{"tools": defs})
}

type executeBody struct {
	Tool           string          `json:"tool"`
	Input          json.RawMessage `json:"input"`
	Connection     string          `json:"connection"`
	IdempotencyKey string          `json:"idempotency_key"`
	Cursor         string          `json:"cursor"`
	Pages          int             `json:"pages"`
	MaxBytes       int             `json:"max_bytes"`
}

type executeAnswer struct {
	ExecutionID  string          `json:"execution_id"`
	ConnectionID string          `json:"connection_id"`
	GrantID      string          `json:"grant_id"`
	Data         json.RawMessage `json:"data"`
	Cursor       string          `json:"cursor,omitempty"`
	Stopped      string          `json:"stopped,omitempty"`
}

func (f *Function) execute(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	ctx, s, ex, err := f.caller(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := r.Only(); err != nil {
		return nil, err
	}
	var b executeBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	res, err := f.call(ctx, s, ex, b, r.ID())
	if err != nil {
		return nil, err
	}
	out, err := apigw.JSON(http.StatusOK, answerOf(res))
	if err == nil && res.Replayed {
		out.Header.Set("Idempotent-Replayed", "true")
	}
	return out, err
}

// call runs one tool call and says so in trace and log.
func (f *Function) call(ctx context.Context, s authn.Session, ex *toolcall.Executor, b executeBody, requestID string) (toolcall.Result, error) {
	if b.Tool == "" {
		return toolcall.Result{}, fault.Invalid("/tool", "tool is missing; GET /v1/tools lists what this session may call")
	}
	if len(b.Input) == 0 && b.Cursor == "" {
		b.Input = json.RawMessage("{}")
	}
	res, err := ex.Run(ctx, s, toolcall.Call{Tool: b.Tool, Input: b.Input, Connection: b.Connection, IdempotencyKey: b.IdempotencyKey, Cursor: b.Cursor, Pages: b.Pages, MaxBytes: b.MaxBytes, RequestID: requestID})
	if err != nil {
		return res, err
	}
	f.deps.Trace.Annotate(ctx, map[string]string{"tenant": string(s.Tenant), "tool": b.Tool, "outcome": "succeeded"})
	f.deps.Log.InfoContext(awslambda.With(ctx, awslambda.Fields{Execution: res.ExecutionID}), "executed", "tool", b.Tool, "connection", res.ConnectionID)
	return res, nil
}

func answerOf(res toolcall.Result) executeAnswer {
	return executeAnswer{res.ExecutionID, string(res.ConnectionID), string(res.GrantID), res.Data, res.Cursor, res.Stopped}
}
