package callback

import (
	"context"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
)

type linkBody struct {
	Tenant     string   `json:"tenant"`
	Principal  string   `json:"principal"`
	Connector  string   `json:"connector"`
	Scopes     []string `json:"scopes"`
	Connection string   `json:"connection"`
	ReturnURL  string   `json:"return_url"`
	// Params are fields of the connector that are known already ("subdomain").
	Params map[string]string `json:"params"`
	// OtherAccount and FewerScopes are what a reconnect may change.
	OtherAccount bool `json:"allow_other_account"`
	FewerScopes  bool `json:"allow_fewer_scopes"`
}

func (b linkBody) request(by authn.Caller) (q oauthflow.CreateRequest, err error) {
	if q.Tenant, err = tenant.Parse("/tenant", b.Tenant); err != nil {
		return q, err
	}
	if q.Principal, err = tenant.ParsePrincipal("/principal", b.Principal); err != nil {
		return q, err
	}
	if b.Connector == "" {
		return q, fault.Invalid("/connector", "connector is missing; GET /v1/connectors lists them")
	}
	if b.Connection != "" {
		if q.Connection, err = connection.ParseID("/connection", b.Connection); err != nil {
			return q, err
		}
	}
	q.Connector, q.Scopes, q.ReturnURL, q.Params, q.By = b.Connector, b.Scopes, b.ReturnURL, b.Params, by.KeyID
	q.Change = oauthflow.Change{Account: b.OtherAccount, Narrower: b.FewerScopes}
	return q, by.MayTouch(q.Tenant)
}

func (f *Function) createLink(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	var b linkBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	q, err := b.request(by)
	if err != nil {
		return nil, err
	}
	w, err := f.workspaceFor(ctx, q.Scope)
	if err != nil {
		return nil, err
	}
	t, err := w.DB.Tenant(ctx, q.Tenant)
	if err != nil {
		return nil, err
	}
	q.ReturnURLs = t.ReturnURLs
	fl, err := f.flow(ctx, q.Scope)
	if err != nil {
		return nil, err
	}
	made, err := fl.Create(ctx, q)
	if err != nil {
		return nil, inField(err, "/connector")
	}
	out := linkView(made.Link)
	out["url"] = made.URL
	return apigw.JSON(http.StatusCreated, out)
}

// inField names the body field of an unknown connector, where the catalog only knows its name.
func inField(err error, field string) error {
	if e := fault.From(err); e.Code == fault.NotFound && e.Field == "" {
		return e.WithField(field)
	}
	return err
}

func linkView(l oauthflow.Link) map[string]any {
	out := map[string]any{"id": l.ID, "tenant": l.Tenant, "principal": l.Principal, "connector": l.Connector, "connection_id": l.Connection, "scopes": l.Scopes,
		"status": l.Status, "return_url": l.ReturnURL, "expires_at": l.Expires.UTC().Format(time.RFC3339)}
	if l.Reason != "" {
		out["reason"] = l.Reason
	}
	if len(l.Params) > 0 {
		out["params"] = l.Params
	}
	return out
}

// link reads the link that the path names, and a flow under its principal's credentials.
func (f *Function) link(ctx context.Context, r *apigw.Request, by authn.Caller) (*oauthflow.Flow, oauthflow.Link, error) {
	var l oauthflow.Link
	if err := r.Only(); err != nil {
		return nil, l, err
	}
	id, err := r.Path("link")
	if err != nil {
		return nil, l, err
	}
	t, err := oauthflow.TenantOf(id)
	if err != nil {
		return nil, l, err
	}
	if err := by.MayTouch(t); err != nil {
		return nil, l, err
	}
	w, err := f.workspaceFor(ctx, tenant.Scope{Tenant: t, Principal: nobody})
	if err != nil {
		return nil, l, err
	}
	if l, err = w.DB.Link(ctx, t, id); err != nil {
		return nil, l, err
	}
	fl, err := f.flow(ctx, l.Scope)
	return fl, l, err
}

func (f *Function) getLink(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	_, l, err := f.link(ctx, r, by)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, linkView(l.Standing(f.deps.Now())))
}

type confirmBody struct {
	Principal string `json:"principal"`
}

func (f *Function) confirm(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	var b confirmBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	p, err := tenant.ParsePrincipal("/principal", b.Principal)
	if err != nil {
		return nil, err
	}
	fl, l, err := f.link(ctx, r, by)
	if err != nil {
		return nil, err
	}
	c, err := fl.Confirm(ctx, l, p, by.KeyID)
	if err != nil {
		return nil, err
	}
	if c.ChooseURL != "" {
		return choiceNeeded(c)
	}
	return apigw.JSON(http.StatusOK, map[string]any{"status": c.Status, "connection_id": c.ID, "grant_id": c.Grant, "connection": apigw.NewConnection(c.Connection)})
}
