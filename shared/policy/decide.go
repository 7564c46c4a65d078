package policy

import (
	"slices"
	"strings"

	"behalf.dev/behalf/shared/fault"
)

// Call is what is to be decided about.
type Call struct {
	Principal, Agent, Run, Session string
	// Groups are the principal's groups in the directory, by display name.
	Groups []string
	// Connector, Tool and Effect are those of the tool; a request that no tool covers is the tool "<connector>_proxy".
	Connector, Tool, Effect string
	// Connection and Account are the connection that would be used, and the provider's id of its account.
	Connection, Account string
	Scopes              []string
	// Input are the arguments: what encoding/json decodes, numbers as json.Number.
	Input map[string]any
}

// Decision is what a policy says.
type Decision struct {
	// Denied is nil when the call may be made: a fault.PolicyDenied that names the rule.
	Denied *fault.Error
	// Approval is the id of what wants a person's approval first; empty when nothing does. Reason is its reason.
	Approval, Reason string
	// Budgets are to be counted if the call is made.
	Budgets []Budget
}

// Policy is a compiled Document, safe for concurrent use.
type Policy struct {
	doc   Document
	cedar *cedarSet
}

// Compile checks d. It returns fault.InvalidInput with the JSON pointer of what is wrong.
func Compile(d Document) (*Policy, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	p := &Policy{doc: d}
	if d.Cedar != "" {
		var err error
		if p.cedar, err = compileCedar(d.Cedar); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Decide applies rules, Cedar and budgets to c, in the package's order.
func (p *Policy) Decide(c Call) Decision {
	d := p.Offer(c)
	if d.Denied != nil {
		return d
	}
	if p.cedar != nil {
		approval, reason, err := p.cedar.decide(c)
		if err != nil {
			return Decision{Denied: err}
		}
		if d.Approval == "" {
			d.Approval, d.Reason = approval, reason
		}
	}
	for _, b := range p.doc.Budgets {
		if b.When.matches(c) {
			d.Budgets = append(d.Budgets, b)
		}
	}
	return d
}

// Offer applies the rules alone, which know no arguments: what it denies is denied whatever the arguments are. Cedar may deny
// more, and budgets may be used up; no policy in Cedar can be told to be free of arguments, so it is left to the call.
func (p *Policy) Offer(c Call) Decision {
	var d Decision
	allowed := p.doc.Default != "deny"
	for _, r := range p.doc.Rules {
		if !r.When.matches(c) {
			continue
		}
		switch r.Effect {
		case EffectDeny:
			return Decision{Denied: denied(r.ID, r.Reason)}
		case EffectAllow:
			allowed = true
		case EffectApprove:
			if d.Approval == "" {
				d.Approval, d.Reason = r.ID, r.Reason
			}
		}
	}
	if !allowed {
		return Decision{Denied: denied("default", "no rule allows it")}
	}
	return d
}

func denied(rule, reason string) *fault.Error {
	text := "the tenant's policy does not allow this call"
	if reason != "" {
		text += ": " + reason
	}
	return fault.New(fault.PolicyDenied, "%s", text).With("reason", "policy").With("rule", rule)
}

func (w When) matches(c Call) bool {
	return holds(w.Connectors, c.Connector) && holds(w.Tools, c.Tool) && holds(w.Effects, c.Effect) && holds(w.Agents, c.Agent) &&
		holds(w.Principals, c.Principal) && (len(w.Groups) == 0 || slices.ContainsFunc(c.Groups, func(g string) bool { return holds(w.Groups, g) }))
}

// holds reports that list is empty, or has an entry for v.
func holds(list []string, v string) bool {
	return len(list) == 0 || slices.ContainsFunc(list, func(e string) bool {
		prefix, open := strings.CutSuffix(e, "*")
		return e == v || open && strings.HasPrefix(v, prefix)
	})
}

// Switches stop things at once, whatever the policy says.
type Switches struct {
	// Tenant stops everything; at the deployment's level, everything of every tenant.
	Tenant     bool     `json:"tenant,omitempty"`
	Agents     []string `json:"agents,omitempty"`
	Connectors []string `json:"connectors,omitempty"`
	Tools      []string `json:"tools,omitempty"`
	// Reason is shown to the agent.
	Reason string `json:"reason,omitempty"`
}

// Off returns fault.PolicyDenied when s stops a call, nil otherwise.
func (s Switches) Off(agent, connector, tool string) *fault.Error {
	what := ""
	switch {
	case s.Tenant:
		what = "everything"
	case slices.Contains(s.Agents, agent):
		what = "agent " + agent
	case slices.Contains(s.Connectors, connector):
		what = "connector " + connector
	case slices.Contains(s.Tools, tool):
		what = "tool " + tool
	default:
		return nil
	}
	text := what + " was switched off"
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return fault.New(fault.PolicyDenied, "%s", text).With("reason", "switched_off")
}

// Check returns fault.InvalidInput when s is too long to be read with every call.
func (s Switches) Check() error {
	for name, list := range map[string][]string{"agents": s.Agents, "connectors": s.Connectors, "tools": s.Tools} {
		if len(list) > 50 {
			return fault.Invalid("/"+name, "at most 50 entries: every execution reads them")
		}
		for _, e := range list {
			if e == "" || len(e) > 100 {
				return fault.Invalid("/"+name, "an entry is 1 to 100 bytes")
			}
		}
	}
	if len(s.Reason) > 300 {
		return fault.Invalid("/reason", "a reason is at most 300 bytes")
	}
	return nil
}
