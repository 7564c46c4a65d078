package canary_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"behalf.dev/behalf/functions/canary"
	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/integration/policy"
	"behalf.dev/behalf/shared/awslambda"
	"behalf.dev/behalf/shared/env"
)

const service = "behalf-local-service"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// world is an account with the deployed templates, changed by change, and the canary in it as deployed: its own role's
// credentials, its own environment.
type world struct {
	account *localaws.AWS
	canary  *canary.Function
	out     *bytes.Buffer
}

func deploy(t *testing.T, change func(templates map[string][]byte)) world {
	t.Helper()
	templates, err := policy.Templates()
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(templates)
	}
	a, err := localaws.New(localaws.Options{Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	made, err := a.LoadTemplates(templates)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(made.Functions, func(f localaws.Function) bool { return f.Name == "behalf-local-canary" })
	if i < 0 {
		t.Fatal("the templates deploy no canary")
	}
	f := made.Functions[i]
	key, sec, token := a.RoleCredentials(f.RoleARN)
	out := &bytes.Buffer{}
	c, err := canary.New(awslambda.Deps{Metrics: out, Lookup: env.FromMap(f.Environment), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon },
		AWS: aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(key, sec, token), HTTPClient: a.HTTPClient(),
			BaseEndpoint: aws.String("http://localaws.internal"), RetryMaxAttempts: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return world{a, c, out}
}

func (w world) run(t *testing.T) canary.Report {
	t.Helper()
	r, err := w.canary.Handle(t.Context(), json.RawMessage(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCanary_DeployedPolicies_RefuseEveryAttackAndNothingElse(t *testing.T) {
	t.Parallel()
	w := deploy(t, nil)
	r := w.run(t)
	if len(r.Allowed) > 0 || len(r.Refused) > 0 || len(r.Unclear) > 0 {
		t.Errorf("%+v", r)
	}
	if r.Tried < 400 {
		t.Errorf("only %d attacks", r.Tried)
	}
	t.Logf("%d attacks", r.Tried)
}

// What one run leaves behind would grow with every hour.
func TestCanary_Run_LeavesNothingBehind(t *testing.T) {
	t.Parallel()
	w := deploy(t, nil)
	w.run(t)
	key, sec := w.account.OperatorCredentials()
	db := dynamodb.NewFromConfig(aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(key, sec, ""), HTTPClient: w.account.HTTPClient(), BaseEndpoint: aws.String("http://localaws.internal")})
	for _, table := range []string{"vault", "directory", "flow", "audit"} {
		out, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("behalf-local-" + table)})
		if err != nil || out.Count > 0 {
			t.Errorf("%s holds %d items, %v", table, out.Count, err)
		}
	}
}

// CloudWatch User Guide, "Specification: Embedded metric format".
func TestCanary_Metric_IsEmbeddedMetricFormat(t *testing.T) {
	t.Parallel()
	w := deploy(t, nil)
	r := w.run(t)
	if n := strings.Count(w.out.String(), "\n"); n != 1 {
		t.Fatalf("%d lines", n)
	}
	var line struct {
		AWS struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
		Stage                                 string
		AttacksTried, AttacksAllowed, Unclear int
	}
	if err := json.Unmarshal(w.out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line.Stage != "local" || line.AttacksTried != r.Tried || line.AttacksAllowed != 0 || line.Unclear != 0 || line.AWS.Timestamp != noon.UnixMilli() {
		t.Errorf("%+v", line)
	}
	if got := fmt.Sprint(line.AWS.CloudWatchMetrics); got != "[{Behalf [[Stage]] [{AttacksTried Count} {AttacksAllowed Count} {OwnRefused Count} {Unclear Count}]}]" {
		t.Error(got)
	}
}

// statement is one statement of a role in the service stack's template, by role, policy ("trust" for the trust policy) and Sid.
func statement(t *testing.T, templates map[string][]byte, role, sid string, change func(s map[string]any)) {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(templates[service], &doc); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range doc["Resources"].(map[string]any) {
		properties, _ := r.(map[string]any)["Properties"].(map[string]any)
		if properties["RoleName"] != "behalf-local-"+role {
			continue
		}
		documents := []any{properties["AssumeRolePolicyDocument"]}
		for _, p := range properties["Policies"].([]any) {
			documents = append(documents, p.(map[string]any)["PolicyDocument"])
		}
		for _, d := range documents {
			for _, s := range d.(map[string]any)["Statement"].([]any) {
				if s := s.(map[string]any); s["Sid"] == sid {
					change(s)
					found = true
				}
			}
		}
	}
	if !found {
		t.Fatalf("%s has no statement %s", role, sid)
	}
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	templates[service] = out
}

func drop(keys ...string) func(map[string]any) {
	return func(s map[string]any) {
		for _, k := range keys {
			delete(s["Condition"].(map[string]any), k)
		}
	}
}

func TestCanary_WeakenedPolicy_ReportsWhatGotThrough(t *testing.T) {
	t.Parallel()
	equals := func(s map[string]any) map[string]any {
		return s["Condition"].(map[string]any)["StringEquals"].(map[string]any)
	}
	for name, m := range map[string]struct {
		role, sid, allowed string
		change             func(map[string]any)
	}{
		"no leading keys":          {"tenant-execute", "ReadVault", "execute: another tenant's connections", drop("ForAllValues:StringEquals", "Null")},
		"scan of the own table":    {"tenant-execute", "NeverWithoutKeys", "execute: scans behalf-local-vault", func(s map[string]any) { s["Effect"], s["Action"] = "Allow", "dynamodb:Scan" }},
		"every purpose":            {"tenant-execute", "OpenAccessTokens", "execute: own key rt", func(s map[string]any) { delete(equals(s), "kms:EncryptionContext:purpose") }},
		"every tenant's keys":      {"tenant-refresh", "OwnKeys", "refresh: another tenant's key rt", func(s map[string]any) { delete(equals(s), "kms:EncryptionContext:tenant") }},
		"every principal's rows":   {"tenant-connect", "Connections", "connect: own and those of canary2 in one batch", drop("ForAllValues:StringEquals")},
		"any tag":                  {"tenant-directory", "CanaryTenantsOnly", "canary: becomes directory of a customer", drop("StringLike")},
		"one more tag":             {"tenant-refresh", "CanaryTenantsOnly", "canary: becomes refresh of a tenant and a tag", drop("ForAllValues:StringEquals")},
		"audit can be erased":      {"tenant-directory", "Audit", "directory: erases own audit", func(s map[string]any) { s["Action"] = "dynamodb:*" }},
		"whole index":              {"tenant-refresh", "Connections", "refresh: the index of due connections", func(s map[string]any) { s["Resource"] = "*"; delete(s, "Condition") }},
		"portal sees everybody":    {"tenant-portal", "Connections", "portal: own and those of canary2 in one batch", drop("ForAllValues:StringEquals")},
		"webhooks of all tenants":  {"tenant-notify", "WebhookKeys", "notify: another tenant's key wh", func(s map[string]any) { delete(equals(s), "kms:EncryptionContext:tenant") }},
		"webhooks with tokens":     {"tenant-notify", "WebhookKeys", "notify: own key rt", func(s map[string]any) { delete(equals(s), "kms:EncryptionContext:purpose") }},
		"keys make connections":    {"tenant-keys", "Slots", "keys: makes a connection", func(s map[string]any) { s["Action"] = "dynamodb:*" }},
		"transactions by any name": {"tenant-refresh", "Connections", "refresh: own and another tenant in one transaction", drop("ForAllValues:StringLike")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := deploy(t, func(templates map[string][]byte) { statement(t, templates, m.role, m.sid, m.change) })
			if r := w.run(t); !slices.Contains(r.Allowed, m.allowed) {
				t.Errorf("%q is not among %q", m.allowed, r.Allowed)
			} else if !strings.Contains(w.out.String(), fmt.Sprintf(`"AttacksAllowed":%d`, len(r.Allowed))) {
				t.Errorf("the metric says %s", w.out)
			}
		})
	}
}

func TestCanary_TooTightPolicy_ReportsTheOwnRequest(t *testing.T) {
	t.Parallel()
	w := deploy(t, func(templates map[string][]byte) {
		statement(t, templates, "tenant-execute", "ReadVault", func(s map[string]any) { s["Effect"] = "Deny" })
	})
	if r := w.run(t); !slices.Contains(r.Refused, "execute: own connections") || len(r.Allowed) > 0 {
		t.Errorf("%+v", r)
	}
}

func TestCanary_AWSFails_IsUnclearAndNotSafe(t *testing.T) {
	t.Parallel()
	w := deploy(t, nil)
	w.account.Faults().FailBefore("dynamodb:Query", -1, nil)
	if r := w.run(t); !slices.Contains(r.Unclear, "execute: another tenant's connections") || !slices.Contains(r.Unclear, "execute: own connections") || len(r.Allowed) > 0 {
		t.Errorf("%+v", r)
	}
}

func TestCanary_NotTrusted_IsAnError(t *testing.T) {
	t.Parallel()
	w := deploy(t, func(templates map[string][]byte) {
		statement(t, templates, "tenant-connect", "CanaryTenantsOnly", func(s map[string]any) { s["Effect"] = "Deny" })
	})
	if _, err := w.canary.Handle(t.Context(), nil); err == nil || w.out.Len() > 0 {
		t.Errorf("%v, %s", err, w.out)
	}
}

// A tenant role that the canary does not know is one that nobody attacks.
func TestCanary_EveryTenantRole_IsAttacked(t *testing.T) {
	t.Parallel()
	templates, err := policy.Templates()
	if err != nil {
		t.Fatal(err)
	}
	var roles []string
	for _, m := range regexp.MustCompile(`"RoleName": "behalf-local-tenant-([a-z-]+)"`).FindAllSubmatch(templates[service], -1) {
		roles = append(roles, string(m[1]))
	}
	if len(roles) < 7 {
		t.Fatalf("the template has tenant roles %q", roles)
	}
	w := deploy(t, nil)
	w.account.Faults().FailBefore("dynamodb:Query", -1, nil)
	unclear := strings.Join(w.run(t).Unclear, "\n")
	for _, role := range roles {
		if !strings.Contains(unclear, role+": another tenant's connections") {
			t.Errorf("%s is not attacked", role)
		}
	}
}

func TestVariables_AreWhatNewRequires(t *testing.T) {
	t.Parallel()
	_, err := canary.New(awslambda.Deps{Lookup: env.FromMap(nil), Log: slog.New(slog.DiscardHandler)})
	for _, v := range canary.Variables() {
		if err == nil || !strings.Contains(err.Error(), v) {
			t.Errorf("%s is not required: %v", v, err)
		}
	}
}
