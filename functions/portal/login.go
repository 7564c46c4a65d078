package portal

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/mcpauth"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/webpage"
)

// browserLife is how long a browser is known by its cookie: longer than a login takes.
const browserLife = 2 * (mcpauth.ParkedLife + mcpauth.ConsentLife)

// loginCookie is bound to our host, the whole path and TLS, like cookieName.
func (f *Function) loginCookie() string {
	if f.secure() {
		return "__Host-behalf_mcp"
	}
	return "behalf_mcp"
}

// browser is the cookie that names this browser in logins; empty when there is none of ours. A browser with several logins at once has one
// name in all of them.
func (f *Function) browser(r *apigw.Request) string {
	if c := r.Cookie(f.loginCookie()); len(c) >= 20 && len(c) <= 64 {
		return c
	}
	return ""
}

// loginsOn fails where the deployment names no login page: then nobody could say who is signed in.
func (f *Function) loginsOn() error {
	if f.front.LoginURL == "" {
		return fault.New(fault.NotFound, "this deployment has no login for MCP clients; put a session token into the client's configuration")
	}
	return nil
}

// authorize begins a login (RFC 6749, section 4.1.1). Nothing that is wrong here is sent to the client's redirect URI.
func (f *Function) authorize(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	if err := f.loginsOn(); err != nil {
		return nil, err
	}
	cookie := f.browser(r)
	if cookie == "" {
		cookie = f.deps.IDs.Secret()
	}
	to, err := f.front.Authorize(ctx, r.Query(), cookie)
	if err != nil {
		return nil, err
	}
	res := webpage.SeeOther(to)
	c := http.Cookie{Name: f.loginCookie(), Value: cookie, Path: "/", MaxAge: int(browserLife.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: f.secure()}
	res.Header.Set("Set-Cookie", c.String())
	return res, nil
}

type mcpLoginBody struct {
	Login      string   `json:"mcp_login"`
	Tenant     string   `json:"tenant"`
	Principal  string   `json:"principal"`
	Connectors []string `json:"connectors"`
	Tools      []string `json:"tools"`
}

// confirmLogin is the back end's word on who is signed in, and what agents may do for them. Its answer holds the ticket, which is for the
// browser of that person alone.
func (f *Function) confirmLogin(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	if err := r.Only(); err != nil {
		return nil, err
	}
	if err := f.loginsOn(); err != nil {
		return nil, err
	}
	var b mcpLoginBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	who, err := f.person(b, by)
	if err != nil {
		return nil, err
	}
	db, err := f.db(ctx, who.Scope)
	if err != nil {
		return nil, err
	}
	t, err := db.LiveTenant(ctx, who.Tenant)
	if err != nil {
		return nil, err
	}
	if t.RequireAssertion { // the back end's word is not enough there, and a login has no other
		return nil, fault.New(fault.Forbidden, "this tenant takes sessions from assertions only, so its users cannot log MCP clients in").With("reason", "assertion_required")
	}
	if err := f.present(ctx, db, who.Scope); err != nil {
		return nil, err
	}
	ticket, l, err := f.front.Confirm(ctx, db, b.Login, who)
	if err != nil {
		return nil, err
	}
	if err := db.Record(ctx, f.loginNote(audit.LoginConfirmed, l, by.KeyID, r)); err != nil {
		return nil, err
	}
	return apigw.JSON(http.StatusCreated, map[string]any{"tenant": who.Tenant, "principal": who.Principal, "client_id": l.ClientID, "client_name": l.ClientName,
		"continue_url": f.public + apigw.ConsentPath + "/" + ticket, "expires_at": l.Expires.UTC().Format(time.RFC3339)})
}

// person checks a confirmation. A login is a person's, so the tenant itself has none.
func (f *Function) person(b mcpLoginBody, by authn.Caller) (who mcpauth.Person, err error) {
	if who.Scope, err = scopeOf(b.Tenant, b.Principal, by); err != nil {
		return who, err
	}
	if who.Principal == tenant.Org {
		return who, fault.Invalid("/principal", "people log in, and \"_org\" is the tenant itself")
	}
	for _, c := range b.Connectors {
		if _, err := f.catalog.Connector(c); err != nil {
			return who, fault.From(err).WithField("/connectors")
		}
	}
	for _, name := range b.Tools {
		if _, err := f.catalog.Owner(name); err != nil {
			return who, fault.From(err).WithField("/tools")
		}
	}
	if len(b.Connectors)+len(b.Tools) > 100 {
		return who, fault.Invalid("/tools", "a session names at most 100 connectors and tools; leave them out to allow all")
	}
	// An empty list could mean nothing or all; here the difference would be a client that may do everything.
	if b.Connectors != nil && len(b.Connectors) == 0 || b.Tools != nil && len(b.Tools) == 0 {
		return who, fault.Invalid("/connectors", "name at least one connector or tool, or leave the list out to allow all")
	}
	who.Connectors, who.Tools, who.By = b.Connectors, b.Tools, by.KeyID
	return who, nil
}

func (f *Function) loginNote(kind audit.Kind, l mcpauth.Login, by string, r *apigw.Request) audit.Record {
	return audit.Record{ID: f.deps.IDs.New("aud"), Kind: kind, Time: f.deps.Now(), Tenant: l.Tenant, Principal: string(l.Principal), Agent: l.ClientID, By: by, Outcome: "succeeded", RequestID: r.ID()}
}

// asked is a login whose person is here, in the browser that began it.
type asked struct {
	mcpauth.Login
	ticket string
	db     *dynamo.DB
	brand  webpage.Brand
}

func (f *Function) asked(ctx context.Context, r *apigw.Request) (a asked, err error) {
	if err := r.Only(); err != nil {
		return a, err
	}
	if err := f.loginsOn(); err != nil {
		return a, err
	}
	if a.ticket, err = r.Path("ticket"); err != nil {
		return a, err
	}
	t, err := mcpauth.TenantOf(a.ticket)
	if err != nil {
		return a, err
	}
	if a.db, err = f.db(ctx, tenant.Scope{Tenant: t, Principal: nobody}); err != nil {
		return a, err
	}
	if a.Login, err = f.front.Open(ctx, a.db, a.ticket, f.browser(r)); err != nil {
		return a, err
	}
	if a.db, err = f.db(ctx, a.Scope); err != nil {
		return a, err
	}
	if err := f.present(ctx, a.db, a.Scope); err != nil {
		return a, err
	}
	a.brand, err = brand(ctx, a.db, a.Tenant)
	return a, err
}

// consent asks the person.
func (f *Function) consent(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	a, err := f.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	all, err := a.db.ConnectionsOf(ctx, a.Scope)
	if err != nil {
		return nil, err
	}
	return f.pages.consent(a, f.allowedBy(a.Login, all))
}

// answerLogin takes the person's answer.
func (f *Function) answerLogin(ctx context.Context, r *apigw.Request) (*apigw.Response, error) {
	a, err := f.asked(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := r.SameSite(); err != nil {
		return nil, err
	}
	body, err := r.BodyUpTo(maxForm)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["decision"]) != 1 || len(form["guard"]) != 1 {
		return nil, fault.New(fault.InvalidInput, "the form cannot be read").WithCause(err)
	}
	decision := form.Get("decision")
	if decision != "allow" && decision != "refuse" {
		return nil, fault.New(fault.InvalidInput, "the form cannot be read")
	}
	note := f.loginNote(audit.LoginAnswered, a.Login, a.By, r)
	if note.Reason = "allowed"; decision == "refuse" {
		note.Reason = "refused"
	}
	to, err := f.front.Answer(ctx, a.db, a.ticket, a.Login, form.Get("guard"), decision == "allow")
	if err != nil {
		return nil, err
	}
	if err := a.db.Record(ctx, note); err != nil { // the code dies unseen
		return nil, err
	}
	return webpage.SeeOther(to), nil
}
