package stacks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/infra/committed"
	"behalf.dev/behalf/infra/stacks"
)

const (
	committedDir = "../../integration/stack/template"
	canaryDir    = "../../integration/policy/canary"
)

func TestCommittedTemplates_AreWhatCDKMakes(t *testing.T) {
	const fix = "run: go -C infra run . -templates ../integration/stack/template"
	fresh := templates(t, stacks.Local())
	files := 0
	for _, dir := range []string{committedDir, canaryDir} {
		found, err := filepath.Glob(filepath.Join(dir, "*.template.json"))
		if err != nil {
			t.Fatal(err)
		}
		files += len(found)
	}
	if files != len(fresh) {
		t.Errorf("%d committed templates, %d stacks; %s", files, len(fresh), fix)
	}
	for name, want := range fresh {
		dir := committedDir
		if committed.Canary(name) {
			dir = canaryDir
		}
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%v; %s", err, fix)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s is stale; %s", name, fix)
		}
	}
}

// resources returns the resources of one type in the service or data stack of templates, by logical id.
func resources(t *testing.T, templates map[string][]byte, kind string) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for name, text := range templates {
		var parsed struct{ Resources map[string]map[string]any }
		if err := json.Unmarshal(text, &parsed); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for id, r := range parsed.Resources {
			if r["Type"] == kind {
				out[id] = r
			}
		}
	}
	return out
}

// The header that picks the tenant's environment comes from the authorizer; a client's header of that name is overwritten.
func TestPerTenant_TenantComesFromTheAuthorizerOnly(t *testing.T) {
	o := stacks.Local()
	o.PerTenant = true
	made := templates(t, o)
	isolated := 0
	for id, f := range resources(t, made, "AWS::Lambda::Function") {
		mode := fmt.Sprint(f["Properties"].(map[string]any)["TenancyConfig"])
		if strings.Contains(mode, "PER_TENANT") != strings.HasPrefix(id, "Execute") {
			t.Errorf("%s: tenancy %s", id, mode)
		}
	}
	for id, m := range resources(t, made, "AWS::ApiGateway::Method") {
		integration := m["Properties"].(map[string]any)["Integration"].(map[string]any)
		text, err := json.Marshal(integration)
		if err != nil {
			t.Fatal(err)
		}
		parameters := fmt.Sprint(integration["RequestParameters"])
		if strings.Contains(string(text), `"Execute`) {
			isolated++
			if parameters != "map[integration.request.header.X-Amz-Tenant-Id:context.authorizer.tenant]" {
				t.Errorf("%s: %s", id, parameters)
			}
		} else if parameters != "<nil>" {
			t.Errorf("%s: %s", id, parameters)
		}
	}
	if isolated == 0 {
		t.Error("no method leads to execute")
	}
}

func TestDestroy_TablesAndKeysGoWithTheStacks(t *testing.T) {
	o := stacks.Local()
	o.Destroy = true
	made := templates(t, o)
	for _, kind := range []string{"AWS::DynamoDB::GlobalTable", "AWS::KMS::Key", "AWS::Logs::LogGroup"} {
		for id, r := range resources(t, made, kind) {
			if r["DeletionPolicy"] != "Delete" {
				t.Errorf("%s: %v", id, r["DeletionPolicy"])
			}
			if strings.Contains(fmt.Sprint(r["Properties"]), "DeletionProtectionEnabled:true") {
				t.Errorf("%s is protected and cannot go", id)
			}
		}
	}
}

func TestDomain_OwnHostReplacesTheAPIs(t *testing.T) {
	o := stacks.Local()
	o.Domain, o.Certificate = "behalf.example.com", "arn:aws:acm:eu-central-1:123456789012:certificate/0"
	made := templates(t, o)
	for id, r := range resources(t, made, "AWS::ApiGateway::RestApi") {
		if r["Properties"].(map[string]any)["DisableExecuteApiEndpoint"] != true {
			t.Errorf("%s can be reached around the domain", id)
		}
	}
	domains := resources(t, made, "AWS::ApiGateway::DomainName")
	for id, r := range domains {
		if r["Properties"].(map[string]any)["SecurityPolicy"] != "TLS_1_2" {
			t.Errorf("%s: %v", id, r["Properties"])
		}
	}
	if len(domains) != 1 {
		t.Errorf("%d domains", len(domains))
	}
	for id, f := range resources(t, made, "AWS::Lambda::Function") {
		text := fmt.Sprint(f["Properties"].(map[string]any)["Environment"])
		if strings.Contains(text, "BEHALF_PUBLIC_URL") && !strings.Contains(text, "BEHALF_PUBLIC_URL:https://behalf.example.com ") {
			t.Errorf("%s: %s", id, text)
		}
	}
}

func TestFromContext_BadSwitch_IsRefused(t *testing.T) {
	for _, bad := range []map[string]any{
		{"stage": "Prod"}, {"stage": "a_b"}, {"stage": strings.Repeat("a", 21)}, {"removal": "delete"}, {"tenantIsolation": "yes"},
		{"domain": "x.example.com"}, {"certificate": "arn"}, {"logDays": "many"}, {"accountLogRole": "true"}, {"logLevel": "loud"}, {"firewall": "false"},
		{"auditLock": "on"}, {"auditDays": 0.5}, {"auditDays": "0"}, {"removal": "destroy", "auditLock": "compliance"}, {"canary": "yes"}, {"stsQuota": 0}, {"downloadBytes": 0}, {"downloadBytes": 200_000_001}, {"downloadBytes": 1.5}, {"kmsQuota": "lots"},
		{"breakGlass": "*"}, {"breakGlass": "role/*"}, {"breakGlass": "user/eve"}, {"breakGlass": "root,"}, {"breakGlass": "arn:aws:iam::123456789012:root"},
	} {
		if o, err := fromContext(bad); err == nil {
			t.Errorf("%v gave %+v", bad, o)
		}
	}
}

func TestFromContext_Switches_AreRead(t *testing.T) {
	got, err := fromContext(map[string]any{"stage": "prod", "removal": "destroy", "tenantIsolation": "on", "logDays": 90, "accountLogRole": "off", "logLevel": "warn", "firewall": "off",
		"auditLock": "off", "auditDays": 30, "breakGlass": "root, role/Admin", "canary": "off", "stsQuota": 1000, "kmsQuota": 100000, "downloadBytes": 5000000})
	want := stacks.Defaults()
	want.Stage, want.Destroy, want.PerTenant, want.LogDays, want.AccountLogRole, want.LogLevel, want.Firewall = "prod", true, true, 90, false, "warn", false
	want.AuditLock, want.AuditDays, want.BreakGlass, want.Canary, want.STSQuota, want.KMSQuota, want.DownloadBytes = "off", 30, "root, role/Admin", false, 1000, 100_000, 5_000_000
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

// What cdk.json says must be what the app does without it, since the committed templates are made without it.
func TestCDKJSON_SaysTheDefaults(t *testing.T) {
	text, err := os.ReadFile("../../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Context map[string]any }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if got, err := fromContext(file.Context); err != nil || got != stacks.Defaults() {
		t.Errorf("%+v, %v; defaults %+v", got, err, stacks.Defaults())
	}
}

func fromContext(context map[string]any) (stacks.Options, error) {
	return stacks.FromContext(awscdk.NewApp(&awscdk.AppProps{Context: &context, AnalyticsReporting: jsii.Bool(false)}))
}
