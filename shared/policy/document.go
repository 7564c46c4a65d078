package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"behalf.dev/behalf/shared/fault"
)

// Document is a tenant's policy as its administrator writes it. The zero Document allows everything.
type Document struct {
	// Default is what happens where no rule says anything: "allow" (also when empty) or "deny".
	Default string   `json:"default,omitempty"`
	Rules   []Rule   `json:"rules,omitempty"`
	Budgets []Budget `json:"budgets,omitempty"`
	// Cedar holds policies in the Cedar language; empty for none. See cedar.go for the names they may use.
	Cedar string `json:"cedar,omitempty"`
}

// Effect is what a rule does with the calls that it matches.
type Effect string

// The effects of rules.
const (
	EffectAllow   Effect = "allow"
	EffectDeny    Effect = "deny"
	EffectApprove Effect = "require_approval"
)

// Rule says what happens to the calls that When matches.
type Rule struct {
	// ID names the rule in errors and in the audit trail; unique in its document.
	ID     string `json:"id"`
	Effect Effect `json:"effect"`
	When   When   `json:"when,omitzero"`
	// Reason is shown to the agent, and through it to the user.
	Reason string `json:"reason,omitempty"`
}

// When matches calls: each list that is not empty must hold the call's value. An entry that ends in '*' matches what
// begins so.
type When struct {
	Connectors []string `json:"connectors,omitempty"`
	// Tools are names of tools; "<connector>_proxy" is a request that no tool covers.
	Tools []string `json:"tools,omitempty"`
	// Effects are read, write and destructive.
	Effects    []string `json:"effects,omitempty"`
	Agents     []string `json:"agents,omitempty"`
	Principals []string `json:"principals,omitempty"`
	// Groups are display names of the directory's groups; one of the principal's must match.
	Groups []string `json:"groups,omitempty"`
}

// Per is whom a budget counts for.
type Per string

// The kinds of budget.
const (
	PerTenant    Per = "tenant"
	PerPrincipal Per = "principal"
	PerAgent     Per = "agent"
)

// Budget limits how many calls that When matches are made in a window.
type Budget struct {
	ID   string `json:"id"`
	Per  Per    `json:"per"`
	When When   `json:"when,omitzero"`
	// Limit is how many calls a window holds.
	Limit int64 `json:"limit"`
	// WindowSeconds is the length of a window; windows are aligned to the epoch, so an hour begins at the full hour UTC.
	WindowSeconds int64 `json:"window_seconds"`
}

// Window is the number of the window that at lies in, and its end.
func (b Budget) Window(at time.Time) (number int64, end time.Time) {
	number = at.Unix() / b.WindowSeconds
	return number, time.Unix((number+1)*b.WindowSeconds, 0).UTC()
}

// Limits of a document.
const (
	maxRules   = 200
	maxBudgets = 20
	maxList    = 200
	maxCedar   = 64 << 10
	maxWindow  = 31 * 24 * 3600
)

var ruleID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// check returns fault.InvalidInput about the first thing that is wrong, by JSON pointer.
func (d Document) check() error {
	if !slices.Contains([]string{"", "allow", "deny"}, d.Default) {
		return fault.Invalid("/default", "default is allow or deny")
	}
	if len(d.Rules) > maxRules || len(d.Budgets) > maxBudgets {
		return fault.Invalid("/rules", "a policy holds at most %d rules and %d budgets", maxRules, maxBudgets)
	}
	seen := map[string]bool{}
	for i, r := range d.Rules {
		at := fmt.Sprintf("/rules/%d", i)
		if err := checkID(at, r.ID, seen); err != nil {
			return err
		}
		if !slices.Contains([]Effect{EffectAllow, EffectDeny, EffectApprove}, r.Effect) {
			return fault.Invalid(at+"/effect", "effect is allow, deny or require_approval")
		}
		if len(r.Reason) > 300 {
			return fault.Invalid(at+"/reason", "a reason is at most 300 bytes")
		}
		if err := r.When.check(at + "/when"); err != nil {
			return err
		}
	}
	for i, b := range d.Budgets {
		at := fmt.Sprintf("/budgets/%d", i)
		if err := checkID(at, b.ID, seen); err != nil {
			return err
		}
		if err := b.check(at); err != nil {
			return err
		}
	}
	return nil
}

func checkID(at, id string, seen map[string]bool) error {
	if !ruleID.MatchString(id) {
		return fault.Invalid(at+"/id", "id is 1 to 64 characters of a-z, 0-9, '_' and '-'")
	}
	if seen[id] {
		return fault.Invalid(at+"/id", "id %q is used twice; the audit trail could not tell them apart", id)
	}
	seen[id] = true
	return nil
}

func (b Budget) check(at string) error {
	switch {
	case !slices.Contains([]Per{PerTenant, PerPrincipal, PerAgent}, b.Per):
		return fault.Invalid(at+"/per", "per is tenant, principal or agent")
	case b.Limit < 0:
		return fault.Invalid(at+"/limit", "limit is a number of calls, 0 or more")
	case b.WindowSeconds < 1 || b.WindowSeconds > maxWindow:
		return fault.Invalid(at+"/window_seconds", "window_seconds is 1 to %d", maxWindow)
	}
	return b.When.check(at + "/when")
}

func (w When) check(at string) error {
	for name, list := range w.lists() {
		if len(list) > maxList {
			return fault.Invalid(at+"/"+name, "a list holds at most %d entries", maxList)
		}
		for i, e := range list {
			p := fmt.Sprintf("%s/%s/%d", at, name, i)
			if e == "" || len(e) > 256 {
				return fault.Invalid(p, "an entry is 1 to 256 bytes")
			}
			if strings.Contains(strings.TrimSuffix(e, "*"), "*") {
				return fault.Invalid(p, "%q: a '*' may stand at the end only", e)
			}
			if name == "effects" && !slices.Contains([]string{"read", "write", "destructive"}, e) {
				return fault.Invalid(p, "an effect is read, write or destructive")
			}
		}
	}
	return nil
}

func (w When) lists() map[string][]string {
	return map[string][]string{"connectors": w.Connectors, "tools": w.Tools, "effects": w.Effects, "agents": w.Agents, "principals": w.Principals, "groups": w.Groups}
}
