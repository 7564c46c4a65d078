package refresh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
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

// Events tells the adopter what happened to a connection.
type Events interface {
	ConnectionChanged(ctx context.Context, kind audit.Kind, c connection.Connection) error
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
	Connector   func(id string) (*catalog.Connector, error)
	Log         *slog.Logger
	Now         func() time.Time
	// Sleep waits or returns early with ctx's error.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter returns a number in [0,1).
	Jitter func() float64
	// NewID makes ids for leases and audit records.
	NewID func(prefix string) string
}

// Coordinator refreshes connections of one tenant.
type Coordinator struct{ Deps }

// New returns a Coordinator over d.
func New(d Deps) *Coordinator { return &Coordinator{d} }

// Refresh runs R0 to R8 for one connection. An error means that our side failed; what the provider did is in Result.
func (c *Coordinator) Refresh(ctx context.Context, r connection.RefreshRequest) (connection.RefreshResult, error) {
	conn, err := c.Connections.Connection(ctx, r.Ref) // R0
	if err != nil {
		return connection.RefreshResult{}, err
	}
	deadline, first := c.Now().Add(r.Wait), conn.Refresh.Generation
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 800*time.Millisecond) {
		if conn.Refresh.Generation != first {
			r.Force = false // somebody did meanwhile what was asked for
		}
		if res, done := c.settled(conn, r); done {
			return res, nil
		}
		leased, mine, err := c.lease(ctx, conn)
		if err != nil {
			return connection.RefreshResult{}, err
		}
		if mine {
			return c.lead(ctx, leased, r)
		}
		if leased.Refresh.Generation != conn.Refresh.Generation || leased.Status != conn.Status {
			conn = leased // not a lease stood in the way, but a change: judge again
			continue
		}
		if left := deadline.Sub(c.Now()); left <= 0 {
			return busy(leased), nil
		} else if err := c.Sleep(ctx, min(pause, left)); err != nil {
			return connection.RefreshResult{}, err
		}
		if conn, err = c.Connections.Connection(ctx, r.Ref); err != nil {
			return connection.RefreshResult{}, err
		}
	}
}

func busy(conn connection.Connection) connection.RefreshResult {
	return connection.RefreshResult{Status: connection.RefreshBusy, Generation: conn.Refresh.Generation, ExpiresAt: conn.ExpiresAt, RetryAfter: 2 * time.Second}
}

// settled answers from what is stored, when no refresh is needed or allowed.
func (c *Coordinator) settled(conn connection.Connection, r connection.RefreshRequest) (connection.RefreshResult, bool) {
	now := c.Now()
	res := connection.RefreshResult{Generation: conn.Refresh.Generation, ExpiresAt: conn.ExpiresAt, Reason: conn.Reason}
	switch conn.Status {
	case connection.Active:
	case connection.ReauthorizationRequired:
		res.Status = connection.RefreshNeedsReauth
		return res, true
	default:
		res.Status = connection.RefreshUnavailable
		return res, true
	}
	due := r.Force || !conn.Usable(now) || r.Rejected == conn.Refresh.Generation && r.Rejected != 0 ||
		r.Rejected == 0 && !conn.Refresh.DueAt.IsZero() && !now.Before(conn.Refresh.DueAt)
	if !due || r.Rejected != 0 && r.Rejected < conn.Refresh.Generation && conn.Usable(now) {
		res.Status = connection.RefreshFresh
		return res, true
	}
	if now.Before(conn.Refresh.NextTry) && !r.Force {
		res.Status, res.Reason, res.RetryAfter = connection.RefreshDelayed, "backing_off", conn.Refresh.NextTry.Sub(now)
		return res, true
	}
	return res, false
}

// The reasons why a change of the connection is not made.
var (
	errNotMine = errors.New("another refresher holds the lease")
	// errDone is a change that finds itself made: the answer was lost, and somebody else wrote before it was repeated.
	errDone = errors.New("already done")
)

// lease is R1. mine is false when somebody else holds a live lease or moved the generation.
func (c *Coordinator) lease(ctx context.Context, conn connection.Connection) (connection.Connection, bool, error) {
	spec, err := c.Connector(conn.Connector)
	if err != nil {
		return conn, false, err
	}
	owner, g := c.NewID("lease"), conn.Refresh.Generation
	held := conn
	got, err := c.Connections.UpdateConnection(ctx, conn, func(x connection.Connection) (connection.Connection, error) {
		held = x
		now := c.Now()
		if x.Refresh.LeaseOwner == owner {
			return x, errDone
		}
		if x.Status != connection.Active || x.Refresh.Generation != g || x.Refresh.LeaseOwner != "" && now.Before(x.Refresh.LeaseUntil) {
			return x, errNotMine
		}
		x.Refresh.Fence++
		x.Refresh.LeaseOwner, x.Refresh.LeaseUntil = owner, now.Add(classOf(spec, x).lease)
		return x, nil
	})
	switch {
	case errors.Is(err, errNotMine):
		return held, false, nil
	case errors.Is(err, errDone):
		return held, true, nil
	}
	return got, err == nil, err
}

// lead is R2 to R8, under the lease that conn carries.
func (c *Coordinator) lead(ctx context.Context, conn connection.Connection, r connection.RefreshRequest) (connection.RefreshResult, error) {
	j, err := c.job(conn)
	if err != nil {
		return c.abandon(ctx, j, err)
	}
	next, ok, err := c.shadowed(ctx, conn) // R2
	if err != nil {
		return c.abandon(ctx, j, err)
	}
	if ok {
		return c.rollForward(ctx, j, next, r)
	}
	if err := c.prepare(ctx, &j); err != nil { // R3
		return c.abandon(ctx, j, err)
	}
	if j.token.IsZero() {
		return c.withoutToken(ctx, j, r)
	}
	if err := c.intend(ctx, &j); err != nil { // R4
		return c.abandon(ctx, j, err)
	}
	if !c.covered(j) {
		return c.abandon(ctx, j, fault.New(fault.RateLimited, "the lease is nearly over; try again").WithRetryAfter(time.Second))
	}
	res, failed := c.call(ctx, &j) // R5
	if failed != nil {
		return c.fail(ctx, j, failed, r)
	}
	slot, err := c.shadow(ctx, j, res) // R6
	if fault.Is(err, fault.Conflict) {
		return c.overtaken(ctx, j.conn)
	}
	if err != nil {
		return connection.RefreshResult{}, err
	}
	return c.flip(ctx, j, slot, r) // R7, R8
}

// abandon gives the lease back after a failure before anything was sent, and returns err. If the lease is somebody
// else's by now, that explains the failure, and the answer is how things stand.
func (c *Coordinator) abandon(ctx context.Context, j job, err error) (connection.RefreshResult, error) {
	if errors.Is(err, errNotMine) {
		return c.overtaken(ctx, j.conn)
	}
	_, uerr := c.Connections.UpdateConnection(context.WithoutCancel(ctx), j.conn, func(x connection.Connection) (connection.Connection, error) {
		x, err := release(x, j.conn)
		if !j.doubt { // an intent that was noted is void: nothing was sent
			x.Refresh.IntentGeneration, x.Refresh.IntentAt = 0, time.Time{}
		}
		return x, err
	})
	if errors.Is(uerr, errNotMine) {
		return c.overtaken(ctx, j.conn)
	}
	if uerr != nil {
		c.Log.WarnContext(ctx, "lease not given back; it ends by itself", "connection", j.conn.ID, "error", uerr)
	}
	return connection.RefreshResult{}, fmt.Errorf("refresh %s: %w", j.conn.ID, err)
}

// release drops the lease that held shows, if it is still that one.
func release(x, held connection.Connection) (connection.Connection, error) {
	if x.Refresh.Fence != held.Refresh.Fence {
		return x, errNotMine
	}
	x.Refresh.LeaseOwner, x.Refresh.LeaseUntil = "", time.Time{}
	return x, nil
}

func unclassified(err error) *EndpointError {
	var e *EndpointError
	if errors.As(err, &e) {
		return e
	}
	return &EndpointError{Sent: true, Err: fault.New(fault.Internal, "the token endpoint adapter failed").WithCause(err)}
}
