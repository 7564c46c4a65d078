package mcpauth

import (
	"context"
	"net/url"
	"strings"
	"time"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
)

// Lives of a grant: without use, and at all. An access token lives as long as a session by default.
const (
	IdleLife  = 30 * 24 * time.Hour
	GrantLife = 90 * 24 * time.Hour
)

// Grant is what a person allowed a client: a session that refresh tokens renew. Its id is the session's, which every access token of
// the grant has, so that ending the session ends the grant and the other way round.
type Grant struct {
	tenant.Scope
	Session    string   `json:"session"`
	ClientID   string   `json:"client_id"`
	ClientName string   `json:"client_name"`
	Resource   string   `json:"resource"`
	Connectors []string `json:"connectors,omitempty"`
	Tools      []string `json:"tools,omitempty"`
	By         string   `json:"by"`
	// Secret is the digest of the second half of the refresh token in force; empty for a grant without refresh tokens.
	Secret string `json:"secret,omitempty"`
	// Epoch is how often the principal had been suspended when it allowed this.
	Epoch   uint64    `json:"epoch,omitempty"`
	Created time.Time `json:"created_at"`
	// Renewed is when the last access token was made; Idle and Ends are when refreshing ends without and with use.
	Renewed time.Time `json:"renewed_at"`
	Idle    time.Time `json:"idle"`
	Ends    time.Time `json:"ends"`
	// Ended is why it ended before its time; empty while it has not.
	Ended string `json:"ended,omitempty"`
	// Version is the store's.
	Version uint64 `json:"-"`
}

// Live reports whether the grant can still give access.
func (g Grant) Live(now time.Time) bool {
	return g.Ended == "" && now.Before(g.Idle) && now.Before(g.Ends)
}

// Grants keeps the grants of a tenant's principals, and ends sessions.
type Grants interface {
	// PutGrant writes g if the stored version is g's (0: none); fault.Conflict otherwise.
	PutGrant(ctx context.Context, g Grant) (Grant, error)
	// Grant reads strongly; fault.NotFound.
	Grant(ctx context.Context, s tenant.Scope, session string) (Grant, error)
	// EndSession ends a session and all that were narrowed from it.
	EndSession(ctx context.Context, s tenant.Scope, session string, now time.Time) error
}

// Standing reads the state of tenant, principal and switches.
type Standing interface {
	Standing(ctx context.Context, s tenant.Scope) (toolcall.Gates, error)
}

// Tokens gives and takes tokens, over the stores of one tenant.
type Tokens struct {
	Logins   Logins
	Grants   Grants
	Standing Standing
	Issuer   string
	Now      func() time.Time
	// NewSecret makes a secret of 256 bits; NewSession the id of a session.
	NewSecret  func() string
	NewSession func(s tenant.Scope) string
	// Ended puts on record that a grant ended, and why.
	Ended func(ctx context.Context, g Grant, reason string) error
}

// Issued is what a token request came to: a session to sign, and the refresh token to give with it, if any.
type Issued struct {
	Session authn.Session
	Grant   Grant
	Refresh string
	// Scoped asks to say that no scope was granted.
	Scoped bool
	// Renewed tells a refresh from a login.
	Renewed bool
}

// Form reads a token or revocation request: each parameter once, and no client authentication, since there are only public clients.
func Form(body []byte) (url.Values, error) {
	q, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, bad("invalid_request", "the body is not a form").WithCause(err)
	}
	for k, v := range q {
		if len(v) > 1 {
			return nil, bad("invalid_request", "%.40s is given %d times", k, len(v))
		}
	}
	if q.Has("client_secret") || q.Has("client_assertion") || q.Get("client_id") == "" {
		return nil, bad("invalid_client", "send client_id and no client authentication: clients here are public")
	}
	return q, nil
}

func invalidGrant(format string, args ...any) *fault.Error {
	return bad("invalid_grant", format, args...)
}

// Exchange takes a code (RFC 6749, section 4.1.3; RFC 7636, section 4.6). Whatever is wrong with the request uses nothing up; a code that
// was used already ends what it led to, since one of the two that have it stole it.
func (t *Tokens) Exchange(ctx context.Context, id tenant.ID, q url.Values) (Issued, error) {
	wrong := invalidGrant("the code is not valid: unknown, expired, used, or another client's")
	hash := Digest(q.Get("code"))
	l, err := t.Logins.Login(ctx, id, hash)
	if fault.Is(err, fault.NotFound) || err == nil && l.Status != Allowed && l.Status != Exchanged || err == nil && l.Guard != "" {
		return Issued{}, wrong
	}
	if err != nil {
		return Issued{}, err
	}
	if l.ClientID != q.Get("client_id") {
		return Issued{}, wrong
	}
	if l.Status == Exchanged {
		return Issued{}, t.stolen(ctx, l, wrong)
	}
	if !t.Now().Before(l.Expires) {
		return Issued{}, wrong
	}
	if err := t.matches(l, q); err != nil {
		return Issued{}, err
	}
	gates, err := t.admitted(ctx, authn.Session{Scope: l.Scope, Agent: l.ClientID, Issued: t.Now()})
	if err != nil {
		return Issued{}, err
	}
	l.Session, l.Status = t.NewSession(l.Scope), Exchanged
	if _, err := t.Logins.PutLogin(ctx, hash, l); fault.Is(err, fault.Conflict) {
		// Two at once: the other has written its session down before it makes anything.
		if l, err = t.Logins.Login(ctx, id, hash); err != nil {
			return Issued{}, err
		}
		return Issued{}, t.stolen(ctx, l, wrong)
	} else if err != nil {
		return Issued{}, err
	}
	return t.begin(ctx, l, gates.Epoch)
}

// matches checks what the request must repeat.
func (t *Tokens) matches(l Login, q url.Values) error {
	switch {
	case l.RedirectURI != q.Get("redirect_uri"):
		return invalidGrant("redirect_uri is not the one that the code was asked with")
	case !proves(q.Get("code_verifier"), l.Challenge):
		return invalidGrant("code_verifier does not belong to the code's challenge")
	}
	return t.forResource(l.Resource, q)
}

// forResource checks the resource of a token request: that of the login, or none (RFC 8707, section 2.2).
func (t *Tokens) forResource(path string, q url.Values) error {
	if !q.Has("resource") {
		return nil
	}
	if got, err := ParseResource(q.Get("resource"), t.Issuer); err != nil || got != path {
		return bad("invalid_target", "resource is not the one that the person allowed")
	}
	return nil
}

// admitted refuses whom nothing may be done for now: a tenant or principal that has left, a client that was switched off.
func (t *Tokens) admitted(ctx context.Context, s authn.Session) (toolcall.Gates, error) {
	g, err := t.Standing.Standing(ctx, s.Scope)
	if err != nil {
		return g, err
	}
	if err := g.Admit(s); err != nil {
		return g, invalidGrant("%s", fault.From(err).Message)
	}
	for _, sw := range g.Switches {
		if off := sw.Off(s.Agent, "", ""); off != nil {
			return g, invalidGrant("%s", off.Message)
		}
	}
	return g, nil
}

// stolen ends what a code led to. The grant may not be written yet; then a row that says it ended keeps it from being.
func (t *Tokens) stolen(ctx context.Context, l Login, why error) error {
	g := Grant{Scope: l.Scope, Session: l.Session, ClientID: l.ClientID, ClientName: l.ClientName, Created: t.Now(), Ends: t.Now().Add(GrantLife)}
	if err := t.End(ctx, g, "code_reused"); err != nil {
		return err
	}
	return why
}

// begin makes the grant and its first tokens.
func (t *Tokens) begin(ctx context.Context, l Login, epoch uint64) (Issued, error) {
	now := t.Now()
	g := Grant{Scope: l.Scope, Session: l.Session, ClientID: l.ClientID, ClientName: l.ClientName, Resource: l.Resource, Connectors: l.Connectors, Tools: l.Tools, By: l.By,
		Epoch: epoch, Created: now, Renewed: now, Idle: now.Add(IdleLife), Ends: now.Add(GrantLife)}
	out := Issued{Session: t.session(g), Scoped: l.Scoped}
	if l.Refresh {
		family, half := l.Tenant.Tag()+"."+t.NewSecret(), t.NewSecret()
		lasting := Login{Request: Request{ClientID: l.ClientID}, Scope: l.Scope, Session: l.Session, Status: Lasting, Expires: g.Ends}
		if _, err := t.Logins.PutLogin(ctx, Digest(family), lasting); err != nil {
			return Issued{}, err
		}
		g.Secret, out.Refresh = Digest(half), family+"."+half
	} else {
		g.Idle, g.Ends = out.Session.Expires, out.Session.Expires
	}
	var err error
	if out.Grant, err = t.Grants.PutGrant(ctx, g); fault.Is(err, fault.Conflict) {
		return Issued{}, invalidGrant("the code was used twice, so what it led to was ended")
	}
	return out, err
}

func (t *Tokens) session(g Grant) authn.Session {
	now := t.Now()
	end := now.Add(authn.DefaultSessionTTL)
	if g.Ends.Before(end) {
		end = g.Ends
	}
	return authn.Session{ID: g.Session, Scope: g.Scope, Resource: g.Resource, Connectors: g.Connectors, Tools: g.Tools, Agent: g.ClientID, Issued: now, Expires: end.Truncate(time.Second)}
}

// split takes a refresh token apart: what finds the grant, and what changes with each use.
func split(token string) (family, half string) {
	i := strings.LastIndexByte(token, '.')
	if i < 0 {
		return "", ""
	}
	return token[:i], token[i+1:]
}

// find reads the grant of a refresh token; ok is false when it is none of this client's. fresh tells that it is the token in force.
func (t *Tokens) find(ctx context.Context, id tenant.ID, token, client string) (g Grant, fresh, ok bool, err error) {
	family, half := split(token)
	l, err := t.Logins.Login(ctx, id, Digest(family))
	if fault.Is(err, fault.NotFound) || err == nil && (l.Status != Lasting || l.ClientID != client) {
		return g, false, false, nil
	}
	if err != nil {
		return g, false, false, err
	}
	g, err = t.Grants.Grant(ctx, l.Scope, l.Session)
	if fault.Is(err, fault.NotFound) {
		return g, false, false, nil
	}
	return g, same(g.Secret, half), err == nil, err
}

// Renew takes a refresh token and gives the next (RFC 6749, section 6; OAuth 2.1, section 4.3.1). One that was used before ends the grant: it was
// stolen, or the one after it was.
func (t *Tokens) Renew(ctx context.Context, id tenant.ID, q url.Values) (Issued, error) {
	wrong := invalidGrant("the refresh token is not valid; the person must log in again")
	g, fresh, ok, err := t.find(ctx, id, q.Get("refresh_token"), q.Get("client_id"))
	if err != nil {
		return Issued{}, err
	}
	if !ok || !g.Live(t.Now()) {
		return Issued{}, wrong
	}
	if !fresh {
		return Issued{}, t.over(ctx, g, "refresh_token_reused", wrong)
	}
	if err := t.forResource(g.Resource, q); err != nil {
		return Issued{}, err
	}
	gates, err := t.admitted(ctx, authn.Session{ID: g.Session, Scope: g.Scope, Agent: g.ClientID, Issued: g.Renewed})
	if err != nil && fault.From(err).Detail["reason"] == "invalid_grant" {
		return Issued{}, t.over(ctx, g, "access_ended", err)
	}
	if err != nil {
		return Issued{}, err
	}
	if gates.Epoch != g.Epoch { // suspended and restored meanwhile: what was allowed before does not come back by itself
		return Issued{}, t.over(ctx, g, "principal_suspended", wrong)
	}
	family, _ := split(q.Get("refresh_token"))
	half := t.NewSecret()
	g.Secret, g.Renewed, g.Idle = Digest(half), t.Now(), t.Now().Add(IdleLife)
	next, err := t.Grants.PutGrant(ctx, g)
	if fault.Is(err, fault.Conflict) { // somebody else used the same token at this moment
		return Issued{}, t.over(ctx, g, "refresh_token_reused", wrong)
	}
	return Issued{Session: t.session(g), Grant: next, Refresh: family + "." + half, Renewed: true}, err
}

// over ends a grant and returns why the request is refused.
func (t *Tokens) over(ctx context.Context, g Grant, reason string, why error) error {
	if err := t.End(ctx, g, reason); err != nil {
		return err
	}
	return why
}

// Revoke ends the grant of a refresh token (RFC 7009). One that is unknown or another client's is no error, and ends nothing; one that was
// used already is good enough to end what it is of.
func (t *Tokens) Revoke(ctx context.Context, id tenant.ID, token, client string) error {
	g, _, ok, err := t.find(ctx, id, token, client)
	if err != nil || !ok || g.Ended != "" {
		return err
	}
	return t.End(ctx, g, "revoked_by_client")
}

// End ends a grant for good, and the access tokens that it gave, and puts that on record. Twice is once.
func (t *Tokens) End(ctx context.Context, g Grant, reason string) error {
	if err := End(ctx, t.Grants, g, reason, t.Now()); err != nil {
		return err
	}
	return t.Ended(ctx, g, reason)
}

// maxTries is how often End looks again when somebody writes the grant at the same time.
const maxTries = 5

// End ends a grant for good, and the access tokens that it gave. A grant that is not there gets a row that says it ended.
func End(ctx context.Context, grants Grants, g Grant, reason string, now time.Time) error {
	for range maxTries {
		stored, err := grants.Grant(ctx, g.Scope, g.Session)
		if err == nil {
			g = stored
		} else if !fault.Is(err, fault.NotFound) {
			return err
		}
		if g.Ended == "" {
			g.Ended, g.Secret = reason, ""
			if _, err = grants.PutGrant(ctx, g); fault.Is(err, fault.Conflict) {
				g.Ended = ""
				continue
			} else if err != nil {
				return err
			}
		}
		return grants.EndSession(ctx, g.Scope, g.Session, now)
	}
	return fault.New(fault.RateLimited, "this login is being used at the moment; try again").WithRetryAfter(time.Second)
}
