package localaws_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"behalf.dev/behalf/integration/localaws"
)

// lockedBucket is a bucket in the shape of the audit bucket, with one writer.
const lockedBucket = `{"Resources": {
	"Writer": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "writer",
		"AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
		"Policies": [{"PolicyName": "own", "PolicyDocument": {"Statement": [
			{"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"], "Resource": "arn:aws:s3:::kept/in/*"}]}}]}},
	"Kept": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "kept", "ObjectLockEnabled": true, "VersioningConfiguration": {"Status": "Enabled"},
		"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "MODE", "Days": 2}}}}},
	"Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "Kept"}, "PolicyDocument": {"Statement": [
		{"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:PutObject", "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["Kept", "Arn"]}, "/*"]]}, "Condition": {"ArnNotEquals": {"aws:PrincipalArn": {"Fn::GetAtt": ["Writer", "Arn"]}}}},
		{"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": "arn:aws:s3:::kept/*", "Condition": {"NumericLessThan": {"s3:TlsVersion": 1.2}}}]}}}}}`

// likeLoaded gives a client what config.LoadDefaultConfig would: a checksum with each upload.
func likeLoaded(o *s3.Options) {
	o.UsePathStyle, o.RequestChecksumCalculation = true, aws.RequestChecksumCalculationWhenSupported
}

// locked returns clients of the writer and of the owner, and what moves the clock.
func locked(t *testing.T, mode string) (writer, owner *s3.Client, advance func(time.Duration)) {
	t.Helper()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	a, err := localaws.New(localaws.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.LoadTemplates(map[string][]byte{"test": []byte(strings.Replace(lockedBucket, "MODE", mode, 1))}); err != nil {
		t.Fatal(err)
	}
	k, sec, token := a.RoleCredentials("arn:aws:iam::000000000000:role/writer")
	return s3.NewFromConfig(config(a, [3]string{k, sec, token}), likeLoaded), s3.NewFromConfig(operator(a), likeLoaded), func(d time.Duration) { now = now.Add(d) }
}

func codeOf(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func store(c *s3.Client, t *testing.T, key, body string, change ...func(*s3.PutObjectInput)) (*s3.PutObjectOutput, string) {
	t.Helper()
	in := &s3.PutObjectInput{Bucket: aws.String("kept"), Key: &key, Body: strings.NewReader(body)}
	for _, f := range change {
		f(in)
	}
	out, err := c.PutObject(t.Context(), in)
	return out, codeOf(err)
}

func onlyIfNew(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

func TestS3_PutObject_PolicyPreconditionAndChecksumAreEnforced(t *testing.T) {
	t.Parallel()
	writer, owner, _ := locked(t, "GOVERNANCE")
	for _, c := range []struct {
		name, key, body, want string
		client                *s3.Client
		change                func(*s3.PutObjectInput)
	}{
		{"new", "in/a", "one", "", writer, onlyIfNew},
		{"again", "in/a", "two", "PreconditionFailed", writer, onlyIfNew},
		{"outside of the identity policy", "out/a", "x", "AccessDenied", writer, onlyIfNew},
		{"the owner, whom the bucket policy denies it", "in/b", "x", "AccessDenied", owner, onlyIfNew},
		{"a checksum of something else", "in/c", "x", "BadDigest", writer, func(in *s3.PutObjectInput) {
			in.ChecksumSHA256 = aws.String("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
		}},
		{"another bucket", "in/a", "x", "AccessDenied", writer, func(in *s3.PutObjectInput) { in.Bucket = aws.String("other") }},
		{"another bucket, by the owner", "in/a", "x", "NoSuchBucket", owner, func(in *s3.PutObjectInput) { in.Bucket = aws.String("other") }},
	} {
		if _, got := store(c.client, t, c.key, c.body, c.change); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	_, err := writer.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("kept"), Key: aws.String("in/c"), Body: strings.NewReader("x")},
		func(o *s3.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired })
	if codeOf(err) != "InvalidRequest" {
		t.Errorf("no checksum: %v", err)
	}
	out, err := writer.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("kept"), Key: aws.String("in/a")})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(out.Body); string(b) != "one" || err != nil || out.ObjectLockMode != types.ObjectLockModeGovernance {
		t.Errorf("%q %v %v", b, err, out.ObjectLockMode)
	}
	store(writer, t, "in/b", "2", onlyIfNew)
	page, err := owner.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("kept"), Prefix: aws.String("in/"), MaxKeys: aws.Int32(1)})
	if err != nil || len(page.Contents) != 1 || !*page.IsTruncated {
		t.Fatalf("%+v %v", page, err)
	}
	rest, err := owner.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("kept"), Prefix: aws.String("in/"), ContinuationToken: page.NextContinuationToken})
	if err != nil || len(rest.Contents) != 1 || *rest.Contents[0].Key != "in/b" {
		t.Fatalf("%+v %v", rest, err)
	}
	if _, err := writer.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("kept")}); codeOf(err) != "AccessDenied" {
		t.Errorf("listing without a right: %v", err)
	}
}

func TestS3_LockedVersion_IsKeptUntilItsTimeOrABypass(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"GOVERNANCE", "COMPLIANCE"} {
		writer, _, advance := locked(t, mode)
		first, code := store(writer, t, "in/a", "one", onlyIfNew)
		if code != "" {
			t.Fatal(code)
		}
		remove := func(bypass bool) string {
			in := &s3.DeleteObjectInput{Bucket: aws.String("kept"), Key: aws.String("in/a"), VersionId: first.VersionId}
			if bypass {
				in.BypassGovernanceRetention = aws.Bool(true)
			}
			_, err := writer.DeleteObject(t.Context(), in)
			return codeOf(err)
		}
		if got := remove(false); got != "AccessDenied" {
			t.Errorf("%s: deleting a locked version: %q", mode, got)
		}
		// A newer version and a delete marker hide the locked one, and leave it where it is.
		store(writer, t, "in/a", "two")
		if _, err := writer.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("kept"), Key: aws.String("in/a")}); err != nil {
			t.Error(err)
		}
		if _, err := writer.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("kept"), Key: aws.String("in/a")}); codeOf(err) != "NoSuchKey" {
			t.Errorf("%s: %v", mode, err)
		}
		if mode == "COMPLIANCE" {
			if got := remove(true); got != "AccessDenied" {
				t.Errorf("compliance was bypassed: %q", got)
			}
			advance(49 * time.Hour)
			if got := remove(false); got != "" {
				t.Errorf("after its time: %q", got)
			}
		} else if got := remove(true); got != "" {
			t.Errorf("governance with the right to bypass: %q", got)
		}
	}
}

func TestS3_Journal_KeepsVersionsAndLocks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() (*localaws.AWS, *s3.Client) {
		a, err := localaws.New(localaws.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.LoadTemplates(map[string][]byte{"test": []byte(strings.Replace(lockedBucket, "MODE", "COMPLIANCE", 1))}); err != nil {
			t.Fatal(err)
		}
		k, sec, token := a.RoleCredentials("arn:aws:iam::000000000000:role/writer")
		return a, s3.NewFromConfig(config(a, [3]string{k, sec, token}), likeLoaded)
	}
	a, c := open()
	made, code := store(c, t, "in/a", "one", onlyIfNew)
	if code != "" {
		t.Fatal(code)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a, c = open()
	defer func() { _ = a.Close() }()
	if _, code := store(c, t, "in/a", "two", onlyIfNew); code != "PreconditionFailed" {
		t.Errorf("overwritten after a restart: %q", code)
	}
	if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("kept"), Key: aws.String("in/a"), VersionId: made.VersionId}); codeOf(err) != "AccessDenied" {
		t.Errorf("deleted after a restart: %v", err)
	}
}
