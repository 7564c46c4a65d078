package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/policy"
)

func TestFunctions_Runtime_LogsAndRole(t *testing.T) {
	t.Parallel()
	d := load(t)
	groups := map[string]policy.Resource{}
	for _, g := range d.Of("AWS::Logs::LogGroup") {
		groups[fmt.Sprint(g.Properties["LogGroupName"])] = g
		if g.Properties["RetentionInDays"] == nil {
			t.Errorf("%s keeps its logs for ever", g.LogicalID)
		}
	}
	for name, f := range functionsOf(d) {
		p := f.Properties
		expect(t, name, map[string][2]any{
			"architecture": {fmt.Sprint(p["Architectures"]), "[arm64]"},
			"runtime":      {p["Runtime"], "provided.al2023"},
			"handler":      {p["Handler"], "bootstrap"},
			"tracing":      {at(p, "TracingConfig", "Mode"), "Active"},
			"log group":    {at(p, "LoggingConfig", "LogGroup"), "/aws/lambda/behalf-local-" + name},
			"own role":     {p["Role"], d.Roles()[name].ARN},
			"reserved":     {p["ReservedConcurrentExecutions"], reserved[name]},
		})
		if groups["/aws/lambda/behalf-local-"+name].LogicalID == "" {
			t.Errorf("%s has no log group", name)
		}
	}
}

// reserved is the concurrency that no storm of executions can take; docs/operations.md says why these.
var reserved = map[string]any{"authorizer": 100.0, "admin": 20.0, "refresh": 100.0, "scim": 20.0, "revoke": 20.0, "notify": 40.0}

// A queue takes at most half of its function's concurrency: the rest is for whoever waits for an answer.
func TestQueues_LeaveHalfOfTheConcurrencyToDirectCalls(t *testing.T) {
	t.Parallel()
	found := 0
	for _, m := range load(t).Of("AWS::Lambda::EventSourceMapping") {
		if !strings.Contains(fmt.Sprint(m.Properties["EventSourceArn"]), ":sqs:") {
			continue
		}
		found++
		name := strings.TrimPrefix(fmt.Sprint(m.Properties["FunctionName"]), "behalf-local-")
		most, _ := at(m.Properties, "ScalingConfig", "MaximumConcurrency").(float64)
		all, _ := reserved[name].(float64)
		if most < 2 || most != all/2 {
			t.Errorf("the queue of %s takes %v of %v", name, most, all)
		}
	}
	if found != 3 {
		t.Errorf("%d queues", found)
	}
}

func TestFunctions_OwnRoles_TrustLambdaOnly(t *testing.T) {
	t.Parallel()
	d := load(t)
	for name := range functionsOf(d) {
		trust, _ := json.Marshal(d.Roles()[name].Trust)
		const want = `{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"}}],"Version":"2012-10-17"}`
		if string(trust) != want {
			t.Errorf("%s: %s", name, trust)
		}
	}
}

func TestQueues_OutliveTheirConsumers_AndHaveADeadLetterQueue(t *testing.T) {
	t.Parallel()
	d := load(t)
	functions := functionsOf(d)
	queues := map[string]policy.Resource{}
	for _, q := range d.Of("AWS::SQS::Queue") {
		queues[strings.TrimPrefix(fmt.Sprint(q.Properties["QueueName"]), "behalf-local-")] = q
		if q.Properties["SqsManagedSseEnabled"] != true {
			t.Errorf("%s is not encrypted", q.LogicalID)
		}
	}
	for name, function := range map[string]string{"refresh": "refresh", "revoke": "revoke", "webhooks": "notify"} {
		visible, _ := queues[name].Properties["VisibilityTimeout"].(float64)
		timeout, _ := functions[function].Properties["Timeout"].(float64)
		if visible < timeout || timeout == 0 {
			t.Errorf("%s: visible again after %v s, function may run %v s", name, visible, timeout)
		}
		if dead := fmt.Sprint(at(queues[name].Properties, "RedrivePolicy", "deadLetterTargetArn")); !strings.HasSuffix(dead, ":behalf-local-"+name+"-dead") {
			t.Errorf("%s: dead letters go to %s", name, dead)
		}
	}
}

func TestSources_PartialBatches_AndNoLoopOfTheSealer(t *testing.T) {
	t.Parallel()
	sources := load(t).Of("AWS::Lambda::EventSourceMapping")
	if len(sources) != 4 {
		t.Fatalf("%d event sources", len(sources))
	}
	for _, s := range sources {
		if fmt.Sprint(s.Properties["FunctionResponseTypes"]) != "[ReportBatchItemFailures]" {
			t.Errorf("%s repeats whole batches", s.LogicalID)
		}
		if !strings.Contains(fmt.Sprint(s.Properties["EventSourceArn"]), "/stream/") {
			continue
		}
		expect(t, s.LogicalID, map[string][2]any{
			"batch":   {s.Properties["BatchSize"], 100.0},
			"bisect":  {s.Properties["BisectBatchOnFunctionError"], true},
			"failure": {strings.HasSuffix(fmt.Sprint(at(s.Properties, "DestinationConfig", "OnFailure", "Destination")), "-audit-dead"), true},
		})
		if lets(t, s, "T#acme#H") || !lets(t, s, "T#acme#A#2026112219") || !lets(t, s, "T#_deployment#A#2026112200") {
			t.Error("the sealer would be started by its own writes, or not by a record")
		}
	}
}

// lets applies a source's filter to a partition key, for the one rule we use: suffixes.
func lets(t *testing.T, s policy.Resource, pk string) bool {
	t.Helper()
	var f struct {
		EventName []string
		DynamoDB  struct {
			Keys struct {
				PK struct{ S []struct{ Suffix string } }
			}
		}
	}
	if err := json.Unmarshal([]byte(fmt.Sprint(at(s.Properties, "FilterCriteria", "Filters", 0, "Pattern"))), &f); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(f.EventName) != "[INSERT]" {
		t.Errorf("events %v", f.EventName)
	}
	for _, rule := range f.DynamoDB.Keys.PK.S {
		if strings.HasSuffix(pk, rule.Suffix) {
			return true
		}
	}
	return false
}

func TestSchedules_StartSweepAndCanary(t *testing.T) {
	t.Parallel()
	d := load(t)
	schedules := map[string]policy.Resource{}
	for _, s := range d.Of("AWS::Scheduler::Schedule") {
		schedules[strings.TrimPrefix(fmt.Sprint(s.Properties["Name"]), "behalf-local-")] = s
	}
	if len(schedules) != 3 {
		t.Fatalf("schedules %v", schedules)
	}
	for name, want := range map[string]struct{ rate, input, function string }{
		"sweep": {"rate(1 minute)", `{"sweep":true}`, "refresh"}, "keys-daily": {"rate(1 day)", `{"schedule":true}`, "keys"}, "canary-hourly": {"rate(1 hour)", "{}", "canary"},
	} {
		p, role := schedules[name].Properties, d.Roles()[name]
		function := "arn:aws:lambda:" + policy.Region + ":" + policy.Account + ":function:behalf-local-" + want.function
		expect(t, name, map[string][2]any{
			"rate":     {p["ScheduleExpression"], want.rate},
			"input":    {at(p, "Target", "Input"), want.input},
			"function": {at(p, "Target", "Arn"), function},
			"role":     {at(p, "Target", "RoleArn"), role.ARN},
			"may":      {fmt.Sprint(at(role.Policies["own"], "Statement")), "[map[Action:lambda:InvokeFunction Effect:Allow Resource:" + function + " Sid:StartFunction]]"},
			"account":  {at(role.Trust, "Statement", 0, "Condition", "StringEquals", "aws:SourceAccount"), policy.Account},
		})
	}
}
