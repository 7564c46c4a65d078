package workspace

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"behalf.dev/behalf/shared/dynamo"
	"behalf.dev/behalf/shared/tenant"
)

// wire is an AWS that notes who asks and has nothing.
type wire struct {
	mu    sync.Mutex
	asked []string // access key id, session token
}

// Do implements aws.HTTPClient.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	id, _, _ := strings.Cut(rest, "/")
	w.mu.Lock()
	w.asked = append(w.asked, id+" "+r.Header.Get("X-Amz-Security-Token"))
	w.mu.Unlock()
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
}

func opener(now func() time.Time) (*Opener, *wire) {
	w := &wire{}
	cfg := aws.Config{Region: "us-east-1", HTTPClient: w, RetryMaxAttempts: 1, Credentials: aws.AnonymousCredentials{}}
	return NewOpener(cfg, "test", dynamo.Names{Vault: "v", Directory: "d", Flow: "f", Audit: "a"}, "arn:aws:kms:us-east-1:000000000000:key/k", now), w
}

func vended(n int) aws.Credentials {
	return aws.Credentials{AccessKeyID: fmt.Sprintf("ASIA%04d", n), SecretAccessKey: fmt.Sprintf("secret-%d", n), SessionToken: fmt.Sprintf("token-%d", n)}
}

func read(t *testing.T, w Workspace) {
	t.Helper()
	_, _ = w.DB.Gates(context.Background(), tenant.Scope{Tenant: "acme", Principal: "u"}) // only who asks counts
}

// Whatever was opened before, a request goes out under the credentials of the request and under no others.
func TestOpen_ManyTenants_EachAsksAsItself(t *testing.T) {
	t.Parallel()
	o, w := opener(time.Now)
	for round := range 3 {
		for n := range keptClients * 2 { // more than are kept
			read(t, o.OpenWith(vended(n)))
			if want := fmt.Sprintf("ASIA%04d token-%d", n, n); w.asked[len(w.asked)-1] != want {
				t.Fatalf("round %d: %s asked, want %s", round, w.asked[len(w.asked)-1], want)
			}
		}
		if len(o.kept.kept) > keptClients {
			t.Fatalf("%d kept", len(o.kept.kept))
		}
	}
}

// The clients of tenant A are A's alone: not B's, not for A's access key with another secret or another session, not for none.
func TestOpen_OtherCredentials_NeverGetTheClientsOfAnother(t *testing.T) {
	t.Parallel()
	o, w := opener(time.Now)
	a := vended(1)
	first := o.OpenWith(a)
	if again := o.Open(credentials.StaticCredentialsProvider{Value: a}); again.DB != first.DB {
		t.Error("the same credentials got other clients")
	}
	for name, change := range map[string]func(*aws.Credentials){
		"another tenant": func(c *aws.Credentials) { *c = vended(2) }, "another secret": func(c *aws.Credentials) { c.SecretAccessKey = "x" },
		"another session": func(c *aws.Credentials) { c.SessionToken = "x" }, "no session": func(c *aws.Credentials) { c.SessionToken = "" }, "no key": func(c *aws.Credentials) { c.AccessKeyID = "" },
	} {
		c := a
		change(&c)
		other := o.OpenWith(c)
		if other.DB == first.DB {
			t.Errorf("%s: got A's clients", name)
		}
		w.asked = nil
		if read(t, other); len(w.asked) > 0 && c.SecretAccessKey == a.SecretAccessKey && w.asked[0] == a.AccessKeyID+" "+a.SessionToken {
			t.Errorf("%s: asked as A", name)
		}
	}
	if back := o.OpenWith(a); back.DB == o.OpenWith(vended(2)).DB {
		t.Error("A and B share clients")
	}
}

func TestOpen_EndOfCredentials_EndsTheirClients(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	o, _ := opener(func() time.Time { return now })
	short, long := vended(1), vended(2)
	short.CanExpire, short.Expires = true, now.Add(time.Minute)
	s, l := o.OpenWith(short).DB, o.OpenWith(long).DB
	now = now.Add(time.Minute)
	if o.OpenWith(short).DB == s || len(o.kept.kept) != 1 {
		t.Error("clients outlived their credentials")
	}
	if o.OpenWith(long).DB != l {
		t.Error("clients were dropped before their time")
	}
	if now = now.Add(clientLife); o.OpenWith(long).DB == l {
		t.Error("clients outlived their time")
	}
}

func TestOpen_Concurrently_NobodyGetsAnother(t *testing.T) {
	t.Parallel()
	o, _ := opener(time.Now)
	var wg sync.WaitGroup
	var mu sync.Mutex
	owner := map[*dynamo.DB]int{}
	for n := range 200 {
		wg.Go(func() {
			db := o.OpenWith(vended(n % 20)).DB
			mu.Lock()
			defer mu.Unlock()
			if was, ok := owner[db]; ok && was != n%20 {
				t.Errorf("clients of %d were given to %d", was, n%20)
			}
			owner[db] = n % 20
		})
	}
	wg.Wait()
}
