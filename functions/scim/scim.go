package scim

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/awsevents"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/awssqs"
	"behalf.dev/behalf/shared/awssts"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/workspace"
)

// Function is the SCIM endpoint.
type Function struct {
	*apigw.Mux
	deps   awslambda.Deps
	base   string
	open   *workspace.Opener
	vendor *awssts.Vendor
	bus    *awsevents.Bus
	queue  *awssqs.Queue
}

// Variables are the environment variables that New requires.
func Variables() []string {
	return []string{env.Stage, env.PublicURL, env.VaultTable, env.DirectoryTable, env.AuditTable, env.FlowTable, env.DirectoryRole, env.RevokeQueue, env.EventBus}
}

// New wires the function.
func New(d awslambda.Deps) (*Function, error) {
	r := env.NewReader(d.Lookup)
	stage, public, bus := r.Require(env.Stage), r.Require(env.PublicURL), r.Require(env.EventBus)
	tables := workspace.Tables(r)
	f := &Function{deps: d, base: public + "/scim/v2", open: workspace.NewOpener(d.AWS, stage, tables, "", d.Now),
		vendor: awssts.NewVendor(sts.NewFromConfig(d.AWS), r.Require(env.DirectoryRole), d.Now), queue: awssqs.New(sqs.NewFromConfig(d.AWS), r.Require(env.RevokeQueue)),
		bus: awsevents.New(eventbridge.NewFromConfig(d.AWS), bus, d.Now, d.IDs.New)}
	f.Mux = apigw.NewMux(d.Log, map[string]apigw.Handler{"ANY /scim/v2/{proxy+}": f.serve}).Render(render)
	return f, r.Err()
}

const contentType = "application/scim+json"

// render writes errors as RFC 7644, section 3.12 has them.
func render(_ *apigw.Request, err error, _ string) *apigw.Response {
	body, status := scim.ErrorBody(err)
	return &apigw.Response{Status: status, Header: http.Header{"Content-Type": {contentType}}, Body: body}
}

// door is one request's way to the service, for one tenant.
type door struct {
	svc    *scim.Service
	tenant tenant.ID
	base   string
	r      *apigw.Request
}

func (f *Function) serve(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	t, err := r.SCIMTenant()
	if err != nil {
		return nil, err
	}
	creds, err := f.vendor.ForTenant(ctx, t)
	if err != nil {
		return nil, err
	}
	db := f.open.OpenWith(creds).DB
	if cfg, err := db.Tenant(ctx, t); err != nil {
		return nil, err
	} else if !cfg.Deleted.IsZero() { // its tokens went with it, but API Gateway may still know one
		return nil, fault.New(fault.NotFound, "the tenant was deleted")
	}
	off := workspace.Offboarder{DB: db, Queue: f.queue, Events: f.bus, Log: f.deps.Log, Now: f.deps.Now, NewID: f.deps.IDs.New}
	svc := scim.New(db, lifecycle{db, off}, f.deps.Now, func() string { return f.deps.IDs.New("usr") }).WithMappings(mappings{db}).WithGroups(db).WithMemberships(memberships{db}).WithLocation(f.base)
	path, err := r.Path("proxy")
	if err != nil {
		return nil, err
	}
	return door{svc, t, f.base, r}.dispatch(ctx, strings.Split(strings.Trim(path, "/"), "/"))
}

func noSuch() error { return fault.New(fault.NotFound, "there is no such SCIM resource") }

// dispatch routes by resource type; the discovery documents are for reading only.
func (d door) dispatch(ctx context.Context, path []string) (*apigw.Response, error) {
	switch {
	case len(path) <= 2 && path[0] == "Users":
		return d.users(ctx, path[1:])
	case len(path) <= 2 && path[0] == "Groups":
		return d.groups(ctx, path[1:])
	case d.r.Method() != http.MethodGet:
		return nil, noSuch()
	case len(path) == 1 && path[0] == "ServiceProviderConfig":
		return document(scim.ServiceProviderConfig(d.base)), nil
	case len(path) == 1 && path[0] == "ResourceTypes":
		return document(scim.ResourceTypes(d.base)), nil
	case len(path) == 1 && path[0] == "Schemas":
		return document(scim.Schemas(d.base)), nil
	case len(path) == 2 && path[0] == "ResourceTypes":
		if b, ok := scim.ResourceType(d.base, path[1]); ok {
			return document(b), nil
		}
	case len(path) == 2 && path[0] == "Schemas":
		if b, ok := scim.SchemaByURN(d.base, path[1]); ok {
			return document(b), nil
		}
	}
	return nil, noSuch()
}

func document(b []byte) *apigw.Response {
	return &apigw.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {contentType}}, Body: b}
}

// list reads the query of a list request (RFC 7644, section 3.4.2).
func (d door) list() (scim.ListRequest, error) {
	if err := d.r.Only("filter", "startIndex", "count", "attributes", "excludedAttributes", "sortBy", "sortOrder"); err != nil {
		return scim.ListRequest{}, err
	}
	q := d.r.Query()
	req := scim.ListRequest{Filter: q.Get("filter"), Attributes: names(q.Get("attributes")), ExcludedAttributes: names(q.Get("excludedAttributes"))}
	if s := q.Get("startIndex"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return req, fault.Invalid("startIndex", "startIndex is not a number")
		}
		req.StartIndex = n
	}
	if s := q.Get("count"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return req, fault.Invalid("count", "count is not a number")
		}
		req.Count = &n
	}
	return req, nil
}

func names(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
