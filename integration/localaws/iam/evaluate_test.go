package iam_test

import (
	"strings"
	"testing"

	"behalf.dev/behalf/integration/localaws/iam"
)

const (
	account = "000000000000"
	role    = "arn:aws:iam::000000000000:role/execute"
	table   = "arn:aws:dynamodb:us-east-1:000000000000:table/vault"
)

func mustParse(t *testing.T, doc string) *iam.Policy {
	t.Helper()
	p, err := iam.Parse("test", []byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// request builds a GetItem on the vault by a tenant session.
func request(tags map[string]string, keys ...string) iam.Request {
	c := iam.Context{}
	if keys != nil {
		c.Set("dynamodb:LeadingKeys", keys...)
	}
	return iam.Request{Principal: iam.Principal{ARN: role, Account: account, Tags: tags}, Action: "dynamodb:GetItem", Resource: table, Context: c}
}

const leadingKeys = `{"Statement":{"Effect":"Allow","Action":"dynamodb:GetItem","Resource":"*","Condition":{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":"T#${aws:PrincipalTag/tenant}#*"}`

func TestEvaluate_LeadingKeys_ForAllValuesNeedsNull(t *testing.T) {
	t.Parallel()
	alone, both := leadingKeys+`}}}`, leadingKeys+`,"Null":{"dynamodb:LeadingKeys":"false"}}}}`
	acme := map[string]string{"Tenant": "acme"} // tag keys ignore case
	for _, c := range []struct {
		name, policy string
		tags         map[string]string
		keys         []string
		want         bool
	}{
		{"own key", both, acme, []string{"T#acme#U#1"}, true},
		{"all own keys", both, acme, []string{"T#acme#U#1", "T#acme#U#2"}, true},
		{"one foreign key", both, acme, []string{"T#acme#U#1", "T#globex#U#2"}, false},
		{"longer tenant", both, acme, []string{"T#acme2#U#1"}, false},
		{"no key, the trap", alone, acme, nil, true},
		{"no key, guarded", both, acme, nil, false},
		{"no tag", both, nil, []string{"T##U#1"}, false},
		{"no tag, literal variable", both, nil, []string{"T#${aws:PrincipalTag/tenant}#U"}, false},
		{"star in the tag is literal", both, map[string]string{"tenant": "*"}, []string{"T#acme#U#1"}, false},
	} {
		d := iam.Evaluate(iam.Policies{Identity: []*iam.Policy{mustParse(t, c.policy)}}, request(c.tags, c.keys...))
		if d.Allowed != c.want || d.Errors != nil {
			t.Errorf("%s: allowed %v, errors %v, want allowed %v", c.name, d.Allowed, d.Errors, c.want)
		}
	}
}

func TestEvaluate_Conditions_FollowAWS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, condition string
		values          []string // of the key x
		want            bool
	}{
		{"equals", `{"StringEquals":{"x":["a","b"]}}`, []string{"b"}, true},
		{"equals is exact", `{"StringEquals":{"x":"a"}}`, []string{"A"}, false},
		{"equals absent", `{"StringEquals":{"x":"a"}}`, nil, false},
		{"equals if exists, absent", `{"StringEqualsIfExists":{"x":"a"}}`, nil, true},
		{"equals if exists, other", `{"StringEqualsIfExists":{"x":"a"}}`, []string{"b"}, false},
		{"not equals absent", `{"StringNotEquals":{"x":"a"}}`, nil, true},
		{"not equals all", `{"StringNotEquals":{"x":["a","b"]}}`, []string{"b"}, false},
		{"ignore case", `{"StringEqualsIgnoreCase":{"x":"ABC"}}`, []string{"abc"}, true},
		{"like", `{"StringLike":{"x":"a?c*"}}`, []string{"abcdef"}, true},
		{"not like", `{"StringNotLike":{"x":"a*"}}`, []string{"abc"}, false},
		{"equals takes star literally", `{"StringEquals":{"x":"a*"}}`, []string{"abc"}, false},
		{"all values absent", `{"ForAllValues:StringEquals":{"x":"a"}}`, nil, true},
		{"all values empty", `{"ForAllValues:StringEquals":{"x":"a"}}`, []string{}, true},
		{"all values", `{"ForAllValues:StringEquals":{"x":["a","b"]}}`, []string{"a", "c"}, false},
		{"any value absent", `{"ForAnyValue:StringEquals":{"x":"a"}}`, nil, false},
		{"any value", `{"ForAnyValue:StringEquals":{"x":["a","b"]}}`, []string{"c", "a"}, true},
		{"any value negated", `{"ForAnyValue:StringNotEquals":{"x":"a"}}`, []string{"a", "b"}, true},
		{"null true", `{"Null":{"x":"true"}}`, nil, true},
		{"null false of empty", `{"Null":{"x":"false"}}`, []string{}, false},
		{"bool", `{"Bool":{"x":"true"}}`, []string{"true"}, true},
		{"bool literal", `{"Bool":{"x":false}}`, []string{"true"}, false},
		{"numeric", `{"NumericLessThanEquals":{"x":"10"}}`, []string{"9"}, true},
		{"date", `{"DateGreaterThan":{"x":"2026-01-01T00:00:00Z"}}`, []string{"2026-06-01T00:00:00Z"}, true},
		{"arn", `{"ArnLike":{"x":"arn:aws:iam::*:role/a*"}}`, []string{"arn:aws:iam::1:role/abc"}, true},
		{"arn star stays in its part", `{"ArnLike":{"x":"arn:aws:iam:e*:role/a"}}`, []string{"arn:aws:iam:eu:1:role/a"}, false},
		{"missing variable", `{"StringEquals":{"x":"${aws:PrincipalTag/none}"}}`, []string{""}, false},
		{"missing variable negated", `{"StringNotEquals":{"x":"${aws:PrincipalTag/none}"}}`, []string{"a"}, false},
		{"variable default", `{"StringEquals":{"x":"${aws:PrincipalTag/none, 'd'}"}}`, []string{"d"}, true},
		{"two conditions are and", `{"StringEquals":{"x":"a"},"Null":{"y":"false"}}`, []string{"a"}, false},
	} {
		p := mustParse(t, `{"Statement":[{"Effect":"Allow","Action":"a:B","Resource":"*","Condition":`+c.condition+`}]}`)
		ctx := iam.Context{}
		if c.values != nil {
			ctx.Set("X", c.values...)
		}
		d := iam.Evaluate(iam.Policies{Identity: []*iam.Policy{p}}, iam.Request{Action: "a:B", Resource: "r", Context: ctx})
		if d.Allowed != c.want || d.Errors != nil {
			t.Errorf("%s: allowed %v, errors %v, want allowed %v", c.name, d.Allowed, d.Errors, c.want)
		}
	}
}

func TestEvaluate_UnsupportedCondition_FailsClosedAndReports(t *testing.T) {
	t.Parallel()
	for _, condition := range []string{`{"IpAddress":{"x":"10.0.0.0/8"}}`, `{"ForSomeValues:StringEquals":{"x":"a"}}`, `{"StringEquals":{"x":"a"}}`} {
		ctx := iam.Context{}
		ctx.Set("x", "a", "b") // two values without a set operator cannot be decided
		allow := mustParse(t, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":`+condition+`}}`)
		deny := mustParse(t, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":`+condition+`}]}`)
		for name, p := range map[string]*iam.Policy{"allow": allow, "deny": deny} {
			d := iam.Evaluate(iam.Policies{Identity: []*iam.Policy{p}}, iam.Request{Action: "a:B", Resource: "r", Context: ctx})
			if d.Allowed || len(d.Errors) == 0 {
				t.Errorf("%s with %s: allowed %v, errors %v", name, condition, d.Allowed, d.Errors)
			}
		}
	}
}

func TestEvaluate_PolicyKinds_Combine(t *testing.T) {
	t.Parallel()
	allow := func(sid, principal string) string {
		return `{"Statement":[{"Sid":"` + sid + `","Effect":"Allow",` + principal + `"Action":"kms:*","Resource":"*"}]}`
	}
	root, named := allow("root", `"Principal":{"AWS":"arn:aws:iam::000000000000:root"},`), allow("named", `"Principal":{"AWS":"`+role+`"},`)
	other := allow("other", `"Principal":{"AWS":"arn:aws:iam::000000000000:role/other"},`)
	deny := strings.Replace(named, "Allow", "Deny", 1)
	identity := allow("identity", "")
	nothing := `{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	for _, c := range []struct {
		name                        string
		identity, session, resource string
		rules, want                 bool
	}{
		{"root delegates to identity", identity, "", root, true, true},
		{"root alone does not allow", nothing, "", root, true, false},
		{"identity alone is not enough for a key", identity, "", other, true, false},
		{"identity alone is enough elsewhere", identity, "", "", false, true},
		{"named principal needs no identity policy", nothing, "", named, true, true},
		{"explicit deny wins", identity, "", deny, false, false},
		{"session policy limits", identity, nothing, root, true, false},
		{"session policy never widens", nothing, identity, root, true, false},
		{"session policy lets through", identity, identity, root, true, true},
	} {
		p := iam.Policies{Identity: []*iam.Policy{mustParse(t, c.identity)}, ResourceRules: c.rules}
		if c.session != "" {
			p.Session = mustParse(t, c.session)
		}
		if c.resource != "" {
			p.Resource = mustParse(t, c.resource)
		}
		d := iam.Evaluate(p, iam.Request{Principal: iam.Principal{ARN: role, Account: account}, Action: "kms:Decrypt", Resource: "k"})
		if d.Allowed != c.want {
			t.Errorf("%s: allowed %v, matched %+v", c.name, d.Allowed, d.Matched)
		}
	}
}

func TestEvaluate_NotElements_Exclude(t *testing.T) {
	t.Parallel()
	p := mustParse(t, `{"Statement":[{"Effect":"Allow","NotAction":"iam:*","NotResource":"arn:secret*"}]}`)
	for _, c := range []struct {
		action, resource string
		want             bool
	}{{"s3:Get", "arn:x", true}, {"IAM:Pass", "arn:x", false}, {"s3:Get", "arn:secret/1", false}} {
		if d := iam.Evaluate(iam.Policies{Identity: []*iam.Policy{p}}, iam.Request{Action: c.action, Resource: c.resource}); d.Allowed != c.want {
			t.Errorf("%s on %s: allowed %v", c.action, c.resource, d.Allowed)
		}
	}
}

func TestEvaluate_NotResourceWithMissingVariable_FailsClosed(t *testing.T) {
	t.Parallel()
	p := mustParse(t, `{"Statement":[{"Effect":"Allow","Action":"*","NotResource":"arn:x/${aws:PrincipalTag/tenant}"}]}`)
	if d := iam.Evaluate(iam.Policies{Identity: []*iam.Policy{p}}, iam.Request{Action: "a:B", Resource: "arn:y"}); d.Allowed || len(d.Errors) != 1 {
		t.Errorf("allowed %v, errors %v", d.Allowed, d.Errors)
	}
}

func TestParse_UnknownElement_IsAnError(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Conditions":{}}]}`,
		`{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}`,
		`{"Statement":[{"Effect":"Allow","Resource":"*"}]}`,
		`{"Statement":[{"Effect":"Allow","Action":"*","Principal":"me"}]}`,
	} {
		if _, err := iam.Parse("test", []byte(doc)); err == nil {
			t.Errorf("%s was accepted", doc)
		}
	}
}
