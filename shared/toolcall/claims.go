package toolcall

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/secret"
	"behalf.dev/behalf/shared/secret/reveal"
	"behalf.dev/behalf/shared/tenant"
)

// ClaimState is where a claimed idempotency key stands.
type ClaimState string

// The states of a claim.
const (
	ClaimInFlight ClaimState = "in_flight"
	ClaimDone     ClaimState = "done"
	ClaimReleased ClaimState = "released" // the call was refused before it was made; the key may be used again
	ClaimUnknown  ClaimState = "unknown"
)

// Claim is one idempotency key of one principal.
type Claim struct {
	tenant.Scope
	// KeyHash is the SHA-256 of the key, hex; Digest that of tool and input.
	KeyHash, Digest string
	State           ClaimState
	Execution       string
	Connection      connection.ID
	Grant           connection.GrantID
	// Result is the sealed answer; nil with State done means that it was too large to keep.
	Result  []byte
	Claimed time.Time
	Expires time.Time
	Version uint64
}

// Claims keeps idempotency keys.
type Claims interface {
	// PutClaim stores c if the stored version is c's (0: none, or expired at now). Otherwise it returns fault.Conflict
	// and the stored claim.
	PutClaim(ctx context.Context, c Claim, now time.Time) (stored Claim, err error)
}

const (
	claimTTL = 24 * time.Hour
	// inFlightLimit is longer than any execution can take: a claim older than that belongs to a process that died.
	inFlightLimit = 2 * time.Minute
	// maxKept is what fits a DynamoDB item with room to spare.
	maxKept = 300 << 10
	maxKey  = 255
)

// claimKey is step 5. It returns a result when the key's call was made before.
func (e *Executor) claimKey(ctx context.Context, r *run) (*Result, error) {
	key := r.call.IdempotencyKey
	if key == "" {
		return nil, nil
	}
	if len(key) > maxKey {
		return nil, fault.Invalid("/idempotency_key", "an idempotency key is at most %d bytes", maxKey)
	}
	h := sha256.Sum256([]byte(key))
	now := e.Now()
	c := Claim{Scope: r.session.Scope, KeyHash: hex.EncodeToString(h[:]), Digest: r.bound(), State: ClaimInFlight, Execution: r.id, Claimed: now, Expires: now.Add(claimTTL)}
	stored, err := e.Claims.PutClaim(ctx, c, now)
	if err == nil {
		r.claim = &stored
		return nil, nil
	}
	if !fault.Is(err, fault.Conflict) {
		return nil, err
	}
	return e.claimed(ctx, r, c, stored)
}

// claimed answers for a key that is taken.
func (e *Executor) claimed(ctx context.Context, r *run, c, stored Claim) (*Result, error) {
	if stored.Digest != r.bound() {
		return nil, fault.New(fault.Conflict, "this idempotency key was used with another tool or input").WithField("/idempotency_key").With("reason", "key_reused")
	}
	dead := stored.State == ClaimInFlight && e.Now().Sub(stored.Claimed) > inFlightLimit
	lost := stored.State == ClaimUnknown || dead
	switch {
	// A provider that knows the call by its key answers it again, if it was done, and does it now, if it was not.
	case stored.State == ClaimReleased, lost && r.op.keyHeader != "", dead && r.op.effect == catalog.EffectRead:
		c.Version = stored.Version
		again, err := e.Claims.PutClaim(ctx, c, e.Now())
		if err == nil {
			r.claim = &again
			return nil, nil
		}
		return nil, inFlight(err)
	case lost:
		return nil, fault.New(fault.OutcomeUnknown, "the call with this key was sent and no answer came: it may or may not have happened; look before you repeat it with a new key").With("first_execution_id", stored.Execution)
	case stored.State == ClaimInFlight:
		return nil, inFlight(nil)
	}
	return e.replay(ctx, r, stored)
}

func inFlight(cause error) error {
	return fault.New(fault.Conflict, "the call with this key is still under way").With("reason", "in_flight").WithRetryAfter(2 * time.Second).WithCause(cause)
}

func (e *Executor) replay(ctx context.Context, r *run, stored Claim) (*Result, error) {
	if err := r.stillReaches(stored.Connection); err != nil {
		return nil, err
	}
	if stored.Result == nil {
		return nil, fault.New(fault.Conflict, "the call with this key succeeded; its answer was too large to keep").With("reason", "not_kept").With("first_execution_id", stored.Execution)
	}
	data, err := e.Sealer.Open(ctx, resultBinding(stored), stored.Result)
	if err != nil {
		return nil, err
	}
	var d delivered
	if err := json.Unmarshal(data.Reveal(reveal.Key{}), &d); err != nil {
		return nil, fault.New(fault.Internal, "the answer that was kept for this key cannot be read").WithCause(err)
	}
	return &Result{ExecutionID: stored.Execution, ConnectionID: stored.Connection, GrantID: stored.Grant, Data: d.Data, Cursor: d.Cursor, Stopped: d.Stopped, Replayed: true}, nil
}

func resultBinding(c Claim) connection.Binding {
	return connection.Binding{Tenant: c.Tenant, Principal: c.Principal, Record: "result:" + c.Execution, Purpose: connection.AccessToken}
}

// settleClaim stores how the claimed call ended.
func (e *Executor) settleClaim(ctx context.Context, r *run, got delivered, err error) {
	if r.claim == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	c := *r.claim
	switch {
	case err == nil:
		c.State, c.Connection, c.Grant = ClaimDone, r.held.ID, r.held.Grant
		c.Result = e.keep(ctx, c, got)
	case r.done: // and its answer is lost
		c.State, c.Connection, c.Grant = ClaimDone, r.held.ID, r.held.Grant
	case fault.Is(err, fault.OutcomeUnknown):
		c.State = ClaimUnknown
	default:
		c.State = ClaimReleased
	}
	e.putClaim(ctx, r, c)
}

// keep seals an answer for its key; nil when it is too large, or could not be sealed.
func (e *Executor) keep(ctx context.Context, c Claim, got delivered) []byte {
	b, err := json.Marshal(got)
	if err != nil || len(b) > maxKept {
		return nil
	}
	sealed, err := e.Sealer.Seal(ctx, resultBinding(c), secret.New(b))
	if err != nil {
		e.Log.ErrorContext(ctx, "answer not kept for its idempotency key", "execution", c.Execution, "error", err)
	}
	return sealed
}

// releaseClaim gives the key back: nothing was sent.
func (e *Executor) releaseClaim(ctx context.Context, r *run) {
	if r.claim != nil {
		c := *r.claim
		c.State = ClaimReleased
		e.putClaim(context.WithoutCancel(ctx), r, c)
	}
}

// putClaim logs its failure: the claim stays in flight then, which errs on the side of not repeating.
func (e *Executor) putClaim(ctx context.Context, r *run, c Claim) {
	if _, err := e.Claims.PutClaim(ctx, c, e.Now()); err != nil {
		e.Log.ErrorContext(ctx, "idempotency key not settled", "execution", r.id, "error", err)
	}
}
