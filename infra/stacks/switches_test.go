package stacks_test

import (
	"fmt"
	"strings"
	"testing"

	"behalf.dev/behalf/infra/stacks"
)

func TestCanaryOff_NothingOfItIsLeft(t *testing.T) {
	o := stacks.Local()
	o.Canary = false
	for name, text := range templates(t, o) {
		for _, word := range []string{"canary", "Canary", "isolation-"} {
			if strings.Contains(strings.ReplaceAll(string(text), "behalf-local-canary", "canary"), word) {
				t.Errorf("%s still says %q", name, word)
			}
		}
	}
}

func TestAuditLock_SwitchesTheRetention_AndNeverTheLock(t *testing.T) {
	for mode, want := range map[string]string{
		stacks.AuditCompliance: "map[DefaultRetention:map[Days:90 Mode:COMPLIANCE]]", stacks.AuditGovernance: "map[DefaultRetention:map[Days:90 Mode:GOVERNANCE]]", stacks.AuditOff: "<nil>",
	} {
		o := stacks.Local()
		o.AuditLock, o.AuditDays = mode, 90
		for id, b := range resources(t, templates(t, o), "AWS::S3::Bucket") {
			p := b["Properties"].(map[string]any)
			lock, _ := p["ObjectLockConfiguration"].(map[string]any)
			if p["ObjectLockEnabled"] != true || fmt.Sprint(lock["Rule"]) != want {
				t.Errorf("%s, %s: %v, %v", mode, id, p["ObjectLockEnabled"], lock)
			}
		}
	}
}

func TestBreakGlass_NamesWhoTheTablesLetIn(t *testing.T) {
	o := stacks.Local()
	o.BreakGlass = "role/Operators, role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Admin_*"
	for id, table := range resources(t, templates(t, o), "AWS::DynamoDB::GlobalTable") {
		text := fmt.Sprint(table["Properties"])
		for _, who := range []string{":role/Operators", ":role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Admin_*"} {
			if !strings.Contains(text, who) {
				t.Errorf("%s does not let in %s", id, who)
			}
		}
		if strings.Contains(text, ":root") {
			t.Errorf("%s lets root in, which nobody asked for", id)
		}
	}
}

func TestQuotas_AlarmsStandAtHalf(t *testing.T) {
	o := stacks.Local()
	o.STSQuota, o.KMSQuota = 1000, 50_000
	found := 0
	for _, a := range resources(t, templates(t, o), "AWS::CloudWatch::Alarm") {
		p := a["Properties"].(map[string]any)
		want, ok := map[any]float64{"behalf-local-sts-quota": 30_000, "behalf-local-kms-quota": 1_500_000}[p["AlarmName"]]
		if !ok {
			continue
		}
		if found++; p["Threshold"] != want {
			t.Errorf("%v stands at %v, want %v", p["AlarmName"], p["Threshold"], want)
		}
	}
	if found != 2 {
		t.Errorf("%d alarms", found)
	}
}

// Off for new accounts; the queues keep their caps, which take nothing from anybody.
func TestReservedConcurrency_Switch_SetsAsideAndLeavesCaps(t *testing.T) {
	for _, on := range []bool{true, false} {
		o := stacks.Local()
		o.Reserved = on
		all := templates(t, o)
		total := 0.0
		for _, f := range resources(t, all, "AWS::Lambda::Function") {
			n, _ := f["Properties"].(map[string]any)["ReservedConcurrentExecutions"].(float64)
			total += n
		}
		if on && total != 300 || !on && total != 0 {
			t.Errorf("reserved %v: %v in all; docs/operations.md names the sum", on, total)
		}
		for id, m := range resources(t, all, "AWS::Lambda::EventSourceMapping") {
			p := m["Properties"].(map[string]any)
			if s, _ := p["ScalingConfig"].(map[string]any); strings.Contains(id, "FromQueue") && s["MaximumConcurrency"] == nil {
				t.Errorf("%s has no cap", id)
			}
		}
	}
}
