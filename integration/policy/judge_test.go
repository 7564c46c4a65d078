package policy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/localaws/iam"
	"behalf.dev/behalf/integration/policy"
)

// judge answers what the roles of a deployment may do.
type judge struct {
	roles map[string]subject
	keys  map[string]*iam.Policy // key policies by ARN
	arns  map[string]string      // keys by the first words of their description
	// tables are the policies of the tables by ARN: they can only refuse.
	tables map[string]*iam.Policy
}

type subject struct {
	arn      string
	trust    *iam.Policy
	policies []*iam.Policy
}

// ask is one permission that a request needs.
type ask struct {
	action, resource string
	context          iam.Context
}

func load(t *testing.T) *policy.Deployment {
	t.Helper()
	templates, err := policy.Templates()
	if err != nil {
		t.Fatal(err)
	}
	d, err := policy.Load(templates)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// judgeOf parses the documents of d; they are copied, so a test may change its own.
func judgeOf(t *testing.T, d *policy.Deployment) judge {
	t.Helper()
	j := judge{roles: map[string]subject{}, keys: map[string]*iam.Policy{}, arns: map[string]string{}, tables: map[string]*iam.Policy{}}
	for name, r := range d.Roles() {
		s := subject{arn: r.ARN, trust: parse(t, name, r.Trust)}
		for policyName, doc := range r.Policies {
			s.policies = append(s.policies, parse(t, policyName, doc))
		}
		j.roles[name] = s
	}
	for _, k := range d.Of("AWS::KMS::Key") {
		arn := "arn:aws:kms:" + policy.Region + ":" + policy.Account + ":key/" + k.LogicalID
		doc, _ := k.Properties["KeyPolicy"].(map[string]any)
		j.keys[arn] = parse(t, k.LogicalID, doc)
		for _, name := range []string{"VaultKey", "SessionKey", "TableKey"} {
			if strings.HasPrefix(k.LogicalID, name) {
				j.arns[name] = arn
			}
		}
	}
	for _, table := range d.Of("AWS::DynamoDB::GlobalTable") {
		doc, _ := at(table.Properties, "Replicas", 0, "ResourcePolicy", "PolicyDocument").(map[string]any)
		j.tables[fmt.Sprint("arn:aws:dynamodb:", policy.Region, ":", policy.Account, ":table/", table.Properties["TableName"])] = parse(t, table.LogicalID, doc)
	}
	if len(j.arns) != 3 || len(j.tables) != len(tables) {
		t.Fatalf("keys %v, tables %v", j.arns, j.tables)
	}
	j.arns["CustomerKey"] = customerKey
	return j
}

// customerKey is one that a tenant brings, in an account of its own: here only the roles' own policies are judged, and KMS asks
// for the key's policy besides. otherKey is in an account that the deployment does not name.
const (
	customerKey = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	otherKey    = "arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

func parse(t *testing.T, name string, doc map[string]any) *iam.Policy {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	p, err := iam.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (j judge) principal(role string, tags map[string]string) iam.Principal {
	return iam.Principal{ARN: j.roles[role].arn, Account: policy.Account, Tags: tags}
}

// decide judges one request of role, in a session with tags. Statements that could not be evaluated are errors of the test.
func (j judge) decide(t *testing.T, role string, tags map[string]string, a ask) iam.Decision {
	t.Helper()
	s, ok := j.roles[role]
	if !ok {
		t.Fatalf("no role %q", role)
	}
	p := iam.Policies{Identity: s.policies}
	if key, isKey := j.keys[a.resource]; isKey {
		p.Resource, p.ResourceRules = key, true
	}
	if table, _, _ := strings.Cut(a.resource, "/index/"); j.tables[table] != nil {
		p.Resource = j.tables[table]
	}
	d := iam.Evaluate(p, iam.Request{Principal: j.principal(role, tags), Action: a.action, Resource: a.resource, Context: a.context})
	if len(d.Errors) > 0 {
		t.Fatalf("%s %s: %v", role, a.action, d.Errors)
	}
	return d
}

// assume judges AssumeRole with session tags: every action that STS checks must be allowed.
func (j judge) assume(t *testing.T, caller, target string, callerTags, tags map[string]string, source string) bool {
	t.Helper()
	c := iam.Context{}
	keys := make([]string, 0, len(tags))
	for k, v := range tags {
		c.Set("aws:RequestTag/"+k, v)
		keys = append(keys, k)
	}
	slices.Sort(keys)
	c.Set("aws:TagKeys", keys...)
	actions := []string{"sts:AssumeRole"}
	if len(tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if source != "" {
		c.Set("sts:SourceIdentity", source)
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action := range actions {
		p := iam.Policies{Identity: j.roles[caller].policies, Resource: j.roles[target].trust, ResourceRules: true}
		d := iam.Evaluate(p, iam.Request{Principal: j.principal(caller, callerTags), Action: action, Resource: j.roles[target].arn, Context: c})
		if len(d.Errors) > 0 {
			t.Fatalf("%s as %s: %v", caller, target, d.Errors)
		}
		if !d.Allowed {
			return false
		}
	}
	return true
}

// item is a DynamoDB request on the partitions keys of a table; no keys leaves LeadingKeys absent, as a Scan does.
func item(action, table string, keys ...string) ask {
	c := iam.Context{}
	if len(keys) > 0 {
		c.Set("dynamodb:LeadingKeys", keys...)
	}
	return ask{"dynamodb:" + action, "arn:aws:dynamodb:" + policy.Region + ":" + policy.Account + ":table/behalf-local-" + table, c}
}

// wrapped is a KMS request on key with an encryption context written "name=value ...".
func (j judge) wrapped(action, key, context string) ask {
	c := iam.Context{}
	var names []string
	for _, pair := range strings.Fields(context) {
		name, value, _ := strings.Cut(pair, "=")
		c.Set("kms:EncryptionContext:"+name, value)
		names = append(names, name)
	}
	if len(names) > 0 {
		sort.Strings(names)
		c.Set("kms:EncryptionContextKeys", names...)
	}
	return ask{"kms:" + action, j.arns[key], c}
}

// tagged is the session tags of tenant acme and its principal; an empty principal is left out.
func tagged(tenant, principal string) map[string]string {
	m := map[string]string{}
	if tenant != "" {
		m["tenant"] = tenant
	}
	if principal != "" {
		m["principal"] = principal
	}
	return m
}
