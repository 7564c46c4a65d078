package policy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/policy"
	"behalf.dev/behalf/shared/metric"
)

// Each function and each dead letter queue has somebody who hears of it.
func TestAlarms_CoverFunctionsAndDeadLetters(t *testing.T) {
	t.Parallel()
	d := load(t)
	watched := map[string]bool{}
	for _, a := range d.Of("AWS::CloudWatch::Alarm") {
		if at(a.Properties, "AlarmActions", 0) == nil {
			t.Errorf("%s tells nobody", a.LogicalID)
		}
		metric := at(a.Properties, "Metrics", 0, "MetricStat", "Metric")
		watched[fmt.Sprint(at(metric, "MetricName"), " ", at(metric, "Dimensions", 0, "Value"))] = true
	}
	for name := range functionsOf(d) {
		for _, metric := range []string{"Errors", "Throttles"} {
			if !watched[metric+" behalf-local-"+name] {
				t.Errorf("no alarm on %s of %s", metric, name)
			}
		}
	}
	for _, q := range d.Of("AWS::SQS::Queue") {
		name := fmt.Sprint(q.Properties["QueueName"])
		if strings.HasSuffix(name, "-dead") && !watched["ApproximateNumberOfMessagesVisible "+name] {
			t.Errorf("no alarm on %s", name)
		}
	}
}

// alarmsOf are the alarms by their name without the deployment's prefix.
func alarmsOf(d *policy.Deployment) map[string]policy.Resource {
	out := map[string]policy.Resource{}
	for _, a := range d.Of("AWS::CloudWatch::Alarm") {
		out[strings.TrimPrefix(fmt.Sprint(a.Properties["AlarmName"]), "behalf-local-")] = a
	}
	return out
}

// silent are the alarms that silence sets off: those on what must happen all the time. Elsewhere no measurement is good news.
var silent = map[string]string{"sweep-stopped": "LessThanThreshold", "isolation-silent": "LessThanThreshold"}

func TestAlarms_SilenceIsAnAlarmWhereItMustBe_AndNowhereElse(t *testing.T) {
	t.Parallel()
	for name, a := range alarmsOf(load(t)) {
		missing, comparison := "notBreaching", "GreaterThanOrEqualToThreshold"
		if silent[name] != "" {
			missing, comparison = "breaching", silent[name]
		}
		expect(t, name, map[string][2]any{
			"missing data": {a.Properties["TreatMissingData"], missing},
			"comparison":   {a.Properties["ComparisonOperator"], comparison},
			"recovery":     {at(a.Properties, "OKActions", 0) != nil, true},
			"description":  {len(fmt.Sprint(a.Properties["AlarmDescription"])) > 20, true},
		})
		if threshold, _ := a.Properties["Threshold"].(float64); threshold < 1 {
			t.Errorf("%s has threshold %v", name, a.Properties["Threshold"])
		}
	}
}

// metricOf is namespace, name, statistic, seconds and dimensions of an alarm's metric, however CDK wrote it.
func metricOf(a policy.Resource) string {
	p, stat := a.Properties, a.Properties
	if m, ok := at(p, "Metrics", 0, "MetricStat").(map[string]any); ok {
		stat, p = m, m["Metric"].(map[string]any)
		stat["Statistic"] = m["Stat"]
	}
	return fmt.Sprint(p["Namespace"], " ", p["MetricName"], " ", stat["Statistic"], " ", stat["Period"], " ", p["Dimensions"])
}

func TestAlarms_QuotasAndCanary_MeasureWhatIsThere(t *testing.T) {
	t.Parallel()
	alarms := alarmsOf(load(t))
	quota := func(service, resource string) string {
		return "AWS/Usage CallCount Sum 60 [map[Name:Class Value:None] map[Name:Resource Value:" + resource + "] map[Name:Service Value:" + service + "] map[Name:Type Value:API]]"
	}
	canary := func(metric string) string { return "Behalf " + metric + " Sum 3600 [map[Name:Stage Value:local]]" }
	own := func(metricAndPeriod string) string {
		return "Behalf " + metricAndPeriod + " [map[Name:Stage Value:local]]"
	}
	for name, want := range map[string]struct {
		metric    string
		threshold float64
	}{
		"sts-quota":           {quota("STS", "AssumeRole"), 600 * 60 / 2},
		"kms-quota":           {quota("KMS", "CryptographicOperationsSymmetric"), 10_000 * 60 / 2},
		"isolation-broken":    {canary("AttacksAllowed"), 1},
		"isolation-silent":    {canary("AttacksTried"), 1},
		"isolation-too-tight": {canary("OwnRefused"), 1},
		"isolation-unclear":   {canary("Unclear"), 1},
		// The names and dimensions are those that package metric writes.
		"sweep-stopped":        {own("Sweeps Sum 300"), 1},
		"sweep-cut-short":      {own("SweepsCutShort Sum 300"), 3},
		"refresh-lag":          {own("RefreshLag p99 300"), 300},
		"refresh-failing":      {own("RefreshFailures Average 300"), 20},
		"reauthorization-rate": {own("Reauthorizations Average 3600"), 5},
		"tokens-in-rescue":     {"Behalf Rescues Sum 300 [map[Name:Outcome Value:queued] map[Name:Stage Value:local]]", 1},
	} {
		expect(t, name, map[string][2]any{"metric": {metricOf(alarms[name]), want.metric}, "threshold": {alarms[name].Properties["Threshold"], want.threshold}})
	}
}

// explained are the alarms in the table of docs/operations.md, by the first cell of a row.
func explained(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Alarms\n")
	if !ok {
		t.Fatal("docs/operations.md has no section Alarms")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	out := map[string]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], "`") {
			continue
		}
		for i, name := range strings.Split(cells[1], "`") {
			if i%2 == 1 {
				if len(strings.TrimSpace(cells[2])) < 10 || len(strings.TrimSpace(cells[3])) < 10 {
					t.Errorf("%s is not explained", name)
				}
				out[name] = line
			}
		}
	}
	return out
}

func TestAlarms_EachIsExplained_AndNoOther(t *testing.T) {
	t.Parallel()
	d := load(t)
	known := map[string]bool{}
	for name := range alarmsOf(d) {
		for function := range functionsOf(d) {
			for _, kind := range []string{"-errors", "-throttled"} {
				if name == function+kind {
					name = "<function>" + kind
				}
			}
		}
		known[name] = true
	}
	docs := explained(t)
	for name := range known {
		if docs[name] == "" {
			t.Errorf("docs/operations.md does not explain the alarm %s", name)
		}
	}
	for name := range docs {
		if !known[name] {
			t.Errorf("docs/operations.md explains %s, which is no alarm", name)
		}
	}
}

// What is written into the logs is listed, and shown or watched.
func TestMetrics_EachIsExplainedAndShown(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Metrics\n")
	d := load(t)
	seen := fmt.Sprint(d.Of("AWS::CloudWatch::Dashboard")[0].Properties["DashboardBody"])
	for _, n := range metric.Names() {
		if !strings.Contains(section, "`"+string(n)+"`") {
			t.Errorf("docs/operations.md does not list %s", n)
		}
		if !strings.Contains(seen, `"`+string(n)+`"`) && !strings.Contains(seen, `\"`+string(n)+`\"`) {
			t.Errorf("the dashboard does not show %s", n)
		}
	}
}

// One page must show what is wrong before anything else, and all of it.
func TestDashboard_ShowsEveryAlarm(t *testing.T) {
	t.Parallel()
	d := load(t)
	boards := d.Of("AWS::CloudWatch::Dashboard")
	if len(boards) != 1 {
		t.Fatalf("%d dashboards", len(boards))
	}
	body := fmt.Sprint(boards[0].Properties["DashboardBody"])
	for name, a := range alarmsOf(d) {
		if !strings.Contains(body, a.LogicalID) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
	if !json.Valid([]byte(body)) {
		t.Errorf("the dashboard is no JSON: %s", body)
	}
	if !strings.Contains(body[:strings.Index(body, `"metrics"`)], `"alarm"`) {
		t.Error("the alarms do not come first")
	}
}

// A sampled request shows its headers, and so a live credential, to whoever may read the firewall.
func TestFirewall_LimitsOpenPaths_AndKeepsNoRequest(t *testing.T) {
	t.Parallel()
	d := load(t)
	acls := d.Of("AWS::WAFv2::WebACL")
	if len(acls) != 1 || len(d.Of("AWS::WAFv2::WebACLAssociation")) != 1 {
		t.Fatalf("%d web ACLs", len(acls))
	}
	text := fmt.Sprint(acls[0].Properties)
	if strings.Contains(text, "SampledRequestsEnabled:true") || len(d.Of("AWS::WAFv2::LoggingConfiguration")) > 0 {
		t.Error("requests are kept")
	}
	for _, path := range []string{"/connect/", "/oauth/", "/scim/"} {
		if !strings.Contains(text, "SearchString:"+path) {
			t.Errorf("%s has no limit", path)
		}
	}
}
