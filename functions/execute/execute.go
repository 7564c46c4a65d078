package execute

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/functions/execute/mcp"
	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/metric"
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
	renewals *toolcall.Renewals
	// endpoint speaks MCP.
	endpoint mcp.Endpoint
	meter    *metric.Meter
}

// version is what MCP clients are told, that of the HTTP API.
const version = "1"

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.PublicURL, env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable, env.VaultKey, env.RefreshFunction, env.DownloadBytes}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	stage, public := r.Require(env.Stage), r.Require(env.PublicURL)
	tables := workspace.Tables(r)
	key, refresh, download := r.Require(env.VaultKey), r.Require(env.RefreshFunction), r.Require(env.DownloadBytes)
	if err := r.Err(); err != nil {
		return nil, err
	}
	most, err := strconv.ParseInt(download, 10, 64)
	if err != nil || most < 1 {
		return nil, fmt.Errorf("%s is %q; it is a number of bytes", env.DownloadBytes, download)
	}
	cat, err := connectors.FromEnv(d.Lookup)
	if err != nil {
		return nil, err
	}
	f := &Function{deps: d, meter: metric.New(d.Metrics, stage, d.Now), catalog: cat, retries: toolcall.NewRetries(), policies: toolcall.NewPolicies(), renewals: toolcall.NewRenewals(), open: workspace.NewOpener(d.AWS, stage, tables, key, d.Now),
		out:      egress.New(egress.Options{AllowPrivate: r.Optional(env.AllowPrivateHosts, "") == "true", MaxStream: most, Wrap: d.Trace.Transport}),
		refresh:  awslambda.Refresher{Caller: awslambda.NewCaller(lambda.NewFromConfig(d.AWS)), Function: refresh},
		endpoint: mcp.Endpoint{Public: strings.TrimRight(public, "/"), Version: version, Log: d.Log}}
	f.Mux = apigw.NewMux(d.Log, map[string]apigw.Handler{"GET /v1/tools": f.tools, "POST /v1/execute": f.execute, "POST /v1/execute/batch": f.batch,
		"ANY /v1/proxy/{connector}/{path+}": f.proxy,
		"POST /mcp":                         f.mcp, "GET /mcp": f.mcp, "DELETE /mcp": f.mcp, "POST /mcp/{view}": f.mcp, "GET /mcp/{view}": f.mcp, "DELETE /mcp/{view}": f.mcp}).Render(f.render)
	return f, nil
}

// Handle is the Lambda handler. The proxy route's answers are streamed, whatever their size: API Gateway sets it per route.
func (f *Function) Handle(ctx context.Context, e events.APIGatewayProxyRequest) (any, error) {
	return f.HandleStream(ctx, e)
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
	a, err := f.agent(ctx, r)
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
	res, err := a.run(b, r, audit.OverHTTP)
	if err != nil {
		return nil, err
	}
	out, err := apigw.JSON(http.StatusOK, answerOf(res))
	if err == nil && res.Replayed {
		out.Header.Set("Idempotent-Replayed", "true")
	}
	return out, err
}

// run runs one tool call of the HTTP API.
func (a *agent) run(b executeBody, r *apigw.Request, over audit.Channel) (toolcall.Result, error) {
	if b.Tool == "" {
		return toolcall.Result{}, fault.Invalid("/tool", "tool is missing; GET /v1/tools lists what this session may call")
	}
	if len(b.Input) == 0 && b.Cursor == "" {
		b.Input = json.RawMessage("{}")
	}
	return a.Call(a.ctx, toolcall.Call{Tool: b.Tool, Input: b.Input, Connection: b.Connection, IdempotencyKey: b.IdempotencyKey, Cursor: b.Cursor, Pages: b.Pages, MaxBytes: b.MaxBytes,
		RequestID: r.ID(), Channel: over, Client: r.Header("User-Agent")})
}

func answerOf(res toolcall.Result) executeAnswer {
	return executeAnswer{res.ExecutionID, string(res.ConnectionID), string(res.GrantID), res.Data, res.Cursor, res.Stopped}
}

// observe counts one execution. One that names nothing known counts for no connector: the name is the caller's.
func (f *Function) observe(ctx context.Context, connector string, err error) {
	by := metric.Labels{Connector: connector, Outcome: "succeeded"}
	if err != nil {
		by.Outcome = string(fault.From(err).Code)
	}
	f.meter.Add(metric.Executions, 1, by)
	if err := f.meter.Flush(); err != nil {
		f.deps.Log.ErrorContext(ctx, "nothing measured", "error", err)
	}
}

func (f *Function) connectorOf(tool string) string {
	spec, _, err := f.catalog.Tool(tool)
	if err != nil {
		return ""
	}
	return spec.ID
}
