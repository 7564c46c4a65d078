package stacks

import "behalf.dev/behalf/shared/env"

// function is what one function is given.
type function struct {
	name    string
	purpose string
	memory  float64 // MiB
	timeout float64 // seconds
	// reserved is the concurrency that is set aside for the function, and the most that it gets; 0 shares what the account has left.
	reserved float64
	// variables are the environment variables that its config requires.
	variables []string
}

// apiTimeout is the longest, in seconds, that API Gateway waits for a function.
const apiTimeout = 29

// oneProcessor is the memory, in MB, with which a function has one processor (Lambda Developer Guide, "Configure Lambda function
// memory"). A renamed group of 8,000 members is 40,000 requests to DynamoDB, some 4 s of processor time: with 256 MB, a seventh of a
// processor, that does not fit into apiTimeout.
const oneProcessor = 1769

// streamTimeout is the same for a route that streams: 200 MB, which is Lambda's limit, at API Gateway's 2 MB/s beyond the first
// 10 MB, and as long as any other call for the first byte. Such a function bounds its other routes itself.
const streamTimeout = 150

// functions lists the functions under functions/, one per trust boundary. Concurrency is set aside for those that a storm of one tenant's
// executions must not starve: who lets callers in, who keeps credentials fresh, and who takes access away. execute itself
// and callback share what is left; audit waits in its stream, for a day if need be.
func functions() []function {
	tables := []string{env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable}
	public := join([]string{env.Stage, env.PublicURL}, tables)
	return []function{
		{name: "authorizer", purpose: "verifies the caller, vends credentials", memory: 256, timeout: 5, reserved: 100,
			variables: []string{env.Stage, env.PublicURL, env.DirectoryTable, env.SessionKey, env.ExecuteRole}},
		{name: "admin", purpose: "control plane", memory: 256, timeout: apiTimeout, reserved: 20,
			variables: join(public, []string{env.SessionKey, env.DirectoryRole, env.RefreshFunction, env.RevokeFunction, env.RevokeQueue, env.EventBus, env.MCPLoginURL})},
		{name: "callback", purpose: "connects accounts", memory: 256, timeout: apiTimeout,
			variables: join(public, []string{env.VaultKey, env.ConnectRole, env.RevokeQueue, env.EventBus})},
		{name: "portal", purpose: "shows people their connections, and asks them about MCP clients", memory: 256, timeout: apiTimeout,
			variables: join(public, []string{env.PortalRole, env.RevokeFunction, env.RevokeQueue, env.EventBus, env.MCPLoginURL})},
		{name: "execute", purpose: "calls providers for agents", memory: 256, timeout: streamTimeout,
			variables: join(public, []string{env.VaultKey, env.RefreshFunction, env.DownloadBytes})},
		{name: "refresh", purpose: "keeps credentials fresh", memory: 512, timeout: 90, reserved: 100,
			variables: join(public, []string{env.VaultKey, env.RefreshRole, env.RefreshQueue, env.EventBus})},
		{name: "scim", purpose: "directory webhook", memory: oneProcessor, timeout: apiTimeout, reserved: 20,
			variables: join(public, []string{env.DirectoryRole, env.RevokeQueue, env.EventBus})},
		{name: "revoke", purpose: "revokes at the providers", memory: 256, timeout: 60, reserved: 20,
			variables: join(public, []string{env.VaultKey, env.RefreshRole, env.RevokeQueue, env.EventBus})},
		{name: keysName, purpose: "renews tenant keys", memory: 256, timeout: 900, // for the schedule; a request ends itself in time
			variables: []string{env.Stage, env.VaultTable, env.DirectoryTable, env.FlowTable, env.AuditTable, env.VaultKey, env.TenantKeys, env.KeysRole, env.ExecuteRole, env.RefreshRole, env.ConnectRole}},
		{name: "notify", purpose: "sends signed webhooks", memory: 256, timeout: 60, reserved: 40,
			variables: join([]string{env.Stage}, tables, []string{env.VaultKey, env.NotifyRole, env.WebhookQueue, env.WebhookDeadQueue, env.EventBus})},
		{name: "audit", purpose: "seals the audit stream", memory: 256, timeout: 60,
			variables: []string{env.Stage, env.AuditTable, env.AuditBucket, env.FlowTable, env.EventBus}},
	}
}

// grants are the ARNs that functions' own policies name and that naming cannot make.
type grants struct {
	naming
	sessionKey, auditStream, auditDead, bus string
	refreshQueue, revokeQueue               string
	webhooks, webhooksDead                  string
}

// functionPolicy is what function may do itself, before it assumes anything. That execute is given no data, key or STS
// permission is the point of the design: code that runs in it cannot ask for another tenant.
func functionPolicy(g grants, function string) []statement {
	publish := allow("Publish", []string{"events:PutEvents"}, g.bus)
	toRevoke := allow("AskRevocation", []string{"sqs:SendMessage"}, g.revokeQueue)
	own := map[string][]statement{
		"authorizer": {
			rows("FindCredential", g.table("directory"), []string{"dynamodb:GetItem"}, "T#*#AUTH"),
			allow("VerifySessions", []string{"kms:GetPublicKey"}, g.sessionKey),
		},
		"admin": {
			rows("DeploymentRows", g.table("directory"), []string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query"},
				deployment+"D", deployment+"AUTH"),
			allow("SignSessions", []string{"kms:Sign", "kms:GetPublicKey"}, g.sessionKey),
			allow("AskNow", []string{"lambda:InvokeFunction"}, g.function("refresh"), g.function("revoke")),
			toRevoke, publish,
		},
		"callback": {toRevoke, publish},
		"portal": {
			toRevoke, publish, allow("AskNow", []string{"lambda:InvokeFunction"}, g.function("revoke")),
			rows("ParkLogins", g.table("flow"), []string{"dynamodb:GetItem", "dynamodb:PutItem"}, deployment+"O#*"),
		},
		"execute": {allow("AskRefresh", []string{"lambda:InvokeFunction"}, g.function("refresh"))},
		"refresh": {
			allow("FindDue", []string{"dynamodb:Query"}, g.table("vault")+"/index/due"),
			allow("Queue", join([]string{"sqs:SendMessage"}, consume), g.refreshQueue),
			publish,
		},
		"scim":   {toRevoke, publish},
		"revoke": {allow("Queue", consume, g.revokeQueue), publish},
		keysName: {rows("ListTenants", g.table("directory"), []string{"dynamodb:Query"}, deployment+"D")},
		"notify": {
			allow("Queue", join([]string{"sqs:SendMessage"}, consume), g.webhooks),
			allow("PutAside", []string{"sqs:SendMessage"}, g.webhooksDead),
			publish,
		},
		"audit": {
			rows("Chain", g.table("audit"), []string{"dynamodb:Query", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem"}, "T#*#H"),
			rows("TellPeople", g.table("flow"), []string{"dynamodb:GetItem", "dynamodb:PutItem"}, "T#*#R#*"),
			allow("ReadStream", []string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}, g.auditStream),
			allow("KeepFailures", []string{"sqs:SendMessage"}, g.auditDead),
			allow("KeepSegments", []string{"s3:PutObject", "s3:GetObject"}, g.segments()), // reads what is there already, to compare
			publish, // of approvals: what execute has no right to
		},
	}
	return join(own[function], mayAssume(g.naming, function), everyFunction(g.naming, function))
}

// consume is what Lambda's queue poller, and a handler that delays a retry, need.
var consume = []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"}

// everyFunction is logging to the function's own group, and tracing, for which X-Ray knows no resource.
func everyFunction(n naming, function string) []statement {
	return []statement{
		allow("Log", []string{"logs:CreateLogStream", "logs:PutLogEvents"}, n.arn("logs", n.region, "log-group:"+logGroupName(n, function)+":*")),
		allow("Trace", []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"}, "*"),
	}
}

func logGroupName(n naming, function string) string { return "/aws/lambda/" + n.name(function) }
