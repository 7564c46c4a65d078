package checks_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/infra/committed"
	"behalf.dev/behalf/infra/stacks"
)

// TestMain stops the process that CDK runs in.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// production is a deployment as one would make it for customers; smallest one for an afternoon.
func production() stacks.Options {
	o := stacks.Local()
	o.Stage, o.PerTenant, o.AuditLock, o.BreakGlass = "prod", true, stacks.AuditCompliance, "root,role/Operators"
	o.Domain, o.Certificate = "behalf.example.com", "arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
	return o
}

func smallest() stacks.Options {
	o := stacks.Local()
	o.Stage, o.Destroy, o.AuditLock, o.Canary, o.Firewall, o.AccountLogRole = "tmp", true, stacks.AuditOff, false, false, false
	return o
}

// synthesised returns the files of the templates made with o.
func synthesised(t *testing.T, o stacks.Options) []string {
	t.Helper()
	o.Placeholder = filepath.Join("..", o.Placeholder)
	from, to := t.TempDir(), t.TempDir()
	stacks.Synthesise(from, o)
	made, err := committed.Templates(from)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for name, text := range made {
		f := filepath.Join(to, name)
		if err := os.WriteFile(f, text, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	slices.Sort(files)
	return files
}

func TestCfnLint_FindsNothing(t *testing.T) {
	asked(t)
	command := lint(t)
	for name, o := range map[string]stacks.Options{"production": production(), "smallest": smallest(), "local": stacks.Local()} {
		// W3005: CDK lists a function's role as a dependency that the reference already makes; it does no harm.
		args := append([]string{"--regions", "eu-central-1", "us-east-1", "--ignore-checks", "W3005", "--"}, synthesised(t, o)...)
		if out, err := exec.CommandContext(t.Context(), command, args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// A linter that accepts everything would pass the test above.
func TestCfnLint_BrokenTemplate_IsFound(t *testing.T) {
	asked(t)
	f := filepath.Join(t.TempDir(), "broken.template.json")
	if err := os.WriteFile(f, []byte(`{"Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"VisibilityTimeOut":30}}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), lint(t), "--", f).CombinedOutput(); err == nil {
		t.Errorf("no complaint: %s", out)
	}
}

// finding is what nag.js prints.
type finding struct{ Kind, Rule, Finding, Stack, Resource, Message string }

// suppression is a finding that stays. resource and finding are matched from beginning to end.
type suppression struct{ rule, resource, finding, reason string }

// suppressed are cdk-nag's findings on a production deployment that stay, each with its reason.
func suppressed() []suppression {
	return []suppression{
		{"AwsSolutions-IAM4", "ApiCloudWatchRole.*", ".*AmazonAPIGatewayPushToCloudWatchLogs", "how API Gateway writes access logs; one role for the account, and AWS documents no narrower one"},
		{"AwsSolutions-IAM5", ".*Role[0-9A-F]{8}", `Resource::\*`, "X-Ray has no resources to name"},
		{"AwsSolutions-IAM5", ".*Role[0-9A-F]{8}", "Resource::arn:<AWS::Partition>:logs:.*:log-group:/aws/lambda/behalf-prod-[a-z]+:\\*", "the streams of the function's own log group"},
		{"AwsSolutions-IAM5", "AuditRole.*", "Resource::arn:<AWS::Partition>:s3:::behalf-prod-audit-.*/segments/\\*", "the sealer's own prefix; it may add and do nothing else"},
		{"AwsSolutions-IAM5", "Tenant(Execute|Refresh|Connect|Keys)[0-9A-F]{8}", `Resource::arn:aws:kms:us-east-1:111122223333:key/\*`, "keys of an account that whoever deploys named (context tenantKeys); the statement asks for tenant, purpose and environment in the encryption context"},
		{"AwsSolutions-APIG2", "Api[0-9A-F]{8}", "", "functions check every request against the published OpenAPI description, with errors that name the field; API Gateway's validator does not"},
		{"AwsSolutions-APIG4", "Api(wellknownjwksjsonGET|openapijsonGET|healthzGET)[0-9A-F]{8}", "", "public by purpose: keys to verify sessions, the API's description, liveness"},
		{"AwsSolutions-APIG4", "Apiwellknownoauthprotectedresource(mcp|mcpview)?GET[0-9A-F]{8}", "", "public by purpose: where a client without a credential learns how to get one (RFC 9728)"},
		{"AwsSolutions-APIG4", "Api(connectlinkGET|connectlinkPOST)[0-9A-F]{8}", "", "a browser with a one-time link; the link is the credential"},
		{"AwsSolutions-APIG4", "Api(approvetoken(GET|POST)|portallinkGET)[0-9A-F]{8}", "", "a browser with a one-time link; the link is the credential"},
		{"AwsSolutions-APIG4", "Apiportal(GET|POST|connectionsconnection(GET|POST)|loginsloginPOST)[0-9A-F]{8}", "", "a browser that opened a one-time link; its cookie, and a token in each form, are the credential"},
		{"AwsSolutions-APIG4", "Apiwellknown(oauthauthorizationserver|openidconfiguration)GET[0-9A-F]{8}", "", "public by purpose: what an authorization server is asked first (RFC 8414)"},
		{"AwsSolutions-APIG4", "Apioauthauthorize(GET|POST)[0-9A-F]{8}", "", "where a login begins: nobody has a credential yet; what it may cause is bounded (docs/decisions/0079)"},
		{"AwsSolutions-APIG4", "Apioauthconsentticket(GET|POST)[0-9A-F]{8}", "", "a browser that began a login; its cookie, the ticket and a token in the form are the credential"},
		{"AwsSolutions-APIG4", "Apioauth(token|revoke)POST[0-9A-F]{8}", "", "clients are public: the code with its verifier, or the refresh token, is the credential (RFC 6749, section 3.2)"},
		{"AwsSolutions-APIG4", "Apioauthcallback(context)?GET[0-9A-F]{8}", "", "a browser on its way back from a provider; the one-time state and the cookie are the credential"},
		{"AwsSolutions-APIG6", "ApiDeploymentStage.*", "", "execution logs would hold the authorizer's answer, which holds live credentials; the access log has what is needed"},
		{"AwsSolutions-COG4", "Api.*(GET|POST|PUT|PATCH|DELETE|ANY)[0-9A-F]{8}", "", "callers are agents and backends with keys and sessions of our own; integration/policy checks each route's authorizer"},
		{"AwsSolutions-S1", "AuditBucket.*", "", "CloudTrail data events tell more, and a bucket for its logs would need the same protection again"},
		{"AwsSolutions-SQS3", "AuditDead.*", "", "it is a dead-letter queue: the failure destination of the stream's event source, which the rule does not know"},
	}
}

func (s suppression) matches(t *testing.T, f finding) bool {
	t.Helper()
	match := func(pattern, text string) bool { return regexp.MustCompile("^(?:" + pattern + ")$").MatchString(text) }
	return s.rule == f.Rule && match(s.resource, f.Resource) && match(s.finding, f.Finding)
}

// nag runs cdk-nag over templates.
func nag(t *testing.T, files []string) []finding {
	t.Helper()
	c := exec.CommandContext(t.Context(), "node", append([]string{"nag.js"}, files...)...)
	c.Env = append(os.Environ(), "NODE_PATH="+nodeModules(t), "CDK_OUTDIR="+t.TempDir())
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("run cdk-nag: %v", err)
	}
	var found []finding
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatalf("read cdk-nag's findings: %v", err)
	}
	return found
}

func TestCDKNag_Production_FindsWhatIsSuppressedWithAReason(t *testing.T) {
	asked(t)
	used := map[int]bool{}
	for _, f := range nag(t, synthesised(t, production())) {
		i := slices.IndexFunc(suppressed(), func(s suppression) bool { return s.matches(t, f) })
		if f.Kind != "finding" || i < 0 {
			t.Errorf("%s %s: %s/%s [%s]: %s", f.Kind, f.Rule, f.Stack, f.Resource, f.Finding, f.Message)
			continue
		}
		used[i] = true
	}
	for i, s := range suppressed() {
		if !used[i] {
			t.Errorf("nothing needs the suppression of %s for %s %s", s.rule, s.resource, s.finding)
		}
	}
}

// Without a firewall cdk-nag must complain, or it did not look.
func TestCDKNag_WithoutFirewall_IsFound(t *testing.T) {
	asked(t)
	found := nag(t, synthesised(t, smallest()))
	if !slices.ContainsFunc(found, func(f finding) bool { return f.Rule == "AwsSolutions-APIG3" }) {
		t.Errorf("no complaint among %d findings", len(found))
	}
}
