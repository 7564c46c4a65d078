package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	api "github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awswafv2"
	"github.com/aws/jsii-runtime-go"
)

// limit is how many requests one address may send to paths that hold text, in five minutes.
type limit struct {
	name, text string
	requests   float64
}

// limits guard what is open to guesses: the pages, which ask for no credential, and the SCIM endpoint, which tells tenants
// apart by a token alone. An office shares one address, and a first directory sync sends some twenty requests each second. The
// agent plane has no such limit: a whole SaaS calls it from a few addresses.
func limits() []limit {
	return []limit{{"connect-pages", "/connect/", 600}, {"oauth-callback", "/oauth/", 600}, {"scim", "/scim/", 9000}}
}

// newFirewall puts a web ACL before the API. Requests are never sampled: a sample shows headers, and so credentials.
func newFirewall(stack awscdk.Stack, n naming, rest api.RestApi) {
	var rules []any
	for i, l := range limits() {
		rules = append(rules, &awswafv2.CfnWebACL_RuleProperty{
			Name: jsii.String(l.name), Priority: jsii.Number(float64(i)), Action: map[string]any{"block": map[string]any{"customResponse": map[string]any{"responseCode": 429}}},
			VisibilityConfig: visibility(n.name(l.name)),
			Statement: map[string]any{"rateBasedStatement": map[string]any{
				"aggregateKeyType": "IP", "limit": l.requests, "evaluationWindowSec": 300, "scopeDownStatement": pathHolds(l.text)}},
		})
	}
	acl := awswafv2.NewCfnWebACL(stack, jsii.String("Firewall"), &awswafv2.CfnWebACLProps{
		Name: jsii.String("behalf-" + n.stage), Scope: jsii.String("REGIONAL"), DefaultAction: map[string]any{"allow": map[string]any{}},
		VisibilityConfig: visibility("behalf-" + n.stage), Rules: rules,
	})
	awswafv2.NewCfnWebACLAssociation(stack, jsii.String("FirewallOfApi"), &awswafv2.CfnWebACLAssociationProps{
		ResourceArn: rest.DeploymentStage().StageArn(), WebAclArn: acl.AttrArn(),
	})
}

// pathHolds matches anywhere in the path, since it begins with the stage's name unless there is a domain.
func pathHolds(text string) map[string]any {
	return map[string]any{"byteMatchStatement": map[string]any{
		"fieldToMatch": map[string]any{"uriPath": map[string]any{}}, "positionalConstraint": "CONTAINS", "searchString": text,
		"textTransformations": []any{map[string]any{"priority": 0, "type": "URL_DECODE"}, map[string]any{"priority": 1, "type": "NORMALIZE_PATH"}},
	}}
}

func visibility(name string) *awswafv2.CfnWebACL_VisibilityConfigProperty {
	return &awswafv2.CfnWebACL_VisibilityConfigProperty{
		CloudWatchMetricsEnabled: jsii.Bool(true), MetricName: jsii.String(name), SampledRequestsEnabled: jsii.Bool(false)}
}
