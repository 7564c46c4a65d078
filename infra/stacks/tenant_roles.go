package stacks

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// tenantRole is a role that a function assumes for one tenant, or one principal of it, by session tags.
type tenantRole struct {
	name, purpose string
	assumedBy     []string
	tags          []string // session tags that must be present
	realTenant    bool     // refuses the pseudo tenant _deployment
	statements    []statement
}

// keysName is the function that renews tenant keys, and the role that it works with. It may also assume the roles that open
// something, to try a KMS key that a tenant brings as they will use it. That adds nothing to what it has: its own role opens
// everything of the tenant.
const keysName = "keys"

// tenantRoles is everything that can be done to a tenant's data. vaultKey is the ARN of the key that wraps tenant keys.
func tenantRoles(n naming, vaultKey string) []tenantRole {
	return []tenantRole{
		{name: "execute", purpose: "opens access tokens of one principal", assumedBy: []string{"authorizer", keysName},
			tags: []string{"tenant", "principal"}, realTenant: true, statements: executeStatements(n, vaultKey)},
		{name: "refresh", purpose: "renews and revokes the credentials of one tenant", assumedBy: []string{"refresh", "revoke", keysName},
			tags: []string{"tenant"}, statements: refreshStatements(n, vaultKey)},
		{name: "connect", purpose: "stores the credentials of one principal", assumedBy: []string{"callback", keysName},
			tags: []string{"tenant", "principal"}, statements: connectStatements(n, vaultKey)},
		{name: "portal", purpose: "shows one principal what it has, and ends it; opens nothing", assumedBy: []string{"portal"},
			tags: []string{"tenant", "principal"}, realTenant: true, statements: portalStatements(n)},
		{name: "directory", purpose: "manages one tenant, opens nothing", assumedBy: []string{"admin", "scim"},
			tags: []string{"tenant"}, statements: directoryStatements(n)},
		{name: keysName, purpose: "renews the keys of one tenant and what is sealed under them", assumedBy: []string{keysName},
			tags: []string{"tenant"}, statements: keysStatements(n, vaultKey)},
		{name: "notify", purpose: "signs and sends the webhooks of one tenant", assumedBy: []string{"notify"},
			tags: []string{"tenant"}, statements: notifyStatements(n, vaultKey)},
	}
}

// executeStatements: purpose at alone, so that the largest attack surface never yields a refresh token.
func executeStatements(n naming, key string) []statement {
	vault, flow, audit := n.table("vault"), n.table("flow"), n.table("audit")
	return []statement{
		rows("ReadVault", vault, readItems, ofPrincipal, ofTenant+"K", ofTenant+"S", deployment+"S"),
		rows("ClaimIdempotency", flow, []string{"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}, ofPrincipal),
		rows("CountBudgets", flow, []string{"dynamodb:UpdateItem"}, ofTenant+"B"),
		rows("AppendAudit", audit, []string{"dynamodb:PutItem"}, ofTenant+"A#*"),
		unwrap("OpenAccessTokens", wrapping(n, key), n.stage, "${"+tenantTag+"}", []string{"kms:Decrypt"}, "at"),
		never(),
	}
}

func refreshStatements(n naming, key string) []statement {
	vault, audit := n.table("vault"), n.table("audit")
	return append([]statement{
		rows("Connections", vault, allItems, ofTenant+"U#*", ofTenant+"L"),
		rows("TenantKeys", vault, []string{"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"}, ofTenant+"K"),
		rows("ReadClients", vault, lookItems, ofTenant+"X", ofTenant+"S", deployment+"X", deployment+"K"),
		rows("AppendAudit", audit, []string{"dynamodb:PutItem"}, ofTenant+"A#*"),
		never(),
	}, sealStatements(n, key)...)
}

func connectStatements(n naming, key string) []statement {
	vault, directory, flow, audit := n.table("vault"), n.table("directory"), n.table("flow"), n.table("audit")
	return append([]statement{
		rows("Connections", vault, allItems, ofPrincipal, ofTenant+"K", ofTenant+"X", ofTenant+"L"),
		rows("ReadClients", vault, lookItems, ofTenant+"S", deployment+"X", deployment+"K"),
		rows("ReadTenant", directory, []string{"dynamodb:GetItem"}, ofTenant+"D"),
		rows("Links", flow, allItems, ofTenant+"F#*"),
		rows("Approvals", flow, []string{"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"}, ofPrincipal),
		rows("AppendAudit", audit, []string{"dynamodb:PutItem"}, ofTenant+"A#*"),
		never(),
	}, sealStatements(n, key)...)
}

// portalStatements: no KMS at all, and of what was done only the principal's own list: rows of the audit trail are partitioned by
// hour, so that a right to read one would be a right to read everybody's.
func portalStatements(n naming) []statement {
	vault, directory, flow, audit := n.table("vault"), n.table("directory"), n.table("flow"), n.table("audit")
	return []statement{
		rows("Connections", vault, join(readItems, []string{"dynamodb:PutItem"}), ofPrincipal),
		rows("State", vault, readItems, ofTenant+"S"),
		rows("ReadTenant", directory, []string{"dynamodb:GetItem"}, ofTenant+"D"),
		rows("Visits", flow, []string{"dynamodb:GetItem", "dynamodb:PutItem"}, ofTenant+"F#P#*"),
		rows("Logins", flow, []string{"dynamodb:GetItem", "dynamodb:PutItem"}, ofTenant+"O#*"),
		rows("Allowed", flow, []string{"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"}, ofTenant+"M#${"+principalTag+"}"),
		rows("Lately", flow, []string{"dynamodb:GetItem"}, ofTenant+"R#${"+principalTag+"}"),
		rows("AppendAudit", audit, []string{"dynamodb:PutItem"}, ofTenant+"A#*"),
		never(),
	}
}

// sealStatements: all purposes of the own tenant, and the client secrets of the deployment, which may be read only.
func sealStatements(n naming, key string) []statement {
	return []statement{
		unwrap("OwnKeys", wrapping(n, key), n.stage, "${"+tenantTag+"}", []string{"kms:Decrypt", "kms:GenerateDataKey"}, "at", "rt", "cs"),
		unwrap("DeploymentClients", []string{key}, n.stage, "_deployment", []string{"kms:Decrypt"}, "cs"),
	}
}

// wrapping are the keys that may wrap a tenant's own keys: the deployment's, and those that tenants may bring.
func wrapping(n naming, key string) []string { return append([]string{key}, n.tenantKeys...) }

// keysStatements: what is sealed is read and swapped, never created or deleted; of the keys themselves, all of it.
func keysStatements(n naming, key string) []statement {
	vault, directory, audit := n.table("vault"), n.table("directory"), n.table("audit")
	return []statement{
		rows("TenantKeys", vault, []string{"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"}, ofTenant+"K"),
		rows("Slots", vault, []string{"dynamodb:BatchGetItem", "dynamodb:UpdateItem"}, ofTenant+"U#*"),
		rows("Listed", vault, []string{"dynamodb:Query"}, ofTenant+"L"),
		rows("Clients", vault, []string{"dynamodb:Query", "dynamodb:PutItem"}, ofTenant+"X", ofTenant+"W"),
		rows("ReadTenant", directory, []string{"dynamodb:GetItem"}, ofTenant+"D"),
		rows("AppendAudit", audit, []string{"dynamodb:PutItem"}, ofTenant+"A#*"),
		unwrap("OwnKeys", wrapping(n, key), n.stage, "${"+tenantTag+"}", []string{"kms:Decrypt", "kms:GenerateDataKey"}, "at", "rt", "cs"),
		unwrap("WebhookKeys", []string{key}, n.stage, "${"+tenantTag+"}", []string{"kms:Decrypt", "kms:GenerateDataKey"}, "wh"),
		never(),
	}
}

// directoryStatements: no KMS at all. Deleting the wrapped keys is how a tenant is shredded.
func directoryStatements(n naming) []statement {
	vault, directory, flow, audit := n.table("vault"), n.table("directory"), n.table("flow"), n.table("audit")
	return []statement{
		rows("Directory", directory, allItems, ofTenant+"D", ofTenant+"SCIM", ofTenant+"AUTH"),
		rows("State", vault, join(readItems, []string{"dynamodb:UpdateItem", "dynamodb:PutItem", "dynamodb:ConditionCheckItem"}),
			ofTenant+"U#*", ofTenant+"L", ofTenant+"S"),
		rows("Shred", vault, []string{"dynamodb:DeleteItem", "dynamodb:Query"}, ofTenant+"K", ofTenant+"X", ofTenant+"W"),
		rows("Links", flow, join(lookItems, []string{"dynamodb:DeleteItem", "dynamodb:UpdateItem"}), ofTenant+"F#*"),
		rows("Logins", flow, []string{"dynamodb:GetItem", "dynamodb:PutItem"}, ofTenant+"O#*"),
		rows("Allowed", flow, []string{"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"}, ofTenant+"M#*"),
		rows("Switches", vault, []string{"dynamodb:GetItem"}, ofTenant+"S", deployment+"S"),
		rows("Audit", audit, join(lookItems, []string{"dynamodb:PutItem"}), ofTenant+"A#*"),
		rows("Chain", audit, lookItems, ofTenant+"H"),
		never(),
	}
}

// notifyStatements: purpose wh alone, whose keys the deployment's KMS key wraps, also of tenants that brought one of their own. It talks
// to addresses that tenants choose, so it reaches no credential.
func notifyStatements(n naming, key string) []statement {
	vault, directory, audit := n.table("vault"), n.table("directory"), n.table("audit")
	return []statement{
		rows("Webhooks", vault, []string{"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"}, ofTenant+"W"),
		rows("TenantKeys", vault, []string{"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"}, ofTenant+"K"),
		rows("ReadTenant", directory, []string{"dynamodb:GetItem"}, ofTenant+"D"),
		rows("AppendAudit", audit, []string{"dynamodb:PutItem"}, ofTenant+"A#*"),
		unwrap("WebhookKeys", []string{key}, n.stage, "${"+tenantTag+"}", []string{"kms:Decrypt", "kms:GenerateDataKey"}, "wh"),
		never(),
	}
}

// newTenantRole makes the role. own are the roles of the functions, by function.
func newTenantRole(stack awscdk.Stack, n naming, o Options, r tenantRole, own map[string]awsiam.Role) {
	principals := make([]awsiam.IPrincipal, 0, len(r.assumedBy))
	for _, f := range r.assumedBy {
		principals = append(principals, awsiam.NewArnPrincipal(own[f].RoleArn()))
	}
	role := awsiam.NewRole(stack, jsii.String("Tenant"+title(r.name)), &awsiam.RoleProps{
		RoleName:           jsii.String(n.tenantRoleName(r.name)),
		Description:        jsii.String("Behalf: " + r.purpose),
		AssumedBy:          principals[0],
		MaxSessionDuration: awscdk.Duration_Hours(jsii.Number(1)),
		InlinePolicies:     &map[string]awsiam.PolicyDocument{"tenant": document(r.statements)},
	})
	// The L2 construct writes a trust policy of its own, which knows no conditions: ours replaces it.
	cfn := role.Node().DefaultChild().(awsiam.CfnRole)
	cfn.SetAssumeRolePolicyDocument(trust(n, o, r, principals))
}

// trust lets the named functions assume the role only with all tags it needs, none of them empty, and no tag that no policy
// knows. SetSourceIdentity carries no tags on the wire and so has a statement of its own; alone it grants nothing.
func trust(n naming, o Options, r tenantRole, principals []awsiam.IPrincipal) awsiam.PolicyDocument {
	tagged := tagConditions(r)
	if r.realTenant {
		tagged["StringNotLike"] = map[string]any{"aws:RequestTag/tenant": "_*"}
	}
	statements := []statement{
		{sid: "TaggedOnly", actions: []string{"sts:AssumeRole", "sts:TagSession"}, conditions: tagged},
		{sid: "NameTheSource", actions: []string{"sts:SetSourceIdentity"}, conditions: conditions{"StringLike": {"sts:SourceIdentity": "?*"}}},
	}
	doc := awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Minimize: jsii.Bool(false)})
	for _, s := range statements {
		p := s.props()
		p.Principals = &principals
		doc.AddStatements(awsiam.NewPolicyStatement(p))
	}
	if o.Canary {
		trustCanary(doc, n, r)
	}
	return doc
}

// tagConditions ask for every tag of the role, and for no other than the two that policies know.
func tagConditions(r tenantRole) conditions {
	present := map[string]any{}
	for _, t := range r.tags {
		present["aws:RequestTag/"+t] = "?*"
	}
	return conditions{
		"StringLike":                present,
		"ForAllValues:StringEquals": {"aws:TagKeys": []string{"tenant", "principal"}},
		"Null":                      {"aws:TagKeys": "false"},
	}
}

// canaryTenants is outside the grammar of tenant ids, so no customer can be one.
const canaryTenants = "_canary-?*"

// trustCanary lets the canary assume the role as one of its own tenants. It is named by condition, since its stack is made after
// this one and a trust policy cannot name a role that does not exist.
func trustCanary(doc awsiam.PolicyDocument, n naming, r tenantRole) {
	canary := map[string]any{"aws:PrincipalArn": n.role(canaryName)}
	tagged := tagConditions(r)
	tagged["StringLike"]["aws:RequestTag/tenant"] = canaryTenants
	tagged["ArnEquals"] = canary
	for _, s := range []statement{
		{sid: "CanaryTenantsOnly", actions: []string{"sts:AssumeRole", "sts:TagSession"}, conditions: tagged},
		{sid: "NameTheCanary", actions: []string{"sts:SetSourceIdentity"}, conditions: conditions{"ArnEquals": canary, "StringLike": {"sts:SourceIdentity": "?*"}}},
	} {
		p := s.props()
		p.Principals = &[]awsiam.IPrincipal{awsiam.NewArnPrincipal(jsii.String(n.arn("iam", "", "root")))}
		doc.AddStatements(awsiam.NewPolicyStatement(p))
	}
}

// assume is what STS asks for when a role is assumed with tags and a source identity.
var assume = []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}

// mayAssume is what a function needs to use the tenant roles that trust it.
func mayAssume(n naming, function string) []statement {
	var out []statement
	for _, r := range tenantRoles(n, "") {
		if slices.Contains(r.assumedBy, function) {
			out = append(out, allow("AssumeFor"+title(r.name), assume, n.tenantRole(r.name)))
		}
	}
	return out
}
