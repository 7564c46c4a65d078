package callback

import (
	"context"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
)

type importBody struct {
	Principal  string            `json:"principal"`
	Connector  string            `json:"connector"`
	Scopes     []string          `json:"scopes"`
	Credential map[string]string `json:"credential"`
	Params     map[string]string `json:"params"`
	ExpiresAt  string            `json:"expires_at"`
}

func (b importBody) read(t tenant.ID, by authn.Caller) (in oauthflow.Import, err error) {
	if in.Principal, err = tenant.ParsePrincipal("/principal", b.Principal); err != nil {
		return in, err
	}
	if b.Connector == "" {
		return in, fault.Invalid("/connector", "connector is missing; GET /v1/connectors lists them")
	}
	if len(b.Credential) == 0 {
		return in, fault.Invalid("/credential", "credential is missing; GET /v1/connectors/%s lists its members", b.Connector)
	}
	if b.ExpiresAt != "" {
		if in.ExpiresAt, err = time.Parse(time.RFC3339, b.ExpiresAt); err != nil {
			return in, fault.Invalid("/expires_at", "expires_at is a time like 2026-11-22T12:00:00Z")
		}
	}
	in.Tenant, in.Connector, in.Scopes, in.Credential, in.Params, in.By = t, b.Connector, b.Scopes, b.Credential, b.Params, by.KeyID
	return in, nil
}

// importConnection takes over a credential that the SaaS has already. It is here, and not with the other routes of
// connections, since this function alone may seal what a connection starts from.
func (f *Function) importConnection(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	var b importBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	t, err := r.Tenant(by)
	if err != nil {
		return nil, err
	}
	in, err := b.read(t, by)
	if err != nil {
		return nil, err
	}
	if _, err := f.catalog.Connector(in.Connector); err != nil {
		return nil, inField(err, "/connector")
	}
	fl, err := f.flow(ctx, in.Scope)
	if err != nil {
		return nil, err
	}
	c, err := fl.Import(ctx, in)
	if err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusCreated, apigw.NewConnection(c))
}
