package stacks

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
)

// naming makes every physical name and the ARNs that follow from one.
type naming struct {
	stage, partition, region, account string
	// tenantKeys are Options.TenantKeys: ARNs and patterns of keys that tenants bring.
	tenantKeys []string
}

// namingIn takes partition, Region and account from stack: CloudFormation's pseudo parameters, so that a template fits any account.
func namingIn(stack awscdk.Stack, o Options) naming {
	return naming{stage: o.Stage, tenantKeys: o.tenantKeys(), partition: *stack.Partition(), region: *stack.Region(), account: *stack.Account()}
}

// name is the physical name of a part: behalf-<stage>-<part>.
func (n naming) name(part string) string { return "behalf-" + n.stage + "-" + part }

func (n naming) arn(service, region, resource string) string {
	return strings.Join([]string{"arn", n.partition, service, region, n.account, resource}, ":")
}

func (n naming) table(short string) string {
	return n.arn("dynamodb", n.region, "table/"+n.name(short))
}

func (n naming) function(short string) string {
	return n.arn("lambda", n.region, "function:"+n.name(short))
}

// role is a function's own role.
func (n naming) role(function string) string { return n.arn("iam", "", "role/"+n.name(function)) }

// auditBucket has account and Region in its name, since bucket names are unique in the whole world.
func (n naming) auditBucket() string { return n.name("audit-" + n.account + "-" + n.region) }

func (n naming) segments() string {
	return "arn:" + n.partition + ":s3:::" + n.auditBucket() + "/" + segmentPrefix + "*"
}

// tenantRole is a role that is assumed for one tenant; the functions' own roles are called like the functions.
func (n naming) tenantRole(short string) string {
	return n.arn("iam", "", "role/"+n.tenantRoleName(short))
}

func (n naming) tenantRoleName(short string) string { return n.name("tenant-" + short) }
