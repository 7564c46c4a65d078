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
	// Outcome is "succeeded", "failed" or "unknown".
	Outcome string `json:"outcome"`
}

// RecentActivities is how many a principal's list holds.
const RecentActivities = 40

// Activities picks from records what their principals are shown, by principal.
func Activities(records []Record) map[tenant.Scope][]Activity {
	out := map[tenant.Scope][]Activity{}
	for _, r := range records {
		if r.Kind != ExecutionOutcome || r.Principal == "" || r.Connection == "" {
			continue
		}
		s := tenant.Scope{Tenant: r.Tenant, Principal: tenant.Principal(r.Principal)}
		out[s] = append(out[s], Activity{r.ID, r.Time, r.Connector, r.Connection, r.Tool, r.Agent, r.Channel, r.Outcome})
	}
	return out
}

// Recent merges more into list: newest first, none twice, no longer than RecentActivities. Records come in no order, and
// again when a batch is repeated.
func Recent(list, more []Activity) []Activity {
	out := slices.Concat(list, more)
	slices.SortFunc(out, func(a, b Activity) int {
		if c := b.Time.Compare(a.Time); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	out = slices.CompactFunc(out, func(a, b Activity) bool { return a.ID == b.ID })
	return out[:min(len(out), RecentActivities)]
}
