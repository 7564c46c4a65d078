package policy_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/policy"
)

func compile(t *testing.T, doc string) *policy.Policy {
	t.Helper()
	var d policy.Document
	if err := json.Unmarshal([]byte(doc), &d); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Compile(d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write() policy.Call {
	return policy.Call{Principal: "user_alice", Agent: "triage-bot", Groups: []string{"Engineering", "On call"}, Connector: "github", Tool: "github_create_issue", Effect: "write",
		Connection: "conn_1", Account: "583231", Scopes: []string{"repo"}, Input: map[string]any{"owner": "acme", "title": "x", "labels": []any{"bug"}, "milestone": nil, "n": json.Number("7"), "r": json.Number("0.5")}}
}

func TestDecide_Rules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		doc      string
		denied   string // rule
		approval string
		budgets  int
	}{
		"nothing said":                        {`{}`, "", "", 0},
		"denied by effect":                    {`{"rules":[{"id":"ro","effect":"deny","when":{"effects":["write","destructive"]}}]}`, "ro", "", 0},
		"denied for another effect":           {`{"rules":[{"id":"ro","effect":"deny","when":{"effects":["destructive"]}}]}`, "", "", 0},
		"all lists must match":                {`{"rules":[{"id":"x","effect":"deny","when":{"effects":["write"],"agents":["other"]}}]}`, "", "", 0},
		"prefix":                              {`{"rules":[{"id":"x","effect":"deny","when":{"tools":["github_*"]}}]}`, "x", "", 0},
		"prefix of something else":            {`{"rules":[{"id":"x","effect":"deny","when":{"tools":["git_*"]}}]}`, "", "", 0},
		"one group of several":                {`{"rules":[{"id":"x","effect":"deny","when":{"groups":["On call"]}}]}`, "x", "", 0},
		"not in the group":                    {`{"rules":[{"id":"x","effect":"deny","when":{"groups":["on call"]}}]}`, "", "", 0},
		"deny by default":                     {`{"default":"deny"}`, "default", "", 0},
		"deny by default, allowed":            {`{"default":"deny","rules":[{"id":"a","effect":"allow","when":{"groups":["Engineering"]}}]}`, "", "", 0},
		"deny wins over allow before":         {`{"rules":[{"id":"a","effect":"allow"},{"id":"d","effect":"deny"}]}`, "d", "", 0},
		"deny wins over allow after":          {`{"default":"deny","rules":[{"id":"d","effect":"deny"},{"id":"a","effect":"allow"}]}`, "d", "", 0},
		"approval":                            {`{"rules":[{"id":"two","effect":"require_approval","when":{"effects":["write"]}}]}`, "", "two", 0},
		"deny wins over approval":             {`{"rules":[{"id":"two","effect":"require_approval"},{"id":"d","effect":"deny"}]}`, "d", "", 0},
		"an approval is no allow":             {`{"default":"deny","rules":[{"id":"two","effect":"require_approval"}]}`, "default", "", 0},
		"budgets that match":                  {`{"budgets":[{"id":"b1","per":"agent","limit":1,"window_seconds":60},{"id":"b2","per":"tenant","limit":1,"window_seconds":60,"when":{"effects":["read"]}}]}`, "", "", 1},
		"cedar permits":                       {`{"cedar":"permit(principal, action, resource);"}`, "", "", 0},
		"cedar denies by default":             {`{"cedar":"permit(principal == Behalf::User::\"user_bob\", action, resource);"}`, "cedar", "", 0},
		"cedar by group":                      {`{"cedar":"permit(principal in Behalf::Group::\"Engineering\", action, resource);"}`, "", "", 0},
		"cedar by effect":                     {`{"cedar":"permit(principal, action in Behalf::Action::\"effect:read\", resource);"}`, "cedar", "", 0},
		"cedar by connector":                  {`{"cedar":"permit(principal, action in Behalf::Action::\"connector:github\", resource);"}`, "", "", 0},
		"cedar by argument":                   {`{"cedar":"permit(principal, action, resource); forbid(principal, action, resource) when { context.input.owner != \"acme\" };"}`, "", "", 0},
		"cedar forbids by argument":           {`{"cedar":"permit(principal, action, resource); forbid(principal, action, resource) when { context.input.labels.contains(\"bug\") };"}`, "cedar:policy1", "", 0},
		"cedar by number":                     {`{"cedar":"permit(principal, action, resource) when { context.input.n < 8 && context.input.r.lessThan(decimal(\"0.6\")) };"}`, "", "", 0},
		"null is absent":                      {`{"cedar":"permit(principal, action, resource) when { !(context.input has milestone) };"}`, "", "", 0},
		"cedar by account":                    {`{"cedar":"permit(principal, action, resource) when { resource.account == \"583231\" && resource.scopes.contains(\"repo\") };"}`, "", "", 0},
		"a failing forbid is no permission":   {`{"cedar":"permit(principal, action, resource); forbid(principal, action, resource) when { context.input.nope == 1 };"}`, "cedar", "", 0},
		"cedar approval":                      {`{"cedar":"permit(principal, action, resource); @approval(\"money\") forbid(principal, action, resource) when { context.input.n > 5 };"}`, "", "cedar:policy1", 0},
		"cedar approval, forbidden otherwise": {`{"cedar":"permit(principal, action, resource); @approval(\"money\") forbid(principal, action, resource); forbid(principal, action, resource);"}`, "*", "", 0},
		"cedar approval without a permit":     {`{"cedar":"@approval(\"money\") forbid(principal, action, resource);"}`, "cedar:policy0", "", 0},
		"rules come before cedar":             {`{"rules":[{"id":"d","effect":"deny"}],"cedar":"permit(principal, action, resource);"}`, "d", "", 0},
	} {
		d := compile(t, c.doc).Decide(write())
		rule := ""
		if d.Denied != nil {
			rule, _ = d.Denied.Detail["rule"].(string)
			if d.Denied.Code != fault.PolicyDenied {
				t.Errorf("%s: %v", name, d.Denied)
			}
		}
		if rule != c.denied && !(c.denied == "*" && rule != "") || d.Approval != c.approval || len(d.Budgets) != c.budgets {
			t.Errorf("%s: denied by %q, approval %q, %d budgets", name, rule, d.Approval, len(d.Budgets))
		}
	}
}

func TestCompile_BadDocument_NamesTheField(t *testing.T) {
	t.Parallel()
	for field, doc := range map[string]string{
		"/default":                  `{"default":"maybe"}`,
		"/rules/0/id":               `{"rules":[{"effect":"deny"}]}`,
		"/rules/1/id":               `{"rules":[{"id":"a","effect":"deny"},{"id":"a","effect":"allow"}]}`,
		"/rules/0/effect":           `{"rules":[{"id":"a","effect":"block"}]}`,
		"/rules/0/when/tools/1":     `{"rules":[{"id":"a","effect":"deny","when":{"tools":["x","*_x"]}}]}`,
		"/rules/0/when/effects/0":   `{"rules":[{"id":"a","effect":"deny","when":{"effects":["delete"]}}]}`,
		"/rules/0/when/agents/0":    `{"rules":[{"id":"a","effect":"deny","when":{"agents":[""]}}]}`,
		"/budgets/0/per":            `{"budgets":[{"id":"b","per":"group","limit":1,"window_seconds":60}]}`,
		"/budgets/0/limit":          `{"budgets":[{"id":"b","per":"tenant","limit":-1,"window_seconds":60}]}`,
		"/budgets/0/window_seconds": `{"budgets":[{"id":"b","per":"tenant","limit":1}]}`,
		"/cedar":                    `{"cedar":"permit(principal, action"}`,
	} {
		var d policy.Document
		if err := json.Unmarshal([]byte(doc), &d); err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Compile(d); !fault.Is(err, fault.InvalidInput) || fault.From(err).Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := policy.Compile(policy.Document{Cedar: `@approval("x") permit(principal, action, resource);`}); err == nil {
		t.Error("an approval before a permit is taken")
	}
}

func TestSwitches_Off(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		s   policy.Switches
		off bool
	}{
		"nothing": {policy.Switches{}, false}, "tenant": {policy.Switches{Tenant: true}, true}, "agent": {policy.Switches{Agents: []string{"a"}}, true},
		"connector": {policy.Switches{Connectors: []string{"c"}}, true}, "tool": {policy.Switches{Tools: []string{"t"}}, true}, "others": {policy.Switches{Agents: []string{"b"}, Connectors: []string{"d"}, Tools: []string{"u"}}, false},
	} {
		if err := c.s.Off("a", "c", "t"); (err != nil) != c.off || err != nil && err.Code != fault.PolicyDenied {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (policy.Switches{Tools: slices.Repeat([]string{"x"}, 51)}).Check(); !fault.Is(err, fault.InvalidInput) {
		t.Error(err)
	}
}

func TestBudget_Windows_AreAligned(t *testing.T) {
	t.Parallel()
	b := policy.Budget{WindowSeconds: 3600}
	at := time.Date(2026, 11, 22, 12, 59, 59, 0, time.UTC)
	n, end := b.Window(at)
	if next, _ := b.Window(at.Add(time.Second)); next != n+1 || !end.Equal(time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)) {
		t.Errorf("%d until %v, then %d", n, end, next)
	}
}

// BenchmarkDecide is what a policy adds to an execution.
func BenchmarkDecide(b *testing.B) {
	var rules []policy.Rule
	for i := range 20 {
		rules = append(rules, policy.Rule{ID: string(rune('a' + i)), Effect: policy.EffectDeny, When: policy.When{Tools: []string{"salesforce_*"}}})
	}
	for name, d := range map[string]policy.Document{"20 rules": {Rules: rules}, "cedar": {Cedar: `permit(principal, action, resource); forbid(principal, action, resource) when { context.input.owner != "acme" };`}} {
		b.Run(name, func(b *testing.B) {
			p, err := policy.Compile(d)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if p.Decide(write()).Denied != nil {
					b.Fatal("denied")
				}
			}
		})
	}
}
