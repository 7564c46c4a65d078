package apigw

import (
	"context"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/tenant"
)

// permissions is what each route asks of API keys.
func permissions() map[string]string {
	out := map[string]string{}
	for _, r := range Routes() {
		out[r.Method+" "+r.Path] = r.Permission
	}
	return out
}

// KeyHandler answers a route of the back end.
type KeyHandler func(ctx context.Context, r *Request, by authn.Caller) (*Response, error)

// RequireKeys wraps the handlers of key routes: the caller must have the permission that Routes names, and a key that
// is limited to one tenant must stay there when the path names a tenant. Handlers check tenants in bodies themselves.
func RequireKeys(handlers map[string]KeyHandler) map[string]Handler {
	return requireKeys(handlers, (*Request).Tenant)
}

// RequireOwners is RequireKeys for routes that also take _deployment in the tenant's place, from keys that are not limited to
// a tenant.
func RequireOwners(handlers map[string]KeyHandler) map[string]Handler {
	return requireKeys(handlers, (*Request).Owner)
}

func requireKeys(handlers map[string]KeyHandler, owner func(*Request, authn.Caller) (tenant.ID, error)) map[string]Handler {
	need := permissions()
	out := make(map[string]Handler, len(handlers))
	for route, h := range handlers {
		permission := need[route]
		out[route] = func(ctx context.Context, r *Request) (*Response, error) {
			by, err := r.Caller()
			if err != nil {
				return nil, err
			}
			if err := by.Require(permission); err != nil {
				return nil, err
			}
			if _, named := r.event.PathParameters["tenant"]; named {
				if _, err := owner(r, by); err != nil {
					return nil, err
				}
			}
			return h(ctx, r, by)
		}
	}
	return out
}

// Tenant is the tenant that the path names, if by may touch it.
func (r *Request) Tenant(by authn.Caller) (tenant.ID, error) {
	s, err := r.Path("tenant")
	if err != nil {
		return "", err
	}
	t, err := tenant.Parse("tenant", s)
	if err != nil {
		return "", err
	}
	return t, by.MayTouch(t)
}

// Owner is Tenant, or tenant.Deployment where the path says so and by is not limited to a tenant.
func (r *Request) Owner(by authn.Caller) (tenant.ID, error) {
	if s, err := r.Path("tenant"); err == nil && s == string(tenant.Deployment) {
		return tenant.Deployment, by.MayTouch(tenant.Deployment)
	}
	return r.Tenant(by)
}
