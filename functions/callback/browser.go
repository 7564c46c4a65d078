package callback

import (
	"context"
	"net/http"
	"strings"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
)

// cookieName is bound to our host, the whole path and TLS by its prefix (RFC 6265bis, section 4.1.3.2). Plain HTTP
// exists only on the local stack, where browsers refuse that prefix.
func (f *Function) cookieName() string {
	if strings.HasPrefix(f.public, "https://") {
		return "__Host-behalf_flow"
	}
	return "behalf_flow"
}

// flowOf reads the secret's tenant, and the flow under credentials that can read its links.
func (f *Function) flowOf(ctx context.Context, s string) (*oauthflow.Flow, error) {
	t, err := oauthflow.TenantOf(s)
	if err != nil {
		return nil, err
	}
	return f.flow(ctx, tenant.Scope{Tenant: t, Principal: nobody})
}

// owned is the flow under the credentials of the link's own principal: what is sealed or audited from here on is its.
func (f *Function) owned(ctx context.Context, token string) (*oauthflow.Flow, oauthflow.Page, error) {
	fl, err := f.flowOf(ctx, token)
	if err != nil {
		return nil, oauthflow.Page{}, err
	}
	p, err := fl.Show(ctx, token)
	if err != nil {
		return nil, p, err
	}
	fl, err = f.flow(ctx, p.Link.Scope)
	return fl, p, err
}

func (f *Function) show(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	token, err := r.Path("link")
	if err != nil {
		return nil, err
	}
	fl, p, err := f.owned(ctx, token)
	if err != nil {
		return nil, err
	}
	t, err := f.tenantOf(ctx, p)
	if err != nil {
		return nil, err
	}
	if len(p.Asked()) == 0 && p.Connector.Mode == catalog.ModeOAuth2 {
		return f.pages.connect(p, displayName(t))
	}
	return f.sheet(fl.Sheet(p, r.Cookie(f.cookieName())), displayName(t), nil, nil)
}

func (f *Function) tenantOf(ctx context.Context, p oauthflow.Page) (dynamo.Tenant, error) {
	w, err := f.workspaceFor(ctx, p.Link.Scope)
	if err != nil {
		return dynamo.Tenant{}, err
	}
	return w.DB.Tenant(ctx, p.Link.Tenant)
}

func displayName(t dynamo.Tenant) string {
	if t.Name != "" {
		return t.Name
	}
	return string(t.ID)
}

func (f *Function) start(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	token, err := r.Path("link")
	if err != nil {
		return nil, err
	}
	fl, p, err := f.owned(ctx, token)
	if err != nil {
		return nil, err
	}
	if len(p.Asked()) > 0 || p.Connector.Mode != catalog.ModeOAuth2 {
		return f.submit(ctx, r, fl, p, token)
	}
	d, err := fl.Start(ctx, token, r.Cookie(f.cookieName()))
	if err != nil {
		return nil, err
	}
	res := seeOther(d.URL)
	f.setCookie(res, d.CookieValue(), d.MaxAge)
	return res, nil
}

// setCookie binds a flow to a browser; without a value it forgets.
func (f *Function) setCookie(res *apigw.Response, value string, maxAge time.Duration) {
	c := http.Cookie{Name: f.cookieName(), Value: value, Path: "/", MaxAge: int(maxAge.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(f.public, "https://")}
	if value == "" {
		c.MaxAge = -1
	}
	res.Header.Set("Set-Cookie", c.String())
}

func (f *Function) arrive(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	where, err := r.Path("context")
	if err != nil {
		return nil, err
	}
	a := oauthflow.Arrival{Context: where, Query: r.Query(), Cookie: r.Cookie(f.cookieName())}
	fl, err := f.flowOf(ctx, a.Query.Get("state"))
	if err != nil {
		return nil, oauthflow.ForeignState()
	}
	l, err := fl.ByState(ctx, a.Query.Get("state"))
	if err != nil {
		return nil, err
	}
	if fl, err = f.flow(ctx, l.Scope); err != nil {
		return nil, err
	}
	to, err := fl.Callback(ctx, l, a)
	if err != nil {
		return nil, err
	}
	res := seeOther(to)
	f.setCookie(res, "", 0)
	return res, nil
}
