package keys

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/audit"
	"behalf.dev/behalf/shared/authn"
	"behalf.dev/behalf/shared/awskms"
	"behalf.dev/behalf/shared/awssts"
	"behalf.dev/behalf/shared/connection"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
	"behalf.dev/behalf/shared/vault"
)

// arnGrammar is the ARN of a KMS key: partition, Region, account, key id.
var arnGrammar = regexp.MustCompile(`^arn:(aws[a-z-]*):kms:([a-z0-9-]+):([0-9]{12}):key/([A-Za-z0-9-]{1,64})$`)

// patterns reads the list of keys that tenants may bring; "none" is the empty list.
func patterns(list string) []string {
	if list == "none" {
		return nil
	}
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// covered reports that arn is one that the roles' policies name.
func covered(allowed []string, arn string) bool {
	for _, p := range allowed {
		if before, open := strings.CutSuffix(p, "*"); p == arn || open && strings.HasPrefix(arn, before) {
			return true
		}
	}
	return false
}

type kmsKeyBody struct {
	KeyARN string `json:"kms_key_arn"`
}

// check says what is wrong with a key's name, before KMS is asked.
func (f *Function) check(arn string) error {
	const field = "/kms_key_arn"
	m := arnGrammar.FindStringSubmatch(arn)
	switch {
	case arn == "":
		return fault.Invalid(field, "kms_key_arn is missing: the ARN of the customer's KMS key, arn:aws:kms:<region>:<account>:key/<id>")
	case strings.Contains(arn, ":alias/") || strings.HasPrefix(arn, "alias/"):
		return fault.Invalid(field, "this is an alias; name the key itself, since an alias can be pointed at another key")
	case m == nil:
		return fault.Invalid(field, "this is not the ARN of a KMS key; it looks like arn:aws:kms:<region>:<account>:key/<id>")
	case arn == f.key:
		return fault.Invalid(field, "this is the deployment's own key; DELETE …/kms-key goes back to it")
	case m[2] != f.deps.AWS.Region:
		return fault.Invalid(field, "the key is in %s and this deployment in %s; KMS works in one Region (a replica of a multi-Region key here will do)", m[2], f.deps.AWS.Region)
	case !covered(f.allowed, arn):
		return fault.Invalid(field, "this deployment's roles may not use the key; whoever operates it adds the key, or arn:aws:kms:%s:%s:key/*, to the CDK switch tenantKeys", m[2], m[3])
	}
	return nil
}

func (f *Function) putKMSKey(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	var b kmsKeyBody
	if err := r.JSON(&b); err != nil {
		return nil, err
	}
	if err := f.check(b.KeyARN); err != nil {
		return nil, err
	}
	return f.change(ctx, r, by, b.KeyARN, f.try)
}

func (f *Function) deleteKMSKey(ctx context.Context, r *apigw.Request, by authn.Caller) (*apigw.Response, error) {
	return f.change(ctx, r, by, f.key, nil)
}

// change wraps new versions of the tenant's keys with another KMS key, once try finds nothing wrong with it.
func (f *Function) change(ctx context.Context, r *apigw.Request, by authn.Caller, arn string, try func(context.Context, tenant.ID, string) error) (*apigw.Response, error) {
	w, err := f.of(ctx, r, by)
	if err != nil {
		return nil, err
	}
	if w.tenant == tenant.Deployment {
		return nil, fault.Invalid("tenant", "what belongs to the deployment is under the deployment's key; only a tenant can bring a key of its own")
	}
	if try != nil {
		if err := try(ctx, w.tenant, arn); err != nil {
			return nil, err
		}
	}
	if err := f.rotate(ctx, w, arn, audit.KMSKeyChanged, by.KeyID); err != nil {
		return nil, err
	}
	return f.view(ctx, w)
}

// trier tries a tenant's KMS key with one role, as that role will use it.
type trier struct {
	role     string
	vendor   *awssts.Vendor
	makes    bool // the role that makes tenant keys
	purposes []connection.Purpose
	// principal is set for roles that are assumed for one.
	principal tenant.Principal
}

// nobody owns nothing; the roles of one principal are tried as it.
const nobody tenant.Principal = "_probe"

func triers(client *sts.Client, now func() time.Time, execute, refresh, connect string) []trier {
	const at, rt, cs = connection.AccessToken, connection.RefreshToken, connection.ClientSecret
	make := func(role string, p tenant.Principal, purposes ...connection.Purpose) trier {
		return trier{role: role, vendor: awssts.NewVendor(client, role, now), purposes: purposes, principal: p}
	}
	return []trier{make(execute, nobody, at), make(refresh, "", at, rt, cs), make(connect, nobody, at, rt, cs)}
}

func (x trier) credentials(ctx context.Context, t tenant.ID) (aws.Credentials, error) {
	if x.principal == "" {
		return x.vendor.ForTenant(ctx, t)
	}
	return x.vendor.ForPrincipal(ctx, tenant.Scope{Tenant: t, Principal: x.principal})
}

// try is the probe: the role that makes keys makes one for each purpose, and every role unwraps those that it will need.
func (f *Function) try(ctx context.Context, t tenant.ID, arn string) error {
	wrapped := map[connection.Purpose][]byte{}
	for _, x := range f.roles {
		creds, err := x.credentials(ctx, t)
		if err != nil {
			return fmt.Errorf("try the tenant's KMS key with %s: %w", x.role, err)
		}
		if err := x.try(ctx, f.kms.With(credentials.StaticCredentialsProvider{Value: creds}), f.stage, t, arn, wrapped); err != nil {
			return err
		}
	}
	return nil
}

func (x trier) try(ctx context.Context, k *awskms.KMS, stage string, t tenant.ID, arn string, wrapped map[connection.Purpose][]byte) error {
	for _, p := range x.purposes {
		var err error
		if x.makes {
			wrapped[p], err = vault.MakeProbe(ctx, k, stage, arn, t, p)
		} else {
			err = vault.OpenProbe(ctx, k, stage, arn, t, p, wrapped[p])
		}
		if err != nil {
			return refused(err, x.role, p)
		}
	}
	return nil
}

// lacking are the answers of KMS that only whoever owns the key can do something about.
var lacking = map[string]string{
	"NotFoundException":          "KMS knows no such key",
	"DisabledException":          "the key is disabled; enable it",
	"KMSInvalidStateException":   "the key is not ready for use, or is scheduled for deletion",
	"InvalidKeyUsageException":   "the key is not for encryption and decryption; it has to be symmetric (SYMMETRIC_DEFAULT)",
	"KeyUnavailableException":    "the key's material cannot be reached just now",
	"InvalidGrantTokenException": "the key refused the request",
}

// refused tells the owner of the key what its policy lacks. Other errors are ours, or pass.
func refused(err error, role string, p connection.Purpose) error {
	action := "kms:Decrypt"
	var op *smithy.OperationError
	if errors.As(err, &op) {
		action = "kms:" + op.Operation()
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("try the tenant's KMS key: %w", err)
	}
	say := func(what string) error {
		return fault.Invalid("/kms_key_arn", "%s", what).With("role", role).With("action", action).With("purpose", string(p)).WithCause(err)
	}
	switch code := api.ErrorCode(); {
	case code == "AccessDeniedException" || code == "AccessDenied":
		return say(fmt.Sprintf("the key does not let %s use %s for purpose %s: its key policy needs an Allow of %s for this role, and any condition has to accept the encryption context app, env, tenant, purpose and ver",
			role, action, p, action))
	case lacking[code] != "":
		return say(lacking[code])
	}
	return fmt.Errorf("try the tenant's KMS key with %s: %w", role, err)
}
