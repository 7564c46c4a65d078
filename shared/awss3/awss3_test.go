package awss3_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/shared/awss3"
)

const template = `{"Resources": {"Kept": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "kept", "ObjectLockEnabled": true, "VersioningConfiguration": {"Status": "Enabled"}}},
	"Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": "kept", "PolicyDocument": {"Statement": [
		{"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::kept/*", "Condition": {"Null": {"s3:if-none-match": "true"}}}]}}}}}`

func open(t *testing.T) (*localaws.AWS, aws.Config) {
	t.Helper()
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.LoadTemplates(map[string][]byte{"test": []byte(template)}); err != nil {
		t.Fatal(err)
	}
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		key, secret := a.OperatorCredentials()
		return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, nil
	})
	return a, aws.Config{Region: "us-east-1", HTTPClient: a.HTTPClient(), BaseEndpoint: aws.String("http://localaws.internal"), Credentials: creds}
}

func TestKeep_SameContentAgain_IsNoErrorAndOtherContentIs(t *testing.T) {
	t.Parallel()
	a, cfg := open(t)
	b := awss3.New(cfg, "kept")
	for range 2 {
		if err := b.Keep(t.Context(), "segments/acme/000000000001.json", []byte(`{"seq":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range []string{`{"seq":2}`, `{"seq":1`, `{"seq":1}}`, ``} {
		if err := b.Keep(t.Context(), "segments/acme/000000000001.json", []byte(other)); !errors.Is(err, awss3.ErrDiffers) {
			t.Errorf("%q: %v", other, err)
		}
	}
	if n := a.Counter().Snapshot()["s3:PutObject"]; n != 6 {
		t.Errorf("%d writes", n)
	}
}

func TestKeep_AnswerLost_IsNotAConflict(t *testing.T) {
	t.Parallel()
	a, cfg := open(t)
	a.Faults().FailAfter("s3:PutObject", 1, nil)
	if err := awss3.New(cfg, "kept").Keep(t.Context(), "k", []byte("x")); err != nil {
		t.Error(err)
	}
}

// conflicts answers 409 to the first uploads, as S3 does while another one of the same object is under way.
type conflicts struct {
	next aws.HTTPClient
	left int
}

func (c *conflicts) Do(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut && c.left > 0 {
		c.left--
		return &http.Response{StatusCode: 409, Header: http.Header{}, Request: r,
			Body: io.NopCloser(strings.NewReader(`<Error><Code>ConditionalRequestConflict</Code><Message>x</Message></Error>`))}, nil
	}
	return c.next.Do(r)
}

func TestKeep_AnotherWriteUnderWay_IsTriedAgain(t *testing.T) {
	t.Parallel()
	for left, ok := range map[int]bool{1: true, 2: true, 3: false} {
		_, cfg := open(t)
		cfg.HTTPClient = &conflicts{cfg.HTTPClient, left}
		if err := awss3.New(cfg, "kept").Keep(t.Context(), "k", []byte("x")); (err == nil) != ok {
			t.Errorf("%d conflicts: %v", left, err)
		}
	}
}

func TestKeep_NoBucket_SaysWhatWasAttempted(t *testing.T) {
	t.Parallel()
	_, cfg := open(t)
	if err := awss3.New(cfg, "gone").Keep(t.Context(), "segments/a", []byte("x")); err == nil || !strings.Contains(err.Error(), "write segments/a") {
		t.Error(err)
	}
}
