package storetest

import (
	"context"
	"testing"
	"time"

	"behalf.dev/behalf/shared/approval"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/keyring"
	"behalf.dev/behalf/shared/notify"
	"behalf.dev/behalf/shared/oauthclient"
	"behalf.dev/behalf/shared/oauthflow"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/refresh"
	"behalf.dev/behalf/shared/revoke"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/toolcall"
	"behalf.dev/behalf/shared/vault"
)

// Store is what all services together need.
type Store interface {
	refresh.Connections
	refresh.Slots
	revoke.Connections
	revoke.Slots
	oauthflow.Connections
	oauthflow.Replacements
	oauthflow.Finder
	oauthflow.Links
	oauthflow.LinkLookup
	oauthflow.Principals
	toolcall.State
	toolcall.Claims
	vault.KeyStore
	oauthclient.Store
	keyring.Keys
	keyring.Records
	keyring.Clients
	keyring.Walks
	audit.Recorder
	Listing
	Sweep
	Trail
	Tenants
	Suspender
	Sessions
	Issuers
	Views
	KeyRecords
	Shredder
	Portal
	toolcall.Rulebook
	toolcall.Approvals
	approval.Links
	Rules
	notify.Endpoints
	notify.Remover
	notify.Trail
}

// Rules are a tenant's switches and policy, and what policies are about.
type Rules interface {
	Rules(ctx context.Context, t tenant.ID) (policy.Switches, uint64, error)
	PutSwitches(ctx context.Context, t tenant.ID, s policy.Switches) error
	PutPolicy(ctx context.Context, t tenant.ID, d policy.Document) (uint64, error)
	SetGroups(ctx context.Context, s tenant.Scope, groups []string) error
	Gates(ctx context.Context, s tenant.Scope) (toolcall.Gates, error)
	ApprovalsOf(ctx context.Context, s tenant.Scope, after string, limit int) ([]toolcall.Approval, string, error)
}

// Listing pages through the connections of a tenant.
type Listing interface {
	TenantConnections(ctx context.Context, t tenant.ID, after connection.ID, limit int) ([]connection.Connection, connection.ID, error)
}

// Sweep finds connections that want attention.
type Sweep interface {
	Due(ctx context.Context, shard int, now time.Time, after connection.Due, limit int) ([]connection.Due, error)
}

// Trail is the audit trail and its chain.
type Trail interface {
	Records(ctx context.Context, t tenant.ID, p dynamo.AuditPage) ([]audit.Record, bool, error)
	Execution(ctx context.Context, t tenant.ID, id string, at time.Time) ([]audit.Record, error)
	Segments(ctx context.Context, t tenant.ID) ([]audit.Segment, error)
	Append(ctx context.Context, t tenant.ID, records []audit.Record) (audit.Segment, error)
	Unkept(ctx context.Context, t tenant.ID, limit int) ([]audit.Segment, dynamo.Kept, error)
	SetKept(ctx context.Context, t tenant.ID, old dynamo.Kept, seq uint64) error
}

// Tenants keeps the settings of tenants, and the list of them.
type Tenants interface {
	Tenant(ctx context.Context, id tenant.ID) (dynamo.Tenant, error)
	PutTenant(ctx context.Context, t dynamo.Tenant) (dynamo.Tenant, error)
	Logo(ctx context.Context, t tenant.ID) (string, error)
	PutLogo(ctx context.Context, t tenant.ID, logo string) error
	ListTenant(ctx context.Context, id tenant.ID, deleted bool) error
	Tenants(ctx context.Context, after tenant.ID, limit int) ([]tenant.ID, tenant.ID, error)
}

// Suspender suspends and restores principals.
type Suspender interface {
	SetSuspended(ctx context.Context, s tenant.Scope, suspended bool, reason string) (changed bool, err error)
}

// Sessions ends sessions before their time.
type Sessions interface {
	EndSession(ctx context.Context, s tenant.Scope, session string, now time.Time) error
	Gates(ctx context.Context, s tenant.Scope) (toolcall.Gates, error)
}

// Issuers keeps the OpenID providers of tenants.
type Issuers interface {
	Issuer(ctx context.Context, t tenant.ID) (authn.Issuer, error)
	PutIssuer(ctx context.Context, t tenant.ID, x authn.Issuer) error
	DeleteIssuer(ctx context.Context, t tenant.ID) error
}

// Views keeps the views of MCP.
type Views interface {
	View(ctx context.Context, t tenant.ID, name string) (toolcall.View, error)
	PutView(ctx context.Context, t tenant.ID, v toolcall.View) error
	DeleteView(ctx context.Context, t tenant.ID, v toolcall.View) error
	ViewFor(ctx context.Context, t tenant.ID, name string) (toolcall.View, error)
	Views(ctx context.Context, t tenant.ID, after string, limit int) ([]toolcall.View, string, error)
}

// KeyRecords keeps API keys and SCIM tokens.
type KeyRecords interface {
	PutKeyRecord(ctx context.Context, k authn.Key) error
	KeyRecord(ctx context.Context, ref authn.KeyRef) (authn.Key, error)
	KeyRecords(ctx context.Context, kind authn.KeyKind, t tenant.ID) ([]authn.Key, error)
	DeleteKeyRecord(ctx context.Context, kind authn.KeyKind, t tenant.ID, id string) error
}

// Portal keeps visits, and what people are shown.
type Portal interface {
	PutVisit(ctx context.Context, hash string, v dynamo.Visit) (dynamo.Visit, error)
	Visit(ctx context.Context, t tenant.ID, hash string) (dynamo.Visit, error)
	AddActivities(ctx context.Context, s tenant.Scope, more []audit.Activity) error
	Activities(ctx context.Context, s tenant.Scope) ([]audit.Activity, error)
}

// Shredder destroys the wrapped keys of a tenant, and removes its webhook endpoints.
type Shredder interface {
	DestroyKeys(ctx context.Context, t tenant.ID) error
	DeleteEndpoints(ctx context.Context, t tenant.ID) error
}

// Run runs all tiers. open returns an empty store; it is called once for each test.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Run("Records", func(t *testing.T) { Records(t, open) })
	t.Run("ConditionalWrites", func(t *testing.T) { ConditionalWrites(t, open) })
	t.Run("Contention", func(t *testing.T) { Contention(t, open) })
}

type test = func(t *testing.T, s Store)

func run(t *testing.T, open func(t *testing.T) Store, tests map[string]test) {
	t.Helper()
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}
