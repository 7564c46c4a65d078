package audit

import (
	"slices"
	"strings"
	"time"

	"behalf.dev/behalf/shared/tenant"
)

// Activity is what a person is shown of one execution: no input, no output, no id that leads anywhere else.
type Activity struct {
	ID         string    `json:"id"`
	Time       time.Time `json:"time"`
	Connector  string    `json:"connector"`
	Connection string    `json:"connection_id"`
	Tool       string    `json:"tool"`
	Agent      string    `json:"agent,omitempty"`
	// Channel is how the agent called; empty for what was done before that was recorded.
	Channel Channel `json:"channel,omitempty"`
	// Outcome is "succeeded", "failed" or "unknown"; "refused" for a call that was not made.
	Outcome string `json:"outcome"`
	// Code says why it failed or was refused, in the words of package fault.
	Code string `json:"code,omitempty"`
}

// RecentActivities is how many a principal's list holds. Of those, RecentRefusals may be calls that were not made: an agent
// that asks again and again must not push what was done off the list.
const (
	RecentActivities = 40
	RecentRefusals   = 12
)

// Activities picks from records what their principals are shown, by principal.
func Activities(records []Record) map[tenant.Scope][]Activity {
	out := map[tenant.Scope][]Activity{}
	for _, r := range records {
		a := Activity{r.ID, r.Time, r.Connector, r.Connection, r.Tool, r.Agent, r.Channel, r.Outcome, r.Code}
		if r.Kind == ExecutionRefused {
			a.Outcome = "refused"
		} else if r.Kind != ExecutionOutcome {
			continue
		}
		if r.Principal == "" || r.Connection == "" || r.Tool == "" {
			continue
		}
		s := tenant.Scope{Tenant: r.Tenant, Principal: tenant.Principal(r.Principal)}
		out[s] = append(out[s], a)
	}
	return out
}

// Recent merges more into list: newest first, none twice, no longer than RecentActivities, with no more refusals than
// RecentRefusals. Records come in no order, and again when a batch is repeated.
func Recent(list, more []Activity) []Activity {
	out := slices.Concat(list, more)
	slices.SortFunc(out, func(a, b Activity) int {
		if c := b.Time.Compare(a.Time); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	out = slices.CompactFunc(out, func(a, b Activity) bool { return a.ID == b.ID })
	refusals := 0
	out = slices.DeleteFunc(out, func(a Activity) bool {
		if a.Outcome == "refused" {
			refusals++
		}
		return a.Outcome == "refused" && refusals > RecentRefusals
	})
	return out[:min(len(out), RecentActivities)]
}
