package scim

import (
	"context"
	"net/http"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/scim"
	"behalf.dev/behalf/shared/tenant"
)

// resource is what users and groups have in common for HTTP.
type resource interface {
	Project(attributes, excluded []string) ([]byte, error)
}

// kind is the service's operations on one type of resource.
type kind[R resource] struct {
	create  func(ctx context.Context, t tenant.ID, body []byte) (R, error)
	get     func(ctx context.Context, t tenant.ID, id string) (R, error)
	list    func(ctx context.Context, t tenant.ID, r scim.ListRequest) (scim.ListResponse, error)
	replace func(ctx context.Context, t tenant.ID, id string, body []byte, ifMatch string) (R, error)
	patch   func(ctx context.Context, t tenant.ID, id string, body []byte, ifMatch string) (R, error)
	remove  func(ctx context.Context, t tenant.ID, id, ifMatch string) error
	meta    func(R) scim.Meta
}

func (d door) users(ctx context.Context, rest []string) (*apigw.Response, error) {
	s := d.svc
	return serve(ctx, d, rest, kind[scim.User]{s.Create, s.Get, s.List, s.Replace, s.Patch, s.Delete, func(u scim.User) scim.Meta { return u.Meta }})
}

func (d door) groups(ctx context.Context, rest []string) (*apigw.Response, error) {
	s := d.svc
	return serve(ctx, d, rest, kind[scim.Group]{s.CreateGroup, s.GetGroup, s.ListGroups, s.ReplaceGroup, s.PatchGroup, s.DeleteGroup, func(g scim.Group) scim.Meta { return g.Meta }})
}

// serve maps HTTP to the operations (RFC 7644, section 3.2).
func serve[R resource](ctx context.Context, d door, rest []string, k kind[R]) (*apigw.Response, error) {
	if len(rest) == 0 {
		return collection(ctx, d, k)
	}
	id, ifMatch := rest[0], d.r.Header("If-Match")
	var got R
	var err error
	switch d.r.Method() {
	case http.MethodGet:
		got, err = k.get(ctx, d.tenant, id)
	case http.MethodPut, http.MethodPatch:
		change := k.replace
		if d.r.Method() == http.MethodPatch {
			change = k.patch
		}
		body, berr := d.r.Body()
		if berr != nil {
			return nil, berr
		}
		got, err = change(ctx, d.tenant, id, body, ifMatch)
	case http.MethodDelete:
		if err := k.remove(ctx, d.tenant, id, ifMatch); err != nil {
			return nil, err
		}
		return &apigw.Response{Status: http.StatusNoContent}, nil
	default:
		return nil, noSuch()
	}
	if err != nil {
		return nil, err
	}
	return one(d, k, got, http.StatusOK)
}

func collection[R resource](ctx context.Context, d door, k kind[R]) (*apigw.Response, error) {
	switch d.r.Method() {
	case http.MethodGet:
		req, err := d.list()
		if err != nil {
			return nil, err
		}
		res, err := k.list(ctx, d.tenant, req)
		if err != nil {
			return nil, err
		}
		b, err := res.MarshalJSON()
		return document(b), err
	case http.MethodPost:
		body, err := d.r.Body()
		if err != nil {
			return nil, err
		}
		got, err := k.create(ctx, d.tenant, body)
		if err != nil {
			return nil, err
		}
		return one(d, k, got, http.StatusCreated)
	}
	return nil, noSuch()
}

func one[R resource](d door, k kind[R], got R, status int) (*apigw.Response, error) {
	q := d.r.Query()
	b, err := got.Project(names(q.Get("attributes")), names(q.Get("excludedAttributes")))
	if err != nil {
		return nil, err
	}
	res := document(b)
	meta := k.meta(got)
	res.Status = status
	res.Header.Set("ETag", meta.ETag())
	res.Header.Set("Location", meta.Location)
	return res, nil
}
