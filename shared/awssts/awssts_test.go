package awssts_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"behalf.dev/behalf/shared/awssts"
	"behalf.dev/behalf/shared/fault"
	"behalf.dev/behalf/shared/tenant"
)

// service is STS: it gives numbered credentials for an hour and keeps what was asked.
type service struct {
	mu   sync.Mutex
	now  time.Time
	asks []url.Values
	fail bool
	hold chan struct{}
}

// RoundTrip implements http.RoundTripper.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	q, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.asks = append(s.asks, q)
	n, ends, fail := len(s.asks), s.now.Add(time.Hour), s.fail
	s.mu.Unlock()
	if s.hold != nil {
		<-s.hold
	}
	status, body := 200, fmt.Sprintf(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIA%d</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, n, ends.UTC().Format(time.RFC3339))
	if fail {
		status, body = 403, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(bytes.NewReader([]byte(body))), Request: r}, nil
}

func (s *service) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *service) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func newVendor() (*awssts.Vendor, *service) {
	s := &service{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	c := sts.New(sts.Options{Region: "us-east-1", HTTPClient: &http.Client{Transport: s}, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""), RetryMaxAttempts: 1})
	return awssts.NewVendor(c, "arn:aws:iam::000000000000:role/execute", s.clock), s
}

func scope(t, p string) tenant.Scope {
	return tenant.Scope{Tenant: tenant.ID(t), Principal: tenant.Principal(p)}
}

func TestForPrincipal_Twice_AsksOnceAndTagsBoth(t *testing.T) {
	t.Parallel()
	v, s := newVendor()
	var first aws.Credentials
	for range 3 {
		c, err := v.ForPrincipal(t.Context(), scope("acme", "Zoë|#*"))
		if err != nil || first.AccessKeyID != "" && c.AccessKeyID != first.AccessKeyID {
			t.Fatal(c.AccessKeyID, err)
		}
		first = c
	}
	q := s.asks[0]
	if len(s.asks) != 1 || q.Get("Tags.member.1.Key") != "tenant" || q.Get("Tags.member.1.Value") != "acme" || q.Get("Tags.member.2.Key") != "principal" || q.Get("Tags.member.2.Value") != tenant.Principal("Zoë|#*").Tag() ||
		q.Get("SourceIdentity") != "t-acme" || q.Get("DurationSeconds") != "3600" {
		t.Errorf("%d asks: %v", len(s.asks), q)
	}
}

func TestVendor_Scopes_NeverShareCredentials(t *testing.T) {
	t.Parallel()
	v, s := newVendor()
	seen := map[string]tenant.Scope{}
	for _, x := range []tenant.Scope{scope("acme", "alice"), scope("acme", "bob"), scope("globex", "alice"), scope("acme", "_org"), scope("acmea", "lice"), scope("acme", "Alice")} {
		c, err := v.ForPrincipal(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[c.AccessKeyID]; ok {
			t.Errorf("%v and %v share credentials", x, other)
		}
		seen[c.AccessKeyID] = x
	}
	c, err := v.ForTenant(t.Context(), "acme")
	if _, ok := seen[c.AccessKeyID]; ok || err != nil {
		t.Errorf("the tenant shares credentials with a principal: %v", err)
	}
	if s.asks[len(s.asks)-1].Has("Tags.member.2.Key") {
		t.Error("a principal is tagged where none was meant")
	}
}

func TestVendor_Nobody_IsAnErrorAndAsksNothing(t *testing.T) {
	t.Parallel()
	v, s := newVendor()
	for _, x := range []tenant.Scope{{}, scope("acme", ""), scope("", "alice")} {
		if _, err := v.ForPrincipal(t.Context(), x); !fault.Is(err, fault.Internal) {
			t.Errorf("%v: %v", x, err)
		}
	}
	if _, err := v.ForTenant(t.Context(), ""); !fault.Is(err, fault.Internal) || len(s.asks) > 0 {
		t.Errorf("%v, %d asks", err, len(s.asks))
	}
}

func TestVendor_NearTheEnd_RenewsWithTimeToSpare(t *testing.T) {
	t.Parallel()
	v, s := newVendor()
	for _, c := range []struct {
		after time.Duration
		asks  int
	}{{0, 1}, {49 * time.Minute, 1}, {time.Minute, 2}, {49 * time.Minute, 2}, {10 * time.Hour, 3}} {
		s.advance(c.after)
		got, err := v.ForPrincipal(t.Context(), scope("acme", "alice"))
		if err != nil || len(s.asks) != c.asks || got.Expires.Sub(s.clock()) < 10*time.Minute {
			t.Errorf("after %s: %d asks, want %d; ends in %s; %v", c.after, len(s.asks), c.asks, got.Expires.Sub(s.clock()), err)
		}
	}
}

func TestVendor_ManyAtOnce_AskOnce(t *testing.T) {
	t.Parallel()
	v, s := newVendor()
	s.hold = make(chan struct{})
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			if _, err := v.ForPrincipal(t.Context(), scope("acme", "alice")); err != nil {
				t.Error(err)
			}
		})
	}
	close(s.hold)
	all.Wait()
	if len(s.asks) != 1 {
		t.Errorf("%d asks", len(s.asks))
	}
}

func TestVendor_Refused_IsNotKept(t *testing.T) {
	t.Parallel()
	v, s := newVendor()
	s.fail = true
	if _, err := v.ForPrincipal(t.Context(), scope("acme", "alice")); err == nil || !strings.Contains(err.Error(), "vend credentials for acme") {
		t.Fatal(err)
	}
	s.fail = false
	if _, err := v.ForPrincipal(t.Context(), scope("acme", "alice")); err != nil {
		t.Error(err)
	}
}

func TestVendor_LongTenant_FitsASessionName(t *testing.T) {
	t.Parallel()
	v, s := newVendor()
	if _, err := v.ForTenant(t.Context(), tenant.ID(strings.Repeat("a", 63))); err != nil || len(s.asks[0].Get("RoleSessionName")) > 64 || len(s.asks[0].Get("Tags.member.1.Value")) != 63 {
		t.Errorf("%v %v", s.asks, err)
	}
}
