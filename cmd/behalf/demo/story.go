package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"behalf.dev/behalf/integration/emulator"
	"behalf.dev/behalf/integration/stack"
)

// person is somebody with an account at every emulated provider.
type person struct{ tenant, principal, login string }

func cast() []person {
	return []person{{"acme", "user_alice", "alice"}, {"acme", "user_bob", "bob"}, {"globex", "user_carol", "carol"}}
}

// providers are the connectors of the story, each with the tool that says whom the provider takes the caller for, and
// where that stands in the answer.
func providers() []struct{ connector, tool, member string } {
	return []struct{ connector, tool, member string }{
		{"github", "github_get_authenticated_user", "login"},
		{"slack", "slack_auth_test", "user"},
		{"salesforce", "salesforce_get_user_info", "preferred_username"},
	}
}

type story struct {
	stack    *stack.Stack
	out      *printer
	sum      Summary
	observed map[string]any
	admin    api
	emu      emulator.Client
	http     *http.Client

	sessions    map[string]string // token by principal
	connections map[string]string // id by principal/connector
	executions  int
}

// Run tells the story on s, with progress on w. It returns an error at the first step that was not observed to hold.
func Run(ctx context.Context, s *stack.Stack, w io.Writer, color bool) (Summary, error) {
	hc := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	t := &story{stack: s, out: &printer{w: w, color: color}, http: hc, emu: emulator.Client{BaseURL: s.EmulatorURL, HTTP: hc}, sessions: map[string]string{}, connections: map[string]string{}}
	t.admin = api{s.URL, s.APIKey(), hc}
	began := time.Now()
	err := t.tell(ctx)
	t.sum.OK, t.sum.DurationMS = err == nil, time.Since(began).Milliseconds()
	if err != nil {
		t.sum.Error = err.Error()
	}
	return t.sum, err
}

func (s *story) tell(ctx context.Context) error {
	steps := []struct {
		name, title string
		do          func(context.Context) error
	}{
		{"tenants", "Two customers: acme with Alice and Bob, globex with Carol", s.tenants},
		{"clients", "OAuth clients for GitHub, Slack and Salesforce", s.clients},
		{"connect", "Three people connect three accounts each, and the back end confirms who they are", s.connect},
		{"execute", "One agent per person calls a tool at each provider, all at once", s.execute},
		{"isolation", "Alice's agent tries Bob's connection", s.isolation},
		{"refresh", "A token falls due under 50 parallel calls", s.refresh},
		{"deprovision", "The directory deprovisions Alice", s.deprovision},
		{"audit", "The audit trail is recomputed", s.audit},
	}
	for _, st := range steps {
		if err := s.run(ctx, st.name, st.title, st.do); err != nil {
			return fmt.Errorf("%s: %w", st.name, err)
		}
	}
	return nil
}

func (s *story) tenants(ctx context.Context) error {
	for _, t := range []struct{ id, name string }{{"acme", "Acme Corp"}, {"globex", "Globex"}} {
		if err := s.admin.must(ctx, "PUT", "/v1/tenants/"+t.id, map[string]any{"name": t.name}, nil); err != nil {
			return err
		}
		var back struct{ ID, Name string }
		if err := s.admin.must(ctx, "GET", "/v1/tenants/"+t.id, nil, &back); err != nil {
			return err
		}
		if back.ID != t.id || back.Name != t.name {
			return fmt.Errorf("tenant %s came back as %+v", t.id, back)
		}
		s.saw(t.id, true, "tenant %s stored and read back", t.id)
	}
	return nil
}

func (s *story) clients(ctx context.Context) error {
	for _, p := range providers() {
		var c struct {
			RedirectURI string `json:"redirect_uri"`
		}
		err := s.admin.must(ctx, "PUT", "/v1/connectors/"+p.connector+"/client", map[string]any{"client_id": "demo-" + p.connector, "client_secret": "demo-secret-of-" + p.connector}, &c)
		if err != nil {
			return err
		}
		s.saw(p.connector, c.RedirectURI, "%s client registered, redirect URI %s", p.connector, c.RedirectURI)
	}
	// From here on the emulators refuse a code exchange without PKCE wherever the real provider supports it.
	yes := true
	for _, p := range []string{"github", "salesforce"} {
		if _, err := s.emu.ChangeSettings(ctx, p, emulator.SettingsChange{RequirePKCE: &yes}); err != nil {
			return err
		}
	}
	s.out.line("the GitHub and Salesforce emulators now demand PKCE (S256)")
	return nil
}
