package mcpauth

import (
	"context"
	"net/url"
	"strings"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// How long each step waits for the next: the application's login page, the person, the client.
const (
	ParkedLife  = 10 * time.Minute
	ConsentLife = 10 * time.Minute
	CodeLife    = time.Minute
)

// Parked is an authorization request whose person is not known yet. It belongs to the deployment, since no tenant does either.
type Parked struct {
	Request
	ClientName string `json:"client_name"`
	Refresh    bool   `json:"refresh,omitempty"`
	// Browser is the digest of the cookie of the browser that began.
	Browser string `json:"browser"`
	// Used tells that a back end has said whose it is.
	Used    bool      `json:"used,omitempty"`
	Expires time.Time `json:"expires"`
	// Version is the store's.
	Version uint64 `json:"-"`
}

// Status is how far a login has come.
type Status string

// The statuses of a login. A row that leads to a grant is a login too, so that there is one kind of row behind every secret.
const (
	Confirmed Status = "confirmed" // waits for the person; found by the ticket
	Allowed   Status = "allowed"   // waits for the client; found by the code
	Exchanged Status = "exchanged" // the code was used
	Refused   Status = "refused"
	Lasting   Status = "lasting" // leads to a grant; found by the first half of its refresh tokens
)

// Login is what a one-time secret stands for, in the tenant's partition.
type Login struct {
	Request
	tenant.Scope
	ClientName string   `json:"client_name"`
	Refresh    bool     `json:"refresh,omitempty"`
	Browser    string   `json:"browser,omitempty"`
	Connectors []string `json:"connectors,omitempty"`
	Tools      []string `json:"tools,omitempty"`
	// By is the API key that said who the person is; Guard is repeated by the consent page's form.
	By    string `json:"by"`
	Guard string `json:"guard,omitempty"`
	// Session is the id of the session that the code led to, or that the grant is of.
	Session string    `json:"session,omitempty"`
	Status  Status    `json:"status"`
	Expires time.Time `json:"expires"`
	// Version is the store's.
	Version uint64 `json:"-"`
}

// Parking keeps requests of nobody yet.
type Parking interface {
	// PutParked writes p if the stored version is p's (0: none); fault.Conflict otherwise.
	PutParked(ctx context.Context, hash string, p Parked) (Parked, error)
	// Parked reads strongly; fault.NotFound.
	Parked(ctx context.Context, hash string) (Parked, error)
}

// Logins keeps what one-time secrets of one tenant stand for.
type Logins interface {
	// PutLogin writes l if the stored version is l's (0: none); fault.Conflict otherwise.
	PutLogin(ctx context.Context, hash string, l Login) (Login, error)
	// Login reads strongly; fault.NotFound.
	Login(ctx context.Context, t tenant.ID, hash string) (Login, error)
}

// Front is the part of the authorization server that browsers and the back end meet.
type Front struct {
	Clients *Clients
	Parking Parking
	// Issuer is our address, LoginURL the application's login page; no other is ever sent to.
	Issuer, LoginURL string
	Now              func() time.Time
	// NewSecret makes a secret of 256 bits.
	NewSecret func() string
}

// LoginPage is a configured login page: empty for "none".
func LoginPage(setting string) string {
	if setting == "none" {
		return ""
	}
	return setting
}

// Authorize checks an authorization request and parks it for the browser with that cookie. It returns where to send the browser.
func (f *Front) Authorize(ctx context.Context, q url.Values, cookie string) (to string, err error) {
	r, err := ParseRequest(q, f.Issuer)
	if err != nil {
		return "", err
	}
	c, err := f.Clients.Find(ctx, r.ClientID)
	if err != nil {
		return "", err
	}
	if !Registered(c.Redirects, r.RedirectURI) {
		return "", bad("invalid_request", "redirect_uri is not one that the client registered in its metadata document")
	}
	reference := f.NewSecret()
	p := Parked{Request: r, ClientName: c.Name, Refresh: c.Refresh, Browser: Digest(cookie), Expires: f.Now().Add(ParkedLife)}
	if _, err := f.Parking.PutParked(ctx, Digest(reference), p); err != nil {
		return "", err
	}
	u, err := url.Parse(f.LoginURL)
	if err != nil {
		return "", fault.From(err)
	}
	v := u.Query()
	v.Set("mcp_login", reference)
	u.RawQuery = v.Encode()
	return u.String(), nil
}

// Person is whom a back end says is signed in, and what agents may do for them; empty lists allow all that they have connected.
type Person struct {
	tenant.Scope
	Connectors, Tools []string
	By                string
}

// Confirm uses a reference up and gives the login to a person. The ticket is the back end's alone, to hand to the browser of
// the person that it means: it opens the consent page, in the browser that began.
func (f *Front) Confirm(ctx context.Context, logins Logins, reference string, who Person) (ticket string, l Login, err error) {
	gone := fault.New(fault.NotFound, "this login does not exist, has expired or was confirmed before; the person starts again in their MCP client").WithField("/mcp_login")
	if len(reference) < 20 || len(reference) > 64 {
		return "", l, gone
	}
	p, err := f.Parking.Parked(ctx, Digest(reference))
	if fault.Is(err, fault.NotFound) || err == nil && (p.Used || !f.Now().Before(p.Expires)) {
		return "", l, gone
	}
	if err != nil {
		return "", l, err
	}
	p.Used = true
	if _, err = f.Parking.PutParked(ctx, Digest(reference), p); err != nil {
		if fault.Is(err, fault.Conflict) {
			err = gone
		}
		return "", l, err
	}
	ticket = who.Tenant.Tag() + "." + f.NewSecret()
	l = Login{Request: p.Request, Scope: who.Scope, ClientName: p.ClientName, Refresh: p.Refresh, Browser: p.Browser, Connectors: who.Connectors, Tools: who.Tools, By: who.By,
		Guard: f.NewSecret(), Status: Confirmed, Expires: f.Now().Add(ConsentLife)}
	l, err = logins.PutLogin(ctx, Digest(ticket), l)
	return ticket, l, err
}

// TenantOf reads whose a ticket, code or refresh token is; fault.NotFound when it is none of ours.
func TenantOf(secret string) (tenant.ID, error) {
	name, rest, ok := strings.Cut(secret, ".")
	t, err := tenant.Parse("", name)
	if !ok || err != nil || len(rest) < 20 || len(rest) > 130 {
		return "", fault.New(fault.NotFound, "this link does not exist or has expired; start again in your MCP client")
	}
	return t, nil
}

// Open finds the login behind a ticket, for the browser that began it and while it waits for an answer.
func (f *Front) Open(ctx context.Context, logins Logins, ticket, cookie string) (Login, error) {
	t, err := TenantOf(ticket)
	if err != nil {
		return Login{}, err
	}
	l, err := logins.Login(ctx, t, Digest(ticket))
	switch {
	case err != nil:
		return l, err
	case l.Guard == "": // a code or refresh token is no ticket
		return Login{}, fault.New(fault.NotFound, "this link does not exist or has expired; start again in your MCP client")
	case !same(l.Browser, cookie):
		return Login{}, fault.New(fault.Forbidden, "this login was begun in another browser").With("reason", "other_browser")
	case l.Status != Confirmed:
		return l, fault.New(fault.Conflict, "this was answered already").With("reason", "login_answered")
	case !f.Now().Before(l.Expires):
		return l, fault.New(fault.NotFound, "this login has expired").With("reason", "login_expired")
	}
	return l, nil
}

// Answer takes the person's answer to what Open returned, once, and returns where to send the browser: back to the client, with a
// code or with access_denied.
func (f *Front) Answer(ctx context.Context, logins Logins, ticket string, l Login, guard string, allow bool) (to string, err error) {
	if !same(Digest(l.Guard), guard) {
		return "", fault.New(fault.Forbidden, "this form does not belong to this login").With("reason", "form_expired")
	}
	next := l
	if next.Status = Refused; allow {
		next.Status = Allowed
	}
	if _, err := logins.PutLogin(ctx, Digest(ticket), next); err != nil {
		if fault.Is(err, fault.Conflict) {
			err = fault.New(fault.Conflict, "this was answered already").With("reason", "login_answered")
		}
		return "", err
	}
	if !allow {
		return answer(l.RedirectURI, f.Issuer, l.State, url.Values{"error": {"access_denied"}, "error_description": {"The person refused."}}), nil
	}
	code := l.Tenant.Tag() + "." + f.NewSecret()
	next.Guard, next.Browser, next.Version, next.Expires = "", "", 0, f.Now().Add(CodeLife)
	if _, err := logins.PutLogin(ctx, Digest(code), next); err != nil {
		return "", err
	}
	return answer(l.RedirectURI, f.Issuer, l.State, url.Values{"code": {code}}), nil
}
