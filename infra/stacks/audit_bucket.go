package stacks

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// segmentPrefix is where the sealer may write: <prefix><tenant>/<segment>.
const segmentPrefix = "segments/"

// newAuditBucket makes the bucket that holds a copy of each sealed segment where nobody who can write the table can change it.
// Object Lock is always on, since it cannot be added to a bucket that is made anew under the same name; the switch is the default
// retention. Encryption is S3's own: with a customer key the sealer, which reads the records of all tenants, would need a right
// in KMS, and segments hold no secret. A write must say If-None-Match: another version under the same name would not touch the
// locked one, but whoever downloads the bucket would see the newer; nor may a delete marker hide one and make way for another.
func newAuditBucket(stack awscdk.Stack, n naming, o Options) {
	props := &awss3.BucketProps{
		BucketName:        jsii.String(n.auditBucket()),
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(), ObjectOwnership: awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		Encryption: awss3.BucketEncryption_S3_MANAGED, EnforceSSL: jsii.Bool(true), MinimumTLSVersion: jsii.Number(1.2),
		Versioned: jsii.Bool(true), ObjectLockEnabled: jsii.Bool(true), RemovalPolicy: o.removal(),
		LifecycleRules: &[]*awss3.LifecycleRule{{AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(1))}},
	}
	days := awscdk.Duration_Days(jsii.Number(o.AuditDays))
	switch o.AuditLock {
	case AuditCompliance:
		props.ObjectLockDefaultRetention = awss3.ObjectLockRetention_Compliance(days)
	case AuditGovernance:
		props.ObjectLockDefaultRetention = awss3.ObjectLockRetention_Governance(days)
	}
	bucket := awss3.NewBucket(stack, jsii.String("AuditBucket"), props)
	writer := []string{n.role("audit")}
	keepers := make([]string, 0, len(o.breakGlass()))
	for _, who := range o.breakGlass() {
		keepers = append(keepers, n.arn("iam", "", who))
	}
	objects := *bucket.ArnForObjects(jsii.String("*"))
	for _, s := range []statement{
		{sid: "OnlyTheSealerWrites", deny: true, resources: []string{objects}, actions: []string{"s3:PutObject"},
			conditions: conditions{"ArnNotEquals": {"aws:PrincipalArn": writer}}},
		{sid: "NothingIsOverwritten", deny: true, resources: []string{objects}, actions: []string{"s3:PutObject"},
			conditions: conditions{"Null": {"s3:if-none-match": "true"}}},
		{sid: "OnlyBreakGlassUnlocks", deny: true, resources: []string{objects},
			actions:    []string{"s3:BypassGovernanceRetention", "s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:DeleteObject", "s3:DeleteObjectVersion"},
			conditions: conditions{"ArnNotLike": {"aws:PrincipalArn": keepers}}},
	} {
		p := s.props()
		p.Principals = &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()}
		bucket.AddToResourcePolicy(awsiam.NewPolicyStatement(p))
	}
	awscdk.NewCfnOutput(stack, jsii.String("AuditBucketName"), &awscdk.CfnOutputProps{Value: bucket.BucketName(), Description: jsii.String("Where sealed audit segments are kept")})
}
