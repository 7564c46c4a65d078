package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"

	"behalf.dev/behalf/shared/env"
)

// canaryName is the short name of the function, of its role and of its schedule's beginning.
const canaryName = "canary"

// canaryFunction attacks the tenant roles with two tenants of its own.
func canaryFunction() function {
	return function{name: canaryName, purpose: "attacks its own tenants and counts what gets through", memory: 256, timeout: 120,
		variables: []string{env.Stage, env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable, env.VaultKey,
			env.ExecuteRole, env.RefreshRole, env.ConnectRole, env.PortalRole, env.DirectoryRole, env.KeysRole, env.NotifyRole}}
}

// deployedFunctions are functions and, unless it is switched off, the canary.
func deployedFunctions(o Options) []function {
	if !o.Canary {
		return functions()
	}
	return append(functions(), canaryFunction())
}

// newCanary makes the canary's stack: apart from the others, so that it can be left out, and so that the local stack, which
// deploys the other templates, need not run it. It has no data permission: all it may do is to assume the tenant roles, and their
// trust policies let it do that for canaryTenants alone.
func newCanary(scope constructs.Construct, o Options, k keys) awscdk.Stack {
	stack := newStack(scope, o, canaryName, "Behalf: isolation canary")
	n := namingIn(stack, o)
	var roles []string
	for _, r := range tenantRoles(n, "") {
		roles = append(roles, n.tenantRole(r.name))
	}
	policy := join([]statement{allow("AssumeAsCanary", assume, roles...)}, everyFunction(n, canaryName))
	f := newFunction(stack, n, o, canaryFunction(), newFunctionRole(stack, n, canaryName, policy), variables(n, o, k))
	newSchedule(stack, n, schedule{name: "canary-hourly", description: "Behalf: runs the isolation canary", rate: "rate(1 hour)", input: "{}", lateSeconds: 600}, canaryName, f)
	return stack
}
