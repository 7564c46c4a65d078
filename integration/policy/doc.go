// Package policy judges the permissions that are deployed.
//
// Templates are the committed templates: those of integration/stack/template, and that of the canary, which is committed here
// because the local stack does not run it. Load resolves their roles, trust policies, key policies and table policies to plain
// documents. The tests then ask, of every role and by the evaluator that also guards the local stack:
//
//	what may it do     a matrix of role, table, partition and action, complete in both directions
//	what is an attack  a table of named attempts that must fail: other tenant, other principal, no key, mixed batch, ...
//	would we notice    each condition is removed or widened in turn, and the two above must then fail
//
// It needs neither AWS nor CDK. That the templates are the ones CDK makes is a test of the infra module.
package policy
