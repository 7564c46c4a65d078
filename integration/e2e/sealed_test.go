package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"behalf.dev/behalf/integration/e2e"
	"behalf.dev/behalf/shared/audit"
)

// auditBucket is its name in the embedded account.
const auditBucket = "behalf-local-audit-000000000000-us-east-1"

func bucket(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle, o.RequestChecksumCalculation = true, aws.RequestChecksumCalculationWhenSupported
	})
}

// kept downloads a tenant's segments, as an operator does.
func kept(t *testing.T, f *e2e.Fixture, tenant string) (out []audit.Segment) {
	t.Helper()
	c := bucket(f.Operator())
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(auditBucket), Prefix: aws.String("segments/" + tenant + "/")})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Contents {
		got, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(auditBucket), Key: o.Key})
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(got.Body)
		if err != nil || got.ObjectLockMode == "" {
			t.Fatalf("%s is not locked (%v)", *o.Key, err)
		}
		var s audit.Segment
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// busy makes a trail of several segments.
func busy(t *testing.T, f *e2e.Fixture) {
	t.Helper()
	f.Connect(t, "acme", "user_alice", "github", "alice", nil)
	session := f.Session(t, "acme", "user_alice", nil)
	for range 3 {
		f.Execute(t, session, "github_get_authenticated_user", nil, nil).Want(t, 200)
		f.Settle(t)
	}
}

func TestSealedCopies_ChainRebuiltInTheTable_IsCaughtByTheBucket(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	busy(t, f)
	records, segments := export(t, f, "acme")
	copies := kept(t, f, "acme")
	later := f.Clock.Now().Add(time.Hour)
	if rep := audit.VerifyKept(records, segments, copies, later, time.Minute); !rep.OK() || rep.Kept != len(segments) || rep.Kept < 3 {
		t.Fatalf("before: %+v", rep)
	}

	// Somebody with all rights on the table changes one record and makes every segment anew.
	target := records[2]
	forgeTrail(t, f, segments, func(r *audit.Record) {
		if r.ID == target.ID {
			r.Principal = "user_mallory"
		}
	})
	records, segments = export(t, f, "acme")
	if rep := audit.Verify(records, segments, later, time.Minute); !rep.OK() {
		t.Fatalf("the forged chain does not even fit in itself: %v", rep.Problems)
	}
	rep := audit.VerifyKept(records, segments, kept(t, f, "acme"), later, time.Minute)
	if all := strings.Join(rep.Problems, "\n"); !strings.Contains(all, "differs from its copy") || !strings.Contains(all, "record "+target.ID+" was changed") {
		t.Errorf("not caught: %v", rep.Problems)
	}
}

// forgeTrail rewrites acme's records and chain in the table, with the operator's credentials.
func forgeTrail(t *testing.T, f *e2e.Fixture, segments []audit.Segment, change func(*audit.Record)) {
	t.Helper()
	db := dynamodb.NewFromConfig(f.Operator())
	all, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("behalf-local-audit")})
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(i map[string]types.AttributeValue, doc any) {
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		i["doc"] = &types.AttributeValueMemberS{Value: string(b)}
		if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("behalf-local-audit"), Item: i}); err != nil {
			t.Fatal(err)
		}
	}
	byID, rows := map[string]audit.Record{}, map[string]map[string]types.AttributeValue{}
	for _, i := range all.Items {
		pk, sk := i["pk"].(*types.AttributeValueMemberS).Value, i["sk"].(*types.AttributeValueMemberS).Value
		switch {
		case strings.HasPrefix(pk, "T#acme#A#"):
			var r audit.Record
			if err := json.Unmarshal([]byte(i["doc"].(*types.AttributeValueMemberS).Value), &r); err != nil {
				t.Fatal(err)
			}
			change(&r)
			byID[r.ID] = r
			rewrite(i, r)
		case pk == "T#acme#H" && strings.HasPrefix(sk, "SEG#"):
			rows[sk] = i
		}
	}
	var prev *audit.Segment
	for _, s := range segments {
		var in []audit.Record
		for _, r := range s.Records {
			in = append(in, byID[r.ID])
		}
		n := audit.NextSegment(prev, in, s.Time)
		rewrite(rows[fmt.Sprintf("SEG#%012d", n.Seq)], n)
		prev = &n
	}
}

func TestSealedCopies_BucketUnreachable_CopiesAreMadeLaterWithoutGap(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	f.Account().Faults().FailBefore("s3:PutObject", 7, nil) // the SDK tries three times, so the function fails twice
	busy(t, f)
	f.Account().Faults().Clear()
	f.Session(t, "acme", "user_alice", nil) // one more record: what was given up on is found again with it
	f.Settle(t)
	_, segments := export(t, f, "acme")
	copies := kept(t, f, "acme")
	if len(copies) != len(segments) {
		t.Fatalf("%d copies of %d segments", len(copies), len(segments))
	}
	for i, s := range segments {
		if copies[i].Hash != s.Hash {
			t.Errorf("segment %d differs", s.Seq)
		}
	}
}

// The deployed policies, not the sealer's good will, keep copies as they are.
func TestSealedCopies_Attacks_AreRefusedByTheDeployedPolicies(t *testing.T) {
	t.Parallel()
	f := e2e.New(t)
	busy(t, f)
	key := audit.SegmentKey("acme", 1)
	head, err := bucket(f.Operator()).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(auditBucket), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	put := func(key string, ifNew bool) func(*s3.Client) error {
		return func(c *s3.Client) error {
			in := &s3.PutObjectInput{Bucket: aws.String(auditBucket), Key: &key, Body: strings.NewReader("{}")}
			if ifNew {
				in.IfNoneMatch = aws.String("*")
			}
			_, err := c.PutObject(t.Context(), in)
			return err
		}
	}
	remove := func(version *string, bypass bool) func(*s3.Client) error {
		return func(c *s3.Client) error {
			in := &s3.DeleteObjectInput{Bucket: aws.String(auditBucket), Key: &key, VersionId: version}
			if bypass {
				in.BypassGovernanceRetention = aws.Bool(true)
			}
			_, err := c.DeleteObject(t.Context(), in)
			return err
		}
	}
	for _, c := range []struct {
		name string
		as   aws.Config
		do   func(*s3.Client) error
		want string
	}{
		{"the sealer overwrites", f.Role("audit"), put(key, false), "AccessDenied"},
		{"the sealer writes what exists", f.Role("audit"), put(key, true), "PreconditionFailed"},
		{"the sealer writes elsewhere", f.Role("audit"), put("other/x", true), "AccessDenied"},
		{"the sealer hides", f.Role("audit"), remove(nil, false), "AccessDenied"},
		{"the sealer deletes", f.Role("audit"), remove(head.VersionId, false), "AccessDenied"},
		{"the sealer bypasses", f.Role("audit"), remove(head.VersionId, true), "AccessDenied"},
		{"admin writes", f.Role("admin"), put("segments/acme/000000000099.json", true), "AccessDenied"},
		{"execute writes", f.Role("execute"), put("segments/acme/000000000099.json", true), "AccessDenied"},
		{"the owner writes", f.Operator(), put("segments/acme/000000000099.json", true), "AccessDenied"},
		{"the owner deletes without a bypass", f.Operator(), remove(head.VersionId, false), "AccessDenied"},
	} {
		err := c.do(bucket(c.as))
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}
