package localaws

import (
	"net/http"
	"net/url"
	"strings"

	"behalf.dev/behalf/integration/localaws/awserr"
	"behalf.dev/behalf/integration/localaws/s3"
)

// route tells which service and operation a request means.
func route(r *http.Request, body []byte) *call {
	c := &call{http: r, body: body, accessKey: accessKey(r), service: "unknown", op: "unknown", protocol: json10}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		prefix, op, _ := strings.Cut(target, ".")
		c.op = op
		switch {
		case strings.HasPrefix(prefix, "DynamoDB"): // DynamoDB_20120810, DynamoDBStreams_20120810
			c.service = "dynamodb"
		case prefix == "TrentService":
			c.service, c.protocol = "kms", json11
		case prefix == "AmazonSQS":
			c.service, c.protocol = "sqs", sqsJSON
		case prefix == "AWSEvents":
			c.service, c.protocol = "events", json11
		default:
			c.service = prefix
		}
		return c
	}
	if signedFor(r, "s3") {
		c.service, c.op, c.protocol = "s3", s3.Operation(r), restXML
		return c
	}
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/schedules/"):
		c.service, c.protocol = "scheduler", rest
		c.op = map[string]string{http.MethodPost: "CreateSchedule", http.MethodGet: "GetSchedule", http.MethodDelete: "DeleteSchedule"}[r.Method]
	case strings.HasPrefix(path, "/2015-03-31/functions/") && strings.HasSuffix(path, "/invocations"):
		c.service, c.op, c.protocol = "lambda", "Invoke", rest
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		c.protocol = query
		if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Version") == "2011-06-15" {
			c.service, c.op = "sts", form.Get("Action")
		}
	}
	return c
}

// accessKey reads the key id from a SigV4 header. The signature itself is not verified: there
// is no secret worth protecting inside one process.
func accessKey(r *http.Request) string {
	_, after, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(after, "/")
	return id
}

// signedFor tells that the SigV4 scope (key/date/region/service/aws4_request) names a service. S3 has nothing else in common.
func signedFor(r *http.Request, service string) bool {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	scope, _, _ = strings.Cut(scope, ",")
	parts := strings.Split(scope, "/")
	return len(parts) == 5 && parts[3] == service
}

func formValues(c *call) (url.Values, error) {
	f, err := url.ParseQuery(string(c.body))
	if err != nil {
		return nil, awserr.New("MalformedQueryString", "%v", err)
	}
	return f, nil
}
