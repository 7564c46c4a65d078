package policy

import "behalf.dev/behalf/integration/localaws/cfn"

// attribute answers what a resource is: its ARN, its stream's ARN, or, for Ref and the rest, its name.
func attribute(r *cfn.Resource, attr string) (string, error) {
	name := named(r)
	switch {
	case attr == "Arn", attr == "" && r.Type == "AWS::SNS::Topic":
		return arnOf(r, name), nil
	case attr == "StreamArn":
		return arnOf(r, name) + "/stream/2026-01-01T00:00:00.000", nil
	case attr == "" && r.Type == "AWS::SQS::Queue":
		return "https://sqs." + Region + ".amazonaws.com/" + Account + "/" + name, nil
	case attr == "", attr == "QueueName":
		return name, nil
	}
	return r.LogicalID + "." + attr, nil
}

// named is the physical name: the one that the template gives, else the logical id.
func named(r *cfn.Resource) string {
	for _, property := range []string{"FunctionName", "RoleName", "TableName", "QueueName", "LogGroupName", "TopicName", "Name"} {
		if s, ok := r.Properties[property].(string); ok {
			return s
		}
	}
	return r.LogicalID
}

func arnOf(r *cfn.Resource, name string) string {
	at := func(service, resource string) string {
		return "arn:aws:" + service + ":" + Region + ":" + Account + ":" + resource
	}
	switch r.Type {
	case "AWS::IAM::Role":
		return "arn:aws:iam::" + Account + ":role/" + name
	case "AWS::Lambda::Function":
		return at("lambda", "function:"+name)
	case "AWS::SQS::Queue":
		return at("sqs", name)
	case "AWS::SNS::Topic":
		return at("sns", name)
	case "AWS::Events::EventBus":
		return at("events", "event-bus/"+name)
	case "AWS::KMS::Key":
		return at("kms", "key/"+name)
	case "AWS::DynamoDB::GlobalTable":
		return at("dynamodb", "table/"+name)
	case "AWS::S3::Bucket":
		return "arn:aws:s3:::" + name
	case "AWS::Logs::LogGroup":
		return at("logs", "log-group:"+name+":*")
	}
	return at("unknown", name)
}
