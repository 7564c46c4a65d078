package stacks

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// conditions is IAM's condition block: operator, key, value or values.
type conditions map[string]map[string]any

// statement is one statement of a policy.
type statement struct {
	sid        string
	deny       bool
	actions    []string
	resources  []string
	conditions conditions
}

// Session tags as policy variables. STS tag values hold neither '#', nor '*', nor '?', so a tag cannot widen a pattern.
const (
	tenantTag    = "aws:PrincipalTag/tenant"
	principalTag = "aws:PrincipalTag/principal"
	ofTenant     = "T#${" + tenantTag + "}#"
	ofPrincipal  = ofTenant + "U#${" + principalTag + "}"
	deployment   = "T#_deployment#"
)

// Groups of item operations. A transaction needs the permission of each of its items, and no other.
var (
	readItems  = []string{"dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem"}
	lookItems  = []string{"dynamodb:GetItem", "dynamodb:Query"}
	writeItems = []string{"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"}
	allItems   = join(readItems, writeItems)
)

// rows allows actions on the named partitions of a table only. ForAllValues is true for a request that names no key (a
// Scan), so it never stands without the Null check; the tags are checked the same way, or an untagged session could match.
func rows(sid, table string, actions []string, partitions ...string) statement {
	operator := "ForAllValues:StringEquals"
	present := map[string]any{"dynamodb:LeadingKeys": "false"}
	for _, p := range partitions {
		if strings.Contains(p, "*") {
			operator = "ForAllValues:StringLike"
		}
		for _, tag := range []string{tenantTag, principalTag} {
			if strings.Contains(p, tag) {
				present[tag] = "false"
			}
		}
	}
	return statement{sid: sid, actions: actions, resources: []string{table},
		conditions: conditions{operator: {"dynamodb:LeadingKeys": partitions}, "Null": present}}
}

// never denies what ignores leading keys, whatever else a role is given: whole-table reads, SQL, export and streams.
func never() statement {
	return statement{sid: "NeverWithoutKeys", deny: true, resources: []string{"*"}, actions: []string{
		"dynamodb:Scan", "dynamodb:PartiQL*", "dynamodb:Export*",
		"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}}
}

// unwrap allows actions on tenant keys of the given tenant and purposes. Every context key is required and no other is let
// through: context keys are compared case by case in EncryptionContextKeys only, so that check also refuses "Tenant".
func unwrap(sid string, keys []string, stage, tenant string, actions []string, purposes ...string) statement {
	required := map[string]any{
		"kms:EncryptionContext:app": "behalf", "kms:EncryptionContext:env": stage,
		"kms:EncryptionContext:tenant": tenant, "kms:EncryptionContext:purpose": purposes,
	}
	return statement{sid: sid, actions: actions, resources: keys, conditions: conditions{
		"StringEquals":              required,
		"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": []string{"app", "env", "tenant", "purpose", "ver"}},
		"Null":                      {"kms:EncryptionContextKeys": "false", "kms:EncryptionContext:ver": "false", tenantTag: "false"},
	}}
}

// allow is a statement without conditions.
func allow(sid string, actions []string, resources ...string) statement {
	return statement{sid: sid, actions: actions, resources: resources}
}

// document renders statements as a policy.
func document(statements []statement) awsiam.PolicyDocument {
	doc := awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Minimize: jsii.Bool(false)})
	for _, s := range statements {
		doc.AddStatements(awsiam.NewPolicyStatement(s.props()))
	}
	return doc
}

func (s statement) props() *awsiam.PolicyStatementProps {
	p := &awsiam.PolicyStatementProps{Sid: jsii.String(s.sid), Actions: jsii.Strings(s.actions...)}
	if len(s.resources) > 0 {
		p.Resources = jsii.Strings(s.resources...)
	}
	if s.deny {
		p.Effect = awsiam.Effect_DENY
	}
	if len(s.conditions) > 0 {
		block := map[string]any{}
		for operator, keys := range s.conditions {
			block[operator] = keys
		}
		p.Conditions = &block
	}
	return p
}

// join concatenates into a new slice, so that no list shares its array with another.
func join[T any](lists ...[]T) []T { return slices.Concat(lists...) }
