package policy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/policy"
	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/dynamo"
)

// brought is Local's tenantKeys: the keys of one account.
const brought = "arn:aws:kms:us-east-1:111122223333:key/*"

// stars are the Allow statements that may hold a star, by role, Sid and text, each with its reason.
var stars = map[string]string{
	"Trace resource *":                     "X-Ray has no resources to name (X-Ray, actions and resources for IAM)",
	"OwnKeys resource " + brought:          "keys that tenants bring: the switch names the account, the encryption context the tenant",
	"OpenAccessTokens resource " + brought: "as above",
	"Log resource arn:aws:logs:" + policy.Region + ":" + policy.Account + ":log-group:/aws/lambda/behalf-local-@:*": "the streams of the function's own log group",
	"KeepSegments resource arn:aws:s3:::behalf-local-@-" + policy.Account + "-" + policy.Region + "/segments/*":     "the sealer's own prefix",
}

func TestRoles_Stars_OnlyWithARecordedReason(t *testing.T) {
	t.Parallel()
	for role, r := range load(t).Roles() {
		for _, doc := range r.Policies {
			for _, s := range statementsOf(t, doc) {
				if s["Effect"] != "Allow" {
					continue
				}
				for kind, v := range map[string]any{"action": s["Action"], "resource": s["Resource"]} {
					for _, text := range textsOf(v) {
						key := fmt.Sprintf("%s %s %s", s["Sid"], kind, strings.ReplaceAll(text, "behalf-local-"+role, "behalf-local-@"))
						if strings.Contains(text, "*") && stars[key] == "" {
							t.Errorf("%s: %s", role, key)
						}
					}
				}
			}
		}
	}
}

func textsOf(v any) []string {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make([]string, len(list))
	for i := range list {
		out[i] = fmt.Sprint(list[i])
	}
	return out
}

// managed are the AWS-managed policies that are attached, each with its reason.
var managed = map[string]string{
	"arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs": "how API Gateway writes access logs; set once for an account",
}

func TestRoles_ManagedPolicies_OnlyWithARecordedReason(t *testing.T) {
	t.Parallel()
	d := load(t)
	for name, r := range d.Roles() {
		for _, m := range r.Managed {
			if managed[fmt.Sprint(m)] == "" {
				t.Errorf("%s has managed policy %v", name, m)
			}
		}
	}
	for _, kind := range []string{"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::User"} {
		if found := d.Of(kind); len(found) > 0 {
			t.Errorf("%s %s: a construct added a permission of its own", kind, found[0].LogicalID)
		}
	}
}

func TestExecute_OwnRole_HasNoDataNoKeysNoRoles(t *testing.T) {
	t.Parallel()
	for _, doc := range load(t).Roles()["execute"].Policies {
		for _, s := range statementsOf(t, doc) {
			for _, action := range textsOf(s["Action"]) {
				service, _, _ := strings.Cut(action, ":")
				if !slices.Contains([]string{"lambda", "logs", "xray"}, service) {
					t.Errorf("execute may %s", action)
				}
			}
		}
	}
}

// maxInlineBytes is IAM's limit of a role's inline policies together, white space aside (IAM quotas).
const maxInlineBytes = 10_240

func TestRoles_InlinePolicies_FitIAMsQuota(t *testing.T) {
	t.Parallel()
	for name, r := range load(t).Roles() {
		size := 0
		for _, doc := range r.Policies {
			text, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			size += len(text)
		}
		if size > maxInlineBytes*8/10 {
			t.Errorf("%s: %d bytes, of at most %d", name, size, maxInlineBytes)
		}
	}
}

func TestTables_MatchTheSchema_AndAreProtected(t *testing.T) {
	t.Parallel()
	d := load(t)
	tables := map[string]policy.Resource{}
	for _, r := range d.Of("AWS::DynamoDB::GlobalTable") {
		tables[fmt.Sprint(r.Properties["TableName"])] = r
	}
	if len(tables) != len(dynamo.Schema()) {
		t.Errorf("%d tables", len(tables))
	}
	for _, want := range dynamo.Schema() {
		r, ok := tables["behalf-local-"+want.Name]
		if !ok {
			t.Errorf("no table %s", want.Name)
			continue
		}
		p := r.Properties
		expect(t, want.Name, map[string][2]any{
			"partition key":        {at(p, "KeySchema", 0, "AttributeName"), want.PartitionKey},
			"sort key":             {at(p, "KeySchema", 1, "AttributeName"), want.SortKey},
			"billing":              {p["BillingMode"], "PAY_PER_REQUEST"},
			"encryption":           {at(p, "SSESpecification", "SSEType"), "KMS"},
			"customer key":         {strings.Contains(fmt.Sprint(at(p, "Replicas", 0, "SSESpecification", "KMSMasterKeyId")), ":key/TableKey"), true},
			"point in time":        {at(p, "Replicas", 0, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"), true},
			"deletion protection":  {at(p, "Replicas", 0, "DeletionProtectionEnabled"), true},
			"stays with the stack": {r.DeletionPolicy, "Retain"},
			"time to live":         {at(p, "TimeToLiveSpecification", "AttributeName"), orNil(want.TTL)},
			"stream":               {at(p, "StreamSpecification", "StreamViewType"), orNil(map[bool]string{true: "NEW_IMAGE"}[want.Stream])},
			"replicas":             {at(p, "Replicas", 1), nil},
		})
		for i, index := range want.Indexes {
			expect(t, want.Name+" "+index.Name, map[string][2]any{
				"name":          {at(p, "GlobalSecondaryIndexes", i, "IndexName"), index.Name},
				"partition key": {at(p, "GlobalSecondaryIndexes", i, "KeySchema", 0, "AttributeName"), index.PartitionKey},
				"sort key":      {at(p, "GlobalSecondaryIndexes", i, "KeySchema", 1, "AttributeName"), index.SortKey},
				"projection":    {at(p, "GlobalSecondaryIndexes", i, "Projection", "ProjectionType"), "KEYS_ONLY"},
			})
		}
	}
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func expect(t *testing.T, name string, pairs map[string][2]any) {
	t.Helper()
	for what, p := range pairs {
		if p[0] != p[1] {
			t.Errorf("%s: %s is %v, want %v", name, what, p[0], p[1])
		}
	}
}

func TestKeys_RotateAndStay(t *testing.T) {
	t.Parallel()
	for _, k := range load(t).Of("AWS::KMS::Key") {
		asymmetric := k.Properties["KeySpec"] == "ECC_NIST_P256"
		if !asymmetric && k.Properties["EnableKeyRotation"] != true {
			t.Errorf("%s does not rotate", k.LogicalID)
		}
		if k.DeletionPolicy != "Retain" {
			t.Errorf("%s goes with its stack", k.LogicalID)
		}
		if asymmetric != strings.HasPrefix(k.LogicalID, "SessionKey") {
			t.Errorf("%s has spec %v", k.LogicalID, k.Properties["KeySpec"])
		}
	}
}

// secrets of a request that the access log must not name: the authorizer's answer holds live credentials, the path of a
// connect link is itself the secret, and a query string may hold an authorization code.
var notLogged = []string{"authorizer", "$context.path", "$input", "Authorization", "querystring", "$context.error", "responseOverride", "customDomain"}

func TestAPI_Logs_HoldNoCredential(t *testing.T) {
	t.Parallel()
	stages := load(t).Of("AWS::ApiGateway::Stage")
	if len(stages) != 1 {
		t.Fatalf("%d stages", len(stages))
	}
	p := stages[0].Properties
	settings, _ := p["MethodSettings"].([]any)
	if len(settings) != 1 {
		t.Fatalf("method settings %v", settings)
	}
	expect(t, "stage", map[string][2]any{
		"data trace":   {at(settings[0], "DataTraceEnabled"), false},
		"log level":    {at(settings[0], "LoggingLevel"), "OFF"},
		"all methods":  {fmt.Sprint(at(settings[0], "HttpMethod"), at(settings[0], "ResourcePath")), "*/*"},
		"tracing":      {p["TracingEnabled"], true},
		"access log":   {at(p, "AccessLogSetting", "DestinationArn") != nil, true},
		"request's id": {strings.Contains(fmt.Sprint(at(p, "AccessLogSetting", "Format")), "$context.requestId"), true},
	})
	for _, word := range notLogged {
		if strings.Contains(fmt.Sprint(at(p, "AccessLogSetting", "Format")), word) {
			t.Errorf("the access log names %s", word)
		}
	}
}

func TestAPI_Methods_AreTheRoutes(t *testing.T) {
	t.Parallel()
	d := load(t)
	want := map[string]string{}
	for _, r := range apigw.Routes() {
		authorization := "CUSTOM"
		if r.Auth == apigw.None {
			authorization = "NONE"
		}
		want[r.Method+" "+r.Path] = authorization + " " + string(r.Function)
	}
	paths := map[string]policy.Resource{}
	for _, r := range d.Of("AWS::ApiGateway::Resource") {
		paths[r.LogicalID] = r
	}
	got := map[string]string{}
	for _, m := range d.Of("AWS::ApiGateway::Method") {
		path := ""
		for id := fmt.Sprint(m.Properties["ResourceId"]); paths[id].LogicalID != ""; id = fmt.Sprint(paths[id].Properties["ParentId"]) {
			path = "/" + fmt.Sprint(paths[id].Properties["PathPart"]) + path
		}
		uri := fmt.Sprint(at(m.Properties, "Integration", "Uri"))
		function, how, _ := strings.Cut(uri[strings.LastIndex(uri, "behalf-local-")+len("behalf-local-"):], "/")
		mode, wait := at(m.Properties, "Integration", "ResponseTransferMode"), at(m.Properties, "Integration", "TimeoutInMillis")
		if streams := (apigw.Route{Path: path}).Streams(); streams != (mode == "STREAM") || streams != (how == "response-streaming-invocations") || streams != strings.Contains(uri, "/2021-11-15/") {
			t.Errorf("%s: transfer mode %v by %s", path, mode, how)
		} else if limit := functionsOf(d)[function].Properties["Timeout"]; streams && wait != limit.(float64)*1000 { // the default would cut streams at 29 s
			t.Errorf("%s: API Gateway waits %v ms, %s may run %v s", path, wait, function, limit)
		}
		got[fmt.Sprint(m.Properties["HttpMethod"])+" "+path] = fmt.Sprint(m.Properties["AuthorizationType"]) + " " + function
		if (m.Properties["AuthorizationType"] == "CUSTOM") != (m.Properties["AuthorizerId"] != nil) {
			t.Errorf("%s: authorizer %v", path, m.Properties["AuthorizerId"])
		}
	}
	for route, how := range want {
		if got[route] != how {
			t.Errorf("%s is %q, want %q", route, got[route], how)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d methods, %d routes", len(got), len(want))
	}
}
