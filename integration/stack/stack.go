package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"behalf.dev/behalf/integration/emulator"
	"behalf.dev/behalf/integration/localaws"
	"behalf.dev/behalf/shared/apigw"
	"behalf.dev/behalf/shared/env"
	"behalf.dev/behalf/shared/ident"
)

// region of the embedded account, and prefix of every physical name in the templates of stage "local".
const region, prefix = "us-east-1", "behalf-local-"

// Options of Start. The zero value runs in memory on a free port.
type Options struct {
	// Endpoint is the base URL of an AWS outside of this process (LocalStack), as endpoint.Choose returns it; empty means the
	// embedded one. Real AWS is refused.
	Endpoint string
	// Credentials are those of a role by ARN, or of the operator for "", where Endpoint enforces IAM. nil: the SDK's default
	// credentials for everybody, or test/test when the environment names none.
	Credentials func(roleARN string) aws.CredentialsProvider
	// Launch runs the code of a function outside of this process; nil, or a nil Handler without an error, runs it inside. Such
	// a function sees nothing but its environment, so it needs an Endpoint.
	Launch func(ctx context.Context, f Deployed) (localaws.Handler, error)
	// Port of 127.0.0.1; 0 picks a free one.
	Port int
	// Dir keeps state between runs; empty keeps none.
	Dir string
	// Connectors is a directory with the adopter's own connector folders.
	Connectors string
	// Log receives what functions log; nil discards it.
	Log *slog.Logger
	// Metrics receives the metric lines of all functions that run in this process, one per Write; nil drops them.
	Metrics io.Writer
	// Now is the clock of everything; nil means time.Now.
	Now func() time.Time
	// Getenv finds real client ids ("BEHALF_GITHUB_CLIENT_ID"); nil finds none.
	Getenv func(string) string
}

// Stack is a running Behalf.
type Stack struct {
	// URL is where the API is; EmulatorURL where the provider emulators are.
	URL, EmulatorURL string
	// Emulator is the provider emulators, for observation.
	Emulator *emulator.Server

	opt       Options
	ids       ident.Source
	account   account
	local     *localaws.AWS // nil with Options.Endpoint
	deployed  []localaws.Function
	functions map[string]invoker
	streamers map[string]streamer
	server    *http.Server
	listener  net.Listener
	stop      context.CancelFunc
	closing   sync.Once
	apiKey    string
}

// Start runs a stack until Close. It is ready when Start returns.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	s := &Stack{opt: o, ids: ident.NewSource(o.Now, nil), functions: map[string]invoker{}, streamers: map[string]streamer{}}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stack) open(ctx context.Context) error {
	if err := s.listen(ctx); err != nil {
		return err
	}
	if err := s.openAccount(ctx); err != nil {
		return err
	}
	var err error
	if s.Emulator, err = emulator.New(emulator.Options{Now: s.opt.Now, BaseURL: s.EmulatorURL, Dir: s.dir("emulator"), Logger: s.opt.Log}); err != nil {
		return fmt.Errorf("start the provider emulators: %w", err)
	}
	extra, err := s.extra()
	if err != nil {
		return err
	}
	if err := s.install(ctx, extra); err != nil {
		return err
	}
	if err := s.bootstrap(ctx); err != nil {
		return err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.account.Start(run)
	s.server = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	go func() {
		if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.opt.Log.Error("the local stack stopped serving", "error", err)
		}
	}()
	return nil
}

func (s *Stack) listen(ctx context.Context) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.opt.Port)))
	if err != nil {
		return fmt.Errorf("port %d of 127.0.0.1 cannot be used (another stack running? --port 0 picks a free one): %w", s.opt.Port, err)
	}
	s.listener = l
	s.URL = "http://" + l.Addr().String()
	s.EmulatorURL = s.URL + "/emulator"
	return nil
}

func (s *Stack) dir(name string) string {
	if s.opt.Dir == "" {
		return ""
	}
	return filepath.Join(s.opt.Dir, name)
}

// extra is what the templates cannot know: our address, and that providers are emulated on loopback.
func (s *Stack) extra() (map[string]string, error) {
	hosts := map[string]map[string]string{
		"github":     {"web": s.EmulatorURL + "/github", "api": s.EmulatorURL + "/github/api"},
		"slack":      {"web": s.EmulatorURL + "/slack"},
		"salesforce": {"login": s.EmulatorURL + "/salesforce", "instance": s.EmulatorURL + "/salesforce/instances"},
		"stripe":     {"api": s.EmulatorURL + "/stripe"},
		"bigquery":   {"oauth": s.EmulatorURL + "/bigquery", "api": s.EmulatorURL + "/bigquery"},
		"snowflake":  {"api": s.EmulatorURL + "/snowflake/{account}"},
		"zendesk":    {"api": s.EmulatorURL + "/zendesk/{subdomain}"},
		"linear":     {"web": s.EmulatorURL + "/linear", "api": s.EmulatorURL + "/linear"},
		"hubspot":    {"web": s.EmulatorURL + "/hubspot", "api": s.EmulatorURL + "/hubspot"},
		"github-app": {"api": s.EmulatorURL + "/github-app"},
		"gmail": {"accounts": s.EmulatorURL + "/gmail", "oauth": s.EmulatorURL + "/gmail", "openid": s.EmulatorURL + "/gmail",
			"api": s.EmulatorURL + "/gmail"},
	}
	for connector := range hosts {
		if s.realClient(connector) != "" { // the real provider then
			delete(hosts, connector)
		}
	}
	// The adopter's own overrides come last: their connector may have an emulator of its own on loopback.
	if own := s.opt.Getenv(env.ConnectorHosts); own != "" {
		if err := json.Unmarshal([]byte(own), &hosts); err != nil {
			return nil, fmt.Errorf("%s is not a JSON object of connector, host and base URL: %w", env.ConnectorHosts, err)
		}
	}
	b, err := json.Marshal(hosts)
	if err != nil {
		return nil, err
	}
	out := map[string]string{env.PublicURL: s.URL, env.ConnectorHosts: string(b), env.AllowPrivateHosts: "true", env.MCPLoginURL: s.loginURL()}
	if s.opt.Connectors != "" {
		out[env.ConnectorsDir] = s.opt.Connectors
	}
	return out, nil
}

// realClient is the client id of a real OAuth app for a connector, from the environment.
func (s *Stack) realClient(connector string) string {
	return s.opt.Getenv("BEHALF_" + strings.ToUpper(connector) + "_CLIENT_ID")
}

// authorizerTTL is that of the deployed API.
const authorizerTTL = 60 * time.Second

func (s *Stack) handler() http.Handler {
	g := &gateway{routes: compile(apigw.Routes()), functions: map[apigw.Function]invoker{}, streamers: map[apigw.Function]streamer{}, authorize: s.functions["authorizer"], newID: func() string { return s.ids.New("req") },
		log: s.opt.Log, public: s.URL, cache: authorizerCache{ttl: authorizerTTL, now: s.opt.Now, m: map[string]cached{}}, observe: s.registerClient}
	for _, f := range []apigw.Function{apigw.Admin, apigw.Callback, apigw.Execute, apigw.Keys, apigw.Portal, apigw.SCIM, apigw.Notify} {
		g.functions[f], g.streamers[f] = s.functions[string(f)], s.streamers[string(f)]
	}
	emu := http.StripPrefix("/emulator", s.Emulator)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/emulator" || strings.HasPrefix(r.URL.Path, "/emulator/") {
			emu.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == loginPath {
			s.login(w, r)
			return
		}
		g.ServeHTTP(w, r)
	})
}

// APIKey is an API key with all permissions.
func (s *Stack) APIKey() string { return s.apiKey }

// Account is the embedded AWS account, for observation and faults; nil with Options.Endpoint.
func (s *Stack) Account() *localaws.AWS { return s.local }

// Drain waits until no queue, stream or schedule has anything under way.
func (s *Stack) Drain(ctx context.Context) error { return s.account.Drain(ctx) }

// Close stops serving, lets what is under way end, and writes state that is to be kept.
func (s *Stack) Close() (err error) {
	s.closing.Do(func() {
		if s.server != nil {
			// Shutdown waits for connections that never carried a request; calls under way are done sooner.
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if s.server.Shutdown(ctx) != nil {
				err = errors.Join(err, s.server.Close())
			}
		} else if s.listener != nil {
			err = errors.Join(err, s.listener.Close())
		}
		if s.stop != nil {
			s.stop()
		}
		if s.account != nil {
			err = errors.Join(err, s.account.Close())
		}
		if s.Emulator != nil {
			err = errors.Join(err, s.Emulator.Close())
		}
	})
	return err
}
