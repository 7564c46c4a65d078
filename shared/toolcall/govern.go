package toolcall

import (
	"context"
	"sync"
	"time"

	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/catalog"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/policy"
	"behalf.dev/behalf/shared/tenant"
)

// Rulebook is the store's view of a tenant's policy.
type Rulebook interface {
	// PolicyDocument reads one revision, which never changes; fault.NotFound.
	PolicyDocument(ctx context.Context, t tenant.ID, revision uint64) (policy.Document, error)
	// CountCall counts one call into a window of a budget; false, and not counted, when the window is full.
	CountCall(ctx context.Context, s tenant.Scope, u BudgetUse) (bool, error)
}

// BudgetUse is one call in one window of one budget.
type BudgetUse struct {
	policy.Budget
	Agent string
	// Window is the number of the window, Ends its end.
	Window int64
	Ends   time.Time
}

// Policies keeps compiled policies of a process. Revisions never change, so nothing in it goes stale: which revision is in
// force comes with every call.
type Policies struct {
	mu   sync.Mutex
	kept map[policyKey]*policy.Policy
}

type policyKey struct {
	tenant   tenant.ID
	revision uint64
}

// maxPolicies bounds the memory of a process.
const maxPolicies = 512

// NewPolicies returns an empty cache.
func NewPolicies() *Policies { return &Policies{kept: map[policyKey]*policy.Policy{}} }

func (p *Policies) get(ctx context.Context, from Rulebook, t tenant.ID, revision uint64) (*policy.Policy, error) {
	k := policyKey{t, revision}
	p.mu.Lock()
	have := p.kept[k]
	p.mu.Unlock()
	if have != nil {
		return have, nil
	}
	doc, err := from.PolicyDocument(ctx, t, revision)
	if err != nil {
		return nil, unreadable(err)
	}
	made, err := policy.Compile(doc)
	if err != nil {
		return nil, unreadable(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.kept) >= maxPolicies {
		clear(p.kept)
	}
	p.kept[k] = made
	return made, nil
}

// unreadable refuses a call whose policy cannot be known.
func unreadable(err error) error {
	return fault.New(fault.Internal, "the tenant's policy could not be read, so the call was not made; try again").WithRetryAfter(time.Second).WithCause(err)
}

// govern applies the policy to a call whose connection and scopes are known.
func (e *Executor) govern(ctx context.Context, r *run, g Gates) error {
	if g.Policy == 0 {
		return nil
	}
	p, err := e.Policies.get(ctx, e.Rules, r.session.Tenant, g.Policy)
	if err != nil {
		return err
	}
	c := policy.Call{Principal: string(r.session.Principal), Agent: r.session.Agent, Run: r.session.Run, Session: r.session.ID, Groups: g.Groups,
		Connector: r.spec.ID, Tool: r.op.name, Effect: string(r.op.effect), Connection: string(r.held.ID), Account: r.held.Account.ID, Scopes: r.held.Scopes, Input: r.op.input}
	d := p.Decide(c)
	if r.op.alike != nil && d.Denied == nil {
		c.Input = r.op.alike
		if other := p.Decide(c); other.Denied != nil || d.Approval == "" {
			d = other
		}
	}
	if d.Denied != nil {
		return d.Denied
	}
	r.decision = d
	if d.Approval != "" {
		return e.approved(ctx, r)
	}
	return nil
}

// switchedOff reports what was switched off, for the tenant or for the whole deployment. Switching off an agent stops
// those that act for it too.
func (g Gates) switchedOff(s authn.Session, connector, tool string) error {
	for _, sw := range g.Switches {
		for _, agent := range append([]string{s.Agent}, s.Actors...) {
			if off := sw.Off(agent, connector, tool); off != nil {
				return off
			}
		}
	}
	return nil
}

// count charges the call's budgets. One that is full refuses the call; those before it keep their count.
func (e *Executor) count(ctx context.Context, r *run) error {
	for _, b := range r.decision.Budgets {
		window, ends := b.Window(e.Now())
		ok := b.Limit > 0
		if ok {
			var err error
			if ok, err = e.Rules.CountCall(ctx, r.session.Scope, BudgetUse{b, r.session.Agent, window, ends}); err != nil {
				return unreadable(err)
			}
		}
		if !ok {
			return fault.New(fault.RateLimited, "the budget %q of this %s is used up: %d calls in %s; it begins anew at %s", b.ID, b.Per, b.Limit, time.Duration(b.WindowSeconds)*time.Second, ends.Format(time.RFC3339)).
				With("reason", "budget").With("budget", b.ID).WithRetryAfter(ends.Sub(e.Now()))
		}
	}
	return nil
}

// offers tells which tools switches and rules leave to the session, and which rule wants an approval of each call.
func (e *Executor) offers(ctx context.Context, s authn.Session, g Gates) (func(*catalog.Tool) (approval string, ok bool), error) {
	var p *policy.Policy
	if g.Policy > 0 {
		var err error
		if p, err = e.Policies.get(ctx, e.Rules, s.Tenant, g.Policy); err != nil {
			return nil, err
		}
	}
	return func(t *catalog.Tool) (string, bool) {
		connector := t.Connector().ID
		if g.switchedOff(s, connector, t.Name) != nil {
			return "", false
		}
		if p == nil {
			return "", true
		}
		d := p.Offer(policy.Call{Principal: string(s.Principal), Agent: s.Agent, Run: s.Run, Session: s.ID, Groups: g.Groups, Connector: connector, Tool: t.Name, Effect: string(t.Effect)})
		return d.Approval, d.Denied == nil
	}, nil
}
