package refresh

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
)

// Connections is the store's view of connections.
type Connections interface {
	// Connection reads strongly; fault.NotFound.
	Connection(ctx context.Context, ref connection.Ref) (connection.Connection, error)
	// UpdateConnection writes what change makes of c, only if the stored version is still c's; otherwise it reads again
	// and calls change again. change must be pure.
	UpdateConnection(ctx context.Context, c connection.Connection, change func(connection.Connection) (connection.Connection, error)) (connection.Connection, error)
}

// Slots is the store's view of sealed tokens.
type Slots interface {
	// Slot reads the slot that generation g would live in, strongly; ok is false when it is empty.
	Slot(ctx context.Context, ref connection.Ref, g uint64) (s connection.Slot, ok bool, err error)
	// PutSlot writes s unless its slot holds a newer generation, or the same one under a newer fence: fault.Conflict.
	PutSlot(ctx context.Context, ref connection.Ref, s connection.Slot) error
}

// Sealer opens and seals tokens.
type Sealer interface {
	Seal(ctx context.Context, b connection.Binding, s secret.Text) ([]byte, error)
	Open(ctx context.Context, b connection.Binding, sealed []byte) (secret.Text, error)
	Warm(ctx context.Context, t tenant.ID, purposes ...connection.Purpose) error
}

// Clients finds the OAuth client of a connection; fault.NotFound when it was removed.
type Clients interface {
	Client(ctx context.Context, owner tenant.ID, connector string) (connection.Client, error)
}

// Endpoint performs the refresh_token grant (RFC 6749, section 6). Any error is an *EndpointError.
type Endpoint interface {
	Refresh(ctx context.Context, c *catalog.Connector, client connection.Client, refreshToken secret.Text, metadata map[string]string) (connection.Tokens, error)
}

// EndpointError is a refresh that gave no tokens.
type EndpointError struct {
	// Outcome is the connector's reading of the provider's answer; its Kind is empty when there was no answer.
	Outcome catalog.Outcome
	// Sent tells that the request may have reached the provider.
	Sent bool
	Err  error
}

func (e *EndpointError) Error() string { return fmt.Sprintf("refresh at the provider: %v", e.Err) }

// Unwrap gives the cause.
func (e *EndpointError) Unwrap() error { return e.Err }

// Introspector asks a provider when an access token expires (RFC 7662). Zero means that it does not say.
type Introspector interface {
	Introspect(ctx context.Context, c *catalog.Connector, client connection.Client, access secret.Text, metadata map[string]string) (time.Time, error)
}

// Events tells the adopter what happened to a connection.
type Events interface {
	ConnectionChanged(ctx context.Context, kind audit.Kind, c connection.Connection) error
}

// Queue is the second durable place: what must not be forgotten, and cannot be done now.
type Queue interface {
	// Again has the connection looked at after a while, sooner than the sweep would.
	Again(ctx context.Context, ref connection.Ref, after time.Duration) error
	// Rescue keeps tokens that the store did not take, sealed as they are, for Coordinator.Rescue.
	Rescue(ctx context.Context, ref connection.Ref, s connection.Slot) error
}

// Retirer revokes, at the provider, tokens of a revoked connection that came too late to be found by its revocation.
type Retirer interface {
	Retire(ctx context.Context, c connection.Connection, s connection.Slot) error
}

// Keeper keeps refreshes away from a provider that cannot take them now.
type Keeper interface {
	// Wait is how long this connection's refresh should be put off; zero lets it pass.
	Wait(ref connection.Ref) time.Duration
	// Report tells how a request ended; nil is success.
	Report(ref connection.Ref, failed *EndpointError)
}

// Deps is what a Coordinator works with. Store and vault carry the credentials of one tenant.
type Deps struct {
	Connections Connections
	Slots       Slots
	Sealer      Sealer
	Clients     Clients
	Endpoint    Endpoint
	Recorder    audit.Recorder
	Events      Events
	Queue       Queue
	Retirer     Retirer
	// Keeper and Introspector may be nil: nothing is put off, and declared lifetimes are believed.
	Keeper       Keeper
	Introspector Introspector
	Connector    func(id string) (*catalog.Connector, error)
	Log          *slog.Logger
	Now          func() time.Time
	// Sleep waits or returns early with ctx's error.
	Sleep func(ctx context.Context, d time.Duration) error
	// Timeout bounds a request to the provider; nil is context.WithTimeout.
	Timeout func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
	// Left is how much time a context leaves, false without a deadline; nil measures by the system's clock, as contexts do
	// whatever Now says.
	Left func(ctx context.Context) (time.Duration, bool)
	// Jitter returns a number in [0,1).
	Jitter func() float64
	// NewID makes ids for leases and audit records.
	NewID func(prefix string) string
}

// remaining is Deps.Left by the system's clock.
func remaining(ctx context.Context) (time.Duration, bool) {
	end, ok := ctx.Deadline()
	return time.Until(end), ok
}

// open is a Keeper that lets everything pass.
type open struct{}

func (open) Wait(connection.Ref) time.Duration     { return 0 }
func (open) Report(connection.Ref, *EndpointError) {}
