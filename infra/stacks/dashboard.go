package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	cw "github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/shared/metric"
)

// newDashboard makes the page that an operator opens first: what is wrong on top, then what callers notice, then what works in
// the background, then what is about to run out.
func newDashboard(stack awscdk.Stack, n naming, o Options, alarms []interfacesawscloudwatch.IAlarmRef) {
	board := cw.NewDashboard(stack, jsii.String("Dashboard"), &cw.DashboardProps{DashboardName: jsii.String("behalf-" + o.Stage)})
	row := func(title string, widgets ...cw.IWidget) {
		board.AddWidgets(cw.NewTextWidget(&cw.TextWidgetProps{Markdown: jsii.String("### " + title), Width: jsii.Number(24), Height: jsii.Number(1), Background: cw.TextWidgetBackground_TRANSPARENT}))
		board.AddWidgets(widgets...)
	}
	board.AddWidgets(cw.NewAlarmStatusWidget(&cw.AlarmStatusWidgetProps{
		Title: jsii.String("Alarms (docs/operations.md says what each means and what to do)"), Alarms: &alarms, Width: jsii.Number(24), Height: jsii.Number(6),
		SortBy: cw.AlarmStatusWidgetSortBy_STATE_UPDATED_TIMESTAMP}))
	row("What callers notice",
		graph("API: calls and errors", n.api("Count", "Sum"), n.api("4XXError", "Sum"), n.api("5XXError", "Sum")),
		graph("API: latency (ms)", n.api("Latency", "p50"), n.api("Latency", "p99")),
		graph("Executions by outcome", n.search(metric.Executions, "Sum", metric.Outcome)))
	row("What fails",
		graph("Functions: errors", each(n, o, "Errors", "Sum")...),
		graph("Functions: throttled", each(n, o, "Throttles", "Sum")...),
		graph("Given up", n.queue("refresh-dead", "ApproximateNumberOfMessagesVisible"), n.queue("revoke-dead", "ApproximateNumberOfMessagesVisible"), n.queue("audit-dead", "ApproximateNumberOfMessagesVisible"), n.queue("webhooks-dead", "ApproximateNumberOfMessagesVisible")))
	row("Refresh",
		graph("Refreshes by outcome", n.search(metric.Refreshes, "Sum", metric.Outcome)),
		graph("Lag behind the due time (s)", n.own(metric.RefreshLag, "p50", 5, nil), n.own(metric.RefreshLag, "p99", 5, nil), n.own(metric.DueOldest, "Maximum", 5, nil)),
		graph("Failed, and needing a person (%)", n.own(metric.RefreshFailures, "Average", 5, nil), n.own(metric.Reauthorizations, "Average", 5, nil)))
	row("Refresh, by connector",
		graph("Token endpoints: what they answer", n.search(metric.TokenRequests, "Sum", metric.Connector, metric.Outcome)),
		graph("Tokens minted: client credentials, assertions, key pairs", n.search(metric.TokenMints, "Sum", metric.Connector, metric.Outcome)),
		graph("Token endpoints: latency, p99 (ms)", n.search(metric.TokenLatency, "p99", metric.Connector)),
		graph("Kept off: open circuits, rate limits", n.search(metric.RefreshesKeptOff, "Sum", metric.Connector, metric.Outcome)))
	row("Refresh, behind the scenes",
		graph("Due, each sweep", n.own(metric.Due, "Maximum", 5, nil), n.own(metric.Due, "Average", 5, nil)),
		graph("Sweeps", n.own(metric.Sweeps, "Sum", 5, nil), n.own(metric.SweepsCutShort, "Sum", 5, nil)),
		graph("Tokens that the store did not take at first", n.search(metric.Rescues, "Sum", metric.Outcome)))
	row("What waits",
		graph("Oldest message (s)", n.queue("refresh", "ApproximateAgeOfOldestMessage"), n.queue("revoke", "ApproximateAgeOfOldestMessage"), n.queue("webhooks", "ApproximateAgeOfOldestMessage")),
		graph("Audit: stream lag (ms)", n.lambda("audit", "IteratorAge", "Maximum")),
		graph("Runs each five minutes", n.lambda("execute", "Invocations", "Sum"), n.lambda("refresh", "Invocations", "Sum"), n.lambda("revoke", "Invocations", "Sum"), n.lambda("notify", "Invocations", "Sum")),
		graph("Webhooks", n.webhooks("WebhooksDisabled"), n.webhooks("WebhooksGivenUp")))
	row("What is about to run out",
		graph("Functions: duration, p99 (ms)", each(n, o, "Duration", "p99")...),
		graph("STS and KMS requests of the account, each minute", usage("STS", "AssumeRole"), usage("KMS", "CryptographicOperationsSymmetric")),
		graph("Functions: concurrency", each(n, o, "ConcurrentExecutions", "Maximum")...),
		graph("Vault: throttled", n.throughput("vault", "ReadThrottleEvents"), n.throughput("vault", "WriteThrottleEvents")))
	row("Who is turned away", guards(n, o)...)
}

// guards are the firewall and the canary, as far as they are deployed.
func guards(n naming, o Options) []cw.IWidget {
	var out []cw.IWidget
	if o.Canary {
		out = append(out, graph("Isolation canary (allowed must be 0)", n.canary(metric.AttacksTried), n.canary(metric.AttacksAllowed), n.canary(metric.OwnRefused), n.canary(metric.Unclear)))
	}
	if o.Firewall {
		out = append(out, graph("Firewall: blocked", n.blocked()))
	}
	return append(out, graph("Authorizer: calls", n.lambda("authorizer", "Invocations", "Sum")))
}

func graph(title string, metrics ...cw.IMetric) cw.IWidget {
	return cw.NewGraphWidget(&cw.GraphWidgetProps{Title: jsii.String(title), Left: &metrics, Width: jsii.Number(8), Height: jsii.Number(6)})
}

// each is one metric of every function.
func each(n naming, o Options, name, statistic string) []cw.IMetric {
	var out []cw.IMetric
	for _, f := range deployedFunctions(o) {
		out = append(out, n.lambda(f.name, name, statistic))
	}
	return out
}
