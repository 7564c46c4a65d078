package portal

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/awsevents"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/awssqs"
	"behalf.dev/behalf/shared/awssts"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/mcpauth"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/workspace"
)

// Function is the portal.
type Function struct {
	*apigw.Mux
	deps    awslambda.Deps
	public  string
	open    *workspace.Opener
	vendor  *awssts.Vendor
	queue   *awssqs.Queue
	bus     *awsevents.Bus
	revoke  awslambda.Revoker
	catalog *catalog.Catalog
	pages   pages
	front   *mcpauth.Front
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.PublicURL, env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable, env.PortalRole, env.RevokeFunction, env.RevokeQueue, env.EventBus, env.MCPLoginURL}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	stage, public, role := r.Require(env.Stage), r.Require(env.PublicURL), r.Require(env.PortalRole)
	tables := workspace.Tables(r)
	revoke, queue, bus := r.Require(env.RevokeFunction), r.Require(env.RevokeQueue), r.Require(env.EventBus)
	login := mcpauth.LoginPage(r.Require(env.MCPLoginURL))
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
	f := &Function{deps: d, public: public, catalog: cat, pages: p, open: workspace.NewOpener(d.AWS, stage, tables, "", d.Now), vendor: awssts.NewVendor(sts.NewFromConfig(d.AWS), role, d.Now),
		queue: awssqs.New(sqs.NewFromConfig(d.AWS), queue), bus: awsevents.New(eventbridge.NewFromConfig(d.AWS), bus, d.Now, d.IDs.New), revoke: awslambda.Revoker{Caller: awslambda.NewCaller(lambda.NewFromConfig(d.AWS)), Function: revoke}}
	local := r.Optional(env.AllowPrivateHosts, "") == "true"
	out := egress.New(egress.Options{AllowPrivate: local, MaxResponse: mcpauth.MaxDocument, DialTimeout: 2 * time.Second, Wrap: d.Trace.Transport})
	f.front = &mcpauth.Front{Clients: mcpauth.NewClients(out, local, d.Now), Parking: dynamo.New(dynamodb.NewFromConfig(d.AWS), tables, d.Now), Issuer: public, LoginURL: login, Now: d.Now, NewSecret: d.IDs.Secret}
	f.Mux = apigw.NewMux(d.Log, f.routes()).Render(f.render)
	return f, nil
}

func (f *Function) routes() map[string]apigw.Handler {
	routes := apigw.RequireKeys(map[string]apigw.KeyHandler{"POST /v1/portal-links": f.createLink, "POST /v1/mcp-logins": f.confirmLogin})
	routes["GET /portal"] = f.list
	routes["POST /portal"] = f.leave
	routes["GET /portal/{link}"] = f.enter
	routes["GET /portal/connections/{connection}"] = f.show
	routes["POST /portal/connections/{connection}"] = f.disconnect
	routes["POST /portal/logins/{login}"] = f.endLogin
	routes["GET /oauth/authorize"] = f.authorize
	routes["GET /oauth/consent/{ticket}"] = f.consent
	routes["POST /oauth/consent/{ticket}"] = f.answerLogin
	return routes
}

func (f *Function) render(r *apigw.Request, err error, requestID string) *apigw.Response {
	if strings.HasPrefix(r.Resource(), "/v1/") || !strings.Contains(r.Header("Accept"), "text/html") {
		return apigw.Problem(err, requestID)
	}
	return f.pages.Failure(err, requestID)
}

// nobody owns nothing; it finds visits of a tenant before it is known whose they are.
const nobody tenant.Principal = "_portal"

// db opens the store for one principal.
func (f *Function) db(ctx context.Context, s tenant.Scope) (*dynamo.DB, error) {
	creds, err := f.vendor.ForPrincipal(ctx, s)
	if err != nil {
		return nil, err
	}
	return f.open.OpenWith(creds).DB, nil
}
