// Package awssts vends credentials that reach one tenant, or one principal of it, and nothing else.
//
// It is the pivot of isolation: a function holds no right to any table or key of its own, only the right to assume a
// role whose policies compare the session tags "tenant" and "principal" with the keys and the encryption context of
// each request. The tags are set here, from a checked tenant.Scope.
package awssts

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"golang.org/x/sync/singleflight"

	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// Life of vended credentials: role chaining caps a session at one hour. They are renewed with spare to outlive any
// request and any authorizer cache entry (300 s) that carries them.
const (
	sessionLife = time.Hour
	spare       = 10 * time.Minute
	cacheLimit  = 4096
)

// Vendor assumes one role with session tags, and keeps the credentials while they are good.
type Vendor struct {
	client  *sts.Client
	roleARN string
	now     func() time.Time

	mu     sync.Mutex
	kept   map[tenant.Scope]aws.Credentials
	flight singleflight.Group
}

// NewVendor returns a Vendor for the role.
func NewVendor(client *sts.Client, roleARN string, now func() time.Time) *Vendor {
	return &Vendor{client: client, roleARN: roleARN, now: now, kept: map[tenant.Scope]aws.Credentials{}}
}

// ForPrincipal vends credentials for one principal of one tenant.
func (v *Vendor) ForPrincipal(ctx context.Context, s tenant.Scope) (aws.Credentials, error) {
	if !s.Valid() {
		return aws.Credentials{}, fault.New(fault.Internal, "credentials were asked for nobody")
	}
	return v.vend(ctx, s)
}

// ForTenant vends credentials for a whole tenant, from roles that do not tell principals apart.
func (v *Vendor) ForTenant(ctx context.Context, t tenant.ID) (aws.Credentials, error) {
	if t == "" {
		return aws.Credentials{}, fault.New(fault.Internal, "credentials were asked for no tenant")
	}
	return v.vend(ctx, tenant.Scope{Tenant: t})
}

func (v *Vendor) vend(ctx context.Context, s tenant.Scope) (aws.Credentials, error) {
	if c, ok := v.cached(s); ok {
		return c, nil
	}
	got, err, _ := v.flight.Do(string(s.Tenant)+"\x00"+string(s.Principal), func() (any, error) {
		if c, ok := v.cached(s); ok {
			return c, nil
		}
		c, err := v.assume(context.WithoutCancel(ctx), s)
		if err == nil {
			v.keep(s, c)
		}
		return c, err
	})
	if err != nil {
		return aws.Credentials{}, err
	}
	return got.(aws.Credentials), nil
}

func (v *Vendor) cached(s tenant.Scope) (aws.Credentials, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c, ok := v.kept[s]
	return c, ok && v.now().Add(spare).Before(c.Expires)
}

// keep stores c; a full cache is emptied, which costs one AssumeRole for each scope that comes back.
func (v *Vendor) keep(s tenant.Scope, c aws.Credentials) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.kept) >= cacheLimit {
		clear(v.kept)
	}
	v.kept[s] = c
}

func (v *Vendor) assume(ctx context.Context, s tenant.Scope) (aws.Credentials, error) {
	tags := []types.Tag{{Key: aws.String("tenant"), Value: aws.String(s.Tenant.Tag())}}
	if s.Principal != "" {
		tags = append(tags, types.Tag{Key: aws.String("principal"), Value: aws.String(s.Principal.Tag())})
	}
	name := sessionName(s.Tenant)
	out, err := v.client.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &v.roleARN, RoleSessionName: &name, SourceIdentity: &name,
		DurationSeconds: aws.Int32(int32(sessionLife.Seconds())), Tags: tags})
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("vend credentials for %s: %w", s.Tenant, err)
	}
	c := out.Credentials
	return aws.Credentials{AccessKeyID: aws.ToString(c.AccessKeyId), SecretAccessKey: aws.ToString(c.SecretAccessKey), SessionToken: aws.ToString(c.SessionToken), CanExpire: true, Expires: aws.ToTime(c.Expiration), Source: "behalf"}, nil
}

// sessionName shows the tenant in CloudTrail; session names are at most 64 characters, which a tenant id fits.
func sessionName(t tenant.ID) string { return "t-" + string(t)[:min(len(t), 60)] }
