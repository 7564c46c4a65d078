package endpoint_test

import (
	"errors"
	"testing"

	"behalf.dev/behalf/integration/stack/endpoint"
)

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestChoose_TellsEmbeddedFromEndpoint(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		env  map[string]string
		want string
	}{
		{nil, ""},
		{map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566"},
		{map[string]string{"AWS_ENDPOINT_URL": "https://localhost.localstack.cloud:4566/"}, "https://localhost.localstack.cloud:4566"},
		{map[string]string{"AWS_ENDPOINT_URL": "http://myamazonaws.com"}, "http://myamazonaws.com"},
		{map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, ""},
	} {
		got, err := endpoint.Choose(env(x.env))
		if err != nil || got != x.want {
			t.Errorf("%v: %q, %v", x.env, got, err)
		}
	}
}

func TestChoose_RealAWSOrNoURL_IsRefused(t *testing.T) {
	t.Parallel()
	for raw, real := range map[string]bool{
		"https://dynamodb.eu-central-1.amazonaws.com": true, "https://AMAZONAWS.com.": true, "https://sqs.cn-north-1.amazonaws.com.cn:443/": true,
		"https://dynamodb.us-west-2.api.aws": true, "https://kms.eusc-de-east-1.amazonaws.eu": true,
		"127.0.0.1:4566": false, "ftp://127.0.0.1": false, "http://": false, "http://me:secret@127.0.0.1": false, "http://127.0.0.1/?x=1": false,
	} {
		got, err := endpoint.Choose(env(map[string]string{"AWS_ENDPOINT_URL": raw}))
		if err == nil || got != "" || errors.Is(err, endpoint.ErrRealAWS) != real {
			t.Errorf("%s: %q, %v", raw, got, err)
		}
	}
}
