package stacks

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
)

// itemAccess is every way to the items of a table that a resource policy can name.
var itemAccess = []string{
	"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan",
	"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem",
	"dynamodb:PartiQLSelect", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete",
}

// onlyNamed is the policy of a table: it refuses its items to every principal but the roles whose own policies name the table,
// and the break-glass principals. It allows nothing. A role that an administrator makes later, or one with a policy for all of
// DynamoDB, so stays outside. Roles are compared as text and not named as principals, since they are made after the tables.
// Administration of the table is not touched: CloudFormation must be able to change it, this policy included.
func onlyNamed(n naming, o Options, table string) awsiam.PolicyDocument {
	named := rolesAt(n, n.table(table))
	for _, who := range o.breakGlass() {
		named = append(named, n.arn("iam", "", who))
	}
	s := statement{sid: "OnlyNamedRoles", deny: true, actions: itemAccess, resources: []string{n.table(table), n.table(table) + "/index/*"},
		conditions: conditions{"ArnNotLike": {"aws:PrincipalArn": named}}}.props()
	s.Principals = &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()}
	doc := document(nil)
	doc.AddStatements(awsiam.NewPolicyStatement(s))
	return doc
}

// rolesAt lists the ARNs of the roles that are allowed something at a table, read from their policies.
func rolesAt(n naming, table string) []string {
	var out []string
	names := func(s statement) bool {
		return !s.deny && slices.ContainsFunc(s.resources, func(r string) bool { return r == table || strings.HasPrefix(r, table+"/index/") })
	}
	for _, r := range tenantRoles(n, "") {
		if slices.ContainsFunc(r.statements, names) {
			out = append(out, n.tenantRole(r.name))
		}
	}
	for _, f := range functions() {
		if slices.ContainsFunc(functionPolicy(grants{naming: n}, f.name), names) {
			out = append(out, n.role(f.name))
		}
	}
	return out
}
