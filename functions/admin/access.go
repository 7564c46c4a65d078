package admin

import (
	"context"
	"net/http"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/tenant"
)

type accessBody struct {
	Principals []string `json:"principals"`
	Groups     []string `json:"groups"`
}

// getAccess tells on whose behalf an organization's connection may be used.
func (f *Function) getAccess(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	_, c, err := f.find(ctx, r, by)
	if err != nil {
		return nil, err
	}
	if _, err := c.Share(c.Access, c.Updated); err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, listed(c.Access))
}

// putAccess replaces the list; the next call goes by it.
func (f *Function) putAccess(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	db, c, err := f.find(ctx, r, by)
	if err != nil {
		return nil, err
	}
	var b accessBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	list, err := connection.NewAccess(b.Principals, b.Groups)
	if err != nil {
		return nil, err
	}
	done, err := db.UpdateConnection(ctx, c, func(x connection.Connection) (connection.Connection, error) { return x.Share(list, f.deps.Now()) })
	if err != nil {
		return nil, err
	}
	if err := db.Record(ctx, f.about(audit.AccessChanged, done, by)); err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusOK, listed(done.Access))
}

// listed writes empty lists as such.
func listed(a connection.Access) connection.Access {
	if a.Principals == nil {
		a.Principals = []tenant.Principal{}
	}
	if a.Groups == nil {
		a.Groups = []string{}
	}
	return a
}
