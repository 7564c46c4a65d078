package execute

import (
	"context"

	"behalf.dev/behalf/functions/execute/mcp"
	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/toolcall"
)

// agent is the caller of one request: a session, and what it may do under the credentials vended for it. HTTP and MCP go
// through the same two methods.
type agent struct {
	f       *Function
	ctx     context.Context
	session authn.Session
	exec    *toolcall.Executor
	db      *dynamo.DB
	view    *toolcall.View
	// room bounds each answer; 0 where it has a document to itself.
	room int
}

func (f *Function) agent(ctx context.Context, r *apigw.Request) (*agent, error) {
	s, creds, err := r.Session(f.deps.Now())
	if err != nil {
		return nil, err
	}
	w := f.open.Open(creds)
	var behalf toolcall.Gatekeeper
	if _, ok := s.Behalf(); ok {
		user, err := r.Behalf()
		if err != nil {
			return nil, err
		}
		behalf = f.open.Open(user).DB
	}
	exec := toolcall.New(toolcall.Deps{Tools: f.catalog, State: w.DB, Behalf: behalf, Sealer: w.Vault, Refresher: f.refresh, Provider: f.out, Opener: f.out, Claims: w.DB, Rules: w.DB, Approvals: w.DB, Policies: f.policies, Renewals: f.renewals,
		Recorder: w.DB, Retries: f.retries, Log: f.deps.Log, Now: f.deps.Now, NewID: f.deps.IDs.New})
	return &agent{f: f, ctx: awslambda.With(ctx, awslambda.Fields{Session: s.ID}), session: s, exec: exec, db: w.DB}, nil
}

// List is a page of the tools that may be called now.
func (a *agent) List(ctx context.Context, w toolcall.Want) (toolcall.Listing, error) {
	w.View = a.view
	return a.exec.List(ctx, a.session, w)
}

// Call runs a tool.
func (a *agent) Call(ctx context.Context, c toolcall.Call) (toolcall.Result, error) {
	c.View, c.Room = a.view, a.room
	res, err := a.exec.Run(ctx, a.session, c)
	a.f.observe(ctx, a.f.connectorOf(c.Tool), err)
	if err != nil {
		return res, err
	}
	a.f.deps.Trace.Annotate(ctx, map[string]string{"tenant": string(a.session.Tenant), "tool": c.Tool, "outcome": "succeeded"})
	a.f.deps.Log.InfoContext(awslambda.With(ctx, awslambda.Fields{Execution: res.ExecutionID}), "executed", "tool", c.Tool, "connection", res.ConnectionID)
	return res, nil
}

// mcp answers MCP requests, at /mcp with all that the session may do and at /mcp/{view} with a part of it.
func (f *Function) mcp(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	a, err := f.agent(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := r.Only(); err != nil {
		return nil, err
	}
	if r.Names("view") {
		if a.view, err = a.named(r); err != nil {
			return nil, err
		}
	}
	return f.endpoint.Serve(a.ctx, r, a)
}

// named reads the view of the path: that of the session's own tenant, else that of the deployment.
func (a *agent) named(r *apigw.Request) (*toolcall.View, error) {
	name, err := r.Path("view")
	if err != nil {
		return nil, err
	}
	if name, err = toolcall.ParseViewName("view", name); err != nil {
		return nil, err
	}
	v, err := a.db.ViewFor(a.ctx, a.session.Tenant, name)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.NotFound, "there is no view %q; /mcp has all that this session may call", name).WithField("view")
	}
	return &v, err
}

var _ mcp.Agent = (*agent)(nil)

// render adds to a 401 where to read how to get in (RFC 9728, section 5.1), as API Gateway's own answers do. Those are the
// rule; this is for a session that ended while the authorizer's answer was cached. API Gateway hands it on under the name
// x-amzn-Remapped-WWW-Authenticate (REST APIs, important notes), so a client has to know the address from before.
func (f *Function) render(_ *apigw.Request, err error, requestID string) *apigw.Response {
	out := apigw.Problem(err, requestID)
	if fault.Is(err, fault.Unauthenticated) {
		out.Header.Set("WWW-Authenticate", apigw.Challenge(f.endpoint.Public, true))
	}
	return out
}
