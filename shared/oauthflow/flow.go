package oauthflow

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"behalf.dev/behalf/events"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
)

// Connections is the store's view of connections.
type Connections interface {
	Connection(ctx context.Context, ref connection.Ref) (connection.Connection, error)
	// CreateConnection stores a new connection and lists it under its tenant; fault.Conflict if the id exists.
	CreateConnection(ctx context.Context, c connection.Connection) error
	// Activate stores grant, slot, connection and its parts in one transaction, if the stored version is c's: a connection is
	// never active without its tokens and its grant. fault.Conflict otherwise.
	Activate(ctx context.Context, c connection.Connection, s connection.Slot, g connection.Grant, parts ...connection.PartActivation) error
}

// Siblings is what merging needs: the same account connected twice is one connection.
type Siblings interface {
	// ConnectionsOf lists all connections of a principal.
	ConnectionsOf(ctx context.Context, s tenant.Scope) ([]connection.Connection, error)
	// UpdateConnection writes what change makes of c, which must be pure; see package dynamo.
	UpdateConnection(ctx context.Context, c connection.Connection, change func(connection.Connection) (connection.Connection, error)) (connection.Connection, error)
}

// Finder locates a connection by id alone.
type Finder interface {
	// FindConnection returns where the connection is; fault.NotFound.
	FindConnection(ctx context.Context, t tenant.ID, id connection.ID) (connection.Ref, error)
}

// Principals tells whether somebody may hold credentials at all.
type Principals interface {
	// Suspended reports that the directory suspended the principal, or that the tenant does not exist or is closed
	// (fault.NotFound).
	Suspended(ctx context.Context, s tenant.Scope) (bool, error)
}

// Sealer opens and seals.
type Sealer interface {
	Seal(ctx context.Context, b connection.Binding, s secret.Text) ([]byte, error)
	Open(ctx context.Context, b connection.Binding, sealed []byte) (secret.Text, error)
}

// Clients finds OAuth clients.
type Clients interface {
	// Owner says whose client a new connection of t uses; fault.Conflict with what to do when there is none.
	Owner(ctx context.Context, t tenant.ID, connector string) (connection.StoredClient, error)
	Client(ctx context.Context, owner tenant.ID, connector string) (connection.Client, error)
}

// Endpoint gets tokens from the provider.
type Endpoint interface {
	// Exchange performs the authorization_code grant (RFC 6749, section 4.1.3).
	Exchange(ctx context.Context, c *catalog.Connector, client connection.Client, r connection.Redemption) (connection.Tokens, error)
	// Refresh makes an access token of what a connection keeps for that: a refresh token, or what it mints from.
	Refresh(ctx context.Context, c *catalog.Connector, client connection.Client, kept secret.Text, metadata map[string]string) (connection.Tokens, error)
}

// Introspector asks a provider when an access token expires (RFC 7662). Zero means that it does not say.
type Introspector interface {
	Introspect(ctx context.Context, c *catalog.Connector, client connection.Client, access secret.Text, metadata map[string]string) (time.Time, error)
}

// Provider calls the provider's API for the account's identity.
type Provider interface {
	Do(r *http.Request) (egress.Response, error)
}

// Events tells the adopter.
type Events interface {
	ConnectionChanged(ctx context.Context, kind audit.Kind, c connection.Connection) error
	LinkChanged(ctx context.Context, t events.Type, ref connection.Ref, reason string) error
}

// Deps is what a Flow works with, under one tenant's credentials.
type Deps struct {
	Links       Links
	Lookup      LinkLookup
	Connections Connections
	Siblings    Siblings
	// Replacements and Retirements end what a connection had when another account takes it over.
	Replacements Replacements
	Retirements  Retirements
	Finder       Finder
	Principals   Principals
	Sealer       Sealer
	Clients      Clients
	Endpoint     Endpoint
	// Slots keeps tokens while a person chooses; nil where no connector asks.
	Slots Slots
	// Introspector may be nil: declared lifetimes are believed.
	Introspector Introspector
	Provider     Provider
	Recorder     audit.Recorder
	Events       Events
	Connector    func(id string) (*catalog.Connector, error)
	Log          *slog.Logger
	Now          func() time.Time
	NewID        func(prefix string) string
	NewSecret    func() string
	Jitter       func() float64
	// PublicURL is where browsers reach us, without a trailing slash.
	PublicURL string
}

// Flow runs connect links.
type Flow struct{ Deps }

// New returns a Flow over d.
func New(d Deps) *Flow { return &Flow{d} }

// CreateRequest asks for a link.
type CreateRequest struct {
	tenant.Scope
	Connector string
	Scopes    []string
	// Connection reconnects an existing one; empty makes a new one.
	Connection connection.ID
	// Change is what a reconnect may change.
	Change    Change
	ReturnURL string
	// ReturnURLs is the tenant's allow-list; empty means none is set.
	ReturnURLs []string
	// Params are fields of the connector that are known already; the connect page does not ask for them.
	Params map[string]string
	By     string
}

// Created is a new link.
type Created struct {
	Link Link
	URL  string
}

// Create makes a link and, unless it reconnects, a pending connection.
func (f *Flow) Create(ctx context.Context, r CreateRequest) (Created, error) {
	spec, err := f.Connector(r.Connector)
	if err != nil {
		return Created{}, err
	}
	if err := CheckListedURL("/return_url", r.ReturnURL, r.ReturnURLs); err != nil {
		return Created{}, err
	}
	scopes, err := spec.RequestScopes(r.Scopes)
	if err != nil {
		return Created{}, err
	}
	suspended, err := f.Principals.Suspended(ctx, r.Scope)
	if err != nil {
		return Created{}, err
	}
	if suspended {
		return Created{}, fault.New(fault.Revoked, "the directory suspended this principal; reactivate it there first")
	}
	client, params, err := f.client(ctx, spec, r.Tenant, r.Params)
	if err == nil {
		err = spec.CheckVouched(params)
	}
	if err != nil {
		return Created{}, err
	}
	now := f.Now()
	l := Link{ID: "cl_" + f.secretOf(r.Tenant), Scope: r.Scope, Connector: r.Connector, Scopes: scopes, ReturnURL: r.ReturnURL, Status: LinkOpen, Params: params,
		ClientOwner: client.Owner, ClientID: client.ID, Created: now, Expires: now.Add(LinkTTL)}
	if err := f.target(ctx, &l, r); err != nil {
		return Created{}, err
	}
	token := f.secretOf(r.Tenant)
	if err := f.Links.CreateLink(ctx, l, digest(token)); err != nil {
		return Created{}, err
	}
	f.audit(ctx, l, audit.LinkCreated, audit.Record{By: r.By, Scopes: scopes})
	return Created{l, f.PublicURL + "/connect/" + token}, nil
}

// client finds the OAuth client of a new connection, where the connector needs one, and the parameters that are fixed:
// those of the caller, and those that the tenant's client brings. The two must not contradict each other.
func (f *Flow) client(ctx context.Context, spec *catalog.Connector, t tenant.ID, params map[string]string) (connection.StoredClient, map[string]string, error) {
	var client connection.StoredClient
	if err := spec.CheckParams(params); err != nil {
		return client, nil, err
	}
	if !spec.UsesClient() {
		return client, params, nil
	}
	client, err := f.Clients.Owner(ctx, t, spec.ID)
	if err != nil || len(client.Params) == 0 {
		return client, params, err
	}
	all := maps.Clone(client.Params)
	for name, v := range params {
		if fixed, ok := all[name]; ok && fixed != v {
			return client, nil, fault.Invalid("/params/"+name, "the OAuth client that this tenant uses is for %s %q", name, fixed)
		}
		all[name] = v
	}
	return client, all, nil
}

// target decides which connection the link is for, making a pending one if it is new.
func (f *Flow) target(ctx context.Context, l *Link, r CreateRequest) error {
	if r.Connection == "" {
		if r.Change != (Change{}) {
			return fault.Invalid("/connection", "what a reconnect may change was given, and no connection to reconnect")
		}
		l.Connection = connection.ID(f.NewID("conn"))
		c := connection.Connection{Ref: connection.Ref{Scope: l.Scope, Connector: l.Connector, ID: l.Connection}, Status: connection.Pending,
			ClientOwner: l.ClientOwner, Created: l.Created, Updated: l.Created, PendingUntil: l.Expires.Add(ParkTTL)}
		return f.Connections.CreateConnection(ctx, c)
	}
	ref, err := f.Finder.FindConnection(ctx, r.Tenant, r.Connection)
	if err != nil {
		return err
	}
	if ref.Scope != l.Scope || ref.Connector != l.Connector {
		return fault.New(fault.NotFound, "principal %s has no %s connection %s", l.Principal, l.Connector, r.Connection).WithField("/connection")
	}
	c, err := f.Connections.Connection(ctx, ref)
	if err != nil {
		return err
	}
	if c.Status == connection.Revoked {
		return fault.New(fault.Revoked, "connection %s was revoked; leave out \"connection\" to make a new one", c.ID).WithField("/connection")
	}
	l.Connection, l.Reconnect = c.ID, c.Refresh.Generation > 0
	l.Change = r.Change
	spec, err := f.Connector(l.Connector)
	if err != nil {
		return err
	}
	if l.Reconnect && !r.Change.Account { // what is installed already is not installed again
		l.Captured = spec.Installed(c.Metadata)
	}
	if l.Reconnect && !r.Change.Narrower { // a narrower consent must not replace a wider grant unasked
		l.Scopes = union(l.Scopes, c.Scopes)
	}
	return nil
}

func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// audit records what happened to a link. A link is no credential, so failing to record does not stop the person; grants
// are recorded before they count.
func (f *Flow) audit(ctx context.Context, l Link, kind audit.Kind, r audit.Record) {
	if err := f.record(ctx, l, kind, r); err != nil {
		f.Log.ErrorContext(ctx, "link not audited", "kind", kind, "error", err)
	}
}

func (f *Flow) record(ctx context.Context, l Link, kind audit.Kind, r audit.Record) error {
	r.ID, r.Kind, r.Time, r.Tenant, r.Principal = f.NewID("aud"), kind, f.Now(), l.Tenant, string(l.Principal)
	r.Connector, r.Connection = l.Connector, string(l.Connection)
	return f.Recorder.Record(ctx, r)
}

// tell publishes what happened to a link. Nothing hangs on it, so a failure is logged.
func (f *Flow) tell(ctx context.Context, l Link, t events.Type, reason string) {
	if err := f.Events.LinkChanged(ctx, t, connection.Ref{Scope: l.Scope, Connector: l.Connector, ID: l.Connection}, reason); err != nil {
		f.Log.ErrorContext(ctx, "event not published", "connection", l.Connection, "type", t, "error", err)
	}
}

// finish moves a link to an end and forgets what was parked.
func (f *Flow) finish(ctx context.Context, l Link, to LinkStatus, reason string) (Link, error) {
	l.Status, l.Reason, l.Code, l.Verifier, l.CookieHash, l.StateHash = to, reason, nil, nil, "", ""
	if to != LinkConfirming {
		l.Choice, l.Browser = nil, ""
	}
	done, err := f.Links.UpdateLink(ctx, l)
	if err != nil {
		return l, fmt.Errorf("end link: %w", err)
	}
	return done, nil
}
