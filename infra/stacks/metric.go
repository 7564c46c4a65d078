package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	cw "github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"
)

func (n naming) lambda(function, metric, statistic string) cw.Metric {
	return measure("AWS/Lambda", metric, statistic, function, 5, map[string]string{"FunctionName": n.name(function)})
}

func (n naming) queue(queue, metric string) cw.Metric {
	return measure("AWS/SQS", metric, "Maximum", queue, 5, map[string]string{"QueueName": n.name(queue)})
}

// api is a metric of the REST API, which CloudWatch knows by its name.
func (n naming) api(metric, statistic string) cw.Metric {
	return measure("AWS/ApiGateway", metric, statistic, metric+" "+statistic, 5, map[string]string{"ApiName": "behalf-" + n.stage})
}

// throughput is a metric of a table; throttles are counted for the table and, apart, for its indexes.
func (n naming) throughput(table, metric string) cw.Metric {
	return measure("AWS/DynamoDB", metric, "Sum", table+" "+metric, 5, map[string]string{"TableName": n.name(table)})
}

// blocked is what the firewall turned away.
func (n naming) blocked() cw.Metric {
	return measure("AWS/WAFV2", "BlockedRequests", "Sum", "blocked", 5, map[string]string{"WebACL": "behalf-" + n.stage, "Region": n.region, "Rule": "ALL"})
}

// canary is a metric that functions/canary writes into its log, in the embedded metric format; once an hour.
func (n naming) canary(metric string) cw.Metric {
	return measure("Behalf", metric, "Sum", metric, 60, map[string]string{"Stage": n.stage})
}

// usage counts the requests of the whole account in this Region that share a quota (CloudWatch User Guide, "AWS usage metrics").
// AWS describes it for KMS; that STS publishes it was not seen on an account.
func usage(service, resource string) cw.Metric {
	return measure("AWS/Usage", "CallCount", "Sum", service, 1, map[string]string{"Service": service, "Resource": resource, "Type": "API", "Class": "None"})
}

func measure(namespace, metric, statistic, label string, minutes float64, dimensions map[string]string) cw.Metric {
	by := map[string]*string{}
	for name, value := range dimensions {
		by[name] = jsii.String(value)
	}
	return cw.NewMetric(&cw.MetricProps{
		Namespace: jsii.String(namespace), MetricName: jsii.String(metric), Statistic: jsii.String(statistic), Label: jsii.String(label),
		DimensionsMap: &by, Period: awscdk.Duration_Minutes(jsii.Number(minutes)),
	})
}
