package admin

import (
	"context"
	"crypto/ecdsa"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/connectors"
	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/awsevents"
	"behalf.dev/behalf/shared/awskms"
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

// Function is the control plane.
type Function struct {
	*apigw.Mux
	deps    awslambda.Deps
	public  string
	open    *workspace.Opener
	vendor  *awssts.Vendor
	deploy  *dynamo.DB // the deployment's own rows: API keys, list of tenants
	signer  *awskms.Signer
	queue   *awssqs.Queue
	bus     *awsevents.Bus
	refresh awslambda.Refresher
	revoke  awslambda.Revoker
	catalog *catalog.Catalog
	issuers *authn.Issuers
	// loginURL is the application's login page for MCP clients; empty when there is none.
	loginURL string
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.PublicURL, env.VaultTable, env.DirectoryTable, env.AuditTable, env.FlowTable, env.SessionKey, env.DirectoryRole, env.RefreshFunction, env.RevokeFunction, env.RevokeQueue, env.EventBus, env.MCPLoginURL}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	stage, public, bus := r.Require(env.Stage), r.Require(env.PublicURL), r.Require(env.EventBus)
	tables := workspace.Tables(r)
	call := awslambda.NewCaller(lambda.NewFromConfig(d.AWS))
	f := &Function{deps: d, public: public, open: workspace.NewOpener(d.AWS, stage, tables, "", d.Now),
		vendor: awssts.NewVendor(sts.NewFromConfig(d.AWS), r.Require(env.DirectoryRole), d.Now), deploy: dynamo.New(dynamodb.NewFromConfig(d.AWS), tables, d.Now),
		signer: awskms.NewSigner(kms.NewFromConfig(d.AWS), r.Require(env.SessionKey)), queue: awssqs.New(sqs.NewFromConfig(d.AWS), r.Require(env.RevokeQueue)),
		bus:     awsevents.New(eventbridge.NewFromConfig(d.AWS), bus, d.Now, d.IDs.New),
		refresh: awslambda.Refresher{Caller: call, Function: r.Require(env.RefreshFunction)}, revoke: awslambda.Revoker{Caller: call, Function: r.Require(env.RevokeFunction)}}
	f.loginURL = mcpauth.LoginPage(r.Require(env.MCPLoginURL))
	if err := r.Err(); err != nil {
		return nil, err
	}
	local := r.Optional(env.AllowPrivateHosts, "") == "true"
	f.issuers = authn.NewIssuers(egress.New(egress.Options{AllowPrivate: local, Wrap: d.Trace.Transport, MaxResponse: 512 << 10}).HTTP(), local, d.Now)
	var err error
	if f.catalog, err = connectors.FromEnv(d.Lookup); err != nil {
		return nil, err
	}
	f.Mux = apigw.NewMux(d.Log, f.routes()).Render(f.render)
	return f, nil
}

func (f *Function) routes() map[string]apigw.Handler {
	routes := apigw.RequireKeys(map[string]apigw.KeyHandler{
		"GET /v1/tenants":                                            f.listTenants,
		"PUT /v1/tenants/{tenant}":                                   f.putTenant,
		"GET /v1/tenants/{tenant}":                                   f.getTenant,
		"DELETE /v1/tenants/{tenant}":                                f.deleteTenant,
		"POST /v1/tenants/{tenant}/scim-tokens":                      f.createSCIMToken,
		"GET /v1/tenants/{tenant}/scim-tokens":                       f.listSCIMTokens,
		"DELETE /v1/tenants/{tenant}/scim-tokens/{token}":            f.deleteSCIMToken,
		"PUT /v1/tenants/{tenant}/issuer":                            f.putIssuer,
		"GET /v1/tenants/{tenant}/issuer":                            f.getIssuer,
		"DELETE /v1/tenants/{tenant}/issuer":                         f.deleteIssuer,
		"GET /v1/tenants/{tenant}/policy":                            f.getPolicy,
		"PUT /v1/tenants/{tenant}/policy":                            f.putPolicy,
		"POST /v1/tenants/{tenant}/policy/decide":                    f.decidePolicy,
		"GET /v1/tenants/{tenant}/switches":                          f.getSwitches,
		"PUT /v1/tenants/{tenant}/switches":                          f.putSwitches,
		"GET /v1/switches":                                           f.getDeploymentSwitches,
		"PUT /v1/switches":                                           f.putDeploymentSwitches,
		"GET /v1/mcp-views":                                          f.listViews,
		"PUT /v1/mcp-views/{view}":                                   f.putView,
		"GET /v1/mcp-views/{view}":                                   f.getView,
		"DELETE /v1/mcp-views/{view}":                                f.deleteView,
		"GET /v1/tenants/{tenant}/mcp-views":                         f.listViews,
		"PUT /v1/tenants/{tenant}/mcp-views/{view}":                  f.putView,
		"GET /v1/tenants/{tenant}/mcp-views/{view}":                  f.getView,
		"DELETE /v1/tenants/{tenant}/mcp-views/{view}":               f.deleteView,
		"POST /v1/api-keys":                                          f.createKey,
		"GET /v1/api-keys":                                           f.listKeys,
		"DELETE /v1/api-keys/{key}":                                  f.deleteKey,
		"GET /v1/connectors":                                         f.listConnectors,
		"GET /v1/connectors/{connector}":                             f.getConnector,
		"POST /v1/sessions":                                          f.createSession,
		"DELETE /v1/sessions/{session}":                              f.deleteSession,
		"GET /v1/tenants/{tenant}/connections":                       f.listConnections,
		"GET /v1/tenants/{tenant}/connections/{connection}":          f.getConnection,
		"DELETE /v1/tenants/{tenant}/connections/{connection}":       f.deleteConnection,
		"POST /v1/tenants/{tenant}/connections/{connection}/refresh": f.refreshConnection,
		"POST /v1/tenants/{tenant}/connections/{connection}/pause":   f.pauseConnection,
		"POST /v1/tenants/{tenant}/connections/{connection}/resume":  f.resumeConnection,
		"GET /v1/refresh/due":                                        f.listDue,
		"GET /v1/tenants/{tenant}/connections/{connection}/access":   f.getAccess,
		"PUT /v1/tenants/{tenant}/connections/{connection}/access":   f.putAccess,
		"DELETE /v1/tenants/{tenant}/principals/{principal}":         f.deletePrincipal,
		"GET /v1/tenants/{tenant}/audit":                             f.audit,
	})
	routes["POST /v1/sessions/narrow"] = f.narrowSession
	routes["GET /v1/executions/{execution}"] = f.getExecution
	routes["GET /healthz"] = f.health
	routes["GET /openapi.json"] = f.openapi
	routes["GET /.well-known/jwks.json"] = f.jwks
	routes["GET /.well-known/oauth-protected-resource"] = f.resource
	routes["GET /.well-known/oauth-protected-resource/mcp"] = f.resource
	routes["GET /.well-known/oauth-protected-resource/mcp/{view}"] = f.resource
	routes["GET /.well-known/oauth-authorization-server"] = f.authorizationServer
	routes["GET /.well-known/openid-configuration"] = f.authorizationServer
	routes["POST /oauth/token"] = f.token
	routes["POST /oauth/revoke"] = f.revokeToken
	return routes
}

// tenantDB is the store under credentials for one tenant.
func (f *Function) tenantDB(ctx context.Context, t tenant.ID) (*dynamo.DB, error) {
	creds, err := f.vendor.ForTenant(ctx, t)
	if err != nil {
		return nil, err
	}
	return f.open.OpenWith(creds).DB, nil
}

// existing is tenantDB for a tenant that exists and was not deleted.
func (f *Function) existing(ctx context.Context, r *apigw.Request, by authn.Caller) (*dynamo.DB, dynamo.Tenant, error) {
	id, err := r.Tenant(by)
	if err != nil {
		return nil, dynamo.Tenant{}, err
	}
	return f.live(ctx, id)
}

func (f *Function) live(ctx context.Context, id tenant.ID) (*dynamo.DB, dynamo.Tenant, error) {
	db, err := f.tenantDB(ctx, id)
	if err != nil {
		return nil, dynamo.Tenant{}, err
	}
	t, err := db.LiveTenant(ctx, id)
	return db, t, err
}

func (f *Function) offboarder(db *dynamo.DB) workspace.Offboarder {
	return workspace.Offboarder{DB: db, Queue: f.queue, Events: f.bus, Log: f.deps.Log, Delay: workspace.DirectFirst, Now: f.deps.Now, NewID: f.deps.IDs.New}
}

func (f *Function) health(_ context.Context, r *apigw.Request) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

func (f *Function) jwks(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	key, kid, err := f.signer.PublicKey(ctx)
	if err != nil {
		return nil, err
	}
	b, err := authn.JWKS(map[string]*ecdsa.PublicKey{kid: key})
	if err != nil {
		return nil, err
	}
	return &apigw.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/jwk-set+json"}, "Cache-Control": {"public, max-age=3600"}}, Body: b}, nil
}

func (f *Function) openapi(_ context.Context, r *apigw.Request) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	b, err := apigw.OpenAPI(f.public)
	if err != nil {
		return nil, err
	}
	return &apigw.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"public, max-age=300"}}, Body: b}, nil
}
