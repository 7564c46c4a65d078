package toolcall

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/tenant"
)

// Held is a connection and its current tokens.
type Held struct {
	connection.Connection
	Slot connection.Slot
}

// Gates is whether anything may be done for a principal at all, read strongly.
type Gates struct {
	// TenantClosed tells that the tenant was deleted; Suspended that the directory suspended the principal.
	TenantClosed, Suspended bool
	// Ended are the principal's sessions that were ended before their time.
	Ended authn.Ended
	// Epoch counts how often the principal was suspended.
	Epoch uint64
	// Groups are the principal's groups in the directory.
	Groups []string
	// Switches are those of the deployment and of the tenant; Policy is the tenant's policy revision in force, 0 for none.
	Switches []policy.Switches
	Policy   uint64
}

// Snapshot is what step 1 reads, all strongly.
type Snapshot struct {
	Gates
	// Connections are those of the principal at the connector, in any status, oldest first.
	Connections []Held
}

// State reads what decides about a call.
type State interface {
	Snapshot(ctx context.Context, s tenant.Scope, connector string) (Snapshot, error)
	// Connected is Snapshot over all connectors.
	Connected(ctx context.Context, s tenant.Scope) (Snapshot, error)
}

// Sealer opens access tokens and seals results that may have to be given again.
type Sealer interface {
	Seal(ctx context.Context, b connection.Binding, s secret.Text) ([]byte, error)
	Open(ctx context.Context, b connection.Binding, sealed []byte) (secret.Text, error)
}

// Refresher gets a token refreshed by whoever may do that; the answer is a status, never a token.
type Refresher interface {
	Refresh(ctx context.Context, r connection.RefreshRequest) (connection.RefreshResult, error)
}

// Provider sends requests out.
type Provider interface {
	Do(r *http.Request) (egress.Response, error)
}

// Tools finds tools by name. Connectors lists all connectors, sorted by id.
type Tools interface {
	Tool(name string) (*catalog.Connector, *catalog.Tool, error)
	Connector(id string) (*catalog.Connector, error)
	Connectors() []*catalog.Connector
}

// Deps is what an Executor works with.
type Deps struct {
	Tools Tools
	State State
	// Behalf reads the gates of the user that a session acts on behalf of, under that user's own credentials. nil refuses such
	// sessions.
	Behalf    Gatekeeper
	Sealer    Sealer
	Refresher Refresher
	Provider  Provider
	// Opener hands on large answers of reads that no tool covers while they come; nil refuses them.
	Opener    Opener
	Claims    Claims
	Rules     Rulebook
	Approvals Approvals
	Recorder  audit.Recorder
	Log       *slog.Logger
	Now       func() time.Time
	NewID     func(prefix string) string
	// Timeout bounds a whole call, repetitions and the wait for a refresh included; default 25 s, below API Gateway's 29 s.
	Timeout time.Duration
	// Policies keeps compiled policies across calls; nil keeps them for this Executor.
	Policies *Policies
	// Renewals has calls of a process share the wait for one refresh; nil shares nothing beyond this Executor.
	Renewals *Renewals
	// Retries bounds repetitions across the calls of a process; nil repeats nothing.
	Retries *Retries
	// Sleep waits or returns early with ctx's error; nil waits for real.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter returns a number in [0,1); nil is math/rand.
	Jitter func() float64
}

// Executor runs tool calls for one scope.
type Executor struct{ Deps }

// New returns an Executor over d.
func New(d Deps) *Executor {
	if d.Timeout == 0 {
		d.Timeout = 25 * time.Second
	}
	if d.Policies == nil {
		d.Policies = NewPolicies()
	}
	if d.Renewals == nil {
		d.Renewals = NewRenewals()
	}
	if d.Sleep == nil {
		d.Sleep = sleep
	}
	if d.Jitter == nil {
		d.Jitter = rand.Float64
	}
	return &Executor{d}
}

// Call is one tool call as the agent asked for it.
type Call struct {
	Tool  string
	Input json.RawMessage
	// Connection chooses among several connections of one connector; empty when there is only one.
	Connection string
	// IdempotencyKey makes the call safe to repeat; empty for none.
	IdempotencyKey string
	// Cursor goes on where an earlier answer of the same tool stopped; Input is then left out.
	Cursor string
	// Pages is how many pages of a list are fetched and joined; 0 is 1.
	Pages int
	// MaxBytes bounds the answer; 0 is DefaultMaxBytes. What does not fit is left for the cursor.
	MaxBytes int
	// Room bounds it too, where the answer shares a document with others; 0 is no bound. Unlike MaxBytes it is not the caller's
	// wish, and the same call with more room is the same call.
	Room      int
	RequestID string
	// Channel and Client go on record: how the call came, and what the caller's software calls itself.
	Channel audit.Channel
	Client  string
	// View narrows what may be called; nil for a call that came without one.
	View *View
}

// Result is a tool call that succeeded.
type Result struct {
	ExecutionID  string
	ConnectionID connection.ID
	GrantID      connection.GrantID
	Data         json.RawMessage
	// Cursor asks for the rest; empty when there is none. Stopped says why there is a rest: "pages", "max_bytes", "time", or
	// the code of the error that the next page met.
	Cursor, Stopped string
	// Replayed tells that the answer is that of an earlier call with the same idempotency key.
	Replayed bool
}

// run is one call under way.
type run struct {
	id       string
	session  authn.Session
	call     Call
	spec     *catalog.Connector
	op       *operation // nil until step 2 found it
	digest   string
	held     Held
	within   []Held // what the session reaches at the connector
	part     *Held  // whose token the call goes out with, when it is not the main one of held
	token    secret.Text
	claim    *Claim
	status   int
	attempts int
	took     time.Duration
	at       position
	decision policy.Decision
	approval Approval
	// caller is the context of whoever takes the answer, which a stream lives in; open is one that was begun, and bytes is
	// how much of an answer was handed on.
	caller context.Context
	open   *opened
	bytes  int64
	// done tells that the provider did what was asked, whatever became of its answer.
	done bool
	// asked is when this call asked a person for an approval; zero when it did not.
	asked time.Time
}

// Run executes c for s. Every error is a fault of the closed set; a refusal is recorded like an execution.
func (e *Executor) Run(ctx context.Context, s authn.Session, c Call) (Result, error) {
	r := &run{id: e.NewID("exec"), session: s, call: c}
	return e.run(ctx, r, e.resolveTool)
}

// run takes r through the steps; resolve is steps 2 and 3.
func (e *Executor) run(ctx context.Context, r *run, resolve func(*run) error) (Result, error) {
	r.caller = ctx
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	if err := e.admit(ctx, r, resolve); err != nil { // 1 to 4
		return Result{}, e.refuse(ctx, r, err)
	}
	if done, err := e.claimKey(ctx, r); err != nil || done != nil { // 5
		if err != nil {
			return Result{}, e.refuse(ctx, r, err)
		}
		return *done, nil
	}
	if err := e.ready(ctx, r); err != nil { // 6
		e.releaseClaim(ctx, r)
		return Result{}, e.refuse(ctx, r, err)
	}
	if err := e.record(ctx, r, audit.ExecutionIntent, nil); err != nil { // 7
		e.releaseClaim(ctx, r)
		return Result{}, fault.New(fault.Internal, "the call was not made, because it could not be put on record; try again").WithRetryAfter(time.Second).WithCause(err)
	}
	got, err := e.deliver(ctx, r) // 8 to 11
	if err == nil && r.open != nil {
		return r.result(delivered{}), nil // 12 comes with the end of the Download
	}
	r.drop()
	e.settleClaim(ctx, r, got, err)                                                                // 5, the other half
	if rerr := e.record(context.WithoutCancel(ctx), r, audit.ExecutionOutcome, err); rerr != nil { // 12
		e.Log.ErrorContext(ctx, "outcome not recorded; the intent stands alone", "execution", r.id, "error", rerr)
	}
	if err != nil {
		return Result{}, fault.From(err).With("execution_id", r.id)
	}
	return r.result(got), nil
}

func (r *run) result(got delivered) Result {
	return Result{ExecutionID: r.id, ConnectionID: r.held.ID, GrantID: r.held.Grant, Data: got.Data, Cursor: got.Cursor, Stopped: got.Stopped}
}

// ready is step 6 and what may happen once per call only: budgets are counted, an approval is used up.
func (e *Executor) ready(ctx context.Context, r *run) error {
	if err := e.count(ctx, r); err != nil {
		return err
	}
	if err := e.openToken(ctx, r, 0); err != nil {
		return err
	}
	return e.use(ctx, r)
}

// admit is steps 1 to 4, cheapest first; what needs no store is checked before the store is asked.
func (e *Executor) admit(ctx context.Context, r *run, resolve func(*run) error) error {
	if err := resolve(r); err != nil { // 2, 3
		return err
	}
	snap, err := e.reached(ctx, r.session, func(ctx context.Context) (Snapshot, error) { // 1
		return e.State.Snapshot(ctx, r.session.Scope, r.spec.ID)
	})
	if err != nil {
		return err
	}
	if err := snap.Admit(r.session); err != nil {
		return err
	}
	if err := snap.switchedOff(r.session, r.spec.ID, r.op.name); err != nil {
		return err
	}
	r.within = snap.Connections
	if r.held, err = e.choose(r, snap.Connections); err != nil {
		return err
	}
	if err := e.choosePart(r, snap.Connections); err != nil {
		return err
	}
	if missing := r.op.missing(r.from().Scopes); len(missing) > 0 { // 4
		return e.scopeMissing(r, missing)
	}
	return e.govern(ctx, r, snap.Gates)
}

// scopeMissing says which scopes r.held lacks.
func (e *Executor) scopeMissing(r *run, missing []string) *fault.Error {
	return e.wayIn(r, fault.New(fault.ScopeMissing, "%s needs scopes that this connection was not granted", r.op.name), missing).With("missing_scopes", missing)
}

// Admit refuses a session whose tenant, principal or self was ended since its token was signed: fault.Revoked.
func (g Gates) Admit(s authn.Session) error {
	switch {
	case g.TenantClosed:
		return fault.New(fault.Revoked, "the tenant was deleted").With("reason", "tenant_deleted")
	case g.Suspended:
		return fault.New(fault.Revoked, "the directory deprovisioned this principal; nothing may be done on its behalf").With("reason", "principal_suspended")
	case g.Ended.Has(s):
		return fault.New(fault.Revoked, "this session, or one that it was made from, was ended; create a new one with POST /v1/sessions").With("reason", "session_revoked")
	}
	return nil
}
