package callback

import (
	"context"
	"net/http"
	"strings"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/webpage"
	"behalf.dev/behalf/shared/workspace"
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
		return nil, p, f.knowing(ctx, p.Link, err)
	}
	fl, err = f.flow(ctx, p.Link.Scope)
	return fl, p, err
}

// knowing adds to an error about a link where the person came from. Whoever holds the link's secret or state may know: it
// is the plain return URL, without the id that confirming takes.
func (f *Function) knowing(ctx context.Context, l oauthflow.Link, err error) error {
	if err == nil || l.ID == "" {
		return err
	}
	failed := &webpage.Failed{Err: err, Back: l.ReturnURL}
	if b, berr := f.brandFor(ctx, l.Scope); berr == nil {
		failed.Brand = b
	}
	return failed
}

func (f *Function) show(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	token, err := r.Path("link")
	if err != nil {
		return nil, err
	}
	fl, p, err := f.owned(ctx, token)
	over := err != nil && wantsPage(r) && fault.From(err).Detail["reason"] == "link_used" && (p.Link.Status == oauthflow.LinkConfirmed || p.Link.Status == oauthflow.LinkConsented)
	if err != nil && !over {
		return nil, err
	}
	w, err := f.workspaceFor(ctx, p.Link.Scope)
	if err != nil {
		return nil, err
	}
	b, err := brand(ctx, w, p.Link.Tenant)
	if err != nil {
		return nil, err
	}
	if over {
		return f.pages.done(p, b)
	}
	if p.Link.Status == oauthflow.LinkChoosing {
		return f.question(fl, p, b, f.browser(r), "")
	}
	if len(p.Asked()) > 0 || p.Connector.Mode != catalog.ModeOAuth2 {
		return f.sheet(fl.Sheet(p, f.browser(r)), b, nil, nil)
	}
	res, err := f.pages.connect(p, b, login(ctx, w, p.Link))
	if err != nil {
		return nil, err
	}
	value := f.browser(r)
	if value == "" {
		value = f.deps.IDs.Secret()
	}
	f.setCookie(res, value)
	return res, nil
}

// login is the account that a reconnect must come back with; empty for a new connection.
func login(ctx context.Context, w workspace.Workspace, l oauthflow.Link) string {
	if !l.Reconnect {
		return ""
	}
	c, err := w.DB.Connection(ctx, connection.Ref{Scope: l.Scope, Connector: l.Connector, ID: l.Connection})
	if err != nil { // the page does without
		return ""
	}
	return c.Account.Login
}

// browserLife is how long a browser keeps its cookie: longer than any link.
const browserLife = 2 * oauthflow.LinkTTL

// browser is the cookie that names this browser; empty when there is none of ours.
func (f *Function) browser(r *apigw.Request) string {
	c := r.Cookie(f.cookieName())
	if len(c) < 20 || len(c) > 64 {
		return ""
	}
	return c
}

// setCookie names the browser before anything starts, so that the form can only be sent from a browser that was shown the
// page, and two clicks at once are one browser's. A browser with several flows has one name in all of them.
func (f *Function) setCookie(res *apigw.Response, value string) {
	c := http.Cookie{Name: f.cookieName(), Value: value, Path: "/", MaxAge: int(browserLife.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(f.public, "https://")}
	res.Header.Set("Set-Cookie", c.String())
}

func (f *Function) start(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	token, err := r.Path("link")
	if err != nil {
		return nil, err
	}
	fl, p, err := f.owned(ctx, token)
	if twice := p.Link.Status == oauthflow.LinkConsented && p.Connector != nil && p.Connector.Mode != catalog.ModeOAuth2; err != nil && twice { // Submit knows a second click
		fl, err = f.flow(ctx, p.Link.Scope)
	}
	if err != nil && chosen(p) { // Choose knows a second click
		fl, err = f.flow(ctx, p.Link.Scope)
	}
	if err != nil {
		return nil, err
	}
	if err := r.SameSite(); err != nil {
		return nil, f.knowing(ctx, p.Link, err)
	}
	if f.browser(r) == "" {
		return nil, f.knowing(ctx, p.Link, fault.New(fault.Forbidden, "this form was sent by a browser that we did not show it to").With("reason", "no_cookie"))
	}
	if p.Link.Status == oauthflow.LinkChoosing || p.Link.Status == oauthflow.LinkConfirmed {
		return f.choose(ctx, r, fl, p, token)
	}
	if len(p.Asked()) > 0 || p.Connector.Mode != catalog.ModeOAuth2 {
		return f.submit(ctx, r, fl, p, token)
	}
	d, err := fl.Start(ctx, token, f.browser(r))
	if err != nil {
		return nil, f.knowing(ctx, p.Link, err)
	}
	return webpage.SeeOther(d.URL), nil
}

func (f *Function) arrive(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	where, err := r.Path("context")
	if err != nil {
		return nil, err
	}
	a := oauthflow.Arrival{Context: where, Query: r.Query(), Cookie: f.browser(r)}
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
		return nil, f.knowing(ctx, l, err)
	}
	return webpage.SeeOther(to), nil
}
