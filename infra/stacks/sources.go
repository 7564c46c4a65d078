package stacks

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsscheduler"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/events"
)

// queues carry work that must survive a crash; each dead one holds what its owner gave up on.
type queues struct {
	refresh, revoke, webhooks                        awssqs.Queue
	refreshDead, revokeDead, auditDead, webhooksDead awssqs.Queue
}

// newQueues: a message is visible again after twice the consumer's timeout, so that two workers rarely meet. A refresh is
// swept again each minute and gives up early; a revocation must outlive a provider's outage and is tried for days.
func newQueues(stack awscdk.Stack, n naming, o Options) queues {
	plain := func(id, short string, visible float64, dead *awssqs.DeadLetterQueue) awssqs.Queue {
		return awssqs.NewQueue(stack, jsii.String(id), &awssqs.QueueProps{
			QueueName: jsii.String(n.name(short)), Encryption: awssqs.QueueEncryption_SQS_MANAGED, EnforceSSL: jsii.Bool(true),
			VisibilityTimeout: awscdk.Duration_Seconds(jsii.Number(visible)), RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
			DeadLetterQueue: dead, RemovalPolicy: o.removal(),
		})
	}
	q := queues{
		refreshDead: plain("RefreshDead", "refresh-dead", 30, nil),
		revokeDead:  plain("RevokeDead", "revoke-dead", 30, nil),
		auditDead:   plain("AuditDead", "audit-dead", 30, nil),

		webhooksDead: plain("WebhooksDead", "webhooks-dead", 30, nil),
	}
	q.refresh = plain("RefreshQueue", "refresh", 180, &awssqs.DeadLetterQueue{Queue: q.refreshDead, MaxReceiveCount: jsii.Number(5)})
	q.revoke = plain("RevokeQueue", "revoke", 120, &awssqs.DeadLetterQueue{Queue: q.revokeDead, MaxReceiveCount: jsii.Number(50)})
	q.webhooks = plain("WebhooksQueue", "webhooks", 120, &awssqs.DeadLetterQueue{Queue: q.webhooksDead, MaxReceiveCount: jsii.Number(50)})
	return q
}

// newWebhookRule brings everything that is published to the webhook queue. What nobody asked for is dropped there: which events a
// tenant wants is a row in a table, not a rule. The construct lets this rule, and no other, send to the queue.
func newWebhookRule(stack awscdk.Stack, n naming, bus awsevents.IEventBus, queue awssqs.Queue) {
	awsevents.NewRule(stack, jsii.String("WebhooksRule"), &awsevents.RuleProps{
		RuleName: jsii.String(n.name("webhooks")), Description: jsii.String("Behalf: events for webhooks"), EventBus: bus,
		EventPattern: &awsevents.EventPattern{Source: jsii.Strings(events.Source)},
		Targets:      &[]awsevents.IRuleTarget{awseventstargets.NewSqsQueue(queue, nil)},
	})
}

// countWebhooks makes metrics of two lines that the function notify logs, so that an alarm can stand on them.
func countWebhooks(stack awscdk.Stack, logs awslogs.ILogGroup) {
	for metric, message := range map[string]string{"WebhooksDisabled": "webhook disabled", "WebhooksGivenUp": "webhook given up"} {
		awslogs.NewMetricFilter(stack, jsii.String(metric), &awslogs.MetricFilterProps{
			LogGroup: logs, FilterPattern: awslogs.FilterPattern_StringValue(jsii.String("$.msg"), jsii.String("="), jsii.String(message)),
			MetricNamespace: jsii.String("Behalf"), MetricName: jsii.String(metric), MetricValue: jsii.String("1"),
			Dimensions: &map[string]*string{"Stage": jsii.String("$.stage")},
		})
	}
}

// webhookBatches bounds how much receivers that answer slowly can take: 200 webhooks at once.
const webhookBatches = 20

// newSources connects queues and stream to their consumers.
func newSources(stack awscdk.Stack, f map[string]awslambda.Function, q queues, g grants) {
	partial := jsii.Strings("ReportBatchItemFailures")
	for _, s := range []struct {
		function string
		queue    awssqs.Queue
		batch    float64
		most     float64 // invocations at a time: half of the function's own concurrency, so that a full queue leaves room for direct calls
	}{{"refresh", q.refresh, 5, 50}, {"revoke", q.revoke, 10, 10}, {"notify", q.webhooks, 10, webhookBatches}} {
		awslambda.NewCfnEventSourceMapping(stack, jsii.String(title(s.function)+"FromQueue"), &awslambda.CfnEventSourceMappingProps{
			FunctionName: f[s.function].FunctionName(), EventSourceArn: s.queue.QueueArn(), BatchSize: jsii.Number(s.batch),
			FunctionResponseTypes: partial,
			ScalingConfig:         &awslambda.CfnEventSourceMapping_ScalingConfigProperty{MaximumConcurrency: jsii.Number(s.most)},
		})
	}
	awslambda.NewCfnEventSourceMapping(stack, jsii.String("AuditFromStream"), &awslambda.CfnEventSourceMappingProps{
		FunctionName: f["audit"].FunctionName(), EventSourceArn: jsii.String(g.auditStream), StartingPosition: jsii.String("TRIM_HORIZON"),
		BatchSize: jsii.Number(100), MaximumBatchingWindowInSeconds: jsii.Number(5), MaximumRetryAttempts: jsii.Number(10),
		BisectBatchOnFunctionError: jsii.Bool(true), FunctionResponseTypes: partial,
		FilterCriteria: &awslambda.CfnEventSourceMapping_FilterCriteriaProperty{
			Filters: &[]*awslambda.CfnEventSourceMapping_FilterProperty{{Pattern: jsii.String(recordsOnly())}}},
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: jsii.String(g.auditDead)}},
	})
}

// recordsOnly lets new audit records through and keeps out the chain segments that the consumer itself writes into the same
// table, which would start it again without end. A record's partition ends in an hour, a segment's in H.
func recordsOnly() string {
	digits := ""
	for d := range 10 {
		digits += fmt.Sprintf(`,{"suffix":"%d"}`, d)
	}
	return `{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":[` + digits[1:] + `]}}}}`
}

// schedule starts a function again and again.
type schedule struct {
	name, description, rate, input string
	lateSeconds                    float64 // how late a start may be; after that it is dropped
}

// newSchedule starts a function with a role that can start nothing else. A missed time is made up by the next one, so nothing is
// retried.
func newSchedule(stack awscdk.Stack, n naming, s schedule, function string, f awslambda.Function) {
	caller := awsiam.NewServicePrincipal(jsii.String("scheduler.amazonaws.com"), &awsiam.ServicePrincipalOpts{
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": n.account}}})
	role := awsiam.NewRole(stack, jsii.String(logicalID(s.name)+"Role"), &awsiam.RoleProps{
		RoleName: jsii.String(n.name(s.name)), Description: jsii.String("Behalf: the schedule " + s.name), AssumedBy: caller,
		InlinePolicies: &map[string]awsiam.PolicyDocument{"own": document([]statement{
			allow("StartFunction", []string{"lambda:InvokeFunction"}, n.function(function))})},
	})
	awsscheduler.NewCfnSchedule(stack, jsii.String(logicalID(s.name)), &awsscheduler.CfnScheduleProps{
		Name: jsii.String(n.name(s.name)), Description: jsii.String(s.description), ScheduleExpression: jsii.String(s.rate),
		FlexibleTimeWindow: &awsscheduler.CfnSchedule_FlexibleTimeWindowProperty{Mode: jsii.String("OFF")},
		Target: &awsscheduler.CfnSchedule_TargetProperty{
			Arn: f.FunctionArn(), RoleArn: role.RoleArn(), Input: jsii.String(s.input),
			RetryPolicy: &awsscheduler.CfnSchedule_RetryPolicyProperty{MaximumEventAgeInSeconds: jsii.Number(s.lateSeconds), MaximumRetryAttempts: jsii.Number(0)},
		},
	})
}
