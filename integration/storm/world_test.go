package storm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/integration/stack"
	"behalf.dev/behalf/integration/stack/template"
	"behalf.dev/behalf/integration/storm"
	"behalf.dev/behalf/shared/client"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/secret"
)

// TestMain makes this test binary a worker when it is started as one.
func TestMain(m *testing.M) {
	if os.Getenv(storm.WorkerVariable) == "" {
		debug.SetGCPercent(1000) // clients, gateway and AWS have machines of their own elsewhere: here they share two cores with what is measured
		os.Exit(m.Run())
	}
	if err := storm.Work(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// processes is how many there are, callers how many executions at once.
const processes, callers = 4, 200

// world is everything that runs.
type world struct {
	t        *testing.T
	aws      *localaws.AWS
	url      string // of aws
	stack    *stack.Stack
	api      *client.Client
	front    *storm.Front
	frontURL string
	provider *storm.Provider
	ahead    atomic.Int64
	turn     atomic.Int64
	people   atomic.Int64
	// background are the access keys of functions that work beside the calls: what they ask of AWS is not the calls' cost.
	background []string

	mu        sync.Mutex
	ready     map[string]*person // by account; connected early, so that scenarios need not wait for tokens to end
	workers   []*storm.Worker
	functions []storm.Function
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func asked(t *testing.T) {
	t.Helper()
	if os.Getenv("BEHALF_STORM") != "1" {
		t.Skip("set BEHALF_STORM=1 to refresh against a real OAuth server (needs Node and npm; installs into BEHALF_TEST_CACHE; takes about a minute)")
	}
}

// start runs everything until the test ends.
func start(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	var err error
	if w.aws, err = localaws.New(localaws.Options{Now: w.now}); err != nil {
		t.Fatal(err)
	}
	stacks, err := template.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.aws.LoadTemplates(stacks); err != nil {
		t.Fatal(err)
	}
	w.url = serve(t, w.aws)
	w.front = storm.NewFront("api-secret-0123456789")
	w.front.Log = t.Logf
	w.frontURL = serve(t, w.front)
	for n := range processes {
		w.workers = append(w.workers, w.worker(n))
	}
	t.Cleanup(func() {
		for _, p := range w.workers {
			p.Kill()
		}
	})
	connectors, err := filepath.Abs("connectors")
	if err != nil {
		t.Fatal(err)
	}
	w.stack, err = stack.Start(t.Context(), stack.Options{Endpoint: w.url, Credentials: w.credentials, Launch: w.launch, Connectors: connectors, Now: w.now,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})), Getenv: func(name string) string {
			if name == env.ConnectorHosts {
				return w.hosts(0)
			}
			return ""
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.stack.Close(); err != nil {
			t.Error(err)
		}
	})
	w.register()
	return w
}

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// register tells Behalf and the OAuth server about each other.
func (w *world) register() {
	w.t.Helper()
	var err error
	pool := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	if w.api, err = client.New(w.stack.URL, client.WithAPIKey(secret.FromString(w.stack.APIKey())), client.WithHTTPClient(pool)); err != nil {
		w.t.Fatal(err)
	}
	var redirects []string
	for _, c := range []string{"oidc", "oidcgrace"} {
		made, err := w.api.PutOAuthClient(w.t.Context(), c, client.OAuthClientSettings{ClientID: "behalf", ClientSecret: secret.FromString("api-secret-0123456789")})
		if err != nil {
			w.t.Fatal(err)
		}
		redirects = append(redirects, made.RedirectURI)
	}
	cache := os.Getenv("BEHALF_TEST_CACHE")
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			w.t.Fatal(err)
		}
		cache = filepath.Join(base, "behalf-test")
	}
	modules, err := storm.Install(w.t.Context(), cache)
	if err != nil {
		w.t.Fatal(err)
	}
	w.provider, err = storm.StartProvider(context.WithoutCancel(w.t.Context()), storm.Settings{Modules: modules, Issuer: w.frontURL, Client: "behalf", Secret: "api-secret-0123456789", Redirects: redirects}, w.t.TempDir(), w.t.Output())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := w.provider.Close(); err != nil {
			w.t.Error(err)
		}
	})
	if err := w.front.Target(w.provider.URL); err != nil {
		w.t.Fatal(err)
	}
}

// hosts points a process at the OAuth server, by an address that tells who asks.
func (w *world) hosts(worker int) string {
	u := fmt.Sprintf("%s/w%d", w.frontURL, worker)
	b, err := json.Marshal(map[string]map[string]string{"oidc": {"web": u}, "oidcgrace": {"web": u}})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

func (w *world) credentials(role string) aws.CredentialsProvider {
	if role == "" {
		key, sec := w.aws.OperatorCredentials()
		return credentials.NewStaticCredentialsProvider(key, sec, "")
	}
	key, sec, token := w.aws.RoleCredentials(role)
	if strings.Contains(role, "audit") {
		w.background = append(w.background, key)
	}
	return credentials.NewStaticCredentialsProvider(key, sec, token)
}

func (w *world) worker(n int) *storm.Worker {
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := storm.StartWorker(n, self, w.t.Output())
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// launch has execute and refresh run in each of the processes, by turns; the other functions stay in this one.
func (w *world) launch(ctx context.Context, d stack.Deployed) (localaws.Handler, error) {
	if d.Name != "execute" && d.Name != "refresh" {
		return nil, nil
	}
	f := storm.Function{Name: d.Name, ARN: d.ARN, Timeout: d.Timeout, Environment: d.Environment}
	w.functions = append(w.functions, f)
	for _, p := range w.workers {
		if err := w.install(ctx, p, f); err != nil {
			return nil, err
		}
	}
	h := func(ctx context.Context, payload []byte) ([]byte, error) {
		if bytes.Contains(payload, []byte(`"sweep":true`)) { // scenarios sweep by themselves, or not at all
			return []byte(`{}`), nil
		}
		return w.next().Invoke(ctx, d.Name, payload)
	}
	w.aws.HandleFunction(d.ARN, h)
	return h, nil
}

func (w *world) install(ctx context.Context, p *storm.Worker, f storm.Function) error {
	f.Environment = maps.Clone(f.Environment)
	f.Environment[env.ConnectorHosts] = w.hosts(p.Number)
	return p.Install(ctx, f)
}

// counted is how often AWS was called by and for callers so far, by operation.
func (w *world) counted() map[string]int {
	all := w.aws.Counter().Snapshot()
	for _, key := range w.background {
		for op, n := range w.aws.Counter().ByAccessKey(key) {
			all[op] -= n
		}
	}
	for _, feeds := range []string{"sqs:ReceiveMessage", "sqs:DeleteMessageBatch", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"} { // Lambda's own work
		delete(all, feeds)
	}
	return all
}

// next is the process whose turn it is.
func (w *world) next() *storm.Worker {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if p := w.workers[int(w.turn.Add(1))%len(w.workers)]; p.Alive() {
			return p
		}
	}
}

// kill ends a process where it is; another one takes its place, as Lambda replaces what died.
func (w *world) kill(n int) {
	p := w.worker(n)
	for _, f := range w.functions {
		if err := w.install(context.WithoutCancel(w.t.Context()), p, f); err != nil {
			w.t.Error(err)
		}
	}
	if err := p.Ahead(context.WithoutCancel(w.t.Context()), time.Duration(w.ahead.Load())); err != nil {
		w.t.Error(err)
	}
	w.mu.Lock()
	old := w.workers[n]
	w.workers[n] = p
	w.mu.Unlock()
	old.Kill()
}

// pass lets time pass for everybody, without waiting.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	ahead := time.Duration(w.ahead.Add(int64(d)))
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.workers {
		if err := p.Ahead(w.t.Context(), ahead); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.provider.Ahead(w.t.Context(), ahead); err != nil {
		w.t.Fatal(err)
	}
}

// person is somebody with a connection, and an agent that acts for them.
type person struct {
	w                  *world
	t                  *testing.T
	account, connector string
	tenant, principal  string
	connection         string
	session            *client.Session
	connected          time.Time
}

// early connects people whose scenarios come later.
func (w *world) early(t *testing.T, people ...[3]string) {
	t.Helper()
	w.ready = map[string]*person{}
	for _, p := range people {
		w.ready[p[2]] = w.connect(t, p[0], p[1], p[2])
	}
}

// connect makes a person whose account at the OAuth server has the given name, by the flow that people go through.
func (w *world) connect(t *testing.T, connector, tenant, account string) *person {
	t.Helper()
	if p := w.ready[account]; p != nil && p.connector == connector && p.tenant == tenant {
		mine := *p
		mine.t = t
		return &mine
	}
	ctx := t.Context()
	principal := fmt.Sprintf("user_%d", w.people.Add(1))
	if _, err := w.api.PutTenant(ctx, tenant, client.TenantSettings{}); err != nil {
		t.Fatal(err)
	}
	link, err := w.api.CreateConnectLink(ctx, client.ConnectLinkRequest{Tenant: tenant, Principal: principal, Connector: connector, ReturnURL: w.stack.URL + "/healthz"})
	if err != nil {
		t.Fatal(err)
	}
	browse(t, link.URL, account)
	done, err := w.api.ConfirmConnectLink(ctx, link.ID, principal)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{w: w, t: t, account: account, connector: connector, tenant: tenant, principal: principal, connection: done.ConnectionID, connected: time.Now()}
	got, err := w.api.CreateSession(ctx, client.SessionRequest{Tenant: tenant, Principal: principal, Agent: "test", TTLSeconds: 3600})
	if err != nil {
		t.Fatal(err)
	}
	p.session = w.api.Session(got.Token)
	return p
}

var action = regexp.MustCompile(`action="([^"]+)"`)

// browse is the person: they open the link, log in and consent.
func browse(t *testing.T, link, account string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second}
	page, err := browser.Get(link) // it makes this browser known
	if err != nil {
		t.Fatal(err)
	}
	body(t, page)
	res, err := browser.Post(link, "application/x-www-form-urlencoded", nil)
	for _, form := range []url.Values{{"prompt": {"login"}, "login": {account}, "password": {"x"}}, {"prompt": {"consent"}}} {
		if err != nil {
			t.Fatal(err)
		}
		page := body(t, res)
		found := action.FindStringSubmatch(page)
		if res.StatusCode != http.StatusOK || found == nil {
			t.Fatalf("%s answers %d: %.1000s", res.Request.URL.Path, res.StatusCode, page)
		}
		res, err = browser.PostForm(html.UnescapeString(found[1]), form)
	}
	if err != nil {
		t.Fatal(err)
	}
	if page := body(t, res); !strings.HasSuffix(res.Request.URL.Path, "/healthz") {
		t.Fatalf("the flow ends at %s with %d: %.1000s", res.Request.URL.Path, res.StatusCode, page)
	}
}
