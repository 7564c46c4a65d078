package policy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/policy"
)

// mutant is one weakening of one statement of one role. document is a policy's name, or "trust".
type mutant struct {
	role, document string
	statement      int
	what           string
	change         func(statement map[string]any)
}

// equivalent are mutants that change no decision, each with the reason why the check stays all the same.
var equivalent = map[string]string{
	"Null without aws:PrincipalTag/tenant":      "a variable without a value matches nothing; kept so that this is not the only guard",
	"Null without aws:PrincipalTag/principal":   "as above",
	"Null without kms:EncryptionContextKeys":    "StringEquals asks for four of the keys already; ForAllValues is not to stand without it",
	"without Null (trust)":                      "StringLike asks for the tags already; ForAllValues is not to stand without it",
	"without StringLike (trust, NameTheSource)": "naming a source grants nothing; the check refuses an empty name",
	"without StringLike (trust, NameTheCanary)": "as above",
	"without ArnEquals (trust, NameTheCanary)":  "as above",
	"for everybody (trust, CanaryTenantsOnly)":  "the condition names the one role that may, whoever the principal is",
}

// mutantsOf lists every weakening of d's tenant roles.
func mutantsOf(t *testing.T, d *policy.Deployment) []mutant {
	t.Helper()
	var out []mutant
	for _, role := range slices.Sorted(maps.Keys(assumers)) {
		r := d.Roles()[role]
		for document, doc := range documents(r) {
			for i, s := range statementsOf(t, doc) {
				for _, m := range slices.Concat(drops(s), widenings(s), openings(document, s)) {
					m.role, m.document, m.statement = role, document, i
					out = append(out, m)
				}
			}
		}
	}
	return out
}

func documents(r policy.Role) map[string]map[string]any {
	docs := maps.Clone(r.Policies)
	docs["trust"] = r.Trust
	return docs
}

func statementsOf(t *testing.T, doc map[string]any) []map[string]any {
	t.Helper()
	list, ok := doc["Statement"].([]any)
	if !ok {
		t.Fatalf("no statements in %v", doc)
	}
	out := make([]map[string]any, len(list))
	for i := range list {
		out[i] = list[i].(map[string]any)
	}
	return out
}

func conditionsOf(s map[string]any) map[string]map[string]any {
	out := map[string]map[string]any{}
	block, _ := s["Condition"].(map[string]any)
	for operator, keys := range block {
		out[operator] = keys.(map[string]any)
	}
	return out
}

// drops leave out one operator, or one key of one operator.
func drops(s map[string]any) []mutant {
	var out []mutant
	for operator, keys := range conditionsOf(s) {
		out = append(out, mutant{what: "without " + operator, change: func(s map[string]any) { delete(s["Condition"].(map[string]any), operator) }})
		if len(keys) == 1 {
			continue
		}
		for key := range keys {
			out = append(out, mutant{what: operator + " without " + key, change: func(s map[string]any) { delete(conditionsOf(s)[operator], key) }})
		}
	}
	return out
}

// widenings let a variable match anything: each pattern of LeadingKeys, and the tenant of a KMS context.
func widenings(s map[string]any) []mutant {
	var out []mutant
	for operator, keys := range conditionsOf(s) {
		patterns, _ := keys["dynamodb:LeadingKeys"].([]any)
		for i, p := range patterns {
			for _, tag := range []string{"${aws:PrincipalTag/tenant}", "${aws:PrincipalTag/principal}"} {
				if !strings.Contains(p.(string), tag) {
					continue
				}
				out = append(out, mutant{what: fmt.Sprintf("%s with * for %s", p, tag), change: func(s map[string]any) {
					block := s["Condition"].(map[string]any)
					wide := slices.Clone(patterns)
					wide[i] = strings.ReplaceAll(p.(string), tag, "*")
					delete(block, operator)
					block["ForAllValues:StringLike"] = map[string]any{"dynamodb:LeadingKeys": wide}
				}})
			}
		}
	}
	return out
}

// openings drop the statement, give it every action of its service or every resource, or trust everybody.
func openings(document string, s map[string]any) []mutant {
	empty := func(s map[string]any) { s["Action"] = []any{"none:None"} }
	out := []mutant{{what: "dropped", change: empty}}
	if s["Effect"] == "Deny" {
		return out
	}
	if document == "trust" {
		everybody := func(s map[string]any) { s["Principal"] = map[string]any{"AWS": "*"} }
		if s["Sid"] == "NameTheSource" || s["Sid"] == "NameTheCanary" { // alone it lets nobody in
			return out
		}
		return append(out, mutant{what: "for everybody", change: everybody})
	}
	service, _, _ := strings.Cut(fmt.Sprint(first(s["Action"])), ":")
	return append(out,
		mutant{what: "with every action", change: func(s map[string]any) { s["Action"] = service + ":*" }},
		mutant{what: "on every resource", change: func(s map[string]any) { s["Resource"] = "*" }})
}

func first(v any) any {
	if list, ok := v.([]any); ok {
		return list[0]
	}
	return v
}

// faults asks what a change of m's statement can touch, the cheapest first, and stops where something is wrong.
func (m mutant) faults(t *testing.T, j judge, statement map[string]any) []string {
	t.Helper()
	type check func(*testing.T, judge, string) []string
	checks := []check{attemptFaults, denyFaults, itemFaults}
	if m.document == "trust" {
		checks = []check{trustFaults}
	} else if strings.Contains(fmt.Sprint(statement["Action"]), "kms:") {
		checks = []check{attemptFaults, keyFaults}
	}
	for _, check := range checks {
		if f := check(t, j, m.role); len(f) > 0 {
			return f
		}
	}
	return nil
}

func (m mutant) isEquivalent(sid string) bool {
	if sid == "DeploymentClients" && m.what == "Null without aws:PrincipalTag/tenant" {
		return false // its tenant is no variable, so here nothing else asks for a tagged session
	}
	for _, name := range []string{m.what, m.what + " (" + m.document + ")", m.what + " (" + m.document + ", " + sid + ")"} {
		if equivalent[name] != "" {
			return true
		}
	}
	return false
}

func TestMutants_EveryWeakerPolicy_IsNoticed(t *testing.T) {
	t.Parallel()
	mutants := mutantsOf(t, load(t))
	if len(mutants) < 100 {
		t.Fatalf("only %d mutants", len(mutants))
	}
	for role := range assumers {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			for _, m := range mutants {
				if m.role == role {
					m.judge(t)
				}
			}
		})
	}
}

// judge applies m to a deployment of its own and expects that somebody notices.
func (m mutant) judge(t *testing.T) {
	t.Helper()
	d := load(t)
	s := statementsOf(t, documents(d.Roles()[m.role])[m.document])[m.statement]
	before := maps.Clone(s)
	m.change(s)
	noticed := len(m.faults(t, judgeOf(t, d), before)) > 0
	if sid := fmt.Sprint(s["Sid"]); noticed == m.isEquivalent(sid) {
		t.Errorf("%s, %s, %s: %s: noticed %v", m.role, m.document, sid, m.what, noticed)
	}
}
