package toolcall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/egress"
	"behalf.dev/behalf/shared/fault"
)

// openToken is step 6. rejected is the generation that the provider refused, zero at first. A live token is used as it
// is, even if a refresh is due: waiting for one would make every caller pay for it.
func (e *Executor) openToken(ctx context.Context, r *run, rejected uint64) error {
	if rejected != 0 || !r.from().Usable(e.Now()) {
		if err := e.renew(ctx, r, rejected); err != nil {
			return err
		}
	}
	if r.from().Slot.Generation != r.from().Refresh.Generation {
		return fault.New(fault.Internal, "the stored tokens are missing").With("reason", "slot_missing")
	}
	var err error
	r.token, err = e.Sealer.Open(ctx, r.from().Ref.Binding(connection.AccessToken, r.from().Slot.Generation), r.from().Slot.Access)
	return err
}

// perform is steps 8 to 11, with the one repetition after a token that the provider does not accept, expired or dead: it
// refused the call before doing anything, so repeating it repeats nothing. A dead one goes the same way because only a
// refresh tells whether the grant is dead too; whoever refreshes puts that on the connection.
func (e *Executor) perform(ctx context.Context, r *run) (egress.Response, error) {
	res, out, err := e.attempt(ctx, r)
	if err != nil {
		return res, err
	}
	if out.Kind == catalog.OutcomeExpired || out.Kind == catalog.OutcomeDead {
		if err := e.openToken(ctx, r, r.from().Refresh.Generation); err != nil {
			return res, err
		}
		if res, out, err = e.attempt(ctx, r); err != nil {
			return res, err
		}
	}
	if !r.accepts(res, out) {
		return res, e.providerFault(r, res, out)
	}
	scan := newScanner(r.token, r.spec.APIAuth) // 11
	res.Body = scan.whole(res.Body)
	for _, values := range res.Header {
		for i, v := range values {
			values[i] = string(scan.whole([]byte(v)))
		}
	}
	return res, nil
}

// accepts reports that the answer is the caller's: a success, or for a raw operation whatever does not concern the
// connection itself or leave open what happened.
func (r *run) accepts(res egress.Response, out catalog.Outcome) bool {
	if out.Kind == catalog.OutcomeOK {
		return true
	}
	return r.op.raw && out.Kind != catalog.OutcomeExpired && out.Kind != catalog.OutcomeDead && (r.op.idempotent || !gatewayLostIt(res.Status))
}

// send is steps 9 and 10: one request to the provider.
func (e *Executor) send(ctx context.Context, r *run, req catalog.Request) (egress.Response, catalog.Outcome, error) {
	h, err := req.HTTP(ctx)
	if err != nil {
		return egress.Response{}, catalog.Outcome{}, fmt.Errorf("%w: %w", egress.ErrNotSent, err)
	}
	if r.op.keyHeader != "" && r.call.IdempotencyKey != "" {
		h.Header.Set(r.op.keyHeader, r.providerKey())
	}
	egress.Authorize(h, req.Auth.Put, r.token)
	started := e.Now()
	res, err := e.do(ctx, r, h) // 9
	r.took, r.status, r.attempts = e.Now().Sub(started), res.Status, r.attempts+1
	if err != nil {
		return res, catalog.Outcome{}, err
	}
	return res, r.spec.ClassifyAPIResponse(res.Status, res.Header, res.Body), nil // 10
}

// unanswered decides what a missing answer means: for a write that may have been sent, nobody knows.
func (e *Executor) unanswered(r *run, err error) error {
	if err == nil {
		return nil
	}
	f := fault.From(err).With("connector", r.spec.ID)
	if errors.Is(err, egress.ErrNotSent) || r.op.effect == catalog.EffectRead {
		return f
	}
	return e.unknown(r, f.Detail["reason"], err)
}

// unknown is a write of which nobody can say whether it happened.
func (e *Executor) unknown(r *run, reason any, cause error) *fault.Error {
	return fault.New(fault.OutcomeUnknown, "%s was sent to %s and no answer came: it may or may not have happened; look before you repeat it", r.op.name, r.spec.Name).With("connector", r.spec.ID).With("reason", reason).WithCause(cause)
}

// gatewayLostIt reports that a gateway in front of the provider gave up waiting for it (RFC 9110, sections 15.6.3 and
// 15.6.5): what is behind may still do what was asked.
func gatewayLostIt(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusGatewayTimeout
}

// providerFault is an answer that is not a success, with the provider's body, redacted and bounded.
func (e *Executor) providerFault(r *run, res egress.Response, out catalog.Outcome) error {
	if gatewayLostIt(res.Status) && !r.op.idempotent {
		return e.unknown(r, "provider_gateway", nil).With("provider_status", res.Status)
	}
	f := out.Fault(r.spec.ID)
	switch out.Kind {
	case catalog.OutcomeScope:
		missing := out.MissingScopes
		if len(missing) == 0 {
			missing = r.op.missing(nil)
		}
		f = e.wayIn(r, f, missing)
	case catalog.OutcomeDead, catalog.OutcomeExpired:
		h := r.held
		h.Reason = out.Reason
		if re, ok := e.reauthorize(r, h).(*fault.Error); ok {
			f = re.With("provider_status", res.Status)
		}
	}
	return f.With("provider_body", bounded(redact(res.Body, r.token, r.spec.APIAuth)))
}

const maxProviderBody = 4 << 10

// bounded shows the provider's body as JSON if it is, as text otherwise, cut to a length that fits an error.
func bounded(b []byte) any {
	if len(b) > maxProviderBody {
		return string(b[:maxProviderBody]) + "… (cut)"
	}
	var v any
	if json.Unmarshal(b, &v) == nil {
		return v
	}
	return string(b)
}

// refuse records a call that was not made, and returns err as a fault with the execution's id.
func (e *Executor) refuse(ctx context.Context, r *run, err error) error {
	if rerr := e.record(context.WithoutCancel(ctx), r, audit.ExecutionRefused, err); rerr != nil {
		e.Log.ErrorContext(ctx, "refusal not recorded", "execution", r.id, "error", rerr)
	}
	return fault.From(err).With("execution_id", r.id)
}

// record writes one audit row about r. err nil with an outcome means success.
func (e *Executor) record(ctx context.Context, r *run, kind audit.Kind, err error) error {
	a := audit.Record{ID: e.NewID("aud"), Kind: kind, Time: e.Now(), Tenant: r.session.Tenant, Principal: string(r.session.Principal), OnBehalfOf: string(r.session.OnBehalfOf), Session: r.session.ID,
		Parents: r.session.Parents, Agent: r.session.Agent, Run: r.session.Run, Execution: r.id, InputSHA256: r.digest, RequestID: r.call.RequestID,
		Approval: r.approval.ID, ApprovedBy: r.approval.DecidedBy, Rule: r.decision.Approval, Connection: string(r.held.ID), Grant: string(r.held.Grant), Scopes: r.held.Scopes, Generation: r.held.Refresh.Generation}
	a.Channel, a.View, a.Client = r.call.Channel, r.call.View.name(), audit.ClientName(r.call.Client)
	if r.op != nil { // a name that is no tool's is left out: it may be anything, even a secret pasted by mistake
		a.Connector, a.Tool, a.Effect, a.Method, a.Path = r.spec.ID, r.op.name, string(r.op.effect), r.op.method, r.op.path
	}
	if kind == audit.ExecutionOutcome {
		a.ProviderStatus, a.DurationMS, a.Bytes, a.Outcome = r.status, r.took.Milliseconds(), r.bytes, "succeeded"
		if r.attempts > 1 {
			a.Attempts = r.attempts
		}
	}
	if err != nil {
		a.Outcome, a.Code = "failed", string(fault.From(err).Code)
		if fault.Is(err, fault.OutcomeUnknown) {
			a.Outcome = "unknown"
		}
		if r.done {
			a.Outcome = "succeeded"
		}
		a.Reason, _ = fault.From(err).Detail["reason"].(string)
		if rule, ok := fault.From(err).Detail["rule"].(string); ok {
			a.Rule = rule
		}
		if id, ok := fault.From(err).Detail["approval_id"].(string); ok {
			a.Approval, a.ApprovalAsked = id, r.asked
		}
	}
	return e.Recorder.Record(ctx, a)
}
