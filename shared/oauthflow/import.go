package oauthflow

import (
	"context"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
)

// Import is a credential that the SaaS has already.
type Import struct {
	tenant.Scope
	Connector string
	// Scopes are those that were granted, where the provider does not say; empty means the connector's defaults.
	Scopes []string
	// Credential holds the connector's fields; for mode oauth2 "refresh_token", or "access_token" where there is none.
	Credential map[string]string
	// Params are fields that are not secret; they may stand in Credential as well.
	Params map[string]string
	// ExpiresAt is when an access token without refresh token ends; zero when nobody knows.
	ExpiresAt time.Time
	By        string
}

// The members of a credential of mode oauth2.
const (
	memberAccess  = "access_token"
	memberRefresh = "refresh_token"
)

// Import makes a connection of a credential that is proved first: by a refresh, by minting, or by asking the provider whose
// it is. Nothing is stored of one that fails. Connecting an account again renews its connection. Tokens that were
// imported are not revoked when something fails: they are the caller's.
func (f *Flow) Import(ctx context.Context, in Import) (connection.Connection, error) {
	c, err := f.take(ctx, in)
	if err != nil {
		f.audit(ctx, Link{Scope: in.Scope, Connector: in.Connector}, audit.LinkRefused, audit.Record{Reason: "import_failed", Code: string(fault.From(err).Code), By: in.By})
	}
	return c, err
}

func (f *Flow) take(ctx context.Context, in Import) (connection.Connection, error) {
	var none connection.Connection
	spec, err := f.Connector(in.Connector)
	if err != nil {
		return none, err
	}
	scopes, err := spec.RequestScopes(in.Scopes)
	if err != nil {
		return none, err
	}
	suspended, err := f.Principals.Suspended(ctx, in.Scope)
	if err != nil {
		return none, err
	}
	if suspended {
		return none, fault.New(fault.Revoked, "the directory suspended this principal; reactivate it there first")
	}
	stored, params, err := f.client(ctx, spec, in.Tenant, in.Params)
	if err != nil {
		return none, err
	}
	client, err := f.Clients.Client(ctx, stored.Owner, spec.ID)
	if err != nil {
		return none, err
	}
	l := Link{Scope: in.Scope, Connector: in.Connector, Scopes: scopes, Params: params, ClientOwner: stored.Owner, ClientID: stored.ID}
	a := activation{link: l, spec: spec, by: in.By, confirmedBy: "import"}
	if a.tokens, err = f.imported(ctx, in, a, client); err != nil {
		return none, err
	}
	if _, err = f.locate(ctx, l, spec, &a.tokens, 0); err != nil {
		return none, err
	}
	if a.account, err = f.identify(ctx, spec, a.tokens); err != nil {
		return none, err
	}
	a.tokens.Facts.ExpiresAt = f.lifetime(ctx, spec, client, a.tokens)
	if a.old, err = f.fresh(ctx, &a.link); err != nil {
		return none, err
	}
	return f.activate(ctx, a)
}

// fresh makes the pending connection that an import activates. It is made after the proof, so that a bad import leaves nothing.
func (f *Flow) fresh(ctx context.Context, l *Link) (connection.Connection, error) {
	now := f.Now()
	l.Connection = connection.ID(f.NewID("conn"))
	c := connection.Connection{Ref: connection.Ref{Scope: l.Scope, Connector: l.Connector, ID: l.Connection}, Status: connection.Pending,
		ClientOwner: l.ClientOwner, Created: now, Updated: now, PendingUntil: now.Add(ParkTTL)}
	if err := f.Connections.CreateConnection(ctx, c); err != nil {
		return c, err
	}
	return f.Connections.Connection(ctx, c.Ref)
}

// imported makes tokens of the credential.
func (f *Flow) imported(ctx context.Context, in Import, a activation, client connection.Client) (connection.Tokens, error) {
	if a.spec.Mode == catalog.ModeOAuth2 {
		return f.importedTokens(ctx, in, a, client)
	}
	if !in.ExpiresAt.IsZero() {
		return connection.Tokens{}, fault.Invalid("/expires_at", "expires_at is for access tokens without refresh token")
	}
	values, problems := Page{Link: a.link, Connector: a.spec}.read(in.Credential)
	if len(problems) > 0 {
		p := problems[0]
		return connection.Tokens{}, fault.Invalid("/credential/"+p.Field, "%s", p.Message)
	}
	return f.prove(ctx, a.spec, client, catalog.Seed{Values: values, Scopes: a.link.Scopes})
}

// importedTokens takes over tokens of mode oauth2.
func (f *Flow) importedTokens(ctx context.Context, in Import, a activation, client connection.Client) (connection.Tokens, error) {
	for name := range in.Credential {
		if name != memberAccess && name != memberRefresh {
			return connection.Tokens{}, fault.Invalid("/credential", "a %s credential has the members %s and %s only", a.spec.Name, memberRefresh, memberAccess)
		}
	}
	for _, asked := range (Page{Link: a.link, Connector: a.spec}).Asked() {
		if asked.Required {
			return connection.Tokens{}, fault.Invalid("/params/"+asked.Name, "%s is missing", asked.Name)
		}
	}
	kept, access := in.Credential[memberRefresh], in.Credential[memberAccess]
	if len(kept) > maxToken || len(access) > maxToken {
		return connection.Tokens{}, fault.Invalid("/credential", "a token is at most %d bytes", maxToken)
	}
	meta := a.spec.Keep(a.link.metadata(), f.redirectURI(a.link))
	if kept == "" && a.spec.RefreshKind() == catalog.RefreshWithAccessToken { // it is what the next one is made of
		kept = access
	}
	switch {
	case a.spec.RefreshKind() == catalog.RefreshAsClient:
		return connection.Tokens{}, fault.Invalid("/credential", "%s is connected through a link: what it is renewed from comes with the consent", a.spec.Name)
	case kept != "" && !in.ExpiresAt.IsZero():
		return connection.Tokens{}, fault.Invalid("/expires_at", "a refresh token is proved by a refresh, whose answer tells the expiry; leave expires_at out")
	case kept != "":
		res, err := f.mint(ctx, a.spec, client, secret.FromString(kept), meta)
		if res.Refresh.IsZero() { // RFC 6749, section 6: the one that was sent stays
			res.Refresh = secret.FromString(kept)
		}
		return res, err
	case access == "":
		return connection.Tokens{}, fault.Invalid("/credential/"+memberRefresh, "%s is missing", memberRefresh)
	case a.spec.Rotation.Class != catalog.RotationNone:
		return connection.Tokens{}, fault.Invalid("/credential/"+memberRefresh, "%s is missing: without it the connection would die with its access token", memberRefresh)
	case !a.spec.HasIdentity() || a.spec.APIAuth.Certified:
		return connection.Tokens{}, fault.Invalid("/credential", "an access token of %s cannot be proved; connect the account through a link", a.spec.Name)
	}
	return connection.Tokens{Access: secret.FromString(access), Facts: connection.TokenFacts{ExpiresAt: in.ExpiresAt, Metadata: meta}}, nil
}

// maxToken bounds an imported token in bytes.
const maxToken = 8 << 10
