package runtimeapi_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"golang.org/x/sync/errgroup"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/integration/runtimeapi"
	"behalf.dev/behalf/integration/stack"
	"behalf.dev/behalf/integration/stack/journey"
	"behalf.dev/behalf/integration/stack/template"
)

// build makes the bootstraps of all functions for this machine, as the deployment makes them for Lambda.
func build(t testing.TB, dir string) {
	t.Helper()
	mains, err := filepath.Glob("../../functions/*/lambda/main.go")
	if err != nil || len(mains) < 8 {
		t.Fatalf("functions: %v %v", mains, err)
	}
	began := time.Now()
	var g errgroup.Group
	g.SetLimit(2)
	for _, m := range mains {
		g.Go(func() error {
			pkg := filepath.Dir(m)
			cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, filepath.Base(filepath.Dir(pkg)), "bootstrap"), "./"+pkg)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
			return cmd.Run()
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatalf("build: %v", err)
	}
	t.Logf("built %d binaries in %s", len(mains), time.Since(began).Round(time.Millisecond))
}

// account is an embedded account behind a socket, with roles, and policies enforced.
func account(t *testing.T) (*localaws.AWS, string) {
	t.Helper()
	a, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stacks, err := template.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.LoadTemplates(stacks); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return a, srv.URL
}

// launcher runs functions as processes, and makes them what Lambda Invoke at the account reaches.
type launcher struct {
	t   *testing.T
	dir string
	aws *localaws.AWS

	mu      sync.Mutex
	running []*runtimeapi.Function
	calls   map[string]int // by function
}

func (l *launcher) launch(ctx context.Context, d stack.Deployed) (localaws.Handler, error) {
	f, err := runtimeapi.Start(ctx, runtimeapi.Options{Binary: filepath.Join(l.dir, d.Name, "bootstrap"), Name: d.Name, ARN: d.ARN, Environment: d.Environment, Timeout: d.Timeout, Output: l.t.Output()})
	if err != nil {
		return nil, err
	}
	h := func(ctx context.Context, payload []byte) ([]byte, error) {
		l.mu.Lock()
		l.calls[d.Name]++
		l.mu.Unlock()
		return f.Invoke(ctx, payload)
	}
	l.aws.HandleFunction(d.ARN, h)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = append(l.running, f)
	return h, nil
}

func (l *launcher) credentials(role string) aws.CredentialsProvider {
	if role == "" {
		key, sec := l.aws.OperatorCredentials()
		return credentials.NewStaticCredentialsProvider(key, sec, "")
	}
	key, sec, token := l.aws.RoleCredentials(role)
	return credentials.NewStaticCredentialsProvider(key, sec, token)
}

func TestBinaries_WholeJourney_Succeeds(t *testing.T) {
	if os.Getenv("BEHALF_E2E_BINARIES") != "1" {
		t.Skip("builds eight binaries, which takes a minute or two on a small machine; BEHALF_E2E_BINARIES=1 runs it")
	}
	l := &launcher{t: t, dir: t.TempDir(), calls: map[string]int{}}
	build(t, l.dir)
	var url string
	l.aws, url = account(t)
	t.Cleanup(func() {
		for _, f := range l.running {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	began := time.Now()
	s, err := stack.Start(t.Context(), stack.Options{Endpoint: url, Credentials: l.credentials, Launch: l.launch})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if len(l.running) != 8 {
		t.Fatalf("%d functions run as processes", len(l.running))
	}
	t.Logf("started in %s", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	journey.Run(t, s)
	t.Logf("journey took %s", time.Since(began).Round(time.Millisecond))
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.Logf("invocations: %v", l.calls); len(l.calls) != 8 {
		t.Error("not every function was called")
	}
	if n := l.aws.Counter().Snapshot()["lambda:Invoke"]; n == 0 {
		t.Error("no function called another")
	}
}
