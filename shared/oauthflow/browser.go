package oauthflow

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// Page is what the connect page shows.
type Page struct {
	Link      Link
	Connector *catalog.Connector
}

// Asked are the fields that the person has to fill in.
func (p Page) Asked() []catalog.Field { return p.Connector.Asked(p.Link.Params) }

// Show reads the link behind a public token. Showing uses nothing up: mail scanners and chat previews open links too. A link
// that can no longer be used comes with the error that says why.
func (f *Flow) Show(ctx context.Context, token string) (Page, error) {
	l, err := f.byToken(ctx, token)
	if err != nil {
		return Page{}, err
	}
	spec, err := f.Connector(l.Connector)
	if err != nil {
		return Page{Link: l}, err
	}
	if l.Status == LinkChoosing && f.Now().Before(l.ParkedUntil) {
		return Page{l, spec}, nil
	}
	return Page{l, spec}, l.live(f.Now(), LinkOpen, LinkStarted)
}

func (f *Flow) byToken(ctx context.Context, token string) (Link, error) {
	t, err := TenantOf(token)
	if err != nil {
		return Link{}, err
	}
	id, err := f.Lookup.LinkIDByHash(ctx, t, digest(token))
	if fault.Is(err, fault.NotFound) {
		return Link{}, notFound()
	}
	if err != nil {
		return Link{}, err
	}
	return f.Links.Link(ctx, t, id)
}

// Departure sends a browser to the provider.
type Departure struct {
	// URL is the provider's consent page.
	URL string
	// Cookie is the value that binds the flow to this browser; the same as before when it started already.
	Cookie secret.Text
	// MaxAge is how long the cookie is worth keeping.
	MaxAge time.Duration
}

// Start uses the link up for every browser but this one: cookie is what this browser presented, or empty, and it gets one.
// Going back and starting again in the same browser makes a new state; a second browser gets fault.Conflict. A connector that
// asks for fields gets them through Submit. A double click starts twice at once, and the browser shows what the second one
// gets: so whoever loses that race tries again.
func (f *Flow) Start(ctx context.Context, token, cookie string) (Departure, error) {
	return again(func() (Departure, error) { return f.start(ctx, token, cookie) })
}

// startRaces is how often one person's clicks may meet.
const startRaces = 5

// again repeats what lost a race for a link's row; an error with a reason is one to tell.
func again[T any](try func() (T, error)) (out T, err error) {
	for range startRaces {
		if out, err = try(); !fault.Is(err, fault.Conflict) || fault.From(err).Detail["reason"] != nil {
			return out, err
		}
	}
	return out, err
}

func (f *Flow) start(ctx context.Context, token, cookie string) (Departure, error) {
	p, err := f.Show(ctx, token)
	if err != nil {
		return Departure{}, err
	}
	if p.Link.Status == LinkChoosing {
		return Departure{}, fault.New(fault.Conflict, "this link waits for a choice").With("reason", "link_used")
	}
	if p.Connector.Mode != catalog.ModeOAuth2 || len(p.Asked()) > 0 {
		return Departure{}, fault.New(fault.InvalidInput, "this page asks for more than a click; fill in its form")
	}
	return f.depart(ctx, p, cookie)
}

// depart sends the browser off, with what was typed in the link.
func (f *Flow) depart(ctx context.Context, p Page, cookie string) (Departure, error) {
	l, spec := p.Link, p.Connector
	if l.Status == LinkStarted && !sameHash(l.CookieHash, cookie) {
		return Departure{}, fault.New(fault.Conflict, "this link was opened in another browser; finish there, or ask for a new link").With("reason", "link_used")
	}
	first := l.Status == LinkOpen
	if cookie == "" {
		cookie = f.NewSecret()
	}
	var err error
	state, verifier := f.secretOf(l.Tenant), oauth2.GenerateVerifier()
	l.Status, l.CookieHash, l.StateHash, l.Nonce = LinkStarted, digest(cookie), digest(state), f.NewSecret()
	if l.Verifier, err = f.Sealer.Seal(ctx, parked(l, "verifier"), secret.FromString(verifier)); err != nil {
		return Departure{}, err
	}
	to, err := f.wayOut(spec, &l, state, verifier)
	if err != nil {
		return Departure{}, err
	}
	if err := f.Lookup.PutLinkHash(ctx, l.Tenant, l.StateHash, l.ID, l.Expires); err != nil {
		return Departure{}, err
	}
	if _, err := f.Links.UpdateLink(ctx, l); err != nil {
		return Departure{}, err
	}
	if first {
		f.tell(ctx, l, events.LinkOpened, "")
	}
	return Departure{URL: to, Cookie: secret.FromString(cookie), MaxAge: l.Expires.Sub(f.Now())}, nil
}

// wayOut is where the browser goes: to a page that installs an app, the first time, or to the consent.
func (f *Flow) wayOut(spec *catalog.Connector, l *Link, state, verifier string) (string, error) {
	if len(l.Captured) == 0 {
		if to, err := spec.SetupURL(l.metadata(), state); to != "" || err != nil {
			l.Setup = true
			return to, err
		}
	}
	return f.consentURL(spec, *l, state, verifier)
}

func (f *Flow) consentURL(spec *catalog.Connector, l Link, state, verifier string) (string, error) {
	r := catalog.AuthorizeRequest{ClientID: l.ClientID, RedirectURI: f.redirectURI(l), State: state, Scopes: l.Scopes}
	if spec.PKCE != catalog.PKCENever {
		r.CodeChallenge = oauth2.S256ChallengeFromVerifier(verifier)
	}
	return spec.AuthorizeURL(l.metadata(), r)
}

// parked binds what waits inside a link.
func parked(l Link, what string) connection.Binding {
	return connection.Binding{Tenant: l.Tenant, Principal: l.Principal, Record: "link:" + what + ":" + digest(l.ID), Purpose: connection.RefreshToken}
}

// Context names who registered the client that a flow uses, in the redirect URI: "github" for the deployment's,
// "github~acme" for a tenant's own. A response that arrives at another context's URI is refused.
func Context(connector string, owner tenant.ID) string {
	if owner == tenant.Deployment {
		return connector
	}
	return connector + "~" + owner.Tag()
}

// RedirectURI is what to register at the provider for a client.
func RedirectURI(publicURL, connector string, owner tenant.ID) string {
	return publicURL + "/oauth/callback/" + Context(connector, owner)
}

func (f *Flow) redirectURI(l Link) string {
	return RedirectURI(f.PublicURL, l.Connector, l.ClientOwner)
}

// Arrival is a browser coming back from the provider.
type Arrival struct {
	Context string
	Query   url.Values
	Cookie  string
}

// ForeignState is the error of an answer that belongs to no link.
func ForeignState() error {
	return fault.New(fault.InvalidInput, "the provider's answer does not belong to a link of ours; start again from your application").WithField("state")
}

// ByState finds the link that a state was made for.
func (f *Flow) ByState(ctx context.Context, state string) (Link, error) {
	t, err := TenantOf(state)
	if err != nil {
		return Link{}, ForeignState()
	}
	id, err := f.Lookup.LinkIDByHash(ctx, t, digest(state))
	if fault.Is(err, fault.NotFound) {
		return Link{}, ForeignState()
	}
	if err != nil {
		return Link{}, err
	}
	return f.Links.Link(ctx, t, id)
}

// Callback checks the answer to l and parks the code. It returns where to send the browser: to the SaaS, with the link's
// id and status. Errors are for our own error page: the browser is not the one that started, or the answer is not ours.
func (f *Flow) Callback(ctx context.Context, l Link, a Arrival) (string, error) {
	spec, err := f.Connector(l.Connector)
	if err != nil {
		return "", err
	}
	if err := once(a.Query, append(spec.CallbackParams(), "state", spec.CodeParam, "iss", "error")); err != nil {
		return "", err
	}
	if err := f.checkArrival(l, a, a.Query.Get("state")); err != nil {
		f.audit(ctx, l, audit.LinkRefused, audit.Record{Reason: fmt.Sprint(fault.From(err).Detail["reason"])})
		return "", err
	}
	if l.Setup && a.Query.Get("error") == "" {
		return f.installed(ctx, l, spec, a)
	}
	return f.park(ctx, l, spec, a.Query)
}

// checkArrival refuses an answer that is late, repeated, from another browser, or at another context's address.
func (f *Flow) checkArrival(l Link, a Arrival, state string) error {
	if err := l.live(f.Now(), LinkStarted); err != nil {
		return err
	}
	switch {
	case !sameHash(l.StateHash, state):
		return fault.New(fault.Conflict, "this answer belongs to an earlier attempt; start again from your application").WithField("state").With("reason", "state_replaced")
	case !sameHash(l.CookieHash, a.Cookie):
		return fault.New(fault.Forbidden, "this answer arrived in another browser than the one that started; start again from your application").With("reason", "other_browser")
	case a.Context != Context(l.Connector, l.ClientOwner):
		return fault.New(fault.Forbidden, "this answer arrived at another provider's address").With("reason", "other_context")
	}
	spec, err := f.Connector(l.Connector)
	if err != nil {
		return err
	}
	// RFC 9207, section 2.4: a promised issuer must be there and be the same, on error responses too. A provider that
	// promises none is told from others by its context's redirect URI.
	if spec.Issuer != "" && !l.Setup && a.Query.Get("iss") != spec.Issuer {
		return fault.New(fault.Forbidden, "this answer does not come from the provider that was asked").WithField("iss").With("reason", "issuer_mismatch")
	}
	return nil
}

// park stores the code, or the refusal, and uses the state up: the update is conditional, so of two callbacks one wins.
func (f *Flow) park(ctx context.Context, l Link, spec *catalog.Connector, q url.Values) (string, error) {
	code := q.Get(spec.CodeParam)
	if e := q.Get("error"); e != "" || code == "" {
		reason := "no_code"
		if e == "access_denied" {
			reason = "consent_denied"
		} else if e != "" {
			reason = "provider_error"
		}
		return f.refuse(ctx, l, reason)
	}
	got, err := spec.CallbackMetadata(q, l.Captured, true)
	if err != nil {
		return "", err
	}
	if len(got) > 0 {
		l.Captured = l.captured(got)
	}
	if spec.MayAsk() {
		l.Browser = l.CookieHash
	}
	if l.Code, err = f.Sealer.Seal(ctx, parked(l, "code"), secret.FromString(code)); err != nil {
		return "", err
	}
	l.Status, l.StateHash, l.CookieHash, l.ParkedUntil = LinkConsented, "", "", f.Now().Add(ParkTTL)
	done, err := f.Links.UpdateLink(ctx, l)
	if err != nil {
		return "", used(err)
	}
	return done.back(), nil
}

func used(err error) error {
	if fault.Is(err, fault.Conflict) {
		return fault.New(fault.Conflict, "this answer was already used").With("reason", "state_used").WithCause(err)
	}
	return err
}

// metadata is what the link knows about the account before it is connected.
func (l Link) metadata() map[string]string {
	out := maps.Clone(l.Typed)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, l.Captured)
	maps.Copy(out, l.Params)
	return out
}

// unparked is what waited in a link: a code and its verifier, or a form.
type unparked struct {
	code, verifier secret.Text
	seed           catalog.Seed
}

// unpark opens what waits in a link.
func (f *Flow) unpark(ctx context.Context, l Link) (out unparked, err error) {
	spec, err := f.Connector(l.Connector)
	if err != nil {
		return out, err
	}
	if spec.Mode != catalog.ModeOAuth2 {
		form, err := f.Sealer.Open(ctx, parked(l, "form"), l.Code)
		if err != nil {
			return out, err
		}
		out.seed, err = catalog.ReadSeed(form.Reveal(reveal.Key{}))
		return out, err
	}
	if out.code, err = f.Sealer.Open(ctx, parked(l, "code"), l.Code); err != nil {
		return out, err
	}
	out.verifier, err = f.Sealer.Open(ctx, parked(l, "verifier"), l.Verifier)
	return out, err
}

// CookieValue gives the bytes of a departure's cookie to the HTTP layer.
func (d Departure) CookieValue() string { return string(d.Cookie.Reveal(reveal.Key{})) }

// CookieValue gives the bytes of a form's cookie to the HTTP layer.
func (s Sheet) CookieValue() string { return string(s.Cookie.Reveal(reveal.Key{})) }
