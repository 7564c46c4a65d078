package policy_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"behalf.dev/behalf/integration/localaws/iam"
	"behalf.dev/behalf/integration/policy"
)

// everyItemAction is all that reads or writes items; Streams, exports and backups have no place in a table's policy.
var everyItemAction = strings.Fields(all + " BatchWriteItem Scan PartiQLSelect PartiQLInsert PartiQLUpdate PartiQLDelete")

// A role with a policy for everything, made by whoever, is refused by the tables themselves; the account's root is not.
func TestTables_RolesThatNobodyNamed_AreRefused(t *testing.T) {
	t.Parallel()
	j := judgeOf(t, load(t))
	j.roles["stray"] = stray(t)
	root := stray(t)
	root.arn = "arn:aws:iam::" + policy.Account + ":root"
	j.roles["root"] = root
	for _, table := range []string{"vault", "directory", "flow", "audit", "vault/index/due"} {
		for _, action := range everyItemAction {
			if !j.decide(t, "stray", nil, item(action, table, "T#acme#U#alice")).ExplicitDeny || !j.decide(t, "stray", nil, item(action, table)).ExplicitDeny {
				t.Errorf("stray may %s on %s", action, table)
			}
			if !j.decide(t, "root", nil, item(action, table, "T#acme#U#alice")).Allowed {
				t.Errorf("root may not %s on %s", action, table)
			}
		}
	}
}

// The list is who has rights at a table, and nobody else: a role that is given rights must be let in, one that lost them not.
func TestTables_LetInThoseWithRights(t *testing.T) {
	t.Parallel()
	d := load(t)
	for _, r := range d.Of("AWS::DynamoDB::GlobalTable") {
		table := strings.TrimPrefix(r.Properties["TableName"].(string), "behalf-local-")
		want := map[string]bool{"arn:aws:iam::" + policy.Account + ":root": true}
		for _, g := range meant {
			if g.table == table {
				want[d.Roles()[g.role].ARN] = true
			}
		}
		if table == "vault" {
			want[d.Roles()["refresh"].ARN] = true // the index of due connections
		}
		got := textsOf(at(r.Properties, "Replicas", 0, "ResourcePolicy", "PolicyDocument", "Statement", 0, "Condition", "ArnNotLike", "aws:PrincipalArn"))
		slices.Sort(got)
		if w := slices.Sorted(maps.Keys(want)); !slices.Equal(got, w) {
			t.Errorf("%s lets in %v, want %v", table, got, w)
		}
	}
}

func TestTables_PoliciesAllowNothing(t *testing.T) {
	t.Parallel()
	for _, r := range load(t).Of("AWS::DynamoDB::GlobalTable") {
		doc, _ := at(r.Properties, "Replicas", 0, "ResourcePolicy", "PolicyDocument").(map[string]any)
		text, err := json.Marshal(doc)
		if err != nil || len(text) > 16<<10 { // DynamoDB: 20 KB
			t.Errorf("%s: %d bytes, %v", r.LogicalID, len(text), err)
		}
		for _, s := range statementsOf(t, doc) {
			if s["Effect"] != "Deny" {
				t.Errorf("%s: %v", r.LogicalID, s)
			}
		}
	}
}

// maxTrustBytes is IAM's default quota of a trust policy (IAM quotas).
const maxTrustBytes = 2048

func TestTrust_FitsIAMsQuota(t *testing.T) {
	t.Parallel()
	for name, r := range load(t).Roles() {
		if text, err := json.Marshal(r.Trust); err != nil || len(text) > maxTrustBytes*9/10 {
			t.Errorf("%s: %d bytes of at most %d, %v", name, len(text), maxTrustBytes, err)
		}
	}
}

func bucket(t *testing.T, d *policy.Deployment) (properties map[string]any, doc map[string]any) {
	t.Helper()
	buckets, policies := d.Of("AWS::S3::Bucket"), d.Of("AWS::S3::BucketPolicy")
	if len(buckets) != 1 || len(policies) != 1 {
		t.Fatalf("%d buckets, %d policies", len(buckets), len(policies))
	}
	if buckets[0].DeletionPolicy != "Retain" {
		t.Errorf("the bucket goes with its stack")
	}
	doc, _ = policies[0].Properties["PolicyDocument"].(map[string]any)
	return buckets[0].Properties, doc
}

func TestAuditBucket_IsLockedVersionedAndPrivate(t *testing.T) {
	t.Parallel()
	p, _ := bucket(t, load(t))
	expect(t, "audit bucket", map[string][2]any{
		"name":       {p["BucketName"], "behalf-local-audit-" + policy.Account + "-" + policy.Region},
		"versions":   {at(p, "VersioningConfiguration", "Status"), "Enabled"},
		"lock":       {p["ObjectLockEnabled"], true},
		"mode":       {at(p, "ObjectLockConfiguration", "Rule", "DefaultRetention", "Mode"), "GOVERNANCE"},
		"days":       {at(p, "ObjectLockConfiguration", "Rule", "DefaultRetention", "Days"), 365.0},
		"encryption": {at(p, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault", "SSEAlgorithm"), "AES256"},
		"no ACLs":    {at(p, "OwnershipControls", "Rules", 0, "ObjectOwnership"), "BucketOwnerEnforced"},
	})
	for _, k := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
		if at(p, "PublicAccessBlockConfiguration", k) != true {
			t.Errorf("%s is off", k)
		}
	}
}

func TestAuditBucket_OnlyTheSealerWrites_OnlyUnderItsPrefix_OnlyByTLS(t *testing.T) {
	t.Parallel()
	d := load(t)
	j := judgeOf(t, d)
	j.roles["stray"] = stray(t)
	_, doc := bucket(t, d)
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:s3:::behalf-local-audit-" + policy.Account + "-" + policy.Region
	rules, err := iam.Parse("bucket", []byte(strings.ReplaceAll(string(text), "arn:aws:s3:::"+d.Of("AWS::S3::Bucket")[0].LogicalID, arn)))
	if err != nil {
		t.Fatal(err)
	}
	decide := func(role, action, object, tls, version string) bool {
		c := iam.Context{}
		c.Set("aws:SecureTransport", tls)
		c.Set("s3:TlsVersion", version)
		if action, overwrite := strings.CutSuffix(action, " over"); !overwrite {
			c.Set("s3:if-none-match", "*")
		} else if action != "s3:PutObject" {
			t.Fatalf("%s knows no precondition", action)
		}
		action = strings.TrimSuffix(action, " over")
		d := iam.Evaluate(iam.Policies{Identity: j.roles[role].policies, Resource: rules}, iam.Request{Principal: j.principal(role, nil), Action: action, Resource: arn + object, Context: c})
		if len(d.Errors) > 0 {
			t.Fatal(d.Errors)
		}
		return d.Allowed
	}
	for _, r := range []struct {
		role, action, object, tls, version string
		may                                bool
	}{
		{"audit", "PutObject", "/segments/acme/000000000001", "true", "1.3", true},
		{"audit", "PutObject", "/segments/acme/000000000001", "true", "1.1", false},
		{"audit", "PutObject", "/segments/acme/000000000001", "false", "1.3", false},
		{"audit", "PutObject", "/other", "true", "1.3", false},
		{"audit", "PutObject over", "/segments/acme/000000000001", "true", "1.3", false},
		{"audit", "GetObject", "/segments/acme/000000000001", "true", "1.3", true}, // to compare with what is there already
		{"audit", "GetObject", "/other", "true", "1.3", false},
		{"admin", "GetObject", "/segments/acme/000000000001", "true", "1.3", false},
		{"audit", "PutObjectRetention", "/segments/acme/000000000001", "true", "1.3", false},
		{"audit", "BypassGovernanceRetention", "/segments/acme/000000000001", "true", "1.3", false},
		{"audit", "DeleteObject", "/segments/acme/000000000001", "true", "1.3", false},
		{"admin", "PutObject", "/segments/acme/000000000001", "true", "1.3", false},
		{"stray", "PutObject", "/segments/acme/000000000001", "true", "1.3", false},
		{"stray", "GetObject", "/segments/acme/000000000001", "true", "1.3", true}, // reading is left to IAM
		{"stray", "BypassGovernanceRetention", "/segments/acme/000000000001", "true", "1.3", false},
		{"stray", "DeleteObject", "/segments/acme/000000000001", "true", "1.3", false},
		{"stray", "DeleteObjectVersion", "/segments/acme/000000000001", "true", "1.3", false},
	} {
		if got := decide(r.role, "s3:"+r.action, r.object, r.tls, r.version); got != r.may {
			t.Errorf("%s %s %s (TLS %s %s): allowed %v", r.role, r.action, r.object, r.tls, r.version, got)
		}
	}
}
