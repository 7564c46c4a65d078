package stacks

import (
	"strconv"

	"cmp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/shared/env"
)

// newService makes the service stack: queues and bus, then roles that name them, then functions, then what calls these.
func newService(scope constructs.Construct, o Options, k keys, tables map[string]awsdynamodb.TableV2) awscdk.Stack {
	stack := newStack(scope, o, "service", "Behalf: functions and HTTP API")
	n := namingIn(stack, o)
	q := newQueues(stack, n, o)
	bus := awsevents.NewEventBus(stack, jsii.String("Bus"), &awsevents.EventBusProps{EventBusName: jsii.String("behalf-" + o.Stage)})
	g := grants{naming: n, sessionKey: *k.session.KeyArn(), auditStream: *tables["audit"].TableStreamArn(), bus: *bus.EventBusArn(),
		auditDead: *q.auditDead.QueueArn(), refreshQueue: *q.refresh.QueueArn(), revokeQueue: *q.revoke.QueueArn(),
		webhooks: *q.webhooks.QueueArn(), webhooksDead: *q.webhooksDead.QueueArn()}
	roles := newFunctionRoles(stack, g)
	for _, r := range tenantRoles(n, *k.vault.KeyArn()) {
		newTenantRole(stack, n, o, r, roles)
	}
	api := newAPI(stack, n, o)
	values := variables(n, o, k)
	values[env.PublicURL], values[env.EventBus] = publicURL(stack, o, api), *bus.EventBusName()
	newGatewayResponses(api, values[env.PublicURL])
	values[env.RefreshQueue], values[env.RevokeQueue] = *q.refresh.QueueUrl(), *q.revoke.QueueUrl()
	values[env.WebhookQueue], values[env.WebhookDeadQueue] = *q.webhooks.QueueUrl(), *q.webhooksDead.QueueUrl()
	made := map[string]awslambda.Function{}
	for _, f := range functions() {
		made[f.name] = newFunction(stack, n, o, f, roles[f.name], values)
	}
	newRoutes(stack, o, api, made)
	if o.Firewall {
		newFirewall(stack, n, api)
	}
	newSources(stack, made, q, g)
	newWebhookRule(stack, n, bus, q.webhooks)
	countWebhooks(stack, made["notify"].LogGroup())
	newSchedule(stack, n, schedule{name: "sweep", description: "Behalf: looks for connections that are due", rate: "rate(1 minute)", input: `{"sweep":true}`, lateSeconds: 60}, "refresh", made["refresh"])
	newSchedule(stack, n, schedule{name: "keys-daily", description: "Behalf: rotates tenant keys and seals again", rate: "rate(1 day)", input: `{"schedule":true}`, lateSeconds: 3600}, keysName, made[keysName])
	return stack
}

// variables are the values of the environment variables whose values are known before the service stack is made.
func variables(n naming, o Options, k keys) map[string]string {
	v := map[string]string{
		env.Stage: o.Stage, env.LogLevel: o.LogLevel, env.DownloadBytes: strconv.FormatFloat(o.DownloadBytes, 'f', 0, 64), env.VaultKey: *k.vault.KeyArn(), env.SessionKey: *k.session.KeyArn(),
		env.AuditBucket: n.auditBucket(), env.RefreshFunction: n.name("refresh"), env.RevokeFunction: n.name("revoke"),
		env.TenantKeys: cmp.Or(strings.Join(o.tenantKeys(), ","), "none"), env.MCPLoginURL: cmp.Or(o.MCPLoginURL, "none"),
	}
	for name, short := range map[string]string{env.VaultTable: "vault", env.DirectoryTable: "directory", env.FlowTable: "flow", env.AuditTable: "audit"} {
		v[name] = n.name(short)
	}
	for name, short := range map[string]string{env.ExecuteRole: "execute", env.RefreshRole: "refresh", env.ConnectRole: "connect", env.PortalRole: "portal", env.DirectoryRole: "directory", env.KeysRole: keysName, env.NotifyRole: "notify"} {
		v[name] = n.tenantRole(short)
	}
	return v
}

// newFunctionRoles makes the functions' own roles, by function.
func newFunctionRoles(stack awscdk.Stack, g grants) map[string]awsiam.Role {
	roles := map[string]awsiam.Role{}
	for _, f := range functions() {
		roles[f.name] = newFunctionRole(stack, g.naming, f.name, functionPolicy(g, f.name))
	}
	return roles
}

func newFunctionRole(stack awscdk.Stack, n naming, function string, policy []statement) awsiam.Role {
	return awsiam.NewRole(stack, jsii.String(title(function)+"Role"), &awsiam.RoleProps{
		RoleName:       jsii.String(n.name(function)),
		Description:    jsii.String("Behalf: function " + function),
		AssumedBy:      awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		InlinePolicies: &map[string]awsiam.PolicyDocument{"own": document(policy)},
	})
}
