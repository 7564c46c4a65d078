package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	cw "github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/shared/metric"
)

// alarm is one condition that somebody must hear of, and why.
type alarm struct {
	name, why string
	metric    cw.Metric
	threshold float64
	periods   float64
	below     bool // alarms below the threshold, and when nothing is measured at all; elsewhere nothing measured is nothing wrong
}

// newWatch makes the stack that tells when something is wrong: alarms, the topic they go to, and one dashboard. It names what
// it watches by physical name, so that it can be changed, or left out, alone.
func newWatch(scope constructs.Construct, o Options) awscdk.Stack {
	stack := newStack(scope, o, "watch", "Behalf: alarms and dashboard")
	n := namingIn(stack, o)
	topic := awssns.NewTopic(stack, jsii.String("Alarms"), &awssns.TopicProps{TopicName: jsii.String(n.name("alarms")), EnforceSSL: jsii.Bool(true)})
	awscdk.NewCfnOutput(stack, jsii.String("AlarmTopic"), &awscdk.CfnOutputProps{Value: topic.TopicArn(), Description: jsii.String("Subscribe whoever is on call")})
	action := awscloudwatchactions.NewSnsAction(topic)
	var made []interfacesawscloudwatch.IAlarmRef
	for _, a := range alarms(n, o) {
		comparison, missing := cw.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD, cw.TreatMissingData_NOT_BREACHING
		if a.below {
			comparison, missing = cw.ComparisonOperator_LESS_THAN_THRESHOLD, cw.TreatMissingData_BREACHING
		}
		alarm := cw.NewAlarm(stack, jsii.String(logicalID(a.name)), &cw.AlarmProps{
			AlarmName: jsii.String(n.name(a.name)), AlarmDescription: jsii.String(a.why), Metric: a.metric, Threshold: jsii.Number(a.threshold),
			EvaluationPeriods: jsii.Number(a.periods), ComparisonOperator: comparison, TreatMissingData: missing,
		})
		alarm.AddAlarmAction(action)
		alarm.AddOkAction(action)
		made = append(made, alarm)
	}
	newDashboard(stack, n, o, made)
	return stack
}

// alarms are all that somebody must hear of. docs/operations.md says of each what to do.
func alarms(n naming, o Options) []alarm {
	all := append(refreshAlarms(n), []alarm{
		{name: "refresh-late", why: "Connections that are due wait for more than five minutes.", metric: n.queue("refresh", "ApproximateAgeOfOldestMessage"), threshold: 300, periods: 1},
		{name: "audit-late", why: "Audit records wait for more than ten minutes to be sealed.", metric: n.lambda("audit", "IteratorAge", "Maximum"), threshold: 600_000, periods: 1},
		{name: "api-errors", why: "The API answers with server errors.", metric: n.api("5XXError", "Sum"), threshold: 5, periods: 1},
		{name: "sts-quota", why: "Half of the account's quota of STS requests is used: credentials are about to be throttled.", metric: usage("STS", "AssumeRole"), threshold: halfAMinute(o.STSQuota), periods: 3},
		{name: "kms-quota", why: "Half of the account's quota of KMS requests is used: unwrapping is about to be throttled.", metric: usage("KMS", "CryptographicOperationsSymmetric"), threshold: halfAMinute(o.KMSQuota), periods: 3},
	}...)
	all = append(all, alarm{name: "webhook-disabled", why: "A webhook endpoint failed for five days, or answered 410, and is sent nothing any more.", metric: n.webhooks("WebhooksDisabled"), threshold: 1, periods: 1})
	for _, dead := range []struct{ queue, why string }{
		{"refresh-dead", "Refreshes were given up on."}, {"revoke-dead", "Revocations were given up on: a provider still honours a credential."},
		{"audit-dead", "Audit records could not be sealed; they are still in the table."},
		{"webhooks-dead", "Webhooks were given up on after three days."},
	} {
		all = append(all, alarm{name: dead.queue, why: dead.why, metric: n.queue(dead.queue, "ApproximateNumberOfMessagesVisible"), threshold: 1, periods: 1})
	}
	for _, f := range deployedFunctions(o) {
		all = append(all,
			alarm{name: f.name + "-errors", why: "The function " + f.name + " fails.", metric: n.lambda(f.name, "Errors", "Sum"), threshold: errorsOf(f.name), periods: 1},
			alarm{name: f.name + "-throttled", why: "The function " + f.name + " was refused for want of concurrency.", metric: n.lambda(f.name, "Throttles", "Sum"), threshold: 1, periods: 3})
	}
	if o.Canary {
		all = append(all, canaryAlarms(n)...)
	}
	return all
}

// refreshAlarms are on what the refresh function says of itself. Rates are averages of values that are 0 or 100, and need a quarter
// of an hour, or an hour, of them: in a small deployment one refresh is all there is in five minutes.
func refreshAlarms(n naming) []alarm {
	return []alarm{
		{name: "sweep-stopped", why: "No sweep came to its end for ten minutes: credentials are about to expire.", metric: n.own(metric.Sweeps, "Sum", 5, nil), threshold: 1, periods: 2, below: true},
		{name: "sweep-cut-short", why: "Sweeps run out of time before they have read all that is due.", metric: n.own(metric.SweepsCutShort, "Sum", 5, nil), threshold: 3, periods: 1},
		{name: "refresh-lag", why: "One refresh in a hundred is done more than five minutes after it was due.", metric: n.own(metric.RefreshLag, "p99", 5, nil), threshold: 300, periods: 2},
		{name: "refresh-failing", why: "A fifth of all refreshes fails.", metric: n.own(metric.RefreshFailures, "Average", 5, nil), threshold: 20, periods: 3},
		{name: "reauthorization-rate", why: "One refresh in twenty finds its grant dead: many people are asked to connect again.", metric: n.own(metric.Reauthorizations, "Average", 60, nil), threshold: 5, periods: 1},
		{name: "tokens-in-rescue", why: "Tokens could not be stored and are kept in the queue.", metric: n.own(metric.Rescues, "Sum", 5, map[string]string{metric.Outcome: "queued"}), threshold: 1, periods: 1},
	}
}

// errorsOf is how many errors in five minutes are too many: the canary runs once an hour.
func errorsOf(function string) float64 {
	if function == canaryName {
		return 1
	}
	return 5
}

// canaryAlarms: an attack that got through is the worst that can be measured here, and a canary that says nothing is not trusted.
func canaryAlarms(n naming) []alarm {
	return []alarm{
		{name: "isolation-broken", why: "AN ATTACK ON ISOLATION SUCCEEDED: a session of one canary tenant reached what is not its own.", metric: n.canary(metric.AttacksAllowed), threshold: 1, periods: 1},
		{name: "isolation-silent", why: "The isolation canary has not attacked for two hours.", metric: n.canary(metric.AttacksTried), threshold: 1, periods: 2, below: true},
		{name: "isolation-too-tight", why: "The canary was refused what is its own: calls of tenants are refused too.", metric: n.canary(metric.OwnRefused), threshold: 1, periods: 1},
		{name: "isolation-unclear", why: "Attempts of the canary ended in neither a refusal nor a success, twice in a row.", metric: n.canary(metric.Unclear), threshold: 1, periods: 2},
	}
}

// halfAMinute is half of a quota of requests per second, as a sum over a minute.
func halfAMinute(perSecond float64) float64 { return perSecond * 60 / 2 }
