package policy_test

import (
	"fmt"
	"strings"
	"testing"
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
	if !watched["Invocations behalf-local-refresh"] {
		t.Error("nobody notices when the sweep stops")
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
