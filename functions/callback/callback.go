package callback

import (
	"context"
	"maps"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/awsevents"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/awssqs"
	"behalf.dev/behalf/shared/awssts"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/metric"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/workspace"
	"behalf.dev/behalf/shared/xoauth2"
)

// Function connects accounts.
type Function struct {
	*apigw.Mux
	deps     awslambda.Deps
	public   string
	open     *workspace.Opener
	vendor   *awssts.Vendor
	bus      *awsevents.Bus
	catalog  *catalog.Catalog
	out      *egress.Client
	endpoint xoauth2.Measured
	meter    *metric.Meter
	retire   workspace.Retirer
	pages    pages
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.PublicURL, env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable, env.VaultKey, env.ConnectRole, env.RevokeQueue, env.EventBus}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	stage, public := r.Require(env.Stage), r.Require(env.PublicURL)
	tables := workspace.Tables(r)
	key, role, bus, queue := r.Require(env.VaultKey), r.Require(env.ConnectRole), r.Require(env.EventBus), r.Require(env.RevokeQueue)
	if err := r.Err(); err != nil {
		return nil, err
	}
	cat, err := connectors.FromEnv(d.Lookup)
	if err != nil {
		return nil, err
	}
	p, err := newPages()
	if err != nil {
		return nil, err
	}
	out := egress.New(egress.Options{AllowPrivate: r.Optional(env.AllowPrivateHosts, "") == "true", Wrap: d.Trace.Transport, MaxResponse: 1 << 20})
	f := &Function{deps: d, public: public, catalog: cat, out: out, pages: p, retire: workspace.Retirer{Queue: awssqs.New(sqs.NewFromConfig(d.AWS), queue)}, open: workspace.NewOpener(d.AWS, stage, tables, key, d.Now),
		vendor: awssts.NewVendor(sts.NewFromConfig(d.AWS), role, d.Now), bus: awsevents.New(eventbridge.NewFromConfig(d.AWS), bus, d.Now, d.IDs.New), meter: metric.New(d.Metrics, stage, d.Now)}
	f.endpoint = xoauth2.Measured{Endpoint: xoauth2.New(out.HTTP(), d.Now), Meter: f.meter, Now: d.Now}
	f.Mux = apigw.NewMux(d.Log, f.routes()).Render(f.render)
	return f, nil
}

// Handle answers a request and writes what was measured: Lambda may freeze the process behind it.
func (f *Function) Handle(ctx context.Context, e events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	defer func() {
		if err := f.meter.Flush(); err != nil {
			f.deps.Log.ErrorContext(ctx, "nothing measured", "error", err)
		}
	}()
	return f.Mux.Handle(ctx, e)
}

func (f *Function) routes() map[string]apigw.Handler {
	routes := apigw.RequireKeys(map[string]apigw.KeyHandler{
		"PUT /v1/connectors/{connector}/client":                     f.putClient,
		"GET /v1/connectors/{connector}/client":                     f.getClient,
		"DELETE /v1/connectors/{connector}/client":                  f.deleteClient,
		"PUT /v1/tenants/{tenant}/connectors/{connector}/client":    f.putClient,
		"GET /v1/tenants/{tenant}/connectors/{connector}/client":    f.getClient,
		"DELETE /v1/tenants/{tenant}/connectors/{connector}/client": f.deleteClient,
		"POST /v1/tenants/{tenant}/connections":                     f.importConnection,
		"POST /v1/connect-links":                                    f.createLink,
		"GET /v1/connect-links/{link}":                              f.getLink,
		"POST /v1/connect-links/{link}/confirm":                     f.confirm,
	})
	maps.Copy(routes, apigw.RequireKeys(map[string]apigw.KeyHandler{
		"GET /v1/tenants/{tenant}/principals/{principal}/approvals":                      f.listApprovals,
		"GET /v1/tenants/{tenant}/principals/{principal}/approvals/{approval}":           f.getApproval,
		"POST /v1/tenants/{tenant}/principals/{principal}/approvals/{approval}/decision": f.decideApproval,
		"POST /v1/tenants/{tenant}/principals/{principal}/approvals/{approval}/link":     f.createApprovalLink,
	}))
	routes["GET /connect/{link}"] = f.show
	routes["POST /connect/{link}"] = f.start
	routes["GET /approve/{token}"] = f.showApproval
	routes["POST /approve/{token}"] = f.answerApproval
	routes["GET /oauth/callback"] = f.arrive
	routes["GET /oauth/callback/{context}"] = f.arrive
	return routes
}

// render shows people a page and programs a problem document: a browser asks for text/html, nobody else does.
func (f *Function) render(r *apigw.Request, err error, requestID string) *apigw.Response {
	if strings.HasPrefix(r.Resource(), "/v1/") || !wantsPage(r) {
		return apigw.Problem(err, requestID)
	}
	if strings.HasPrefix(r.Resource(), "/approve/") {
		return f.pages.notApproved(err, requestID)
	}
	return f.pages.Failure(err, requestID)
}

func wantsPage(r *apigw.Request) bool { return strings.Contains(r.Header("Accept"), "text/html") }

// nobody owns nothing; it reads links of a tenant before it is known whose they are.
const nobody tenant.Principal = "_flow"

// workspaceFor opens the stores for one principal.
func (f *Function) workspaceFor(ctx context.Context, s tenant.Scope) (workspace.Workspace, error) {
	creds, err := f.vendor.ForPrincipal(ctx, s)
	if err != nil {
		return workspace.Workspace{}, err
	}
	return f.open.OpenWith(creds), nil
}

// flow is the connect flow under credentials for one principal.
func (f *Function) flow(ctx context.Context, s tenant.Scope) (*oauthflow.Flow, error) {
	w, err := f.workspaceFor(ctx, s)
	if err != nil {
		return nil, err
	}
	return oauthflow.New(oauthflow.Deps{Links: w.DB, Lookup: w.DB, Connections: w.DB, Siblings: w.DB, Replacements: w.DB, Retirements: f.retire, Finder: w.DB, Principals: w.DB, Sealer: w.Vault, Clients: w.Clients, Slots: w.DB,
		Endpoint: f.endpoint, Introspector: f.endpoint, Provider: f.out, Recorder: w.DB, Events: f.bus, Connector: f.catalog.Connector, Log: f.deps.Log, Now: f.deps.Now,
		NewID: f.deps.IDs.New, NewSecret: f.deps.IDs.Secret, Jitter: f.deps.Jitter, PublicURL: f.public}), nil
}
