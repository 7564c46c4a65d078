// Package stacks declares Behalf's five CloudFormation stacks.
//
//	keys     the KMS key that wraps tenant keys, the key that signs sessions
//	data     the four tables of dynamo.Schema, the key that encrypts them at rest, the bucket of audit segments
//	service  functions, roles, HTTP API, queues, event bus, schedule, logs, firewall
//	canary   the function that attacks two tenants of its own, each hour
//	watch    alarms and dashboard
//
// What must not drift is data here and is written once: functions() says what each function is given, functionPolicy()
// what it may do itself, tenantRoles() what it may do for one tenant. No construct adds a permission behind our back:
// roles are handed to constructs as immutable, so each policy in the template is a statement that can be read here.
//
// Physical names are made by naming, and a stack refers to another stack's tables and roles by name, not by export, since
// CloudFormation refuses to change an export that is in use. Only the two key ARNs and the stream ARN, which cannot be
// known in advance, are exported.
package stacks
