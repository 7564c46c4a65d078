package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	cw "github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// alarm is one condition that somebody must hear of, and why.
type alarm struct {
	name, why string
	metric    cw.Metric
	threshold float64
	periods   float64
	below     bool // alarms below the threshold, and when nothing is measured at all
}

// newWatch makes the stack that tells when something is wrong: alarms, the topic they go to, and one dashboard. It names what
// it watches by physical name, so that it can be changed, or left out, alone.
func newWatch(scope constructs.Construct, o Options) awscdk.Stack {
	stack := newStack(scope, o, "watch", "Behalf: alarms and dashboard")
	n := namingIn(stack, o.Stage)
	topic := awssns.NewTopic(stack, jsii.String("Alarms"), &awssns.TopicProps{TopicName: jsii.String(n.name("alarms")), EnforceSSL: jsii.Bool(true)})
	awscdk.NewCfnOutput(stack, jsii.String("AlarmTopic"), &awscdk.CfnOutputProps{Value: topic.TopicArn(), Description: jsii.String("Subscribe whoever is on call")})
	action := awscloudwatchactions.NewSnsAction(topic)
	for _, a := range alarms(n) {
		comparison, missing := cw.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD, cw.TreatMissingData_NOT_BREACHING
		if a.below {
			comparison, missing = cw.ComparisonOperator_LESS_THAN_THRESHOLD, cw.TreatMissingData_BREACHING
		}
		made := cw.NewAlarm(stack, jsii.String(logicalID(a.name)), &cw.AlarmProps{
			AlarmName: jsii.String(n.name(a.name)), AlarmDescription: jsii.String(a.why), Metric: a.metric, Threshold: jsii.Number(a.threshold),
			EvaluationPeriods: jsii.Number(a.periods), ComparisonOperator: comparison, TreatMissingData: missing,
		})
		made.AddAlarmAction(action)
		made.AddOkAction(action)
	}
	newDashboard(stack, n, o)
	return stack
}

func alarms(n naming) []alarm {
	all := []alarm{
		{name: "sweep-stopped", why: "No refresh ran for ten minutes: credentials are about to expire.", metric: n.lambda("refresh", "Invocations", "Sum"), threshold: 1, periods: 2, below: true},
		{name: "refresh-late", why: "Connections that are due wait for more than five minutes.", metric: n.queue("refresh", "ApproximateAgeOfOldestMessage"), threshold: 300, periods: 1},
		{name: "audit-late", why: "Audit records wait for more than ten minutes to be sealed.", metric: n.lambda("audit", "IteratorAge", "Maximum"), threshold: 600_000, periods: 1},
		{name: "api-errors", why: "The API answers with server errors.", metric: n.api("5XXError", "Sum"), threshold: 5, periods: 1},
	}
	for _, dead := range []struct{ queue, why string }{
		{"refresh-dead", "Refreshes were given up on."}, {"revoke-dead", "Revocations were given up on: a provider still honours a credential."},
		{"audit-dead", "Audit records could not be sealed; they are still in the table."},
	} {
		all = append(all, alarm{name: dead.queue, why: dead.why, metric: n.queue(dead.queue, "ApproximateNumberOfMessagesVisible"), threshold: 1, periods: 1})
	}
	for _, f := range functions() {
		all = append(all,
			alarm{name: f.name + "-errors", why: "The function " + f.name + " fails.", metric: n.lambda(f.name, "Errors", "Sum"), threshold: 5, periods: 1},
			alarm{name: f.name + "-throttled", why: "The function " + f.name + " was refused for want of concurrency.", metric: n.lambda(f.name, "Throttles", "Sum"), threshold: 1, periods: 3})
	}
	return all
}

func newDashboard(stack awscdk.Stack, n naming, o Options) {
	board := cw.NewDashboard(stack, jsii.String("Dashboard"), &cw.DashboardProps{DashboardName: jsii.String("behalf-" + o.Stage)})
	graph := func(title string, metrics ...cw.IMetric) cw.IWidget {
		return cw.NewGraphWidget(&cw.GraphWidgetProps{Title: jsii.String(title), Left: &metrics, Width: jsii.Number(8), Height: jsii.Number(6)})
	}
	each := func(metric, statistic string) []cw.IMetric {
		var out []cw.IMetric
		for _, f := range functions() {
			out = append(out, n.lambda(f.name, metric, statistic))
		}
		return out
	}
	board.AddWidgets(
		graph("API: calls and errors", n.api("Count", "Sum"), n.api("4XXError", "Sum"), n.api("5XXError", "Sum")),
		graph("API: latency (ms)", n.api("Latency", "p50"), n.api("Latency", "p99")),
		graph("Executions", n.lambda("execute", "Invocations", "Sum"), n.lambda("execute", "Errors", "Sum")))
	board.AddWidgets(
		graph("Functions: errors", each("Errors", "Sum")...),
		graph("Functions: duration, p99 (ms)", each("Duration", "p99")...),
		graph("Functions: concurrency", each("ConcurrentExecutions", "Maximum")...))
	board.AddWidgets(
		graph("Refresh: oldest message (s)", n.queue("refresh", "ApproximateAgeOfOldestMessage"), n.queue("revoke", "ApproximateAgeOfOldestMessage")),
		graph("Given up", n.queue("refresh-dead", "ApproximateNumberOfMessagesVisible"), n.queue("revoke-dead", "ApproximateNumberOfMessagesVisible"), n.queue("audit-dead", "ApproximateNumberOfMessagesVisible")),
		graph("Audit: stream lag (ms)", n.lambda("audit", "IteratorAge", "Maximum")))
}

func (n naming) lambda(function, metric, statistic string) cw.Metric {
	return measure("AWS/Lambda", metric, statistic, "FunctionName", n.name(function), function)
}

func (n naming) queue(queue, metric string) cw.Metric {
	return measure("AWS/SQS", metric, "Maximum", "QueueName", n.name(queue), queue)
}

// api is a metric of the REST API, which CloudWatch knows by its name.
func (n naming) api(metric, statistic string) cw.Metric {
	return measure("AWS/ApiGateway", metric, statistic, "ApiName", "behalf-"+n.stage, metric+" "+statistic)
}

func measure(namespace, metric, statistic, dimension, value, label string) cw.Metric {
	return cw.NewMetric(&cw.MetricProps{
		Namespace: jsii.String(namespace), MetricName: jsii.String(metric), Statistic: jsii.String(statistic), Label: jsii.String(label),
		DimensionsMap: &map[string]*string{dimension: jsii.String(value)}, Period: awscdk.Duration_Minutes(jsii.Number(5)),
	})
}
