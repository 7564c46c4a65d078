package stacks

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	cw "github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"behalf.dev/behalf/shared/metric"
)

func (n naming) lambda(function, name, statistic string) cw.Metric {
	return measure("AWS/Lambda", name, statistic, function, 5, map[string]string{"FunctionName": n.name(function)})
}

func (n naming) queue(queue, name string) cw.Metric {
	return measure("AWS/SQS", name, "Maximum", queue, 5, map[string]string{"QueueName": n.name(queue)})
}

// api is a metric of the REST API, which CloudWatch knows by its name.
func (n naming) api(name, statistic string) cw.Metric {
	return measure("AWS/ApiGateway", name, statistic, name+" "+statistic, 5, map[string]string{"ApiName": "behalf-" + n.stage})
}

// throughput is a metric of a table; throttles are counted for the table and, apart, for its indexes.
func (n naming) throughput(table, name string) cw.Metric {
	return measure("AWS/DynamoDB", name, "Sum", table+" "+name, 5, map[string]string{"TableName": n.name(table)})
}

// blocked is what the firewall turned away.
func (n naming) blocked() cw.Metric {
	return measure("AWS/WAFV2", "BlockedRequests", "Sum", "blocked", 5, map[string]string{"WebACL": "behalf-" + n.stage, "Region": n.region, "Rule": "ALL"})
}

// canary is a metric that functions/canary writes into its log, in the embedded metric format; once an hour.
func (n naming) canary(name metric.Name) cw.Metric { return n.own(name, "Sum", 60, nil) }

// own is a metric that functions write into their logs (package metric), with one value for each dimension in by.
func (n naming) own(name metric.Name, statistic string, minutes float64, by map[string]string) cw.Metric {
	dimensions, label := map[string]string{metric.Stage: n.stage}, string(name)
	for k, v := range by {
		dimensions[k] = v
		label = v
	}
	return measure(metric.Namespace, string(name), statistic, label, minutes, dimensions)
}

// search is an own metric for every connector and outcome that was ever seen: which connectors there are, the deployment decides.
func (n naming) search(name metric.Name, statistic string, dimensions ...string) cw.IMetric {
	schema := strings.Join(append([]string{metric.Namespace}, dimensions...), ",")
	return cw.NewMathExpression(&cw.MathExpressionProps{
		Expression: jsii.String(fmt.Sprintf(`SEARCH('{%s,%s} MetricName="%s" %s="%s"', '%s', 300)`, schema, metric.Stage, name, metric.Stage, n.stage, statistic)),
		Label:      jsii.String(""), UsingMetrics: &map[string]cw.IMetric{}, Period: awscdk.Duration_Minutes(jsii.Number(5)),
	})
}

// webhooks is a metric that CloudWatch makes from what functions/notify logs.
func (n naming) webhooks(metric string) cw.Metric {
	return measure("Behalf", metric, "Sum", metric, 5, map[string]string{"Stage": n.stage})
}

// usage counts the requests of the whole account in this Region that share a quota (CloudWatch User Guide, "AWS usage metrics").
// AWS describes it for KMS; that STS publishes it was not seen on an account.
func usage(service, resource string) cw.Metric {
	return measure("AWS/Usage", "CallCount", "Sum", service, 1, map[string]string{"Service": service, "Resource": resource, "Type": "API", "Class": "None"})
}

func measure(namespace, name, statistic, label string, minutes float64, dimensions map[string]string) cw.Metric {
	by := map[string]*string{}
	for dimension, value := range dimensions {
		by[dimension] = jsii.String(value)
	}
	return cw.NewMetric(&cw.MetricProps{
		Namespace: jsii.String(namespace), MetricName: jsii.String(name), Statistic: jsii.String(statistic), Label: jsii.String(label),
		DimensionsMap: &by, Period: awscdk.Duration_Minutes(jsii.Number(minutes)),
	})
}
